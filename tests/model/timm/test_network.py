"""Other families of timm: against timm's own networks, captum, and plain autograd."""

import re
from pathlib import Path
from typing import Any

import huggingface_hub
import numpy as np
import pytest
import timm
import torch
from captum.attr import LayerGradCam
from msgspec.structs import replace
from torch import Tensor, nn

from convnext_studio import analysis
from convnext_studio.common.errors import StudioError
from convnext_studio.common.stopping import Stopped
from convnext_studio.model import LoadedModel, load
from convnext_studio.model.nodes import (
    check_input_px,
    fitting_input_px,
    smallest_input_px,
    total_macs,
    total_parameters,
)
from convnext_studio.model.preprocessing import Preprocessing
from convnext_studio.model.timm.families import FAMILIES, find_family
from convnext_studio.model.timm.timm_network import TimmNetwork, build_timm_network, plan_network
from tests.model.timm.hub import cached_weights

SIDES_PX = {
    "test_resnet": 96,
    "resnet18": 64,
    "mobilenetv2_035": 64,
    "test_vit": 160,
    "test_vit3": 64,
    "swin_tiny_patch4_window7_224": 64,
    "test_coatnet": 160,
}
BOXED = ["test_resnet", "resnet50", "resnet50d", "mobilenetv2_100"]


def pair(name: str) -> tuple[Any, LoadedModel]:
    """Return a timm network with random weights, and ours with the same weights."""
    torch.manual_seed(0)
    plan = plan_network(name)
    any_size: dict[str, Any] = {"ViT": {"dynamic_img_size": True}, "Swin": {"strict_img_size": False}}
    theirs = timm.create_model(name, **any_size.get(plan.config.family, {})).eval().requires_grad_(False)
    for own, parameter in theirs.named_parameters():
        scales = parameter.ndim == 1 and "bias" not in own
        nn.init.normal_(parameter, mean=1.0 if scales else 0.0, std=0.1)
    module = build_timm_network(plan, {key: tensor.clone() for key, tensor in theirs.state_dict().items()})
    labels = tuple(map(str, range(plan.config.num_classes)))
    return theirs, LoadedModel(
        source=name, title=name, module=module, labels=labels, preprocessing=Preprocessing()
    )


def picture(name: str, side: int | None = None) -> Tensor:
    side = SIDES_PX[name] if side is None else side
    return torch.randn(1, 3, side, side, generator=torch.Generator().manual_seed(1))


def their_stages(name: str, theirs: Any, x: Tensor) -> list[Tensor]:
    """Return the last four intermediates, or for a ViT those at the ends of our stages."""
    family = find_family(name)
    indices: Any = 4
    if family is not None and family.title == "ViT":
        depth = len(theirs.blocks)
        indices = [depth * number // 4 - 1 for number in range(1, 5)]
    stages: list[Tensor] = theirs.forward_intermediates(x, indices=indices, intermediates_only=True)
    return stages


@pytest.fixture(scope="module", params=SIDES_PX)
def networks(request: pytest.FixtureRequest) -> tuple[str, Any, LoadedModel]:
    return request.param, *pair(request.param)


def test_logits_and_stages_are_timms(networks: tuple[str, Any, LoadedModel]) -> None:
    name, theirs, ours = networks
    x = picture(name)
    with torch.no_grad():
        logits = theirs(x)
        torch.testing.assert_close(ours.module(x), logits, rtol=1e-5, atol=1e-5)
        stages = their_stages(name, theirs, x)
    assert logits.std() > 1e-3
    assert len(stages) == len(ours.config.stages) == 4
    for node, stage in zip(ours.config.stages, stages, strict=True):
        maps = analysis.feature_maps(ours, x, node)
        np.testing.assert_allclose(maps, stage[0].numpy(), rtol=1e-5, atol=1e-5)
        assert maps.shape[0] == ours.node(node).shape[0]


def test_receptive_field_is_a_plain_gradient(networks: tuple[str, Any, LoadedModel]) -> None:
    name, theirs, ours = networks
    x = picture(name).requires_grad_()
    for index, node in ((1, "stage2"), (3, "stage4")):
        stage = their_stages(name, theirs, x)[index]
        middle = stage[:, :, stage.shape[2] // 2, stage.shape[3] // 2]
        (gradient,) = torch.autograd.grad(middle.relu().sum(), x)
        expected = gradient.relu().sum(dim=(0, 1)).double().numpy()
        field = analysis.effective_receptive_field(ours, [x.detach()], node)
        np.testing.assert_allclose(field, expected, rtol=1e-4, atol=1e-5 * expected.max())
        assert expected.max() > 0


def test_grad_cam_is_that_of_timms_network(networks: tuple[str, Any, LoadedModel]) -> None:
    name, theirs, ours = networks
    x = picture(name).requires_grad_()
    kept: list[Tensor] = []
    prefix = getattr(theirs, "num_prefix_tokens", 0)
    module = {"ResNet": "layer3", "MobileNetV2": "blocks.4", "Swin": "layers.2", "CoAtNet": "stages.2"}
    depth = len(getattr(theirs, "blocks", ())) * 3 // 4 - 1
    family = find_family(name)
    assert family is not None
    layer = theirs.get_submodule(module.get(family.title, f"blocks.{depth}"))
    handle = layer.register_forward_hook(lambda _module, _inputs, output: kept.append(output))
    logits = theirs(x)
    handle.remove()
    (gradient,) = torch.autograd.grad(logits[0, 5], kept)
    activation = kept[0].detach()
    if family.title == "ViT":
        side = int((activation.shape[1] - prefix) ** 0.5)
        activation, gradient = (t[:, prefix:].reshape(1, side, side, -1) for t in (activation, gradient))
    if family.title in ("ViT", "Swin"):
        activation, gradient = activation.permute(0, 3, 1, 2), gradient.permute(0, 3, 1, 2)
    expected = (gradient.mean(dim=(2, 3), keepdim=True) * activation).sum(dim=1)[0].numpy()
    cam = analysis.attribute(ours, x.detach(), node="stage3", target=5)
    np.testing.assert_allclose(cam, expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())
    assert np.abs(expected).max() > 0


@pytest.mark.parametrize(
    ("name", "layer"),
    [("test_resnet", "layer4"), ("mobilenetv2_035", "blocks.6"), ("test_coatnet", "stages.3")],
)
def test_grad_cam_is_captums(name: str, layer: str) -> None:
    theirs, ours = pair(name)
    x = picture(name)
    cam = LayerGradCam(theirs, theirs.get_submodule(layer)).attribute(x.requires_grad_(), target=3)
    expected = cam[0, 0].detach().numpy()
    np.testing.assert_allclose(
        analysis.attribute(ours, x.detach(), target=3), expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max()
    )


def test_stage_pass_gives_each_stage_its_cam() -> None:
    for name in ("test_vit3", "test_resnet"):
        _, ours = pair(name)
        x = picture(name)
        passed = analysis.stage_pass(ours, x, target=2)
        for node in ours.config.stages:
            weights = passed.gradients[node].mean(dim=(1, 2), keepdim=True)
            cam = (weights * passed.activations[node]).sum(0).numpy()
            alone = analysis.attribute(ours, x, node=node, target=2)
            np.testing.assert_allclose(cam, alone, rtol=1e-4, atol=1e-5 * np.abs(alone).max())


def test_a_class_token_leaves_the_last_map_without_a_gradient_and_a_note_says_so() -> None:
    _, ours = pair("test_vit")
    assert not analysis.attribute(ours, picture("test_vit"), node="stage4", target=0).any()
    assert analysis.attribute(ours, picture("test_vit"), node="stage3", target=0).any()
    assert any("Grad-CAM at stage 4 is 0" in note for note in load("timm-random:test_vit").notes)
    assert not any("Grad-CAM" in note for note in plan_network("test_vit3").notes)


@pytest.mark.parametrize("name", BOXED)
def test_units_see_all_of_the_theoretical_field_and_nothing_else(name: str) -> None:
    """With weights above 0 and nothing clipped every path has a gradient, so that its support is the field."""
    plan = plan_network(name)
    network = timm.create_model(name, **plan.arguments).eval().double().requires_grad_(False)
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.constant_(module.weight, 1 / module.weight[0].numel())
    if name.startswith(("resnet", "test_resnet")):
        network.maxpool = nn.AvgPool2d(3, 2, 1)  # Takes all of what the other takes the largest of.
    for index in (1, 2):
        field = plan.nodes[index].field
        side = (2 * field.size_px + 64) // 32 * 32
        x = torch.ones(1, 3, side, side, dtype=torch.float64, requires_grad=True)
        maps = network.forward_intermediates(x, indices=[index], intermediates_only=True)[0]
        row, column = maps.shape[2] // 2, maps.shape[3] // 2 - 1
        (gradient,) = torch.autograd.grad(maps[0, :, row, column].sum(), x)
        seen = gradient[0, 0].numpy() > 0
        ys, xs = np.nonzero(seen)
        left, top, width, height = field.unit_box(row, column)
        assert (min(xs), max(xs) + 1, min(ys), max(ys) + 1) == (left, left + width, top, top + height)


def test_theoretical_fields_of_known_networks() -> None:
    """By the recursion of Araujo et al. 2019, by hand; ResNet-50 with its strides in the 3x3 convolutions."""
    assert [node.field.size_px for node in plan_network("resnet50").nodes] == [11, 35, 91, 267, 427]
    assert [node.field.stride_px for node in plan_network("resnet50").nodes] == [4, 4, 8, 16, 32]
    assert [node.before for node in plan_network("resnet50").nodes] == [
        "",
        "stem",
        "stage1",
        "stage2",
        "stage3",
    ]
    assert plan_network("mobilenetv2_100").nodes[-1].field.size_px == 491
    vit = plan_network("vit_tiny_patch16_224").nodes
    assert vit[0].field.size_px == 16
    assert not vit[0].field.is_global
    assert all(node.field.is_global for node in vit[1:])
    assert (
        plan_network("vit_pwee_patch16_reg1_gap_256").nodes[1].field.is_global
    )  # Its attention has another name.
    swin = plan_network("swin_tiny_patch4_window7_224").nodes
    assert [node.field.has_box for node in swin] == [True, False, False, False, False]
    assert [node.field.stride_px for node in swin] == [4, 4, 8, 16, 32]
    assert plan_network("test_coatnet").nodes[1].field.is_global


@pytest.mark.parametrize(
    ("name", "parameters", "gmacs"),
    [
        ("resnet50", 25_557_032, 4.09),
        ("mobilenetv2_100", 3_504_872, 0.30),
        ("vit_tiny_patch16_224", 5_717_416, 1.26),
    ],
)
def test_costs_add_up_to_what_is_published(name: str, parameters: int, gmacs: float) -> None:
    plan = plan_network(name)
    assert total_parameters(plan.nodes, plan.config) == parameters
    assert total_macs(plan.nodes, plan.config) / 1e9 == pytest.approx(gmacs, abs=0.01)
    assert min(node.macs for node in plan.nodes) > 0
    assert plan.config.head_parameters > 0


def test_shapes_are_those_of_the_maps() -> None:
    for name in ("test_resnet", "test_vit", "test_coatnet"):
        _, ours = pair(name)
        x = picture(name, 160)
        for node in ours.nodes:
            assert analysis.feature_maps(ours, x, node.name).shape == node.shape


def test_input_sizes_that_a_network_accepts() -> None:
    resnet, vit, coatnet = (plan_network(name).config for name in ("test_resnet", "test_vit", "test_coatnet"))
    assert [fitting_input_px(config, 1030) for config in (resnet, vit, coatnet)] == [1030, 1024, 160]
    check_input_px(resnet, 97)
    check_input_px(vit, 96)
    with pytest.raises(StudioError, match="too small"):
        check_input_px(resnet, 31)
    with pytest.raises(StudioError, match="does not accept an input of 100 pixels") as caught:
        check_input_px(vit, 100)
    assert "96" in caught.value.hint
    with pytest.raises(StudioError, match="does not accept an input of 224 pixels"):
        check_input_px(coatnet, 224)


def test_the_smallest_input_really_works(networks: tuple[str, Any, LoadedModel]) -> None:
    name, _, ours = networks
    smallest = fitting_input_px(ours.config, smallest_input_px(ours.config))
    with torch.no_grad():
        assert ours.module(picture(name, smallest)).shape == (1, 1000)


def test_published_weights_come_from_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    for name in ("test_resnet.r160_in1k", "test_vit.r160_in1k"):
        theirs = cached_weights(tmp_path, name)
        ours = load(f"timm:{name}", offline=True)
        x = picture(name.partition(".")[0], 160)
        with torch.no_grad():
            torch.testing.assert_close(ours.module(x), theirs(x))
        assert ours.labels[281] == "tabby, tabby cat"
        assert ours.preprocessing.input_px == 160
        assert not ours.random_weights
        assert any("Licence" in note for note in ours.notes)


def test_weights_are_not_kept_twice() -> None:
    theirs = timm.create_model("test_resnet")
    module = build_timm_network(plan_network("test_resnet"), theirs.state_dict())
    assert "state_dict" not in module.network.pretrained_cfg


def test_foreign_tensors_are_refused() -> None:
    plan = plan_network("test_resnet")
    tensors = dict(timm.create_model("test_resnet").state_dict())
    tensors.pop("layer1.0.conv1.weight")
    with pytest.raises(StudioError, match=r"not those of the network.*layer1\.0\.conv1\.weight"):
        build_timm_network(plan, tensors)


def test_random_weights_follow_the_seed_and_are_marked() -> None:
    first, same, other = (load("timm-random:test_resnet", seed=seed) for seed in (3, 3, 4))
    x = picture("test_resnet")
    with torch.no_grad():
        torch.testing.assert_close(first.module(x), same.module(x), rtol=0, atol=0)
        assert not torch.equal(first.module(x), other.module(x))
    assert first.random_weights
    assert "Random weights" in first.notes[0]
    assert first.labels[0] == "class 0"
    field = analysis.effective_receptive_field(first, [x], "stage2")
    assert np.count_nonzero(field) > 40**2  # Blocks that begin as identities would see far less.


def test_random_convnext_is_ours() -> None:
    model = load("timm-random:convnext_atto.d2_in1k")
    assert model.title == "convnext_atto"
    assert model.node("stage3.block1").kind == "block"
    assert model.config.dims == (40, 80, 160, 320)
    assert model.random_weights


def test_old_names_still_find_their_networks() -> None:
    assert load("timm-random:gluon_resnet18_v1b").title == "resnet18"


@pytest.mark.parametrize(
    "name", ["resnetv2_50", "vit_base_r50_s16_224", "vit_relpos_small_patch16_224", "nfnet_f0"]
)
def test_other_networks_are_refused(name: str) -> None:
    with pytest.raises(StudioError, match="no family that can be opened") as caught:
        load(f"timm-random:{name}")
    assert "MobileNetV2" in caught.value.hint


def test_unknown_nodes_are_refused() -> None:
    model = load("timm-random:test_resnet")
    with pytest.raises(StudioError, match=r"no node “stage1\.block1”") as caught:
        model.node("stage1.block1")
    assert "stage4" in caught.value.hint
    assert "block" not in caught.value.hint


def test_networks_with_boxes_are_made_of_layers_whose_field_is_known() -> None:
    plain = r"Conv2d|MaxPool2d|AvgPool2d|BatchNorm2d|ReLU6?|Identity|Linear|AdaptiveAvgPool2d|Flatten|Dropout"
    for family in FAMILIES[:2]:
        for name in timm.list_models():
            if re.fullmatch(family.names, name) and "test" not in name and not re.search("101|152|200", name):
                network = timm.create_model(name, device="meta")
                if type(network).__name__ != family.network:
                    continue
                leaves = {type(module).__name__ for module in network.modules() if not list(module.children())}
                assert all(re.fullmatch(plain, leaf) for leaf in leaves), (name, leaves)


def test_moving_and_copying_keep_the_map_modules() -> None:
    model = replace(load("timm-random:test_vit"), title="moved").to(torch.device("cpu"))
    assert isinstance(model.module, TimmNetwork)
    assert len(model.blocks) == 6
    assert model.device == torch.device("cpu")
    assert analysis.feature_maps(model, picture("test_vit"), "stem").shape == (64, 10, 10)


def test_other_stems_keep_what_timm_defines() -> None:
    with pytest.raises(StudioError, match="Only a ConvNeXt's stem"):
        load("timm-random:test_resnet", stem_stride=1)


def test_passes_can_be_stopped_between_blocks_and_run_in_half_precision() -> None:
    for name in ("test_resnet", "test_vit", "test_coatnet"):
        _, ours = pair(name)
        x = picture(name)
        calls: list[int] = []

        def third(calls: list[int] = calls) -> bool:
            calls.append(1)
            return len(calls) == 3

        with pytest.raises(Stopped):
            analysis.stage_pass(ours, x, should_stop=third)
        assert len(calls) == 3
        half = analysis.stage_pass(ours, x, target=1, precision="bfloat16")
        whole = analysis.stage_pass(ours, x, target=1)
        np.testing.assert_allclose(half.logits, whole.logits, atol=0.2 * np.abs(whole.logits).max())
        for node in ours.config.stages:
            torch.testing.assert_close(half.gradients[node], whole.gradients[node])


@pytest.mark.parametrize(
    "text", ["[enforce fail] DefaultCPUAllocator: can't allocate memory", "CUDA out of memory."]
)
def test_a_lack_of_memory_is_not_called_wrong_tensors(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: object, **_options: object) -> None:
        raise RuntimeError(text)

    plan = plan_network("test_resnet")
    monkeypatch.setattr(timm, "create_model", refuse)
    with pytest.raises(RuntimeError, match="memory") as raised:
        build_timm_network(plan)
    assert not isinstance(raised.value, StudioError)
