"""Maps, gradients and Grad-CAM against captum and plain autograd."""

import numpy as np
import pytest
import torch
from captum.attr import LayerGradCam

from convnext_studio import analysis
from convnext_studio.analysis import features
from convnext_studio.analysis.attribution import grad_cam
from convnext_studio.common.errors import StudioError
from convnext_studio.common.geometry import FieldGeometry
from convnext_studio.common.stopping import Stopped
from tests.analysis.attribution.tasks import TALL, WIDE
from tests.meta_device import META, WatchedDevice
from tests.networks import random_input, small_model

STAGES = ("stage1", "stage2", "stage3", "stage4")


def plain_stages(network: torch.nn.Module, x: torch.Tensor) -> dict[str, torch.Tensor]:
    outputs = {}
    for index, name in enumerate(STAGES):
        x = network.stages[index](network.downsample_layers[index](x))
        outputs[name] = x
    return outputs


@pytest.mark.parametrize("changes", [{}, {"stem_stride": 1, "stem_padding": 1}])
def test_one_pass_gives_logits_maps_and_gradients(changes: dict[str, int]) -> None:
    model = small_model(**changes)
    x = random_input(model)
    result = analysis.stage_pass(model, x)
    expected_maps = plain_stages(model.module, x.clone().requires_grad_())
    logits = model.module.forward_head(expected_maps["stage4"])[0]
    assert result.target == int(logits.argmax())
    np.testing.assert_allclose(result.logits, logits.detach().numpy(), rtol=1e-5)
    gradients = torch.autograd.grad(logits[result.target], list(expected_maps.values()))
    for name, gradient in zip(STAGES, gradients, strict=True):
        torch.testing.assert_close(result.activations[name], expected_maps[name][0].detach())
        torch.testing.assert_close(result.gradients[name], gradient[0])
        np.testing.assert_array_equal(
            analysis.feature_maps(model, x, name), expected_maps[name][0].detach().numpy()
        )


def test_maps_of_every_node_are_the_modules_outputs() -> None:
    model = small_model()
    x = random_input(model)
    stem = model.module.downsample_layers[0](x)
    np.testing.assert_array_equal(analysis.feature_maps(model, x, "stem"), stem[0].numpy())
    down = model.module.downsample_layers[1](model.module.stages[0](stem))
    np.testing.assert_array_equal(analysis.feature_maps(model, x, "stage2.downsample"), down[0].numpy())
    block = model.module.stages[1][0](down)
    np.testing.assert_array_equal(analysis.feature_maps(model, x, "stage2.block1"), block[0].numpy())


@pytest.mark.parametrize("node", [*STAGES, "stage2.block1"])
@pytest.mark.parametrize("target", [0, 5])
@pytest.mark.parametrize("changes", [{}, {"kernel_size": 7, "layer_scale_init_value": 0.0}])
def test_grad_cam_equals_captums(node: str, target: int, changes: dict[str, float]) -> None:
    model = small_model(**changes)
    x = random_input(model)
    theirs = LayerGradCam(model.module, model.module_at(node)).attribute(x.clone().requires_grad_(), target)
    ours = analysis.attribute(model, x, method="gradcam", node=node, target=target)
    np.testing.assert_allclose(ours, theirs[0, 0].detach().numpy(), rtol=1e-4, atol=1e-6)
    if node in STAGES:
        result = analysis.stage_pass(model, x, target)
        np.testing.assert_allclose(
            grad_cam(result.activations[node], result.gradients[node]), ours, rtol=1e-4, atol=1e-6
        )


def test_grad_cam_at_stage_4_equals_hirescam_and_sums_to_a_part_of_the_logit() -> None:
    model = small_model()
    result = analysis.stage_pass(model, random_input(model), 2)
    hires = (result.activations["stage4"] * result.gradients["stage4"]).sum(0)
    np.testing.assert_allclose(
        grad_cam(result.activations["stage4"], result.gradients["stage4"]), hires, rtol=1e-4, atol=1e-6
    )


def test_attribution_defaults_to_the_prediction() -> None:
    model = small_model()
    x = random_input(model)
    predicted = int(model.module(x).argmax())
    np.testing.assert_array_equal(analysis.attribute(model, x), analysis.attribute(model, x, target=predicted))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"method": "guided"}, "no attribution method"),
        ({"node": "stage9"}, "no node"),
        ({"node": "stage1.block1.dwconv"}, "leave out the shortcut"),
        ({"node": "head.norm"}, "would show nothing"),
        ({"target": 7}, "no class 7"),
    ],
)
def test_bad_questions_are_refused(arguments: dict[str, object], message: str) -> None:
    model = small_model()
    with pytest.raises(StudioError, match=message):
        analysis.attribute(model, random_input(model), **arguments)


def test_bfloat16_shows_its_own_logits_and_explains_in_float32() -> None:
    model = small_model()
    x = random_input(model)
    exact, coarse = analysis.stage_pass(model, x, 1), analysis.stage_pass(model, x, 1, precision="bfloat16")
    with torch.autocast("cpu", dtype=torch.bfloat16), torch.no_grad():
        expected = model.module(x)[0].float().numpy()
    np.testing.assert_array_equal(coarse.logits, expected)
    assert not np.array_equal(coarse.logits, exact.logits)
    torch.testing.assert_close(coarse.gradients["stage2"], exact.gradients["stage2"])


def test_a_pass_can_be_stopped() -> None:
    model = small_model()
    with pytest.raises(Stopped):
        analysis.stage_pass(model, random_input(model), should_stop=lambda: True)


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_several_tensors_wait_for_their_device_once(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    shapes = {"a": (2, 3), "b": (4,), "c": (1, 2, 2)}
    with WatchedDevice() as device:
        tensors = {name: torch.ones(shapes[name], device=META) for name in list(shapes)[:count]}
        found = features.to_arrays(tensors)
        assert sum(device.waits.values()) == min(count, 1)
        # Every value where it belongs, counted over all tensors.
        monkeypatch.setattr(features, "to_array", lambda tensor: np.arange(tensor.numel(), dtype=np.float32))
        numbered = features.to_arrays(tensors)
    assert {name: values.shape for name, values in found.items()} == dict(list(shapes.items())[:count])
    if count > 1:
        numbers = np.concatenate([values.ravel() for values in numbered.values()])
        assert numbers.tolist() == list(range(len(numbers)))


def test_several_tensors_of_the_host_are_given_one_by_one() -> None:
    tensors = {
        "a": torch.arange(6.0).view(2, 3).T,
        "b": torch.tensor([1, 2]),
        "c": torch.ones(2, requires_grad=True),
    }
    found = features.to_arrays(tensors)
    for name, tensor in tensors.items():
        np.testing.assert_array_equal(found[name], tensor.detach().numpy())
        assert found[name].dtype == np.float32
        assert found[name].flags.c_contiguous


def test_what_is_padding_is_left_out_and_put_back_as_zeros() -> None:
    """Units 1 to 6 of 8, 8 px apart, are centred on rows or columns 6 to 56."""
    field = FieldGeometry(8, 8, 4.0)
    maps = torch.arange(3 * 8 * 8.0).view(3, 8, 8) + 1
    for geometry, seen in ((WIDE, maps[:, 1:7]), (TALL, maps[:, :, 1:7])):
        part = features.seen_part(maps, field, geometry)
        assert torch.equal(part, seen)
        back = features.among_padding(part[0], (8, 8), field, geometry)
        without = features.without_padding(maps[0].numpy(), field, geometry)
        np.testing.assert_array_equal(back.numpy(), without)
        assert back.shape == (8, 8)
        assert np.count_nonzero(without) == 48
        np.testing.assert_array_equal(features.seen_part(back, field, geometry), part[0])
        assert maps[0].all()  # Nothing was overwritten.
    assert features.seen_part(maps, field, None) is maps
    assert features.among_padding(maps[0], (8, 8), field, None).data_ptr() == maps.data_ptr()
    values = maps[0].numpy()
    assert features.without_padding(values, field, None) is values
