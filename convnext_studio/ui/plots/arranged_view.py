"""An image view whose scene is arranged for its size, as a table or a grid of pictures is."""

from PySide6.QtCore import QEvent, QTimer
from PySide6.QtGui import QFontMetricsF, QResizeEvent
from PySide6.QtWidgets import QWidget

from convnext_studio.ui.plots.canvas.projection import MARGIN_PX
from convnext_studio.ui.plots.image_view import ImageView
from convnext_studio.ui.plots.scene import Scene


class ArrangedView(ImageView):
    """A view of what is arranged anew whenever its size, its font or the theme changes.

    A unit of its scene is a logical pixel while everything is shown. What a user has zoomed into keeps its
    arrangement.
    """

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._room = 1.0, 1.0
        self.setAccessibleName(name)

    def arrange(self, width: float, height: float) -> Scene | None:
        """Return the scene for a room of this size; None if there is nothing to show."""
        raise NotImplementedError

    @property
    def metrics(self) -> QFontMetricsF:
        """The metrics of the texts."""
        return QFontMetricsF(self.font())

    def show_arranged(self) -> None:
        """Arrange and show what there is now."""
        if self.is_fitted:
            self._room = max(self.width() - 2.0 * MARGIN_PX, 1), max(self.height() - 2.0 * MARGIN_PX, 1)
        self.set_scene(self.arrange(*self._room))

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Arrange for the new size, unless the user has zoomed."""
        super().resizeEvent(event)
        if self.is_fitted:
            self.show_arranged()

    def changeEvent(self, event: QEvent) -> None:
        """Follow changes of theme and font, and dim the view while it is disabled."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.EnabledChange:
            self.set_dimmed(not self.isEnabled())
        elif event.type() in (QEvent.Type.FontChange, QEvent.Type.PaletteChange):
            # Deferred, because the scene's items must not change while Qt is notifying them.
            QTimer.singleShot(0, self, self.show_arranged)
