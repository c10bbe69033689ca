"""Open a second network beside the first, and compare their nodes and their weights."""

from collections.abc import Callable, Iterable

from PySide6.QtCore import QSize, Signal
from PySide6.QtWidgets import QTabWidget, QVBoxLayout, QWidget

from convnext_studio.ui.panels.comparison.cka_panel import CkaPanel
from convnext_studio.ui.panels.comparison.opening_box import OpeningBox
from convnext_studio.ui.panels.comparison.weights_panel import WeightsPanel
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.state.opening.second_opener import SecondOpener


class ComparisonPanels(QWidget):
    """The dock's controls for the second network, and tabs with what compares the networks as a whole."""

    title = "Two networks"
    search_asked = Signal(str)

    def __init__(
        self,
        state: AppState,
        bridge: EngineBridge,
        opener: SecondOpener,
        recent: Callable[[], Iterable[str]],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.opening = OpeningBox(state, opener, recent)
        self.opening.search_asked.connect(self.search_asked)
        self.similarity = CkaPanel(state, bridge)
        self.weights = WeightsPanel(state, bridge)
        self.tabs = QTabWidget()
        self.tabs.setAccessibleName("Two networks")
        self.tabs.setAccessibleDescription("Ctrl+Tab or the arrow keys change the page")
        self.tabs.setDocumentMode(True)
        for panel in (self.similarity, self.weights):
            self.tabs.addTab(panel, panel.title)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(self.opening)
        layout.addWidget(self.tabs, 1)
        self.setFocusProxy(self.opening.source)

    @property
    def is_settled(self) -> bool:
        """Whether the comparison that is visible is complete, or none is expected."""
        return all(panel.is_settled for panel in (self.similarity, self.weights))

    def sizeHint(self) -> QSize:
        """Make room for the matrix."""
        return QSize(460, 560)
