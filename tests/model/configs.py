"""Small configs of every kind, for hypothesis."""

from typing import Any, get_args

from hypothesis import strategies as st
from msgspec.structs import replace

from convnext_studio.model.config import Act, ConvNeXtConfig, Downsample, Norm, StemType

_KERNELS = st.sampled_from([1, 3, 5, 7])


@st.composite
def configs(draw: st.DrawFn) -> ConvNeXtConfig:
    """Draw a config; its fields are independent of each other unless they must fit together."""
    stages = draw(st.sampled_from([1, 4]))

    def one_each(values: st.SearchStrategy[int]) -> st.SearchStrategy[tuple[int, ...]]:
        return st.tuples(*[values] * stages)

    stem_kernel_size = draw(st.integers(1, 5))
    config = ConvNeXtConfig(
        in_chans=draw(st.integers(1, 4)),
        num_classes=draw(st.integers(1, 9)),
        depths=draw(one_each(st.integers(1, 2))),
        dims=draw(one_each(st.integers(2, 9))),
        kernel_size=draw(_KERNELS | one_each(_KERNELS)),
        stem_type=draw(st.sampled_from(get_args(StemType))),
        stem_kernel_size=stem_kernel_size,
        stem_stride=draw(st.integers(1, 5)),
        stem_padding=draw(st.integers(0, stem_kernel_size - 1)),
        stem_norm=draw(st.booleans()),
        norm=draw(st.sampled_from(get_args(Norm))),
        act=draw(st.sampled_from(get_args(Act))),
        expansion=draw(st.sampled_from([0.5, 1.0, 2.75, 4.0])),
        depthwise=draw(st.booleans()),
        grn=draw(st.booleans()),
        downsample=draw(st.sampled_from(get_args(Downsample))),
        layer_scale_init_value=draw(st.sampled_from([0.0, 1e-6, 1.0])),
    )
    heads: list[dict[str, Any]] = [
        {},
        {"head_norm_first": True},
        {"head_norm_first": True, "global_pool": "catavgmax"},
        {"head_hidden_size": 6},
        {"head_hidden_size": (6, 5)},
    ]
    strides = [0, 4, 8, 16] if config.downsample == "separate" else [0]
    return replace(config, **draw(st.sampled_from(heads)), output_stride=draw(st.sampled_from(strides)))
