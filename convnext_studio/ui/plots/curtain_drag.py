"""The line of a curtain, which can be dragged in any view that shows it."""

from collections.abc import Callable

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QMouseEvent

from convnext_studio.ui.plots.image_view import ImageView
from convnext_studio.ui.state.selection.two_answers import TwoAnswers

GRIP_PX = 6


class CurtainDrag(QObject):
    """Lets the line be dragged in a view, in whose scene it is at a share of the width.

    Parameters
    ----------
    choice
        What the views show, and the place of the line in all of them.
    is_shown
        Returns whether the view shows the line now.
    """

    def __init__(self, choice: TwoAnswers, view: ImageView, is_shown: Callable[[], bool]) -> None:
        super().__init__(view)
        self._choice = choice
        self._view = view
        self._is_shown = is_shown
        self._is_dragged = False
        view.installEventFilter(self)

    def eventFilter(self, _watched: QObject, event: QEvent) -> bool:
        """Take the mouse from the view while it is on the line."""
        if not isinstance(event, QMouseEvent) or self._view.scene is None:
            return False
        match event.type():
            case QEvent.Type.MouseButtonPress:
                self._is_dragged = event.button() == Qt.MouseButton.LeftButton and self._is_on_line(event)
                return self._is_dragged
            case QEvent.Type.MouseMove if self._is_dragged:
                x, _ = self._view.to_scene(event.position())
                self._choice.move_curtain(x / self._view.scene.size[0])
                return True
            case QEvent.Type.MouseMove:
                self._show_cursor(event)
            case QEvent.Type.MouseButtonRelease if self._is_dragged:
                self._is_dragged = False
                return True
        return False

    def _is_on_line(self, event: QMouseEvent) -> bool:
        scene = self._view.scene
        if scene is None or not self._is_shown():
            return False
        line = self._view.to_widget(self._choice.curtain * scene.size[0], 0.0).x()
        return abs(event.position().x() - line) <= GRIP_PX

    def _show_cursor(self, event: QMouseEvent) -> None:
        """Show that the line can be dragged."""
        if event.buttons() != Qt.MouseButton.NoButton:
            return
        if self._is_on_line(event):
            self._view.setCursor(Qt.CursorShape.SplitHCursor)
        elif self._view.cursor().shape() == Qt.CursorShape.SplitHCursor:
            self._view.unsetCursor()
