"""Effective receptive fields against a plain loop, and squares against the published definition."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from convnext_studio import analysis
from convnext_studio.analysis.receptive_field import running_average
from convnext_studio.errors import StudioError
from convnext_studio.stopping import Stopped
from tests.networks import random_input, small_model


def plain_field(network: torch.nn.Module, tensors: list[torch.Tensor], stages: int) -> NDArray[np.float64]:
    fields = []
    for tensor in tensors:
        x = tensor.clone().requires_grad_()
        features = x
        for index in range(stages):
            features = network.stages[index](network.downsample_layers[index](features))
        height, width = features.shape[2:]
        torch.nn.functional.relu(features[:, :, height // 2, width // 2]).sum().backward()
        fields.append(torch.nn.functional.relu(x.grad).sum(dim=(0, 1)).numpy().astype(np.float64))
    return np.mean(fields, axis=0)


@pytest.mark.parametrize("stages", [1, 2, 3, 4])
@pytest.mark.parametrize("changes", [{}, {"stem_stride": 1, "stem_padding": 1}])
def test_field_equals_a_plain_autograd_loop(stages: int, changes: dict[str, int]) -> None:
    model = small_model(**changes)
    tensors = [random_input(model, seed) for seed in range(3)]
    ours = analysis.effective_receptive_field(model, tensors, node=f"stage{stages}")
    assert ours.dtype == np.float64
    np.testing.assert_allclose(ours, plain_field(model.module, tensors, stages), rtol=1e-6, atol=1e-12)


def test_field_is_zero_outside_the_theoretical_one() -> None:
    model = small_model(input_px=160)
    field = analysis.effective_receptive_field(model, [random_input(model)], node="stage2")
    geometry = model.node("stage2").field
    left, top, width, height = (int(value) for value in geometry.unit_box(10, 10))
    assert left > 0
    assert left + width < 160
    inside = field[top : top + height, left : left + width]
    assert inside.sum() == field.sum() > 0


@pytest.mark.parametrize("operation", ["dwconv", "pwconv1", "gamma"])
def test_the_field_of_an_operation_is_its_central_units_whatever_its_layout(operation: str) -> None:
    model = small_model()
    x = random_input(model).requires_grad_()
    block = model.module.stages[0][0]
    conv = block.dwconv(model.module.downsample_layers[0](x))
    inside = block.pwconv1(block.norm(conv.permute(0, 2, 3, 1)))
    expected = {
        "dwconv": conv[:, :, 8, 8],
        "pwconv1": inside[:, 8, 8],
        "gamma": block.gamma * block.pwconv2(torch.nn.functional.gelu(inside))[:, 8, 8],
    }[operation]
    (gradient,) = torch.autograd.grad(torch.relu(expected).sum(), x)
    ours = analysis.effective_receptive_field(model, [x.detach()], node=f"stage1.block1.{operation}")
    np.testing.assert_allclose(ours, torch.relu(gradient).sum(dim=(0, 1)), rtol=1e-5, atol=1e-12)


def test_the_head_has_no_field() -> None:
    model = small_model()
    with pytest.raises(StudioError, match="pooled"):
        analysis.effective_receptive_field(model, [random_input(model)], node="head.norm")


def test_average_goes_on_picture_by_picture_and_leaves_out_what_is_not_finite() -> None:
    model = small_model()
    tensors = [random_input(model, seed) for seed in range(3)]
    tensors.insert(1, torch.full_like(tensors[0], torch.nan))
    averages = list(running_average(model, tensors, "stage3"))
    assert [average.used for average in averages] == [1, 1, 2, 3]
    assert averages[-1].skipped == (1,)
    del tensors[1]
    np.testing.assert_allclose(averages[-1].field, plain_field(model.module, tensors, 3), rtol=1e-6)
    np.testing.assert_allclose(averages[0].field, plain_field(model.module, tensors[:1], 3), rtol=1e-6)


def test_nothing_to_measure_is_told() -> None:
    model = small_model()
    with pytest.raises(StudioError, match="No receptive field"):
        analysis.effective_receptive_field(model, [])
    with pytest.raises(StudioError, match="No receptive field") as caught:
        analysis.effective_receptive_field(model, [torch.full((1, 3, 64, 64), torch.inf)])
    assert "finite" in caught.value.hint
    with pytest.raises(StudioError, match="protocol"):
        analysis.effective_receptive_field(model, [random_input(model)], protocol="mine")


def test_averaging_can_be_stopped() -> None:
    model = small_model()
    with pytest.raises(Stopped):
        list(running_average(model, [random_input(model)], "stage4", should_stop=lambda: True))


def published_square(data: NDArray[np.float64], threshold: float) -> tuple[int, float] | None:
    """The definition in the paper's appendix, as its script walks it."""
    height, width = data.shape
    total = data.sum()
    half = 1
    while half < height // 2:
        rows = slice(height // 2 - half, height // 2 + half + 1)
        columns = slice(width // 2 - half, width // 2 + half + 1)
        if data[rows, columns].sum() / total > threshold:
            side = 2 * half + 1
            return side, side / height * (side / width)
        half += 1
    return None


fields = st.builds(
    lambda side, seed, sharpness: (
        np.random.default_rng(seed).random((side, side))
        * np.exp(-sharpness * np.hypot(*np.mgrid[-1 : 1 : side * 1j, -1 : 1 : side * 1j]))
    ),
    side=st.integers(6, 41),
    seed=st.integers(0, 10_000),
    sharpness=st.floats(0, 20),
)


@given(fields, st.sampled_from(["log", "linear"]))
def test_squares_equal_the_published_definition(field: NDArray[np.float64], scale: str) -> None:
    measured = np.log10(field + 1) if scale == "log" else field
    ratios = analysis.area_ratios(field, scale=scale, centre="replknet")
    found = {square.threshold: square for square in analysis.squares(field, scale=scale, centre="replknet")}
    for threshold, ratio in ratios.items():
        expected = published_square(measured, threshold)
        if expected is None:
            assert ratio is None
        else:
            assert (found[threshold].side_px, ratio) == (expected[0], pytest.approx(expected[1]))


@given(fields, st.integers(1, 80), st.integers(1, 80), st.floats(0.05, 0.95))
def test_centred_squares_grow_around_the_centre(
    field: NDArray[np.float64], twice_x: int, twice_y: int, threshold: float
) -> None:
    side = len(field)
    # Units of square stems lie on the same phase along both axes.
    x = min(twice_x, 2 * side - 1) / 2
    y = min(twice_y // 2 * 2 + twice_x % 2, 2 * side - 2 + twice_x % 2) / 2
    found = analysis.squares(field, (threshold,), "linear", (x, y))
    assert len(found) == 1
    total = field.sum()

    def held(side_px: float) -> float:
        """Share of the field in the square, pixel by pixel."""
        left, top = max(0, round(x - side_px / 2)), max(0, round(y - side_px / 2))
        right, bottom = round(x + side_px / 2), round(y + side_px / 2)
        return field[top:bottom, left:right].sum() / total

    assert held(found[0].side_px) > threshold - 1e-9
    assert found[0].side_px <= 2 or held(found[0].side_px - 2) <= threshold + 1e-9
    assert 0 < found[0].area_ratio <= 1


def test_squares_do_not_depend_on_the_gradients_size_on_the_linear_scale() -> None:
    field = np.random.default_rng(0).random((32, 32))
    assert analysis.area_ratios(field * 1e-9, scale="linear") == analysis.area_ratios(field, scale="linear")


def test_squares_of_nothing_and_of_rubbish() -> None:
    assert analysis.squares(np.zeros((8, 8))) == []
    assert analysis.area_ratios(np.zeros((8, 8)))[0.5] is None
    for rubbish in (np.full((4, 4), np.nan), -np.ones((4, 4)), np.ones(4)):
        with pytest.raises(StudioError):
            analysis.squares(rubbish)
    with pytest.raises(StudioError, match="scale"):
        analysis.squares(np.ones((4, 4)), scale="cubic")
    with pytest.raises(StudioError, match="centre"):
        analysis.squares(np.ones((4, 4)), centre="left")
