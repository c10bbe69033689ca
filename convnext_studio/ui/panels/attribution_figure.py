"""The maps of an explanation beside each other, over the picture."""

from PySide6.QtCore import QTimer, Signal
from PySide6.QtWidgets import QHBoxLayout, QWidget

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
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        for number, cell in enumerate(self.cells):
            layout.addWidget(cell, 1)
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
        for number, cell in enumerate(self.cells):
            cell.setVisible(number < len(shown))
            cell.be_one_of(len(shown))
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

    def _paint_next(self) -> None:
        if not self._to_paint or self._picture is None or self._below is None:
            return
        cell, shown, group = self._to_paint.pop(0)
        limits = self._shading.limits_of([each.values for each in group])
        read_out = f"{self._read_out} · {shown.title}"
        cell.show_map(shown, self._picture, self._below, limits, self._shading, read_out)
        if self._to_paint:
            self._next.start()
