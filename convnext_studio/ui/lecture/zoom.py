"""A double-click in a view, wherever in it, but on its controls."""

from PySide6.QtCore import QEvent, QObject, Signal
from PySide6.QtWidgets import QAbstractButton, QAbstractSlider, QAbstractSpinBox, QComboBox, QLineEdit, QWidget

_CONTROLS = (QAbstractButton, QAbstractSlider, QAbstractSpinBox, QComboBox, QLineEdit)


class DoubleClicks(QObject):
    """Watches a view and what is in it; a view of maps would take the double-click to fit itself."""

    happened = Signal()

    def watch(self, view: QWidget) -> None:
        """Watch a view, once."""
        for widget in (view, *view.findChildren(QWidget)):
            # Installed twice, a filter moves to the front and is still called once.
            widget.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Take double-clicks, and nothing else."""
        if event.type() != QEvent.Type.MouseButtonDblClick or isinstance(watched, _CONTROLS):
            return False
        self.happened.emit()
        return True
