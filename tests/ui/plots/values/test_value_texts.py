"""What is said of an operation, against what the operation does in networks of many kinds."""

from typing import Any

import numpy as np
import pytest

from convnext_studio.common.value_terms import ValueSum
from convnext_studio.explorer import Explorer
from convnext_studio.explorer.explored_picture import Picture
from convnext_studio.model.config import ConvNeXtConfig
from convnext_studio.ui.plots.values.value_texts import step_words

PIXELS = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)


def small(**changes: Any) -> ConvNeXtConfig:
    usual: dict[str, Any] = {"num_classes": 3, "depths": (1, 1, 1, 1), "dims": (8, 8, 8, 8), "kernel_size": 3}
    return ConvNeXtConfig(**{**usual, **changes})


def opened(config: ConvNeXtConfig) -> Picture:
    return Explorer(config=config, input_px=64).open(PIXELS)


def read_by(made: ValueSum) -> set[tuple[int, int]]:
    """The positions that a value reads."""
    return {(int(y), int(x)) for step, _, y, x in made.sources if step >= 0}


CONVOLUTIONS = {
    "patchify": (small(), "stem.conv"),
    "the tutorial's stem": (small(stem_stride=1, stem_padding=1), "stem.conv"),
    "stride below the kernel": (small(stem_kernel_size=5, stem_stride=3), "stem.conv"),
    "stride above the kernel": (small(stem_kernel_size=2, stem_stride=4), "stem.conv"),
    "isotropic": (small(depths=(1,), dims=(8,), stem_norm=False), "stem"),
    "first of two": (small(stem_type="overlap_tiered"), "stem.conv1"),
    "second of two": (small(stem_type="overlap_act"), "stem.conv2"),
    "downsampling": (small(), "stage2.downsample"),
    "kept size": (small(output_stride=4), "stage2.downsample.conv"),
    "dilated": (small(output_stride=4), "stage3.downsample.conv"),
}


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_patches_are_said_to_overlap_where_neighbours_read_the_same_positions(name: str) -> None:
    config, step = CONVOLUTIONS[name]
    picture = opened(config)
    made = picture.value_sum(step, 0, 2, 2)
    # A dilated kernel of 2 x 2 shares nothing with its direct neighbour.
    others = [picture.value_sum(step, 0, y, x) for y, x in ((2, 3), (3, 2), (2, 4), (4, 2), (4, 4))]
    overlap = any(read_by(made) & read_by(other) for other in others)
    words = step_words(made, config)
    assert words.startswith("Patches that overlap" if overlap else "Patches that do not overlap")


@pytest.mark.parametrize(("classes", "start"), [(1, "Sigmoid"), (3, "Softmax")])
def test_a_probability_is_said_to_be_what_it_is(classes: int, start: str) -> None:
    config = small(num_classes=classes)
    picture = opened(config)
    made = picture.value_sum("probabilities", 0)
    logits = picture.predictions.logits.astype(float)
    softmax, sigmoid = np.exp(logits[0]) / np.exp(logits).sum(), 1 / (1 + np.exp(-logits[0]))
    assert made.value == pytest.approx(sigmoid if start == "Sigmoid" else softmax)
    assert step_words(made, config).startswith(start)


def test_every_layer_of_a_head_with_several_is_told_as_what_it_is() -> None:
    config = small(head_hidden_size=(5, 6))
    picture = opened(config)
    for step, start in {
        "head.pool": "Each channel is pooled",
        "head.hidden1": "A hidden layer",
        "head.act1": "Negative values",
        "head.hidden2": "A hidden layer",
        "head.act2": "Negative values",
        "logits": "Each channel of the head",
    }.items():
        assert step_words(picture.value_sum(step, 0), config).startswith(start), step


@pytest.mark.parametrize(("expansion", "count"), [(4.0, "more"), (1.0, "as many"), (0.5, "fewer")])
def test_the_first_pointwise_layer_makes_as_many_channels_as_is_said(expansion: float, count: str) -> None:
    config = small(expansion=expansion)
    made = opened(config).value_sum("stage2.block1.pwconv1", 0, 0, 0)
    assert np.sign(made.shape[0] - len(made.terms)) == {"more": 1, "as many": 0, "fewer": -1}[count]
    assert f"into {count} channels" in step_words(made, config)
