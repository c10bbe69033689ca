"""The road to ConvNeXt: against torchvision, our own ConvNeXt, the paper's tables and PyTorch's counter."""

import pytest
import torch
from msgspec.structs import replace
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode
from torchvision.models import resnet50

from convnext_studio.common.errors import StudioError
from convnext_studio.model import ConvNeXt, load
from convnext_studio.model.nodes import check_input_px, total_macs
from convnext_studio.model.preprocessing import Preprocessing
from convnext_studio.model.presets import preset
from convnext_studio.model.road.road_config import RoadConfig
from convnext_studio.model.road.road_network import INPUT_PX, RoadNetwork
from convnext_studio.model.road.road_nodes import node_table
from convnext_studio.model.road.steps import PRINTED_AT_PX, ROAD, RoadStep, road_step

CHANGES = {
    "resnet50": set(),
    "recipe": {"layer_scale_init_value"},
    "stage_ratio": {"depths"},
    "patchify": {"stem"},
    "depthwise": {"depthwise"},
    "width": {"widths"},
    "inverted": {"inverted"},
    "depthwise_up": {"spatial_first"},
    "kernel5": {"kernel_size"},
    "kernel7": {"kernel_size"},
    "kernel9": {"kernel_size"},
    "kernel11": {"kernel_size"},
    "gelu": {"act"},
    "fewer_acts": {"acts_per_block"},
    "fewer_norms": {"norms_per_block"},
    "layer_norm": {"norm"},
    "convnext": {"separate_downsampling"},
}

# Table 11 of the paper: 10^9 operations of the same steps from ResNet-200 to ConvNeXt-B.
LARGE_GMACS = {
    "resnet50": 15.01,
    "stage_ratio": 14.52,
    "patchify": 14.38,
    "depthwise": 7.23,
    "width": 16.76,
    "inverted": 15.68,
    "depthwise_up": 14.63,
    "kernel5": 14.70,
    "kernel7": 14.81,
    "kernel9": 14.95,
    "kernel11": 15.13,
    "gelu": 14.81,
    "fewer_acts": 14.81,
    "fewer_norms": 14.81,
    "layer_norm": 14.81,
    "convnext": 15.35,
}

every_step = pytest.mark.parametrize("step", ROAD.values(), ids=ROAD)


def on_meta(config: RoadConfig) -> RoadNetwork:
    with torch.device("meta"):
        return RoadNetwork(config).eval()


def small(config: RoadConfig) -> RoadConfig:
    """Return a narrow network of the same kind."""
    widths = (8, 12, 16, 24) if config.widths[0] == 64 else (12, 16, 24, 28)
    return replace(config, widths=widths, depths=(1, 2, 1, 1), num_classes=5)


def enliven(network: nn.Module) -> None:
    """Make every tensor random, so that each one affects the output."""
    torch.manual_seed(0)
    for name, parameter in network.named_parameters():
        nn.init.normal_(parameter, 1.0 if parameter.ndim == 1 and "bias" not in name else 0.0, 0.05)
    for buffer in network.buffers():
        if buffer.is_floating_point():
            nn.init.uniform_(buffer, 0.5, 1.5)


def fill(ours: nn.Module, tensors: list[Tensor]) -> None:
    """Copy tensors into a network in their order."""
    own = [tensor for tensor in ours.state_dict().values() if tensor.is_floating_point()]
    assert len(own) == len(tensors)
    for mine, theirs in zip(own, tensors, strict=True):
        assert mine.numel() == theirs.numel()
        mine.copy_(theirs.reshape(mine.shape))


def counted(network: nn.Module, side: int = PRINTED_AT_PX) -> int:
    """Return the multiply-accumulates by PyTorch's counter."""
    with FlopCounterMode(display=False) as counter:
        network(torch.zeros(1, 3, side, side, device="meta"))
    return counter.get_total_flops() // 2


def test_the_first_step_is_torchvisions_resnet_50() -> None:
    theirs = resnet50().eval().requires_grad_(False)
    step = ROAD["resnet50"]
    assert step.parameters == sum(parameter.numel() for parameter in theirs.parameters()) == 25_557_032
    with torch.device("meta"):
        assert step.macs == counted(resnet50().eval())
    enliven(theirs)
    ours = RoadNetwork(step.config).eval().requires_grad_(False)
    # Both list a block's branch before its shortcut.
    fill(ours, [tensor for tensor in theirs.state_dict().values() if tensor.is_floating_point()])
    x = torch.randn(1, 3, 64, 96)
    logits = theirs(x)
    torch.testing.assert_close(ours(x), logits, rtol=1e-4, atol=1e-4 * float(logits.abs().max()))
    assert logits.std() > 1e-3


def test_the_last_step_is_our_convnext_tiny() -> None:
    theirs = ConvNeXt.from_config(preset("convnext_tiny")).eval().requires_grad_(False)
    step = ROAD["convnext"]
    assert step.parameters == sum(parameter.numel() for parameter in theirs.parameters())
    assert step.macs == total_macs(load("preset:convnext_tiny").nodes, preset("convnext_tiny"))
    enliven(theirs)
    ours = RoadNetwork(step.config).eval().requires_grad_(False)
    tensors = list(theirs.downsample_layers[0].state_dict().values())
    for stage, blocks in enumerate(theirs.stages):
        if stage:
            tensors += theirs.downsample_layers[stage].state_dict().values()
        tensors += blocks.state_dict().values()
    fill(ours, [*tensors, *theirs.norm.state_dict().values(), *theirs.head.state_dict().values()])
    x = torch.randn(1, 3, 64, 96)
    torch.testing.assert_close(ours(x), theirs(x), rtol=1e-4, atol=1e-4)


def test_every_step_changes_what_its_title_names_and_nothing_else() -> None:
    assert {key: set(step.changed) for key, step in ROAD.items()} == CHANGES
    for step in ROAD.values():
        assert step.builds_on in ("", *list(ROAD)[: step.number - 1])
    assert [key for key, step in ROAD.items() if not step.is_adopted] == ["kernel9", "kernel11"]
    assert len({step.config for step in ROAD.values()}) == len(ROAD) == 17


@every_step
def test_arithmetic_is_what_the_module_has_and_the_counter_counts(step: RoadStep) -> None:
    network = on_meta(step.config)
    assert step.parameters == sum(parameter.numel() for parameter in network.parameters())
    with FlopCounterMode(display=False) as counter:
        network(torch.zeros(1, 3, INPUT_PX, INPUT_PX, device="meta"))
    assert step.macs == counter.get_total_flops() // 2
    flops = counter.get_flop_counts()
    for info in network.nodes:
        path = "stem" if info.name == "stem" else f"stages.{int(info.name[-1]) - 1}"
        assert info.macs == sum(flops[f"RoadNetwork.{path}"].values()) // 2
        held = network.get_submodule(path).parameters()
        assert info.parameters == sum(parameter.numel() for parameter in held)


@every_step
def test_counts_are_the_printed_ones_or_a_remark_explains_the_difference(step: RoadStep) -> None:
    if step.remark:
        assert abs(step.macs / 1e9 / step.gmacs - 1) > 0.01  # Else there were nothing to tell.
    else:
        assert step.macs / 1e9 == pytest.approx(step.gmacs, rel=0.01)


def test_the_remark_about_the_one_difference_is_true() -> None:
    (step,) = [step for step in ROAD.values() if step.remark]
    before, after = ROAD[step.builds_on], ROAD["convnext"]
    assert step.macs == before.macs  # Another norm adds no convolution.
    assert after.builds_on == step.key
    assert f"{step.macs / 1e9:.3f}" == "4.146"
    assert f"{(after.macs - step.macs) / 1e9:.3f}" == "0.310"
    assert f"{after.macs / 1e9:.3f}" == "4.456"
    assert f"{after.macs / 1e9:.2f}" == f"{step.gmacs:.2f}"
    assert all(number in step.remark for number in ("4.146", "0.310", "4.456", "4.46", "14.81"))


@pytest.mark.parametrize("key", LARGE_GMACS)
def test_the_same_steps_from_resnet_200_cost_what_table_11_prints(key: str) -> None:
    """Independent figures for every field of the config; the layer norm's row among them."""
    config = ROAD[key].config
    depths = (3, 24, 36, 3) if key == "resnet50" else (3, 3, 27, 3)
    width = {"resnet50": 64, "stage_ratio": 84, "patchify": 84, "depthwise": 84}.get(key, 128)
    config = replace(config, depths=depths, widths=tuple(width << stage for stage in range(4)))
    macs = total_macs(node_table(config, PRINTED_AT_PX), config)
    assert macs / 1e9 == pytest.approx(LARGE_GMACS[key], abs=0.00501)


def test_counts_by_hand() -> None:
    """Stage 1 of the depthwise step: at 56 x 56, a first block from 64 channels and two from 256, inside 64."""
    area = 56 * 56
    first = 64 * 64 + 9 * 64 + 64 * 256 + 64 * 256  # narrow, 3 x 3, widen; and the shortcut
    other = 256 * 64 + 9 * 64 + 64 * 256
    stage = node_table(ROAD["depthwise"].config, 224)[1]
    assert stage.macs == (first + 2 * other) * area
    # Two norms of 64 and one of 256 in a block, one of 256 in the shortcut; layer scale of 256.
    norms = 3 * (2 * (64 + 64 + 256) + 256) + 2 * 256
    assert stage.parameters == first + 2 * other + norms
    # The inverted block is wide inside: 4 x 96.
    wide = 96 * 384 + 9 * 384 + 384 * 96
    assert node_table(ROAD["inverted"].config, 224)[1].macs == 3 * wide * area
    # Moved up, the depthwise convolution has 96 channels.
    assert node_table(ROAD["kernel7"].config, 224)[1].macs == 3 * (49 * 96 + 2 * 96 * 384) * area


@every_step
@pytest.mark.parametrize("side", [32, 64, 100])
def test_shapes(step: RoadStep, side: int) -> None:
    network = on_meta(small(step.config))
    x = torch.zeros(2, 3, side, side, device="meta")
    assert network(x).shape == (2, 5)
    table = node_table(network.config, side)
    x = network.stem(x)
    assert x.shape[1:] == table[0].shape
    for stage, info in zip(network.stages, table[1:], strict=True):
        x = stage(x)
        assert x.shape[1:] == info.shape


@every_step
def test_units_see_all_of_the_theoretical_field_and_nothing_else(step: RoadStep) -> None:
    """With weights above 0, no norm and nothing clipped, the support of a unit's gradient is its field."""
    config = replace(small(step.config), layer_scale_init_value=1.0)
    network = RoadNetwork(config).double().eval().requires_grad_(False)
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.constant_(module.weight, 1 / module.weight[0].numel())
    for name, module in list(network.named_modules()):
        if isinstance(module, nn.MaxPool2d):
            network.set_submodule(name, nn.AvgPool2d(3, 2, 1))
        elif type(module).__name__ in ("LayerNorm", "BatchNorm2d", "GELU"):
            network.set_submodule(name, nn.Identity())
    field = network.nodes[2].field
    side = (field.size_px + 128) // 32 * 32
    x = torch.ones(1, 3, side, side, dtype=torch.float64, requires_grad=True)
    maps = network.stages[1](network.stages[0](network.stem(x)))
    row, column = maps.shape[2] // 2, maps.shape[3] // 2 - 1
    (gradient,) = torch.autograd.grad(maps[0, :, row, column].sum(), x)
    ys, xs = torch.nonzero(gradient[0, 0] > 0, as_tuple=True)
    left, top, width, height = field.unit_box(row, column)
    seen = (int(xs.min()), int(xs.max()) + 1, int(ys.min()), int(ys.max()) + 1)
    assert seen == (left, left + width, top, top + height)


def test_a_step_opens_as_a_model() -> None:
    model = load("road:fewer_norms", seed=3)
    assert model.title == "Road to ConvNeXt, step 15: Fewer norms"
    assert model.random_weights
    assert "Random weights" in model.notes[0]
    assert "layer scale is 1 instead of the initial 1e-6" in model.notes[1]
    assert float(model.module.get_parameter("stages.0.0.gamma")[0]) == 1
    assert len(load("road:resnet50").notes) == 1  # It has none.
    assert [node.name for node in model.nodes] == ["stem", "stage1", "stage2", "stage3", "stage4"]
    assert model.preprocessing == Preprocessing()
    assert model.parameters == ROAD["fewer_norms"].parameters
    assert len(model.blocks) == 18
    again, other = (load("road:fewer_norms", seed=seed).module.state_dict() for seed in (3, 4))
    mine = model.module.state_dict()
    assert all(torch.equal(mine[name], again[name]) for name in mine)
    assert any(not torch.equal(mine[name], other[name]) for name in mine)
    assert not any(parameter.requires_grad for parameter in model.module.parameters())
    assert not model.module.training


def test_blocks_of_random_networks_count() -> None:
    """Two steps that differ only in their kernels have fields of different sizes, by plain autograd."""
    widths = []
    for key in ("depthwise_up", "kernel7"):
        model = load(f"road:{key}")
        x = torch.randn(1, 3, 96, 96, generator=torch.Generator().manual_seed(1)).requires_grad_()
        maps = model.module_at("stage1")(model.module_at("stem")(x))
        (gradient,) = torch.autograd.grad(maps[0, :, 12, 12].sum(), x)
        across = gradient.abs().sum(dim=(0, 1, 2))
        widths.append(int((across > 1e-4 * across.max()).sum()))
    assert widths[1] > 1.5 * widths[0]


def test_parts_of_tensors() -> None:
    network = on_meta(ROAD["convnext"].config)
    assert {network.part_of(name) for name in network.state_dict()} == {
        "stem",
        "stage1",
        "stage2",
        "stage3",
        "stage4",
        "head",
    }
    assert network.part_of("stages.2.0.weight") == "stage3"
    assert network.part_of("norm.weight") == network.part_of("head.bias") == "head"
    assert len(network.config.to_dict()) == 15


def test_unknown_steps_are_refused() -> None:
    with pytest.raises(StudioError, match="no step “attention”") as raised:
        road_step("attention")
    assert "depthwise_up" in str(raised.value.hint)
    with pytest.raises(StudioError, match="stem"):
        load("road:resnet50", stem_stride=1)
    with pytest.raises(StudioError, match="too small"):
        check_input_px(ROAD["resnet50"].config, 31)
    check_input_px(ROAD["resnet50"].config, 33)
