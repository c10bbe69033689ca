"""Averages of fields by hand, and with pictures left out."""

import numpy as np
import pytest
import torch

from convnext_studio.analysis.receptive_field import FieldSoFar, Signal, running_average, running_growth
from convnext_studio.analysis.receptive_field.gradients import BatchFields
from convnext_studio.common.errors import StudioError
from convnext_studio.common.stopping import Stopped
from tests.networks import random_input, small_model


def fields(*values: float) -> BatchFields:
    """Fields (N, 2, 3) with these values everywhere but for one pixel, which is twice as large."""
    found = np.ones((len(values), 2, 3)) * np.array(values)[:, None, None]
    found[:, 1, 2] *= 2
    return BatchFields(found, (4, 5))


def test_joining_batches_by_hand() -> None:
    start = FieldSoFar(total=np.full((2, 3), 10.0), used=2, skipped=(1,), unit=(0, 0))
    assert start.done == 3
    found = start.joined(fields(1.0, np.nan, 4.0, np.inf))
    assert (found.used, found.skipped, found.done, found.unit) == (4, (1, 4, 6), 7, (4, 5))
    np.testing.assert_array_equal(found.total, [[15, 15, 15], [15, 15, 20]])
    np.testing.assert_array_equal(found.field, found.total / 4)
    # The one before is as it was.
    assert (start.total == 10).all()
    again = found.joined(fields(np.nan))
    assert (again.used, again.skipped) == (4, (1, 4, 6, 7))


def test_without_a_picture_the_field_is_zero() -> None:
    none = FieldSoFar(total=np.zeros((2, 3)), used=0, skipped=(), unit=(0, 0)).joined(fields(np.nan, np.nan))
    assert (none.used, none.skipped, none.done) == (0, (0, 1), 2)
    np.testing.assert_array_equal(none.field, np.zeros((2, 3)))


def test_growth_counts_what_is_used_and_left_out_over_batches() -> None:
    model = small_model()
    bad = torch.full((1, 3, 64, 64), torch.nan)
    # 24 inputs of 64 by 64 are a batch on a processor.
    tensors = [bad if number in (0, 23, 24, 29) else random_input(model, number) for number in range(30)]
    *_, found = running_growth(model, tensors, ["stem", "stage2.block2", "stage2"], "absolute")
    assert (found.used, found.lost, found.skipped, found.done) == (26, (0, 23, 24, 29), 4, 30)
    assert found.units == {"stem": (8, 8), "stage2": (4, 4), "stage2.block2": (4, 4)}
    np.testing.assert_array_equal(found.field("stage2"), found.totals["stage2"] / 26)
    np.testing.assert_array_equal(found.totals["stage2"], found.totals["stage2.block2"])
    good = [tensor for tensor in tensors if tensor is not bad]
    for node in ("stem", "stage2"):
        *_, single = running_average(model, good, Signal(node=node, protocol="absolute"))
        assert single.used == 26
        scale = single.field.max()
        np.testing.assert_allclose(found.field(node), single.field, rtol=1e-4, atol=1e-6 * scale)
    *_, nothing = running_growth(model, [bad], ["stage1"], "absolute")
    assert (nothing.used, nothing.lost) == (0, (0,))
    assert not nothing.field("stage1").any()


def test_growth_runs_no_further_than_its_last_node_and_measures_twins_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = small_model()
    ran: list[str] = []
    for number, stage in enumerate(model.module.stages, 1):
        stage.register_forward_pre_hook(lambda *_, number=number: ran.append(f"stage{number}"))
    backward: list[int] = []
    grad = torch.autograd.grad

    def counted(*arguments: object, **more: object) -> object:
        backward.append(1)
        return grad(*arguments, **more)

    monkeypatch.setattr(torch.autograd, "grad", counted)
    nodes = ["stem", "stage1.block1", "stage1", "stage2.block2", "stage2"]
    *_, found = running_growth(model, [random_input(model)], nodes, "luo")
    assert ran == ["stage1", "stage2"]
    assert len(backward) == 3
    assert list(found.units) == nodes


@pytest.mark.parametrize("allowed", [0, 1, 3, 5, 6])
def test_growth_can_be_stopped_in_a_pass_and_between_nodes(allowed: int) -> None:
    model = small_model()
    asked: list[int] = []

    def should_stop() -> bool:
        asked.append(1)
        return len(asked) > allowed

    with pytest.raises(Stopped):
        list(running_growth(model, [random_input(model)], ["stem", "stage1", "stage2"], "luo", should_stop))
    assert len(asked) == allowed + 1


def test_growth_of_an_input_that_is_not_square() -> None:
    model = small_model()
    tensors = [
        torch.cat([random_input(model, seed), random_input(model, seed + 9)], dim=3) for seed in range(2)
    ]
    nodes = ["stem", "stage1", "stage2"]
    *_, found = running_growth(model, tensors, nodes, "absolute")
    assert found.units == {"stem": (8, 16), "stage1": (8, 16), "stage2": (4, 8)}
    for node in nodes:
        *_, single = running_average(model, tensors, Signal(node=node, protocol="absolute"), whole_maps=True)
        assert single.unit == found.units[node]
        assert single.field.shape == (64, 128)
        scale = single.field.max()
        np.testing.assert_allclose(found.field(node), single.field, rtol=1e-4, atol=1e-6 * scale)


@pytest.mark.parametrize(
    ("unit", "found"),
    [
        (None, (2, 3)),
        ((0, 0), (0, 0)),
        ((4, 6), (4, 6)),
        ((5, 0), None),
        ((0, 7), None),
        ((-1, 0), None),
        ((0, -1), None),
    ],
)
def test_units_of_a_map_of_five_rows_and_seven_columns(
    unit: tuple[int, int] | None, found: tuple[int, int] | None
) -> None:
    signal = Signal(node="stage2", unit=unit)
    if found is not None:
        assert signal.unit_in(5, 7) == found
        return
    assert unit is not None
    with pytest.raises(StudioError, match=f"stage2 has no unit in row {unit[0]}, column {unit[1]}") as refused:
        signal.unit_in(5, 7)
    assert refused.value.hint == "It has 5 rows and 7 columns, counted from 0."
