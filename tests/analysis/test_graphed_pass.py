"""The pass that is captured once and replayed gives what the usual pass gives; a fake stands for the GPU."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from convnext_studio.analysis.features import PassOnDevice, StagePass, stage_pass
from convnext_studio.analysis.graphed_pass import (
    GraphedPass,
    Work,
    can_be_graphed,
    cuda_graph,
    graphed_pass,
)
from tests.networks import small_model


def tensors_of(passed: StagePass | PassOnDevice) -> list[torch.Tensor]:
    of_stages = (passed.explained, passed.gradients, passed.trunk)
    return [tensor for each in of_stages for tensor in each.values()]


class FakeGraph:
    """Repeats the work, and writes the results where those of the first time are, as a CUDA graph does."""

    def __init__(self) -> None:
        self.replayed = 0

    def capture(self, work: Work) -> tuple[PassOnDevice, Callable[[], None]]:
        first = work()
        assert isinstance(first.target, torch.Tensor)
        held = [first.logits, first.target, *tensors_of(first)]

        def replay() -> None:
            self.replayed += 1
            again = work()
            assert isinstance(again.target, torch.Tensor)
            for old, new in zip(held, [again.logits, again.target, *tensors_of(again)], strict=True):
                old.copy_(new)

        return first, replay


def pictures(count: int, side: int = 64) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(1, 3, side, side, generator=generator) for _ in range(count)]


def test_replayed_frames_are_those_of_the_usual_pass_and_stay_so() -> None:
    model, graph, frames = small_model(), FakeGraph(), pictures(3)
    graphed = GraphedPass(model, frames[0], graph.capture)
    found = [graphed(frame) for frame in frames]  # All are kept while the next ones are replayed.
    assert graph.replayed == 3
    for frame, one in zip(frames, found, strict=True):
        usual = stage_pass(model, frame)
        assert np.array_equal(one.logits, usual.logits)
        assert one.target == usual.target
        assert list(one.trunk) == list(usual.trunk)
        for here, there in zip(tensors_of(one), tensors_of(usual), strict=True):
            assert torch.equal(here, there)
        assert all(torch.equal(one.activations[name], maps) for name, maps in usual.activations.items())


def test_the_picture_that_was_captured_with_is_not_overwritten() -> None:
    frames = pictures(2)
    before = frames[0].clone()
    GraphedPass(small_model(), frames[0], FakeGraph().capture)(frames[1])
    assert torch.equal(frames[0], before)


def test_where_nothing_can_be_captured_there_is_no_graph_and_the_log_says_why(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def refuse(_work: Work) -> tuple[PassOnDevice, Callable[[], None]]:
        raise RuntimeError("operation not permitted when stream is capturing")

    with caplog.at_level(logging.WARNING):
        assert graphed_pass(small_model(), pictures(1)[0], refuse) is None
    assert "operation not permitted" in caplog.text


def test_only_cuda_has_graphs() -> None:
    assert not can_be_graphed(pictures(1)[0])


class FakeCuda:
    """What of torch.cuda a capture calls, in its order."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls: list[str] = []
        fakes = {
            "Stream": lambda: _Stream(self.calls, "side"),
            "current_stream": lambda: _Stream(self.calls, "main"),
            "stream": lambda stream: self._inside(f"on {stream.name}"),
            "CUDAGraph": lambda: SimpleNamespace(replay=lambda: self.calls.append("replay")),
            "graph": lambda _: self._inside("capture"),
        }
        for name, fake in fakes.items():
            monkeypatch.setattr(torch.cuda, name, fake)

    @contextmanager
    def _inside(self, what: str) -> Iterator[None]:
        self.calls.append(what)
        yield
        self.calls.append(f"end of {what}")


class _Stream:
    def __init__(self, calls: list[str], name: str) -> None:
        self.calls, self.name = calls, name

    def wait_stream(self, other: "_Stream") -> None:
        """Wait for another stream."""
        self.calls.append(f"{self.name} waits for {other.name}")


def test_work_is_warmed_up_on_a_stream_of_its_own_and_captured_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the order that PyTorch's notes on CUDA graphs ask for."""
    fake, results = FakeCuda(monkeypatch), iter("abcd")

    def work() -> str:
        fake.calls.append("work")
        return next(results)

    passed, replay = cuda_graph(work)
    replay()
    assert fake.calls == [
        *("side waits for main", "on side", "work", "work", "work", "end of on side", "main waits for side"),
        *("capture", "work", "end of capture", "replay"),
    ]
    assert passed == "d"
