"""The maps of an explanation beside each other, over the picture."""

from PySide6.QtCore import QTimer, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QGridLayout, QWidget

from convnext_studio.engine.messages import Explanation, ImageInfo, ModelInfo, method_named
from convnext_studio.ui.panels.attribution_cell import MapCell, PlacedMap, Veil
from convnext_studio.ui.panels.attribution_shading import Shading
from convnext_studio.ui.panels.attribution_words import placed_maps, scale_groups
from convnext_studio.ui.panels.maps import picture_layer
from convnext_studio.ui.scene import Layer

MOST_MAPS = 4


class AttributionFigure(QWidget):
    """Up to four cells; the first map is there at once, each other one is coloured in a turn of its own."""

    pointed = Signal(str)  # what is under the pointer; empty where nothing is

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.cells = [MapCell() for _ in range(MOST_MAPS)]
        self._picture: ImageInfo | None = None
        self._below: Layer | None = None
        self._shading = Shading()
        self._read_out = ""
        self._to_paint: list[tuple[MapCell, PlacedMap, list[PlacedMap]]] = []
        self._next = QTimer(self, singleShot=True, interval=0)
        self._next.timeout.connect(self._paint_next)
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setSpacing(4)
        self._count = self._columns = 1
        for number, cell in enumerate(self.cells):
            self._grid.addWidget(cell, 0, number)
            cell.setVisible(number == 0)
            cell.be_one_of(1)
            cell.pointed.connect(self.pointed)

    @property
    def is_painting(self) -> bool:
        """Whether a map still waits for its turn."""
        return bool(self._to_paint)

    def show_explanation(
        self, explanation: Explanation, picture: ImageInfo, model: ModelInfo, shading: Shading
    ) -> None:
        """Show all maps of an answer, each on its scale."""
        if picture is not self._picture or self._below is None:
            self._picture, self._below = picture, picture_layer(picture)
        self._shading = shading
        self._read_out = method_named(explanation.method).title
        shown = placed_maps(explanation, model)
        self._count = len(shown)
        for number, cell in enumerate(self.cells):
            cell.setVisible(number < self._count)
            cell.be_one_of(self._count)
        self._arrange()
        of_group = {id(each): group for group in scale_groups(shown, explanation) for each in group}
        self._to_paint = [
            (cell, each, of_group[id(each)]) for cell, each in zip(self.cells, shown, strict=False)
        ]
        self._paint_next()

    def set_veil(self, veil: Veil) -> None:
        """Cover more or less of the picture."""
        for cell in self.cells:
            cell.set_veil(veil)

    @property
    def is_dimmed(self) -> bool:
        """Whether what is shown awaits something newer."""
        return self.cells[0].map.view.is_dimmed

    def set_dimmed(self, dimmed: bool) -> None:
        """Step back while something newer is under way."""
        for cell in self.cells:
            cell.set_dimmed(dimmed)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Another shape may have room for larger maps in other rows."""
        super().resizeEvent(event)
        self._arrange()

    def _arrange(self) -> None:
        """As many maps in a row as makes them largest."""
        columns = self._best_columns()
        if columns != self._columns:
            self._columns = columns
            for number, cell in enumerate(self.cells):
                self._grid.addWidget(cell, number // columns, number % columns)

    def _best_columns(self) -> int:
        width, height = self._picture.size if self._picture is not None else (1, 1)
        words_px = 0 if self._count == 1 else 3 * self.fontMetrics().height()

        def scale(columns: int) -> float:
            rows = -(-self._count // columns)
            return min(self.width() / columns / width, (self.height() / rows - words_px) / height)

        return max(range(1, self._count + 1), key=scale)

    def _paint_next(self) -> None:
        if not self._to_paint or self._picture is None or self._below is None:
            return
        cell, shown, group = self._to_paint.pop(0)
        limits = self._shading.limits_of([each.values for each in group])
        read_out = f"{self._read_out} · {shown.title}"
        cell.show_map(shown, self._picture, self._below, limits, self._shading, read_out)
        if self._to_paint:
            self._next.start()
