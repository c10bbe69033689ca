"""The mosaic of a node's channels, which is coloured in a worker thread and can be pinned for comparison."""

from collections.abc import Callable, Collection, Sequence
from functools import partial
from threading import Thread
from typing import Any, TypeVar

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QObject, QPointF, Qt, Signal
from PySide6.QtGui import QContextMenuEvent, QGuiApplication, QKeyEvent
from PySide6.QtWidgets import QHBoxLayout, QMenu, QPushButton, QVBoxLayout, QWidget

from convnext_studio.common.caches import ByteCache, kept_bytes
from convnext_studio.common.value_terms import ValuePlace
from convnext_studio.model.frame_keys import number_of
from convnext_studio.model.framing import picture_of
from convnext_studio.protocol.channels import ChannelStatistics, ChannelStatisticsResult
from convnext_studio.protocol.envelope import Payload
from convnext_studio.protocol.maps import FeatureMapsResult
from convnext_studio.protocol.value_sums import AskedValue
from convnext_studio.render import ALL_VALUES, ChannelNumbers, Mosaic, format_number
from convnext_studio.ui.panels.base import plain_label
from convnext_studio.ui.panels.feature_maps.maps_subject import MapsSubject, maps_request
from convnext_studio.ui.panels.feature_maps.mosaic_image import MosaicLook, Order, Painting, paint
from convnext_studio.ui.plots.color_bar import ColorScale
from convnext_studio.ui.plots.dragging import CurtainLine
from convnext_studio.ui.plots.map_texts import Placement, is_signed
from convnext_studio.ui.plots.map_view import MapView
from convnext_studio.ui.plots.scene import Lines, Mark, Scene
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.state.cache_sizes import CacheSizes
from convnext_studio.ui.state.query import Query
from convnext_studio.ui.state.selection.shared_results import Pin
from convnext_studio.ui.widgets import theme

KEPT_BYTES = 192 << 20
Paintings = tuple[Painting, ...]
_Key = tuple[object, ...]
"""The subjects, the mosaics and the look of a painting."""
_Kept = tuple[_Key, Paintings]
OnPainted = Callable[[Paintings], None]
_KEPT_BYTES = 8 << 20


class MosaicNumbers(QObject):
    """Asks the engine for channel statistics where they are needed, and caches them.

    Parameters
    ----------
    on_known
        Called with the subject, which then holds its exact statistics, after the engine has answered.
    """

    def __init__(
        self, state: AppState, bridge: EngineBridge, on_known: Callable[[MapsSubject], None], owner: QObject
    ) -> None:
        super().__init__(owner)
        self._state = state
        self._on_known = on_known
        self._subject: MapsSubject | None = None
        self._order: Order = "index"
        self._known: ByteCache[ChannelStatisticsResult] = ByteCache(_KEPT_BYTES, kept_bytes)
        state.cache_sizes.add(self._known)
        self._question = Query(bridge, self._receive, self._fail, parent=self)
        self._failure = ""
        state.model_loaded.connect(self._forget)
        state.opened.changed.connect(self._forget_closed)
        for changed in (state.target_selected, state.prediction_made):
            changed.connect(self._follow_target)

    @property
    def is_settled(self) -> bool:
        """Whether no answer from the engine is pending."""
        return not self._question.is_running

    @property
    def class_name(self) -> str:
        """The class that contributions refer to, as text for the user."""
        target, model = self._target, self._state.model
        if target is None or model is None:
            return "the class"
        return f"“{model.labels[target]}”" if target < len(model.labels) else f"class {target}"

    def ask(self, subject: MapsSubject, order: Order) -> tuple[int | None, NDArray[np.float32] | None]:
        """Return class and contributions if wanted and known; ask the engine for what is not known."""
        self._subject, self._order = subject, order
        request = self._wanted(subject, order)
        if request is None:
            self._question.drop()
            return None, None
        known = self._known.get(request)
        if known is None:
            self._question.ask(request)
            return None, None
        return (request.target, known.contributions) if known.contributions is not None else (None, None)

    def contribution_text(self, subject: MapsSubject, channel: int) -> str:
        """Describe a channel's contribution, or return an empty text if it is not what is sorted by."""
        if self._order != "contribution":
            return ""
        request = self._wanted(subject, self._order)
        known = self._known.get(request) if request is not None else None
        if known is None or known.contributions is None:
            return self._failure
        value = float(known.contributions[channel])
        return f"contributes {format_number(value)} to {self.class_name}"

    @property
    def _target(self) -> int | None:
        """The class to explain, or else the top prediction; None while neither is known."""
        if self._state.target is None and self._state.prediction is not None:
            return self._state.prediction.top(1)[0]
        return self._state.target

    def _wanted(self, subject: MapsSubject, order: Order) -> ChannelStatistics | None:
        # Contributions are those to a class of A, in A.
        has_scores = order == "contribution" and subject.is_computed and subject.network == "A"
        target = self._target if has_scores else None
        if target is None and subject.is_sortable:
            return None
        result = subject.result
        return ChannelStatistics(
            image=result.image, node=result.node, target=target, panel="feature_maps", network=subject.network
        )

    def _receive(self, payload: Payload) -> None:
        if not isinstance(payload, ChannelStatisticsResult):
            return
        self._failure = ""
        subject = self._subject
        request = None if subject is None else self._wanted(subject, self._order)
        if request is not None and (request.image, request.node, request.target) == (
            payload.image,
            payload.node,
            payload.target,
        ):
            self._known.put(request, payload)
        if subject is None or (payload.image, payload.node) != (subject.result.image, subject.result.node):
            return
        if not subject.is_sortable:
            subject = replace(subject, exact=_numbers(payload))
        self._on_known(subject)

    def _fail(self, reason: str) -> None:
        self._failure = reason
        if self._subject is not None:
            self._on_known(self._subject)

    def _follow_target(self, _changed: object) -> None:
        if self._subject is not None and self._order == "contribution":
            self._on_known(self._subject)

    def _forget_closed(self) -> None:
        self._known.forget_where(lambda _, known: self._state.opened.row(known.image) is None)

    def _forget(self, _model: object) -> None:
        self._subject = None
        self._known.clear()
        self._question.drop()


def _numbers(payload: ChannelStatisticsResult) -> ChannelNumbers:
    return ChannelNumbers(
        minimum=payload.minimum,
        maximum=payload.maximum,
        mean=payload.mean,
        variance=payload.variance,
        sparsity=payload.sparsity,
        non_finite=payload.non_finite,
        is_dead=payload.is_dead,
    )


class MosaicPainter(QObject):
    """Delivers the painting that was last asked for: at once if it is cached, otherwise from a thread.

    Parameters
    ----------
    on_painted
        Called with the paintings that were last asked for.
    sizes
        What sets the size of the cache.
    """

    def __init__(self, on_painted: OnPainted, sizes: CacheSizes, owner: QObject) -> None:
        super().__init__(owner)
        self._on_painted = on_painted
        self._latest = LatestOnly(owner)
        self._kept: ByteCache[_Kept] = ByteCache(KEPT_BYTES, _size_bytes)
        sizes.add(self._kept)
        self._wanted: _Key | None = None
        self._shown: _Key | None = None

    @property
    def is_busy(self) -> bool:
        """Whether the requested painting is still pending."""
        return self._wanted is not None

    def ask(
        self,
        subjects: Sequence[MapsSubject],
        mosaics: Sequence[Mosaic],
        look: MosaicLook,
        scores: NDArray[np.floating] | None,
        beside: Sequence[MapsSubject] = (),
    ) -> None:
        """Ask for a painting, with the arguments of `paint`; do nothing if it was the last one delivered."""
        key: _Key = (*subjects, *mosaics, *beside, look)
        kept = self._kept.get(key)
        if key == self._shown:  # Also keeps a painting too large for the cache from being painted again.
            self._wanted = None
        elif kept is not None:
            self._wanted, self._shown = None, key
            self._on_painted(kept[1])
        elif key != self._wanted:
            self._wanted = key
            work = partial(paint, tuple(subjects), tuple(mosaics), look, scores, tuple(beside))
            self._latest.run(work, partial(self._keep, key))

    def forget_all_but(self, pictures: Collection[str]) -> None:
        """Keep only paintings of pictures with these keys; the others were closed."""
        self._kept.forget_where(
            lambda _, kept: any(picture_of(each.subject.picture.key) not in pictures for each in kept[1])
        )

    def forget(self) -> None:
        """Drop all paintings, because another model was loaded."""
        self._kept.clear()
        self._shown = None

    def _keep(self, key: _Key, paintings: Paintings) -> None:
        if all(number_of(painting.subject.picture.key) is None for painting in paintings):
            self._kept.put(key, (key, paintings))  # Frames of a live source never come back.
        if key == self._wanted:
            self._wanted, self._shown = None, key
            self._on_painted(paintings)
        elif self._wanted is not None and _without_range(key) == _without_range(self._wanted):
            # Someone drags the levels: the maps follow, although the mouse is a step ahead by now.
            self._shown = key
            self._on_painted(paintings)


def _size_bytes(kept: _Kept) -> int:
    """Return the memory of paintings and of all subjects that they or their key keep alive."""
    key, paintings = kept
    subjects = [each for each in key if isinstance(each, MapsSubject)] + [each.subject for each in paintings]
    return kept_bytes([each.arrays for each in subjects]) + sum(each.colour_bytes for each in paintings)


def _without_range(key: _Key) -> _Key:
    """Return what is painted, whatever the range of its common scale."""
    *maps, look = key
    return (*maps, replace(look, range=ALL_VALUES)) if isinstance(look, MosaicLook) else key


_STEPS = {Qt.Key.Key_Left: (0, -1), Qt.Key.Key_Right: (0, 1), Qt.Key.Key_Up: (-1, 0), Qt.Key.Key_Down: (1, 0)}


"""Row and column steps in the mosaic for each arrow key."""


Point = tuple[float, float]
OfferMore = Callable[[QMenu, str, int], None]


class MosaicView(MapView):
    """A view of a painting with one channel framed; pointer, click and arrow keys choose channels."""

    unit_hovered = Signal(object)  # tuple[int, int, int] | None: channel, row and column of the value
    channel_chosen = Signal(int)
    page_asked = Signal(str)  # numbers or patches: what to show of the selected channel

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(name, parent)
        self._painting: Painting | None = None
        self._channel = 0
        self._curtain: float | None = None
        self._offer_more: OfferMore | None = None
        self.view.hovered.connect(self._hover)
        self.view.hover_left.connect(lambda: self.unit_hovered.emit(None))
        self.view.clicked.connect(self._click)
        self.view.installEventFilter(self)
        self.explain_values(self._value_at)

    def offer_more(self, offer: OfferMore) -> None:
        """Have entries added to the menu of a channel; `offer` gets the menu, the node and the channel."""
        self._offer_more = offer

    @property
    def painting(self) -> Painting | None:
        """The painting on display, or None."""
        return self._painting

    @property
    def channel(self) -> int:
        """The framed channel: the one asked for, or the last one if there are fewer."""
        last = self._painting.subject.channels - 1 if self._painting is not None else 0
        return min(self._channel, last)

    def fitting(self, subject: MapsSubject) -> Mosaic:
        """Return the arrangement that suits the view's shape best; while zoomed in, the one on display."""
        shown = self._painting
        if shown is not None and shown.subject.result is subject.result and not self.view.is_fitted:
            return replace(shown.mosaic, order=())
        channels, height, width = subject.shape
        # Gaps remain visible even where large tiles are shown reduced; single units need none.
        gap_px = max(1, round(max(height, width) / 40)) if height * width > 1 else 0
        return Mosaic.fitting((channels, height, width), self.view.width() / max(self.view.height(), 1), gap_px)

    def show_painting(self, painting: Painting) -> None:
        """Show another painting."""
        self._painting = painting
        ends = ("-max", "max") if is_signed(painting.colormap) else ("min", "max")
        self.bar.set_scale(ColorScale(painting.colormap, painting.shared, ends, painting.clipping))
        self._frame()

    def frame_channel(self, channel: int) -> None:
        """Frame a channel as the selected one."""
        self._channel = channel
        self._frame()

    def highlight_channel(self, channel: int | None) -> None:
        """Highlight a channel as if the pointer were on it."""
        painting = self._painting
        if painting is None or channel is None or channel >= painting.subject.channels:
            self.view.set_highlight(None)
        else:
            self.view.set_highlight(painting.mosaic.tile_box(channel))

    def follow(self, other: "MosaicView") -> None:
        """Show the same part as another mosaic."""
        self.view.look_as(other.view)

    def to_picture(self, x: float, y: float) -> Point | None:
        """Convert a point of a tile to the photograph's pixels; None between the tiles."""
        unit = None if self._painting is None else self._painting.mosaic.unit_at(x, y)
        if self._painting is None or unit is None:
            return None
        left, top, _, _ = self._painting.mosaic.tile_box(unit[0])
        placement: Placement = self._painting.subject.placement
        return placement.from_map(x - left, y - top)

    def _frame(self) -> None:
        if self._painting is not None:
            layer, mosaic = self._painting.layer, self._painting.mosaic
            mark = Mark(mosaic.tile_box(self.channel), colour=theme.DARK.accent)
            lines = () if self._curtain is None else (self._curtain_lines(mosaic, self._curtain),)
            scene = Scene(size=layer.box[2:], layers=(layer,), marks=(mark,), lines=lines, unit="units")
            self.view.set_scene(scene)

    def set_curtain(self, share: float | None) -> None:
        """Set where the curtain's line is in every tile, as a share of its width; None if there is no line."""
        self._curtain = share

    @staticmethod
    def _curtain_lines(mosaic: Mosaic, share: float) -> Lines:
        """Return a line in every tile, between the units of A and those of B."""
        place = round(share * mosaic.width)
        boxes = np.array([mosaic.place_box(tile) for tile in range(mosaic.count)])
        tops = np.stack((boxes[:, 0] + place, boxes[:, 1]), axis=1)
        return Lines(np.stack((tops, tops + np.array((0.0, float(mosaic.height)))), axis=1), faint=True)

    def curtain_at(self, x: float, y: float) -> CurtainLine | None:
        """Return the curtain's line in the tile at a point, or None between the tiles."""
        channel = None if self._painting is None else self._painting.mosaic.channel_at(x, y)
        if self._painting is None or channel is None or self._curtain is None:
            return None
        left, _, width, _ = self._painting.mosaic.tile_box(channel)
        return CurtainLine(left, width, left + round(self._curtain * width))

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        """Open a menu about the channel under the pointer, followed by the entries to copy and save."""
        place = self.view.mapFrom(self, event.pos())
        x, y = self.view.to_scene(QPointF(place))
        channel = None if self._painting is None else self._painting.mosaic.channel_at(x, y)
        self.menu_about(channel, self._value_at(x, y)).popup(event.globalPos())

    def menu_about(self, channel: int | None, place: AskedValue | None = None) -> QMenu:
        """Return the context menu of a channel and a value; without them, only the entries to copy and save."""
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.setToolTipsVisible(True)
        self.offer_value(menu, place)
        painting = self._painting
        if channel is not None and painting is not None:
            name = f"{painting.subject.node.name} channel {channel}"
            menu.addAction(f"&Select channel {channel}").triggered.connect(
                lambda: self.channel_chosen.emit(channel)
            )
            for text, page in (("Its &numbers", "numbers"), ("Where it is &strongest", "patches")):
                menu.addAction(text).triggered.connect(
                    lambda _checked=False, page=page: self._show_page(channel, page)
                )
            menu.addAction("Copy its n&ame").triggered.connect(
                lambda: QGuiApplication.clipboard().setText(name)
            )
            if self._offer_more is not None:
                self._offer_more(menu, painting.subject.node.name, channel)
            menu.addSeparator()
        menu.addActions(self.saver.menu.actions())
        return menu

    def _show_page(self, channel: int, page: str) -> None:
        self.channel_chosen.emit(channel)
        self.page_asked.emit(page)

    def _hover(self, x: float, y: float) -> None:
        unit = None if self._painting is None else self._painting.mosaic.unit_at(x, y)
        self.highlight_channel(None if unit is None else unit[0])
        self.unit_hovered.emit(unit)

    def _click(self, x: float, y: float) -> None:
        channel = None if self._painting is None else self._painting.mosaic.channel_at(x, y)
        if channel is not None:
            self.channel_chosen.emit(channel)

    def _value_at(self, x: float, y: float) -> AskedValue | None:
        """Return the place of the value at a point; in an overview, of the unit in the middle of a mean."""
        unit = None if self._painting is None else self._painting.mosaic.unit_at(x, y)
        if self._painting is None or unit is None:
            return None
        subject = self._painting.subject
        result, side = subject.result, subject.result.reduction
        _, height, width = subject.node.shape
        row, column = (
            min(each * side + side // 2, most - 1) for each, most in zip(unit[1:], (height, width), strict=True)
        )
        return AskedValue(ValuePlace(result.node, unit[0], row, column), subject.network)

    def eventFilter(self, _watched: object, event: QEvent) -> bool:
        """Move between the tiles with the arrow keys, in the displayed order."""
        if not isinstance(event, QKeyEvent) or event.type() != QEvent.Type.KeyPress or self._painting is None:
            return False
        step = _STEPS.get(Qt.Key(event.key()))
        if step is None or event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier:
            return False
        mosaic = self._painting.mosaic
        tile = mosaic.tile_of(self.channel) + step[0] * mosaic.columns + step[1]
        if 0 <= tile < mosaic.count:
            self.channel_chosen.emit(mosaic.channel_in(tile))
        return True


class PinnedView(QWidget):
    """A view that keeps the pinned maps, whatever is selected or loaded later."""

    changed = Signal()

    def __init__(self, state: AppState, bridge: EngineBridge, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._pin: Pin | None = None
        self._subject: MapsSubject | None = None
        self._question = Query(bridge, self._receive, self._fail, parent=self)
        self.map = MosaicView("All channels of what was pinned")
        self.text = plain_label("muted")
        unpin = QPushButton("Unpin")
        unpin.setToolTip("End the comparison")
        unpin.clicked.connect(state.kept.unpin)
        row = QHBoxLayout()
        row.addWidget(self.text, 1)
        row.addWidget(unpin)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 2, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(self.map, 1)
        layout.addLayout(row)
        state.kept.pinned.connect(self._follow)

    @property
    def subject(self) -> MapsSubject | None:
        """The pinned maps once they have arrived, otherwise None."""
        return self._subject

    @property
    def is_settled(self) -> bool:
        """Whether no answer from the engine is pending."""
        return not self._question.is_running

    def _follow(self, pin: Pin | None) -> None:
        self._pin, self._subject = pin, None
        self._question.drop()
        if pin is not None:
            # The engine still has these maps cached, because they are on display.
            self._question.ask(maps_request(pin.picture.key, pin.node, "pinned"))
        self.changed.emit()

    def _receive(self, payload: Payload) -> None:
        pin = self._pin
        if pin is not None and isinstance(payload, FeatureMapsResult):
            self._subject = MapsSubject(payload, pin.model.node(pin.node), pin.model, pin.picture)
            self.text.setText(self._subject.title)
            self.changed.emit()

    def _fail(self, reason: str) -> None:
        self.text.setText(reason)
        self.changed.emit()


Result = TypeVar("Result")


class _Worker(Struct):
    """The running thread, and whether its results are still wanted; outlives the QObject."""

    thread: Thread | None = None
    is_closed: bool = False

    def close(self) -> None:
        self.is_closed = True
        if self.thread is not None:
            self.thread.join()


class LatestOnly(QObject):
    """Runs one function at a time in a thread; of those waiting, only the newest is run.

    Parameters
    ----------
    owner
        Its destruction ends this object, after the running function has finished.
    """

    _finished = Signal(object)  # A function to call in Qt's main thread.

    def __init__(self, owner: QObject) -> None:
        super().__init__(owner)
        self._worker = _Worker()
        self._waiting: Callable[[], None] | None = None
        self._finished.connect(self._tell, Qt.ConnectionType.QueuedConnection)
        # A method of the worker, because this object is already being deleted by then.
        owner.destroyed.connect(self._worker.close)

    @property
    def is_busy(self) -> bool:
        """Whether a function is running or its result has not been delivered yet."""
        return self._worker.thread is not None

    def run(self, work: Callable[[], Result], on_done: Callable[[Result], Any]) -> None:
        """Call `work` in the thread once it is free, then `on_done` with the result in this thread."""
        self._waiting = partial(self._work, work, on_done)
        if not self.is_busy:
            self._start()

    def _start(self) -> None:
        if self._waiting is not None:
            self._worker.thread, self._waiting = Thread(target=self._waiting, name="latest only"), None
            self._worker.thread.start()

    def _work(self, work: Callable[[], Result], on_done: Callable[[Result], Any]) -> None:
        outcome: Callable[[], Any] = _nothing
        try:
            outcome = partial(on_done, work())
        finally:
            if not self._worker.is_closed:
                self._finished.emit(outcome)

    def _tell(self, outcome: Callable[[], Any]) -> None:
        if self._worker.thread is not None:
            self._worker.thread.join()
        self._worker.thread = None
        self._start()
        outcome()


def _nothing() -> None:
    """Deliver nothing for failed work; Python has printed its traceback to standard error."""
