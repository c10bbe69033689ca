"""The mosaic of what was pinned, to be compared with what is selected."""

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from convnext_studio.engine.messages import FeatureMapsResult, Payload
from convnext_studio.ui.bridge import EngineBridge
from convnext_studio.ui.panels.base import plain_label
from convnext_studio.ui.panels.mosaic import MosaicView
from convnext_studio.ui.panels.mosaic_painting import Subject, maps_request
from convnext_studio.ui.sidequestion import SideQuestion
from convnext_studio.ui.state import AppState, Pin


class PinnedView(QWidget):
    """Keeps the maps of the pin, whatever is selected or loaded later."""

    changed = Signal()

    def __init__(self, state: AppState, bridge: EngineBridge, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._pin: Pin | None = None
        self._subject: Subject | None = None
        self._question = SideQuestion(bridge, self._receive, self._fail, parent=self)
        self.map = MosaicView("All channels of what was pinned")
        self.text = plain_label("muted")
        unpin = QPushButton("Unpin")
        unpin.setToolTip("Compare with nothing any more")
        unpin.clicked.connect(state.unpin)
        row = QHBoxLayout()
        row.addWidget(self.text, 1)
        row.addWidget(unpin)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 2, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(self.map, 1)
        layout.addLayout(row)
        state.pinned.connect(self._follow)

    @property
    def subject(self) -> Subject | None:
        """What is pinned, once its maps are there."""
        return self._subject

    @property
    def is_settled(self) -> bool:
        """Whether the engine owes no answer."""
        return not self._question.is_running

    def _follow(self, pin: Pin | None) -> None:
        self._pin, self._subject = pin, None
        self._question.drop()
        if pin is not None:
            # The engine has them at hand: they are what is seen now.
            self._question.ask(maps_request(pin.picture.key, pin.node, "pinned"))
        self.changed.emit()

    def _receive(self, payload: Payload) -> None:
        pin = self._pin
        if pin is not None and isinstance(payload, FeatureMapsResult):
            self._subject = Subject(payload, pin.model.node(pin.node), pin.model, pin.picture)
            self.text.setText(self._subject.title)
            self.changed.emit()

    def _fail(self, reason: str) -> None:
        self.text.setText(reason)
        self.changed.emit()
