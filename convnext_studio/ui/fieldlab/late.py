"""The lab's place in the window, which is empty until the lab is first wanted."""

from typing import TYPE_CHECKING

from PySide6.QtCore import QSize, Signal
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QVBoxLayout, QWidget

from convnext_studio.ui.background import Background
from convnext_studio.ui.bridge import EngineBridge
from convnext_studio.ui.state import AppState

if TYPE_CHECKING:
    from convnext_studio.ui.fieldlab.lab import ReceptiveFieldLab


class LateLab(QWidget):
    """Makes a `ReceptiveFieldLab` when it is first shown or asked for. The parameters are the lab's."""

    title = "Receptive-field lab"
    noticed = Signal(object)  # Notice

    def __init__(
        self,
        state: AppState,
        bridge: EngineBridge,
        background: Background,
        offline: bool = False,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._state = state
        self._bridge = bridge
        self._background = background
        self._offline = offline
        self._lab: ReceptiveFieldLab | None = None

    @property
    def lab(self) -> "ReceptiveFieldLab":
        """The lab itself."""
        if self._lab is None:
            self._lab = self._make()
        return self._lab

    @property
    def is_settled(self) -> bool:
        """Whether what can be seen shows its answers."""
        return self._lab is None or not self.isVisible() or self._lab.is_settled

    def sizeHint(self) -> QSize:
        """Room for four fields beside each other."""
        return QSize(1280, 720)

    def minimumSizeHint(self) -> QSize:
        """Less would show nothing of four fields."""
        return QSize(760, 480)

    def showEvent(self, event: QShowEvent) -> None:
        """Now it is wanted."""
        super().showEvent(event)
        self.lab.show()

    def _make(self) -> "ReceptiveFieldLab":
        # Not at the top: importing and making the lab would keep the window 80 ms from appearing.
        from convnext_studio.ui.fieldlab.lab import ReceptiveFieldLab

        lab = ReceptiveFieldLab(self._state, self._bridge, self._background, self._offline)
        lab.noticed.connect(self.noticed)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(lab)
        self.setFocusProxy(lab)
        return lab
