"""Every node of a V1 and a V2 against a plain recomputation from the same weights."""

import numpy as np
import pytest
import torch
from torch import Tensor

from convnext_studio import analysis
from convnext_studio.analysis.channel_statistics import channel_numbers, contributions
from convnext_studio.analysis.features import inner_outputs, to_array, trunk_node, trunk_outputs
from convnext_studio.model.loaded import LoadedModel
from tests.networks import random_input, small_model
from tests.plain import plain_forward

KINDS = {
    "v1": {},
    "v1, overlapping stem": {"stem_stride": 1, "stem_padding": 1},
    "v2": {"grn": True, "layer_scale_init_value": 0.0},
}


@pytest.fixture(params=KINDS.values(), ids=KINDS.keys())
def model(request: pytest.FixtureRequest) -> LoadedModel:
    return small_model(input_px=48, **request.param)


def look_at_all(model: LoadedModel, x: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
    """Return the logits, and by node the differentiable outputs (C, h, w)."""
    seen: dict[str, Tensor] = {}

    def look(name: str, value: Tensor) -> Tensor:
        seen[name] = value if value.requires_grad else value.requires_grad_()
        return seen[name]

    config = model.config
    logits = plain_forward(model.module.state_dict(), x, config.stem_stride, config.stem_padding, look)
    return logits, seen


def assert_near(ours: np.ndarray, expected: Tensor) -> None:
    reference = expected.detach().numpy()
    np.testing.assert_allclose(ours, reference, rtol=1e-4, atol=1e-5 * np.abs(reference).max())


def test_every_node_equals_a_recomputation_from_the_weights(model: LoadedModel) -> None:
    x = random_input(model)
    logits, expected = look_at_all(model, x)
    assert list(expected) == [node.name for node in model.nodes]
    assert_near(model.module(x)[0].numpy(), logits)
    for node in model.nodes:
        maps = analysis.feature_maps(model, x, node.name)
        assert maps.shape == node.shape
        assert_near(maps, expected[node.name][0])


def test_running_one_block_gives_the_same_as_whole_passes(model: LoadedModel) -> None:
    x = random_input(model)
    _, expected = look_at_all(model, x)
    trunk = trunk_outputs(model, x)
    assert list(trunk) == [node.name for node in model.nodes if node.kind in ("stem", "downsample", "block")]
    for node in model.nodes:
        if node.kind == "stage":
            output = trunk[trunk_node(model, node.name)]
        elif node.name in trunk:
            output = trunk[node.name]
        else:
            source = model.node(node.parent).before if node.parent else node.before
            (output,) = inner_outputs(model, trunk[trunk_node(model, source)], [node]).values()
        assert_near(to_array(output), expected[node.name][0])


def test_in_bfloat16_running_one_block_repeats_whole_passes(model: LoadedModel) -> None:
    x = random_input(model)
    trunk = trunk_outputs(model, x, "bfloat16")
    for name, source in (("stage2.block1.act", "stage2.downsample"), ("head.norm", "stage4.block1")):
        (output,) = inner_outputs(model, trunk[source], [model.node(name)], "bfloat16").values()
        np.testing.assert_array_equal(to_array(output), analysis.feature_maps(model, x, name, "bfloat16"))


@pytest.mark.parametrize("target", [0, 4])
def test_contributions_are_gradient_times_value(model: LoadedModel, target: int) -> None:
    x = random_input(model)
    logits, seen = look_at_all(model, x)
    gradients = torch.autograd.grad(logits[target], list(seen.values()))
    for node, gradient in zip(seen, gradients, strict=True):
        expected = (gradient * seen[node]).sum(dim=(0, 2, 3))
        assert_near(contributions(model, x, node, target), expected)


@pytest.mark.parametrize("head_norm_first", [False, True])
@pytest.mark.parametrize("target", [1, 6])
def test_contributions_to_a_linear_head_sum_to_the_logit_without_its_bias(
    head_norm_first: bool, target: int
) -> None:
    model = small_model(head_norm_first=head_norm_first)
    x = random_input(model)
    spoken = contributions(model, x, "head.norm", target)
    logit = model.module(x)[0, target] - model.module.head.bias[target]
    assert spoken.sum(dtype=np.float64) == pytest.approx(float(logit), rel=1e-5)
    weights = model.module.head.weight[target].numpy()
    np.testing.assert_allclose(
        spoken, weights * analysis.feature_maps(model, x, "head.norm")[:, 0, 0], rtol=1e-5
    )


def test_channels_numbers_are_numpys() -> None:
    maps = np.random.default_rng(0).normal(3, 2, (5, 6, 4)).astype(np.float32)
    maps[1] = -2.5  # dead
    maps[2] = 0.0  # dead, and without a magnitude
    maps[3] = 0.0
    maps[3, 2, 1] = 9.0  # as sparse as can be
    numbers = channel_numbers(torch.from_numpy(maps))
    exact = maps.astype(np.float64)
    np.testing.assert_allclose(numbers.mean, exact.mean(axis=(1, 2)))
    np.testing.assert_allclose(numbers.variance, exact.var(axis=(1, 2)), atol=1e-15)
    np.testing.assert_array_equal(numbers.minimum, maps.min(axis=(1, 2)))
    np.testing.assert_array_equal(numbers.maximum, maps.max(axis=(1, 2)))
    np.testing.assert_array_equal(numbers.is_dead, [False, True, True, False, False])
    np.testing.assert_array_equal(numbers.non_finite, 0)
    root = np.sqrt(24)
    hoyer = (root - np.abs(exact[0]).sum() / np.linalg.norm(exact[0])) / (root - 1)
    np.testing.assert_allclose(numbers.sparsity[:4], [hoyer, 0, np.nan, 1], atol=1e-12)


def test_values_that_are_not_finite_are_counted_and_left_out() -> None:
    maps = torch.tensor([[[1.0, 2.0, float("nan"), float("inf")]], [[float("-inf")] * 4], [[7.0] * 4]])
    numbers = channel_numbers(maps)
    np.testing.assert_array_equal(numbers.non_finite, [2, 4, 0])
    np.testing.assert_array_equal(numbers.mean, [1.5, np.nan, 7])
    np.testing.assert_allclose(numbers.variance, [0.25, np.nan, 0])
    np.testing.assert_array_equal(numbers.minimum, [1, np.nan, 7])
    np.testing.assert_array_equal(numbers.maximum, [2, np.nan, 7])
    np.testing.assert_array_equal(numbers.is_dead, [False, False, True])


def test_one_position_has_no_spread_and_is_not_dead() -> None:
    numbers = channel_numbers(torch.tensor([[[3.0]], [[0.0]]]))
    np.testing.assert_array_equal(numbers.mean, [3, 0])
    assert np.isnan(numbers.sparsity).all()
    assert not numbers.is_dead.any()


def test_many_channels_are_processed_in_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    maps = torch.randn(10, 3, 3, generator=torch.Generator().manual_seed(0))
    whole = channel_numbers(maps)
    monkeypatch.setattr("convnext_studio.analysis.channel_statistics._CHUNK_VALUES", 30)
    np.testing.assert_array_equal(channel_numbers(maps).variance, whole.variance)
