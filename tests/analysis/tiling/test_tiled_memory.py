"""What passes in tiles take, by hand, for nine layers: stem, block, and for each stage downsampling and blocks.

On an input of 1 × 64 × 128 their outputs take 16,384 bytes (stem, and the block of stage 1), 6,144 (the three
of stage 2), 2,048 (the two of stage 3) and 640 (the two of stage 4), and the input itself takes 32,768.
"""

from typing import Any

import pytest

from convnext_studio.analysis.tiling import tiled_layers
from convnext_studio.analysis.tiling.tiled_memory import (
    least_bytes,
    plan_within,
    planned_bytes,
    steps_of,
    whole_bytes,
)
from convnext_studio.analysis.tiling.tiled_passes import INPUT, Segment, plan_of
from tests.networks import small_model

MODEL = small_model(in_chans=1)
SIZE = (64, 128)
NAMES = [
    *("stem", "stage1.block1", "stage2.downsample", "stage2.block1", "stage2.block2"),
    *("stage3.downsample", "stage3.block1", "stage4.downsample", "stage4.block1"),
]


def segments_of(*ends: tuple[int, int], one_by_one: int = 0) -> tuple[Segment, ...]:
    """Segments, of which the first ones are gone through one by one."""
    return tuple(Segment(start, stop, number < one_by_one) for number, (start, stop) in enumerate(ends))


@pytest.mark.parametrize(
    ("arguments", "segments"),
    [
        ({}, segments_of(*((index, index + 1) for index in range(9)))),
        ({"apart": 2}, segments_of((0, 2), (2, 4), (4, 5), (5, 7), (7, 9))),
        ({"apart": 3}, segments_of((0, 2), (2, 5), (5, 7), (7, 9))),
        ({"apart": 5, "sparing": 1}, segments_of((0, 2), (2, 5), (5, 7), (7, 9), one_by_one=1)),
        ({"apart": 5, "sparing": 3}, segments_of((0, 2), (2, 5), (5, 7), (7, 9), one_by_one=3)),
        ({"apart": 2, "sparing": 2}, segments_of((0, 2), (2, 4), (4, 5), (5, 7), (7, 9), one_by_one=3)),
        ({"apart": 2, "end": "stage2.block1"}, segments_of((0, 2), (2, 4))),
        ({"apart": 5, "end": "stage2"}, segments_of((0, 2), (2, 5))),
        ({"apart": 5, "end": "stem"}, segments_of((0, 1))),
        ({"nodes": ("stage4",)}, ()),
        ({"nodes": ("stage3", "stage2"), "apart": 2}, segments_of((5, 7), (7, 9))),
        ({"nodes": ("stem",), "apart": 2}, segments_of((1, 2), (2, 4), (4, 5), (5, 7), (7, 9))),
    ],
)
def test_plans_by_hand(arguments: dict[str, Any], segments: tuple[Segment, ...]) -> None:
    nodes = arguments.pop("nodes", (INPUT,))
    plan = plan_of(MODEL, nodes, **arguments)
    assert plan.segments == segments
    assert plan.starts == {segment.start for segment in segments}
    end = arguments.get("end", "stage4.block1")
    last = {"stage2": "stage2.block2"}.get(end, end)
    assert [layer.node for layer in plan.layers] == NAMES[: NAMES.index(last) + 1]


def test_wanted_nodes_are_named_by_their_layers() -> None:
    nodes = ("stage2", "stem", INPUT, "stage2.block2", "stage4")
    plan = plan_of(MODEL, nodes)
    assert plan.wanted == {4: ("stage2", "stage2.block2"), 0: ("stem",), -1: (INPUT,), 8: ("stage4",)}
    assert [layer.ends_stage for layer in plan.layers] == [index in (1, 4, 6, 8) for index in range(9)]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        # All outputs are kept: 89,344 with the last one. Most is held while the way back makes the gradient
        # by the input of a downsampling, 2,048 behind 88,064 or 6,144 behind 83,968.
        ({}, 90_112),
        # Every second one is kept, 61,440 before stage 3, and the gradient by its input takes 6,144.
        ({"apart": 2}, 67_584),
        # Of stage 2 only the input is kept, 49,152 with those before; its two others are made again, 12,288.
        ({"apart": 5}, 67_584),
        # One by one, at most one is made again beside a gradient; the gradient by the input takes 32,768.
        ({"apart": 5, "sparing": 4}, 65_536),
        ({"apart": 5, "sparing": 1}, 67_584),
        # The last output is returned, and stays on the way back.
        ({"nodes": (INPUT, "stage4"), "keeps": True}, 90_752),
        ({"nodes": (INPUT, "stage4")}, 90_112),
        # Nothing is kept: the input and the output of the stem.
        ({"nodes": ("stage4",)}, 49_152),
        ({"nodes": ("stage4",), "keeps": True}, 49_152),
        # The input, the output of the stem, and the gradient by the input.
        ({"end": "stem"}, 81_920),
    ],
)
def test_memory_by_hand(arguments: dict[str, Any], expected: int) -> None:
    nodes, keeps = arguments.pop("nodes", (INPUT,)), arguments.pop("keeps", False)
    plan = plan_of(MODEL, nodes, **arguments)
    strips = 8 * 12 * 1024**2
    assert planned_bytes(MODEL, SIZE, plan, keeps_outputs=keeps) == expected + strips


def test_memory_in_one_piece_is_that_of_all_operations() -> None:
    parts = [node for node in MODEL.nodes_at(SIZE) if node.name in NAMES]
    assert len(parts) == 9
    assert whole_bytes(MODEL, SIZE) == sum(node.activation_bytes for node in parts)


@pytest.mark.parametrize(
    ("arguments", "steps"),
    # With strips of 20,000 bytes there are 4 of stem and block of stage 1, 2 of each layer of stage 2, and 1 of
    # the others: 18 there and 18 back, and what is made again.
    [
        ({}, 36),
        ({"apart": 2}, 36 + 4 + 2 + 1 + 1),
        ({"apart": 5}, 36 + 4 + (2 + 2) + 1 + 1),
        ({"apart": 5, "sparing": 4}, 36 + 4 + (2 + 2 + 2) + 1 + 1),
        ({"apart": 5, "sparing": 1}, 36 + 4 + (2 + 2) + 1 + 1),
        ({"nodes": ("stage4",)}, 18),
        ({"nodes": ("stage1",)}, 18 + 10),
        ({"end": "stage1"}, 16),
    ],
)
def test_strips_by_hand(arguments: dict[str, Any], steps: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiled_layers, "STRIP_BYTES", 20_000)
    nodes = arguments.pop("nodes", (INPUT,))
    assert steps_of(MODEL, SIZE, plan=plan_of(MODEL, nodes, **arguments)) == steps
    assert steps_of(MODEL, SIZE, "stem") == 4
    assert steps_of(MODEL, SIZE, "stage2.block1") == 12
    assert steps_of(MODEL, SIZE, "stage4.block1") == 18
    monkeypatch.setattr(tiled_layers, "STRIP_BYTES", 1)  # A row at least.
    assert steps_of(MODEL, SIZE, "stem") == 16


def test_the_plan_that_computes_least_again_is_taken_if_it_fits() -> None:
    strips = 8 * 12 * 1024**2
    nodes = (INPUT,)
    for limit, expected in (
        (90_112, plan_of(MODEL, nodes, 1)),
        (90_111, plan_of(MODEL, nodes, 2)),
        (67_583, plan_of(MODEL, nodes, 3, sparing=2)),
    ):
        found = plan_within(MODEL, SIZE, nodes, limit + strips, keeps_outputs=False)
        assert found is not None
        assert found.segments == expected.segments
    assert plan_within(MODEL, SIZE, nodes, 65_535 + strips, keeps_outputs=False) is None
    assert least_bytes(MODEL, SIZE, nodes) == 65_536 + strips
    found = plan_within(MODEL, SIZE, nodes, 1 << 40, end="stage1")
    assert found is not None
    assert len(found.layers) == 2
