"""All channels of a node side by side, in a view."""

from dataclasses import replace

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QWidget

from convnext_studio.render import Mosaic
from convnext_studio.ui import theme
from convnext_studio.ui.colorbar import ColorScale, MapView
from convnext_studio.ui.panels.maps import Placement, is_signed
from convnext_studio.ui.panels.mosaic_painting import Painting, Subject
from convnext_studio.ui.scene import Mark, Scene

_STEPS = {Qt.Key.Key_Left: (0, -1), Qt.Key.Key_Right: (0, 1), Qt.Key.Key_Up: (-1, 0), Qt.Key.Key_Down: (1, 0)}
"""Rows and columns of the mosaic that a key walks."""

Point = tuple[float, float]


class MosaicView(MapView):
    """Shows a painting with one channel framed; the pointer, a click and the arrow keys name channels."""

    unit_hovered = Signal(object)  # tuple[int, int, int] | None: channel, row and column of the value
    channel_chosen = Signal(int)

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(name, parent)
        self._painting: Painting | None = None
        self._channel = 0
        self.view.hovered.connect(self._hover)
        self.view.hover_left.connect(lambda: self.unit_hovered.emit(None))
        self.view.clicked.connect(self._click)
        self.view.installEventFilter(self)

    @property
    def painting(self) -> Painting | None:
        """What is shown."""
        return self._painting

    @property
    def channel(self) -> int:
        """The framed channel: the one that was named, or the last where there are fewer."""
        last = self._painting.subject.channels - 1 if self._painting is not None else 0
        return min(self._channel, last)

    def fitting(self, subject: Subject) -> Mosaic:
        """The arrangement that uses the view's shape best; the one shown, while that is zoomed into."""
        shown = self._painting
        if shown is not None and shown.subject.result is subject.result and not self.view.is_fitted:
            return replace(shown.mosaic, order=())
        channels, height, width = subject.shape
        # Gaps that are seen also where large tiles are shown reduced; single units need none.
        gap_px = max(1, round(max(height, width) / 40)) if height * width > 1 else 0
        return Mosaic.fitting((channels, height, width), self.view.width() / max(self.view.height(), 1), gap_px)

    def show_painting(self, painting: Painting) -> None:
        """Show something else."""
        self._painting = painting
        ends = ("-max", "max") if is_signed(painting.colormap) else ("min", "max")
        self.bar.set_scale(ColorScale(painting.colormap, painting.shared, ends, painting.clipping))
        self._frame()

    def frame_channel(self, channel: int) -> None:
        """Mark a channel."""
        self._channel = channel
        self._frame()

    def highlight_channel(self, channel: int | None) -> None:
        """Frame a channel as if the pointer were on it."""
        painting = self._painting
        if painting is None or channel is None or channel >= painting.subject.channels:
            self.view.set_highlight(None)
        else:
            self.view.set_highlight(painting.mosaic.tile_box(channel))

    def follow(self, other: "MosaicView") -> None:
        """See the same part as another mosaic."""
        self.view.set_viewpoint(other.view.viewpoint)

    def to_picture(self, x: float, y: float) -> Point | None:
        """A point of a tile, in the photograph's pixels; None between the tiles."""
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
            self.view.set_scene(Scene(size=layer.box[2:], layers=(layer,), marks=(mark,)))

    def _hover(self, x: float, y: float) -> None:
        unit = None if self._painting is None else self._painting.mosaic.unit_at(x, y)
        self.highlight_channel(None if unit is None else unit[0])
        self.unit_hovered.emit(unit)

    def _click(self, x: float, y: float) -> None:
        channel = None if self._painting is None else self._painting.mosaic.channel_at(x, y)
        if channel is not None:
            self.channel_chosen.emit(channel)

    def eventFilter(self, _watched: object, event: QEvent) -> bool:
        """Walk the tiles with the arrow keys, in the order in which they are seen."""
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
