"""Pictures and maps to zoom into. Pixel *i* covers [i, i + 1), as in `convnext_studio.geometry`."""

import math
from dataclasses import dataclass

from PySide6.QtCore import QEvent, QLineF, QPointF, QRectF, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QRegion,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QSizePolicy, QWidget

from convnext_studio.geometry import Box
from convnext_studio.ui import theme
from convnext_studio.ui.focusring import PAINTS_FOCUS
from convnext_studio.ui.scene import Scene
from convnext_studio.ui.scenepainter import LEADER_PX, MARGIN_PX, ScenePainter, View
from convnext_studio.ui.textsize import follow_text, scaled_px

_LARGEST_ZOOM = 400.0
_WHEEL_STEP = 1.0015
_CLICK_PX = 4
_LEAST_PX = 64
_CROSSHAIR_GAP_PX = 7


@dataclass(frozen=True, slots=True)
class Viewpoint:
    """What part of a scene is seen, whatever the scene's and the view's sizes.

    Attributes
    ----------
    x, y
        What is in the middle of the view, as parts of the scene's width and height.
    zoom
        Over the scale at which the scene fits.
    """

    x: float
    y: float
    zoom: float


class ImageView(QWidget):
    """Shows a `Scene`: the wheel zooms at the pointer, dragging moves, a double click fits.

    A view that was never zoomed by hand keeps its scene fitted when its size changes.
    """

    hovered = Signal(float, float)  # scene coordinates, within the scene's size
    hover_left = Signal()
    clicked = Signal(float, float)  # scene coordinates, within the scene's size
    resized = Signal()
    moved = Signal()  # zoomed, dragged or fitted by a person
    refitted = Signal()  # another scene is shown, and all of it

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
        # No tooltip: it would hide what the person points at.
        self.setAccessibleDescription(
            "The wheel or + and - zoom, dragging or the middle button moves, a double click or 0 fits."
        )

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
            self.refitted.emit()
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

    @property
    def crosshair(self) -> tuple[float, float] | None:
        """The point of the scene that lines run through."""
        return self._crosshair

    def set_crosshair(self, point: tuple[float, float] | None) -> None:
        """Draw lines through a point of the scene, open around it; none where None."""
        if point != self._crosshair:
            # Only what changes is painted anew: this happens with every movement of the pointer.
            before, self._crosshair = self._crosshair_region(), point
            self.update(before.united(self._crosshair_region()))

    # ---------------------------------------------------------------------------------------- coordinates

    def to_widget(self, x: float, y: float) -> QPointF:
        """A point of the scene, in the widget's logical pixels."""
        return self._view.point(x, y)

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

    def show_all(self) -> None:
        """Fit, because a person wants it."""
        self.fit()
        self.moved.emit()

    def show_pixels(self) -> None:
        """One pixel of the scene on one of the screen, because a person wants it."""
        self.look(*self.centre, 1 / self.devicePixelRatioF())
        self.moved.emit()

    @property
    def scale(self) -> float:
        """Logical pixels for one of the scene's."""
        return self._scale

    @property
    def centre(self) -> tuple[float, float]:
        """The point of the scene in the middle of the view."""
        return self.to_scene(QPointF(self.width() / 2, self.height() / 2))

    def look(self, x: float, y: float, scale: float) -> None:
        """Put a point of the scene into the middle, enlarged so much, within what wheel and keys reach."""
        smallest = self._fitting_scale() / 4
        self._fitted = False
        self._scale = min(max(scale, smallest), max(_LARGEST_ZOOM, smallest))
        self._origin = QPointF(self.width() / 2 - x * self._scale, self.height() / 2 - y * self._scale)
        self.update()

    @property
    def viewpoint(self) -> Viewpoint | None:
        """What part of the scene is seen; None where all of it is."""
        if self._fitted or self._scene is None:
            return None
        x, y = self.centre
        width, height = self._scene.size
        return Viewpoint(x / width, y / height, self._scale / self._fitting_scale())

    def set_viewpoint(self, viewpoint: Viewpoint | None) -> None:
        """See the same part as another view of a scene of any size; all where None."""
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
        """Room beside the layers for labels and note; none where it would take more than half."""
        if self._scene is None:
            return 0.0
        texts = [mark.label for mark in self._scene.marks if mark.beside] + self._scene.note.splitlines()
        widest = max((self._view.text_px(text) for text in texts), default=0.0)
        return widest + LEADER_PX if 0 < widest < self.width() / 2 else 0.0

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
        self.moved.emit()
        event.accept()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Begin a click or a move."""
        if event.button() == Qt.MouseButton.RightButton:
            event.ignore()  # For a menu, behind which the button's release would be lost.
            return
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
        self.moved.emit()

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
        self.show_all()

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
                return
        self.moved.emit()

    def changeEvent(self, event: QEvent) -> None:
        """Follow theme and text: labels beside the layers take more room, or less."""
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
        """Paint layers, marks and note."""
        with QPainter(self) as painter:
            self.draw(painter)
            if self.hasFocus():
                painter.setPen(QPen(QColor(theme.current().accent), 2))
                painter.setBrush(Qt.BrushStyle.NoBrush)
                painter.drawRect(self.rect().adjusted(1, 1, -1, -1))

    def draw(self, painter: QPainter) -> None:
        """Draw what the view shows, as large as the view; the painter may enlarge it."""
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
        return [arm for arm in arms if arm.dx() + arm.dy() > 0]  # No room for one that would point back.

    def _crosshair_region(self) -> QRegion:
        region = QRegion()
        for line in self._crosshair_arms():
            box = QRectF(line.p1(), line.p2()).normalized().adjusted(-3, -3, 3, 3)
            region = region.united(box.toAlignedRect())
        return region
