"""The controls of the brush: the tool, what fills a place, the width, and what to do with the result."""

from typing import Literal, cast

from PySide6.QtCore import Qt, Signal, SignalInstance
from PySide6.QtWidgets import QCheckBox, QMenu, QPushButton, QSlider, QToolButton, QVBoxLayout, QWidget

from convnext_studio.common.retouches import FILLS, Fill
from convnext_studio.protocol.pictures import ListedPicture
from convnext_studio.ui.panels.base import choice
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.widgets.control_row import ControlRow
from convnext_studio.ui.widgets.elided_label import plain_tip
from convnext_studio.ui.widgets.popup import MENU_BUTTON_STYLE
from convnext_studio.ui.widgets.text_size import follow_text, scaled_px

Tool = Literal["brush", "rectangle", "superpixel", "part"]
TOOLS: dict[Tool, tuple[str, str]] = {
    "brush": ("Brush", "Paint with a round brush; Shift erases, [ and ] change its width"),
    "rectangle": ("Rectangle", "Draw a rectangle from corner to corner"),
    "superpixel": ("Superpixel", "Click a patch of similar colour"),
    "part": ("Part", "Click a part that the selected node tells from others, as in the panel Similarity"),
}
FILL_TEXTS: dict[Fill, str] = {
    "blur": "Blur",
    "mean": "Mean colour",
    "noise": "Noise",
    "black": "Black",
    "paste": "Paste from",
}
_FILL_TIP = (
    "What is put there: the blurred picture, the mean colour by which the network normalises, "
    "noise about it, black, or the same place of another open picture"
)
LEAST_WIDTH, USUAL_WIDTH, LARGEST_WIDTH = 1, 12, 60  # Per cent of the longer side.
_SLIDER_PX = 80


class RetouchBar(QWidget):
    """A row of controls below those of the picture, hidden until someone wants to change the picture.

    Attributes
    ----------
    pasted
        The key of the picture that is pasted; empty until one is chosen.
    """

    tool_changed = Signal()
    undo_asked = Signal()
    redo_asked = Signal()
    clear_asked = Signal()
    save_asked = Signal()
    closed = Signal()

    def __init__(self, state: AppState, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._state = state
        self.pasted = ""
        self.tool = choice(
            "Tool",
            "\n".join(f"{text}: {tip}" for text, tip in TOOLS.values()),
            [(text, tool) for tool, (text, _) in TOOLS.items()],
        )
        self.fill = choice("Fill", _FILL_TIP, [(FILL_TEXTS[fill], fill) for fill in FILLS])
        self.paste = QToolButton()
        self.paste.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.paste.setStyleSheet(MENU_BUTTON_STYLE)
        self.paste.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.paste.setAccessibleName("Picture to paste from")
        self.paste.setToolTip("The open picture whose pixels are put in the same place")
        self._pictures = QMenu(self.paste)
        self._pictures.aboutToShow.connect(self._list_pictures)
        self.paste.setMenu(self._pictures)
        self.width_slider = QSlider(Qt.Orientation.Horizontal)
        self.width_slider.setRange(LEAST_WIDTH, LARGEST_WIDTH)
        self.width_slider.setValue(USUAL_WIDTH)
        self.width_slider.setAccessibleName("Width of the brush")
        self.width_slider.setToolTip("Width of the brush, in per cent of the longer side ([ and ])")
        follow_text(self.width_slider, lambda: self.width_slider.setFixedWidth(scaled_px(_SLIDER_PX)))
        self.inverted = QCheckBox("All but this")
        self.inverted.setToolTip("Fill everything else, and keep what is painted or chosen")
        self.undo = _button("Undo", "Undo the last stroke or choice (Ctrl+Z)", self.undo_asked)
        self.redo = _button("Redo", "Make it again (Ctrl+Shift+Z)", self.redo_asked)
        self.clear = _button("Clear", "Remove all changes of this picture", self.clear_asked)
        self.save = _button("Save…", "Save the changed picture at its full size", self.save_asked)
        self.close_button = _button("Done", "Stop changing the picture; its changes stay (Esc)", self.closed)
        row = ControlRow("More controls of the brush")
        row.add(self.tool, kept=True)
        row.add(self.fill, kept=True)
        row.add(self.paste)
        row.add(self.width_slider, word="Width")
        for part in (self.inverted, self.undo, self.redo, self.clear, self.save):
            row.add(part)
        row.add(self.close_button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(row)
        self.tool.currentIndexChanged.connect(self._follow)
        self.fill.currentIndexChanged.connect(self._follow)
        state.picture_selected.connect(self._follow)
        state.interventions.changed.connect(self._follow)
        self._follow()
        self.hide()

    @property
    def shown_tool(self) -> Tool:
        """The tool."""
        return cast("Tool", self.tool.currentData())

    @property
    def fill_kind(self) -> Fill:
        """What fills a place."""
        return cast("Fill", self.fill.currentData())

    def diameter_px(self, size: tuple[int, int]) -> float:
        """Return the width of the brush in pixels of a picture of that size."""
        return max(self.width_slider.value() / 100 * max(size), 1.0)

    def choose_pasted(self, key: str) -> None:
        """Choose the picture that is pasted."""
        self.pasted = key
        self._follow()

    def _follow(self, _changed: object = None) -> None:
        self.paste.setVisible(self.fill_kind == "paste")
        self.width_slider.setEnabled(self.shown_tool == "brush")
        if self.pasted not in {each.key for each in self._others}:
            self.pasted = self._others[0].key if self._others else ""
        names = {each.key: each.name for each in self._others}
        self.paste.setText(f"{names.get(self.pasted, 'no other picture')} ▾")
        interventions = self._state.interventions
        self.undo.setEnabled(interventions.can_undo)
        self.redo.setEnabled(interventions.can_redo)
        has_changes = bool(interventions.recipe.retouched)
        for button in (self.clear, self.save):
            button.setEnabled(has_changes)
        self.tool_changed.emit()

    @property
    def _others(self) -> list[ListedPicture]:
        chosen = self._state.opened.chosen
        return [each for each in self._state.opened.all if chosen is None or each.key != chosen.key]

    def _list_pictures(self) -> None:
        self._pictures.clear()
        for picture in self._others:
            action = self._pictures.addAction(picture.name.replace("&", "&&"))
            action.triggered.connect(lambda _checked=False, key=picture.key: self.choose_pasted(key))


def _button(text: str, tip: str, signal: SignalInstance) -> QPushButton:
    button = QPushButton(text)
    button.setToolTip(plain_tip(tip))
    button.clicked.connect(lambda: signal.emit())
    return button
