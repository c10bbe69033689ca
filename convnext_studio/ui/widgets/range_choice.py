"""A control for the range of a colour scale: all values, most of them, or those between two numbers."""

from collections.abc import Sequence

from PySide6.QtCore import QLocale, Signal
from PySide6.QtGui import QDoubleValidator
from PySide6.QtWidgets import QDoubleSpinBox, QHBoxLayout, QLineEdit, QWidget

from convnext_studio.render import Limits, Range, RangeKind, format_number
from convnext_studio.ui.widgets.choices import WordedBox
from convnext_studio.ui.widgets.control_values import KEPT
from convnext_studio.ui.widgets.elided_label import PlainLabel, plain_tip
from convnext_studio.ui.widgets.text_size import limit_width

_TITLES: dict[RangeKind, str] = {
    "data": "All values",
    "percentile": "Percentile",
    "symmetric": "Symmetric",
    "hand": "By hand",
}
_TIP = (
    "The range of the colour scale: all values, all but extreme values, symmetric about 0, or "
    "between two numbers. Values beyond get the colour of that end, which the colour bar marks"
)


class RangeChoice(QWidget):
    """A list of range kinds, next to the controls that the chosen kind needs.

    Parameters
    ----------
    kinds
        The kinds to offer; the first is selected initially.

    Attributes
    ----------
    kind, percentile, low, high, problem
        The controls, and the message that the two numbers are in the wrong order.
    """

    changed = Signal()

    def __init__(self, kinds: Sequence[RangeKind], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._before: tuple[RangeKind, str, str] | None = None
        self.kind = WordedBox("Range")
        self.kind.setAccessibleName("Range")
        self.kind.setToolTip(_TIP)
        for kind in kinds:
            self.kind.addItem(_TITLES[kind], kind)
        self.percentile = QDoubleSpinBox()
        self.percentile.setRange(50, 100)
        self.percentile.setDecimals(1)
        self.percentile.setSingleStep(0.5)
        self.percentile.setValue(99)
        self.percentile.setPrefix("at ")
        self.percentile.setSuffix(" %")
        self.percentile.setKeyboardTracking(False)
        self.percentile.setAccessibleName("Percentile")
        self.percentile.setToolTip("Percentage of the values below the end of the scale")
        self.low, self.high = _edit("Lowest value"), _edit("Highest value")
        self.low.setPlaceholderText("lowest")
        self.high.setPlaceholderText("highest")
        self._to = PlainLabel("to")
        self.problem = PlainLabel("The first number must be the smaller one.")
        self.problem.setProperty("problem", True)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(4)
        for part in (self.kind, self.percentile, self.low, self._to, self.high, self.problem):
            row.addWidget(part)
        row.addStretch()
        self.kind.currentIndexChanged.connect(self._tell)
        self.percentile.valueChanged.connect(self._tell)
        for edit in (self.low, self.high):
            edit.editingFinished.connect(self._tell)
        self._show_needed()

    @property
    def value(self) -> Range:
        """The chosen range."""
        kind: RangeKind = self.kind.currentData()
        return Range(kind, self.percentile.value(), self._hand())

    def choose(self, kind: str) -> None:
        """Choose a kind of range."""
        self.kind.setCurrentIndex(self.kind.findData(kind))
        self._show_needed()

    def take(self, limits: Limits) -> None:
        """Choose these limits by hand, as someone does who drags an end of the colour bar."""
        if self._before is None:
            self._before = (self.value.kind, self.low.text(), self.high.text())
        was_blocked = self.kind.blockSignals(True)
        self.choose("hand")
        self.kind.blockSignals(was_blocked)
        self.low.setText(f"{limits.low:.6g}")
        self.high.setText(f"{limits.high:.6g}")
        self._tell()

    def restore(self) -> None:
        """Choose what was chosen before the first `take`; do nothing if there was none."""
        if self._before is None:
            return
        (kind, low, high), self._before = self._before, None
        was_blocked = self.kind.blockSignals(True)
        self.choose(kind)
        self.kind.blockSignals(was_blocked)
        self.low.setText(low)
        self.high.setText(high)
        self._tell()

    def propose(self, limits: Limits) -> None:
        """Fill in two initial numbers if they are needed and both fields are empty."""
        if self.value.kind == "hand" and not self.low.text() and not self.high.text():
            self.low.setText(format_number(limits.low))
            self.high.setText(format_number(limits.high))
            self._tell()

    def _hand(self) -> Limits | None:
        try:
            return Limits(float(self.low.text()), float(self.high.text()))
        except ValueError:
            return None

    def _tell(self) -> None:
        self._show_needed()
        self.changed.emit()

    def _show_needed(self) -> None:
        kind = self.kind.currentData()
        self.percentile.setVisible(kind == "percentile")
        for part in (self.low, self._to, self.high):
            part.setVisible(kind == "hand")
        are_given = bool(self.low.text() and self.high.text())
        self.problem.setVisible(kind == "hand" and are_given and self._hand() is None)


def _edit(name: str) -> QLineEdit:
    edit = QLineEdit()
    validator = QDoubleValidator(edit)
    validator.setLocale(QLocale.c())  # The number format that Python reads and the colour bar shows.
    edit.setValidator(validator)
    edit.setAccessibleName(name)
    edit.setToolTip(plain_tip(f"{name} of the colour scale; values beyond it get the colour of that end"))
    limit_width(edit, "-0.00000000")
    edit.setProperty(KEPT, True)
    return edit
