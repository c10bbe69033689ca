"""The lengths of the vectors at all positions, and the outliers among them."""

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, Qt
from PySide6.QtWidgets import QListWidget, QListWidgetItem, QVBoxLayout

from convnext_studio.protocol.envelope import Payload, Request
from convnext_studio.protocol.similarity import MeasureNorms, NormsResult, Outlier
from convnext_studio.render import (
    OVER_PICTURE,
    format_number,
    format_percent,
    limits_of,
    pluralize,
    seen_map,
    veil,
)
from convnext_studio.ui.panels.similarity.similarity_page import (
    Page,
    PageScene,
    SimilaritySubject,
    Unit,
    finer,
    position_text,
)
from convnext_studio.ui.plots.color_bar import ColorScale
from convnext_studio.ui.plots.histogram import Histogram
from convnext_studio.ui.plots.map_texts import Placement, numbers_of
from convnext_studio.ui.plots.picture_gallery import GalleryOverlay
from convnext_studio.ui.plots.scene import Bitmap, Layer, Mark
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.state.python_text import PythonLines, lines_of
from convnext_studio.ui.widgets.elided_label import PlainLabel
from convnext_studio.ui.widgets.text_size import follow_text, scaled_px

_HATCH_PX = 16
_MOST_FRAMED = 60
_COLOUR = "#5ee0ff"


class NormsPage(Page):
    """The page with the norms."""

    name, title = "norms", "Norms"
    tip = "The length of the vector at every position, and the positions that differ from all others"

    def __init__(self, state: AppState, bridge: EngineBridge, parent: QObject | None = None) -> None:
        super().__init__(state, bridge, parent)
        self._result: NormsResult | None = None
        self.histogram = Histogram()
        self.histogram.setAccessibleName("Histogram of the lengths")
        self.histogram.hovered.connect(self.read_out)
        follow_text(self.histogram, lambda: self.histogram.setMaximumHeight(scaled_px(170)))
        self.heading = PlainLabel()
        self.heading.setProperty("heading", True)
        self.list = QListWidget()
        self.list.setAccessibleName("Outliers")
        self.list.setFrameShape(QListWidget.Shape.NoFrame)
        self.list.setWordWrap(True)
        self.list.setToolTip("Click an outlier to select its position, and the channel that makes it one")
        self.list.itemClicked.connect(self._choose)
        self.list.itemActivated.connect(self._choose)
        layout = QVBoxLayout(self.side)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.histogram, 2)
        layout.addWidget(self.heading)
        layout.addWidget(self.list, 3)

    def question(self, subject: SimilaritySubject) -> Request | str:
        """Return the request for the lengths at all positions of the large picture."""
        return MeasureNorms(image=subject.picture.key, node=subject.node.name)

    def take(self, payload: Payload, _subject: SimilaritySubject) -> None:
        """Show the lengths."""
        if not isinstance(payload, NormsResult):
            return
        self._result = payload
        finite = payload.norms[np.isfinite(payload.norms)]
        self.histogram.show_values(finite, limits_of(payload.norms), OVER_PICTURE)
        count = len(payload.outliers)
        self.heading.setText(pluralize(count, "outlier") if count else "No outliers")
        self.list.clear()
        for outlier in payload.outliers:
            item = QListWidgetItem(self._outlier_text(payload, outlier))
            item.setData(Qt.ItemDataRole.UserRole, outlier)
            self.list.addItem(item)
        self.changed.emit()

    @staticmethod
    def _outlier_text(result: NormsResult, outlier: Outlier) -> str:
        channels = ", ".join(
            f"{channel} ({format_number(value)}, {format_percent(share)})"
            for channel, value, share in zip(outlier.channels, outlier.values, outlier.shares, strict=True)
        )
        deviations = result.deviations(outlier.norm)
        return (
            f"(y {outlier.y}, x {outlier.x}): length {format_number(outlier.norm)}, "
            f"{format_number(deviations)} median deviations; channels {channels}"
        )

    def _choose(self, item: QListWidgetItem) -> None:
        outlier: Outlier = item.data(Qt.ItemDataRole.UserRole)
        if self._result is not None:
            self.select_unit(self._result.node, outlier.y, outlier.x)
        self.state.set_channel(outlier.channels[0])

    def forget(self) -> None:
        """Forget the lengths."""
        self._result = None

    # -------------------------------------------------------------------------------------------- display

    def shown(self) -> PageScene | None:
        """Return the lengths over the large picture, and the outliers hatched and framed."""
        result, placement = self._result, self.placement()
        if result is None or placement is None:
            return None
        values, box = seen_map(result.norms, result.field, result.geometry)
        limits = limits_of(values)
        fine = finer(values, self.look.smooth)
        zero = limits.low
        layers = [
            Layer(
                Bitmap(veil(fine, limits, OVER_PICTURE, zero=zero)),
                box,
                self.look.opacity,
                self.look.smooth,
                numbers=numbers_of(values),
            )
        ]
        if result.outliers:
            layers.append(Layer(Bitmap(outlier_hatch(result)), placement[0].box(*result.norms.shape)))
        marks = tuple(
            Mark(placement[0].unit_box(each.y, each.x), "", _COLOUR) for each in result.outliers[:_MOST_FRAMED]
        )
        return PageScene(
            layers=tuple(layers),
            marks=marks,
            scale=ColorScale(OVER_PICTURE, limits, zero=zero),
            values=result.norms,
        )

    def python(self, image: str) -> PythonLines | None:
        """Return the lines for the lengths."""
        result, model = self._result, self.model
        if result is None or model is None:
            return None
        return lines_of(MeasureNorms(image=image, node=result.node), model)

    def overlay(self, key: str) -> GalleryOverlay | None:
        """Return the lengths over the small picture of the one that is shown."""
        result = self._result
        if result is None or key != result.image:
            return None
        limits = limits_of(result.norms)
        seen, box = seen_map(result.norms, result.field, result.geometry)
        colours = veil(seen, limits, OVER_PICTURE, zero=limits.low)
        return GalleryOverlay(colours, box, result.geometry.picture_size, self.look.opacity, self.look.smooth)

    def placement(self) -> tuple[Placement, Unit] | None:
        """Return where the positions are."""
        result = self._result
        if result is None:
            return None
        height, width = result.norms.shape
        return Placement(result.field, result.geometry), (height, width)

    def caption(self) -> str:
        """Say how the lengths are distributed."""
        result = self._result
        if result is None:
            return ""
        counted = int(np.isfinite(result.norms).sum())
        return (
            f"{result.node}: length of the vector · median {format_number(result.median)} · "
            f"median deviation {format_number(result.deviation)} · "
            f"{len(result.outliers)} of {counted} positions more than 5 median deviations away "
            "(hatched)"
        )

    def point_at(self, unit: Unit | None) -> str:
        """Return the length at a position."""
        result = self._result
        if unit is None or result is None:
            return ""
        norm = float(result.norms[unit])
        length = f"length {format_number(norm)}, {format_number(result.deviations(norm))} median deviations"
        return position_text(result.node, unit, Placement(result.field, result.geometry), length)

    def choose(self, unit: Unit) -> None:
        """Select the unit in all panels."""
        if self._result is not None:
            self.select_unit(self._result.node, *unit)


def outlier_hatch(result: NormsResult) -> NDArray[np.uint8]:
    """Return slanted lines over the outliers, (h * n, w * n, 4), clear elsewhere."""
    height, width = result.norms.shape
    side = max(4, min(_HATCH_PX, 2048 // max(height, width)))
    hatched = np.zeros((height * side, width * side, 4), np.uint8)
    rows, columns = np.mgrid[:side, :side]
    is_line = (rows + columns) // max(1, side // 4) % 2 == 0
    square = np.where(is_line[..., None], np.array((255, 255, 255, 210)), np.array((20, 20, 24, 150)))
    for each in result.outliers:
        hatched[each.y * side : (each.y + 1) * side, each.x * side : (each.x + 1) * side] = square
    return hatched
