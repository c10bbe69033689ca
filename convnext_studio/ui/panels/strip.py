"""The network itself, drawn to a sensible scale: the way to say which part of it the panels show."""

from itertools import pairwise
from math import prod

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import (
    QColor,
    QFont,
    QFontMetricsF,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QPolygonF,
)
from PySide6.QtWidgets import QSizePolicy, QWidget

from convnext_studio.engine.messages import ModelInfo, Prediction
from convnext_studio.model.nodes import NodeInfo, head_parameters
from convnext_studio.render import colorize, limits_of
from convnext_studio.ui import theme
from convnext_studio.ui.bridge import EngineBridge
from convnext_studio.ui.panels.strip_layout import Part, StagePlace, StripLayout, lay_out
from convnext_studio.ui.qimage import to_qimage
from convnext_studio.ui.state import AppState

_HEIGHT_PX = 122


class NetworkStrip(QWidget):
    """Stem, stages with their blocks, and head; a click selects a stage or a block, arrow keys walk."""

    title = "Network"

    def __init__(self, state: AppState, bridge: EngineBridge, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.state = state
        self.bridge = bridge
        self._layout: StripLayout | None = None
        self._layout_model: ModelInfo | None = None
        self._thumbnails: dict[str, QImage] = {}
        self._hovered: NodeInfo | None = None
        self.setFixedHeight(_HEIGHT_PX)
        self.setMinimumWidth(480)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName("Network")
        self.setToolTip("A click selects; ←/→ walk the stages, ↑/↓ everything, Enter opens a stage's blocks")
        state.model_loaded.connect(self._show_model)
        state.prediction_made.connect(self._show_prediction)
        state.node_selected.connect(self._show_selection)
        self._show_model(state.model)
        self._show_prediction(state.prediction)

    @property
    def is_settled(self) -> bool:
        """The strip asks nothing."""
        return True

    @property
    def layout_of_network(self) -> StripLayout | None:
        """Where everything is drawn; None without a model."""
        model = self.state.model
        if model is not None and (self._layout is None or self._layout_model is not model):
            self._layout_model = model
            metrics = QFontMetricsF(self.font())
            widest = max(
                metrics.horizontalAdvance(text)
                for stage in model.config.stages
                for text in stage_texts(model, stage)
            )
            self._layout = lay_out(model.nodes, self.width(), self.height(), widest, 2 * metrics.height())
        return self._layout

    def sizeHint(self) -> QSize:
        """As wide as the window."""
        return QSize(1200, _HEIGHT_PX)

    # --------------------------------------------------------------------------------------------- changes

    def _show_model(self, _model: ModelInfo | None) -> None:
        self._hovered = None
        self._show_selection(self.state.node)

    def _show_prediction(self, prediction: Prediction | None) -> None:
        # Without one the old thumbnails stay; the next ones are under way.
        if prediction is not None:
            self._thumbnails = {
                stage: to_qimage(colorize(mean, limits_of(mean), "viridis"))
                for stage, mean in prediction.stage_means.items()
            }
        elif self.state.picture is None:
            self._thumbnails = {}
        self.update()

    def _show_selection(self, node: str) -> None:
        model = self.state.model
        self.setAccessibleDescription("No model is open" if model is None else describe(model.node(node)))
        self.update()

    def changeEvent(self, event: QEvent) -> None:
        """Follow theme and font."""
        if event.type() in (QEvent.Type.PaletteChange, QEvent.Type.FontChange):
            self._layout = None
            self.update()
        super().changeEvent(event)

    def resizeEvent(self, _event: QEvent) -> None:
        """Place everything anew."""
        self._layout = None

    # ------------------------------------------------------------------------------------ pointer and keys

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Say what is under the pointer."""
        layout = self.layout_of_network
        position = event.position()
        node = None if layout is None else layout.node_at(position.x(), position.y())
        if node is not self._hovered:
            self._hovered = node
            self.setCursor(Qt.CursorShape.ArrowCursor if node is None else Qt.CursorShape.PointingHandCursor)
            self.update()
        if node is not None:
            self.state.hovered.emit(describe(node))
        elif layout is not None and layout.head.rect.contains(position) and self.state.model is not None:
            config = self.state.model.config
            self.state.hovered.emit(
                f"Head: pooling, norm and linear layer to {config.num_classes} classes"
                f" · {counted(head_parameters(config))} parameters"
            )
        else:
            self.state.hovered.emit("")

    def leaveEvent(self, _event: QEvent) -> None:
        """Nothing is under the pointer any more."""
        self._hovered = None
        self.state.hovered.emit("")
        self.update()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Select what is under the pointer."""
        layout = self.layout_of_network
        node = None if layout is None else layout.node_at(event.position().x(), event.position().y())
        if node is not None and event.button() == Qt.MouseButton.LeftButton:
            self.state.set_node(node.name)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Walk the stages, or everything; Enter goes into a stage and back out."""
        model, key = self.state.model, event.key()
        back = key in (Qt.Key.Key_Left, Qt.Key.Key_Up)
        if model is None:
            return
        if key in (Qt.Key.Key_Left, Qt.Key.Key_Right, Qt.Key.Key_Up, Qt.Key.Key_Down):
            control = bool(event.modifiers() & Qt.KeyboardModifier.ControlModifier)
            everything = control or key in (Qt.Key.Key_Up, Qt.Key.Key_Down)
            walked = [node.name for node in model.nodes if node.is_explainable]
            self._walk(walked if everything else ["stem", *model.config.stages], back)
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self.state.node != "stem":
            stage, _, inside = self.state.node.partition(".")
            self.state.set_node(stage if inside else f"{stage}.block1")
        else:
            super().keyPressEvent(event)

    def _walk(self, names: list[str], back: bool) -> None:
        here = self.state.node if self.state.node in names else self.state.node.partition(".")[0]
        index = names.index(here) + (-1 if back else 1)
        if 0 <= index < len(names):
            self.state.set_node(names[index])

    # -------------------------------------------------------------------------------------------- painting

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Paint the network."""
        with QPainter(self) as painter:
            self._paint(painter)

    def _paint(self, painter: QPainter) -> None:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        look = theme.current()
        painter.fillRect(self.rect(), QColor(look.background))
        layout, model = self.layout_of_network, self.state.model
        if layout is None or model is None:
            painter.setPen(QColor(look.muted))
            painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, "No model is open yet.")
            return
        self._paint_end(painter, layout.stem, "Stem", *stem_texts(model))
        for stage in layout.stages:
            self._paint_stage(painter, stage, model)
        for part in layout.downsamples:
            self._paint_arrow(painter, part)
        boxes = [layout.stem.rect, *(stage.rect for stage in layout.stages), layout.head.rect]
        downsampled = {part.node.name for part in layout.downsamples if part.node is not None}
        for (before, after), name in zip(pairwise(boxes), (*model.config.stages, "head"), strict=True):
            if f"{name}.downsample" not in downsampled:
                self._paint_plain_arrow(painter, before.right(), after.left())
        self._paint_end(painter, layout.head, "Head", f"{model.config.num_classes}", "classes")

    def _colour(self, node: NodeInfo | None, plain: str) -> QColor:
        look = theme.current()
        if node is not None and node.name == self.state.node:
            return QColor(look.accent)
        if node is not None and node is self._hovered:
            return QColor(look.text)
        return QColor(plain)

    def _box(self, painter: QPainter, rect: QRectF, node: NodeInfo | None) -> None:
        look = theme.current()
        selected = node is not None and node.name == self.state.node
        painter.setBrush(QColor(look.raised))
        painter.setPen(QPen(self._colour(node, look.border), 2 if selected else 1))
        painter.drawRoundedRect(rect, 4, 4)
        if selected and self.hasFocus():
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(QColor(look.accent), 1, Qt.PenStyle.DotLine))
            painter.drawRoundedRect(rect.adjusted(-3, -3, 3, 3), 6, 6)

    def _paint_end(self, painter: QPainter, part: Part, *lines: str) -> None:
        look = theme.current()
        self._box(painter, part.rect, part.node)
        line = QFontMetricsF(self.font()).height()
        top = part.rect.center().y() - line * len(lines) / 2
        for index, text in enumerate(lines):
            painter.setFont(_bold(self.font()) if index == 0 else self.font())
            painter.setPen(QColor(look.text if index == 0 else look.muted))
            place = QRectF(part.rect.left(), top + index * line, part.rect.width(), line)
            painter.drawText(place, Qt.AlignmentFlag.AlignCenter, text)
        painter.setFont(self.font())

    def _paint_stage(self, painter: QPainter, stage: StagePlace, model: ModelInfo) -> None:
        look = theme.current()
        self._box(painter, stage.rect, stage.node)
        title, size = stage_texts(model, stage.node.name)
        metrics = QFontMetricsF(self.font())
        inside = self.state.node.partition(".")[0] == stage.node.name
        first = QRectF(stage.text.topLeft(), stage.text.size() / 2)
        first.setWidth(stage.text.width())
        second = first.translated(0, first.height())
        name, _, parameters = title.partition(" · ")
        painter.setPen(QColor(look.accent if inside else look.text))
        painter.setFont(_bold(self.font()))
        painter.drawText(first, Qt.AlignmentFlag.AlignLeft, name)
        painter.setFont(self.font())
        painter.setPen(QColor(look.muted))
        painter.drawText(first, Qt.AlignmentFlag.AlignRight, parameters)
        elided = metrics.elidedText(size, Qt.TextElideMode.ElideRight, second.width())
        painter.drawText(second, Qt.AlignmentFlag.AlignLeft, elided)
        self._paint_thumbnail(painter, stage)
        painter.setPen(Qt.PenStyle.NoPen)
        for block in stage.blocks:
            painter.setBrush(self._colour(block.node, look.outline))
            painter.drawRoundedRect(block.rect, 1, 1)
            self._paint_focus(painter, block)

    def _paint_focus(self, painter: QPainter, part: Part) -> None:
        if part.node is not None and part.node.name == self.state.node and self.hasFocus():
            painter.save()
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(QColor(theme.current().accent), 1, Qt.PenStyle.DotLine))
            painter.drawRect(part.rect.adjusted(-2, -2, 2, 2))
            painter.restore()

    def _paint_thumbnail(self, painter: QPainter, stage: StagePlace) -> None:
        image = self._thumbnails.get(stage.node.name)
        if image is not None:
            painter.setRenderHint(
                QPainter.RenderHint.SmoothPixmapTransform, image.width() > stage.thumbnail.width()
            )
            painter.drawImage(stage.thumbnail, image, QRectF(image.rect()))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(QColor(theme.current().border), 1))
        painter.drawRect(stage.thumbnail)

    def _paint_arrow(self, painter: QPainter, part: Part) -> None:
        """A downsampling: what comes in tall goes out half as tall."""
        centre, half = part.rect.center(), part.rect.width() / 2 - 5
        shape = QPolygonF(
            [
                centre + QPointF(-half, -13),
                centre + QPointF(half, -6.5),
                centre + QPointF(half, 6.5),
                centre + QPointF(-half, 13),
            ]
        )
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self._colour(part.node, theme.current().outline))
        painter.drawPolygon(shape)
        self._paint_focus(painter, part)

    def _paint_plain_arrow(self, painter: QPainter, left: float, right: float) -> None:
        y = self.height() / 2
        painter.setPen(QPen(QColor(theme.current().outline), 1.5))
        painter.drawLine(QPointF(left + 4, y), QPointF(right - 4, y))
        painter.drawPolyline([QPointF(right - 8, y - 4), QPointF(right - 4, y), QPointF(right - 8, y + 4)])


def _bold(font: QFont) -> QFont:
    bold = QFont(font)
    bold.setBold(True)
    return bold


def counted(parameters: int) -> str:
    """A number of parameters for people: "14.2 M", "49 k"."""
    if parameters >= 1_000_000:
        return f"{parameters / 1e6:.1f} M"
    return f"{parameters / 1e3:.0f} k" if parameters >= 1000 else str(parameters)


def stem_texts(model: ModelInfo) -> tuple[str, str]:
    """The two lines of the stem: "4×4", "stride 4"."""
    convs = model.config.stem_convs
    size = f"{convs[0].kernel_size}×{convs[0].kernel_size}"
    stride = prod(conv.stride for conv in convs)
    return size if len(convs) == 1 else f"{size} twice", f"stride {stride}"


def stage_texts(model: ModelInfo, stage: str) -> tuple[str, str]:
    """The two lines of a stage: "Stage 3 · 14.2 M", "9 blocks · 384 ch · 14×14"."""
    node = model.node(stage)
    depth = model.config.depths[model.config.stages.index(stage)]
    channels, height, width = node.shape
    blocks = "1 block" if depth == 1 else f"{depth} blocks"
    return f"{node.title} · {counted(node.parameters)}", f"{blocks} · {channels} ch · {height}×{width}"


def describe(node: NodeInfo) -> str:
    """A node in a read-out."""
    channels, height, width = node.shape
    field = "the whole picture" if node.field.is_global else f"{node.field.size_px} px"
    return (
        f"{node.title} · {channels} channels · {height}×{width} units · {counted(node.parameters)} parameters"
        f" · {node.macs / 1e9:.2f} GMACs · theoretical field {field}"
    )
