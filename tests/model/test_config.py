"""Configs refuse impossible values, and keep possible ones."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from timm.layers import make_divisible

from convnext_studio.common.errors import StudioError
from convnext_studio.model.config import ConvNeXtConfig
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
    with pytest.raises(StudioError, match=r"damaged|must"):
        ConvNeXtConfig.from_dict(ConvNeXtConfig().to_dict() | changes)


@pytest.mark.parametrize("name", PRESETS)
def test_what_is_published_is_within_all_limits(name: str) -> None:
    config = PRESETS[name].config
    assert ConvNeXtConfig.from_dict(config.to_dict()) == config
    assert ConvNeXtConfig.from_dict(config.to_dict() | {"num_classes": 200_000}).num_classes == 200_000


def test_an_unknown_field_is_refused() -> None:
    with pytest.raises(StudioError, match="strides"):
        ConvNeXtConfig.from_dict({"strides": 3})


def test_kernels_and_stages_are_the_models_own() -> None:
    assert ConvNeXtConfig(kernel_size=5).kernel_sizes == (5, 5, 5, 5)
    assert ConvNeXtConfig(kernel_size=(3, 5, 7, 9)).kernel_sizes == (3, 5, 7, 9)
    assert ConvNeXtConfig().stages == ("stage1", "stage2", "stage3", "stage4")
    assert ConvNeXtConfig(depths=(2,), dims=(8,)).stages == ("stage1",)


@given(st.integers(1, 3000))
def test_the_tiered_stem_is_as_wide_between_as_timms(dim: int) -> None:
    first, second = ConvNeXtConfig(dims=(dim, 8, 8, 8), stem_type="overlap_tiered").stem_convs
    assert first.out_chans == second.in_chans == make_divisible(dim // 2)
