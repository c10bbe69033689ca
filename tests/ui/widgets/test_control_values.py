"""Controls are found by their names, and set as they were."""

from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QLineEdit,
    QPushButton,
    QSlider,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)
from pytestqt.qtbot import QtBot

from convnext_studio.ui.widgets.control_values import control_values, set_controls


def named(control: QWidget, name: str) -> QWidget:
    control.setAccessibleName(name)
    return control


class Form(QWidget):
    """Choosing a method brings its parameter."""

    def __init__(self) -> None:
        super().__init__()
        self.method, self.count = QComboBox(), QSpinBox()
        self.method.addItems(["Grad-CAM", "Occlusion"])
        self.average = QCheckBox("Average")
        self.source = QComboBox(editable=True)
        self.source.addItem("anything")
        self.go = QPushButton("Go")
        self.window_px: QSlider | None = None
        layout = QVBoxLayout(self)
        for control, name in (
            (self.method, "Method"),
            (self.count, "Count"),
            (self.average, "Average"),
            (self.source, "Source"),
            (self.go, "Go"),
            (QLineEdit(), "Text"),
            (QSpinBox(), "Count"),
            (QSpinBox(), ""),
        ):
            layout.addWidget(named(control, name))
        self.method.currentTextChanged.connect(self._bring)

    def _bring(self, method: str) -> None:
        if method == "Occlusion" and self.window_px is None:
            self.window_px = QSlider()
            self.layout().addWidget(named(self.window_px, "Window"))


def test_values_are_found_by_name_and_set_again(qtbot: QtBot) -> None:
    first, second = Form(), Form()
    for form in (first, second):
        qtbot.addWidget(form)
    first.method.setCurrentText("Occlusion")
    first.count.setValue(7)
    first.average.setChecked(True)
    assert first.window_px is not None
    first.window_px.setValue(30)
    values = control_values(first)
    assert values == {
        "Method": "Occlusion",
        "Count": 7,
        "Count 2": 0,
        "Average": True,
        "Window": 30,
    }
    set_controls(second, values)
    assert control_values(second) == values


def test_what_cannot_be_set_is_left_alone(qtbot: QtBot) -> None:
    form = Form()
    qtbot.addWidget(form)
    before = control_values(form)
    set_controls(form, {"Method": "Unknown", "Count": "many", "Average": 3, "Gone": 1, "Go": True})
    assert control_values(form) == before
    set_controls(form, {"Count": 10**6})
    assert form.count.value() == form.count.maximum()
