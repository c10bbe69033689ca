"""Can the map be believed? Three ways to ask, one behind the other."""

from PySide6.QtCore import QSize
from PySide6.QtWidgets import QTabWidget, QVBoxLayout, QWidget

from convnext_studio.ui.bridge import EngineBridge
from convnext_studio.ui.panels.evidence_agreement import AgreementPanel
from convnext_studio.ui.panels.evidence_curves import CurvesPanel
from convnext_studio.ui.panels.evidence_sanity import SanityPanel
from convnext_studio.ui.state import AppState


class EvidencePanels(QWidget):
    """Insertion and deletion, sanity, agreement. What cannot be seen measures nothing."""

    title = "Evidence"

    def __init__(self, state: AppState, bridge: EngineBridge, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.curves = CurvesPanel(state, bridge)
        self.sanity = SanityPanel(state, bridge)
        self.agreement = AgreementPanel(state, bridge)
        self.tabs = QTabWidget()
        self.tabs.setAccessibleName("Evidence")
        self.tabs.setAccessibleDescription("Ctrl+Tab or the arrow keys change the page")
        self.tabs.setDocumentMode(True)
        for panel in (self.curves, self.sanity, self.agreement):
            self.tabs.addTab(panel, panel.title)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.tabs)
        self.setFocusProxy(self.tabs)

    @property
    def is_settled(self) -> bool:
        """Whether the measurement that can be seen is there, or will not come."""
        return all(panel.is_settled for panel in (self.curves, self.sanity, self.agreement))

    def sizeHint(self) -> QSize:
        """Wide enough for the curves and their numbers."""
        return QSize(520, 560)

    def minimumSizeHint(self) -> QSize:
        """Less would be curves without numbers."""
        return QSize(self.fontMetrics().averageCharWidth() * 60, super().minimumSizeHint().height())
