"""A checkable button with a small map on it."""

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QIcon, QPaintEvent
from PySide6.QtWidgets import QStyle, QStyleOptionToolButton, QStylePainter, QToolButton, QWidget

from convnext_studio.render import Rgb
from convnext_studio.ui.widgets.qimage import SHARP, thumbnail, to_qimage
from convnext_studio.ui.widgets.text_size import follow_text, scaled_px

_MAP_PX = 18
_STYLE = """
QToolButton { border: 1px solid palette(mid); border-radius: 3px; padding: 2px 5px; }
QToolButton:hover, QToolButton:focus { border-color: palette(text); }
QToolButton:checked { border: 2px solid palette(highlight); padding: 1px 4px; }
QToolButton[popupMode="1"] { padding-right: 18px; }
QToolButton::menu-button { width: 16px; border: none; }
"""


class MapButton(QToolButton):
    """A checkable button with a small map, which may change with every frame without a new layout."""

    def __init__(self, text: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._map = QIcon()
        self.setText(text)
        self.setCheckable(True)
        self.setStyleSheet(_STYLE)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        follow_text(self, lambda: self.setIconSize(QSize(scaled_px(_MAP_PX), scaled_px(_MAP_PX))))

    def show_map(self, picture: Rgb | None) -> None:
        """Show a map, or none."""
        was_empty = self._map.isNull()
        self._map = QIcon() if picture is None else thumbnail(to_qimage(picture), scaled_px(_MAP_PX), SHARP)
        if was_empty or self._map.isNull():
            self.setIcon(self._map)  # Qt makes room for it.
        else:
            self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Paint the button as Qt does, with the map that it has now."""
        option = QStyleOptionToolButton()
        self.initStyleOption(option)
        option.icon = self._map
        painter = QStylePainter(self)
        painter.drawComplexControl(QStyle.ComplexControl.CC_ToolButton, option)
        painter.end()
