"""Read and set the values of all controls of a panel, by name."""

from collections import Counter
from collections.abc import Iterator, Mapping

from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractSlider,
    QComboBox,
    QDoubleSpinBox,
    QLineEdit,
    QScrollBar,
    QSpinBox,
    QWidget,
)
from shiboken6 import isValid

Value = bool | int | float | str


KEPT = "is_kept"
"""The property of a line of text that is a choice as any other, and not a search or a path."""
_KINDS = (QComboBox, QAbstractSlider, QSpinBox, QDoubleSpinBox, QAbstractButton, QLineEdit)


def control_values(panel: QWidget) -> dict[str, Value]:
    """Return the values of a panel's controls by accessible name; a second one of a name is “… 2”."""
    return {name: value for name, control in _controls(panel) if (value := _value(control)) is not None}


def set_controls(panel: QWidget, values: Mapping[str, Value]) -> None:
    """Set the controls of a panel to saved values; skip those that are missing or do not accept their value.

    This is done twice, because one choice may add other controls, as a method does for its parameters.
    """
    for _ in range(2 if values else 0):
        for name, control in _controls(panel):
            if name in values and values[name] != _value(control):
                _set(control, values[name])


def _controls(panel: QWidget) -> Iterator[tuple[str, QWidget]]:
    met: Counter[str] = Counter()
    for control in panel.findChildren(QWidget):
        if not isValid(control):  # Setting an earlier control has removed this one.
            continue
        name = control.accessibleName()
        if isinstance(control, _KINDS) and not isinstance(control, QScrollBar) and name:
            met[name] += 1
            yield name if met[name] == 1 else f"{name} {met[name]}", control


def _value(control: QWidget) -> Value | None:
    match control:
        case QComboBox():
            return control.currentText() if not control.isEditable() and control.count() else None
        case QAbstractSlider() | QSpinBox() | QDoubleSpinBox():
            return control.value()
        case QAbstractButton():
            return control.isChecked() if control.isCheckable() else None
        case QLineEdit():
            return control.text() if control.property(KEPT) else None
    return None


def _set(control: QWidget, value: Value) -> None:
    match control, value:
        case QComboBox(), str() if (index := control.findText(value)) >= 0:
            control.setCurrentIndex(index)
        case QAbstractButton(), bool() if control.isCheckable() and (value or not control.autoExclusive()):
            control.setChecked(value)
        case ((QAbstractSlider() | QSpinBox()), int()) if not isinstance(value, bool):
            control.setValue(max(min(value, control.maximum()), control.minimum()))
        case QLineEdit(), str() if control.property(KEPT):
            control.setText(value)
            control.editingFinished.emit()
        case QDoubleSpinBox(), int() | float() if not isinstance(value, bool):
            control.setValue(value)
