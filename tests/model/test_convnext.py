"""The network against other implementations of it."""

import math
import re
from collections.abc import Mapping
from typing import Any

import pytest
import timm
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models.convnext import CNBlockConfig
from torchvision.models.convnext import ConvNeXt as TorchvisionConvNeXt

from convnext_studio.model import Block, ConvNeXt, ConvNeXtConfig, LayerNorm
from convnext_studio.model.convnext import GRN, BatchNorm, DropPath, RMSNorm, SimpleNorm
from tests.networks import lively, random_input, small_model


def on_meta(config: ConvNeXtConfig) -> ConvNeXt:
    with torch.device("meta"):
        return ConvNeXt.from_config(config)


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
    """Compute the forward pass by hand from figure 4 and table 9 of the paper, all in (N, C, H, W)."""
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
            branch = conv(
                x, f"{name}.dwconv", padding=config.kernel_sizes[stage] // 2, groups=config.dims[stage]
            )
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


def renamed(state_dict: Mapping[str, Tensor], names: Mapping[str, str]) -> dict[str, Tensor]:
    """Return the tensors of another library by our names; the first matching pattern is used."""
    found = {}
    for key, tensor in state_dict.items():
        pattern = next(pattern for pattern in names if re.match(pattern, key))
        ours = re.sub(pattern, names[pattern], key)
        found[ours] = tensor.flatten(1) if ".pwconv" in ours and tensor.ndim > 1 else tensor
        if ".grn." in ours:
            found[ours] = tensor[None, None, None]
    return found


def assert_same_logits(theirs: nn.Module, ours: ConvNeXt) -> None:
    x = torch.randn(2, ours.config.in_chans, 96, 64, dtype=torch.float64)
    with torch.no_grad():
        expected = theirs.eval().double()(x)
        # Far from a constant, or any network would do.
        assert expected.std() > 1e-2
        torch.testing.assert_close(ours.eval().double()(x), expected, rtol=1e-6, atol=1e-6)


TIMM_NAMES = {
    r"stem\.(\d)": r"downsample_layers.0.\1",
    r"stages\.(\d+)\.downsample\.(\d)": r"downsample_layers.\1.\2",
    r"stages\.(\d+)\.blocks\.(\d+)\.conv_dw": r"stages.\1.\2.dwconv",
    r"stages\.(\d+)\.blocks\.(\d+)\.mlp\.fc(\d)": r"stages.\1.\2.pwconv\3",
    r"stages\.(\d+)\.blocks\.(\d+)\.mlp\.grn\.weight": r"stages.\1.\2.grn.gamma",
    r"stages\.(\d+)\.blocks\.(\d+)\.mlp\.grn\.bias": r"stages.\1.\2.grn.beta",
    r"stages\.(\d+)\.blocks\.(\d+)": r"stages.\1.\2",
    r"norm_pre": "norm",
    r"head\.norm": "norm",
    r"head\.pre_logits\.fc": "pre_logits",
    r"head\.fc": "head",
}
TIMM_VARIANTS: dict[str, dict[str, Any]] = {
    "convnextv2_": {"grn": True, "layer_scale_init_value": 0.0},
    "convnext_zepto_rms_ols": {"norm": "simple", "stem_type": "overlap_act"},
    "convnext_zepto_rms": {"norm": "simple"},
    "convnext_nano_ols": {"stem_type": "overlap"},
    "convnext_atto_rms": {"norm": "rms"},
    "convnext_atto_ols": {"stem_type": "overlap_tiered"},
    "convnext_femto_ols": {"stem_type": "overlap_tiered"},
    "convnext_pico_ols": {"stem_type": "overlap_tiered"},
    "convnext_tiny_hnf": {"head_norm_first": True},
    "convnext_large_mlp": {"head_hidden_size": 24},
    "convnext_xxlarge": {"norm_eps": 1e-5},
    "test_convnext3": {"norm_eps": 1e-5, "act": "silu", "kernel_size": (7, 5, 5, 3)},
    "test_convnext": {"norm_eps": 1e-5, "act": "gelu_tanh"},
    "convnext_": {},
}
"""What makes an architecture of timm's differ from ConvNeXt-T, by how its name begins; the first counts."""


@pytest.mark.parametrize("name", timm.list_models(["convnext*", "test_convnext*"]))
def test_logits_equal_those_of_every_convnext_in_timm(name: str) -> None:
    changes = next(changes for start, changes in TIMM_VARIANTS.items() if name.startswith(start))
    small: dict[str, Any] = {"num_classes": 11, "depths": (1, 2, 1, 1), "dims": (40, 12, 16, 20)}
    hidden = {"head_hidden_size": 24} if "head_hidden_size" in changes else {}
    theirs = timm.create_model(name, **small, **hidden)
    for parameter in theirs.parameters():
        nn.init.normal_(parameter, std=0.3)
    ours = ConvNeXt(**small, **changes)
    ours.load_state_dict(renamed(theirs.state_dict(), TIMM_NAMES))
    assert_same_logits(theirs, ours)


@pytest.mark.parametrize("options", [{"conv_mlp": True}, {"use_grn": True}, {"in_chans": 1}])
def test_logits_equal_timms_with_other_arguments(options: dict[str, Any]) -> None:
    small: dict[str, Any] = {"num_classes": 5, "depths": (1, 2, 1, 1), "dims": (8, 12, 16, 20)}
    theirs = timm.models.convnext.ConvNeXt(**small, **options)
    for parameter in theirs.parameters():
        nn.init.normal_(parameter, std=0.3)
    ours = ConvNeXt(**small, in_chans=options.get("in_chans", 3), grn="use_grn" in options)
    ours.load_state_dict(renamed(theirs.state_dict(), TIMM_NAMES))
    assert_same_logits(theirs, ours)


@pytest.mark.parametrize(
    "options",
    [
        {"output_stride": 16},
        {"output_stride": 8},
        {"output_stride": 8, "kernel_sizes": (7, 5, 5, 3), "use_grn": True},
        {"global_pool": "max"},
        {"global_pool": "avgmax"},
        {"global_pool": "catavgmax", "head_norm_first": True},
    ],
)
def test_every_map_and_the_logits_equal_timms(options: dict[str, Any]) -> None:
    small: dict[str, Any] = {"num_classes": 5, "depths": (1, 2, 1, 1), "dims": (8, 12, 16, 20)}
    theirs = timm.models.convnext.ConvNeXt(**small, **options)
    for parameter in theirs.parameters():
        nn.init.normal_(parameter, std=0.3)
    changes = dict(options)
    if "kernel_sizes" in changes:
        changes |= {"kernel_size": changes.pop("kernel_sizes"), "grn": changes.pop("use_grn")}
    ours = ConvNeXt(**small, **changes)
    ours.load_state_dict(renamed(theirs.state_dict(), TIMM_NAMES))
    assert_same_logits(theirs, ours)
    for size in ((97, 131), (64, 75)):
        x = own = their = torch.randn(1, 3, *size, dtype=torch.float64)
        own, their = ours.downsample_layers[0](x), theirs.stem(x)
        for stage in range(4):
            own = ours.stages[stage](own if stage == 0 else ours.downsample_layers[stage](own))
            their = theirs.stages[stage](their)
            torch.testing.assert_close(own, their, rtol=1e-5, atol=1e-5)


def torchvision_names(depths: tuple[int, ...]) -> dict[str, str]:
    """Return our names by patterns for torchvision's, which number stem, stages, downsampling and layers."""
    block = {"0": "dwconv", "2": "norm", "3": "pwconv1", "5": "pwconv2"}
    names = {r"classifier\.0": "norm", r"classifier\.2": "head"}
    for stage in range(len(depths)):
        names[rf"features\.{2 * stage}\.(\d)"] = rf"downsample_layers.{stage}.\1"
        names[rf"features\.{2 * stage + 1}\.(\d+)\.layer_scale"] = rf"stages.{stage}.\1.gamma"
        for layer, ours in block.items():
            names[rf"features\.{2 * stage + 1}\.(\d+)\.block\.{layer}"] = rf"stages.{stage}.\1.{ours}"
    return names


def test_logits_equal_torchvisions() -> None:
    depths, dims = (1, 2, 1, 1), (8, 12, 16, 20)
    settings = [
        CNBlockConfig(dim, after, depth)
        for dim, after, depth in zip(dims, (*dims[1:], None), depths, strict=True)
    ]
    theirs = TorchvisionConvNeXt(settings, num_classes=9, layer_scale=1.0)
    for parameter in theirs.parameters():
        nn.init.normal_(parameter, std=0.3)
    ours = ConvNeXt(num_classes=9, depths=depths, dims=dims)
    state_dict = renamed(theirs.state_dict(), torchvision_names(depths))
    gammas = {key: tensor.flatten() for key, tensor in state_dict.items() if key.endswith(".gamma")}
    ours.load_state_dict(state_dict | gammas)
    assert_same_logits(theirs, ours)


def test_a_v2_block_is_the_papers() -> None:
    """The block equals algorithm 1 of the paper in (N, C, H, W), with the keys of the authors' file."""
    network = lively(ConvNeXtConfig(depths=(1,), dims=(6,), grn=True, layer_scale_init_value=0.0)).double()
    block, x = network.stages[0][0], torch.randn(2, 6, 9, 7, dtype=torch.float64)
    weights = block.state_dict()
    assert set(weights) == {
        f"{layer}.{kind}" for layer in ("dwconv", "norm", "pwconv1", "pwconv2") for kind in ("weight", "bias")
    } | {"grn.gamma", "grn.beta"}
    assert weights["grn.gamma"].shape == weights["grn.beta"].shape == (1, 1, 1, 24)
    inside = functional.conv2d(x, weights["dwconv.weight"], weights["dwconv.bias"], padding=3, groups=6)
    inside = functional.layer_norm(
        inside.movedim(1, -1), (6,), weights["norm.weight"], weights["norm.bias"], 1e-6
    )
    inside = functional.gelu(inside @ weights["pwconv1.weight"].T + weights["pwconv1.bias"]).movedim(-1, 1)
    norms = (inside**2).sum(dim=(2, 3)).sqrt()  # aggregate each channel over the map
    shares = norms / (norms.mean(dim=1, keepdim=True) + 1e-6)  # compare it with the others
    gamma, beta = weights["grn.gamma"].reshape(1, 24, 1, 1), weights["grn.beta"].reshape(1, 24, 1, 1)
    inside = gamma * inside * shares[:, :, None, None] + beta + inside  # calibrate
    expected = x + (inside.movedim(1, -1) @ weights["pwconv2.weight"].T + weights["pwconv2.bias"]).movedim(
        -1, 1
    )
    torch.testing.assert_close(block(x), expected)


def test_grn_is_the_identity_at_first() -> None:
    x = torch.randn(2, 5, 4, 6)
    torch.testing.assert_close(GRN(6)(x), x)


def test_an_isotropic_network_is_the_authors() -> None:
    """It is a 16x16 convolution without a norm, blocks without layer scale, pool, norm, linear."""
    config = ConvNeXtConfig(
        num_classes=5,
        depths=(2,),
        dims=(6,),
        stem_kernel_size=16,
        stem_stride=16,
        stem_norm=False,
        layer_scale_init_value=0.0,
    )
    network = lively(config).double()
    weights = network.state_dict()
    assert {key for key in weights if not key.startswith("stages.0.")} == {
        f"{layer}.{kind}" for layer in ("downsample_layers.0.0", "norm", "head") for kind in ("weight", "bias")
    }
    x = torch.randn(1, 3, 64, 48, dtype=torch.float64)
    patches = functional.unfold(x, 16, stride=16)  # (1, 768, 12)
    stem = weights["downsample_layers.0.0.weight"].flatten(1) @ patches
    inside = (stem + weights["downsample_layers.0.0.bias"][:, None]).reshape(1, 6, 4, 3)
    for block in range(2):
        name = f"stages.0.{block}"
        branch = functional.conv2d(
            inside, weights[f"{name}.dwconv.weight"], weights[f"{name}.dwconv.bias"], padding=3, groups=6
        ).movedim(1, -1)
        branch = functional.layer_norm(
            branch, (6,), weights[f"{name}.norm.weight"], weights[f"{name}.norm.bias"], 1e-6
        )
        branch = functional.gelu(functional.linear(branch, *pair(weights, f"{name}.pwconv1")))
        inside = inside + functional.linear(branch, *pair(weights, f"{name}.pwconv2")).movedim(-1, 1)
    pooled = functional.layer_norm(inside.mean((2, 3)), (6,), *pair(weights, "norm"), 1e-6)
    torch.testing.assert_close(network(x), functional.linear(pooled, *pair(weights, "head")))


def pair(weights: Mapping[str, Tensor], name: str) -> tuple[Tensor, Tensor]:
    return weights[f"{name}.weight"], weights[f"{name}.bias"]


def test_a_block_with_other_parts_equals_its_definition() -> None:
    """It has a dense convolution, batch norm with running statistics, ReLU, and twice the channels inside."""
    block = lively(
        ConvNeXtConfig(
            depths=(1,), dims=(6,), depthwise=False, norm="batch", act="relu", expansion=2.0, kernel_size=5
        )
    ).stages[0][0]
    x = torch.randn(3, 6, 8, 8)
    dense = nn.Conv2d(6, 6, 5, padding=2)
    norm = nn.BatchNorm2d(6, eps=1e-6)
    dense.load_state_dict(block.dwconv.state_dict())
    norm.load_state_dict(block.norm.state_dict(), strict=False)
    inside = norm.eval()(dense(x)).movedim(1, -1)
    inside = block.pwconv2(torch.relu(block.pwconv1(inside))).movedim(-1, 1)
    torch.testing.assert_close(block(x), x + block.gamma[:, None, None] * inside)
    assert block.pwconv1.weight.shape == (12, 6)


def test_a_block_that_downsamples_does_so_in_its_convolution_and_on_the_shortcut() -> None:
    network = lively(
        ConvNeXtConfig(
            num_classes=2, depths=(1, 2, 1, 1), dims=(4, 6, 8, 10), kernel_size=3, downsample="block"
        )
    )
    assert not [key for key in network.state_dict() if key.startswith("downsample_layers.1")]
    first, second = network.stages[1]
    x = torch.randn(1, 4, 9, 8)
    spatial = functional.conv2d(x, first.dwconv.weight, first.dwconv.bias, stride=2, padding=1, groups=4)
    inside = first.norm(spatial.movedim(1, -1))
    inside = first.pwconv2(functional.gelu(first.pwconv1(inside))).movedim(-1, 1)
    picked = x[:, :, ::2, ::2]  # what a 1x1 convolution of stride 2 reads
    shortcut = torch.einsum("oc,nchw->nohw", first.shortcut.weight[:, :, 0, 0], picked)
    expected = shortcut + first.shortcut.bias[:, None, None] + first.gamma[:, None, None] * inside
    assert expected.shape == (1, 6, 5, 4)
    torch.testing.assert_close(first(x), expected)
    assert isinstance(second.shortcut, nn.Identity)


def test_layer_norm_is_the_same_in_both_layouts() -> None:
    first, last = LayerNorm(6, data_format="channels_first"), LayerNorm(6)
    x = torch.randn(2, 6, 5, 3)
    torch.testing.assert_close(first(x), last(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2))
    by_hand = (x - x.mean(1, keepdim=True)) / torch.sqrt(x.var(1, correction=0, keepdim=True) + 1e-6)
    torch.testing.assert_close(first(x), by_hand, rtol=1e-5, atol=1e-5)
    with pytest.raises(ValueError, match="channels_middle"):
        LayerNorm(6, data_format="channels_middle")


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


@given(st.integers(2, 6), st.integers(1, 4), st.booleans())
def test_the_norms_are_their_definitions(channels: int, side: int, training: bool) -> None:
    x = torch.randn(3, side, side, channels)
    mean_square = (x**2).mean(-1, keepdim=True)
    torch.testing.assert_close(RMSNorm(channels)(x), x / (mean_square + 1e-6).sqrt())
    unbiased = ((x - x.mean(-1, keepdim=True)) ** 2).sum(-1, keepdim=True) / (channels - 1)
    torch.testing.assert_close(SimpleNorm(channels)(x), x / (unbiased + 1e-6).sqrt())
    ours, theirs = BatchNorm(channels).train(training), nn.BatchNorm2d(channels, eps=1e-6).train(training)
    torch.testing.assert_close(ours(x), theirs(x.movedim(-1, 1)).movedim(1, -1))
    torch.testing.assert_close(ours.running_mean, theirs.running_mean)
    torch.testing.assert_close(ours.running_var, theirs.running_var)
