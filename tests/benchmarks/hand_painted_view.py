"""A zoomable view of a picture or map, and the painter of its scene; pixel *i* covers [i, i + 1)."""

import math
from dataclasses import dataclass

from PySide6.QtCore import QEvent, QLineF, QPointF, QRectF, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QFontMetrics,
    QKeyEvent,
    QMouseEvent,
    QPaintEngine,
    QPainter,
    QPainterPath,
    QPaintEvent,
    QPen,
    QRegion,
    QResizeEvent,
    QTransform,
    QWheelEvent,
)
from PySide6.QtWidgets import QSizePolicy, QWidget

from convnext_studio.common.geometry import Box
from convnext_studio.ui.plots.scene import Layer, Lines, Mark, Scene, Spot
from convnext_studio.ui.widgets import theme
from convnext_studio.ui.widgets.focus_ring import PAINTS_FOCUS
from convnext_studio.ui.widgets.text_size import follow_text, scaled_px

MARGIN_PX = 6
LEADER_PX = 18.0
HALO = QColor(0, 0, 0, 215)
_SPOT_ARM_PX = 7.0


@dataclass(frozen=True, slots=True)
class View:
    """The mapping from a scene to a widget.

    Attributes
    ----------
    scale, origin
        Logical pixels per scene pixel, and the position of the scene's upper left corner in the widget.
    area
        Rectangle of the widget.
    column_px
        Width of the column for labels beside the layers; 0 if there is none.
    metrics
        Metrics of the font.
    """

    scale: float
    origin: QPointF
    area: QRectF
    column_px: float
    metrics: QFontMetrics

    def point(self, x: float, y: float) -> QPointF:
        """Return a point of the scene in the widget's logical pixels."""
        return QPointF(x * self.scale + self.origin.x(), y * self.scale + self.origin.y())

    def box(self, box: Box) -> QRectF:
        """Return a box of the scene in the widget's logical pixels."""
        x, y, width, height = box
        return QRectF(self.point(x, y), self.point(x + width, y + height))

    @property
    def line_px(self) -> float:
        """The height of a label."""
        return self.metrics.height() + 2.0

    def text_px(self, text: str) -> float:
        """Return the width of a label with this text."""
        return self.metrics.horizontalAdvance(text) + 8.0


class ScenePainter:
    """Paints one scene with one painter."""

    def __init__(self, painter: QPainter, view: View, scene: Scene) -> None:
        self._painter = painter
        self._view = view
        self._scene = scene

    def paint_layers(self) -> None:
        """Paint the layers, and shade everything outside the bright box."""
        for layer in self._scene.layers:
            self._paint_layer(layer)
        if self._scene.bright_box is not None:
            self._shade_around(self._scene.bright_box)

    def paint_marks(self) -> None:
        """Paint lines, frames with labels, and spots."""
        for lines in self._scene.lines:
            self._paint_lines(lines)
        self._paint_marks(self._scene.marks)
        for spot in self._scene.spots:
            self._paint_spot(spot)

    def paint_notes(self) -> None:
        """Paint the lines of the note at the bottom."""
        view = self._view
        left = view.area.width() - view.column_px + LEADER_PX if view.column_px else MARGIN_PX
        for index, line in enumerate(reversed(self._notes)):
            bottom = view.area.height() - MARGIN_PX - index * view.line_px
            self._label(line, QPointF(left, bottom - view.line_px))

    def paint_highlight(self, box: Box) -> None:
        """Paint a frame around the box under the pointer."""
        self._frame(self._view.box(box), QColor(theme.current().accent), dashed=False)

    def paint_crosshair(self, arms: list[QLineF]) -> None:
        """Paint the lines of a crosshair, given in the widget's logical pixels."""
        for arm in arms:
            for pen in (QPen(HALO, 3), QPen(QColor("#ffffff"), 1)):
                self._painter.setPen(pen)
                self._painter.drawLine(arm)

    @property
    def _is_svg(self) -> bool:
        return self._painter.paintEngine().type() == QPaintEngine.Type.SVG

    @property
    def _notes(self) -> list[str]:
        return self._scene.note.splitlines()

    def _paint_layer(self, layer: Layer) -> None:
        whole = self._view.box(layer.box)
        visible = whole.intersected(self._view.area)
        if visible.isEmpty():
            return
        # Device pixels per image pixel; an SVG file keeps the full resolution, because readers enlarge it.
        scale = whole.width() / layer.bitmap.image.width() * self._painter.deviceTransform().m11()
        image = layer.bitmap.image if self._is_svg else layer.bitmap.level(scale)
        across, down = whole.width() / image.width(), whole.height() / image.height()
        # Draw only the visible pixels, because Qt loses precision on targets of many thousand pixels.
        left, top = math.floor((visible.x() - whole.x()) / across), math.floor((visible.y() - whole.y()) / down)
        right = min(math.ceil((visible.right() - whole.x()) / across), image.width())
        bottom = min(math.ceil((visible.bottom() - whole.y()) / down), image.height())
        source = QRectF(left, top, right - left, bottom - top)
        target = QRectF(
            whole.x() + left * across, whole.y() + top * down, source.width() * across, source.height() * down
        )
        self._painter.save()
        self._painter.setOpacity(layer.opacity)
        if layer.clip is not None:
            self._painter.setClipRect(self._view.box(layer.clip), Qt.ClipOperation.IntersectClip)
        self._painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, layer.smooth or scale < 1)
        if self._is_svg:  # Qt would write the whole image.
            image, source = image.copy(source.toRect()), QRectF(0, 0, source.width(), source.height())
        self._painter.drawImage(target, image, source)
        self._painter.restore()

    def _paint_lines(self, lines: Lines) -> None:
        view, painter = self._view, self._painter
        painter.save()
        enlarged, drawn = painter.deviceTransform().m11(), lines.drawn
        placing = QTransform.fromTranslate(view.origin.x(), view.origin.y()).scale(view.scale, view.scale)
        if self._is_svg:  # Not every SVG reader supports cosmetic pens.
            drawn = [placing.map(line) for line in drawn]
        else:
            painter.setTransform(placing, combine=True)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for colour, width in ((HALO, 3.0), (QColor(lines.colour), 1.4)):
            pen = QPen(colour, width * enlarged)
            pen.setCosmetic(True)
            # Round caps would take three times as long.
            pen.setCapStyle(Qt.PenCapStyle.FlatCap)
            painter.setPen(pen)
            painter.drawLines(drawn)
        painter.restore()

    def _paint_spot(self, spot: Spot) -> None:
        point = self._view.point(spot.x, spot.y)
        x, y = math.floor(point.x()) + 0.5, math.floor(point.y()) + 0.5
        for pen in (QPen(HALO, 4), QPen(QColor(spot.colour), 2)):
            reach = _SPOT_ARM_PX + pen.widthF() / 2
            pen.setCapStyle(Qt.PenCapStyle.FlatCap)
            self._painter.setPen(pen)
            self._painter.drawLine(QLineF(x - reach, y, x + reach, y))
            self._painter.drawLine(QLineF(x, y - reach, x, y + reach))

    def _shade_around(self, box: Box) -> None:
        around = QPainterPath()
        around.addRect(self._view.box((0.0, 0.0, *self._scene.size)))
        inside = QPainterPath()
        inside.addRect(self._view.box(box))
        self._painter.fillPath(around.subtracted(inside), QColor(0, 0, 0, 110))

    def _paint_marks(self, marks: tuple[Mark, ...]) -> None:
        for mark in marks:
            self._frame(self._view.box(mark.box), QColor(mark.colour), mark.dashed)
        labelled = [mark for mark in marks if mark.label]
        if self._view.column_px:
            self._label_beside([mark for mark in labelled if mark.beside])
            labelled = [mark for mark in labelled if not mark.beside]
        taken: list[QRectF] = []
        for mark in labelled:
            place = self._free_place(mark, taken)
            taken.append(self._label(mark.label, place, QColor(mark.colour)))

    def _label_beside(self, marks: list[Mark]) -> None:
        """Paint labels in a column, from the highest frame down, each with a line to its frame's corner."""
        left, step = self._view.area.width() - self._view.column_px + LEADER_PX, self._view.line_px + 2
        marks = sorted(marks, key=lambda mark: mark.box[1])
        corners = [self._view.box(mark.box).topRight() for mark in marks]
        tops: list[float] = []
        for corner in corners:
            least = tops[-1] + step if tops else float(MARGIN_PX)
            tops.append(max(least, corner.y() - self._view.line_px / 2))
        # The note occupies the bottom of the column; labels that would overlap it move up.
        lowest = self._view.area.height() - MARGIN_PX - self._view.line_px * len(self._notes) - step
        for index in reversed(range(len(tops))):
            tops[index] = min(tops[index], lowest - step * (len(tops) - 1 - index))
        for mark, corner, top in zip(marks, corners, tops, strict=True):
            self._painter.setPen(QPen(QColor(theme.current().outline), 1))
            self._painter.drawLine(corner, QPointF(left - 2, top + self._view.line_px / 2))
            self._label(mark.label, QPointF(left, top), QColor(mark.colour))

    def _frame(self, rect: QRectF, colour: QColor, dashed: bool) -> None:
        crisp = QRectF(rect.topLeft().toPoint(), rect.bottomRight().toPoint())
        pen = QPen(colour, 2, c=Qt.PenCapStyle.FlatCap, j=Qt.PenJoinStyle.MiterJoin)
        if dashed:
            pen.setDashPattern([4, 3])
        self._painter.setBrush(Qt.BrushStyle.NoBrush)
        for each in (QPen(HALO, 4, j=Qt.PenJoinStyle.MiterJoin), pen):
            self._painter.setPen(each)
            self._painter.drawRect(crisp)

    def _free_place(self, mark: Mark, taken: list[QRectF]) -> QPointF:
        """Return a free position for the mark's label: at a corner, outside first, or else below all labels."""
        rect = self._view.box(mark.box)
        width, height = self._view.text_px(mark.label), self._view.line_px
        above, below, right = rect.top() - height - 2, rect.bottom() + 2, rect.right() - width
        corners = [
            QPointF(rect.left(), above),
            QPointF(right, below),
            QPointF(right, above),
            QPointF(rect.left(), below),
            QPointF(rect.left() + 2, rect.top() + 2),
            QPointF(right - 2, rect.bottom() - height - 2),
            QPointF(right - 2, rect.top() + 2),
            QPointF(rect.left() + 2, rect.bottom() - height - 2),
        ]
        area = self._view.area
        for corner in corners:
            place = QRectF(corner.x(), corner.y(), width, height)
            if area.contains(place) and not any(place.intersects(other) for other in taken):
                return corner
        lowest = max((other.bottom() for other in taken), default=0.0)
        return QPointF(max(area.width() - width - MARGIN_PX, 0.0), lowest + 2)

    def _label(self, text: str, at: QPointF, colour: QColor | None = None) -> QRectF:
        rect = QRectF(at.x(), at.y(), self._view.text_px(text), self._view.line_px)
        self._painter.fillRect(rect, HALO)
        self._painter.setPen(colour if colour is not None else QColor("#ffffff"))
        self._painter.drawText(rect, Qt.AlignmentFlag.AlignCenter, text)
        return rect


_LARGEST_ZOOM = 400.0
_WHEEL_STEP = 1.0015
_CLICK_PX = 4
_LEAST_PX = 64
_CROSSHAIR_GAP_PX = 7


@dataclass(frozen=True, slots=True)
class Viewpoint:
    """The visible part of a scene, independent of the sizes of the scene and the view.

    Attributes
    ----------
    x, y
        Centre of the view, as fractions of the scene's width and height.
    zoom
        Scale relative to the scale at which the scene fits.
    """

    x: float
    y: float
    zoom: float


class ImageView(QWidget):
    """A view of a `Scene`: the wheel zooms at the pointer, dragging moves, and a double click fits.

    A view that the user has not zoomed or moved keeps its scene fitted when its size changes.
    """

    hovered = Signal(float, float)  # scene coordinates, within the scene's size
    hover_left = Signal()
    clicked = Signal(float, float)  # scene coordinates, within the scene's size
    resized = Signal()
    moved = Signal()  # zoomed, dragged or fitted by the user
    refitted = Signal()  # a new scene or layout is shown as a whole

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._scene: Scene | None = None
        self._highlight: Box | None = None
        self._crosshair: tuple[float, float] | None = None
        self._dimmed = False
        self._fitted = True
        self._column = 0.0
        self._scale = 1.0
        self._origin = QPointF()
        self._press: QPointF | None = None
        self._drag: QPointF | None = None
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        follow_text(self, lambda: self.setMinimumSize(scaled_px(_LEAST_PX), scaled_px(_LEAST_PX)))
        self.setProperty(PAINTS_FOCUS, True)
        # No tooltip, because it would hide what the user points at.
        self.setAccessibleDescription(
            "Zoom with the wheel or + and -, move by dragging or with the middle button, fit "
            "with a double click or 0."
        )

    @property
    def scene(self) -> Scene | None:
        """The scene that is shown, or None."""
        return self._scene

    def set_scene(self, scene: Scene | None) -> None:
        """Show another scene; the zoom is kept if the size of the scene is the same."""
        refit = self._scene is None or scene is None or scene.size != self._scene.size
        self._scene = scene
        column = self._column_px()
        if refit or (self._fitted and column != self._column):
            self._column = column
            self._highlight = None
            self.fit()
            self.refitted.emit()
        self.update()

    @property
    def is_fitted(self) -> bool:
        """Whether the whole scene is visible and stays so when the view is resized."""
        return self._fitted

    @property
    def is_dimmed(self) -> bool:
        """Whether the view is dimmed while a newer scene is being prepared."""
        return self._dimmed

    def set_dimmed(self, dimmed: bool) -> None:
        """Dim the view, or undo that."""
        if dimmed != self._dimmed:
            self._dimmed = dimmed
            self.update()

    @property
    def highlight(self) -> Box | None:
        """The box that is framed under the pointer, or None."""
        return self._highlight

    def set_highlight(self, box: Box | None) -> None:
        """Frame a box under the pointer; None removes the frame."""
        if box != self._highlight:
            self._highlight = box
            self.update()

    @property
    def crosshair(self) -> tuple[float, float] | None:
        """The point of the scene at which the crosshair is, or None."""
        return self._crosshair

    def set_crosshair(self, point: tuple[float, float] | None) -> None:
        """Draw a crosshair at a point of the scene, with a gap at its centre; None removes it."""
        if point != self._crosshair:
            # Repaint only what changes, because this runs at every movement of the pointer.
            before, self._crosshair = self._crosshair_region(), point
            self.update(before.united(self._crosshair_region()))

    # ---------------------------------------------------------------------------------------- coordinates

    def to_widget(self, x: float, y: float) -> QPointF:
        """Return a point of the scene in the widget's logical pixels."""
        return self._view.point(x, y)

    def to_scene(self, point: QPointF) -> tuple[float, float]:
        """Return a point of the widget in scene coordinates; the inverse of `to_widget`."""
        return (point.x() - self._origin.x()) / self._scale, (point.y() - self._origin.y()) / self._scale

    def fit(self) -> None:
        """Show the whole scene as large as possible."""
        self._fitted = True
        if self._scene is not None:
            width, height = self._scene.size
            self._scale = self._fitting_scale()
            self._origin = QPointF(
                (self.width() - self._column - width * self._scale) / 2,
                (self.height() - height * self._scale) / 2,
            )
        self.update()

    def zoom(self, factor: float, at: QPointF | None = None) -> None:
        """Zoom by a factor around the point `at` of the widget, by default its centre."""
        if self._scene is None:
            return
        fixed = at if at is not None else QPointF(self.width() / 2, self.height() / 2)
        x, y = self.to_scene(fixed)
        smallest = self._fitting_scale() / 4
        self._scale = min(max(self._scale * factor, smallest), max(_LARGEST_ZOOM, smallest))
        self._origin = QPointF(fixed.x() - x * self._scale, fixed.y() - y * self._scale)
        self._fitted = False
        self.update()

    def show_all(self) -> None:
        """Fit the scene on request of the user."""
        self.fit()
        self.moved.emit()

    def show_pixels(self) -> None:
        """Show one scene pixel per screen pixel on request of the user."""
        self.look(*self.centre, 1 / self.devicePixelRatioF())
        self.moved.emit()

    @property
    def scale(self) -> float:
        """The number of logical pixels per scene pixel."""
        return self._scale

    @property
    def centre(self) -> tuple[float, float]:
        """The point of the scene at the centre of the view."""
        return self.to_scene(QPointF(self.width() / 2, self.height() / 2))

    def look(self, x: float, y: float, scale: float) -> None:
        """Centre a point of the scene at a scale, which is limited as for the wheel and the keys."""
        smallest = self._fitting_scale() / 4
        self._fitted = False
        self._scale = min(max(scale, smallest), max(_LARGEST_ZOOM, smallest))
        self._origin = QPointF(self.width() / 2 - x * self._scale, self.height() / 2 - y * self._scale)
        self.update()

    @property
    def viewpoint(self) -> Viewpoint | None:
        """The visible part of the scene; None if the scene is fitted."""
        if self._fitted or self._scene is None:
            return None
        x, y = self.centre
        width, height = self._scene.size
        return Viewpoint(x / width, y / height, self._scale / self._fitting_scale())

    def set_viewpoint(self, viewpoint: Viewpoint | None) -> None:
        """Show this part of the scene, as another view does; None fits the scene."""
        if viewpoint is None or self._scene is None:
            self.fit()
            return
        width, height = self._scene.size
        self._fitted = False
        self._scale = self._fitting_scale() * viewpoint.zoom
        self._origin = QPointF(
            self.width() / 2 - viewpoint.x * width * self._scale,
            self.height() / 2 - viewpoint.y * height * self._scale,
        )
        self.update()

    def _fitting_scale(self) -> float:
        width, height = self._scene.size if self._scene is not None else (1.0, 1.0)
        room_x = self.width() - self._column - 2 * MARGIN_PX
        room_y = self.height() - 2 * MARGIN_PX
        return max(min(room_x / width, room_y / height), 1e-6)

    def _column_px(self) -> float:
        """Return the width for labels and note beside the layers; 0 if that would be half the view or more."""
        if self._scene is None:
            return 0.0
        texts = [mark.label for mark in self._scene.marks if mark.beside] + self._scene.note.splitlines()
        widest = max((self._view.text_px(text) for text in texts), default=0.0)
        return widest + LEADER_PX if 0 < widest < self.width() / 2 else 0.0

    # --------------------------------------------------------------------------------------------- events

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Keep the scene fitted, or else keep its centre."""
        self._column = self._column_px()
        if self._fitted:
            self.fit()
        elif event.oldSize().isValid():
            change = event.size() - event.oldSize()
            self._origin += QPointF(change.width() / 2, change.height() / 2)
        self.resized.emit()

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Zoom at the pointer."""
        self.zoom(_WHEEL_STEP ** event.angleDelta().y(), event.position())
        self.moved.emit()
        event.accept()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Begin a click or a drag."""
        if event.button() == Qt.MouseButton.RightButton:
            event.ignore()  # It opens a menu, so the release event would be lost.
            return
        self._press = self._drag = event.position()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Move the scene while a button is held, or else emit the point under the pointer."""
        position = event.position()
        if self._press is None or self._drag is None:
            self._hover(position)
            return
        if self.cursor().shape() != Qt.CursorShape.ClosedHandCursor:
            if (position - self._press).manhattanLength() <= _CLICK_PX:
                return
            self.setCursor(Qt.CursorShape.ClosedHandCursor)
        self._origin += position - self._drag
        self._drag = position
        self._fitted = False
        self.update()
        self.moved.emit()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """End a drag, or emit a click."""
        moved = self.cursor().shape() == Qt.CursorShape.ClosedHandCursor
        pressed, self._press, self._drag = self._press, None, None
        self.unsetCursor()
        if pressed is not None and not moved and event.button() == Qt.MouseButton.LeftButton:
            x, y = self.to_scene(event.position())
            if self._holds(x, y):
                self.clicked.emit(x, y)

    def mouseDoubleClickEvent(self, _event: QMouseEvent) -> None:
        """Fit the scene."""
        self.show_all()

    def leaveEvent(self, _event: QEvent) -> None:
        """Remove the highlight, and announce that the pointer has left."""
        self.set_highlight(None)
        self.hover_left.emit()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Zoom with plus and minus, and fit with 0; other keys are left to the panel."""
        match event.key():
            case Qt.Key.Key_Plus | Qt.Key.Key_Equal:
                self.zoom(1.25)
            case Qt.Key.Key_Minus:
                self.zoom(0.8)
            case Qt.Key.Key_0:
                self.fit()
            case _:
                event.ignore()
                return
        self.moved.emit()

    def changeEvent(self, event: QEvent) -> None:
        """Follow changes of theme and font; the font determines the room for labels beside the layers."""
        if event.type() == QEvent.Type.FontChange:
            self._column = self._column_px()
            if self._fitted:
                self.fit()
        if event.type() in (QEvent.Type.PaletteChange, QEvent.Type.FontChange):
            self.update()
        super().changeEvent(event)

    def _hover(self, position: QPointF) -> None:
        x, y = self.to_scene(position)
        if self._holds(x, y):
            self.hovered.emit(x, y)
        else:
            self.set_highlight(None)
            self.hover_left.emit()

    def _holds(self, x: float, y: float) -> bool:
        return self._scene is not None and 0 <= x < self._scene.size[0] and 0 <= y < self._scene.size[1]

    # ------------------------------------------------------------------------------------------- painting

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Paint the view, with a frame if it has the focus."""
        with QPainter(self) as painter:
            self.draw(painter)
            if self.hasFocus():
                painter.setPen(QPen(QColor(theme.current().accent), 2))
                painter.setBrush(Qt.BrushStyle.NoBrush)
                painter.drawRect(self.rect().adjusted(1, 1, -1, -1))

    def draw(self, painter: QPainter) -> None:
        """Draw the contents at the size of the view; the painter may be scaled."""
        look = theme.current()
        painter.fillRect(self.rect(), QColor(look.surface))
        if self._scene is None:
            return
        brush = ScenePainter(painter, self._view, self._scene)
        brush.paint_layers()
        if self._dimmed:
            veil = QColor(look.surface)
            veil.setAlpha(150)
            painter.fillRect(self.rect(), veil)
        brush.paint_marks()
        if self._highlight is not None:
            brush.paint_highlight(self._highlight)
        brush.paint_crosshair(self._crosshair_arms())
        brush.paint_notes()

    @property
    def _view(self) -> View:
        return View(self._scale, self._origin, QRectF(self.rect()), self._column, self.fontMetrics())

    def _crosshair_arms(self) -> list[QLineF]:
        if self._crosshair is None or self._scene is None or not self._holds(*self._crosshair):
            return []
        point = self.to_widget(*self._crosshair)
        x, y = math.floor(point.x()) + 0.5, math.floor(point.y()) + 0.5
        gap = _CROSSHAIR_GAP_PX
        area = self._view.box((0.0, 0.0, *self._scene.size)).intersected(QRectF(self.rect()))
        arms = (
            QLineF(area.left(), y, x - gap, y),
            QLineF(x + gap, y, area.right(), y),
            QLineF(x, area.top(), x, y - gap),
            QLineF(x, y + gap, x, area.bottom()),
        )
        return [arm for arm in arms if arm.dx() + arm.dy() > 0]  # Drop arms for which there is no room.

    def _crosshair_region(self) -> QRegion:
        region = QRegion()
        for line in self._crosshair_arms():
            box = QRectF(line.p1(), line.p2()).normalized().adjusted(-3, -3, 3, 3)
            region = region.united(box.toAlignedRect())
        return region
