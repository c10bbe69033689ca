"""Which part of its scene a view shows, and the mapping from the scene to the view's logical pixels."""

from msgspec import Struct
from PySide6.QtCore import QPointF, QRectF, QSize
from PySide6.QtGui import QFont, QFontMetrics
from PySide6.QtWidgets import QWidget

from convnext_studio.common.geometry import Box
from convnext_studio.ui.plots.scene import Scene

MARGIN_PX = 6
LEADER_PX = 18.0


class Projection(Struct, frozen=True):
    """The mapping from a scene to a widget.

    Attributes
    ----------
    scale, origin
        Logical pixels per scene pixel, and the position of the scene's upper left corner in the widget.
    area
        Rectangle of the widget.
    column_px
        Width of the column for labels beside the layers; 0 if there is none.
    font
        Font of the labels.
    metrics
        Metrics of the font.
    """

    scale: float
    origin: QPointF
    area: QRectF
    column_px: float
    font: QFont
    metrics: QFontMetrics

    def point(self, x: float, y: float) -> QPointF:
        """Return a point of the scene in the widget's logical pixels."""
        return QPointF(x * self.scale + self.origin.x(), y * self.scale + self.origin.y())

    def box(self, box: Box) -> QRectF:
        """Return a box of the scene in the widget's logical pixels."""
        x, y, width, height = box
        return QRectF(self.point(x, y), self.point(x + width, y + height))

    def to_scene(self, point: QPointF) -> tuple[float, float]:
        """Return a point of the widget in scene coordinates; the inverse of `point`."""
        return (point.x() - self.origin.x()) / self.scale, (point.y() - self.origin.y()) / self.scale

    @property
    def shown(self) -> QRectF:
        """The visible part of the scene's plane, in scene coordinates."""
        left, top = self.to_scene(self.area.topLeft())
        return QRectF(left, top, self.area.width() / self.scale, self.area.height() / self.scale)

    @property
    def line_px(self) -> float:
        """The height of a label."""
        return self.metrics.height() + 2.0

    @property
    def step_px(self) -> float:
        """From the top of a label to that of the next one below it."""
        return self.line_px + 2.0

    def column_height_px(self, labels: int, note_lines: int) -> float:
        """Return how high a column is with so many labels above a note of so many lines."""
        return labels * self.step_px + note_lines * self.line_px + 2 * MARGIN_PX

    def text_px(self, text: str) -> float:
        """Return the width of a label with this text."""
        return self.metrics.horizontalAdvance(text) + 8.0


_LARGEST_ZOOM = 400.0


class SceneZoom:
    """The scale and the position of a scene in a view; numbers alone, which the view shows.

    Parameters
    ----------
    view
        The widget, whose size and font count.

    Attributes
    ----------
    scene_size
        Width and height of the scene; None if there is none.
    margin
        How far the scene reaches beyond its left, top, right and bottom; a fitted scene is shown with that.
    column_px
        Width of the column for labels beside the layers.
    """

    def __init__(self, view: QWidget) -> None:
        self._view = view
        self._scale = 1.0
        self._origin = QPointF()
        self._is_fitted = True
        self.scene_size: tuple[float, float] | None = None
        self.margin = (0.0, 0.0, 0.0, 0.0)
        self.column_px = 0.0

    @property
    def projection(self) -> Projection:
        """The mapping from the scene to the view."""
        view = self._view
        area = QRectF(view.rect())
        return Projection(self._scale, self._origin, area, self.column_px, view.font(), view.fontMetrics())

    @property
    def scale(self) -> float:
        """The number of logical pixels per scene pixel."""
        return self._scale

    @property
    def is_fitted(self) -> bool:
        """Whether the whole scene is visible and stays so when the view is resized."""
        return self._is_fitted

    @property
    def centre(self) -> tuple[float, float]:
        """The point of the scene at the centre of the view."""
        return self.projection.to_scene(self._middle)

    def fit(self) -> None:
        """Show the whole scene as large as possible."""
        self._is_fitted = True
        if self.scene_size is not None:
            (width, height), (left, top, _, _) = self._extent, self.margin
            self._scale = self._fitting_scale
            self._origin = QPointF(
                (self._view.width() - self.column_px - width * self._scale) / 2 + left * self._scale,
                (self._view.height() - height * self._scale) / 2 + top * self._scale,
            )

    def zoom(self, factor: float, at: QPointF | None = None) -> None:
        """Zoom by a factor around a point of the view, by default its centre."""
        fixed = self._middle if at is None else at
        self._put(*self.projection.to_scene(fixed), fixed, self._within(self._scale * factor))

    def look(self, x: float, y: float, scale: float) -> None:
        """Centre a point of the scene at a scale, which is limited as for the wheel and the keys."""
        self._put(x, y, self._middle, self._within(scale))

    def follow(self, other: "SceneZoom") -> None:
        """Show the same part, in shares of the scene, as another view shows of its own scene."""
        if other.is_fitted or other.scene_size is None or self.scene_size is None:
            self.fit()
            return
        (x, y), (wide, high), (width, height) = other.centre, other.scene_size, self.scene_size
        scale = self._fitting_scale * other.scale / other._fitting_scale
        self._put(x / wide * width, y / high * height, self._middle, scale)

    def column_for(self, scene: Scene | None) -> float:
        """Return the width for labels and note beside the layers; 0 if that would be half the view or more."""
        if scene is None:
            return 0.0
        widest = self._widest_beside_px(scene)
        return widest + LEADER_PX if 0 < widest < self._view.width() / 2 else 0.0

    def has_room_beside(self, scene: Scene) -> bool:
        """Return whether labels and note fit beside the layers: in half of the width, one below the other."""
        labels, note_lines = sum(mark.beside for mark in scene.marks), len(scene.note.splitlines())
        if not labels + note_lines:
            return True
        is_narrow = self._widest_beside_px(scene) + LEADER_PX < self._view.width() / 2
        return is_narrow and self.projection.column_height_px(labels, note_lines) <= self._view.height()

    def _widest_beside_px(self, scene: Scene) -> float:
        texts = [mark.label for mark in scene.marks if mark.beside] + scene.note.splitlines()
        return max((self.projection.text_px(text) for text in texts), default=0.0)

    def drag(self, by: QPointF) -> None:
        """Move the scene by pixels of the view."""
        self._origin += by
        self._is_fitted = False

    def resize(self, change: QSize) -> None:
        """Keep the scene fitted, or else keep its centre, after the size of the view has changed."""
        if self._is_fitted:
            self.fit()
        else:
            self._origin += QPointF(change.width() / 2, change.height() / 2)

    def _put(self, x: float, y: float, at: QPointF, scale: float) -> None:
        """Show a point of the scene at a place of the view."""
        self._is_fitted = False
        self._scale = scale
        self._origin = QPointF(at.x() - x * scale, at.y() - y * scale)

    def _within(self, scale: float) -> float:
        smallest = self._fitting_scale / 4
        return min(max(scale, smallest), max(_LARGEST_ZOOM, smallest))

    @property
    def _middle(self) -> QPointF:
        return QPointF(self._view.width() / 2, self._view.height() / 2)

    @property
    def _extent(self) -> tuple[float, float]:
        """Width and height of the scene with its margin."""
        (width, height), (left, top, right, bottom) = self.scene_size or (1.0, 1.0), self.margin
        return width + left + right, height + top + bottom

    @property
    def _fitting_scale(self) -> float:
        width, height = self._extent
        room_x = self._view.width() - self.column_px - 2 * MARGIN_PX
        room_y = self._view.height() - 2 * MARGIN_PX
        return max(min(room_x / width, room_y / height), 1e-6)
