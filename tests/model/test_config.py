"""Configs refuse impossible values, and keep possible ones."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from timm.layers import make_divisible

from convnext_studio.common.errors import StudioError
from convnext_studio.model.config import ConvNeXtConfig


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
        ({"drop_path_rate": 1.0}, "drop_path_rate"),
        ({"layer_scale_init_value": -1.0}, "layer_scale_init_value"),
    ],
)
def test_impossible_configs_name_the_field(changes: dict[str, object], named: str) -> None:
    with pytest.raises(StudioError, match=f"^{named} is .*, but must "):
        ConvNeXtConfig(**changes)


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
