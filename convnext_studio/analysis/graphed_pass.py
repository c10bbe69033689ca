"""The pass for a prediction as a CUDA graph: captured once, then replayed for every frame of the same size."""

import logging
from collections.abc import Callable

import torch
from torch import Tensor

from convnext_studio.analysis.features import PassOnDevice, StagePass, pass_on_device
from convnext_studio.model.loaded import LoadedModel

_LOG = logging.getLogger(__name__)
_WARM_UPS = 3

Work = Callable[[], PassOnDevice]
Capture = Callable[[Work], tuple[PassOnDevice, Callable[[], None]]]
"""From work to its results, and to a function that does the same work again and overwrites them."""


class GraphedPass:
    """What `stage_pass` computes in float32 for the likeliest class, launched as one.

    A forward and a backward pass launch hundreds of operations, each of which takes the processor longer than
    a GPU needs to compute it. Hooks run while the operations are captured and not when they are replayed, so
    the network must not be changed in between.

    Parameters
    ----------
    tensor
        A picture (1, C, H, W) on the model's device.
    capture
        Does the work, and returns how to repeat it.
    """

    def __init__(self, model: LoadedModel, tensor: Tensor, capture: Capture) -> None:
        self._input = tensor.clone()
        self._passed, self._replay = capture(lambda: pass_on_device(model, self._input))

    def __call__(self, tensor: Tensor) -> StagePass:
        """Return the results for a picture of the same size."""
        self._input.copy_(tensor)
        self._replay()
        # They are kept for this frame, and the next one overwrites them.
        return self._passed.cloned().on_host()


def can_be_graphed(tensor: Tensor) -> bool:
    """Whether a device has CUDA graphs: only NVIDIA's and AMD's have."""
    return tensor.is_cuda


def cuda_graph(work: Work) -> tuple[PassOnDevice, Callable[[], None]]:
    """Capture work as a CUDA graph."""
    # What is set up at the first call must be there before anything is captured, on a stream of its own.
    make_stream: Callable[[], torch.cuda.Stream] = torch.cuda.Stream  # Its constructor has no types.
    stream = make_stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(_WARM_UPS):
            work()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        passed = work()
    return passed, graph.replay


def graphed_pass(model: LoadedModel, tensor: Tensor, capture: Capture = cuda_graph) -> GraphedPass | None:
    """Capture the pass of a model for pictures of that size; None where that is impossible."""
    try:
        return GraphedPass(model, tensor, capture)
    except RuntimeError as error:  # Among them that the memory is too small.
        _LOG.warning("Frames are computed operation by operation, because no CUDA graph can be made: %s", error)
        return None
