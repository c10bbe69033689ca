"""Controls for the fields of a config: each has a value, and says when it changed."""

import math
from collections.abc import Mapping

from PySide6.QtCore import QEvent, QObject, Qt, Signal
from PySide6.QtWidgets import (
    QAbstractSpinBox,
    QCheckBox,
    QComboBox,
    QHBoxLayout,
    QLineEdit,
    QSpinBox,
    QWidget,
)

from convnext_studio.ui.textsize import keep_room, limit_width

Value = int | float | str | bool | tuple[int, ...]
MOST_STAGES = 4


class Field(QWidget):
    """A value that a person can change.

    Parameters
    ----------
    name, tip
        For screen readers, and what it means.
    """

    changed = Signal()

    def __init__(self, name: str, tip: str) -> None:
        super().__init__()
        self._name, self._tip = name, tip
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(0, 0, 0, 0)
        self._row.setSpacing(3)

    @property
    def value(self) -> Value:
        """What stands there now, right or wrong."""
        raise NotImplementedError

    def set_value(self, value: Value) -> None:
        """Put something there; `changed` says so once where it is different."""
        raise NotImplementedError

    def set_stage_count(self, count: int) -> None:
        """The network has that many stages."""

    def _add(self, control: QWidget, name: str = "", tip: str = "", stretch: int = 0) -> None:
        control.setAccessibleName(name or self._name)
        control.setToolTip(tip or self._tip)
        control.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        control.installEventFilter(_WheelGuard(control))
        self._row.addWidget(control, stretch)
        if self.focusProxy() is None:
            self.setFocusProxy(control)


class _WheelGuard(QObject):
    """The wheel scrolls the form, and changes only what the person is at."""

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Leave the wheel to the scroll area."""
        if event.type() is QEvent.Type.Wheel and isinstance(watched, QWidget) and not watched.hasFocus():
            event.ignore()
            return True
        return False


class WholeNumber(Field):
    """A count or a size. Also 0 can be typed, so that it can be said what is wrong with it."""

    def __init__(self, name: str, tip: str, largest: int, unit: str = "") -> None:
        super().__init__(name, tip)
        self._box = _whole_box(largest)
        self._box.setSuffix(unit)
        self._box.valueChanged.connect(self.changed)
        self._add(self._box)
        self._row.addStretch()

    @property
    def value(self) -> int:
        """The number."""
        return self._box.value()

    def set_value(self, value: Value) -> None:
        """Put a whole number there."""
        assert isinstance(value, int)
        self._box.setValue(value)


class Number(Field):
    """A number with any digits, as it is typed; NaN where it is none."""

    def __init__(self, name: str, tip: str) -> None:
        super().__init__(name, tip)
        self._line = QLineEdit()
        self._line.setAcceptDrops(False)  # The window takes them.
        limit_width(self._line, "0.000000001")
        self._line.textChanged.connect(self.changed)
        self._add(self._line)
        self._row.addStretch()

    @property
    def value(self) -> float:
        """The number; infinity is none."""
        try:
            number = float(self._line.text())
        except ValueError:
            return math.nan
        return number if math.isfinite(number) else math.nan

    def set_value(self, value: Value) -> None:
        """Put a number there."""
        assert isinstance(value, int | float)
        if self.value != value:
            self._line.setText(f"{value:g}" if float(f"{value:g}") == value else repr(value))


class Choice(Field):
    """One of several words."""

    def __init__(self, name: str, tip: str, texts: Mapping[str, str]) -> None:
        super().__init__(name, tip)
        self._box = QComboBox()
        for value, text in texts.items():
            self._box.addItem(text, value)
        self._box.currentIndexChanged.connect(self.changed)
        self._add(self._box)
        self._row.addStretch()

    @property
    def value(self) -> str:
        """The word that the config knows."""
        return str(self._box.currentData())

    def set_value(self, value: Value) -> None:
        """Choose a word."""
        self._box.setCurrentIndex(self._box.findData(value))


class Switch(Field):
    """Yes or no."""

    def __init__(self, name: str, tip: str, text: str) -> None:
        super().__init__(name, tip)
        self._box = QCheckBox(text)
        self._box.toggled.connect(self.changed)
        self._add(self._box)
        self._row.addStretch()

    @property
    def value(self) -> bool:
        """Whether it is on."""
        return self._box.isChecked()

    def set_value(self, value: Value) -> None:
        """Turn it on or off."""
        self._box.setChecked(bool(value))


class PerStage(Field):
    """A whole number for each stage."""

    def __init__(self, name: str, tip: str, largest: int) -> None:
        super().__init__(name, tip)
        self._count = MOST_STAGES
        self._boxes = [_whole_box(largest) for _ in range(MOST_STAGES)]
        for number, box in enumerate(self._boxes, start=1):
            # Four beside each other have no room for arrows; the arrow keys work.
            box.setButtonSymbols(QAbstractSpinBox.ButtonSymbols.NoButtons)
            keep_room(box, "0000", 8)
            box.valueChanged.connect(self.changed)
            self._add(box, f"{name} of stage {number}", f"Stage {number}: {tip}", stretch=1)

    @property
    def value(self) -> Value:
        """A number for each stage."""
        return tuple(box.value() for box in self._boxes[: self._count])

    def set_value(self, value: Value) -> None:
        """Put a number for each stage there; `changed` says so once."""
        assert isinstance(value, tuple)
        before = self.value
        blocked = self.blockSignals(True)
        for box, number in zip(self._boxes, value, strict=False):
            box.setValue(number)
        self.blockSignals(blocked)
        if self.value != before:
            self.changed.emit()

    def set_stage_count(self, count: int) -> None:
        """Show as many as there are stages."""
        if count == self._count:
            return
        self._count = count
        for index, box in enumerate(self._boxes):
            box.setVisible(index < count)
        self.changed.emit()


class KernelSizes(PerStage):
    """Side of the kernels: one for all stages, or one for each."""

    def __init__(self, name: str, tip: str, largest: int) -> None:
        super().__init__(name, tip, largest)
        for box in self._boxes:
            box.setSingleStep(2)
        self._same = QCheckBox("all")
        self._same.toggled.connect(self._follow_same)
        self._boxes[0].valueChanged.connect(self._copy_first)
        self._add(self._same, f"{name} the same in all stages", "The same kernel size in all stages")

    @property
    def value(self) -> Value:
        """One number where they are the same, else one for each stage."""
        sizes = super().value
        assert isinstance(sizes, tuple)
        return sizes[0] if len(set(sizes)) == 1 else sizes

    def set_value(self, value: Value) -> None:
        """Put one number, or one for each stage, there."""
        self._same.setChecked(isinstance(value, int))
        super().set_value((value,) * MOST_STAGES if isinstance(value, int) else value)

    def set_stage_count(self, count: int) -> None:
        """Show as many as there are stages; a single one is the same everywhere."""
        self._same.setVisible(count > 1)
        super().set_stage_count(count)

    def _follow_same(self, is_same: bool) -> None:
        for box in self._boxes[1:]:
            box.setEnabled(not is_same)
        self._copy_first(self._boxes[0].value())

    def _copy_first(self, size: int) -> None:
        if self._same.isChecked():
            for box in self._boxes[1:]:
                box.setValue(size)


class LayerScale(Field):
    """Whether there is a layer scale, and its initial value."""

    _USUAL = "1e-06"

    def __init__(self, name: str, tip: str) -> None:
        super().__init__(name, tip)
        self._box = QCheckBox("starts at")
        self._number = Number(f"{name}, initial value", tip)
        self._number.set_value(float(self._USUAL))
        self._box.toggled.connect(self._number.setEnabled)
        self._box.toggled.connect(self.changed)
        self._number.changed.connect(self.changed)
        self._number.setEnabled(False)
        self._add(self._box)
        self._row.addWidget(self._number, 1)

    @property
    def value(self) -> float:
        """The initial value; 0 for no layer scale."""
        return self._number.value if self._box.isChecked() else 0.0

    def set_value(self, value: Value) -> None:
        """Put an initial value there, or 0."""
        assert isinstance(value, int | float)
        if value:
            self._number.set_value(value)
        self._box.setChecked(bool(value))


def _whole_box(largest: int) -> QSpinBox:
    box = QSpinBox()
    box.setRange(0, largest)
    box.setAcceptDrops(False)
    return box
