"""The mapping from the coordinates of a scene to the logical pixels of the view that shows it."""

from dataclasses import dataclass

from PySide6.QtCore import QPointF, QRectF
from PySide6.QtGui import QFont, QFontMetrics

from convnext_studio.common.geometry import Box

MARGIN_PX = 6
LEADER_PX = 18.0


@dataclass(frozen=True, slots=True)
class Projection:
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

    def text_px(self, text: str) -> float:
        """Return the width of a label with this text."""
        return self.metrics.horizontalAdvance(text) + 8.0
