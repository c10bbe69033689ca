"""Where things are drawn in the strip: apart, within their room, to scale, and readable at 1366 pixels."""

import pytest
from PySide6.QtGui import QFontMetricsF
from PySide6.QtWidgets import QApplication

from convnext_studio.model.config import ConvNeXtConfig
from convnext_studio.model.presets import PRESETS
from convnext_studio.ui.panels.strip.strip_canvas import BOXES_PX
from convnext_studio.ui.panels.strip.strip_layout import (
    is_openable,
    lay_out,
    lay_out_row,
    neighbour,
    nodes_of,
    part_at,
)
from convnext_studio.ui.state.node_texts import lasted, part_texts, stage_texts
from tests.ui.desk import model

# One of each kind of architecture: 27 blocks in a stage, V2, one stage of 36 blocks, the lecture's, and
# downsampling within the blocks.
KINDS = {
    **{
        name: PRESETS[name].config
        for name in ("convnext_small", "convnextv2_huge", "convnext_isotropic_large", "tutorial")
    },
    "downsampling in blocks": ConvNeXtConfig(downsample="block"),
}


@pytest.mark.parametrize("width", [700, 1366, 3840])
@pytest.mark.parametrize("kind", KINDS)
def test_everything_has_its_own_place(width: int, kind: str) -> None:
    nodes = model(KINDS[kind], 224).nodes
    layout = lay_out(nodes, KINDS[kind].depths, width, BOXES_PX, text_width=170, text_height=30)
    order = [layout.stem.rect, *(stage.rect for stage in layout.stages), layout.head_rect]
    for left, right in zip(order, order[1:], strict=False):
        assert left.right() < right.left()
    assert order[-1].right() <= width
    for stage in layout.stages:
        assert stage.rect.contains(stage.text)
        assert stage.rect.contains(stage.thumbnail)
        assert not stage.text.intersects(stage.thumbnail)
        last = stage.thumbnail.right()
        for block in stage.blocks:
            assert stage.rect.contains(block.rect)
            assert block.rect.left() > last
            last = block.rect.right()
    drawn = {part.node.name for part in layout.parts}
    assert drawn == {node.name for node in nodes if node.kind != "operation"}
    for part in layout.parts:
        if part.node.kind != "stage":
            assert part_at(layout.parts, part.rect.center().x(), part.rect.center().y()) is part


@pytest.mark.parametrize("width", [700, 1366, 3840])
@pytest.mark.parametrize("kind", KINDS)
def test_inside_everything_has_its_own_place(width: int, kind: str) -> None:
    nodes = model(KINDS[kind], 224).nodes
    for opened in nodes:
        if not is_openable(nodes, opened.name):
            continue
        inside = [node for node in nodes_of(nodes, opened.name) if node is not opened]
        layout = lay_out_row(inside, opened, width, BOXES_PX)
        rects = [layout.opened.rect, *(part.rect for part in layout.row)]
        rects += [layout.total.rect] if layout.total is not None else []
        assert (layout.total is not None) == (opened.kind == "block")
        for left, right in zip(rects, rects[1:], strict=False):
            assert left.right() < right.left()
        assert rects[-1].right() <= width
        assert min(rect.width() for rect in rects) >= (10 if width == 700 else 26)
        assert all(0 <= rect.top() < rect.bottom() <= BOXES_PX for rect in rects)


def test_it_is_drawn_to_scale() -> None:
    layout = lay_out(model(ConvNeXtConfig(), 224).nodes, (3, 3, 9, 3), 1366, BOXES_PX, 170, 30)
    bars = [stage.blocks[0].rect for stage in layout.stages]
    widths, heights = [bar.width() for bar in bars], [bar.height() for bar in bars]
    assert widths == sorted(widths)
    assert heights == sorted(heights, reverse=True)
    assert widths[0] < widths[-1]
    assert heights[0] > heights[-1]
    assert [len(stage.blocks) for stage in layout.stages] == [3, 3, 9, 3]


@pytest.mark.parametrize("kind", KINDS)
def test_texts_fit_at_1366(qapp: QApplication, kind: str) -> None:
    shown = model(KINDS[kind], 224)
    metrics = QFontMetricsF(qapp.font())
    texts = [text for stage in shown.config.stages for text in stage_texts(shown, stage)]
    widest = max(metrics.horizontalAdvance(text) for text in texts)
    layout = lay_out(shown.nodes, KINDS[kind].depths, 1366, BOXES_PX, widest, 2 * metrics.height())
    assert all(stage.text.width() >= widest for stage in layout.stages)
    block = next(node for node in shown.nodes if node.kind == "block")
    inside = [node for node in nodes_of(shown.nodes, block.name) if node is not block]
    for part in lay_out_row(inside, block, 1366, BOXES_PX).row:
        for text in part_texts(shown, part.node):
            assert metrics.horizontalAdvance(text) <= part.rect.width(), text


def test_durations_are_for_people() -> None:
    assert [lasted(seconds) for seconds in (2.5, 0.0123, 4.56e-5)] == ["2.50 s", "12.3 ms", "45.6 µs"]
    assert [lasted(seconds) for seconds in (0.9996, 0.9994, 9.996e-4)] == ["1.00 s", "999 ms", "1.00 ms"]


def test_every_level_can_be_walked_from_one_end_to_the_other() -> None:
    nodes = model(ConvNeXtConfig(depths=(1, 2, 1, 1)), 224).nodes
    for start, kinds in [
        (("", "stem"), {"stem", "stage", "head"}),
        (("stage1", "stage1.block1"), {"downsample", "block"}),
        (("stage1.block1", "stage1.block1.dwconv"), {"operation", "block"}),
    ]:
        walked = [start]
        while (place := neighbour(nodes, *walked[-1], 1)) is not None:
            walked.append(place)
        assert [name for _, name in walked] == [node.name for node in nodes if node.kind in kinds]
        back = [walked[-1]]
        while (place := neighbour(nodes, *back[-1], -1)) is not None:
            back.append(place)
        assert back == walked[::-1]
