"""What a method can be told, in a form made from the method's own table of parameters."""

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QComboBox, QDoubleSpinBox, QSpinBox, QWidget

from convnext_studio.engine.messages import Method, Parameter, Value
from convnext_studio.ui.panels.base import choice
from convnext_studio.ui.popup import PopupButton

Field = QComboBox | QSpinBox | QDoubleSpinBox


class ParameterButton(PopupButton):
    """Opens the form of the method's parameters; hidden where it has none."""

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("More…", "What the method can be told: steps, windows, seeds", parent)
        self.setAccessibleName("Parameters of the method")
        self._method: Method | None = None
        self._given: dict[str, dict[str, Value]] = {}
        self.fields: dict[str, Field] = {}
        self.hide()

    def show_method(self, method: Method) -> None:
        """Offer another method's parameters, as they were left."""
        if method is self._method:
            return
        self._method = method
        self.clear()
        given = self._given.get(method.name, {})
        self.fields = {
            parameter.name: self._field(parameter, given.get(parameter.name, parameter.default))
            for parameter in method.parameters
        }
        for parameter in method.parameters:
            self.add_row(parameter.title, self.fields[parameter.name])
        self.setVisible(bool(method.parameters))

    @property
    def given(self) -> tuple[tuple[str, Value], ...]:
        """What differs from the defaults."""
        if self._method is None:
            return ()
        values = self._given.get(self._method.name, {})
        return tuple(
            (parameter.name, values[parameter.name])
            for parameter in self._method.parameters
            if values.get(parameter.name, parameter.default) != parameter.default
        )

    def _field(self, parameter: Parameter, value: Value) -> Field:
        if isinstance(value, str):
            texts = [(text.capitalize(), text) for text in parameter.choices]
            box = choice(parameter.title, parameter.sentence, texts)
            box.setCurrentIndex(box.findData(value))
            box.currentIndexChanged.connect(lambda _: self._take(parameter, str(box.currentData())))
            return box
        spin: QSpinBox | QDoubleSpinBox
        if isinstance(parameter.default, int):
            spin = QSpinBox()
            spin.setRange(int(parameter.low), int(parameter.high))
            spin.setValue(int(value))
        else:
            spin = QDoubleSpinBox()
            spin.setDecimals(2)
            spin.setSingleStep((parameter.high - parameter.low) / 20)
            spin.setRange(parameter.low, parameter.high)
            spin.setValue(float(value))
        spin.setKeyboardTracking(False)  # A number half typed is not meant yet.
        spin.setAccessibleName(parameter.title)
        spin.setToolTip(f"{parameter.sentence} From {parameter.low:g} to {parameter.high:g}")
        spin.valueChanged.connect(lambda number: self._take(parameter, number))
        return spin

    def _take(self, parameter: Parameter, value: Value) -> None:
        if self._method is not None:
            self._given.setdefault(self._method.name, {})[parameter.name] = value
            self.changed.emit()
