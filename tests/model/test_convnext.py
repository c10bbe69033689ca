"""The network against other implementations of it."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from timm.models.convnext import ConvNeXt as TimmConvNeXt
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from convnext_studio.errors import StudioError
from convnext_studio.model import Block, ConvNeXt, ConvNeXtConfig, LayerNorm
from convnext_studio.model.convnext import DropPath
from convnext_studio.model.nodes import node_table, total_macs, total_parameters
from convnext_studio.model.presets import PRESETS, preset
from convnext_studio.model.pretrained import from_timm_keys, infer_config
from tests.networks import lively, random_input, small_model


def on_meta(config: ConvNeXtConfig) -> ConvNeXt:
    with torch.device("meta"):
        return ConvNeXt.from_config(config)


@pytest.mark.parametrize(("name", "parameters"), [("tutorial", 28_324_168), ("convnext_tiny", 28_589_128)])
def test_presets_have_the_published_size_and_output(name: str, parameters: int) -> None:
    config = preset(name)
    network = on_meta(config)
    assert sum(parameter.numel() for parameter in network.parameters()) == parameters
    assert network(torch.empty(8, 3, 224, 224, device="meta")).shape == (8, 1000)
    nodes = node_table(config, 224)
    assert total_parameters(nodes, config) == parameters


def test_state_dict_has_the_authors_names() -> None:
    network = on_meta(ConvNeXtConfig(depths=(1, 1, 1, 1)))
    expected = {
        f"downsample_layers.{i}.{j}.{kind}" for i in range(4) for j in (0, 1) for kind in ("weight", "bias")
    }
    for stage in range(4):
        layers = ("dwconv", "norm", "pwconv1", "pwconv2")
        expected |= {f"stages.{stage}.0.{layer}.{kind}" for layer in layers for kind in ("weight", "bias")}
        expected.add(f"stages.{stage}.0.gamma")
    expected |= {f"{layer}.{kind}" for layer in ("norm", "head") for kind in ("weight", "bias")}
    assert set(network.state_dict()) == expected


def reference_logits(network: ConvNeXt, x: torch.Tensor) -> torch.Tensor:
    """The forward pass as the paper's figure 4 and table 9 draw it, all in (N, C, H, W), by hand."""
    weights, config = network.state_dict(), network.config

    def norm(x: torch.Tensor, name: str) -> torch.Tensor:
        centred = x - x.mean(dim=1, keepdim=True)
        x = centred / torch.sqrt((centred**2).mean(dim=1, keepdim=True) + 1e-6)
        return x * weights[f"{name}.weight"][:, None, None] + weights[f"{name}.bias"][:, None, None]

    def conv(x: torch.Tensor, name: str, **options: int) -> torch.Tensor:
        return functional.conv2d(x, weights[f"{name}.weight"], weights[f"{name}.bias"], **options)

    def pointwise(x: torch.Tensor, name: str) -> torch.Tensor:
        return functional.conv2d(x, weights[f"{name}.weight"][:, :, None, None], weights[f"{name}.bias"])

    for stage in range(4):
        if stage == 0:
            x = conv(x, "downsample_layers.0.0", stride=config.stem_stride, padding=config.stem_padding)
            x = norm(x, "downsample_layers.0.1")
        else:
            x = conv(norm(x, f"downsample_layers.{stage}.0"), f"downsample_layers.{stage}.1", stride=2)
        for block in range(config.depths[stage]):
            name = f"stages.{stage}.{block}"
            branch = conv(x, f"{name}.dwconv", padding=config.kernel_size // 2, groups=config.dims[stage])
            branch = pointwise(norm(branch, f"{name}.norm"), f"{name}.pwconv1")
            branch = 0.5 * branch * (1 + torch.erf(branch / math.sqrt(2)))
            branch = pointwise(branch, f"{name}.pwconv2")
            if config.layer_scale_init_value > 0:
                branch = weights[f"{name}.gamma"][:, None, None] * branch
            x = x + branch
    pooled = norm(x.mean(dim=(2, 3))[:, :, None, None], "norm")
    return pointwise(pooled, "head")[:, :, 0, 0]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"kernel_size": 7},
        {"stem_stride": 1, "stem_padding": 1},
        {"stem_kernel_size": 2, "stem_stride": 2, "in_chans": 1},
        {"layer_scale_init_value": 0.0},
    ],
)
def test_logits_equal_the_definition_written_out(changes: dict[str, float]) -> None:
    model = small_model(**changes)
    x = random_input(model, side_px=45)
    torch.testing.assert_close(model.module(x), reference_logits(model.module, x), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("conv_mlp", [False, True])
def test_logits_equal_timms(conv_mlp: bool) -> None:
    theirs = TimmConvNeXt(num_classes=11, depths=(1, 2, 1, 1), dims=(8, 12, 16, 20), conv_mlp=conv_mlp).eval()
    for parameter in theirs.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    ours = lively(infer_config(from_timm_keys(theirs.state_dict())))
    ours.load_state_dict(from_timm_keys(theirs.state_dict()))
    x = torch.randn(2, 3, 96, 64, dtype=torch.float64)
    with torch.no_grad():
        torch.testing.assert_close(ours.double()(x), theirs.double()(x))
        torch.testing.assert_close(ours.forward_features(x), theirs.forward_features(x))


def test_layer_norm_is_the_same_in_both_layouts() -> None:
    first, last = LayerNorm(6, data_format="channels_first"), LayerNorm(6)
    x = torch.randn(2, 6, 5, 3)
    torch.testing.assert_close(first(x), last(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2))
    by_hand = (x - x.mean(1, keepdim=True)) / torch.sqrt(x.var(1, correction=0, keepdim=True) + 1e-6)
    torch.testing.assert_close(first(x), by_hand, rtol=1e-5, atol=1e-5)
    with pytest.raises(ValueError, match="channels_middle"):
        LayerNorm(6, data_format="channels_middle")  # type: ignore[arg-type]


def test_drop_path_drops_whole_samples_and_keeps_the_mean() -> None:
    torch.manual_seed(0)
    drop = DropPath(0.25).train()
    dropped = drop(torch.ones(4000, 2, 3, 3))
    per_sample = dropped.flatten(1)
    assert sorted(per_sample.unique().tolist()) == pytest.approx([0, 4 / 3])
    assert torch.equal(per_sample.amin(1), per_sample.amax(1))
    assert dropped.mean().item() == pytest.approx(1, abs=0.04)
    assert torch.equal(drop.eval()(torch.ones(3, 2)), torch.ones(3, 2))


def test_drop_path_rate_grows_linearly_with_depth() -> None:
    blocks = [
        m
        for m in on_meta(ConvNeXtConfig(drop_path_rate=0.4, depths=(1, 1, 2, 1))).modules()
        if isinstance(m, Block)
    ]
    rates = [block.drop_path.drop_prob if isinstance(block.drop_path, DropPath) else 0.0 for block in blocks]
    assert rates == pytest.approx([0, 0.1, 0.2, 0.3, 0.4])


def test_head_init_scale_scales_the_head_only() -> None:
    torch.manual_seed(3)
    plain = ConvNeXt(depths=(1, 1, 1, 1), dims=(4, 4, 4, 4), num_classes=5)
    torch.manual_seed(3)
    scaled = ConvNeXt(depths=(1, 1, 1, 1), dims=(4, 4, 4, 4), num_classes=5, head_init_scale=0.01)
    torch.testing.assert_close(scaled.head.weight, plain.head.weight * 0.01)
    torch.testing.assert_close(scaled.norm.weight, plain.norm.weight)
    assert torch.equal(plain.stages[0][0].gamma, torch.full((4,), 1e-6))


@pytest.mark.parametrize("name", PRESETS)
def test_node_table_counts_what_torch_counts(name: str) -> None:
    config = preset(name)
    network = on_meta(config)
    nodes = {node.name: node for node in node_table(config, 224)}
    with FlopCounterMode(display=False, depth=4) as counter:
        network(torch.empty(1, 3, 224, 224, device="meta"))
    counted = counter.get_flop_counts()
    assert total_macs(tuple(nodes.values()), config) * 2 == counter.get_total_flops()
    assert nodes["stem"].macs * 2 == sum(counted["ConvNeXt.downsample_layers.0"].values())
    stage3 = sum(counted["ConvNeXt.stages.2"].values()) + sum(counted["ConvNeXt.downsample_layers.2"].values())
    assert nodes["stage3"].macs * 2 == stage3
    assert nodes["stage3.block2"].macs * 2 == sum(counted["ConvNeXt.stages.2.1"].values())
    block = network.stages[2][1]
    assert nodes["stage3.block2"].parameters == sum(parameter.numel() for parameter in block.parameters())


def test_theoretical_fields_are_the_published_sizes() -> None:
    sizes = {node.name: node.field.size_px for node in node_table(ConvNeXtConfig(), 224)}
    assert [sizes[f"stage{stage}"] for stage in (1, 2, 3, 4)] == [76, 224, 1096, 1688]
    atto = {node.name: node.field.size_px for node in node_table(ConvNeXtConfig(depths=(2, 2, 6, 2)), 224)}
    assert [atto[f"stage{stage}"] for stage in (1, 2, 3, 4)] == [52, 152, 736, 1136]


def test_node_titles_read_well() -> None:
    titles = {node.name: node.title for node in node_table(ConvNeXtConfig(), 224)}
    assert titles["stem"] == "Stem"
    assert titles["stage3"] == "Stage 3"
    assert titles["stage3.block5"] == "Stage 3, block 5"
    assert titles["stage2.downsample"] == "Stage 2, downsample"


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"kernel_size": 4}, "kernel_size"),
        ({"dims": (1, 2, 3)}, "dims"),
        ({"depths": (1, 0, 1, 1)}, "depths"),
        ({"stem_padding": 4}, "stem_padding"),
        ({"num_classes": 0}, "num_classes"),
        ({"drop_path_rate": 1.0}, "drop_path_rate"),
    ],
)
def test_impossible_configs_name_the_field(changes: dict[str, object], named: str) -> None:
    with pytest.raises(StudioError, match=named):
        ConvNeXtConfig(**changes)  # type: ignore[arg-type]


@settings(max_examples=40)
@given(
    st.builds(
        ConvNeXtConfig,
        depths=st.tuples(*[st.integers(1, 2)] * 4),
        dims=st.tuples(*[st.integers(1, 9)] * 4),
        kernel_size=st.sampled_from([3, 5, 7]),
        stem_stride=st.integers(1, 4),
        stem_padding=st.integers(0, 3),
        layer_scale_init_value=st.sampled_from([0.0, 1e-6, 1.0]),
    )
)
def test_config_survives_json_and_predicts_shapes_and_parameters(config: ConvNeXtConfig) -> None:
    assert ConvNeXtConfig.from_dict(config.to_dict()) == config
    network = on_meta(config)
    nodes = node_table(config, 96)
    assert total_parameters(nodes, config) == sum(parameter.numel() for parameter in network.parameters())
    features = network.forward_features(torch.empty(1, 3, 96, 96, device="meta"))
    assert nodes[-1].shape == features.shape[1:]
    smallest = config.smallest_input_px
    assert network.forward_features(torch.empty(1, 3, smallest, smallest, device="meta")).shape[2:] == (1, 1)
