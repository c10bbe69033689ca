"""The controls that open a second network, say what memory that takes, and close either."""

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QLineEdit,
    QMenu,
    QPushButton,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from convnext_studio.model.presets import PRESETS
from convnext_studio.model.road.steps import ROAD
from convnext_studio.ui.panels.base import plain_label
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.comparison_entries import suggestions
from convnext_studio.ui.state.opening.second_opener import SecondOpener
from convnext_studio.ui.widgets.popup import MENU_BUTTON_STYLE
from convnext_studio.ui.widgets.search.source_completer import SourceCompleter

NO_SECOND = "No second network is open. Choose one: all views then show both."
PRESET_PREFIX = "preset:"
_WEIGHTS = "Weights (*.safetensors *.pth *.pt *.bin *.ckpt);;All files (*)"


class OpeningBox(QWidget):
    """A field for any source, a menu of what is near, and what opening it would take."""

    search_asked = Signal(str)

    def __init__(
        self,
        state: AppState,
        opener: SecondOpener,
        recent: Callable[[], Iterable[str]],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._state = state
        self._opener = opener
        self.source = QLineEdit()
        self.source.setPlaceholderText("Compare with a name or file…")
        self.source.setAccessibleName("Network to compare with")
        self.source.setToolTip("Type the name of a model or the path of a weights file, then Enter")
        completer = SourceCompleter(self.source, lambda: (*recent(), *suggestions()))
        completer.chosen.connect(self._plan)
        completer.search_asked.connect(self.search_asked)
        self.source.returnPressed.connect(lambda: self._plan(self.source.text().strip()))
        self.near = QToolButton()
        self.near.setText("Choose ▾")
        self.near.setAccessibleName("Choose a network to compare with")
        self.near.setToolTip("Another file or epoch, or the same network untrained or in another precision")
        self.near.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.near.setStyleSheet(MENU_BUTTON_STYLE)
        menu = QMenu(self.near)
        menu.setToolTipsVisible(True)
        self.near.setMenu(menu)
        for text, tip, act in (
            ("A weights &file or another epoch…", "Choose a file beside that of A", self._choose_file),
            ("The same network, &untrained", "The architecture of A with random weights", self._plan_untrained),
            (
                "The same network in &bfloat16",
                "A with a forward pass of 16 bits, on CUDA only",
                self._plan_bfloat16,
            ),
        ):
            action = menu.addAction(text)
            action.setToolTip(tip)
            action.triggered.connect(act)
        menu.addSeparator()
        for title, entries in (
            ("A &preset, untrained", [(name, f"{PRESET_PREFIX}{name}") for name in PRESETS]),
            ("A &step of the road to ConvNeXt", [(step.full_title, step.source) for step in ROAD.values()]),
        ):
            inside = menu.addMenu(title)
            for text, source in entries:
                inside.addAction(text).triggered.connect(partial(self._plan, source))
        self.text = plain_label("muted")
        self.text.setAccessibleName("Memory of the networks")
        self.open = _button("Open beside A", "Open it as B; A stays open", lambda: opener.open())
        self.cancel = _button("Cancel", "Open nothing", opener.give_up)
        self.swap = _button("Swap", "Make A of B, and B of A", opener.swap)
        self.close_a = _button("Close A", "Close A; B is then the open network", opener.close_first)
        self.close_b = _button("Close B", "Close B, and free its memory", opener.close)
        first, second = QHBoxLayout(), QHBoxLayout()
        first.addWidget(self.source, 1)
        first.addWidget(self.near)
        for part in (self.open, self.cancel, self.swap, self.close_a, self.close_b):
            second.addWidget(part)
        second.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 4, 6, 0)
        layout.setSpacing(4)
        layout.addLayout(first)
        layout.addWidget(self.text)
        layout.addLayout(second)
        opener.changed.connect(self._show)
        state.model_loaded.connect(self._show)
        state.second.model_changed.connect(self._show)
        self._show()

    def _show(self, _changed: object = None) -> None:
        opener, second = self._opener, self._state.second.model
        is_planned = opener.planned is not None
        self.open.setVisible(is_planned)
        self.open.setEnabled(opener.estimate is not None)
        self.cancel.setVisible(is_planned)
        for part in (self.swap, self.close_a, self.close_b):
            part.setVisible(second is not None and not is_planned)
        self.text.setText(self._words())

    def _words(self) -> str:
        opener, second = self._opener, self._state.second.model
        if opener.failure:
            return opener.failure
        if opener.is_opening:
            return "Opening the second network …"
        if opener.planned is not None and opener.estimate is None:
            return "Reading what it needs …"
        names = "" if second is None else f"{self._state.second.title_of_both}. "
        lead = NO_SECOND if second is None and opener.planned is None else names
        return f"{lead} {opener.memory_text()}".strip()

    def _plan(self, source: str, _checked: bool = False) -> None:
        if source:
            self.source.setText(source)
            self._opener.plan(source)

    def _choose_file(self) -> None:
        model = self._state.model
        folder = "" if model is None or not Path(model.source).is_file() else str(Path(model.source).parent)
        path, _ = QFileDialog.getOpenFileName(self, "Open a second network", folder, _WEIGHTS)
        self._plan(path)

    def _plan_untrained(self) -> None:
        self._opener.plan("", untrained=True)

    def _plan_bfloat16(self) -> None:
        self._opener.plan("", precision="bfloat16")


def _button(text: str, tip: str, act: Callable[[], object]) -> QPushButton:
    button = QPushButton(text)
    button.setToolTip(tip)
    button.clicked.connect(lambda: act())
    return button
