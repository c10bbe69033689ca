"""What the pages of the panel have in common: a question, a large map, and a map over every small picture."""

from collections.abc import Callable, Sized
from typing import Any, ClassVar

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QObject, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QScrollArea, QWidget

from convnext_studio.common.errors import StudioError
from convnext_studio.model.nodes import NodeInfo
from convnext_studio.protocol.envelope import Network, Payload, Request
from convnext_studio.protocol.models import ModelInfo
from convnext_studio.protocol.pictures import ImageInfo
from convnext_studio.render import pluralize, resample
from convnext_studio.ui.plots.color_bar import ColorScale
from convnext_studio.ui.plots.image_view import ImageView
from convnext_studio.ui.plots.map_texts import Placement, point_text
from convnext_studio.ui.plots.picture_gallery import GalleryOverlay
from convnext_studio.ui.plots.scene import Layer, Lines, Mark
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.state.python_text import PythonLines

Unit = tuple[int, int]
"""Row and column of a position."""
SMOOTH_SIDE = 448
"""The longer side to which a map is interpolated."""


class OverlayLook(Struct, frozen=True, kw_only=True):
    """How maps are laid over pictures.

    Attributes
    ----------
    smooth
        Whether values are interpolated between the centres of the units.
    opacity
        The opacity of the colours, from 0 to 1.
    """

    smooth: bool = True
    opacity: float = 0.8


class PageScene(Struct, frozen=True, kw_only=True, eq=False):
    """What the large view shows over the picture.

    Attributes
    ----------
    layers, lines, marks
        Parts of its scene, above the picture.
    scale
        The colour bar; None if the colours have none.
    values
        The numbers behind the colours, for files.
    """

    layers: tuple[Layer, ...] = ()
    lines: tuple[Lines, ...] = ()
    marks: tuple[Mark, ...] = ()
    scale: ColorScale | None = None
    values: NDArray[Any] | None = None


class SimilaritySubject(Struct, frozen=True, kw_only=True):
    """What is asked about: the network, the picture that is shown large, all pictures, and the node.

    Attributes
    ----------
    network
        Which of two open networks it is.
    target
        The class that is explained, by its index in this network; None for each picture's top prediction.
    notes
        What is not the same in the second network, such as another node.
    """

    model: ModelInfo
    picture: ImageInfo
    images: tuple[str, ...]
    node: NodeInfo
    network: Network = "A"
    target: int | None = None
    notes: tuple[str, ...] = ()

    @property
    def others(self) -> tuple[str, ...]:
        """The keys of the other pictures."""
        return tuple(key for key in self.images if key != self.picture.key)

    @property
    def current_first(self) -> tuple[str, ...]:
        """The keys of all pictures, that of the large one first."""
        return (self.picture.key, *self.others)


def subject_of(state: AppState, network: Network) -> SimilaritySubject | str:
    """Return what is to be asked about in one of the open networks, or why there is nothing."""
    if state.picture is None:
        return state.awaited.why_no_picture
    if state.model is None:
        return state.awaited.why_no_model
    pair = state.second.pair if network == "B" else None
    model, node, target = state.model, state.model.node(state.node), state.target
    notes: list[str] = []
    try:
        if pair is not None:
            other = pair.b.node(pair.node(node.name, notes))
            model, node, target = pair.b, other, pair.class_of(target)
    except StudioError as error:
        return str(error)
    if not node.has_positions:
        return f"{node.title} has no positions to compare. Select a stage, a block or an operation."
    return SimilaritySubject(
        model=model,
        picture=state.picture,
        images=tuple(picture.key for picture in state.opened.images),
        node=node,
        network="A" if pair is None else "B",
        target=target,
        notes=tuple(notes),
    )


def finer(values: NDArray[np.float32], smooth: bool, side: int = SMOOTH_SIDE) -> NDArray[np.float32]:
    """Return a map interpolated between its units' centres, to about `side` values, if it is to be `smooth`."""
    if not (smooth and np.isfinite(values).all()):
        return values
    factor = max(1, side // max(values.shape))
    return resample(values, values.shape[0] * factor, values.shape[1] * factor) if factor > 1 else values


def position_text(node: str, unit: Unit, placement: Placement | None, *said: str) -> str:
    """Return the read-out of a position: the node, the unit, what is said about it, and where it is."""
    where = () if placement is None else (point_text(*placement.centre(*unit)),)
    return " · ".join((node, f"unit (y {unit[0]}, x {unit[1]})", *said, *where))


def unread_text(skipped: Sized) -> list[str]:
    """Say how many pictures could not be read; an empty list if all could."""
    return [f"{pluralize(len(skipped), 'picture')} could not be read"] if skipped else []


class SideArea(QScrollArea):
    """An area in which the content of a page's side scrolls up and down, but is never cut off at its sides."""

    def __init__(self, content: QWidget, name: str) -> None:
        super().__init__()
        self._content = content
        self.setAccessibleName(name)
        self.setAccessibleDescription("The arrow keys scroll")
        self.setWidgetResizable(True)
        self.setFrameShape(QScrollArea.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setWidget(content)

    def minimumSizeHint(self) -> QSize:
        """Return the width of the content beside the scroll bar."""
        bar_px = self.verticalScrollBar().sizeHint().width()
        return QSize(self._content.minimumSizeHint().width() + bar_px, super().minimumSizeHint().height())


class Page(QObject):
    """One of the pages of the panel.

    Attributes
    ----------
    name, title, tip
        The value, the word and the tooltip of its button.
    controls
        What stands in the panel's row of controls while the page is shown.
    model, network
        The network that is asked, and which of two open ones it is; None before there is one.
    side
        What stands beside the large view.
    """

    changed = Signal()  # What is shown has changed.
    asked = Signal()  # Another question is to be asked.
    read_out = Signal(str)

    name: ClassVar[str]
    title: ClassVar[str]
    tip: ClassVar[str]

    def __init__(self, state: AppState, bridge: EngineBridge, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.state = state
        self.bridge = bridge
        self.model: ModelInfo | None = None
        self.network: Network = "A"
        self.look = OverlayLook()
        self.controls: list[QWidget] = []
        self.side = QWidget()

    def question(self, subject: SimilaritySubject) -> Request | str:
        """Return the request whose answer the page shows, or a sentence that says why there is none."""
        raise NotImplementedError

    def take(self, payload: Payload, subject: SimilaritySubject) -> None:
        """Take an answer, complete or partial."""
        raise NotImplementedError

    def recall(self, _question: Request) -> Payload | None:
        """Return an answer that is at hand, or None."""
        return None

    def python(self, _image: str) -> PythonLines | None:
        """Return the lines of Python that give the numbers that are shown of a picture, or None."""
        return None

    def forget(self) -> None:
        """Forget everything that was computed."""

    def shown(self) -> PageScene | None:
        """Return what is shown over the large picture; None until there is something."""
        raise NotImplementedError

    def overlay(self, key: str) -> GalleryOverlay | None:
        """Return what lies over a small picture."""
        raise NotImplementedError

    def show_small(self, _keys: tuple[str, ...]) -> None:
        """Ask for what is missing of the small pictures that are in view."""

    def placement(self) -> tuple[Placement, tuple[int, int]] | None:
        """Return where the positions are in the large picture, and the numbers of rows and columns."""
        raise NotImplementedError

    def caption(self) -> str:
        """Describe what is shown, with its numbers."""
        raise NotImplementedError

    def point_at(self, unit: Unit | None) -> str:
        """Show what belongs to the position under the pointer, and return its read-out."""
        raise NotImplementedError

    def choose(self, unit: Unit) -> None:
        """Choose a position, which was clicked."""

    def select_unit(self, node: str, y: int, x: int) -> None:
        """Select a unit in all panels, if the node is the one that is selected there, and not one of B."""
        if node == self.state.node and self.network == "A":
            self.state.set_unit(y, x)

    def set_look(self, look: OverlayLook) -> None:
        """Lay the maps over the pictures in another way."""
        if look != self.look:
            self.look = look
            self.changed.emit()

    @property
    def is_settled(self) -> bool:
        """Whether nothing is pending beside the page's question."""
        return True


_STEPS = {Qt.Key.Key_Left: (0, -1), Qt.Key.Key_Right: (0, 1), Qt.Key.Key_Up: (-1, 0), Qt.Key.Key_Down: (1, 0)}


class PositionPointer(QObject):
    """Points at the positions in a view with the mouse or the arrow keys, and chooses one.

    Parameters
    ----------
    placement
        Returns where the positions are, and the numbers of rows and columns; None if there are none.
    point_at
        Shows what belongs to a position, or to none, and returns its read-out.
    choose
        Called with a position that was clicked or, with True, chosen with Enter or Space.
    """

    read_out = Signal(str)

    def __init__(
        self,
        view: ImageView,
        placement: Callable[[], tuple[Placement, Unit] | None],
        point_at: Callable[[Unit | None], str],
        choose: Callable[[Unit, bool], None],
    ) -> None:
        super().__init__(view)
        self._view = view
        self._placement = placement
        self._point_at = point_at
        self._choose = choose
        self._pointed: Unit | None = None
        view.hovered.connect(lambda x, y: self._point(self._unit_at(x, y)))
        view.hover_left.connect(lambda: self._point(None))
        view.clicked.connect(self._click)
        view.installEventFilter(self)

    def leave(self) -> None:
        """Point at nothing, because the positions are other ones now."""
        self._pointed = None
        self._view.set_highlight(None)

    def _unit_at(self, x: float, y: float) -> Unit | None:
        placed = self._placement()
        unit = None if placed is None else placed[0].unit_at(x, y, *placed[1])
        if placed is None or unit is None:
            return None
        rows, columns = _seen(placed)
        return unit if unit[0] in rows and unit[1] in columns else None

    def _point(self, unit: Unit | None) -> None:
        self._pointed = unit
        placed = self._placement()
        self._view.set_highlight(None if unit is None or placed is None else placed[0].unit_box(*unit))
        self.read_out.emit(self._point_at(unit))

    def _click(self, x: float, y: float) -> None:
        unit = self._unit_at(x, y)
        if unit is not None:
            self._choose(unit, False)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Move from position to position with the arrow keys, and choose one with Enter or Space."""
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress:
            return self._press(event)
        return super().eventFilter(watched, event)

    def _press(self, event: QKeyEvent) -> bool:
        placed = self._placement()
        if placed is None or event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier:
            return False
        (rows, columns), unit = _seen(placed), self._pointed
        step = _STEPS.get(Qt.Key(event.key()))
        if step is not None:
            y, x = rows[len(rows) // 2], columns[len(columns) // 2]
            if unit is not None:
                y, x = unit[0] + step[0], unit[1] + step[1]
            self._point((min(max(y, rows[0]), rows[-1]), min(max(x, columns[0]), columns[-1])))
            return True
        if unit is not None and event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space):
            self._choose(unit, True)
            return True
        return False


def _seen(placed: tuple[Placement, Unit]) -> tuple[range, range]:
    """Return the rows and columns of the positions that are not in the padding."""
    placement, shape = placed
    rows, columns = placement.crop.seen_units(placement.field, *shape)
    return range(rows.start, rows.stop), range(columns.start, columns.stop)
