"""What people drag on an image view: a box by its frame and corners, and the line of a curtain."""

from collections.abc import Callable
from typing import Protocol

from msgspec import Struct
from PySide6.QtCore import QEvent, QObject, QPointF, Qt, QTimer, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent

from convnext_studio.ui.plots.image_view import ImageView, asks_for_escape

Edges = tuple[float, float, float, float]
"""Left, top, right and bottom of a box in the scene."""

LEAST_PX = 8
"""The smallest side of a box in pixels of the scene."""
_NEAR_PX = 7.0
_WAIT_MS = 250
_STEPS = {
    Qt.Key.Key_Left: (-1, 0),
    Qt.Key.Key_Right: (1, 0),
    Qt.Key.Key_Up: (0, -1),
    Qt.Key.Key_Down: (0, 1),
}
_SHIFT = Qt.KeyboardModifier.ShiftModifier
_RESIZES = Qt.KeyboardModifier.ShiftModifier | Qt.KeyboardModifier.AltModifier
_CURSORS = {
    (True, True): Qt.CursorShape.SizeFDiagCursor,
    (False, False): Qt.CursorShape.SizeFDiagCursor,
    (True, False): Qt.CursorShape.SizeBDiagCursor,
    (False, True): Qt.CursorShape.SizeBDiagCursor,
}
"""By whether the left and whether the upper edge is held."""


class BoxTool(QObject):
    """Lets people drag a box on a view: its frame moves it, and its corners resize it.

    Shift and the arrow keys move the box by one pixel of the screen, and Alt with them resizes it. Escape
    during a drag restores the box. The view draws nothing for this: who shows the scene marks the box.

    Parameters
    ----------
    view
        The view of the scene; its events are watched.

    Attributes
    ----------
    box
        The box, as x, y, width and height in whole pixels of the scene; None if there is none to drag.
    """

    dragged = Signal()  # The box follows the mouse or the keys.
    changed = Signal(object)  # x, y, width, height: a drag has ended, or the keys have rested.

    def __init__(self, view: ImageView) -> None:
        super().__init__(view)
        self._view = view
        self.box: tuple[int, int, int, int] | None = None
        self._held: tuple[tuple[bool, bool] | None, Edges, tuple[float, float]] | None = None
        self._rest = QTimer(self, singleShot=True, interval=_WAIT_MS)
        self._rest.timeout.connect(self._tell)
        view.installEventFilter(self)

    @property
    def is_held(self) -> bool:
        """Whether the mouse holds the box."""
        return self._held is not None

    @property
    def is_moving(self) -> bool:
        """Whether the box is held, or the keys have moved it a moment ago."""
        return self.is_held or self._rest.isActive()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Take the events that concern the box; the view gets all others."""
        if self.box is not None:
            if asks_for_escape(event) and self.is_held:
                event.accept()
                return True
            if isinstance(event, QMouseEvent):
                return self._take_mouse(event)
            if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress:
                return self._take_key(event)
        return super().eventFilter(watched, event)

    def _take_mouse(self, event: QMouseEvent) -> bool:
        match event.type():
            case QEvent.Type.MouseButtonPress if event.button() == Qt.MouseButton.LeftButton:
                return self._grip(event.position())
            case QEvent.Type.MouseMove if self._held is not None:
                self._drag(event.position())
                return True
            case QEvent.Type.MouseMove if event.buttons() == Qt.MouseButton.NoButton:
                self._show_cursor(event.position())
            case QEvent.Type.MouseButtonRelease if self._held is not None:
                self._release()
                return True
        return False

    def _take_key(self, event: QKeyEvent) -> bool:
        modifiers = event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
        step = _STEPS.get(Qt.Key(event.key()))
        if event.key() == Qt.Key.Key_Escape and self._held is not None:
            self._put(self._held[1])
            self._held = None
            return True
        if step is None or modifiers not in (_SHIFT, _RESIZES):
            return False
        px = max(1.0, round(1 / self._view.scale))
        held = None if modifiers == _SHIFT else (False, False)
        self._rest.start()  # The box is moving from now on.
        self._move(held, self._edges(), step[0] * px, step[1] * px)
        return True

    # ------------------------------------------------------------------------------------------- the drag

    def _edges(self) -> Edges:
        x, y, width, height = self.box or (0, 0, 0, 0)
        return float(x), float(y), float(x + width), float(y + height)

    def _part_at(self, place: QPointF) -> tuple[bool, bool] | str | None:
        """Return the corner at a place of the view, as in `_CURSORS`, or "frame", or None."""
        left, top, right, bottom = self._edges()
        first, last = self._view.to_widget(left, top), self._view.to_widget(right, bottom)
        near_x = abs(place.x() - first.x()) <= _NEAR_PX, abs(place.x() - last.x()) <= _NEAR_PX
        near_y = abs(place.y() - first.y()) <= _NEAR_PX, abs(place.y() - last.y()) <= _NEAR_PX
        if any(near_x) and any(near_y):
            return near_x[0], near_y[0]
        is_within_x = first.x() <= place.x() <= last.x()
        is_within_y = first.y() <= place.y() <= last.y()
        return "frame" if (any(near_x) and is_within_y) or (any(near_y) and is_within_x) else None

    def _show_cursor(self, place: QPointF) -> None:
        part = self._part_at(place)
        if isinstance(part, tuple):
            self._view.setCursor(_CURSORS[part])
        elif part is not None:
            self._view.setCursor(Qt.CursorShape.SizeAllCursor)
        else:
            self._view.unsetCursor()

    def _grip(self, place: QPointF) -> bool:
        part = self._part_at(place)
        if part is None:
            return False
        self._view.setFocus(Qt.FocusReason.MouseFocusReason)
        corner = part if isinstance(part, tuple) else None
        self._held = corner, self._edges(), self._view.to_scene(place)
        return True

    def _drag(self, place: QPointF) -> None:
        if self._held is not None:
            corner, before, start = self._held
            x, y = self._view.to_scene(place)
            self._move(corner, before, x - start[0], y - start[1])

    def _release(self) -> None:
        before, self._held = self._held, None
        self._view.unsetCursor()
        if before is not None and before[1] != self._edges():
            self._tell()

    def _move(self, corner: tuple[bool, bool] | None, before: Edges, dx: float, dy: float) -> None:
        """Move the whole box, or one corner of it, within the scene."""
        scene = self._view.scene
        if scene is None:
            return
        width, height = scene.size
        left, top, right, bottom = before
        if corner is None:
            dx, dy = min(max(dx, -left), width - right), min(max(dy, -top), height - bottom)
            self._put((left + dx, top + dy, right + dx, bottom + dy))
            return
        if corner[0]:
            left = min(max(left + dx, 0.0), right - LEAST_PX)
        else:
            right = max(min(right + dx, width), left + LEAST_PX)
        if corner[1]:
            top = min(max(top + dy, 0.0), bottom - LEAST_PX)
        else:
            bottom = max(min(bottom + dy, height), top + LEAST_PX)
        self._put((left, top, right, bottom))

    def _put(self, edges: Edges) -> None:
        left, top, right, bottom = (round(edge) for edge in edges)
        box = left, top, right - left, bottom - top
        if box != self.box:
            self.box = box
            self.dragged.emit()

    def _tell(self) -> None:
        self._rest.stop()
        if self.box is not None:
            self.changed.emit(self.box)


GRIP_PX = 6
_GRIP_SHARE = 0.15
"""Of a small part, the share of its width on either side of the line in which it can be gripped."""


class CurtainLine(Struct, frozen=True):
    """A line of the curtain in a scene.

    Attributes
    ----------
    left, width
        The part of the scene, from left to right, that the line divides.
    place
        Where the line is.
    """

    left: float
    width: float
    place: float


class CurtainPlace(Protocol):
    """Where the line of a curtain is, as a share of the width."""

    @property
    def curtain(self) -> float:
        """The share."""
        ...

    def move_curtain(self, share: float) -> None:
        """Set the share, which may lie outside of the picture."""
        ...


class CurtainDrag(QObject):
    """Lets the line be dragged in a view, in whose scene it is at a share of the width.

    Parameters
    ----------
    choice
        The place of the line.
    is_shown
        Returns whether the view shows the line now.
    line_at
        Returns the line nearest to a point of the scene, if there are several; None if there is none.
    """

    def __init__(
        self,
        choice: CurtainPlace,
        view: ImageView,
        is_shown: Callable[[], bool],
        line_at: Callable[[float, float], CurtainLine | None] | None = None,
    ) -> None:
        super().__init__(view)
        self._choice = choice
        self._view = view
        self._is_shown = is_shown
        self._line_at = line_at or self._only_line
        self._dragged: CurtainLine | None = None
        self._has_moved = False
        view.installEventFilter(self)

    def eventFilter(self, _watched: QObject, event: QEvent) -> bool:
        """Take the mouse from the view while it is on the line."""
        if not isinstance(event, QMouseEvent) or self._view.scene is None:
            return False
        match event.type():
            case QEvent.Type.MouseButtonPress:
                is_left = event.button() == Qt.MouseButton.LeftButton and not event.modifiers()
                self._dragged = self._line_under(event) if is_left else None
                self._has_moved = False
                return self._dragged is not None
            case QEvent.Type.MouseMove if self._dragged is not None:
                x, _ = self._view.to_scene(event.position())
                self._has_moved = True
                self._choice.move_curtain((x - self._dragged.left) / self._dragged.width)
                return True
            case QEvent.Type.MouseMove:
                self._show_cursor(event)
            case QEvent.Type.MouseButtonRelease if self._dragged is not None:
                self._dragged = None
                if not self._has_moved:  # It was a click on what lies below the line.
                    self._view.clicked.emit(*self._view.to_scene(event.position()))
                return True
        return False

    def _only_line(self, _x: float, _y: float) -> CurtainLine | None:
        scene = self._view.scene
        if scene is None:
            return None
        width = scene.size[0]
        return CurtainLine(0.0, width, self._choice.curtain * width)

    def _line_under(self, event: QMouseEvent) -> CurtainLine | None:
        """Return the line under the pointer, or None."""
        if self._view.scene is None or not self._is_shown():
            return None
        line = self._line_at(*self._view.to_scene(event.position()))
        if line is None:
            return None
        place, left, right = (
            self._view.to_widget(x, 0.0).x() for x in (line.place, line.left, line.left + line.width)
        )
        grip = min(GRIP_PX, _GRIP_SHARE * (right - left))
        return line if abs(event.position().x() - place) <= grip else None

    def _show_cursor(self, event: QMouseEvent) -> None:
        """Show that the line can be dragged."""
        if event.buttons() != Qt.MouseButton.NoButton:
            return
        if self._line_under(event) is not None:
            self._view.setCursor(Qt.CursorShape.SplitHCursor)
        elif self._view.cursor().shape() == Qt.CursorShape.SplitHCursor:
            self._view.unsetCursor()
