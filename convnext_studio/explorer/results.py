"""The results of an `Explorer`: arrays, and the figures that the program would export."""

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray
from PIL import Image

from convnext_studio.common.attribution_methods import method_named
from convnext_studio.common.files import checked_ending
from convnext_studio.common.geometry import FieldGeometry
from convnext_studio.common.value_terms import ValueSum
from convnext_studio.erf import Scale, definition
from convnext_studio.explorer.tables import html_table
from convnext_studio.export import MapContents
from convnext_studio.export.drawing.figure_page import Figure, png_bytes
from convnext_studio.export.export_contents import explained_text, label_of
from convnext_studio.export.field_figures import field_figure
from convnext_studio.export.figures import attribution_figure, mosaic_figure, unit_figure
from convnext_studio.export.safe_files import write_file
from convnext_studio.export.views import save_npy
from convnext_studio.protocol.attributions import Explanation
from convnext_studio.protocol.maps import FeatureMapsResult
from convnext_studio.protocol.models import ModelInfo
from convnext_studio.protocol.predictions import Prediction
from convnext_studio.protocol.receptive_fields import ReceptiveFieldResult, UnitFieldResult
from convnext_studio.render import format_number, format_percent

TOP_COUNT = 5


class DisplayedResult:
    """A result with a figure, which notebooks display."""

    def _figure(self) -> Figure:
        raise NotImplementedError

    @property
    def _is_random(self) -> bool:
        raise NotImplementedError

    @property
    def values(self) -> NDArray[Any]:
        """The numbers behind the figure, read-only."""
        raise NotImplementedError

    @property
    def figure(self) -> Image.Image:
        """Return the figure with colour bar and caption, as a Pillow image."""
        return self._drawn.picture

    @property
    def caption(self) -> str:
        """The caption of the figure."""
        return " ".join(self._drawn.caption)

    def save(self, path: str | Path) -> Path:
        """Write the figure with its caption, or only the values if the name ends in ``.npy``.

        Raises
        ------
        StudioError
            If the name ends in neither ``.png`` nor ``.npy``, or the file cannot be written.
        """
        path = Path(path)
        if checked_ending(path, (".png", ".npy"), "A result") == ".npy":
            return save_npy(path, self.values)
        return write_file(path, lambda file: file.write(self._repr_png_()))

    def _repr_png_(self) -> bytes:
        return png_bytes(self._drawn, self._is_random)

    @cached_property
    def _drawn(self) -> Figure:
        return self._figure()


class _OfPicture(DisplayedResult):
    """A result for one picture."""

    def __init__(self, contents: MapContents) -> None:
        self._contents = contents

    @property
    def _is_random(self) -> bool:
        return self._contents.model.random_weights


class Maps(_OfPicture):
    """All channels of a node for a picture.

    Attributes
    ----------
    result
        The result of the engine, with the geometry of the maps on the picture.
    """

    def __init__(self, contents: MapContents, result: FeatureMapsResult) -> None:
        super().__init__(contents)
        self.result = result

    @property
    def values(self) -> NDArray[np.float32]:
        """The maps, (channels, height, width), read-only."""
        return self.result.maps

    def _figure(self) -> Figure:
        return mosaic_figure(self._contents, self.result)

    def __repr__(self) -> str:
        channels, height, width = self.values.shape
        return f"<Maps of {self.result.node}: {channels} channels of {height} × {width}>"


class AttributionMap(_OfPicture):
    """An attribution map: the evidence for a prediction.

    Attributes
    ----------
    result
        The result of the engine, with parameters, notes and geometry.
    """

    def __init__(
        self, contents: MapContents, result: Explanation, name: str, sum_at: Callable[[str, int, int], ValueSum]
    ) -> None:
        super().__init__(contents)
        self.result = result
        self._name = name
        self._sum_at = sum_at

    def value_sum(self, y: int, x: int) -> ValueSum:
        """Return which channels a value of the map adds up; a StudioError if the method is no such sum."""
        return self._sum_at(self._name, y, x)

    @property
    def values(self) -> NDArray[np.float32]:
        """The map, (h, w), read-only; signed if the method is."""
        return self.result.maps[self._name]

    @property
    def field(self) -> FieldGeometry:
        """The positions of the map's units on the network's input."""
        return self.result.fields[self._name]

    def _figure(self) -> Figure:
        return attribution_figure(self._contents, self.result, self._name)

    def __repr__(self) -> str:
        method, (height, width) = method_named(self.result.method).title, self.values.shape
        explained = explained_text(self._contents.model, self.result)
        return f"<AttributionMap: {method}, {explained}, {height} × {width}>"


class UnitView(_OfPicture):
    """The theoretical and the effective field of one unit on a picture.

    Attributes
    ----------
    result
        The result of the engine, with the value of the unit and the box of its theoretical field.
    """

    def __init__(self, contents: MapContents, result: UnitFieldResult) -> None:
        super().__init__(contents)
        self.result = result

    @property
    def values(self) -> NDArray[np.float32]:
        """The absolute derivative of the unit on the network's input, (H, W), read-only."""
        return self.result.effective

    def _figure(self) -> Figure:
        return unit_figure(self._contents, self.result)

    def __repr__(self) -> str:
        unit = self.result
        value = format_number(unit.value)
        return f"<UnitView: {unit.node}, channel {unit.channel}, y {unit.y}, x {unit.x}, value {value}>"


class FieldAverage(Struct, DisplayedResult, frozen=True, eq=False):
    """An effective receptive field.

    Attributes
    ----------
    result
        The result of the engine, with the protocol, squares, curves and theoretical field.
    """

    result: ReceptiveFieldResult

    @property
    def values(self) -> NDArray[np.float64]:
        """The field on the network's input, (H, W), read-only."""
        return self.result.field_map

    def area_ratios(self, scale: Scale | None = None) -> dict[float, float]:
        """Return the share of the input's area that holds each share of the field: ``{0.2: ..., 0.3: ...}``.

        It is measured on the field (``linear``) or on log10(field + 1) (``log``); by default as in the
        protocol.
        """
        squares = self.result.squares[scale or definition(self.result.protocol).scale]
        return {square.threshold: square.area_ratio for square in squares}

    @property
    def _is_random(self) -> bool:
        return self.result.random_weights

    def _figure(self) -> Figure:
        return field_figure(self.result)

    def __repr__(self) -> str:
        field, (height, width) = self.result, self.values.shape
        averaged = field.pictures + field.noises
        return f"<FieldAverage of {field.node}: {field.protocol}, {averaged} inputs of {height} × {width} px>"


class Predictions(Struct, frozen=True, eq=False):
    """The predictions of the network for a picture."""

    model: ModelInfo
    result: Prediction

    @property
    def logits(self) -> NDArray[np.float32]:
        """The logits, (classes,), read-only."""
        return self.result.logits

    @property
    def probabilities(self) -> NDArray[np.float64]:
        """The probabilities, (classes,), read-only."""
        return self.result.probabilities

    def top(self, count: int = TOP_COUNT) -> list[tuple[str, float]]:
        """Return the most probable classes and their probabilities."""
        return [
            (label_of(self.model, index), float(self.probabilities[index])) for index in self.result.top(count)
        ]

    def __repr__(self) -> str:
        told = ", ".join(f"{label} {format_percent(probability)}" for label, probability in self.top())
        random = " (random weights)" if self.model.random_weights else ""
        return f"<Predictions{random}: {told}>"

    def _repr_html_(self) -> str:
        rows = [(label, format_percent(probability)) for label, probability in self.top()]
        title = "Predictions of random weights" if self.model.random_weights else "Predictions"
        return html_table(title, ("class", "probability"), rows)
