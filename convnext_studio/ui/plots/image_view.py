"""A zoomable view of a picture or map; pixel *i* covers [i, i + 1)."""

from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QPointF, Qt, QTimer, Signal
from PySide6.QtGui import (
    QColor,
    QFocusEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QResizeEvent,
    QShowEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QSizePolicy, QWidget

from convnext_studio.common.geometry import Box
from convnext_studio.ui.plots.canvas.projection import Projection, SceneZoom
from convnext_studio.ui.plots.canvas.scene_items import paint_focus
from convnext_studio.ui.plots.measuring.measure_tools import MeasureTools
from convnext_studio.ui.plots.measuring.measurements import Ends, Tool
from convnext_studio.ui.plots.scene import Scene
from convnext_studio.ui.widgets import theme
from convnext_studio.ui.widgets.focus_ring import PAINTS_FOCUS
from convnext_studio.ui.widgets.text_size import follow_text, scaled_px

if TYPE_CHECKING:  # pyqtgraph is imported when the first view has something to show.
    from convnext_studio.ui.plots.canvas.scene_canvas import SceneCanvas

_WHEEL_STEP = 1.0015
_CLICK_PX = 4
_LEAST_PX = 64
_DESCRIPTION = (
    "Zoom with the wheel or + and -, move by dragging or with the middle button, fit "
    "with a double click or 0. Ctrl and the arrow keys move what is measured, with Shift its end; "
    "Escape removes it."
)


def asks_for_escape(event: QEvent) -> bool:
    """Return whether Qt asks if a widget wants Escape, which otherwise triggers an action of the window."""
    is_asked = event.type() == QEvent.Type.ShortcutOverride
    return is_asked and isinstance(event, QKeyEvent) and event.key() == Qt.Key.Key_Escape


class LateCanvas:
    """The canvas of a view, created when the view has something to show, and what is drawn on it.

    Parameters
    ----------
    view
        The view that the canvas covers.

    Attributes
    ----------
    highlight, crosshair
        The box that is framed under the pointer, and the point of the scene at the crosshair, or None.
    is_dimmed
        Whether the layers are dimmed.
    """

    def __init__(self, view: QWidget) -> None:
        self._view = view
        self._made: SceneCanvas | None = None
        self._measures: dict[Tool, Ends] = {}
        self.highlight: Box | None = None
        self.crosshair: tuple[float, float] | None = None
        self.is_dimmed = False

    def show_scene(self, scene: Scene | None, projection: Projection) -> None:
        """Show a scene with this projection; the first one creates the canvas, once the view is visible."""
        if self._made is not None:
            self._made.show_scene(scene, projection)
        elif self._view.isVisible() and scene is not None:
            self.make(scene, projection)
        else:
            self._view.update()

    def set_dimmed(self, dimmed: bool) -> None:
        """Dim the layers, or undo that."""
        if dimmed != self.is_dimmed:
            self.is_dimmed = dimmed
            if self._made is not None:
                self._made.set_dimmed(dimmed)

    def frame(self, box: Box | None) -> None:
        """Frame a box under the pointer; None removes the frame."""
        if box != self.highlight:
            self.highlight = box
            if self._made is not None:
                self._made.frame(box)

    def point_at(self, point: tuple[float, float] | None) -> None:
        """Draw the crosshair at a point of the scene; None removes it."""
        if point != self.crosshair:
            self.crosshair = point
            if self._made is not None:
                self._made.point_at(point)

    def measure(self, ends: dict[Tool, Ends]) -> None:
        """Draw what is measured."""
        self._measures = ends
        if self._made is not None:
            self._made.measure(ends)

    def follow_focus(self) -> None:
        """Paint the frame of a view with the keyboard focus, or remove it."""
        if self._made is not None:
            self._made.set_focused(self._view.hasFocus())
        else:
            self._view.update()

    def draw(self, painter: QPainter, scene: Scene, projection: Projection) -> None:
        """Paint the scene with any painter, in the view's logical pixels."""
        canvas = self.make(scene, projection)
        canvas.draw(painter)

    def make(self, scene: Scene | None, projection: Projection) -> "SceneCanvas":
        """Return the canvas, created with this scene if there was none."""
        if self._made is not None:
            return self._made
        from convnext_studio.ui.plots.canvas.scene_canvas import SceneCanvas

        self._made = canvas = SceneCanvas(self._view)
        canvas.show_scene(scene, projection)
        canvas.set_dimmed(self.is_dimmed)
        canvas.frame(self.highlight)
        canvas.point_at(self.crosshair)
        canvas.measure(self._measures)
        canvas.set_focused(self._view.hasFocus())
        return canvas


class MouseGestures:
    """Tells apart what the mouse does on a view: strokes, drags of what is measured or of the scene, clicks.

    Parameters
    ----------
    view
        The view, whose signals are emitted.
    tools, zoom
        What is measured in the view, and which part of its scene it shows.
    """

    def __init__(self, view: "ImageView", tools: MeasureTools, zoom: SceneZoom) -> None:
        self._view = view
        self._tools = tools
        self._zoom = zoom
        self._pressed: QPointF | None = None
        self._last: QPointF | None = None
        self._is_stroke = False
        self.is_brush = False

    def set_brush(self, on: bool) -> None:
        """Have drags with the left button paint; the middle button still moves the scene."""
        if on != self.is_brush:
            self.is_brush, self._is_stroke = on, False
            self._show_usual_cursor()

    def press(self, button: Qt.MouseButton, place: QPointF) -> None:
        """Begin a stroke, a click or a drag."""
        if self.is_brush and button == Qt.MouseButton.LeftButton:
            self._is_stroke = True
            self._view.brushed.emit(*self._view.to_scene(place), True)
            return
        self._pressed = self._last = place
        if button == Qt.MouseButton.LeftButton:
            self._tools.grip(place, self._zoom.projection)

    def move(self, place: QPointF) -> bool:
        """Continue a stroke or a drag; return whether there is one, or a click may become one."""
        if self._is_stroke:
            self._view.brushed.emit(*self._view.to_scene(place), False)
            return True
        if self._pressed is None or self._last is None:
            return False
        if not self._is_drag:
            if (place - self._pressed).manhattanLength() <= _CLICK_PX:
                return True
            self._view.setCursor(Qt.CursorShape.ClosedHandCursor)
        if self._tools.is_held:
            self._tools.drag(place, self._zoom.projection)
        else:
            self._view.drag(place - self._last)
            self._last = place
        return True

    def release(self) -> bool:
        """End a stroke or a drag; return whether it was a click instead."""
        if self._is_stroke:
            self._is_stroke = False
            self._view.brush_lifted.emit()
            return False
        is_click = self._pressed is not None and not self._is_drag
        self._pressed = self._last = None
        self._tools.release()
        self._show_usual_cursor()
        return is_click

    @property
    def _is_drag(self) -> bool:
        return self._view.cursor().shape() == Qt.CursorShape.ClosedHandCursor

    def _show_usual_cursor(self) -> None:
        if self.is_brush:
            self._view.setCursor(Qt.CursorShape.CrossCursor)
        else:
            self._view.unsetCursor()


class ImageView(QWidget):
    """A view of a `Scene`: the wheel zooms at the pointer, dragging moves, and a double click fits.

    A view that the user has not zoomed or moved keeps its scene fitted when its size changes.
    """

    hovered = Signal(float, float)  # scene coordinates, within the scene's size
    hover_left = Signal()
    clicked = Signal(float, float)  # scene coordinates, within the scene's size
    asked = Signal(float, float)  # an Alt+click: how was this value made?
    resized = Signal()
    moved = Signal()  # zoomed, dragged or fitted by the user
    refitted = Signal()  # a new scene or layout is shown as a whole
    brushed = Signal(float, float, bool)  # scene coordinates, and whether this begins a stroke
    brush_lifted = Signal()
    measured = Signal(str)  # a sentence on what is measured; empty if nothing is

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._scene: Scene | None = None
        self._zoom = SceneZoom(self)
        self._tools = MeasureTools(self)
        self._canvas = LateCanvas(self)
        self._mouse = MouseGestures(self, self._tools, self._zoom)
        self._tools.changed.connect(self._show_measures)
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        follow_text(self, lambda: self.setMinimumSize(scaled_px(_LEAST_PX), scaled_px(_LEAST_PX)))
        self.setProperty(PAINTS_FOCUS, True)
        # No tooltip, because it would hide what the user points at.
        self.setAccessibleDescription(_DESCRIPTION)

    @property
    def scene(self) -> Scene | None:
        """The scene that is shown, or None."""
        return self._scene

    def set_scene(self, scene: Scene | None) -> None:
        """Show another scene; the zoom is kept if the size of the scene is the same."""
        before = self._scene
        refit = before is None or scene is None or (scene.size, scene.margin) != (before.size, before.margin)
        self._scene = scene
        if scene is not None:
            self._zoom.scene_size, self._zoom.margin = scene.size, scene.margin
        column = self._zoom.column_for(self._scene)
        if refit or (self.is_fitted and column != self._zoom.column_px):
            self._zoom.column_px = column
            self.set_highlight(None)
            self.fit()
            self.refitted.emit()
        self._follow()
        self._tools.show_scene(scene)

    def has_room_beside(self, scene: Scene) -> bool:
        """Return whether a scene's labels and its note would fit beside its layers."""
        return self._zoom.has_room_beside(scene)

    @property
    def is_fitted(self) -> bool:
        """Whether the whole scene is visible and stays so when the view is resized."""
        return self._zoom.is_fitted

    @property
    def is_dimmed(self) -> bool:
        """Whether the view is dimmed while a newer scene is being prepared."""
        return self._canvas.is_dimmed

    def set_dimmed(self, dimmed: bool) -> None:
        """Dim the view, or undo that."""
        self._canvas.set_dimmed(dimmed)

    @property
    def highlight(self) -> Box | None:
        """The box that is framed under the pointer, or None."""
        return self._canvas.highlight

    def set_highlight(self, box: Box | None) -> None:
        """Frame a box under the pointer; None removes the frame."""
        self._canvas.frame(box)

    @property
    def crosshair(self) -> tuple[float, float] | None:
        """The point of the scene at which the crosshair is, or None."""
        return self._canvas.crosshair

    def set_crosshair(self, point: tuple[float, float] | None) -> None:
        """Draw a crosshair at a point of the scene, with a gap at its centre; None removes it."""
        self._canvas.point_at(point)

    @property
    def is_brush(self) -> bool:
        """Whether dragging paints instead of moving the scene."""
        return self._mouse.is_brush

    def set_brush(self, on: bool) -> None:
        """Have dragging with the left button emit `brushed`; the middle button still moves the scene."""
        self._mouse.set_brush(on)

    # ------------------------------------------------------------------------------------------ measuring

    @property
    def measures(self) -> dict[Tool, Ends]:
        """What is measured: two points of the scene for each tool."""
        return self._tools.ends

    @property
    def sentence(self) -> str:
        """What was measured in words; empty if nothing was."""
        return self._tools.sentence

    def set_measures(self, ends: dict[Tool, Ends]) -> None:
        """Measure this, and nothing else."""
        self._tools.put(ends)

    def toggle_measure(self, tool: Tool) -> None:
        """Begin to measure in the middle of what is shown, or end it."""
        self._tools.toggle(tool, self._zoom.projection.shown)

    def _show_measures(self) -> None:
        self._canvas.measure(self._tools.ends)
        self.measured.emit(self._tools.sentence)

    # ---------------------------------------------------------------------------------------- coordinates

    def to_widget(self, x: float, y: float) -> QPointF:
        """Return a point of the scene in the widget's logical pixels."""
        return self._zoom.projection.point(x, y)

    def to_scene(self, point: QPointF) -> tuple[float, float]:
        """Return a point of the widget in scene coordinates; the inverse of `to_widget`."""
        return self._zoom.projection.to_scene(point)

    def fit(self) -> None:
        """Show the whole scene as large as possible."""
        self._zoom.fit()
        self._follow()

    def zoom(self, factor: float, at: QPointF | None = None) -> None:
        """Zoom by a factor around the point `at` of the widget, by default its centre."""
        if self._scene is not None:
            self._zoom.zoom(factor, at)
            self._follow()

    def drag(self, by: QPointF) -> None:
        """Move the scene by pixels of the view on request of the user."""
        self._zoom.drag(by)
        self._follow()
        self.moved.emit()

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
        return self._zoom.scale

    @property
    def centre(self) -> tuple[float, float]:
        """The point of the scene at the centre of the view."""
        return self._zoom.centre

    def look(self, x: float, y: float, scale: float) -> None:
        """Centre a point of the scene at a scale, which is limited as for the wheel and the keys."""
        self._zoom.look(x, y, scale)
        self._follow()

    def look_as(self, other: "ImageView") -> None:
        """Show the part of the scene that another view shows of its own."""
        self._zoom.follow(other._zoom)
        self._follow()

    # --------------------------------------------------------------------------------------------- events

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Keep the scene fitted, or else keep its centre."""
        self._zoom.column_px = self._zoom.column_for(self._scene)
        self._zoom.resize(event.size() - (event.oldSize() if event.oldSize().isValid() else event.size()))
        self._follow()
        self.resized.emit()

    def showEvent(self, event: QShowEvent) -> None:
        """Show the scene that was set while the view was hidden."""
        super().showEvent(event)
        self._follow()

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Paint a frame around the view."""
        super().focusInEvent(event)
        self._canvas.follow_focus()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """Remove the frame around the view."""
        super().focusOutEvent(event)
        self._canvas.follow_focus()

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Zoom at the pointer."""
        self.zoom(_WHEEL_STEP ** event.angleDelta().y(), event.position())
        self.moved.emit()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Begin a click or a drag."""
        if event.button() == Qt.MouseButton.RightButton:
            event.ignore()  # It opens a menu, so the release event would be lost.
            return
        self._mouse.press(event.button(), event.position())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Move the scene while a button is held, or else emit the point under the pointer."""
        if not self._mouse.move(event.position()):
            self._hover(event.position())

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """End a drag or a stroke, or emit a click."""
        if self._mouse.release() and event.button() == Qt.MouseButton.LeftButton:
            x, y = self.to_scene(event.position())
            if self._scene is not None and self._scene.holds(x, y):
                asks = event.modifiers() & Qt.KeyboardModifier.AltModifier
                (self.asked if asks else self.clicked).emit(x, y)

    def mouseDoubleClickEvent(self, _event: QMouseEvent) -> None:
        """Fit the scene."""
        self.show_all()

    def leaveEvent(self, _event: QEvent) -> None:
        """Remove the highlight, and announce that the pointer has left."""
        self.set_highlight(None)
        self.hover_left.emit()

    def event(self, event: QEvent) -> bool:
        """Receive the keys that move or undo what is measured before the window's actions do."""
        is_asked = event.type() == QEvent.Type.ShortcutOverride
        if is_asked and isinstance(event, QKeyEvent) and self._tools.wants_key(event):
            event.accept()
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Zoom with plus and minus, fit with 0, and move what is measured; the panel gets other keys."""
        if self._tools.take_key(event, self.scale):
            return
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
            self._zoom.column_px = self._zoom.column_for(self._scene)
            if self.is_fitted:
                self.fit()
        if event.type() in (QEvent.Type.PaletteChange, QEvent.Type.FontChange):
            # Deferred, because the scene's items must not change while Qt is notifying them.
            QTimer.singleShot(0, self, self._follow)
        super().changeEvent(event)

    def _hover(self, position: QPointF) -> None:
        x, y = self.to_scene(position)
        if self._scene is not None and self._scene.holds(x, y):
            self.hovered.emit(x, y)
        else:
            self.set_highlight(None)
            self.hover_left.emit()

    # ------------------------------------------------------------------------------------------- painting

    def make_canvas(self) -> None:
        """Create the canvas before there is anything to show."""
        self._canvas.make(self._scene, self._zoom.projection)

    def _follow(self) -> None:
        """Have the canvas show the scene as it is now."""
        self._canvas.show_scene(self._scene, self._zoom.projection)

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Paint an empty view, or one that is grabbed while it is hidden; a canvas covers all this."""
        with QPainter(self) as painter:
            self.draw(painter)
            if self.hasFocus():
                paint_focus(painter, self.rect())

    def draw(self, painter: QPainter) -> None:
        """Draw the contents at the size of the view; the painter may be scaled."""
        if self._scene is None:
            painter.fillRect(self.rect(), QColor(theme.current().surface))
        else:
            self._canvas.draw(painter, self._scene, self._zoom.projection)
