"""What a method is asked, and what it gives."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from convnext_studio.analysis.capture import ShouldStop, stoppable
from convnext_studio.common.attribution_methods import Output, Value
from convnext_studio.common.errors import StudioError
from convnext_studio.model.labels import check_class
from convnext_studio.model.loaded import LoadedModel

Map = NDArray[np.float32]

INPUT = "input"
"""Name of a map on the input's pixels."""


@dataclass(frozen=True, slots=True)
class Outputs:
    """Which numbers of the network are explained: one, or two whose difference is.

    Attributes
    ----------
    kind
        ``logit``, ``probability``, or ``difference`` of two logits.
    classes
        The class; for a difference, the class and the other.
    """

    kind: Output
    classes: tuple[int, ...]

    @classmethod
    def of(cls, kind: Output, target: int, against: int | None, count: int) -> "Outputs":
        """The outputs of a network with that many classes.

        Raises
        ------
        StudioError
            Where there is no such class, or a difference of a class from nothing or itself.
        """
        check_class(target, count)
        if kind != "difference":
            return cls(kind, (target,))
        if against is None or against == target:
            raise StudioError("A difference takes two classes.", "Choose another class to compare with.")
        check_class(against, count)
        return cls(kind, (target, against))

    def __call__(self, logits: Tensor) -> Tensor:
        """(N, classes) to (N, outputs)."""
        values = torch.softmax(logits, dim=1) if self.kind == "probability" else logits
        # Not by a list: as an index it would be copied to the device each time, which waits for it.
        return torch.stack([values[:, index] for index in self.classes], dim=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One picture, one network, and what is asked.

    Attributes
    ----------
    tensor
        (1, C, H, W) float32, normalised, on the model's device.
    nodes
        For class activation maps.
    settings
        All parameters of the method, with their values.
    should_stop
        Asked between blocks.
    """

    model: LoadedModel
    tensor: Tensor
    outputs: Outputs
    nodes: tuple[str, ...]
    settings: Mapping[str, Value]
    should_stop: ShouldStop

    @contextmanager
    def passes(self, *, with_gradients: bool = False) -> Iterator[None]:
        """Where passes are run: they can be stopped. To be left before anything is yielded: hooks are set."""
        with torch.set_grad_enabled(with_gradients), stoppable(self.model.blocks, self.should_stop):
            yield

    def scores(self, pictures: Tensor) -> Tensor:
        """(N, C, H, W) to the values of the outputs, (N, outputs); no gradients."""
        with self.passes():
            return self.outputs(self.model.module(pictures))

    def integer(self, name: str) -> int:
        """A parameter that is a whole number."""
        return int(self.settings[name])

    def number(self, name: str) -> float:
        """A parameter that is a number."""
        return float(self.settings[name])

    def text(self, name: str) -> str:
        """A parameter that is a choice."""
        return str(self.settings[name])


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a method has found, whole or so far.

    Attributes
    ----------
    maps
        For each output, (h, w) float32 by node name or `INPUT`; empty while there is nothing to see.
    done, total
        Passes, or whatever the method counts.
    deltas
        For each output, of integrated gradients.
    notes
        Sentences about how it was found.
    """

    maps: tuple[dict[str, Map], ...]
    done: int = 1
    total: int = 1
    deltas: tuple[float, ...] = ()
    notes: tuple[str, ...] = ()
