"""The row above an attribution: the method, what it can be told, its look, and where to go from here."""

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QProgressBar, QPushButton, QToolButton, QWidget

from convnext_studio.engine.messages import METHODS, Method, method_named
from convnext_studio.ui.panels.attribution_look import LookButton
from convnext_studio.ui.panels.attribution_options import ParameterButton
from convnext_studio.ui.panels.base import choice
from convnext_studio.ui.textsize import follow_text, scaled_px


class AttributionBar(QWidget):
    """Method and parameters emit `changed`; progress and Stop are there while a long method runs."""

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._list = choice("Method", "", [(method.title, method.name) for method in METHODS])
        for index, method in enumerate(METHODS):
            self._list.setItemData(index, about(method), Qt.ItemDataRole.ToolTipRole)
        self.parameters = ParameterButton()
        self.look = LookButton()
        self.evidence = _button("Evidence", "Can this map be believed? Measure it, and see")
        self.sheet = _button("Sheet", "This method on all opened pictures, as a contact sheet")
        self.save = _button("Save…", "Save this map: its numbers (.npy, .json) and its figure (.png)")
        self.progress = QProgressBar()
        follow_text(self.progress, lambda: self.progress.setFixedSize(scaled_px(56), scaled_px(10)))
        self.progress.setTextVisible(False)
        self.progress.setAccessibleName("Progress of the map")
        self.progress.setToolTip("Progress of the map")
        self.stop = QPushButton("Stop")
        self.stop.setToolTip("Stop computing this map, and keep what is there (Esc)")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        for control in (
            self._list,
            self.parameters,
            self.look,
            self.evidence,
            self.sheet,
            self.save,
            self.progress,
            self.stop,
        ):
            layout.addWidget(control)
        layout.addStretch()
        self._list.currentIndexChanged.connect(self._method_chosen)
        self.parameters.changed.connect(self.changed)
        self._explain_method()
        self.show_progress(None)

    @property
    def method(self) -> Method:
        """The method chosen."""
        return method_named(str(self._list.currentData()))

    def choose_method(self, name: str) -> None:
        """Choose a method by its name in requests."""
        self._list.setCurrentIndex(self._list.findData(name))

    def show_progress(self, done_of: tuple[int, int] | None) -> None:
        """Show how much of how much is done, and a way to stop; None where nothing runs."""
        self.progress.setVisible(done_of is not None)
        self.stop.setVisible(done_of is not None)
        if done_of is not None:
            done, total = done_of
            self.progress.setRange(0, total)
            self.progress.setValue(done)

    def _method_chosen(self) -> None:
        self._explain_method()
        self.changed.emit()

    def _explain_method(self) -> None:
        self._list.setToolTip(about(self.method))
        self.parameters.show_method(self.method)


def about(method: Method) -> str:
    """What a method does, and where it comes from."""
    return f"{method.sentence} {method.source}"


def _button(text: str, tip: str) -> QToolButton:
    button = QToolButton()
    button.setText(text)
    button.setToolTip(tip)
    button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    return button
