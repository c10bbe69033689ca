"""The bar above the panels: the network strip, what was changed in it, and the choice between two networks."""

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QMainWindow, QToolBar, QVBoxLayout, QWidget

from convnext_studio.ui.panels.interventions.chips_bar import ChipsBar
from convnext_studio.ui.panels.strip.strip_panel import NetworkStrip
from convnext_studio.ui.shell.actions.spec import TWO_NETWORKS_KEYS
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.state.opening.second_opener import SecondOpener
from convnext_studio.ui.widgets.choices import TwoAnswersChoice
from convnext_studio.ui.widgets.text_size import scaled

_LOW_PX = 520  # For text of 9 points.


class NetworkBar(QToolBar):
    """A fixed bar in a row of its own below the menu bar.

    Attributes
    ----------
    chips
        The changes inside the network and on pictures; hidden while there are none.
    strip
        The network strip.
    two_networks
        The choice between two open networks, their difference and a curtain.
    """

    def __init__(
        self, window: QMainWindow, state: AppState, bridge: EngineBridge, opener: SecondOpener
    ) -> None:
        super().__init__("Network", window)
        self._window = window
        self._second = state.second
        self.chips = ChipsBar(state)
        self.strip = NetworkStrip(state, bridge)
        self.two_networks = TwoAnswersChoice("A", "B", TWO_NETWORKS_KEYS)
        self.two_networks.hide()
        self.setObjectName("network_bar")
        self.setMovable(False)
        self.setFloatable(False)
        stack = QWidget()
        layout = QVBoxLayout(stack)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        for widget in (self.chips, self.strip, self.two_networks):
            layout.addWidget(widget)
        self.addWidget(stack)
        window.addToolBar(Qt.ToolBarArea.TopToolBarArea, self)
        window.addToolBarBreak(Qt.ToolBarArea.TopToolBarArea)
        choice = state.second.choice
        self.two_networks.chosen.connect(choice.choose)
        self.two_networks.curtain_moved.connect(choice.move_curtain)
        self.two_networks.closed.connect(opener.close)
        choice.chosen.connect(self.two_networks.show_choice)
        choice.renamed.connect(lambda: self.two_networks.rename(choice.first, choice.second))
        for signal in (state.model_loaded, state.second.model_changed):
            signal.connect(self._show_two_networks)

    def fit_window(self) -> None:
        """Let the strip take less room in a low window."""
        self.strip.set_low(self._window.height() / scaled(1) < _LOW_PX)

    def _show_two_networks(self) -> None:
        """Offer the choice between two networks as long as there are two."""
        self.two_networks.show_names(self._second.title_of_both)
        self.two_networks.setVisible(self._second.model is not None)
        self.two_networks.close_button.setVisible(not self._second.is_changed_first)
