"""The canvas of an image view: pyqtgraph's graphics view with one view box, and the items of the scene.

pyqtgraph takes a quarter of a second to import, so this module is imported when the first view has something to
show, and never in a thread, because importing it while Qt was painting has crashed.
"""

from typing import Any

import pyqtgraph as pg
from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QPainter
from PySide6.QtWidgets import QGraphicsScene, QWidget

from convnext_studio.common.geometry import Box
from convnext_studio.ui.plots.canvas.projection import Projection
from convnext_studio.ui.plots.canvas.scene_items import (
    CrosshairItem,
    FocusItem,
    HighlightItem,
    LayersItem,
    LinesItem,
    MarksItem,
    NoteItem,
    SceneItem,
    SpotsItem,
    TextsItem,
    VeilItem,
)
from convnext_studio.ui.plots.measuring.measure_tools import MeasuresItem
from convnext_studio.ui.plots.measuring.measurements import Ends, Tool
from convnext_studio.ui.plots.scene import Scene
from convnext_studio.ui.widgets import theme


class SceneCanvas:
    """Shows a scene in a child of an image view, which handles all events.

    The layers are in a view box with the scene's coordinates: y points down, and both axes have the same scale.
    All other items are above it, in the view's logical pixels, so that they ignore the zoom.
    """

    def __init__(self, parent: QWidget) -> None:
        # Python keeps a reference to each item, because PySide6 may otherwise delete them too early.
        self._canvas: Any = pg.GraphicsView(parent)
        self._box: Any = pg.ViewBox(lockAspect=True, invertY=True, enableMouse=False, enableMenu=False)
        self._box.disableAutoRange()
        self._layers = LayersItem()
        self._veil, self._highlight, self._crosshair = VeilItem(), HighlightItem(), CrosshairItem()
        self._measures, self._focus = MeasuresItem(), FocusItem()
        self._surface = ""
        self._items: tuple[SceneItem, ...] = (
            TextsItem(),
            self._veil,
            LinesItem(),
            MarksItem(),
            SpotsItem(),
            self._measures,
            self._highlight,
            self._crosshair,
            NoteItem(),
            self._focus,
        )
        canvas = self._canvas
        canvas.scene().setItemIndexMethod(QGraphicsScene.ItemIndexMethod.NoIndex)
        canvas.setCentralWidget(self._box)
        # The whole view is covered, and a clip would only add groups to SVG files.
        self._box.setFlag(self._box.GraphicsItemFlag.ItemClipsChildrenToShape, False)
        self._box.addItem(self._layers, ignoreBounds=True)
        for item in self._items:
            canvas.scene().addItem(item)
        canvas.setCacheMode(canvas.CacheModeFlag.CacheNone)
        canvas.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        canvas.viewport().setFocusPolicy(Qt.FocusPolicy.NoFocus)
        canvas.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        canvas.setGeometry(parent.rect())
        canvas.show()

    def show_scene(self, scene: Scene | None, projection: Projection) -> None:
        """Show a scene with this projection."""
        surface = theme.current().surface
        if surface != self._surface:
            self._surface = surface
            self._canvas.setBackground(surface)
        self._follow(projection)
        for item in (self._layers, *self._items):
            item.show_scene(scene, projection)

    def _follow(self, projection: Projection) -> None:
        """Give the view box the projection's size and range."""
        area = projection.area
        if self._canvas.geometry() != area.toRect():
            self._canvas.setGeometry(area.toRect())
        if self._box.geometry() != area:  # A canvas that is not shown yet gets no resize event.
            pg.GraphicsView.setRange(self._canvas, area, padding=0, disableAutoPixel=False)
        self._box.setRange(projection.shown, padding=0)
        self._box.updateMatrix()

    def set_dimmed(self, dimmed: bool) -> None:
        """Dim the layers, or undo that."""
        self._veil.set_dimmed(dimmed)

    def set_focused(self, focused: bool) -> None:
        """Paint the frame of a view with the keyboard focus, or remove it."""
        self._focus.set_focused(focused)

    def frame(self, box: Box | None) -> None:
        """Frame a box under the pointer; None removes the frame."""
        self._highlight.frame(box)

    def measure(self, ends: dict[Tool, Ends]) -> None:
        """Draw what is measured."""
        self._measures.measure(ends)

    def point_at(self, point: tuple[float, float] | None) -> None:
        """Draw the crosshair at a point of the scene; None removes it."""
        self._crosshair.point_at(point)

    def draw(self, painter: QPainter) -> None:
        """Paint all that is shown with any painter, in the view's logical pixels."""
        area = QRectF(self._canvas.rect())
        painter.fillRect(area, QColor(theme.current().surface))
        self._canvas.scene().render(painter, area, area)
