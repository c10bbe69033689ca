"""Where the map is made: at the selected node, at all stages side by side, or averaged over several nodes."""

from collections.abc import Mapping
from typing import Literal

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QAction, QIcon
from PySide6.QtWidgets import QHBoxLayout, QLabel, QMenu, QToolButton, QWidget

from convnext_studio.engine.messages import ModelInfo, why_no_cam
from convnext_studio.render import Rgb
from convnext_studio.ui.qimage import to_qimage
from convnext_studio.ui.textsize import follow_text, scaled_px
from convnext_studio.ui.thumbnail import SHARP, thumbnail

Where = Literal["node", "stages", "average"]
MOST_STAGES = 4
_THUMBNAIL_PX = 18
_STYLE = """
QToolButton { border: 1px solid palette(mid); border-radius: 3px; padding: 2px 5px; }
QToolButton:hover, QToolButton:focus { border-color: palette(text); }
QToolButton:checked { border: 2px solid palette(highlight); padding: 1px 4px; }
QToolButton[popupMode="1"] { padding-right: 18px; }
QToolButton::menu-button { width: 16px; border: none; }
"""


class WhereRow(QWidget):
    """A button for each stage, one for all of them, one for the average with a menu of what to average."""

    stage_chosen = Signal(str)
    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._where: Where = "node"
        self._averaged: dict[str, QAction] = {}
        self.stages = {f"stage{number}": _button(str(number)) for number in range(1, MOST_STAGES + 1)}
        for name, button in self.stages.items():
            number = name[-1]
            button.setAccessibleName(f"Attribution at stage {number}")
            button.setToolTip(f"Select stage {number} ({number}); a small map has its own scale")
            button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
            button.clicked.connect(lambda _checked, name=name: self._choose_stage(name))
        self.all = _button("All")
        self.all.setAccessibleName("All stages side by side")
        self.all.setToolTip("All stages side by side, each on its own scale")
        self.all.clicked.connect(lambda: self._toggle("stages"))
        self.average = _button("Mean")
        self.average.setAccessibleName("Average of several nodes")
        self.average.setToolTip(
            "Average of several nodes, each divided by its largest magnitude; choose them below"
        )
        self.average.setPopupMode(QToolButton.ToolButtonPopupMode.MenuButtonPopup)
        self._menu = QMenu(self.average)
        self._menu.setToolTipsVisible(True)
        self.average.setMenu(self._menu)
        self.average.clicked.connect(lambda: self._toggle("average"))
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(3)
        layout.addWidget(QLabel("Stage"))
        for button in (*self.stages.values(), self.all, self.average):
            layout.addWidget(button)

    @property
    def where(self) -> Where:
        """What is chosen."""
        return self._where

    @property
    def averaged(self) -> tuple[str, ...]:
        """The nodes that an average is of."""
        return tuple(name for name, action in self._averaged.items() if action.isChecked())

    def choose(self, where: Where) -> None:
        """Choose one node, all stages, or an average."""
        self._where = where
        self.changed.emit()

    def _toggle(self, where: Where) -> None:
        self.choose("node" if self._where == where else where)

    def show_model(self, model: ModelInfo) -> None:
        """Offer another network's stages, and its nodes to average: at first the last two stages."""
        for name, button in self.stages.items():
            button.setVisible(name in model.config.stages)
        self._menu.clear()
        self._averaged = {}
        for stage in model.config.stages:
            self._offer(self._menu, stage, model, is_checked=stage in model.config.stages[-2:])
            inside = self._menu.addMenu(f"In {model.node(stage).title.lower()}")
            for node in model.nodes:
                if node.kind == "block" and node.name.startswith(f"{stage}."):
                    self._offer(inside, node.name, model)

    def _offer(self, menu: QMenu, name: str, model: ModelInfo, is_checked: bool = False) -> None:
        node = model.node(name)
        action = menu.addAction(node.title)
        action.setCheckable(True)
        action.setChecked(is_checked)
        action.setEnabled(not why_no_cam(node))
        action.setToolTip(why_no_cam(node) or f"Let {node.title.lower()} be part of the average")
        action.toggled.connect(lambda _checked: self.choose("average"))
        self._averaged[name] = action

    def show_choice(self, node: str, has_nodes: bool, thumbnails: Mapping[str, Rgb]) -> None:
        """Check what is shown; a method on the input's pixels has no nodes to choose."""
        for name, button in self.stages.items():
            button.setChecked(has_nodes and self._where == "node" and node == name)
            picture = thumbnails.get(name)
            button.setIcon(QIcon() if picture is None else _icon(picture))
        self.all.setChecked(has_nodes and self._where == "stages")
        self.average.setChecked(has_nodes and self._where == "average")
        for button in (*self.stages.values(), self.all, self.average):
            button.setEnabled(has_nodes)

    def _choose_stage(self, name: str) -> None:
        self._where = "node"
        self.stage_chosen.emit(name)
        self.changed.emit()


def _button(text: str) -> QToolButton:
    button = QToolButton()
    button.setText(text)
    button.setCheckable(True)
    button.setStyleSheet(_STYLE)
    follow_text(button, lambda: button.setIconSize(QSize(scaled_px(_THUMBNAIL_PX), scaled_px(_THUMBNAIL_PX))))
    button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    return button


def _icon(picture: Rgb) -> QIcon:
    return thumbnail(to_qimage(picture), scaled_px(_THUMBNAIL_PX), SHARP)
