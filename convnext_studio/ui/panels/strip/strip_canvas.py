"""The drawing in the network strip, which reacts to the pointer and the keys."""

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import pairwise

from msgspec import Struct
from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QContextMenuEvent,
    QFont,
    QFontMetrics,
    QFontMetricsF,
    QHelpEvent,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QPolygonF,
    QRegion,
    QResizeEvent,
)
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from convnext_studio.model.nodes import NodeInfo
from convnext_studio.protocol.maps import ValueStatistics
from convnext_studio.protocol.models import ModelInfo
from convnext_studio.render import format_number
from convnext_studio.ui.panels.strip.strip_layout import (
    NETWORK,
    PADDING_PX,
    NetworkLayout,
    RowLayout,
    StagePlace,
    StripPart,
    lay_out,
    lay_out_row,
    nodes_of,
    part_at,
)
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.node_texts import (
    Costs,
    outputs_word,
    part_texts,
    shape_text,
    short_name,
    short_title,
    stage_texts,
    stem_texts,
)
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
BAR_PX = 5.0
_HEAD_PX = 4.0
_CORNER_PX = 12.0


class Content(Struct, frozen=True):
    """What is shown, apart from the layout.

    Attributes
    ----------
    selected, hovered
        Names of nodes; empty for none.
    thumbnails
        Mean activations by stage.
    values
        Statistics of the nodes' outputs, where known.
    is_low
        Whether there is only room for the nodes' names.
    changed
        Names of nodes that are changed, or in which something is.
    """

    model: ModelInfo
    selected: str
    hovered: str
    has_focus: bool
    thumbnails: Mapping[str, QImage]
    costs: Costs
    values: Mapping[str, ValueStatistics]
    is_low: bool = False
    changed: frozenset[str] = frozenset()


def shared_ends(values: Sequence[ValueStatistics | None]) -> tuple[float, float] | None:
    """Return the ends of a scale that covers all of these and 0; None where there is no such scale."""
    ends = [end for each in values if each is not None for end in (each.minimum, each.maximum)]
    low, high = min((0.0, *ends)), max((0.0, *ends))
    return (low, high) if low < high and all(map(math.isfinite, ends)) else None


def _span(values: ValueStatistics, digits: int) -> str:
    return f"{format_number(values.minimum, digits)} … {format_number(values.maximum, digits)}"


class StripPainter:
    """A painter for one painting of the strip.

    Parameters
    ----------
    bars_top
        Where the cost bars begin, below everything else.
    """

    def __init__(self, painter: QPainter, font: QFont, content: Content, bars_top: float) -> None:
        self._painter = painter
        self._content = content
        self._bars_top = bars_top
        self._look = theme.current()
        self._ends: tuple[float, float] | None = None
        self._has_whiskers = False
        self._plain = font
        self._bold = QFont(font)
        self._bold.setBold(True)
        self._metrics = QFontMetricsF(font)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(font)

    # ------------------------------------------------------------------------------------ the whole network

    def paint_network(self, layout: NetworkLayout) -> None:
        """Paint stem, stages, downsampling and head."""
        model = self._content.model
        self._box(layout.stem)
        self._lines(layout.stem.rect, self._said("Stem", *stem_texts(model)))
        for stage in layout.stages:
            self._stage(stage)
        for part in layout.downsamples:
            self._funnel(part)
        if layout.head is None:
            self._frame(layout.head_rect, QPen(QColor(self._look.border), 1))
        else:
            self._box(layout.head)
        self._lines(layout.head_rect, self._said("Head", str(model.config.num_classes), outputs_word(model)))
        boxes = [layout.stem.rect, *(stage.rect for stage in layout.stages), layout.head_rect]
        after_funnel = {part.node.parent for part in layout.downsamples}
        for (before, after), name in zip(pairwise(boxes), (*model.config.stages, "head"), strict=True):
            if name not in after_funnel:
                self._arrow(before.right() + 4, after.left() - 4, before.center().y())
        stages = [StripPart(stage.node, stage.rect) for stage in layout.stages]
        for part in filter(None, (layout.stem, *layout.downsamples, *stages, layout.head)):
            self._cost(part)
        self._mark_changed(layout.parts)

    def paint_thumbnails(self, layout: NetworkLayout) -> None:
        """Paint the mean activations of the stages anew, on the ground of their boxes."""
        for stage in layout.stages:
            self._painter.fillRect(stage.thumbnail.adjusted(-2, -2, 2, 2), QColor(self._look.raised))
            self._thumbnail(stage.node.name, stage.thumbnail)
        self._mark_changed(layout.parts)

    def _stage(self, stage: StagePlace) -> None:
        self._box(StripPart(stage.node, stage.rect))
        name, size = stage_texts(self._content.model, stage.node.name)
        if self._content.is_low:
            is_narrow = QFontMetricsF(self._bold).horizontalAdvance(name) > stage.rect.width() - 4
            self._lines(stage.rect, (name.split()[-1] if is_narrow else name,))
            return
        first = QRectF(stage.text.topLeft(), stage.text.size() / 2)
        first.setWidth(stage.text.width())
        inside = self._content.selected.partition(".")[0] == stage.node.name
        self._text(first, name, self._look.accent if inside else self._look.text, bold=True, centred=False)
        # Where not all of the text fits, the shape says most.
        while " · " in size and self._metrics.horizontalAdvance(size) > first.width():
            size = size.partition(" · ")[2]
        self._text(first.translated(0, first.height()), size, self._look.muted, centred=False)
        self._thumbnail(stage.node.name, stage.thumbnail)
        for block in stage.blocks:
            self._painter.setPen(Qt.PenStyle.NoPen)
            self._painter.setBrush(self._colour(block.node, self._look.outline))
            self._painter.drawRoundedRect(block.rect, 1, 1)
            self._focus(block, 2)
        self._painter.setPen(Qt.PenStyle.NoPen)
        self._painter.setBrush(QColor(self._look.border))
        for bar in stage.bars:
            self._painter.drawRoundedRect(bar, 1, 1)

    def _funnel(self, part: StripPart) -> None:
        """Paint a downsampling as a funnel: its output is half as tall as its input."""
        centre, half = part.rect.center(), part.rect.width() / 2 - 5
        left, right = QPointF(-half, 13), QPointF(half, 6.5)
        corners = [centre + QPointF(-half, -13), centre + QPointF(half, -6.5), centre + right, centre + left]
        self._painter.setPen(Qt.PenStyle.NoPen)
        self._painter.setBrush(self._colour(part.node, self._look.outline))
        self._painter.drawPolygon(QPolygonF(corners))
        self._focus(part, -1)

    # ----------------------------------------------------------------------------- inside a stage or a block

    def paint_row(self, layout: RowLayout) -> None:
        """Paint the nodes inside the opened one, and the shortcut around a block's operations."""
        self._ends = shared_ends([self._content.values.get(part.node.name) for part in layout.row])
        self._opened(layout.opened)
        for part in layout.row:
            self._box(part)
            self._inside(part)
            self._cost(part)
        if self._has_whiskers:
            left = layout.opened.rect
            place = QRectF(left.left(), self._bars_top, left.width(), BAR_PX + 2 + self._metrics.height())
            self._text(place, "┼ min · mean · max", self._look.muted)
        self._connect(layout)
        if layout.total is not None:
            self._sum(layout.total)
            self._cost(layout.total)
        self._mark_changed(layout.parts)

    def _said(self, name: str, *others: str) -> tuple[str, ...]:
        """Return the lines that there is room for."""
        return (name,) if self._content.is_low else (name, *others)

    def _opened(self, part: StripPart) -> None:
        self._box(part)
        if self._content.is_low:
            self._lines(part.rect, (short_title(part.node),))
            return
        stage = part.node.name.partition(".")[0]
        line = self._metrics.height()
        inner = part.rect.adjusted(PADDING_PX, PADDING_PX, -PADDING_PX, -PADDING_PX)
        top = QRectF(inner.left(), inner.top(), inner.width(), line)
        self._text(top, short_title(part.node), self._look.text, bold=True)
        bottom = QRectF(inner.left(), inner.bottom() - line, inner.width(), line)
        self._text(bottom, shape_text(part.node), self._look.muted)
        side = inner.height() - 2 * line - 6
        self._thumbnail(stage, QRectF(inner.center().x() - side / 2, inner.top() + line + 3, side, side))

    def _inside(self, part: StripPart) -> None:
        values = self._content.values.get(part.node.name)
        texts = part_texts(self._content.model, part.node)
        room = part.rect.width() - PADDING_PX
        if self._content.is_low:
            self._lines(part.rect, (_name_within(part.node, QFontMetricsF(self._bold), room),))
            return
        if self._metrics.horizontalAdvance(texts[-1]) > room:
            name = QRectF(part.rect.left(), part.rect.top() + 4, part.rect.width(), self._metrics.height())
            self._text(name, short_name(part.node), self._look.text, bold=True)
            if values is not None and self._ends is not None:
                self._has_whiskers = True
                self._whisker(part.rect.adjusted(0, self._metrics.height() + 9, 0, -6), values, self._ends)
            return
        if values is not None:
            span = _span(values, 2)
            if self._metrics.horizontalAdvance(span) > room:
                span = _span(values, 1)
            texts = (*texts, span, f"mean {format_number(values.mean, 2)}")
        self._lines(part.rect, texts)

    def _whisker(self, place: QRectF, values: ValueStatistics, ends: tuple[float, float]) -> None:
        """Paint a line from minimum to maximum and a tick at the mean, on the scale shared by the row."""
        low, high = ends

        def y_of(value: float) -> float:
            return place.bottom() - (value - low) / (high - low) * place.height()

        x, half = place.center().x(), place.width() / 4
        self._painter.setPen(QPen(QColor(self._look.border), 1))
        self._painter.drawLine(QPointF(place.left() + 1, y_of(0)), QPointF(place.right() - 1, y_of(0)))
        self._painter.setPen(QPen(QColor(self._look.outline), 1.5))
        self._painter.drawLine(QPointF(x, y_of(values.minimum)), QPointF(x, y_of(values.maximum)))
        self._painter.setPen(QPen(QColor(self._look.accent), 2))
        self._painter.drawLine(QPointF(x - half, y_of(values.mean)), QPointF(x + half, y_of(values.mean)))

    def _connect(self, layout: RowLayout) -> None:
        first, y = layout.row[0], layout.row[0].rect.center().y()
        for before, after in pairwise((layout.opened, *layout.row)):
            follows = before is layout.opened or after.node.before == before.node.name
            if follows and after.rect.left() - before.rect.right() > 2 * _HEAD_PX:
                self._arrow(before.rect.right() + 2, after.rect.left() - 2, y)
        if layout.total is None:
            return
        total, high = layout.total.rect, layout.opened.rect.top() + 4
        self._arrow(layout.row[-1].rect.right() + 2, total.left() - 1, y)
        start, end = QPointF(layout.opened.rect.right(), high), QPointF(total.center().x(), total.top() - 1)
        if first.node.operation == "shortcut":
            # Here the shortcut is a convolution, and the branch begins after it.
            branch = layout.row[1].rect
            self._arch(start + QPointF(0, 4), QPointF(branch.center().x(), branch.top() - 1), high + 4)
            start = QPointF(first.rect.center().x(), first.rect.top())
        self._arch(start, end, high)

    def _arch(self, start: QPointF, end: QPointF, y: float) -> None:
        """Paint a line up from the start, along at a height, and down to the end."""
        self._painter.setBrush(Qt.BrushStyle.NoBrush)
        self._painter.setPen(QPen(QColor(self._look.outline), 1.5))
        self._painter.drawPolyline([start, QPointF(start.x(), y), QPointF(end.x(), y), end])
        tip = [end + QPointF(-_HEAD_PX, -_HEAD_PX), end, end + QPointF(_HEAD_PX, -_HEAD_PX)]
        self._painter.drawPolyline(tip)

    def _sum(self, part: StripPart) -> None:
        selected = part.node.name == self._content.selected
        self._painter.setBrush(QColor(self._look.raised))
        self._painter.setPen(QPen(self._colour(part.node, self._look.outline), 2 if selected else 1.5))
        self._painter.drawEllipse(part.rect)
        self._text(part.rect, "+", self._look.text, bold=True)

    # ---------------------------------------------------------------------------------------------- pieces

    def _mark_changed(self, parts: Sequence[StripPart]) -> None:
        """Strike through what is changed, or the part that contains it; one with texts gets a corner."""
        colour = QColor(self._look.warning)
        for name in self._content.changed:
            around = [part for part in parts if name == part.node.name or name.startswith(f"{part.node.name}.")]
            if not around:
                continue
            rect = max(around, key=lambda part: len(part.node.name)).rect
            if min(rect.width(), rect.height()) < 2 * _CORNER_PX:
                self._painter.setPen(QPen(colour, 2))
                self._painter.drawLine(rect.bottomLeft(), rect.topRight())
                continue
            self._painter.setPen(Qt.PenStyle.NoPen)
            self._painter.setBrush(colour)
            ends = (QPointF(0, 0), QPointF(-_CORNER_PX, 0), QPointF(0, _CORNER_PX))
            self._painter.drawPolygon(QPolygonF([rect.topRight() + end for end in ends]))

    def _cost(self, place: StripPart) -> None:
        costs = self._content.costs
        if place.node.name not in costs.of:
            return
        cost, width = costs.of[place.node.name], place.rect.width()
        track = QRectF(place.rect.left(), self._bars_top, width, BAR_PX)
        filled = QRectF(track.topLeft(), track.size())
        filled.setWidth(width * costs.share(place.node.name))
        self._painter.setPen(Qt.PenStyle.NoPen)
        self._painter.fillRect(track, QColor(self._look.border))
        self._painter.fillRect(filled, QColor(self._look.accent))
        below = QRectF(track.left(), track.bottom() + 2, width, self._metrics.height())
        text = costs.text(cost)
        part = costs.part_of_total(cost)
        for said in (f"{text} · {part}" if part else text, text):
            if self._metrics.horizontalAdvance(said) <= width:
                self._text(below, said, self._look.muted)
                return

    def _colour(self, node: NodeInfo, plain: str) -> QColor:
        if node.name == self._content.selected:
            return QColor(self._look.accent)
        return QColor(self._look.text if node.name == self._content.hovered else plain)

    def _box(self, part: StripPart) -> None:
        selected = part.node.name == self._content.selected
        self._frame(part.rect, QPen(self._colour(part.node, self._look.border), 2 if selected else 1))
        self._focus(part, 3)

    def _frame(self, rect: QRectF, pen: QPen) -> None:
        self._painter.setBrush(QColor(self._look.raised))
        self._painter.setPen(pen)
        self._painter.drawRoundedRect(rect, 4, 4)

    def _focus(self, part: StripPart, around_px: float) -> None:
        if self._content.has_focus and part.node.name == self._content.selected:
            self._painter.setBrush(Qt.BrushStyle.NoBrush)
            self._painter.setPen(QPen(QColor(self._look.accent), 1, Qt.PenStyle.DotLine))
            self._painter.drawRect(part.rect.adjusted(-around_px, -around_px, around_px, around_px))

    def _lines(self, rect: QRectF, texts: tuple[str, ...]) -> None:
        """Paint lines of text in the middle of a box, the first in bold."""
        line = self._metrics.height()
        top = rect.center().y() - line * len(texts) / 2
        inner = rect.adjusted(2, 0, -2, 0)
        for index, text in enumerate(texts):
            place = QRectF(inner.left(), top + index * line, inner.width(), line)
            self._text(place, text, self._look.muted if index else self._look.text, bold=index == 0)

    def _text(self, place: QRectF, text: str, colour: str, bold: bool = False, centred: bool = True) -> None:
        font = self._bold if bold else self._plain
        fitting = QFontMetricsF(font).elidedText(text, Qt.TextElideMode.ElideRight, place.width())
        across = Qt.AlignmentFlag.AlignHCenter if centred else Qt.AlignmentFlag.AlignLeft
        self._painter.setFont(font)
        self._painter.setPen(QColor(colour))
        self._painter.drawText(place, across | Qt.AlignmentFlag.AlignVCenter, fitting)

    def _thumbnail(self, stage: str, place: QRectF) -> None:
        image = self._content.thumbnails.get(stage)
        if image is not None:
            size = image.size().toSizeF().scaled(place.size(), Qt.AspectRatioMode.KeepAspectRatio)
            fitted = QRectF(QPointF(), size)
            fitted.moveCenter(place.center())
            smooth = image.width() > fitted.width()
            self._painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, smooth)
            self._painter.drawImage(fitted, image, QRectF(image.rect()))
        self._painter.setBrush(Qt.BrushStyle.NoBrush)
        self._painter.setPen(QPen(QColor(self._look.border), 1))
        self._painter.drawRect(place)

    def _arrow(self, left: float, right: float, y: float) -> None:
        self._painter.setPen(QPen(QColor(self._look.outline), 1.5))
        self._painter.drawLine(QPointF(left, y), QPointF(right, y))
        tip, up = QPointF(right, y), QPointF(0, _HEAD_PX)
        self._painter.drawPolyline([tip - QPointF(_HEAD_PX, 0) - up, tip, tip - QPointF(_HEAD_PX, 0) + up])


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
        state.awaited.changed.connect(self._say_what_is_awaited)

    def _say_what_is_awaited(self) -> None:
        """Say anew which model is being opened, while there is none to paint."""
        if self._state.model is None:
            self.update()

    # ------------------------------------------------------------------------------------- what is shown

    def show_level(self, opened: str) -> None:
        """Show the network, or what is inside a node, of the model that is open now."""
        self._opened = opened
        self._layout = None
        self._hover(None)
        self.update()

    def show_thumbnails(self, thumbnails: Mapping[str, QImage]) -> None:
        """Show the mean activations of the stages; where only these change, only they are painted."""
        is_as_before = self._thumbnails.keys() == thumbnails.keys()
        self._thumbnails = thumbnails
        places = self._thumbnail_places if is_as_before else {}
        if not places:
            self.update()
        for place in places.values():
            self.update(_scaled(place).toAlignedRect())

    @property
    def _thumbnail_places(self) -> dict[str, QRectF]:
        """Where the thumbnails of the whole network are, with their frames, before they are scaled."""
        places = self.places
        if self._is_low or not isinstance(places, NetworkLayout):
            return {}
        return {stage.node.name: stage.thumbnail.adjusted(-1, -1, 1, 1) for stage in places.stages}

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

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the level, or only the thumbnails where nothing else has to be painted."""
        with QPainter(self) as painter:
            look, model, places = theme.current(), self._state.framed_model, self.places
            painter.fillRect(self.rect(), QColor(look.background))
            if places is None or model is None:
                painter.setPen(QColor(look.muted))
                reason = self._state.awaited.why_no_model
                painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, reason)
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
            elif _is_within(event.region(), self._thumbnail_places.values()):
                brush.paint_thumbnails(places)
            else:
                brush.paint_network(places)


def _scaled(rect: QRectF) -> QRectF:
    return QRectF(scaled(rect.x()), scaled(rect.y()), scaled(rect.width()), scaled(rect.height()))


def _is_within(region: QRegion, places: Collection[QRectF]) -> bool:
    """Whether a region to be painted is within these places, before they are scaled."""
    inside = QRegion()
    for place in places:
        inside += _scaled(place).toAlignedRect()
    return region.subtracted(inside).isEmpty()


def _name_within(node: NodeInfo, metrics: QFontMetricsF, room: float) -> str:
    """Return the longest name of a node that fits: its title, its short name, or its number."""
    names = (short_title(node), short_name(node))
    return next((name for name in names if metrics.horizontalAdvance(name) <= room), short_name(node)[-1:])
