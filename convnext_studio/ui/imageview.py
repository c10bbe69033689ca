"""Pictures and maps to zoom into. Pixel *i* covers [i, i + 1), as in `convnext_studio.geometry`."""

import math

from PySide6.QtCore import QEvent, QPointF, QRectF, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPainterPath,
    QPaintEvent,
    QPen,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QSizePolicy, QWidget

from convnext_studio.geometry import Box
from convnext_studio.ui import theme
from convnext_studio.ui.scene import Layer, Mark, Scene

_MARGIN_PX = 6
_LARGEST_ZOOM = 400.0
_WHEEL_STEP = 1.0015
_CLICK_PX = 4
_LEADER_PX = 18.0
_HALO = QColor(0, 0, 0, 215)


class ImageView(QWidget):
    """Shows a `Scene`: the wheel zooms at the pointer, dragging moves, a double click fits.

    A view that was never zoomed by hand keeps its scene fitted when its size changes.
    """

    hovered = Signal(float, float)  # scene coordinates, within the scene's size
    hover_left = Signal()
    clicked = Signal(float, float)  # scene coordinates, within the scene's size
    resized = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._scene: Scene | None = None
        self._highlight: Box | None = None
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
        self.setMinimumSize(64, 64)
        # No tooltip: it would hide what the person points at.
        self.setAccessibleDescription("The wheel or + and - zoom, dragging moves, a double click or 0 fits.")

    @property
    def scene(self) -> Scene | None:
        """What is shown."""
        return self._scene

    def set_scene(self, scene: Scene | None) -> None:
        """Show something else; the zoom stays where the scene's size stays."""
        refit = self._scene is None or scene is None or scene.size != self._scene.size
        self._scene = scene
        column = self._column_px()
        if refit or (self._fitted and column != self._column):
            self._column = column
            self._highlight = None
            self.fit()
        self.update()

    @property
    def is_fitted(self) -> bool:
        """Whether the whole scene is seen, and will be at any size."""
        return self._fitted

    @property
    def is_dimmed(self) -> bool:
        """Whether what is shown awaits something newer."""
        return self._dimmed

    def set_dimmed(self, dimmed: bool) -> None:
        """Step back, or forward again."""
        if dimmed != self._dimmed:
            self._dimmed = dimmed
            self.update()

    @property
    def highlight(self) -> Box | None:
        """What is framed under the pointer."""
        return self._highlight

    def set_highlight(self, box: Box | None) -> None:
        """Frame what is under the pointer."""
        if box != self._highlight:
            self._highlight = box
            self.update()

    # ---------------------------------------------------------------------------------------- coordinates

    def to_widget(self, x: float, y: float) -> QPointF:
        """A point of the scene, in the widget's logical pixels."""
        return QPointF(x * self._scale + self._origin.x(), y * self._scale + self._origin.y())

    def to_scene(self, point: QPointF) -> tuple[float, float]:
        """A point of the widget, in the scene; the inverse of `to_widget`."""
        return (point.x() - self._origin.x()) / self._scale, (point.y() - self._origin.y()) / self._scale

    def fit(self) -> None:
        """Show the whole scene, as large as it goes."""
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
        """Enlarge, the point `at` of the widget staying where it is (the middle where None)."""
        if self._scene is None:
            return
        fixed = at if at is not None else QPointF(self.width() / 2, self.height() / 2)
        x, y = self.to_scene(fixed)
        smallest = self._fitting_scale() / 4
        self._scale = min(max(self._scale * factor, smallest), max(_LARGEST_ZOOM, smallest))
        self._origin = QPointF(fixed.x() - x * self._scale, fixed.y() - y * self._scale)
        self._fitted = False
        self.update()

    def _fitting_scale(self) -> float:
        width, height = self._scene.size if self._scene is not None else (1.0, 1.0)
        room_x = self.width() - self._column - 2 * _MARGIN_PX
        room_y = self.height() - 2 * _MARGIN_PX
        return max(min(room_x / width, room_y / height), 1e-6)

    def _column_px(self) -> float:
        """Room beside the layers for labels and note; none where it would take more than half."""
        if self._scene is None:
            return 0.0
        texts = [mark.label for mark in self._scene.marks if mark.beside] + self._note_lines
        widest = max((self._text_px(text) for text in texts), default=0.0)
        return widest + _LEADER_PX if 0 < widest < self.width() / 2 else 0.0

    @property
    def _note_lines(self) -> list[str]:
        return self._scene.note.splitlines() if self._scene is not None else []

    def _text_px(self, text: str) -> float:
        return self.fontMetrics().horizontalAdvance(text) + 8.0

    # --------------------------------------------------------------------------------------------- events

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Keep the fit, or else the middle."""
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
        event.accept()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Begin a click or a move."""
        self._press = self._drag = event.position()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Move the scene, or say what is under the pointer."""
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

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """End a move, or click."""
        moved = self.cursor().shape() == Qt.CursorShape.ClosedHandCursor
        pressed, self._press, self._drag = self._press, None, None
        self.unsetCursor()
        if pressed is not None and not moved and event.button() == Qt.MouseButton.LeftButton:
            x, y = self.to_scene(event.position())
            if self._holds(x, y):
                self.clicked.emit(x, y)

    def mouseDoubleClickEvent(self, _event: QMouseEvent) -> None:
        """Fit."""
        self.fit()

    def leaveEvent(self, _event: QEvent) -> None:
        """Nothing is under the pointer any more."""
        self.set_highlight(None)
        self.hover_left.emit()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Zoom with plus and minus, fit with 0; other keys are the panel's."""
        match event.key():
            case Qt.Key.Key_Plus | Qt.Key.Key_Equal:
                self.zoom(1.25)
            case Qt.Key.Key_Minus:
                self.zoom(0.8)
            case Qt.Key.Key_0:
                self.fit()
            case _:
                event.ignore()

    def changeEvent(self, event: QEvent) -> None:
        """Follow the theme."""
        if event.type() == QEvent.Type.PaletteChange:
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
        """Paint layers, marks and note."""
        with QPainter(self) as painter:
            self._paint(painter)

    def _paint(self, painter: QPainter) -> None:
        look = theme.current()
        painter.fillRect(self.rect(), QColor(look.surface))
        if self._scene is None:
            return
        for layer in self._scene.layers:
            self._paint_layer(painter, layer)
        if self._scene.bright_box is not None:
            self._shade_around(painter, self._scene.bright_box)
        if self._dimmed:
            veil = QColor(look.surface)
            veil.setAlpha(150)
            painter.fillRect(self.rect(), veil)
        self._paint_marks(painter, self._scene.marks)
        if self._highlight is not None:
            self._frame(painter, self._box_in_widget(self._highlight), QColor(look.accent), dashed=False)
        for index, line in enumerate(reversed(self._note_lines)):
            left = self.width() - self._column + _LEADER_PX if self._column else _MARGIN_PX
            bottom = self.height() - _MARGIN_PX - index * self._label_height()
            self._label(painter, line, QPointF(left, bottom - self._label_height()))
        if self.hasFocus():
            painter.setPen(QPen(QColor(look.accent), 1))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(self.rect().adjusted(0, 0, -1, -1))

    def _box_in_widget(self, box: Box) -> QRectF:
        x, y, width, height = box
        return QRectF(self.to_widget(x, y), self.to_widget(x + width, y + height))

    def _paint_layer(self, painter: QPainter, layer: Layer) -> None:
        whole = self._box_in_widget(layer.box)
        visible = whole.intersected(QRectF(self.rect()))
        if visible.isEmpty():
            return
        scale = whole.width() / layer.bitmap.image.width() * self.devicePixelRatioF()
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
        painter.save()
        painter.setOpacity(layer.opacity)
        if layer.clip is not None:
            painter.setClipRect(self._box_in_widget(layer.clip))
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, layer.smooth or scale < 1)
        painter.drawImage(target, image, source)
        painter.restore()

    def _shade_around(self, painter: QPainter, box: Box) -> None:
        width, height = self._scene.size if self._scene is not None else (0.0, 0.0)
        around = QPainterPath()
        around.addRect(self._box_in_widget((0.0, 0.0, width, height)))
        inside = QPainterPath()
        inside.addRect(self._box_in_widget(box))
        painter.fillPath(around.subtracted(inside), QColor(0, 0, 0, 110))

    def _paint_marks(self, painter: QPainter, marks: tuple[Mark, ...]) -> None:
        for mark in marks:
            self._frame(painter, self._box_in_widget(mark.box), QColor(mark.colour), mark.dashed)
        labelled = [mark for mark in marks if mark.label]
        if self._column:
            self._label_beside(painter, [mark for mark in labelled if mark.beside])
            labelled = [mark for mark in labelled if not mark.beside]
        taken: list[QRectF] = []
        for mark in labelled:
            place = self._free_place(mark, taken)
            taken.append(self._label(painter, mark.label, place, QColor(mark.colour)))

    def _label_beside(self, painter: QPainter, marks: list[Mark]) -> None:
        """Labels in a column, from the highest frame down, each with a line to its frame's corner."""
        left, step = self.width() - self._column + _LEADER_PX, self._label_height() + 2
        marks = sorted(marks, key=lambda mark: mark.box[1])
        corners = [self._box_in_widget(mark.box).topRight() for mark in marks]
        tops: list[float] = []
        for corner in corners:
            least = tops[-1] + step if tops else float(_MARGIN_PX)
            tops.append(max(least, corner.y() - self._label_height() / 2))
        # The note keeps the bottom of the column; labels that would reach into it move up.
        lowest = self.height() - _MARGIN_PX - self._label_height() * len(self._note_lines) - step
        for index in reversed(range(len(tops))):
            tops[index] = min(tops[index], lowest - step * (len(tops) - 1 - index))
        for mark, corner, top in zip(marks, corners, tops, strict=True):
            painter.setPen(QPen(QColor(theme.current().outline), 1))
            painter.drawLine(corner, QPointF(left - 2, top + self._label_height() / 2))
            self._label(painter, mark.label, QPointF(left, top), QColor(mark.colour))

    def _frame(self, painter: QPainter, rect: QRectF, colour: QColor, dashed: bool) -> None:
        crisp = QRectF(rect.topLeft().toPoint(), rect.bottomRight().toPoint())
        pen = QPen(colour, 2, c=Qt.PenCapStyle.FlatCap, j=Qt.PenJoinStyle.MiterJoin)
        if dashed:
            pen.setDashPattern([4, 3])
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for each in (QPen(_HALO, 4, j=Qt.PenJoinStyle.MiterJoin), pen):
            painter.setPen(each)
            painter.drawRect(crisp)

    def _label_height(self) -> float:
        return self.fontMetrics().height() + 2.0

    def _free_place(self, mark: Mark, taken: list[QRectF]) -> QPointF:
        """Where a label of the mark fits: at its corners, outside first, or else below the labels so far."""
        rect = self._box_in_widget(mark.box)
        width, height = self._text_px(mark.label), self._label_height()
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
        area = QRectF(self.rect())
        for corner in corners:
            place = QRectF(corner.x(), corner.y(), width, height)
            if area.contains(place) and not any(place.intersects(other) for other in taken):
                return corner
        lowest = max((other.bottom() for other in taken), default=0.0)
        return QPointF(max(area.width() - width - _MARGIN_PX, 0.0), lowest + 2)

    def _label(self, painter: QPainter, text: str, at: QPointF, colour: QColor | None = None) -> QRectF:
        rect = QRectF(at.x(), at.y(), self._text_px(text), self._label_height())
        painter.fillRect(rect, _HALO)
        painter.setPen(colour if colour is not None else QColor("#ffffff"))
        painter.drawText(rect, Qt.AlignmentFlag.AlignCenter, text)
        return rect
