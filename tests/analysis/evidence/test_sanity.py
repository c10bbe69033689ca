"""The cascading randomisation test changes one part after the other, and never the network itself."""

from collections import deque
from itertools import count

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

from convnext_studio.analysis.attribution import Outputs, Question, explain, make_question
from convnext_studio.analysis.evidence.sanity import cascade, parts, shuffle, tensors_of, unrelated_maps
from convnext_studio.common.attribution_methods import method_named
from convnext_studio.common.geometry import CropGeometry
from convnext_studio.common.stopping import Stopped
from convnext_studio.model.loaded import LoadedModel
from tests.analysis.attribution.tasks import TALL, WIDE
from tests.analysis.test_capture import hooks_on
from tests.networks import random_input, small_model

PARTS = ("head", "stage4", "stage3", "stage2", "stage1", "stem")


def ask(model: LoadedModel, method: str, node: str) -> Question:
    return make_question(model, method_named(method), Outputs.of("logit", 3, None, 7), (node,))


def test_each_step_randomises_one_part_more_and_is_compared_with_the_first() -> None:
    model = small_model(grn=True)
    x = random_input(model)
    question = ask(model, "gradcam", "stage2")
    (last,) = deque(cascade(model, x, question, "stage2"), maxlen=1)
    assert parts(model) == PARTS
    assert tuple(step.part for step in last.steps) == ("", *PARTS)
    (now,) = explain(model, x, question)
    np.testing.assert_array_equal(last.steps[0].map, now.maps["stage2"])
    assert last.steps[0].correlation == pytest.approx(1)
    assert last.steps[0].correlation_of_sizes == pytest.approx(1)
    first = last.steps[0].map.ravel()
    for step in last.steps[1:]:
        assert step.correlation == pytest.approx(spearmanr(first, step.map.ravel()).statistic)
        sizes = spearmanr(np.abs(first), np.abs(step.map.ravel())).statistic
        assert step.correlation_of_sizes == pytest.approx(sizes)
        assert step.correlation < 0.999


def test_a_map_without_gradients_changes_only_from_the_part_of_its_node_on() -> None:
    model = small_model()
    (last,) = deque(cascade(model, random_input(model), ask(model, "eigencam", "stage2"), "stage2"), maxlen=1)
    same = [step.part for step in last.steps if step.correlation == pytest.approx(1)]
    assert same == ["", "head", "stage4", "stage3"]


def test_the_parts_are_the_whole_network_and_shuffling_keeps_the_values() -> None:
    model = small_model(norm="batch", head_hidden_size=5)
    whole = dict(model.module.state_dict())
    before = {name: tensor.clone() for name, tensor in whole.items()}
    held = [tensor.data_ptr() for part in parts(model) for tensor in tensors_of(model.module, part)]
    assert sorted(held) == sorted(tensor.data_ptr() for tensor in whole.values())
    for part in parts(model):
        for tensor in tensors_of(model.module, part):
            shuffle(tensor, torch.Generator().manual_seed(0))
    for name, tensor in whole.items():
        assert torch.equal(tensor.flatten().sort().values, before[name].flatten().sort().values)
        assert not torch.equal(tensor, before[name]), name


def test_the_seed_decides() -> None:
    model = small_model()
    found = [
        deque(cascade(model, random_input(model), ask(model, "gradcam", "stage3"), "stage3", seed), maxlen=1)[0]
        for seed in (0, 0, 1)
    ]
    maps = [[step.map for step in last.steps] for last in found]
    np.testing.assert_array_equal(maps[0], maps[1])
    assert not np.array_equal(maps[0], maps[2])


@pytest.mark.parametrize("allowed", [None, 0, 13, 40])
def test_the_networks_own_weights_stay_bit_for_bit(allowed: int | None) -> None:
    model = small_model(norm="batch")
    before = {name: tensor.clone() for name, tensor in model.module.state_dict().items()}
    asked = count()
    work = cascade(
        model,
        random_input(model),
        ask(model, "gradcam", "stage2"),
        "stage2",
        should_stop=lambda: allowed is not None and next(asked) >= allowed,
    )
    if allowed is None:
        list(work)
    else:
        with pytest.raises(Stopped):
            list(work)
    assert list(before) == list(model.module.state_dict())
    for name, tensor in model.module.state_dict().items():
        assert torch.equal(tensor, before[name]), name
    assert hooks_on(model.module) == 0


def test_a_long_method_reports_progress_within_a_step() -> None:
    model = small_model()
    steps = list(cascade(model, random_input(model), ask(model, "ablationcam", "stage2"), "stage2"))
    # 12 channels in three batches: each of the 7 steps is reported three times.
    assert [(len(step.steps), round(step.share, 3)) for step in steps[:4]] == [
        (0, 0.333),
        (0, 0.667),
        (1, 0.0),
        (1, 0.333),
    ]
    assert len(steps) == 21


def test_unrelated_maps_have_the_same_values_and_the_same_smoothness() -> None:
    y, x = np.mgrid[:12, :12]
    smooth = np.sin(2 * np.pi * x / 12).astype(np.float32) + np.cos(2 * np.pi * y / 12).astype(np.float32)
    others = list(unrelated_maps(smooth, 200, seed=0))

    def neighbours(values: np.ndarray) -> float:
        beside = [spearmanr(values.ravel(), np.roll(values, 1, axis).ravel()).statistic for axis in (0, 1)]
        return float(np.mean(beside))

    for other in others:
        np.testing.assert_allclose(np.sort(other, axis=None), np.sort(smooth, axis=None))
        assert neighbours(other) == pytest.approx(neighbours(smooth), abs=0.02)
    found = [spearmanr(smooth.ravel(), other.ravel()).statistic for other in others]
    # Maps of so few waves are similar by chance far more often than noise, for which this would be 0.08.
    assert abs(np.mean(found)) < 0.15
    assert np.std(found) > 0.3
    again = unrelated_maps(smooth, 3, seed=0)
    for one, other in zip(again, others, strict=False):
        np.testing.assert_array_equal(one, other)


def test_a_map_of_one_unit_has_no_unrelated_one() -> None:
    (other,) = unrelated_maps(np.ones((1, 1), np.float32), 1, seed=0)
    assert other.tolist() == [[1.0]]


@pytest.mark.parametrize("geometry", [WIDE, TALL], ids=["wide", "tall"])
def test_only_what_shows_the_picture_is_compared(geometry: CropGeometry) -> None:
    """Rows or columns 1 to 6 of the 8 of stage 2 are centred on the picture; the others are 0 in every map."""
    model = small_model()
    question = ask(model, "gradcam", "stage2")
    (last,) = deque(cascade(model, random_input(model), question, "stage2", geometry=geometry), maxlen=1)
    seen = slice(1, 7), slice(0, 8)
    if geometry is TALL:
        seen = seen[::-1]
    first = last.steps[0].map
    for step in last.steps:
        outside = step.map.copy()
        outside[seen] = 0
        assert not outside.any()
        expected = spearmanr(first[seen].ravel(), step.map[seen].ravel()).statistic
        assert step.correlation == pytest.approx(expected)
        sizes = spearmanr(np.abs(first[seen]).ravel(), np.abs(step.map[seen]).ravel()).statistic
        assert step.correlation_of_sizes == pytest.approx(sizes)
        assert step.field == model.node("stage2").field
    assert len({round(step.correlation, 9) for step in last.steps}) == 7


def test_unrelated_maps_are_moved_mirrored_and_turned() -> None:
    """Of a map of 3 by 3 different values: 8 ways to mirror and turn it, and 9 to move it."""
    values = np.arange(9, dtype=np.float32).reshape(3, 3)
    all_ways = set()
    for turned in (values, values.T):
        for flipped in (turned, turned[::-1], turned[:, ::-1], turned[::-1, ::-1]):
            for rows in range(3):
                all_ways |= {np.roll(flipped, (rows, columns), (0, 1)).tobytes() for columns in range(3)}
    found = {other.tobytes() for other in unrelated_maps(values, 1500, seed=3)}
    assert found <= all_ways
    # Not moved and not mirrored, it would be the map itself; turned, only its transpose.
    assert values.tobytes() not in found
    assert len(found) > 60


@pytest.mark.parametrize(
    ("shape", "ways"),
    # Two rows can be moved or mirrored, which is the same; three columns have 6 orders.
    [((2, 3), 11), ((1, 2), 1), ((2, 2), 7), ((1, 3), 4)],
)
def test_no_unrelated_map_is_the_map_itself(shape: tuple[int, int], ways: int) -> None:
    values = np.arange(shape[0] * shape[1], dtype=np.float32).reshape(shape)
    others = list(unrelated_maps(values, 300, seed=0))
    assert {other.shape for other in others} == {shape}
    assert values.tobytes() not in {other.tobytes() for other in others}
    assert len({other.tobytes() for other in others}) == ways
