"""Each time covers the right part of the pass, measured with a fake clock, and all nodes have one."""

from itertools import count
from types import SimpleNamespace

import pytest

from convnext_studio.analysis import cost
from convnext_studio.analysis.capture import timed
from convnext_studio.analysis.cost import HEAD, WHOLE, measured_times
from convnext_studio.common.stopping import Stopped
from tests.networks import random_input, small_model


def test_a_time_is_what_passed_since_the_last_end_or_start() -> None:
    model = small_model()
    block, ticks = model.module_at("stage2.block1"), count()
    # The clock advances one second at each reading, and ten in each expansion.
    spent = [0]
    block.pwconv1.register_forward_hook(lambda *_: spent.__setitem__(0, spent[0] + 10))
    ends = {name: getattr(block, name) for name in ("dwconv", "norm", "pwconv1", "act", "pwconv2")}
    with timed([block], ends, lambda: next(ticks) + spent[0]) as seconds:
        model.module(random_input(model))
    assert seconds == {"dwconv": 1, "norm": 1, "pwconv1": 11, "act": 1, "pwconv2": 1}
    assert not block._forward_pre_hooks


@pytest.mark.parametrize("changes", [{}, {"grn": True, "downsample": "block"}, {"head_norm_first": True}])
def test_every_node_has_a_time_and_stages_are_the_sum_of_their_parts(changes: dict[str, object]) -> None:
    model = small_model(**changes)
    *_, seconds = measured_times(model, runs=3)
    assert set(seconds) == {WHOLE, HEAD, *(node.name for node in model.nodes)}
    assert all(value >= 0 for value in seconds.values())
    assert seconds[HEAD] >= seconds["head.norm"]


def test_medians_are_taken_over_the_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = count()
    runs = iter([{"stem": float(next(clock))} for _ in range(9)])
    monkeypatch.setattr(cost, "_run", lambda *_: next(runs))
    # Runs 0 and 1 are warm-up.
    assert [seconds["stem"] for seconds in measured_times(small_model(), runs=4)] == [2, 2.5, 3, 3.5]


def test_stages_are_summed_in_one_run(monkeypatch: pytest.MonkeyPatch) -> None:
    model = small_model()
    ticks = count()
    monkeypatch.setattr(cost, "time", SimpleNamespace(perf_counter=lambda: float(next(ticks))))
    seconds = next(measured_times(model, runs=1))
    assert seconds["stage2"] == sum(seconds[f"stage2.{part}"] for part in ("downsample", "block1", "block2"))
    assert seconds["stage2"] == 3  # Each part is one tick of this clock.


def test_timing_can_be_stopped() -> None:
    with pytest.raises(Stopped):
        next(measured_times(small_model(), should_stop=lambda: True))
