"""The line above the drawing: where one is, the numbers of what is selected, and the choice of the costs."""

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QToolButton, QWidget

from convnext_studio.ui.oneline import OneLine
from convnext_studio.ui.panels.base import choice, random_badge
from convnext_studio.ui.panels.strip_costs import COST_KINDS, COST_TITLES, CostKind
from convnext_studio.ui.panels.strip_levels import NETWORK

_DEEPEST = 4  # network, stage, block, operation


class StripHeader(QWidget):
    """Breadcrumb, numbers, mark of random weights, legend, and what the bars count."""

    level_chosen = Signal(str)  # name of what is to be opened; empty for the network
    costs_chosen = Signal(str)  # CostKind

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._names = [NETWORK]
        self.crumbs = [self._crumb(index) for index in range(_DEEPEST)]
        self._arrows = [QLabel("›") for _ in self.crumbs[1:]]
        self.numbers = OneLine()
        self.numbers.setAccessibleName("Numbers of the selected node")
        self.badge = random_badge()
        self.legend = QLabel()
        self.legend.setProperty("muted", True)
        self.costs = choice(
            "Costs",
            "What the bars below the nodes count; a full bar is the largest of those shown",
            [(COST_TITLES[kind], kind) for kind in COST_KINDS],
        )
        self.costs.currentIndexChanged.connect(lambda _index: self.costs_chosen.emit(self.cost_kind))
        layout = QHBoxLayout(self)
        layout.setContentsMargins(4, 2, 6, 0)
        layout.setSpacing(2)
        for arrow, crumb in zip([None, *self._arrows], self.crumbs, strict=True):
            if arrow is not None:
                layout.addWidget(arrow)
            layout.addWidget(crumb)
        layout.addSpacing(12)
        layout.addWidget(self.numbers, 1)
        layout.addSpacing(12)
        layout.addWidget(self.badge)
        layout.addSpacing(4)
        layout.addWidget(self.legend)
        layout.addSpacing(4)
        layout.addWidget(self.costs)
        self.show_path(["Network"], [NETWORK])

    def _crumb(self, index: int) -> QToolButton:
        crumb = QToolButton()
        crumb.setAutoRaise(True)
        crumb.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        crumb.setToolTip("Go back to this level")
        crumb.clicked.connect(lambda: self.level_chosen.emit(self._names[index]))
        return crumb

    @property
    def cost_kind(self) -> CostKind:
        """What the bars count."""
        return COST_KINDS[self.costs.currentIndex()]

    def show_path(self, titles: list[str], names: list[str]) -> None:
        """Say where one is, from the network inwards."""
        self._names = names
        for index, crumb in enumerate(self.crumbs):
            is_used = index < len(titles)
            crumb.setText(titles[index] if is_used else "")
            crumb.setAccessibleName(f"Go to {crumb.text()}" if is_used else "No such level")
            crumb.setVisible(is_used)
            if index:
                self._arrows[index - 1].setVisible(is_used)

    def show_numbers(self, text: str) -> None:
        """Say what is known of the selected node."""
        self.numbers.setText(text)
        self.numbers.setToolTip(text)

    def choose_costs(self, kind: str) -> None:
        """Let the bars count something else."""
        self.costs.setCurrentIndex(COST_KINDS.index(kind))
