"""Panels whose answers take long: they ask when the last of many changes has come, and a button stops them."""

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QPushButton, QWidget

from convnext_studio.ui.panels.base import AskingPanel
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge


class StoppablePanel(AskingPanel):
    """Asks a while after `schedule`; Stop keeps what there is, and becomes Again.

    Attributes
    ----------
    wait_ms, stop_tip
        How long further changes are awaited, and the button's tooltip.
    stop
        The button, for who derives from it to place.
    """

    wait_ms = 200
    stop_tip = "Stop and keep what is there, or ask again"

    def __init__(self, state: AppState, bridge: EngineBridge, parent: QWidget | None = None) -> None:
        super().__init__(state, bridge, parent)
        # Several things often change at once (a drop of ten pictures); the last change asks.
        self._soon = QTimer(self, singleShot=True, interval=self.wait_ms)
        self._soon.timeout.connect(self.refresh)
        self.stop = QPushButton("Stop")
        self.stop.setToolTip(self.stop_tip)
        self.stop.setEnabled(False)
        self.stop.clicked.connect(self._stop_or_start)

    @property
    def is_settled(self) -> bool:
        """Whether the panel awaits nothing and is about to ask nothing."""
        return super().is_settled and not (self.isVisible() and self._soon.isActive())

    def schedule(self, _changed: object = None) -> None:
        """Ask soon, if there is something new to ask."""
        if self.is_news():
            self.abandon()
            self._soon.start()

    def refresh(self) -> None:
        """Ask, if there is something new to ask and someone to see it."""
        self._soon.stop()
        super().refresh()
        self.show_running()

    def abandon(self) -> None:
        """Drop what is under way."""
        super().abandon()
        self.show_running()

    def show_running(self) -> None:
        """Offer to stop, or to begin again."""
        self.stop.setText("Stop" if self.is_running else "Again")
        self.stop.setEnabled(self.is_running or self.shows_body)

    def _stop_or_start(self) -> None:
        if self._running is None:
            self.ask_again()
        else:
            # As when the person cancels in the status bar: the engine's word comes back as `show_cancelled`.
            self.bridge.cancel(self._running)
