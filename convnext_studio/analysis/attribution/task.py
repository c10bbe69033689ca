"""The input and the output of an attribution method."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np
import torch
from msgspec import Struct
from numpy.typing import NDArray
from torch import Tensor

from convnext_studio.analysis.capture import ShouldStop, stoppable
from convnext_studio.analysis.features import among_padding, seen_part
from convnext_studio.common.attribution_methods import Output, Value
from convnext_studio.common.errors import StudioError
from convnext_studio.common.geometry import CropGeometry
from convnext_studio.model.labels import check_class
from convnext_studio.model.loaded import LoadedModel

Map = NDArray[np.float32]

INPUT = "input"
"""The name of a map on the pixels of the input."""


class Outputs(Struct, frozen=True):
    """The outputs of the network that are explained: one, or two whose difference is explained.

    Attributes
    ----------
    kind
        ``logit``, ``probability``, or ``difference`` of two logits.
    classes
        The class, or for a difference the two classes.
    is_multi_label
        Whether probabilities are sigmoids; see `LoadedModel.probabilities`.
    """

    kind: Output
    classes: tuple[int, ...]
    is_multi_label: bool = False

    @classmethod
    def of(
        cls, kind: Output, target: int, against: int | None, count: int, is_multi_label: bool = False
    ) -> "Outputs":
        """Choose outputs of a network with that many classes.

        Raises
        ------
        StudioError
            If there is no such class, or a difference lacks a second, different class.
        """
        check_class(target, count)
        if kind != "difference":
            return cls(kind, (target,), is_multi_label)
        if against is None or against == target:
            raise StudioError("A difference needs two classes.", "Choose another class to compare with.")
        check_class(against, count)
        return cls(kind, (target, against))

    def __call__(self, logits: Tensor) -> Tensor:
        """Map logits (N, classes) to the values of the outputs (N, outputs)."""
        if self.kind == "probability":
            values = torch.sigmoid(logits) if self.is_multi_label else torch.softmax(logits, dim=1)
        else:
            values = logits
        # Not by a list: as an index it would be copied to the device each time, which waits for it.
        return torch.stack([values[:, index] for index in self.classes], dim=1)


class AttributionTask(Struct, frozen=True, kw_only=True):
    """The task of an attribution method: a network, a picture, the outputs and the settings.

    Attributes
    ----------
    tensor
        (1, C, H, W) float32, normalised, on the model's device.
    nodes
        The nodes for class activation maps.
    settings
        The values of all parameters of the method.
    should_stop
        Called between blocks; the method stops if it returns true.
    geometry
        Where the input lies in the picture, if it may be padded; what is padding is left out of the maps.
    """

    model: LoadedModel
    tensor: Tensor
    outputs: Outputs
    nodes: tuple[str, ...]
    settings: Mapping[str, Value]
    should_stop: ShouldStop
    geometry: CropGeometry | None = None

    @contextmanager
    def passes(self, *, with_gradients: bool = False) -> Iterator[None]:
        """Make the passes inside the block stoppable. Do not yield inside it, because hooks are set."""
        with torch.set_grad_enabled(with_gradients), stoppable(self.model.blocks, self.should_stop):
            yield

    def scores(self, pictures: Tensor) -> Tensor:
        """Return the values of the outputs (N, outputs) for pictures (N, C, H, W), without gradients."""
        with self.passes():
            return self.outputs(self.model.module(pictures))

    def seen(self, node: str, maps: Tensor) -> Tensor:
        """Return the units of a node's maps (…, h, w) that are centred on the picture, not on its padding."""
        return seen_part(maps, self.model.node(node).field, self.geometry)

    def placed(self, node: str, seen: Tensor, whole: Tensor) -> Tensor:
        """Return a map of the units that are `seen` among zeros, as large as the `whole` map (…, h, w)."""
        height, width = whole.shape[-2:]
        return among_padding(seen, (height, width), self.model.node(node).field, self.geometry)

    def integer(self, name: str) -> int:
        """Return the value of an integer parameter."""
        return int(self.settings[name])

    def number(self, name: str) -> float:
        """Return the value of a parameter that is a number."""
        return float(self.settings[name])

    def text(self, name: str) -> str:
        """Return the value of a parameter that is a choice."""
        return str(self.settings[name])


class MethodResult(Struct, frozen=True, kw_only=True):
    """A partial or final result of a method.

    Attributes
    ----------
    maps
        For each output, maps (h, w) float32 by node name or `INPUT`; empty until there is something to show.
    done, total
        The progress, in passes or whatever else the method counts.
    deltas
        For each output, the convergence delta of integrated gradients.
    notes
        Sentences about how the maps were computed.
    """

    maps: tuple[dict[str, Map], ...]
    done: int = 1
    total: int = 1
    deltas: tuple[float, ...] = ()
    notes: tuple[str, ...] = ()
