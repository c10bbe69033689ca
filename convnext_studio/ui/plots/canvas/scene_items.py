"""The parts of a scene as graphics items: layers in the scene's coordinates, all else in the view's pixels.

The items exist as long as their view and only change what they paint: removing items while Qt tells a scene of
a new palette has crashed.
"""

import math

from PySide6.QtCore import QLineF, QPointF, QRect, QRectF, Qt
from PySide6.QtGui import (
    QColor,
    QFont,
    QFontInfo,
    QFontMetricsF,
    QPaintEngine,
    QPainter,
    QPainterPath,
    QPen,
    QTransform,
)
from PySide6.QtWidgets import QGraphicsItem, QStyleOptionGraphicsItem, QWidget

from convnext_studio.common.geometry import Box
from convnext_studio.ui.plots.canvas.projection import LEADER_PX, MARGIN_PX, Projection
from convnext_studio.ui.plots.scene import Layer, Lines, Mark, Scene, Spot, Text
from convnext_studio.ui.widgets import theme

HALO = QColor(0, 0, 0, 215)
HANDLE_PX = 3.5
_SHADE = QColor(0, 0, 0, 110)
_VEIL_ALPHA = 150
_FAINT = ((QColor(0, 0, 0, 26), 2.0), (QColor(255, 255, 255, 56), 1.0))
_SPOT_ARM_PX = 7.0
_LEAST_TEXT_PX = 6
_CROSSHAIR_GAP_PX = 7
# Below this, a difference is the rounding of the view box's transform and not a place between two pixels.
_DIGITS = 9


class SceneItem(QGraphicsItem):
    """The base of the items that ignore the zoom: one that covers the view and paints in its logical pixels."""

    def __init__(self) -> None:
        super().__init__()
        self._scene: Scene | None = None
        self._projection: Projection | None = None
        self.setAcceptedMouseButtons(Qt.MouseButton.NoButton)
        self.hide()

    def show_scene(self, scene: Scene | None, projection: Projection) -> None:
        """Paint this scene with this projection from now on."""
        if self._projection is None or projection.area != self._projection.area:
            self.prepareGeometryChange()
        self._scene, self._projection = scene, projection
        self.setVisible(scene is not None and self.has_contents(scene))
        self.update()

    def has_contents(self, scene: Scene) -> bool:
        """Return whether there is anything to paint."""
        raise NotImplementedError

    def draw(self, painter: QPainter, scene: Scene, projection: Projection) -> None:
        """Paint in the view's logical pixels."""
        raise NotImplementedError

    def boundingRect(self) -> QRectF:
        """Return the area of the view."""
        return QRectF() if self._projection is None else self._projection.area

    def paint(
        self, painter: QPainter, _option: QStyleOptionGraphicsItem, _widget: QWidget | None = None
    ) -> None:
        """Paint the item with any painter, that of a file included."""
        if self._scene is not None and self._projection is not None:
            painter.save()
            painter.setFont(self._projection.font)
            self.draw(painter, self._scene, self._projection)
            painter.restore()


class LayersItem(SceneItem):
    """The layers, from copies of their bitmaps in the size needed, and the shade around the bright box.

    It belongs into the view box, whose transform gives it the scene's coordinates.
    """

    def has_contents(self, scene: Scene) -> bool:
        """Return whether there is a layer."""
        return bool(scene.layers) or scene.bright_box is not None

    def boundingRect(self) -> QRectF:
        """Return the visible part of the scene's plane."""
        return QRectF() if self._projection is None else self._projection.shown

    def show_scene(self, scene: Scene | None, projection: Projection) -> None:
        """Paint this scene with this projection from now on."""
        self.prepareGeometryChange()
        super().show_scene(scene, projection)

    def draw(self, painter: QPainter, scene: Scene, projection: Projection) -> None:
        """Paint the layers, and shade everything outside the bright box."""
        placing = painter.worldTransform()
        # Painted in pixels, because Qt rounds less exactly with a transform, and a file has no other unit.
        painter.setWorldTransform(QTransform())
        area = placing.mapRect(projection.shown)
        for layer in scene.layers:
            _paint_layer(painter, layer, placing, area)
        if scene.bright_box is not None:
            around = QPainterPath()
            around.addRect(_placed(placing, (0.0, 0.0, *scene.size)))
            inside = QPainterPath()
            inside.addRect(_placed(placing, scene.bright_box))
            painter.fillPath(around.subtracted(inside), _SHADE)


def _placed(placing: QTransform, box: Box) -> QRectF:
    """Return a box of the scene in the painter's pixels, without the rounding of the transform."""
    rect = placing.mapRect(QRectF(*box))
    left, top = round(rect.left(), _DIGITS), round(rect.top(), _DIGITS)
    return QRectF(left, top, round(rect.right(), _DIGITS) - left, round(rect.bottom(), _DIGITS) - top)


def _paint_layer(painter: QPainter, layer: Layer, placing: QTransform, area: QRectF) -> None:
    whole = _placed(placing, layer.box)
    visible = whole.intersected(area)
    if visible.isEmpty():
        return
    # Device pixels per image pixel; an SVG file keeps the full resolution, because readers enlarge it.
    scale = whole.width() / layer.bitmap.image.width() * painter.deviceTransform().m11()
    is_svg = _is_svg(painter)
    image = layer.bitmap.image if is_svg else layer.bitmap.level(scale)
    across, down = whole.width() / image.width(), whole.height() / image.height()
    # Draw only the visible pixels, because Qt loses precision on targets of many thousand pixels.
    left, top = math.floor((visible.x() - whole.x()) / across), math.floor((visible.y() - whole.y()) / down)
    right = min(math.ceil((visible.right() - whole.x()) / across), image.width())
    bottom = min(math.ceil((visible.bottom() - whole.y()) / down), image.height())
    source = QRectF(left, top, right - left, bottom - top)
    target = QRectF(
        whole.x() + left * across, whole.y() + top * down, source.width() * across, source.height() * down
    )
    painter.save()
    painter.setOpacity(layer.opacity)
    if layer.clip is not None:
        painter.setClipRect(_placed(placing, layer.clip), Qt.ClipOperation.IntersectClip)
    painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, layer.smooth or scale < 1)
    if is_svg:  # Qt would write the whole image.
        image, source = image.copy(source.toRect()), QRectF(0, 0, source.width(), source.height())
    painter.drawImage(target, image, source)
    painter.restore()


def _is_svg(painter: QPainter) -> bool:
    return painter.paintEngine().type() == QPaintEngine.Type.SVG


class VeilItem(SceneItem):
    """The veil over the layers while a newer scene is being prepared."""

    def __init__(self) -> None:
        super().__init__()
        self._is_dimmed = False

    def set_dimmed(self, dimmed: bool) -> None:
        """Dim the layers from now on, or not."""
        self._is_dimmed = dimmed
        self.setVisible(dimmed and self._scene is not None)

    def has_contents(self, _scene: Scene) -> bool:
        """Return whether the layers are dimmed."""
        return self._is_dimmed

    def draw(self, painter: QPainter, _scene: Scene, projection: Projection) -> None:
        """Paint the surface over the layers, half transparent."""
        veil = QColor(theme.current().surface)
        veil.setAlpha(_VEIL_ALPHA)
        painter.fillRect(projection.area, veil)


class LinesItem(SceneItem):
    """Thin lines with a halo, of the same width at any zoom."""

    def has_contents(self, scene: Scene) -> bool:
        """Return whether there are lines."""
        return bool(scene.lines)

    def draw(self, painter: QPainter, scene: Scene, projection: Projection) -> None:
        """Paint the lines."""
        for lines in scene.lines:
            _paint_lines(painter, lines, projection)


def _paint_lines(painter: QPainter, lines: Lines, projection: Projection) -> None:
    painter.save()
    enlarged, drawn = painter.deviceTransform().m11(), lines.drawn
    placing = QTransform.fromTranslate(projection.origin.x(), projection.origin.y())
    placing.scale(projection.scale, projection.scale)
    if _is_svg(painter):  # Not every SVG reader supports cosmetic pens.
        drawn = [placing.map(line) for line in drawn]
    else:
        painter.setTransform(placing, combine=True)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    for colour, width in _FAINT if lines.faint else ((HALO, 3.0), (QColor(lines.colour), 1.4)):
        pen = QPen(colour, width * enlarged)
        pen.setCosmetic(True)
        # Round caps would take three times as long.
        pen.setCapStyle(Qt.PenCapStyle.FlatCap)
        painter.setPen(pen)
        painter.drawLines(drawn)
    painter.restore()


class MarksItem(SceneItem):
    """Frames with their labels, at the frames' corners or in a column beside the layers."""

    def has_contents(self, scene: Scene) -> bool:
        """Return whether there are marks."""
        return bool(scene.marks)

    def draw(self, painter: QPainter, scene: Scene, projection: Projection) -> None:
        """Paint the frames, and above all of them the labels."""
        for mark in scene.marks:
            _frame(painter, projection.box(mark.box), QColor(mark.colour), mark.dashed)
            if mark.has_handles:
                _handles(painter, projection.box(mark.box), QColor(mark.colour))
        labelled = [mark for mark in scene.marks if mark.label]
        if projection.column_px:
            beside = [mark for mark in labelled if mark.beside]
            _label_beside(painter, projection, beside, len(scene.note.splitlines()))
            labelled = [mark for mark in labelled if not mark.beside]
        taken: list[QRectF] = []
        for mark in labelled:
            place = _free_place(projection, mark, taken)
            taken.append(paint_label(painter, projection, mark.label, place, QColor(mark.colour)))


def _label_beside(painter: QPainter, projection: Projection, marks: list[Mark], note_lines: int) -> None:
    """Paint labels in a column, from the highest frame down, each with a line to its frame's corner."""
    line_px, step = projection.line_px, projection.step_px
    left = projection.area.width() - projection.column_px + LEADER_PX
    marks = sorted(marks, key=lambda mark: mark.box[1])
    corners = [projection.box(mark.box).topRight() for mark in marks]
    tops: list[float] = []
    for corner in corners:
        least = tops[-1] + step if tops else float(MARGIN_PX)
        tops.append(max(least, corner.y() - line_px / 2))
    # The note occupies the bottom of the column; labels that would overlap it move up.
    lowest = projection.area.height() - MARGIN_PX - line_px * note_lines - step
    for index in reversed(range(len(tops))):
        tops[index] = min(tops[index], lowest - step * (len(tops) - 1 - index))
    for mark, corner, top in zip(marks, corners, tops, strict=True):
        painter.setPen(QPen(QColor(theme.current().outline), 1))
        painter.drawLine(corner, QPointF(left - 2, top + line_px / 2))
        paint_label(painter, projection, mark.label, QPointF(left, top), QColor(mark.colour))


def _frame(painter: QPainter, rect: QRectF, colour: QColor, dashed: bool) -> None:
    crisp = QRectF(rect.topLeft().toPoint(), rect.bottomRight().toPoint())
    pen = QPen(colour, 2, c=Qt.PenCapStyle.FlatCap, j=Qt.PenJoinStyle.MiterJoin)
    if dashed:
        pen.setDashPattern([4, 3])
    painter.setBrush(Qt.BrushStyle.NoBrush)
    for each in (QPen(HALO, 4, j=Qt.PenJoinStyle.MiterJoin), pen):
        painter.setPen(each)
        painter.drawRect(crisp)


def _handles(painter: QPainter, rect: QRectF, colour: QColor) -> None:
    """Paint a small square at each corner of a frame."""
    painter.setPen(QPen(HALO, 1))
    painter.setBrush(colour)
    for corner in (rect.topLeft(), rect.topRight(), rect.bottomLeft(), rect.bottomRight()):
        painter.drawRect(QRectF(corner.x() - HANDLE_PX, corner.y() - HANDLE_PX, 2 * HANDLE_PX, 2 * HANDLE_PX))
    painter.setBrush(Qt.BrushStyle.NoBrush)


def _free_place(projection: Projection, mark: Mark, taken: list[QRectF]) -> QPointF:
    """Return a free position for the mark's label: at a corner, outside first, or else below all labels."""
    rect = projection.box(mark.box)
    width, height = projection.text_px(mark.label), projection.line_px
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
    area = projection.area
    for corner in corners:
        place = QRectF(corner.x(), corner.y(), width, height)
        if area.contains(place) and not any(place.intersects(other) for other in taken):
            return corner
    lowest = max((other.bottom() for other in taken), default=0.0)
    return QPointF(max(area.width() - width - MARGIN_PX, 0.0), lowest + 2)


def paint_label(
    painter: QPainter, projection: Projection, text: str, at: QPointF, colour: QColor | None = None
) -> QRectF:
    """Paint a text on a dark ground at a place of the view, and return its box."""
    rect = QRectF(at.x(), at.y(), projection.text_px(text), projection.line_px)
    painter.fillRect(rect, HALO)
    painter.setPen(colour if colour is not None else QColor("#ffffff"))
    painter.drawText(rect, Qt.AlignmentFlag.AlignCenter, text)
    return rect


class TextsItem(SceneItem):
    """Lines of text in boxes of the scene, as small tables and pictures with captions have them."""

    def has_contents(self, scene: Scene) -> bool:
        """Return whether there are texts."""
        return bool(scene.texts)

    def draw(self, painter: QPainter, scene: Scene, projection: Projection) -> None:
        """Paint the texts that are in sight."""
        for text in scene.texts:
            box = projection.box(text.box)
            if box.intersects(projection.area):
                _paint_text(painter, text, box, projection)


def _paint_text(painter: QPainter, text: Text, box: QRectF, projection: Projection) -> None:
    font, metrics = QFont(projection.font), QFontMetricsF(projection.font)
    needed = metrics.horizontalAdvance(text.least)
    said = text.text
    if needed > box.width() > 0:
        px = math.floor(QFontInfo(font).pixelSize() * box.width() / needed)
        font.setPixelSize(max(_LEAST_TEXT_PX, px))
    elif not text.least:
        said = metrics.elidedText(said, Qt.TextElideMode.ElideRight, box.width())
    painter.setFont(font)
    painter.setPen(QColor(getattr(theme.current(), text.colour, text.colour)))
    flags = text.align | Qt.AlignmentFlag.AlignVCenter | Qt.TextFlag.TextDontClip
    painter.drawText(box, int(flags), said)


class SpotsItem(SceneItem):
    """Small crosses of the same size at any zoom."""

    def has_contents(self, scene: Scene) -> bool:
        """Return whether there are spots."""
        return bool(scene.spots)

    def draw(self, painter: QPainter, scene: Scene, projection: Projection) -> None:
        """Paint the spots."""
        for spot in scene.spots:
            _paint_spot(painter, spot, projection)


def _paint_spot(painter: QPainter, spot: Spot, projection: Projection) -> None:
    point = projection.point(spot.x, spot.y)
    x, y = math.floor(point.x()) + 0.5, math.floor(point.y()) + 0.5
    for pen in (QPen(HALO, 4), QPen(QColor(spot.colour), 2)):
        reach = _SPOT_ARM_PX + pen.widthF() / 2
        pen.setCapStyle(Qt.PenCapStyle.FlatCap)
        painter.setPen(pen)
        painter.drawLine(QLineF(x - reach, y, x + reach, y))
        painter.drawLine(QLineF(x, y - reach, x, y + reach))


class HighlightItem(SceneItem):
    """The frame around the box under the pointer."""

    def __init__(self) -> None:
        super().__init__()
        self._box: Box | None = None

    def frame(self, box: Box | None) -> None:
        """Frame another box; None removes the frame."""
        self._box = box
        self.setVisible(box is not None and self._scene is not None)
        self.update()

    def has_contents(self, _scene: Scene) -> bool:
        """Return whether a box is framed."""
        return self._box is not None

    def draw(self, painter: QPainter, _scene: Scene, projection: Projection) -> None:
        """Paint the frame in the accent colour."""
        if self._box is not None:
            _frame(painter, projection.box(self._box), QColor(theme.current().accent), dashed=False)


class CrosshairItem(SceneItem):
    """Two lines through a point of the scene, with a gap at the point itself."""

    def __init__(self) -> None:
        super().__init__()
        self._point: tuple[float, float] | None = None

    def point_at(self, point: tuple[float, float] | None) -> None:
        """Move to another point of the scene; None removes the crosshair."""
        # Repaint only what changes, because this runs at every movement of the pointer.
        self._update_arms()
        self._point = point
        self.setVisible(point is not None and self._scene is not None)
        self._update_arms()

    def has_contents(self, _scene: Scene) -> bool:
        """Return whether there is a point."""
        return self._point is not None

    def draw(self, painter: QPainter, scene: Scene, projection: Projection) -> None:
        """Paint the arms."""
        for arm in self._arms(scene, projection):
            for pen in (QPen(HALO, 3), QPen(QColor("#ffffff"), 1)):
                painter.setPen(pen)
                painter.drawLine(arm)

    def _update_arms(self) -> None:
        if self._scene is not None and self._projection is not None:
            for arm in self._arms(self._scene, self._projection):
                self.update(QRectF(arm.p1(), arm.p2()).normalized().adjusted(-3, -3, 3, 3))

    def _arms(self, scene: Scene, projection: Projection) -> list[QLineF]:
        if self._point is None or not scene.holds(*self._point):
            return []
        point, gap = projection.point(*self._point), _CROSSHAIR_GAP_PX
        x, y = math.floor(point.x()) + 0.5, math.floor(point.y()) + 0.5
        area = projection.box((0.0, 0.0, *scene.size)).intersected(projection.area)
        arms = (
            QLineF(area.left(), y, x - gap, y),
            QLineF(x + gap, y, area.right(), y),
            QLineF(x, area.top(), x, y - gap),
            QLineF(x, y + gap, x, area.bottom()),
        )
        return [arm for arm in arms if arm.dx() + arm.dy() > 0]  # Drop arms for which there is no room.


class NoteItem(SceneItem):
    """The lines of the note at the bottom."""

    def has_contents(self, scene: Scene) -> bool:
        """Return whether there is a note."""
        return bool(scene.note)

    def draw(self, painter: QPainter, scene: Scene, projection: Projection) -> None:
        """Paint the lines, the last at the bottom."""
        area, column_px = projection.area, projection.column_px
        left = area.width() - column_px + LEADER_PX if column_px else MARGIN_PX
        for index, line in enumerate(reversed(scene.note.splitlines())):
            bottom = area.height() - MARGIN_PX - index * projection.line_px
            paint_label(painter, projection, line, QPointF(left, bottom - projection.line_px))


class FocusItem(SceneItem):
    """The frame of a view with the keyboard focus, which is painted on the screen only."""

    def __init__(self) -> None:
        super().__init__()
        self._is_focused = False

    def set_focused(self, focused: bool) -> None:
        """Paint the frame from now on, or not."""
        self._is_focused = focused
        self.setVisible(focused and self._projection is not None)
        self.update()

    def show_scene(self, scene: Scene | None, projection: Projection) -> None:
        """Follow the size of the view; the frame is there without a scene, too."""
        super().show_scene(scene, projection)
        self.setVisible(self._is_focused)

    def has_contents(self, _scene: Scene) -> bool:
        """Return whether the view has the focus."""
        return self._is_focused

    def paint(
        self, painter: QPainter, _option: QStyleOptionGraphicsItem, widget: QWidget | None = None
    ) -> None:
        """Paint the frame, unless this is for a file and not for a widget."""
        if widget is not None and self._projection is not None:
            paint_focus(painter, self._projection.area.toRect())


def paint_focus(painter: QPainter, area: QRect) -> None:
    """Paint the frame of a view with the keyboard focus."""
    painter.setPen(QPen(QColor(theme.current().accent), 2))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawRect(area.adjusted(1, 1, -1, -1))
