"""What an `Explorer` returns about the positions of a picture: components, likeness, parts and norms."""

from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from convnext_studio.explorer.results import DisplayedResult
from convnext_studio.export import export_labels
from convnext_studio.export.drawing.figure_page import Figure
from convnext_studio.export.similarity_figures import (
    components_figure,
    label_image,
    likeness_figure,
    norms_figure,
    parts_figure,
)
from convnext_studio.protocol.channels import Patch
from convnext_studio.protocol.models import ModelInfo
from convnext_studio.protocol.pictures import ImageInfo
from convnext_studio.protocol.similarity import (
    Basis,
    ComponentsResult,
    MostAlikeResult,
    NormsResult,
    Outlier,
    Parts,
    PicturePart,
    PictureParts,
)
from convnext_studio.render import format_number, format_percent, three_colours


class _OfPositions(DisplayedResult):
    """A result about the positions of one picture."""

    def __init__(self, model: ModelInfo, image: ImageInfo) -> None:
        self._model = model
        self._image = image

    @property
    def _is_random(self) -> bool:
        return self._model.random_weights


class ComponentMaps(_OfPositions):
    """Principal components of the positions of a node, and their scores on one picture.

    Attributes
    ----------
    result
        The result of the engine.
    """

    def __init__(self, model: ModelInfo, image: ImageInfo, result: ComponentsResult) -> None:
        super().__init__(model, image)
        self.result = result

    @property
    def values(self) -> NDArray[np.float32]:
        """The scores, (components, height, width), read-only; 0 is the mean of the basis' positions."""
        return self.result.scores.maps

    @property
    def basis(self) -> Basis:
        """The components, to be used for other pictures: ``other.components(node, basis=...)``."""
        return self.result.basis

    @property
    def explained(self) -> tuple[float, ...]:
        """The share of the variance that each component explains."""
        return self.result.basis.shares

    @property
    def colours(self) -> NDArray[np.uint8]:
        """The first three components as red, green and blue, (height, width, 3)."""
        return three_colours(self.values, self.basis.ends, smooth=False)

    def _figure(self) -> Figure:
        return components_figure(self._model, self._image, self.result)

    def __repr__(self) -> str:
        explained = ", ".join(format_percent(share) for share in self.explained)
        return f"<ComponentMaps of {self.result.node}: {explained} of the variance, from {self.basis.origin}>"


class LikenessMap(_OfPositions):
    """The likeness of all positions of a picture to one position, and the most alike ones of other pictures.

    Attributes
    ----------
    result
        The result of the engine.
    """

    def __init__(self, model: ModelInfo, image: ImageInfo, result: MostAlikeResult) -> None:
        super().__init__(model, image)
        self.result = result

    @property
    def values(self) -> NDArray[np.float32]:
        """The likeness of the picture's own positions, (height, width)."""
        return self.of(self._image.key)

    def of(self, key: str) -> NDArray[np.float32]:
        """Return the likeness map of one of the compared pictures, by its key; a KeyError if it is none."""
        for placed in self.result.likeness:
            if placed.image == key:
                values: NDArray[np.float32] = placed.maps[0]
                return values
        raise KeyError(key)

    @property
    def patches(self) -> tuple[Patch, ...]:
        """The most alike positions of the other pictures, best first."""
        return self.result.patches

    def _figure(self) -> Figure:
        of = f"row {self.result.y}, column {self.result.x}"
        return likeness_figure(self._model, self._image, self.result, of)

    def __repr__(self) -> str:
        result = self.result
        return (
            f"<LikenessMap: {result.measure} with y {result.y}, x {result.x} of {result.node}, "
            f"{result.total} pictures>"
        )


class PartMap(_OfPositions):
    """The parts of a picture.

    Attributes
    ----------
    result
        The result of the engine, with the labels of all pictures.
    """

    def __init__(self, model: ModelInfo, image: ImageInfo, result: Parts) -> None:
        super().__init__(model, image)
        self.result = result

    @property
    def values(self) -> NDArray[np.int32]:
        """The part at every position, (height, width), counted from 0; -1 where there is none."""
        return self._own.labels

    def of(self, key: str) -> NDArray[np.int32]:
        """Return the parts of one of the pictures that were divided, by its key; a KeyError if it is none."""
        for each in self.result.pictures:
            if each.image == key:
                return each.labels
        raise KeyError(key)

    @property
    def parts(self) -> tuple[PicturePart, ...]:
        """Each part over all pictures: its area, the pictures that have it, and its strongest patches."""
        return self.result.parts

    @property
    def cam_shares(self) -> tuple[float, ...]:
        """The share of the class's Grad-CAM in each part; empty if nothing of it is positive."""
        return self._own.cam_shares

    @cached_property
    def _own(self) -> PictureParts:
        return next(each for each in self.result.pictures if each.image == self._image.key)

    @property
    def label_image(self) -> Image.Image:
        """The label of every pixel of the picture, with a palette: 0 is no part, n the nth."""
        return label_image(self.result, self._own)

    def save_labels(self, path: str | Path) -> Path:
        """Write the label image as a PNG file; a StudioError if it cannot be written."""
        return export_labels(Path(path), self.result, self._own)

    def _figure(self) -> Figure:
        return parts_figure(self._model, self._image, self.result)

    def __repr__(self) -> str:
        areas = ", ".join(format_percent(part.area) for part in self.parts)
        return f"<PartMap of {self.result.node}: {areas} of {len(self.result.pictures)} pictures>"


class NormMap(_OfPositions):
    """The lengths of the vectors of a picture's positions.

    Attributes
    ----------
    result
        The result of the engine.
    """

    def __init__(self, model: ModelInfo, image: ImageInfo, result: NormsResult) -> None:
        super().__init__(model, image)
        self.result = result

    @property
    def values(self) -> NDArray[np.float32]:
        """The lengths, (height, width), read-only."""
        return self.result.norms

    @property
    def outliers(self) -> tuple[Outlier, ...]:
        """The positions more than five median deviations from the median, and the channels that make them."""
        return self.result.outliers

    def _figure(self) -> Figure:
        return norms_figure(self._model, self._image, self.result)

    def __repr__(self) -> str:
        median = format_number(self.result.median)
        return f"<NormMap of {self.result.node}: median {median}, {len(self.outliers)} outliers>"
