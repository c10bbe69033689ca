"""Class activation maps against captum, and against the papers' formulas written out with plain autograd."""

import numpy as np
import pytest
import torch
from captum.attr import LayerGradCam
from torch import Tensor
from torch.nn import functional

from convnext_studio import analysis
from convnext_studio.analysis.attribution import Outputs, explain, gradient_cams, make_question
from convnext_studio.analysis.attribution.gradient_cams import (
    GRADIENT_CAMS,
    cam_by_channels,
    checks_of,
    eigen_cam,
    grad_cam_plus_plus,
    x_grad_cam,
)
from convnext_studio.analysis.resuming import rest_after
from convnext_studio.common.attribution_methods import METHODS, MethodName, method_named
from convnext_studio.common.errors import StudioError
from convnext_studio.model.loaded import LoadedModel
from tests.networks import random_input, small_model

V1: dict[str, object] = {}
V2: dict[str, object] = {"grn": True, "layer_scale_init_value": 0.0}
NODES = ("stem", "stage1", "stage2.downsample", "stage2.block1", "stage3", "stage4")
CLOSE = {"rtol": 1e-5, "atol": 1e-5}


@pytest.fixture(params=[V1, V2], ids=["V1", "V2"])
def model(request: pytest.FixtureRequest) -> LoadedModel:
    return small_model(**request.param)


def node_and_rest(model: LoadedModel, x: Tensor, node: str) -> tuple[Tensor, list[torch.nn.Module]]:
    """Return the output of a node and the modules after it, from the parts of the network, without hooks."""
    network = model.module
    order: list[tuple[str, torch.nn.Module]] = []
    for index, (down, stage) in enumerate(zip(network.downsample_layers, network.stages, strict=True), 1):
        order.append(("stem" if index == 1 else f"stage{index}.downsample", down))
        order += [(f"stage{index}.block{number}", block) for number, block in enumerate(stage, 1)]
    names = [name for name, _ in order]
    if node.startswith("stage") and "." not in node:
        node = [name for name in names if name.startswith(f"{node}.")][-1]
    position = names.index(node) + 1
    for _, module in order[:position]:
        x = module(x)
    return x, [module for _, module in order[position:]]


def activation_and_gradient(model: LoadedModel, x: Tensor, node: str, target: int) -> tuple[Tensor, Tensor]:
    activation, rest = node_and_rest(model, x, node)
    y = activation = activation.detach().requires_grad_()
    for module in rest:
        y = module(y)
    (gradient,) = torch.autograd.grad(model.module.forward_head(y)[0, target], activation)
    return activation.detach()[0].double(), gradient[0].double()


@pytest.mark.parametrize("node", NODES)
def test_grad_cam_and_hires_cam_equal_captums(model: LoadedModel, node: str) -> None:
    x = random_input(model)
    captums = LayerGradCam(model.module, model.module_at(node))
    theirs = captums.attribute(x.clone().requires_grad_(), 3)[0, 0].detach()
    np.testing.assert_allclose(analysis.attribute(model, x, "gradcam", node, 3), theirs, **CLOSE)
    # captum has no HiResCAM, but its building blocks: the layer's gradient and its activation.
    activation, gradient = activation_and_gradient(model, x, node, 3)
    hires = (activation * gradient).sum(0)
    np.testing.assert_allclose(analysis.attribute(model, x, "hirescam", node, 3), hires, **CLOSE)


@pytest.mark.parametrize("node", NODES)
def test_layer_cam_and_x_grad_cam_equal_the_papers_formulas(model: LoadedModel, node: str) -> None:
    x = random_input(model)
    activation, gradient = activation_and_gradient(model, x, node, 5)
    layer = (gradient.clamp(min=0) * activation).sum(0)
    np.testing.assert_allclose(analysis.attribute(model, x, "layercam", node, 5), layer, **CLOSE)
    share = activation / activation.sum((1, 2), keepdim=True)
    expected = ((share * gradient).sum((1, 2), keepdim=True) * activation).sum(0)
    # Where a channel's sum is small, both round differently: on the scale of the map they agree.
    scale = float(expected.abs().max())
    np.testing.assert_allclose(
        analysis.attribute(model, x, "xgradcam", node, 5) / scale, expected / scale, atol=1e-3
    )
    np.testing.assert_allclose(x_grad_cam(activation, gradient), expected, rtol=1e-5, atol=1e-5 * scale)


@pytest.mark.parametrize("node", ["stage1", "stage4"])
def test_grad_cam_plus_plus_equals_the_papers_formula(model: LoadedModel, node: str) -> None:
    activation, gradient = activation_and_gradient(model, random_input(model), node, 2)
    expected = np.zeros(activation.shape[1:])
    for channel, slope in zip(activation.numpy(), gradient.numpy(), strict=True):
        weight = 0.0
        for g in slope.ravel():
            # Equation 19: the second and third derivatives of exp(y) are g^2 and g^3, times exp(y).
            weight += g**2 / (2 * g**2 + channel.sum() * g**3) * max(g, 0.0)
        expected += weight * channel
    scale = np.abs(expected).max()
    np.testing.assert_allclose(grad_cam_plus_plus(activation, gradient) / scale, expected / scale, atol=1e-5)
    ours = analysis.attribute(model, random_input(model), "gradcam++", node, 2)
    np.testing.assert_allclose(ours / scale, expected / scale, atol=1e-3)


def test_grad_cam_plus_plus_is_that_of_equal_units_where_all_is_equal() -> None:
    activation, gradient = torch.full((1, 2, 2), 3.0), torch.full((1, 2, 2), 0.5)
    # alpha = 0.25 / (0.5 + 0.125 * 12) = 0.125; the weight 4 * 0.125 * 0.5; the map that times 3.
    np.testing.assert_allclose(grad_cam_plus_plus(activation, gradient), np.full((2, 2), 0.75))
    np.testing.assert_array_equal(grad_cam_plus_plus(activation, torch.zeros(1, 2, 2)), np.zeros((2, 2)))


def test_grad_cam_equals_hires_cam_at_stage_4_with_the_standard_head_only(model: LoadedModel) -> None:
    x = random_input(model)
    grad, hires = (analysis.attribute(model, x, method, "stage4", 1) for method in ("gradcam", "hirescam"))
    np.testing.assert_allclose(grad, hires, **CLOSE)
    grad, hires = (analysis.attribute(model, x, method, "stage3", 1) for method in ("gradcam", "hirescam"))
    assert np.abs(grad - hires).max() > 1e-2
    norm_first = small_model(head_norm_first=True)
    grad, hires = (analysis.attribute(norm_first, x, method, "stage4", 1) for method in ("gradcam", "hirescam"))
    assert np.abs(grad - hires).max() > 1e-2


def test_grad_cam_at_stage_4_adds_up_to_zero(model: LoadedModel) -> None:
    cam = analysis.attribute(model, random_input(model), "gradcam", "stage4", 1)
    assert abs(float(cam.sum())) < 1e-4 * np.abs(cam).max() * cam.size


def test_eigen_cam_is_the_first_principal_direction_and_the_same_for_all_classes(model: LoadedModel) -> None:
    x = random_input(model)
    activation, _ = activation_and_gradient(model, x, "stage2", 0)
    units = activation.flatten(1).numpy().T
    values, vectors = np.linalg.eigh(units.T @ units)
    expected = (units @ vectors[:, values.argmax()]).reshape(activation.shape[1:])
    expected *= np.sign(expected.sum())
    ours = analysis.attribute(model, x, "eigencam", "stage2", 0)
    np.testing.assert_allclose(ours, expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())
    np.testing.assert_array_equal(ours, analysis.attribute(model, x, "eigencam", "stage2", 6))
    assert eigen_cam(torch.full((2, 3, 3), torch.nan)).isnan().all()


@pytest.mark.parametrize("node", ["stage1", "stage4"])
def test_score_cam_equals_one_masked_picture_at_a_time(model: LoadedModel, node: str) -> None:
    x = random_input(model)
    activation, _ = node_and_rest(model, x, node)
    scores = []
    for channel in activation[0]:
        mask = functional.interpolate(channel[None, None], size=x.shape[-2:], mode="bilinear")
        mask = (mask - mask.min()) / (mask.max() - mask.min())
        scores.append(float(model.module(x * mask)[0, 4]))
    weights = np.exp(np.array(scores) - max(scores))
    expected = np.einsum("c,chw->hw", weights / weights.sum(), activation[0].double())
    np.testing.assert_allclose(
        analysis.attribute(model, x, "scorecam", node, 4), expected, rtol=1e-3, atol=1e-4
    )


@pytest.mark.parametrize("node", ["stem", "stage2", "stage4"])
def test_ablation_cam_equals_one_channel_at_a_time(model: LoadedModel, node: str) -> None:
    x = random_input(model)
    activation, rest = node_and_rest(model, x, node)
    y = float(model.module(x)[0, 4])
    expected = np.zeros(activation.shape[2:])
    for channel in range(activation.shape[1]):
        without = activation.clone()
        without[:, channel] = 0
        for module in rest:
            without = module(without)
        weight = (y - float(model.module.forward_head(without)[0, 4])) / abs(y)
        expected += weight * activation[0, channel].numpy()
    np.testing.assert_allclose(
        analysis.attribute(model, x, "ablationcam", node, 4), expected, rtol=1e-4, atol=1e-4
    )


def test_ablation_cam_of_a_negative_logit_says_that_the_published_map_is_minus_it(model: LoadedModel) -> None:
    """By the paper's own formula: the weights are divided by the logit, whatever its sign."""
    x = random_input(model)
    logits = model.module(x)[0]
    below, above = int(logits.argmin()), int(logits.argmax())
    assert logits[below] < 0 < logits[above]
    activation, rest = node_and_rest(model, x, "stage4")
    for target, sign in ((below, -1), (above, 1)):
        published = np.zeros(activation.shape[2:])
        for channel in range(activation.shape[1]):
            without = activation.clone()
            without[:, channel] = 0
            for module in rest:
                without = module(without)
            fall = logits[target] - model.module.forward_head(without)[0, target]
            published += float(fall / logits[target]) * activation[0, channel].numpy()
        outputs = Outputs.of("logit", target, None, model.config.num_classes)
        question = make_question(model, method_named("ablationcam"), outputs, ("stage4",), False, None)
        *_, found = explain(model, x, question)
        np.testing.assert_allclose(sign * found.maps["stage4"], published, rtol=1e-4, atol=1e-4)
        assert ("minus the published one" in " ".join(found.notes)) == (target == below)


@pytest.mark.parametrize("changes", [{}, {"downsample": "block"}, {"depths": (3,), "dims": (8,)}])
def test_the_modules_after_a_node_compute_the_logits(changes: dict[str, object]) -> None:
    model = small_model(**changes)
    x = random_input(model)
    for node in (node for node in model.nodes if node.is_explainable):
        after = torch.from_numpy(analysis.feature_maps(model, x, node.name))[None]
        for module in rest_after(model, node.name).modules:
            after = module(after)
        torch.testing.assert_close(model.module.forward_head(after), model.module(x))


CAMS = [method.name for method in METHODS if method.kind == "cam"]


@pytest.mark.parametrize("method", CAMS)
def test_every_map_lies_on_its_nodes_grid(method: str) -> None:
    model = small_model(stem_stride=1, stem_padding=1, input_px=24)
    for node in (node for node in model.nodes if node.is_explainable):
        ours = analysis.attribute(model, random_input(model), method, node.name, 0)
        assert ours.shape == node.shape[1:]
        assert ours.dtype == np.float32
        assert np.isfinite(ours).all()


def test_a_map_of_one_unit_is_refused() -> None:
    model = small_model(input_px=32)
    with pytest.raises(StudioError, match="a single unit"):
        analysis.attribute(model, random_input(model), "gradcam", "stage4")


@pytest.mark.parametrize("method", GRADIENT_CAMS)
@pytest.mark.parametrize("cancelled", [False, True])
def test_a_map_made_from_some_channels_at_a_time_is_that_from_all(
    method: MethodName, cancelled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    generator = torch.Generator().manual_seed(0)
    activation, gradient = (torch.randn(11, 6, 5, generator=generator, dtype=torch.float64) for _ in range(2))
    if cancelled:  # As where a norm follows: the gradient of a unit is orthogonal to it.
        share = (activation * gradient).sum(0) / activation.square().sum(0)
        gradient = gradient - share * activation
    for values in (90, 29, 10**9):  # Three channels at a time, one that is larger than a part, and all.
        monkeypatch.setattr(gradient_cams, "_CHUNK_VALUES", values)
        cam, checked = cam_by_channels(method, activation, gradient)
        torch.testing.assert_close(cam, GRADIENT_CAMS[method](activation, gradient))
        assert checked == tuple(checks_of(activation, gradient).tolist()) == (True, cancelled)
