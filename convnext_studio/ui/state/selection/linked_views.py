"""What all views have in common: the point under the pointer, the part they show, and what one was asked."""

from msgspec import Struct
from PySide6.QtCore import QObject, Signal

from convnext_studio.protocol.value_sums import AskedValue


class Viewport(Struct, frozen=True):
    """The part of a picture that a view shows.

    Attributes
    ----------
    x, y
        Centre of the view, in the picture's pixels.
    span_px
        Length of the view's shorter side, in the picture's pixels.
    """

    x: float
    y: float
    span_px: float


class LinkedViews(QObject):
    """The point under the pointer, the part of the picture that is shown, and the value asked about."""

    pointed_at = Signal(object)  # tuple[float, float] | None: a point of the picture
    value_asked = Signal(object)  # AskedValue: how this value was made is to be shown
    viewport_changed = Signal(object)  # Viewport | None: None for the whole picture

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._pointed: tuple[float, float] | None = None
        self._viewport: Viewport | None = None
        self._zoom_is_linked = False
        self._asked_value: AskedValue | None = None

    @property
    def pointed(self) -> tuple[float, float] | None:
        """The point of the current picture under the pointer, in picture pixels, whichever panel it is in."""
        return self._pointed

    def point_at(self, point: tuple[float, float] | None) -> None:
        """Set the point of the current picture that is under the pointer, or None."""
        if point != self._pointed:
            self._pointed = point
            self.pointed_at.emit(point)

    @property
    def viewport(self) -> Viewport | None:
        """The part of the current picture that all linked views show, or None for the whole picture."""
        return self._viewport

    def set_viewport(self, viewport: Viewport | None) -> None:
        """Set the visible part of the current picture, after a view of it was zoomed or moved."""
        if viewport != self._viewport:
            self._viewport = viewport
            self.viewport_changed.emit(viewport)

    @property
    def zoom_is_linked(self) -> bool:
        """Whether all views of the picture show the same part of it."""
        return self._zoom_is_linked

    def link_zoom(self, is_linked: bool) -> None:
        """Set whether all views of the picture show the same part of it, or each its own."""
        self._zoom_is_linked = is_linked
        self._viewport = None

    @property
    def asked_value(self) -> AskedValue | None:
        """The value of which someone last asked how it was made, or None."""
        return self._asked_value

    def ask_value(self, asked: AskedValue) -> None:
        """Ask how a value was made; the signal is emitted even if it was the last one asked about."""
        self._asked_value = asked
        self.value_asked.emit(asked)
