"""All that the panels show of a picture, computed operation by operation or replayed as one CUDA graph."""

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from convnext_studio.analysis.attribution.gradient_cams import grad_cam
from convnext_studio.analysis.capture import captured
from convnext_studio.analysis.features import to_arrays, trunk_nodes
from convnext_studio.model.loaded import LoadedModel

Arrays = dict[str, NDArray[np.float32]]


class Eager:
    """Launches every operation of a picture anew."""

    def __init__(self, model: LoadedModel) -> None:
        self._model = model
        names = dict.fromkeys((*trunk_nodes(model), *model.config.stages))
        self._modules = {name: model.module_at(name) for name in names}

    def __call__(self, picture: Tensor) -> Arrays:
        """A picture (1, C, H, W) on the device to its logits, all nodes' outputs, and the stages' CAMs."""
        return to_arrays(self.outputs(picture))

    def outputs(self, picture: Tensor) -> Mapping[str, Tensor]:
        """The same on the device: one forward and one backward pass."""
        stages = self._model.config.stages
        # Hooks run while the operations are launched, or captured; when a graph is replayed they do not, and
        # need not: what they took hold of is then filled anew.
        with torch.enable_grad(), captured(self._modules, with_gradients=True) as passed:
            logits = self._model.module(picture)[0]
        gradients = torch.autograd.grad(logits.max(), [passed[name] for name in stages])
        found = {"logits": logits.detach()} | {name: output.detach()[0] for name, output in passed.items()}
        for name, gradient in zip(stages, gradients, strict=True):
            found[f"CAM of {name}"] = grad_cam(passed[name].detach()[0], gradient[0])
        return found


class Graphed(Eager):
    """Captures the operations once, and replays them for every picture of the same size."""

    def __init__(self, model: LoadedModel, picture: Tensor) -> None:
        super().__init__(model)
        self._picture = picture.clone()
        # Lazy initialisation must be over before anything is captured, on a stream of its own.
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(3):
                self.outputs(self._picture)
        torch.cuda.current_stream().wait_stream(stream)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            outputs = self.outputs(self._picture)
            self._names = {name: output.shape for name, output in outputs.items()}
            self._together = torch.cat([output.float().flatten() for output in outputs.values()])
        self._host = torch.empty(self._together.shape, pin_memory=True)

    def __call__(self, picture: Tensor) -> Arrays:
        """As `Eager`, by one launch and one copy."""
        self._picture.copy_(picture)
        self._graph.replay()
        self._host.copy_(self._together, non_blocking=True)
        torch.cuda.current_stream().synchronize()
        arrays: Arrays = {}
        begin = 0
        for name, shape in self._names.items():
            arrays[name] = self._host[begin : begin + shape.numel()].view(shape).numpy().copy()
            begin += shape.numel()
        return arrays
