"""A form that scrolls up and down only."""

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtWidgets import QFrame, QScrollArea, QWidget


class UpDownArea(QScrollArea):
    """As wide as its content at least, whatever the size of its text."""

    def __init__(self, content: QWidget, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._content = content
        self.setWidget(content)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._follow()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Hear that the content wants another size."""
        if event.type() == QEvent.Type.LayoutRequest and watched is self._content:
            self._follow()
        return super().eventFilter(watched, event)

    def _follow(self) -> None:
        self.setMinimumWidth(
            self._content.minimumSizeHint().width() + self.verticalScrollBar().sizeHint().width()
        )
