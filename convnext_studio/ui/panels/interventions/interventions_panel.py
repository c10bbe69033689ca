"""Change the network by a form, and find out which of its parts matter."""

import re

from PySide6.QtCore import QSize, Signal
from PySide6.QtWidgets import (
    QComboBox,
    QDoubleSpinBox,
    QFormLayout,
    QLineEdit,
    QPushButton,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from convnext_studio.common.errors import StudioError
from convnext_studio.common.interventions import HIGHEST_FACTOR, LOWEST_FACTOR, Change, Effect, Region
from convnext_studio.ui.panels.base import choice, plain_label
from convnext_studio.ui.panels.interventions.change_texts import EFFECT_TIPS, EFFECTS
from convnext_studio.ui.panels.interventions.ranking_panel import RankingPanel
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.widgets.elided_label import plain_tip

_RUN = re.compile(r"\s*(\d+)\s*(?:[-–]\s*(\d+)\s*)?")


def read_numbers(text: str) -> tuple[int, ...]:
    """Read numbers and runs such as ``3, 7-9``; none for an empty text.

    Raises
    ------
    StudioError
        If it is something else.
    """
    numbers: set[int] = set()
    for part in filter(None, (part.strip() for part in text.split(","))):
        first, last = _run(part)
        numbers.update(range(first, last + 1))
    return tuple(sorted(numbers))


def read_region(text: str) -> Region | None:
    """Read rows and columns such as ``0-3, 5``; None for an empty text.

    Raises
    ------
    StudioError
        If it is something else.
    """
    parts = [part for part in text.split(",") if part.strip()]
    if not parts:
        return None
    if len(parts) != 2:
        raise StudioError("Positions are rows and columns, such as 0-3, 5.")
    (top, bottom), (left, right) = (_run(part) for part in parts)
    return Region(top, left, bottom + 1, right + 1)


def _run(part: str) -> tuple[int, int]:
    found = _RUN.fullmatch(part)
    if found is None:
        raise StudioError(f"“{part.strip()}” is no number and no run such as 7-9.")
    first, last = int(found[1]), int(found[2] or found[1])
    if not first <= last < 1 << 20:
        raise StudioError(f"“{part.strip()}” does not run upwards.")
    return first, last


class ChangeForm(QWidget):
    """Describes a change of the selected node; the button appends it to the chain."""

    added = Signal(object)  # Change

    def __init__(self, state: AppState, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._state = state
        self.node = plain_label()
        self.branch = choice(
            "Part of the block",
            "Change what the branch of the block adds, or the whole output of the block",
            [("its branch", True), ("its whole output", False)],
            word="",
        )
        self.channels = _line("Channels", "all", "Numbers from 0, such as 3, 7-9; empty for all channels")
        self.positions = _line(
            "Positions", "all", "Rows and columns from 0, such as 0-3, 5; empty for all positions"
        )
        self.effect = choice("Effect", "\n".join(EFFECT_TIPS.values()), [], word="")
        for effect, text in EFFECTS.items():
            self.effect.addItem(text, effect)
        self.factor = QDoubleSpinBox()
        self.factor.setRange(LOWEST_FACTOR, HIGHEST_FACTOR)
        self.factor.setSingleStep(0.25)
        self.factor.setValue(0.5)
        self.factor.setAccessibleName("Factor")
        self.factor.setToolTip("What the values are multiplied by")
        self.picture = QComboBox()
        self.picture.setAccessibleName("Picture to take the values from")
        self.picture.setToolTip("The open picture from which the values are taken")
        self.problem = plain_label("problem")
        self.problem.hide()
        self.add = QPushButton("Change it")
        self.add.setToolTip("Make this change in all views")
        self.add.clicked.connect(self._add)
        layout = QFormLayout(self)
        layout.setContentsMargins(6, 4, 6, 4)
        layout.setVerticalSpacing(3)
        layout.addRow("Node", self.node)
        layout.addRow("Of the block", self.branch)
        layout.addRow("Channels", self.channels)
        layout.addRow("Positions", self.positions)
        layout.addRow("Effect", self.effect)
        layout.addRow("Factor", self.factor)
        layout.addRow("Picture", self.picture)
        layout.addRow(self.problem)
        layout.addRow(self.add)
        self._form = layout
        for line in (self.channels, self.positions):
            line.returnPressed.connect(self._add)
        self.effect.currentIndexChanged.connect(self._follow)
        for signal in (state.node_selected, state.model_loaded, state.opened.changed, state.awaited.changed):
            signal.connect(self._follow)
        self._follow()

    def _follow(self, _changed: object = None) -> None:
        model, effect = self._state.model, self.effect.currentData()
        node = None if model is None else model.node(self._state.node)
        self.node.setText(self._state.awaited.why_no_model if node is None else node.title)
        self.add.setEnabled(node is not None)
        self._form.setRowVisible(self.branch, node is not None and node.kind == "block")
        self._form.setRowVisible(self.positions, node is not None and node.has_positions)
        self._form.setRowVisible(self.factor, effect == "factor")
        self._form.setRowVisible(self.picture, effect == "patch")
        listed = [(each.name, each.key) for each in self._state.opened.all]
        if listed != [
            (self.picture.itemText(row), self.picture.itemData(row)) for row in range(self.picture.count())
        ]:
            self.picture.clear()
            for name, key in listed:
                self.picture.addItem(name, key)

    def change(self) -> Change:
        """Return the change that the form describes.

        Raises
        ------
        StudioError
            If a field cannot be read, or the change does not make sense.
        """
        model, effect = self._state.model, self.effect.currentData()
        node = self._state.node
        is_block = model is not None and model.node(node).kind == "block"
        made = Change(
            node=node,
            effect=_effect(effect),
            channels=read_numbers(self.channels.text()),
            region=read_region(self.positions.text()),
            branch=is_block and bool(self.branch.currentData()),
            factor=self.factor.value() if effect == "factor" else 1.0,
            picture=str(self.picture.currentData() or "") if effect == "patch" else "",
        )
        made.check()
        return made

    def _add(self) -> None:
        try:
            made = self.change()
        except StudioError as error:
            self.problem.setText(f"{error.message} {error.hint}".rstrip())
            self.problem.show()
        else:
            self.problem.hide()
            self.added.emit(made)


def _effect(value: object) -> Effect:
    return next(effect for effect in EFFECTS if effect == value)


def _line(name: str, placeholder: str, tip: str) -> QLineEdit:
    line = QLineEdit()
    line.setAccessibleName(name)
    line.setPlaceholderText(placeholder)
    line.setToolTip(plain_tip(tip))
    return line


class InterventionsPanels(QWidget):
    """Two pages: which parts matter, and a form for any change."""

    title = "Interventions"

    def __init__(self, state: AppState, bridge: EngineBridge, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.ranking = RankingPanel(state, bridge)
        self.form = ChangeForm(state)
        self.form.added.connect(state.interventions.add)
        self.tabs = QTabWidget()
        self.tabs.setAccessibleName("Interventions")
        self.tabs.setAccessibleDescription("Ctrl+Tab or the arrow keys change the page")
        self.tabs.setDocumentMode(True)
        self.tabs.addTab(self.ranking, self.ranking.title)
        self.tabs.addTab(_at_top(self.form), "Any change")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.tabs)
        self.setFocusProxy(self.tabs)

    @property
    def is_settled(self) -> bool:
        """Whether the ranking is complete, or cannot be seen."""
        return self.ranking.is_settled

    def sizeHint(self) -> QSize:
        """Make room for some rows of the ranking."""
        return QSize(420, 480)


def _at_top(form: QWidget) -> QWidget:
    page = QWidget()
    layout = QVBoxLayout(page)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.addWidget(form)
    layout.addStretch(1)
    return page
