"""Configs refuse impossible values, and keep possible ones."""

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from timm.layers import make_divisible

from convnext_studio.common.errors import StudioError
from convnext_studio.model import ConvNeXt
from convnext_studio.model.config import ConvNeXtConfig, StemConv, same_padding
from convnext_studio.model.nodes import node_table, total_macs, total_parameters
from convnext_studio.model.presets import PRESETS


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"kernel_size": 4}, "kernel_size"),
        ({"kernel_size": 33}, "kernel_size"),
        ({"kernel_size": (7, 7, 7)}, "kernel_size"),
        ({"kernel_size": (7, 7, 6, 7)}, "kernel_size"),
        ({"dims": (1, 2, 3)}, "dims"),
        ({"dims": ()}, "dims"),
        ({"dims": (8,)}, "dims"),
        ({"depths": (1, 0, 1, 1)}, "depths"),
        ({"stem_padding": 4}, "stem_padding"),
        ({"stem_padding": -1}, "stem_padding"),
        ({"stem_type": "conv"}, "stem_type"),
        ({"norm": "group"}, "norm"),
        ({"norm_eps": 0.0}, "norm_eps"),
        ({"act": "tanh"}, "act"),
        ({"expansion": float("nan")}, "expansion"),
        ({"expansion": float("inf")}, "expansion"),
        ({"expansion": 0.1, "dims": (4, 8, 16, 32)}, "expansion"),
        ({"downsample": "pool"}, "downsample"),
        ({"head_norm_first": True, "head_hidden_size": 8}, "head_hidden_size"),
        ({"num_classes": 0}, "num_classes"),
        ({"num_classes": 200_001}, "num_classes"),
        ({"num_classes": 37_000_000}, "num_classes"),
        ({"in_chans": 1025}, "in_chans"),
        ({"depths": (3, 3, 10**9, 3)}, "depths"),
        ({"dims": (96, 192, 384, 16_385)}, "dims"),
        ({"dims": (16_384,) * 4, "depths": (1000,) * 4}, "dims"),
        ({"stem_kernel_size": 65}, "stem_kernel_size"),
        ({"stem_stride": 65}, "stem_stride"),
        ({"expansion": 65.0}, "expansion"),
        ({"head_hidden_size": 16_385}, "head_hidden_size"),
        ({"head_hidden_size": (8, 16_385)}, "head_hidden_size"),
        ({"drop_path_rate": 1.0}, "drop_path_rate"),
        ({"layer_scale_init_value": -1.0}, "layer_scale_init_value"),
    ],
)
def test_impossible_configs_name_the_field(changes: dict[str, object], named: str) -> None:
    with pytest.raises(StudioError, match=f"^{named} is .*, but must "):
        ConvNeXtConfig(**changes)


SMALL = {"depths": (1, 1, 1, 1), "dims": (8, 8, 8, 8)}


@pytest.mark.parametrize(
    ("changes", "next_larger"),
    [
        ({"kernel_size": 31}, {"kernel_size": 33}),
        ({"kernel_size": (1, 1, 1, 31)}, {"kernel_size": (1, 1, 1, 33)}),
        ({"in_chans": 1024}, {"in_chans": 1025}),
        ({"num_classes": 200_000}, {"num_classes": 200_001}),
        ({"depths": (1, 1, 1, 1000)}, {"depths": (1, 1, 1, 1001)}),
        ({"dims": (1, 1, 1, 4)}, {"dims": (0, 1, 1, 4)}),
        ({"dims": (8, 8, 8, 15_000)}, {"dims": (8, 8, 8, 16_385)}),
        ({"depths": (1,), "dims": (8,)}, {"depths": (1, 1), "dims": (8, 8)}),
        ({"depths": (1,), "dims": (8,)}, {"depths": (1,) * 3, "dims": (8,) * 3}),
        ({"depths": (1,), "dims": (8,)}, {"depths": (1,) * 5, "dims": (8,) * 5}),
        ({"stem_kernel_size": 64, "stem_padding": 63}, {"stem_kernel_size": 64, "stem_padding": 64}),
        ({"stem_kernel_size": 1, "stem_padding": 0}, {"stem_kernel_size": 0, "stem_padding": 0}),
        ({"stem_stride": 64}, {"stem_stride": 65}),
        ({"stem_stride": 1}, {"stem_stride": 0}),
        ({"expansion": 64.0}, {"expansion": 64.5}),
        ({"expansion": 0.125}, {"expansion": 0.12}),  # One channel of eight, and none.
        ({"head_hidden_size": 16_384}, {"head_hidden_size": 16_385}),
        ({"head_hidden_size": 0}, {"head_hidden_size": -1}),
        ({"head_hidden_size": (1,) * 7}, {"head_hidden_size": (1,) * 8}),
        ({"head_hidden_size": (1, 16_384)}, {"head_hidden_size": (1, 16_385)}),
        ({"head_hidden_size": (1, 1)}, {"head_hidden_size": (0, 1)}),
        ({"head_hidden_size": (1, 1)}, {"head_hidden_size": (1,)}),
        ({"drop_path_rate": 0.999}, {"drop_path_rate": 1.0}),
        ({"drop_path_rate": 0.0}, {"drop_path_rate": -0.001}),
        ({"norm_eps": 1e-30}, {"norm_eps": 0.0}),
        ({"norm_eps": 1e30}, {"norm_eps": float("inf")}),
        ({"head_norm_eps": 0.0}, {"head_norm_eps": -1e-9}),
        ({"layer_scale_init_value": 0.0}, {"layer_scale_init_value": -1e-9}),
        ({"output_stride": 0}, {"output_stride": -1}),
        ({"head_norm_first": True, "global_pool": "catavgmax"}, {"global_pool": "catavgmax"}),
        ({"output_stride": 8}, {"output_stride": 8, "downsample": "block"}),
        ({"head_norm_first": True}, {"head_norm_first": True, "head_hidden_size": (8, 8)}),
    ],
)
def test_limits_are_where_they_are_said_to_be(changes: dict[str, Any], next_larger: dict[str, Any]) -> None:
    config = ConvNeXtConfig(**{**SMALL, **changes})
    assert config.problems() == {}
    with pytest.raises(StudioError, match=r"^\w+ is .*, but must "):
        ConvNeXtConfig(**{**SMALL, **next_larger})


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"depths": (3, 3, 27, 3), "dims": (128, 256, 512, 1024)},
        {"depthwise": False, "kernel_size": 5},
        {"kernel_size": (3, 5, 7, 9), "expansion": 2.5},
        {"depths": (18,), "dims": (384,), "stem_kernel_size": 16, "stem_stride": 16},
        {"in_chans": 200, "stem_kernel_size": 8, "stem_stride": 8, "depths": (1, 1, 1, 1)},
        {"depths": (1, 1, 1, 1), "dims": (8, 8, 8, 300), "head_hidden_size": (900, 700)},
        {"depths": (1, 1, 1, 1), "dims": (512, 512, 512, 512), "expansion": 0.01},
        {"depths": (1, 1, 1, 1), "dims": (512, 512, 512, 512), "expansion": 0.01, "downsample": "block"},
    ],
)
def test_parameters_are_counted_before_a_network_is_built(changes: dict[str, Any]) -> None:
    """They are estimated: torch's own count is at most a fifth away."""
    config = ConvNeXtConfig(num_classes=10, **changes)
    with torch.device("meta"):
        network = ConvNeXt.from_config(config)
    counted = sum(parameter.numel() for parameter in network.parameters())
    assert config._parameters() == pytest.approx(counted, rel=0.2)


def test_two_billion_parameters_are_the_most() -> None:
    """Of one block of 1 × 1: 8 dim² and little else."""
    shape: dict[str, Any] = {"depths": (1,), "kernel_size": 1, "stem_kernel_size": 1, "stem_stride": 1}
    with pytest.raises(StudioError, match="at most 2,000,000,000 parameters together"):
        ConvNeXtConfig(dims=(15_812,), in_chans=1, num_classes=1, **shape)
    # 8 · 15,810² + 4 · 15,810 = 1,999,712,040
    assert ConvNeXtConfig(dims=(15_810,), in_chans=1, num_classes=1, **shape).dims == (15_810,)


@pytest.mark.parametrize(
    ("changes", "dilations", "between"),
    [
        ({}, (1, 1, 1, 1), (0, 0, 0, 0)),
        ({"output_stride": 32}, (1, 1, 1, 1), (0, 0, 0, 0)),
        ({"output_stride": 16}, (1, 1, 1, 2), (0, 0, 0, 1)),
        ({"output_stride": 8}, (1, 1, 2, 4), (0, 0, 1, 2)),
        ({"output_stride": 4}, (1, 2, 4, 8), (0, 1, 2, 2)),
        ({"output_stride": 8, "stem_stride": 8, "stem_kernel_size": 8}, (1, 2, 4, 8), (0, 1, 2, 2)),
        ({"output_stride": 8, "stem_type": "overlap"}, (1, 1, 2, 4), (0, 0, 1, 2)),
        ({"depths": (1,), "dims": (8,), "output_stride": 8}, (1,), (0,)),
    ],
)
def test_dilations_by_hand(
    changes: dict[str, Any], dilations: tuple[int, ...], between: tuple[int, ...]
) -> None:
    """Stages that would exceed the stride spread their kernels out, by twice as much each time."""
    config = ConvNeXtConfig(**changes)
    assert config.dilations == dilations
    assert tuple(config.dilation_between(stage) for stage in range(len(dilations))) == between


@pytest.mark.parametrize(
    ("kernel", "dilation", "added"),
    [
        (1, 1, (0, 0)),
        (3, 1, (1, 1)),
        (7, 1, (3, 3)),
        (7, 2, (6, 6)),
        (2, 1, (0, 1)),
        (2, 2, (1, 1)),
        (4, 1, (1, 2)),
    ],
)
def test_padding_that_keeps_the_size(kernel: int, dilation: int, added: tuple[int, int]) -> None:
    assert same_padding(kernel, dilation) == added


def test_the_head_by_hand() -> None:
    config = ConvNeXtConfig(**SMALL, head_hidden_size=5)
    assert (config.head_hidden_sizes, config.pooled_dim) == ((5,), 8)
    assert ConvNeXtConfig(**SMALL).head_hidden_sizes == ()
    assert ConvNeXtConfig(**SMALL, head_hidden_size=(4, 6)).head_hidden_sizes == (4, 6)
    twice = ConvNeXtConfig(**SMALL, head_norm_first=True, global_pool="catavgmax")
    assert twice.pooled_dim == 16
    assert ConvNeXtConfig(expansion=2.75).hidden_dim(9) == 24
    patch = ConvNeXtConfig(in_chans=2, stem_kernel_size=5, stem_stride=3, stem_padding=1).stem_convs
    assert patch == (StemConv(2, 96, 5, 3, 1),)
    assert ConvNeXtConfig(stem_type="overlap").stem_convs == (
        StemConv(3, 96, 3, 2, 1),
        StemConv(96, 96, 3, 2, 1),
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"depths": "3393"},
        {"depths": [3, 3, 9.5, 3]},
        {"dims": None},
        {"dims": [[96], 192, 384, 768]},
        {"num_classes": True},
        {"num_classes": "1000"},
        {"kernel_size": {"a": 7}},
        {"act": 3},
        {"stem_norm": "yes"},
        {"depths": []},
    ],
)
def test_a_description_of_other_types_is_refused_in_a_sentence(changes: dict[str, object]) -> None:
    with pytest.raises(StudioError, match=r"damaged|must") as caught:
        ConvNeXtConfig.from_dict(ConvNeXtConfig().to_dict() | changes)
    assert not any(words in caught.value.message for words in ("Expected", "`", "$"))


@pytest.mark.parametrize("name", PRESETS)
def test_what_is_published_is_within_all_limits(name: str) -> None:
    config = PRESETS[name].config
    assert ConvNeXtConfig.from_dict(config.to_dict()) == config
    assert ConvNeXtConfig.from_dict(config.to_dict() | {"num_classes": 200_000}).num_classes == 200_000


def test_an_unknown_field_is_refused() -> None:
    with pytest.raises(StudioError, match="strides"):
        ConvNeXtConfig.from_dict({"strides": 3})


def test_the_defaults_are_those_of_the_tiny_network_of_the_paper() -> None:
    """Table 9 of arXiv:2201.03545, and the parameters and operations that its authors print."""
    config = ConvNeXtConfig()
    assert (config.depths, config.dims) == ((3, 3, 9, 3), (96, 192, 384, 768))
    assert (config.kernel_size, config.expansion, config.act, config.norm) == (7, 4.0, "gelu", "layer")
    assert (config.stem_type, config.stem_kernel_size, config.stem_stride, config.stem_padding) == (
        "patch",
        4,
        4,
        0,
    )
    assert (config.in_chans, config.num_classes, config.norm_eps, config.head_norm_eps) == (3, 1000, 1e-6, 0.0)
    assert (config.stem_norm, config.depthwise, config.grn, config.head_norm_first) == (
        True,
        True,
        False,
        False,
    )
    assert (config.downsample, config.output_stride, config.global_pool) == ("separate", 0, "avg")
    assert (config.head_hidden_size, config.drop_path_rate) == (0, 0.0)
    assert (config.layer_scale_init_value, config.head_init_scale) == (1e-6, 1.0)
    nodes = node_table(config, 224)
    assert total_parameters(nodes, config) == 28_589_128
    assert total_macs(nodes, config) == pytest.approx(4.5e9, rel=0.02)


def test_kernels_and_stages_are_the_models_own() -> None:
    assert ConvNeXtConfig(kernel_size=5).kernel_sizes == (5, 5, 5, 5)
    assert ConvNeXtConfig(kernel_size=(3, 5, 7, 9)).kernel_sizes == (3, 5, 7, 9)
    assert ConvNeXtConfig().stages == ("stage1", "stage2", "stage3", "stage4")
    assert ConvNeXtConfig(depths=(2,), dims=(8,)).stages == ("stage1",)


@given(st.integers(1, 3000))
def test_the_tiered_stem_is_as_wide_between_as_timms(dim: int) -> None:
    first, second = ConvNeXtConfig(dims=(dim, 8, 8, 8), stem_type="overlap_tiered").stem_convs
    assert first.out_chans == second.in_chans == make_divisible(dim // 2)
