"""Change the network by a form, and find out which of its parts matter."""

from PySide6.QtCore import QSize
from PySide6.QtWidgets import QTabWidget, QVBoxLayout, QWidget

from convnext_studio.ui.panels.interventions.change_form import ChangeForm
from convnext_studio.ui.panels.interventions.ranking_panel import RankingPanel
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge


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
