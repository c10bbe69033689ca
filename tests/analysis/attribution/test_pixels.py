"""Maps on the input's pixels against captum, plain autograd, and a network that uses one known patch."""

from collections import deque
from typing import Any

import numpy as np
import pytest
import torch
from captum.attr import FeatureAblation, IntegratedGradients, Occlusion
from torch import Tensor

from convnext_studio import analysis
from convnext_studio.analysis.attribution import Explained, Outputs, explain, make_question
from convnext_studio.analysis.attribution.ablations import segmented
from convnext_studio.analysis.attribution.fills import blur, fill_picture
from convnext_studio.common.attribution_methods import Output, Value, method_named
from convnext_studio.common.errors import StudioError
from convnext_studio.model.loaded import LoadedModel
from tests.analysis.attribution.reading import COLUMNS, ROWS, TARGET, patch_mask, patch_model
from tests.networks import random_input, small_model


def answered(model: LoadedModel, x: Tensor, method: str, output: Output = "logit", **given: Value) -> Explained:
    against = 2 if output == "difference" else None
    outputs = Outputs.of(output, TARGET, against, model.config.num_classes)
    question = make_question(model, method_named(method), outputs, given=given)
    (last,) = deque(explain(model, x, question), maxlen=1)
    return last


def gradient_of(model: LoadedModel, x: Tensor, target: int = TARGET) -> Tensor:
    leaf = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(model.module(leaf)[0, target], leaf)
    return gradient[0]


def test_saliency_and_input_x_gradient_are_plain_gradients() -> None:
    model = small_model()
    x = random_input(model)
    gradient = gradient_of(model, x)
    np.testing.assert_allclose(
        analysis.attribute(model, x, "saliency", target=3), gradient.abs().amax(0), rtol=1e-5
    )
    product = analysis.attribute(model, x, "inputxgradient", target=3)
    np.testing.assert_allclose(product, (gradient * x[0]).sum(0), rtol=1e-4, atol=1e-5)


def test_smooth_grad_without_noise_is_saliency_and_with_noise_depends_on_the_seed_only() -> None:
    model = small_model()
    x = random_input(model)
    still = answered(model, x, "smoothgrad", samples=3, noise=0.0).maps["input"]
    np.testing.assert_allclose(still, gradient_of(model, x).abs().amax(0), rtol=1e-4, atol=1e-6)
    first, again, other = (
        answered(model, x, "smoothgrad", samples=5, seed=seed).maps["input"] for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0


def test_smooth_grad_averages_the_gradients_at_noisy_pictures() -> None:
    model = small_model()
    x = random_input(model)
    sigma = 0.2 * (x.max() - x.min())
    noisy = [x + sigma * fill_picture(x, model.preprocessing, "noise", seed) for seed in range(4, 8)]
    assert 0.9 < float((torch.cat(noisy) - x).std() / sigma) < 1.1
    expected = torch.stack([gradient_of(model, picture) for picture in noisy]).mean(0).abs().amax(0)
    ours = answered(model, x, "smoothgrad", samples=4, noise=0.2, seed=1).maps["input"]
    np.testing.assert_allclose(ours, expected, rtol=1e-3, atol=1e-6)


def test_integrated_gradients_equal_captums_and_their_delta_goes_to_zero() -> None:
    model = small_model()
    x = random_input(model)
    black = fill_picture(x, model.preprocessing, "black")
    theirs = IntegratedGradients(model.module).attribute(x, black, TARGET, n_steps=400, internal_batch_size=50)
    deltas = []
    for steps in (8, 32, 128, 512):
        found = answered(model, x, "integratedgradients", steps=steps)
        change = float(model.module(x)[0, TARGET] - model.module(black)[0, TARGET])
        assert found.delta == pytest.approx(float(found.maps["input"].sum(dtype=float)) - change, abs=1e-4)
        deltas.append(abs(found.delta))
    assert deltas[0] > 10 * deltas[-1]
    assert deltas[-1] < 1e-3 * abs(change)
    scale = float(theirs.sum(1).abs().max())
    np.testing.assert_allclose(found.maps["input"] / scale, theirs[0].sum(0) / scale, atol=0.01)


@pytest.mark.parametrize("baseline", ["black", "mean", "blur", "noise"])
@pytest.mark.parametrize("output", ["logit", "probability", "difference"])
def test_integrated_gradients_add_up_whatever_the_baseline_and_the_output(
    baseline: str, output: Output
) -> None:
    model = patch_model()
    x = random_input(model)
    found = answered(model, x, "integratedgradients", output, baseline=baseline, steps=16, draws=2)
    assert found.delta == pytest.approx(0, abs=1e-5)
    assert found.maps["input"].sum() != 0
    assert not found.maps["input"][~patch_mask().numpy()].any()


def test_parameters_without_effect_are_not_in_force() -> None:
    """Without noise, another seed and another number of noise pictures give the same map, bit for bit."""
    model = small_model()
    x = random_input(model)
    method = method_named("integratedgradients")
    for baseline, has_effect in (("black", False), ("noise", True)):
        given: dict[str, Value] = {"steps": 4, "baseline": baseline}
        assert ({"draws", "seed"} <= method.in_force(method.settings(given)).keys()) == has_effect
        maps = [
            answered(model, x, method.name, **given, draws=draws, seed=seed).maps["input"]
            for draws, seed in ((2, 0), (3, 5))
        ]
        assert np.array_equal(*maps) != has_effect


def test_noise_baselines_are_averaged() -> None:
    model = patch_model()  # Linear: the map is the patch's weights times picture minus baseline.
    x = random_input(model)
    baselines = torch.cat([fill_picture(x, model.preprocessing, "noise", seed) for seed in (6, 7, 8)])
    expected = (x[0] - baselines.mean(0)).sum(0) * patch_mask() / (3 * 8 * 16)
    found = answered(model, x, "integratedgradients", baseline="noise", draws=3, seed=2, steps=8)
    np.testing.assert_allclose(found.maps["input"], expected, atol=1e-6)


@pytest.mark.parametrize(("window", "stride"), [(8, 8), (16, 8), (20, 12), (64, 1)])
def test_occlusion_equals_captums(window: int, stride: int) -> None:
    model = small_model()
    x = random_input(model)
    theirs = Occlusion(model.module).attribute(
        x,
        sliding_window_shapes=(3, window, window),
        strides=(3, stride, stride),
        baselines=0,
        target=TARGET,
        perturbations_per_eval=8,
    )
    # captum assigns the whole fall to each colour.
    ours = answered(model, x, "occlusion", window=window, stride=stride).maps["input"]
    np.testing.assert_allclose(ours, theirs[0, 0].detach(), rtol=1e-4, atol=1e-5)


def test_occlusion_finds_exactly_the_patch_that_the_network_uses() -> None:
    model = patch_model()
    x = torch.full((1, 3, 64, 64), 2.0)
    ours = answered(model, x, "occlusion", window=8, stride=8).maps["input"]
    expected = torch.where(patch_mask(), 1.0, 0.0)  # Two windows cover it, half of its mean of 2 each.
    np.testing.assert_allclose(ours, expected, atol=1e-6)
    default = answered(model, x, "occlusion")
    assert default.notes == ("Windows of 8 px, every 4 px.",)
    assert (default.maps["input"][ROWS, COLUMNS] > 0).all()
    sliding = answered(model, x, "occlusion", window=4, stride=2).maps["input"]
    assert (sliding[ROWS, COLUMNS] > 0).all()
    # A window of 4 with stride 2 touches the patch from at most 2 pixels away.
    assert not sliding[: ROWS.start - 2].any()
    assert not sliding[:, COLUMNS.stop + 2 :].any()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"window": 8, "stride": 9}, "uncovered"),
        ({"window": 65, "stride": 9}, "larger than the input"),
        ({"window": -1}, "Window cannot be -1"),
        ({"window": 8.5}, "whole number"),
        ({"fill": "pink"}, "Fill cannot be “pink”"),
        ({"colour": 3}, "no parameter"),
    ],
)
def test_impossible_parameters_are_refused(given: dict[str, Value], message: str) -> None:
    model = patch_model()
    with pytest.raises(StudioError, match=message):
        analysis.attribute(model, random_input(model), "occlusion", target=TARGET, parameters=given)


def test_superpixels_equal_captums_ablation_of_the_same_segments() -> None:
    model = small_model()
    picture = torch.linspace(-2, 2, 64).repeat(1, 3, 64, 1) + 0.3 * random_input(model)
    labels = segmented(picture, model.preprocessing, 20, 10.0)
    assert set(np.unique(labels)) == set(range(labels.max() + 1))
    black = fill_picture(picture, model.preprocessing, "black")
    theirs = FeatureAblation(model.module).attribute(
        picture, black, TARGET, feature_mask=torch.from_numpy(labels)[None, None]
    )
    found = answered(model, picture, "superpixels", count=20, fill="black")
    np.testing.assert_allclose(found.maps["input"], theirs[0, 0].detach(), rtol=1e-4, atol=1e-5)
    assert found.notes[0] == f"{labels.max() + 1} superpixels."


def test_fills() -> None:
    model = small_model()
    x = random_input(model)
    black = fill_picture(x, model.preprocessing, "black")
    std, mean = (
        np.array(values)[:, None, None] for values in (model.preprocessing.std, model.preprocessing.mean)
    )
    np.testing.assert_allclose(black[0].numpy() * std + mean, 0, atol=1e-6)
    assert not fill_picture(x, model.preprocessing, "mean").any()
    point = torch.zeros(1, 1, 41, 41)
    point[0, 0, 20, 20] = 1
    spread = blur(point, 3.0)[0, 0].double()
    offsets = torch.arange(-20.0, 21.0).double()
    assert float(spread.sum()) == pytest.approx(1, abs=1e-6)
    # The Gaussian is cut off at 3 standard deviations, which leaves 97.3 % of its variance.
    assert float((spread.sum(0) * offsets**2).sum()) == pytest.approx(9, rel=0.03)
    torch.testing.assert_close(blur(torch.ones(1, 3, 8, 8), 2.0), torch.ones(1, 3, 8, 8))


def test_all_methods_find_the_patch(recwarn: Any) -> None:
    model = patch_model()
    x = random_input(model) + 1
    mask = patch_mask().numpy()
    for method in ("saliency", "inputxgradient", "smoothgrad", "integratedgradients"):
        found = answered(model, x, method).maps["input"]
        assert np.abs(found)[mask].sum() > 0
        assert not found[~mask].any()
    assert not recwarn.list
