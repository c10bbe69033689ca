"""Paints a scene: layers, lines, frames with their labels, and notes."""

import math
from dataclasses import dataclass

from PySide6.QtCore import QLineF, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFontMetrics, QPainter, QPainterPath, QPen

from convnext_studio.geometry import Box
from convnext_studio.ui import theme
from convnext_studio.ui.scene import Layer, Lines, Mark, Scene, Spot

MARGIN_PX = 6
LEADER_PX = 18.0
HALO = QColor(0, 0, 0, 215)
_SPOT_ARM_PX = 7.0


@dataclass(frozen=True, slots=True)
class View:
    """How a scene is seen.

    Attributes
    ----------
    scale, origin
        Logical pixels for one of the scene's, and where the scene's upper left corner is.
    area
        Of the widget.
    column_px
        Width of the column for labels beside the layers; 0 where there is none.
    metrics
        Of the font.
    """

    scale: float
    origin: QPointF
    area: QRectF
    column_px: float
    metrics: QFontMetrics

    def point(self, x: float, y: float) -> QPointF:
        """A point of the scene, in the widget's logical pixels."""
        return QPointF(x * self.scale + self.origin.x(), y * self.scale + self.origin.y())

    def box(self, box: Box) -> QRectF:
        """A box of the scene, in the widget's logical pixels."""
        x, y, width, height = box
        return QRectF(self.point(x, y), self.point(x + width, y + height))

    @property
    def line_px(self) -> float:
        """Height of a label."""
        return self.metrics.height() + 2.0

    def text_px(self, text: str) -> float:
        """Width of a label."""
        return self.metrics.horizontalAdvance(text) + 8.0


class ScenePainter:
    """One painting of a scene."""

    def __init__(self, painter: QPainter, view: View, scene: Scene) -> None:
        self._painter = painter
        self._view = view
        self._scene = scene

    def paint_layers(self) -> None:
        """The layers, the rest stepping back behind what is to be bright."""
        for layer in self._scene.layers:
            self._paint_layer(layer)
        if self._scene.bright_box is not None:
            self._shade_around(self._scene.bright_box)

    def paint_marks(self) -> None:
        """Lines, frames with labels, and spots."""
        for lines in self._scene.lines:
            self._paint_lines(lines)
        self._paint_marks(self._scene.marks)
        for spot in self._scene.spots:
            self._paint_spot(spot)

    def paint_notes(self) -> None:
        """The note's lines at the bottom."""
        view = self._view
        left = view.area.width() - view.column_px + LEADER_PX if view.column_px else MARGIN_PX
        for index, line in enumerate(reversed(self._notes)):
            bottom = view.area.height() - MARGIN_PX - index * view.line_px
            self._label(line, QPointF(left, bottom - view.line_px))

    def paint_highlight(self, box: Box) -> None:
        """A frame around what is under the pointer."""
        self._frame(self._view.box(box), QColor(theme.current().accent), dashed=False)

    def paint_crosshair(self, arms: list[QLineF]) -> None:
        """Lines through a point, in the widget's logical pixels."""
        for arm in arms:
            for pen in (QPen(HALO, 3), QPen(QColor("#ffffff"), 1)):
                self._painter.setPen(pen)
                self._painter.drawLine(arm)

    @property
    def _notes(self) -> list[str]:
        return self._scene.note.splitlines()

    def _paint_layer(self, layer: Layer) -> None:
        whole = self._view.box(layer.box)
        visible = whole.intersected(self._view.area)
        if visible.isEmpty():
            return
        # Of the screen, or of whatever else is painted on.
        scale = whole.width() / layer.bitmap.image.width() * self._painter.deviceTransform().m11()
        image = layer.bitmap.level(scale)
        across, down = whole.width() / image.width(), whole.height() / image.height()
        # Only the pixels that are visible: Qt loses precision on targets of many thousand pixels.
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
        self._painter.drawImage(target, image, source)
        self._painter.restore()

    def _paint_lines(self, lines: Lines) -> None:
        view, painter = self._view, self._painter
        painter.save()
        enlarged = painter.deviceTransform().m11()
        painter.translate(view.origin)
        painter.scale(view.scale, view.scale)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for colour, width in ((HALO, 3.0), (QColor(lines.colour), 1.4)):
            pen = QPen(colour, width * enlarged)
            pen.setCosmetic(True)
            # Round ends would take three times as long.
            pen.setCapStyle(Qt.PenCapStyle.FlatCap)
            painter.setPen(pen)
            painter.drawLines(lines.drawn)
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
        """Labels in a column, from the highest frame down, each with a line to its frame's corner."""
        left, step = self._view.area.width() - self._view.column_px + LEADER_PX, self._view.line_px + 2
        marks = sorted(marks, key=lambda mark: mark.box[1])
        corners = [self._view.box(mark.box).topRight() for mark in marks]
        tops: list[float] = []
        for corner in corners:
            least = tops[-1] + step if tops else float(MARGIN_PX)
            tops.append(max(least, corner.y() - self._view.line_px / 2))
        # The note keeps the bottom of the column; labels that would reach into it move up.
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
        """Where a label of the mark fits: at its corners, outside first, or else below the labels so far."""
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
