"""The drawing in the network strip, which reacts to the pointer and the keys."""

from collections.abc import Callable, Mapping

from PySide6.QtCore import QEvent, QPointF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QContextMenuEvent,
    QFontMetrics,
    QFontMetricsF,
    QHelpEvent,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QResizeEvent,
)
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from convnext_studio.model.nodes import NodeInfo
from convnext_studio.protocol.maps import ValueStatistics
from convnext_studio.protocol.models import ModelInfo
from convnext_studio.ui.panels.strip.strip_layout import (
    NETWORK,
    NetworkLayout,
    RowLayout,
    lay_out,
    lay_out_row,
    nodes_of,
    part_at,
)
from convnext_studio.ui.panels.strip.strip_painter import BAR_PX, Content, StripPainter
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.node_texts import Costs, stage_texts
from convnext_studio.ui.widgets import theme
from convnext_studio.ui.widgets.elided_label import plain_tip
from convnext_studio.ui.widgets.focus_ring import PAINTS_FOCUS
from convnext_studio.ui.widgets.text_size import base_font, follow_text, scaled, scaled_px

BOXES_PX = 104
LOW_BOXES_PX = 38
_KEYS = (
    "Click to select, double-click or Enter to open, ← and → to move, Esc to go back up, "
    "Delete to switch off and on"
)
_LEAST_PX = 480
_NO_COSTS = Costs("none", {}, 0.0)
_IN = (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Down)
_OUT = (Qt.Key.Key_Backspace, Qt.Key.Key_Escape, Qt.Key.Key_Up)


class NetworkCanvas(QWidget):
    """A widget that draws one level of the network; a click selects a node, a double click opens it.

    Parameters
    ----------
    tip
        Returns what is known about a node, for its tooltip.
    """

    pointed_at = Signal(object)  # NodeInfo | None: the node under the pointer
    stepped = Signal(int)
    open_asked = Signal()
    up_asked = Signal()
    switch_asked = Signal()  # The selected node is to be switched off, or on again.
    menu_asked = Signal(object)  # tuple[NodeInfo | None, QPoint]: the node, and the place on the screen

    def __init__(self, state: AppState, tip: Callable[[NodeInfo], str], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._state = state
        self._tip = tip
        self._opened = NETWORK
        self._layout: NetworkLayout | RowLayout | None = None
        self._layout_model: ModelInfo | None = None
        self._hovered: NodeInfo | None = None
        self._thumbnails: Mapping[str, QImage] = {}
        self._costs = _NO_COSTS
        self._values: Mapping[str, ValueStatistics] = {}
        self._is_low = False
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setMouseTracking(True)
        self.setProperty(PAINTS_FOCUS, True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName("Network")
        follow_text(self, self._use_height)

    # ------------------------------------------------------------------------------------- what is shown

    def show_level(self, opened: str) -> None:
        """Show the network, or what is inside a node, of the model that is open now."""
        self._opened = opened
        self._layout = None
        self._hover(None)
        self.update()

    def show_thumbnails(self, thumbnails: Mapping[str, QImage]) -> None:
        """Show the mean activations of the stages."""
        self._thumbnails = thumbnails
        self.update()

    def show_costs(self, costs: Costs) -> None:
        """Draw cost bars below the nodes, or none."""
        self._costs = costs
        self._use_height()

    def set_low(self, is_low: bool) -> None:
        """Show only the names of the nodes in a low row, or everything again."""
        if is_low != self._is_low:
            self._is_low = is_low
            self._use_height()

    def _use_height(self) -> None:
        has_bars = self._costs.kind != "none" and not self._is_low
        bars = BAR_PX + QFontMetrics(base_font(self.font())).height() if has_bars else 0
        self._layout = None
        self.setFixedHeight(round(scaled(self._boxes_px + bars)))
        # With large text on a small screen, names get short before the window gets wider than the screen.
        self.setMinimumWidth(min(scaled_px(_LEAST_PX), self.screen().availableSize().width() * 2 // 3))
        self.update()

    @property
    def _boxes_px(self) -> int:
        return LOW_BOXES_PX if self._is_low else BOXES_PX

    def show_values(self, values: Mapping[str, ValueStatistics]) -> None:
        """Show the value statistics of the nodes' outputs where there is room."""
        self._values = values
        self.update()

    @property
    def places(self) -> NetworkLayout | RowLayout | None:
        """The layout before it is scaled with the text size; None without a model."""
        model = self._state.framed_model
        # This may be called before the strip is told about another model.
        if model is not None and (self._layout is None or self._layout_model is not model):
            self._layout_model = model
            self._layout = self._inside(model) or self._whole(model)
        return self._layout

    def _inside(self, model: ModelInfo) -> RowLayout | None:
        inside = [node for node in nodes_of(model.nodes, self._opened) if node.name != self._opened]
        if self._opened == NETWORK or not inside:
            return None
        return lay_out_row(inside, model.node(self._opened), self._width, self._boxes_px)

    def _whole(self, model: ModelInfo) -> NetworkLayout:
        metrics = QFontMetricsF(base_font(self.font()))
        texts = (text for stage in model.config.stages for text in stage_texts(model, stage))
        widest = max(metrics.horizontalAdvance(text) for text in texts)
        return lay_out(
            model.nodes,
            model.config.depths,
            self._width,
            self._boxes_px,
            widest,
            2 * metrics.height(),
            self._is_low,
        )

    @property
    def _width(self) -> float:
        """Return the width before the drawing is scaled."""
        return self.width() / scaled(1)

    def sizeHint(self) -> QSize:
        """Return the preferred size, as wide as the window."""
        return QSize(1200, self.height())

    def resizeEvent(self, _event: QResizeEvent) -> None:
        """Lay everything out again."""
        self._layout = None

    # ------------------------------------------------------------------------------------ pointer and keys

    def node_at(self, position: QPointF) -> NodeInfo | None:
        """Return the node at a position, or None."""
        places = self.places
        part = (
            None
            if places is None
            else part_at(places.parts, position.x() / scaled(1), position.y() / scaled(1))
        )
        return None if part is None else part.node

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Report what is under the pointer."""
        self._hover(self.node_at(event.position()))

    def leaveEvent(self, _event: QEvent) -> None:
        """Report that nothing is under the pointer any more."""
        self._hover(None)

    def _hover(self, node: NodeInfo | None) -> None:
        if node is self._hovered:
            return
        self._hovered = node
        self.setCursor(Qt.CursorShape.ArrowCursor if node is None else Qt.CursorShape.PointingHandCursor)
        self.pointed_at.emit(node)
        self.update()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Select what is under the pointer."""
        node = self.node_at(event.position())
        if node is not None and event.button() == Qt.MouseButton.LeftButton:
            self._state.set_node(node.name)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Open what is under the pointer; the first of the two clicks selected it."""
        if self.node_at(event.position()) is not None and event.button() == Qt.MouseButton.LeftButton:
            self.open_asked.emit()

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        """Ask for a menu about the node under the pointer, or about the selected one for the menu key."""
        by_key = event.reason() == QContextMenuEvent.Reason.Keyboard
        model = self._state.framed_model
        selected = None if model is None else model.node(self._state.node)
        node = selected if by_key else self.node_at(QPointF(event.pos()))
        self.menu_asked.emit((node, event.globalPos()))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Move along the level, open the selected node, or go back up."""
        key = event.key()
        if event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier:
            super().keyPressEvent(event)
        elif key in (Qt.Key.Key_Left, Qt.Key.Key_Right):
            self.stepped.emit(1 if key == Qt.Key.Key_Right else -1)
        elif key in _IN:
            self.open_asked.emit()
        elif key in _OUT:
            self.up_asked.emit()
        elif key == Qt.Key.Key_Delete:
            self.switch_asked.emit()
        else:
            super().keyPressEvent(event)

    def event(self, event: QEvent) -> bool:
        """Handle Escape before the window does while a node is opened, and show a node's tooltip."""
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.ShortcutOverride:
            if event.key() == Qt.Key.Key_Escape and self._opened != NETWORK:
                event.accept()
                return True
        elif isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            node = self.node_at(QPointF(event.pos()))
            tip = _KEYS if node is None else self._tip(node)
            QToolTip.showText(event.globalPos(), plain_tip(tip), self)
            return True
        return super().event(event)

    # -------------------------------------------------------------------------------------------- painting

    def focusInEvent(self, _event: QEvent) -> None:
        """Show that the strip has the keyboard focus."""
        self.update()

    def focusOutEvent(self, _event: QEvent) -> None:
        """Show that the strip has lost the keyboard focus."""
        self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Paint the level."""
        with QPainter(self) as painter:
            look, model, places = theme.current(), self._state.framed_model, self.places
            painter.fillRect(self.rect(), QColor(look.background))
            if places is None or model is None:
                painter.setPen(QColor(look.muted))
                painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, "No model is open yet.")
                return
            hovered = "" if self._hovered is None else self._hovered.name
            content = Content(
                model=model,
                selected=self._state.node,
                hovered=hovered,
                has_focus=self.hasFocus(),
                thumbnails=self._thumbnails,
                costs=_NO_COSTS if self._is_low else self._costs,
                values=self._values,
                is_low=self._is_low,
                changed=frozenset(
                    change.node for change in self._state.interventions.changes if change.enabled
                ),
            )
            painter.scale(scaled(1), scaled(1))
            brush = StripPainter(painter, base_font(self.font()), content, self._boxes_px - 3)
            if isinstance(places, RowLayout):
                brush.paint_row(places)
            else:
                brush.paint_network(places)
