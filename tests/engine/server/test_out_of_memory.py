"""Memory runs out at any operation of any request: a smaller batch or a sentence, and the program goes on."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from convnext_studio.common.attribution_methods import METHODS, MethodName
from convnext_studio.engine.server.dispatch import Dispatcher
from convnext_studio.engine.server.faults import failure, is_expected
from convnext_studio.model.config import ConvNeXtConfig
from convnext_studio.protocol.attributions import (
    CheckSanity,
    CompareMethods,
    Explain,
    ExplainSeveral,
    MeasureFaithfulness,
)
from convnext_studio.protocol.channels import ChannelMap, ChannelStatistics, Kernel, StrongestPatches
from convnext_studio.protocol.envelope import Request
from convnext_studio.protocol.maps import FeatureMaps, NodeValues
from convnext_studio.protocol.models import LoadModel, MeasureCosts
from convnext_studio.protocol.predictions import Predict
from convnext_studio.protocol.receptive_fields import FieldGrowth, ReceptiveField, UnitField
from convnext_studio.protocol.similarity import (
    Components,
    FindParts,
    MeasureNorms,
    MostAlike,
    PositionVectors,
)
from tests.engine.opening import open_picture
from tests.networks import SMALL, small_model

SIDE_PX = 32
# Fewer steps than by default, because every operation passes through Python here.
FEWER: dict[str, tuple[tuple[str, int], ...]] = {
    "smoothgrad": (("samples", 4),),
    "integratedgradients": (("steps", 8),),
    "occlusion": (("window", 16), ("stride", 8)),
    "superpixels": (("count", 8),),
}
MOMENTS = (0.0, 0.5, 1.0)
MANY_MOMENTS = tuple(np.linspace(0, 1, 60))
ERRORS: dict[str, Callable[[], Exception]] = {
    "a device's": lambda: torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
    "the computer's": lambda: RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"),
    "Python's": MemoryError,
}


class Allocator(TorchDispatchMode):
    """Stands where every operation of torch, forward and backward, takes its memory.

    Parameters
    ----------
    fail_at
        Which operation, counted from 0, finds none; all after it do.
    largest
        No operation finds more than that for one of its results, in elements.

    Attributes
    ----------
    operations, refusals, largest
        How many there were, how many found no memory, and the most elements that one took.
    """

    def __init__(
        self,
        error: Callable[[], Exception] = ERRORS["a device's"],
        fail_at: int | None = None,
        largest: float = np.inf,
    ) -> None:
        super().__init__()
        self._error, self._fail_at, self._most = error, fail_at, largest
        self.operations = self.refusals = self.largest = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        index, self.operations = self.operations, self.operations + 1
        result = func(*args, **(kwargs or {}))
        taken = result.numel() if isinstance(result, torch.Tensor) else 0
        self.largest = max(self.largest, taken)
        if index == self._fail_at or taken > self._most:
            self.refusals += 1
            raise self._error()
        return result


def new_dispatcher() -> Dispatcher:
    dispatcher = Dispatcher()
    dispatcher._workspace.open_model(small_model(input_px=SIDE_PX), "float32")
    return dispatcher


def of_pictures(dispatcher: Dispatcher) -> dict[str, Request]:
    """Every request that computes, by a name for it."""
    cat, coffee = (open_picture(dispatcher, f"sample:{name}") for name in ("cat", "coffee"))
    question = Explain(image=cat, method="gradcam", nodes=("stage3",))
    return {
        "predict": Predict(image=cat),
        "another class": Predict(image=cat, target=1),
        "maps": FeatureMaps(image=cat, node="stage1"),
        "maps of an operation": FeatureMaps(image=cat, node="stage2.block1.pwconv1"),
        "channel": ChannelMap(image=cat, node="stage2", channel=1),
        "statistics": ChannelStatistics(image=cat, node="stage4", target=1),
        "kernel": Kernel(node="stage2.block1.dwconv", channel=1),
        "values": NodeValues(image=cat, nodes=("stage1", "stage4")),
        "unit": UnitField(image=cat, node="stage2", channel=1, y=1, x=1),
        "patches": StrongestPatches(node="stage2", channel=1, images=(cat, coffee)),
        "several": ExplainSeveral(images=(cat, coffee), question=question),
        "faithfulness": MeasureFaithfulness(question=question, steps=4),
        "sanity": CheckSanity(question=question),
        "agreement": CompareMethods(image=cat, methods=("gradcam", "hirescam"), node="stage3"),
        "field": ReceptiveField(node="stage2", images=(cat, coffee), count=2),
        "field of noise": ReceptiveField(node="stage2", inputs="noise", count=4, input_px=SIDE_PX),
        "growth": FieldGrowth(images=(cat,), count=1),
        "components": Components(image=cat, node="stage3", over=(cat, coffee)),
        "likeness": MostAlike(image=cat, node="stage3", y=1, x=1, images=(cat, coffee)),
        "vectors": PositionVectors(images=(cat, coffee), node="stage3"),
        "parts": FindParts(images=(cat, coffee), node="stage3", count=3),
        "factors": FindParts(images=(cat, coffee), node="stage3", count=3, method="nmf"),
        "norms": MeasureNorms(image=cat, node="stage3"),
        "costs": MeasureCosts(runs=1),
        "load": LoadModel(source="built", config=ConvNeXtConfig.from_dict(SMALL.to_dict()), device="cpu"),
        **{known.name: explained(known.name, cat) for known in METHODS},
    }


def explained(method: MethodName, image: str) -> Explain:
    return Explain(image=image, method=method, nodes=("stage3",), parameters=FEWER.get(method, ()))


NAMES = tuple(of_pictures(Dispatcher()))


def same(found: Any, expected: Any) -> bool:
    """Whether two answers say the same; how long it took is not part of it."""
    if isinstance(expected, np.ndarray):
        return np.allclose(found, expected, rtol=1e-3, atol=1e-5, equal_nan=True)
    names = getattr(expected, "__struct_fields__", None)
    if names is not None:
        return type(found) is type(expected) and all(
            same(getattr(found, name), getattr(expected, name))
            for name in names
            if name not in ("seconds", "total_s")
        )
    if isinstance(expected, dict):
        return found.keys() == expected.keys() and all(same(found[key], expected[key]) for key in expected)
    if isinstance(expected, (tuple, list)):
        return len(found) == len(expected) and all(map(same, found, expected))
    if isinstance(expected, float):
        return found == pytest.approx(expected, rel=1e-3, abs=1e-5, nan_ok=True)
    return bool(found == expected)


def assert_untouched(dispatcher: Dispatcher, weights: dict[str, torch.Tensor]) -> None:
    """Nothing hangs on the model, and its weights are what they were."""
    module = dispatcher._workspace.model.module
    for part in module.modules():
        assert not part._forward_hooks
        assert not part._forward_pre_hooks
        assert not part._backward_hooks
    for name, tensor in module.state_dict().items():
        torch.testing.assert_close(tensor, weights[name], rtol=0, atol=0)
    assert all(parameter.grad is None and not parameter.requires_grad for parameter in module.parameters())


def run_out_of_memory_at(name: str, moments: tuple[float, ...], error: Callable[[], Exception]) -> None:
    dispatcher = new_dispatcher()
    request = of_pictures(dispatcher)[name]
    with Allocator() as allocator:
        expected = dispatcher.run(request)
    for moment in moments:
        dispatcher = new_dispatcher()
        of_pictures(dispatcher)
        weights = {
            key: tensor.clone() for key, tensor in dispatcher._workspace.model.module.state_dict().items()
        }
        if allocator.operations:
            assert_told_or_answered(
                dispatcher, request, expected, error, round(moment * (allocator.operations - 1))
            )
        assert_untouched(dispatcher, weights)
        assert same(dispatcher.run(request), expected) or isinstance(request, MeasureCosts)


def assert_told_or_answered(
    dispatcher: Dispatcher, request: Request, expected: object, error: Callable[[], Exception], fail_at: int
) -> None:
    """Either a smaller batch gives the same answer, or a sentence says what to do."""
    with Allocator(error, fail_at) as allocator:
        try:
            answer = dispatcher.run(request)
        except Exception as raised:
            told = failure(1, raised) if is_expected(raised) else None
        else:
            assert same(answer, expected) or isinstance(request, MeasureCosts | ExplainSeveral)
            return
    assert allocator.refusals == 1
    assert told is not None
    assert "memory" in told.message
    assert "\n" not in told.message
    assert "smaller" in told.hint
    assert "CPU" in told.hint or not isinstance(error(), torch.OutOfMemoryError)


@pytest.mark.parametrize("name", NAMES)
def test_memory_runs_out_somewhere(name: str) -> None:
    run_out_of_memory_at(name, MOMENTS, ERRORS["a device's"])


@pytest.mark.parametrize("whose", ["the computer's", "Python's"])
@pytest.mark.parametrize("name", ["predict", "faithfulness", "field", "growth", "scorecam", "load"])
def test_the_computers_memory_runs_out_somewhere(name: str, whose: str) -> None:
    run_out_of_memory_at(name, (0.5,), ERRORS[whose])


@pytest.mark.parametrize(
    "name",
    ["scorecam", *FEWER, "faithfulness", "field", "field of noise"],
)
def test_little_memory_makes_batches_smaller_and_changes_nothing_else(name: str) -> None:
    dispatcher = new_dispatcher()
    request = of_pictures(dispatcher)[name]
    with Allocator() as plenty:
        expected = dispatcher.run(request)
    dispatcher = new_dispatcher()
    of_pictures(dispatcher)
    with Allocator(largest=0.6 * plenty.largest) as scarce:
        assert same(dispatcher.run(request), expected)
    assert scarce.refusals > 0


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", NAMES)
def test_memory_runs_out_at_many_moments(name: str) -> None:
    run_out_of_memory_at(name, MANY_MOMENTS, ERRORS["a device's"])
