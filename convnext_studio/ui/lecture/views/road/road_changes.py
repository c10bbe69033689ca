"""Draw what a step on the road changes: blocks layer by layer, stages, stems, widths, or kernels."""

from collections.abc import Callable, Sequence
from difflib import SequenceMatcher

import numpy as np
from msgspec import Struct
from PySide6.QtCore import QLineF, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPen, QPolygonF

from convnext_studio.model.road.layers import (
    Act,
    Conv,
    Layer,
    MaxPool,
    Norm,
    block_layers,
    downsampling_layers,
    stem_layers,
)
from convnext_studio.model.road.road_config import RoadConfig
from convnext_studio.model.road.steps import PRINTED_AT_PX, ROAD, RoadStep
from convnext_studio.render import Rgb
from convnext_studio.ui.lecture.views.road.road_chart import paint_gains
from convnext_studio.ui.plots.ink import Ink, shared_columns
from convnext_studio.ui.widgets.qimage import to_qimage

HOW_TO_READ = (
    "This is the second block of stage 1. Wider boxes have more channels: input at the top, output at "
    "the bottom. In the next steps, dashed frames mark what is removed, and solid ones what is new."
)
CUT_PX = 28
"""Side of the part of the picture on which stems are shown, in pixels of a picture of 224 x 224."""
_TRIED = 12  # Places in each direction at which the contrast is measured.
_KERNEL_STEPS = ("depthwise_up", "kernel5", "kernel7", "kernel9", "kernel11")


def paint_change(ink: Ink, room: QRectF, step: RoadStep, picture: QImage | None) -> None:
    """Draw what a step changes, compared with the network that it builds on.

    Parameters
    ----------
    picture
        A part of the open picture, on which the patches of a stem are drawn; see `lively_part`.
    """
    if not step.builds_on:
        left, right = shared_columns(room, 2, ink.px)
        paint_network(ink, left, step.title, step.config, None, is_new=True, is_whole=True)
        right.setTop(right.top() + 1.4 * ink.line())
        ink.paragraph(right, HOW_TO_READ, colour=ink.look.muted)
        return
    before = ROAD[step.builds_on]
    match sorted(step.changed):
        case ["layer_scale_init_value"]:
            paint_gains(ink, room, step)
        case ["kernel_size"]:
            _paint_kernels(ink, room, step)
        case ["depths"]:
            _paint_pair(ink, room, before, step, _paint_stages)
        case ["stem"]:
            _paint_stems(ink, room, before, step, picture)
        case ["widths"]:
            _paint_pair(ink, room, before, step, _paint_widths)
        case ["separate_downsampling"]:
            _paint_pair(ink, room, before, step, _paint_halving)
        case _:
            left, right = shared_columns(room, 2, 1.2 * ink.px)
            paint_network(ink, left, _before(before), before.config, step.config, is_new=False)
            paint_network(ink, right, _now(step), step.config, before.config, is_new=True)


def lively_part(pixels: Rgb) -> QImage:
    """Return the part of a picture with the largest contrast, `CUT_PX` pixels of a picture of 224 wide."""
    height, width = pixels.shape[:2]
    side = max(round(min(height, width) * CUT_PX / PRINTED_AT_PX), 1)
    places = [
        (row * (height - side) // _TRIED, column * (width - side) // _TRIED)
        for row in range(_TRIED + 1)
        for column in range(_TRIED + 1)
    ]
    top, left = max(places, key=lambda at: pixels[at[0] : at[0] + side, at[1] : at[1] + side].std())
    return to_qimage(np.ascontiguousarray(pixels[top : top + side, left : left + side])).copy()


def _before(step: RoadStep) -> str:
    return f"Before: step {step.number}"


def _now(step: RoadStep) -> str:
    return f"Now: step {step.number}"


_Drawing = Callable[[Ink, QRectF, RoadConfig, RoadConfig, bool], None]
"""Paints a config, which differs from the second one, as the new or as the old one."""


def _paint_pair(ink: Ink, room: QRectF, before: RoadStep, now: RoadStep, draw: _Drawing) -> None:
    """Paint the network before and the one now below each other, each under its title."""
    half = (room.height() - ink.px) / 2
    upper = QRectF(room.left(), room.top(), room.width(), half)
    for place, title, own, other, is_new in (
        (upper, _before(before), before.config, now.config, False),
        (upper.translated(0, half + ink.px), _now(now), now.config, before.config, True),
    ):
        ink.text(QRectF(place.left(), place.top(), place.width(), ink.line()), title, bold=True)
        draw(ink, place.adjusted(0, 1.3 * ink.line(), 0, 0), own, other, is_new)


# ------------------------------------------------------------------------------------------------ the drawings


def _paint_stages(ink: Ink, room: QRectF, own: RoadConfig, other: RoadConfig, is_new: bool) -> None:
    """Paint the blocks of each stage as boxes; those that the other network lacks have a frame."""
    small, most = ink.line(ink.small), max(*own.depths, *other.depths)
    place = room.adjusted(0, 0, 0, -2.1 * small)
    for index, column in enumerate(shared_columns(place, len(own.depths), ink.px)):
        depth, kept = own.depths[index], other.depths[index]
        pitch = min(place.height() / 3, column.width() / -(-most // 3))
        for block in range(depth):
            box = QRectF(column.left(), place.bottom() - pitch, 0.86 * pitch, 0.86 * pitch)
            box.translate((block // 3) * pitch, -(block % 3) * pitch)
            ink.painter.fillRect(box, QColor(ink.look.border))
            if block >= kept:
                _frame(ink, box, is_new=is_new)
        side = PRINTED_AT_PX // 4 >> index
        is_marked = depth != kept
        below = QRectF(column.left(), place.bottom() + 0.1 * small, column.width(), small)
        colour = (ink.look.accent if is_new else ink.look.warning) if is_marked else ink.look.text
        ink.text(below, f"stage {index + 1}: {depth} blocks", px=ink.small, bold=is_marked, colour=colour)
        words = f"{side} × {side} positions"
        ink.text(below.translated(0, small), words, px=ink.small, colour=ink.look.muted)


def _paint_widths(ink: Ink, room: QRectF, own: RoadConfig, other: RoadConfig, is_new: bool) -> None:
    """Paint the channels of each stage inside its blocks and between them as bars on one scale."""
    most = max(*own.dims, *other.dims)
    row = room.height() / (len(own.dims) + 1)
    names = ink.width("stage 0  ", ink.small)
    numbers = ink.width(f"  {most} / {most}", ink.small)
    inner = ink.look.accent if is_new else ink.look.outline
    legend = ((inner, "channels of the 3 × 3 convolution"), (ink.look.border, "channels between the blocks"))
    ink.legend(QRectF(room.left() + names, room.bottom() - row, room.width() - names, row), legend)
    for index, (wide, narrow) in enumerate(zip(own.dims, own.widths, strict=True)):
        y, per_channel = room.top() + index * row, (room.width() - names - numbers) / most
        ink.text(QRectF(room.left(), y, names, row), f"stage {index + 1}", px=ink.small)
        whole = QRectF(room.left() + names, y + 0.08 * row, wide * per_channel, 0.84 * row)
        ink.painter.fillRect(whole, QColor(ink.look.border))
        inside = QRectF(whole.left(), whole.top(), narrow * per_channel, whole.height())
        ink.painter.fillRect(inside, QColor(inner))
        ink.text(QRectF(whole.right(), y, numbers, row), f"  {narrow} / {wide}", px=ink.small)


def _paint_kernels(ink: Ink, room: QRectF, step: RoadStep) -> None:
    """Paint all kernels that were tried to scale, with their accuracies and costs."""
    steps = [ROAD[key] for key in _KERNEL_STEPS]
    sides = [each.config.kernel_size for each in steps]
    line, small, gap = ink.line(), ink.line(ink.small), 0.6 * ink.px
    texts = [f"{each.accuracy:.2f} %" for each in steps]
    least = max(ink.width(text, ink.small, bold=True) for text in (*texts, "4.00 GMACs"))
    spare = room.width() - gap * (len(steps) - 1)
    cell = min((room.height() - 1.4 * line - 2 * small) / max(sides), spare / sum(sides))
    while cell > 1 and sum(max(side * cell, least) for side in sides) > spare:
        cell *= 0.98
    widths = [max(side * cell, least) for side in sides]
    left = room.left() + (spare - sum(widths)) / 2
    ground = room.center().y() + (max(sides) * cell - 1.3 * line - 2 * small) / 2
    for each, side, width, text in zip(steps, sides, widths, texts, strict=True):
        is_current = each is step
        box = QRectF(left + (width - side * cell) / 2, ground - side * cell, side * cell, side * cell)
        _paint_grid(ink, box, side, ink.look.accent if is_current else "")
        if is_current:
            _frame(ink, box, is_new=True)
        colour = ink.look.accent if is_current else ink.look.text if each.is_adopted else ink.look.muted
        below = QRectF(left, ground + 0.3 * line, width, line)
        ink.text(below, f"{side} × {side}", align="centre", bold=is_current, colour=colour)
        below = QRectF(left, below.bottom(), width, small)
        ink.text(below, text, align="centre", px=ink.small, bold=True, colour=colour)
        below.translate(0, small)
        cost = f"{each.gmacs:.2f} GMACs" if is_current or each.is_adopted else f"{each.gmacs:.2f}, tried"
        ink.text(below, cost, align="centre", px=ink.small, colour=ink.look.muted)
        left += width + gap


def _paint_grid(ink: Ink, box: QRectF, cells: int, fill: str) -> None:
    """Paint a square of cells."""
    colour = QColor(fill or ink.look.border)
    if fill:
        colour.setAlpha(70)
    ink.painter.fillRect(box, colour)
    ink.painter.setPen(QPen(QColor(ink.look.outline), 1))
    for index in range(cells + 1):
        at = index * box.width() / cells
        ink.painter.drawLine(QPointF(box.left() + at, box.top()), QPointF(box.left() + at, box.bottom()))
        ink.painter.drawLine(QPointF(box.left(), box.top() + at), QPointF(box.right(), box.top() + at))


def _paint_stems(ink: Ink, room: QRectF, before: RoadStep, now: RoadStep, picture: QImage | None) -> None:
    """Paint the windows of both stems on a small part of the picture, enlarged."""
    for column, title, step in zip(
        shared_columns(room, 2, 1.2 * ink.px), (_before(before), _now(now)), (before, now), strict=True
    ):
        line, small = ink.line(), ink.line(ink.small)
        ink.text(QRectF(column.left(), column.top(), column.width(), line), title, bold=True)
        words = _stem_words(step.config)
        height = column.height() - 1.4 * line - (len(words) + 0.3) * small
        side = max(min(column.width(), height), 1.0)
        box = QRectF(column.left(), column.top() + 1.4 * line, side, side)
        _paint_cut(ink, box, picture)
        conv = stem_layers(step.config)[0]
        assert isinstance(conv, Conv)
        _paint_windows(ink, box, conv, is_new=step is now)
        for index, text in enumerate(words):
            place = QRectF(column.left(), box.bottom() + (index + 0.3) * small, column.width(), small)
            ink.text(place, text, px=ink.small)


def _stem_words(config: RoadConfig) -> list[str]:
    """Say how the windows of a stem lie, and how large the map is after each of its layers."""
    layers = [layer for layer in stem_layers(config) if isinstance(layer, Conv | MaxPool)]
    sides = [PRINTED_AT_PX]
    for layer in layers:
        sides.append(layer.output_side(sides[-1]))
    conv = layers[0]
    shared = conv.kernel_size - conv.stride
    windows = f"{conv.kernel_size} × {conv.kernel_size} windows"
    lying = f"{windows} that share {shared} columns" if shared > 0 else f"{windows} side by side"
    return [lying, "side of the map: " + " → ".join(map(str, sides))]


def _paint_cut(ink: Ink, box: QRectF, picture: QImage | None) -> None:
    """Paint a part of the picture, so much enlarged that single pixels can be seen."""
    ink.painter.fillRect(box, QColor(ink.look.raised))
    if picture is not None:
        ink.painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, on=False)
        ink.painter.drawImage(box, picture, QRectF(picture.rect()))
    ink.painter.setPen(QPen(QColor(0, 0, 0, 50), 1))
    for index in range(CUT_PX + 1):
        at = index * box.width() / CUT_PX
        ink.painter.drawLine(QPointF(box.left() + at, box.top()), QPointF(box.left() + at, box.bottom()))
        ink.painter.drawLine(QPointF(box.left(), box.top() + at), QPointF(box.right(), box.top() + at))


def _paint_windows(ink: Ink, box: QRectF, conv: Conv, *, is_new: bool) -> None:
    """Paint all windows that do not overlap, or three that do."""
    pixel, kernel, stride = box.width() / CUT_PX, conv.kernel_size, conv.stride
    if stride >= kernel:
        starts = [(x, y) for y in range(0, CUT_PX, stride) for x in range(0, CUT_PX, stride)]
    else:
        starts = [(8 + index * stride, 10) for index in range(3)]
    for x, y in starts:
        window = QRectF(box.left() + x * pixel, box.top() + y * pixel, kernel * pixel, kernel * pixel)
        ink.painter.setBrush(Qt.BrushStyle.NoBrush)
        for colour, width in (("#000000", 4.5), ("#ffffff", 2.0)):
            ink.painter.setPen(QPen(QColor(colour), width, j=Qt.PenJoinStyle.MiterJoin))
            ink.painter.drawRect(window)
    _frame(ink, box, is_new=is_new)


def _paint_halving(ink: Ink, room: QRectF, own: RoadConfig, other: RoadConfig, is_new: bool) -> None:
    """Paint the way from stage 1 to stage 2, and the rows about the stem and the head that change."""
    small, line = ink.line(ink.small), ink.line()
    rows = network_rows(own)
    changed = [rows[index].text for index in sorted(changed_rows(network_rows(other), rows)[1])]
    notes = [text for text in changed if not text.startswith("Halves")]
    layers = "LN|2 × 2, stride 2" if downsampling_layers(own, 1) else "first block of stage 2, stride 2"
    first, second = PRINTED_AT_PX // 4, PRINTED_AT_PX // 8
    tall = min(room.height() - 2.2 * small, 0.2 * room.width())
    squares = (tall, tall / 2)
    boxes = layers.split("|")
    lengths = [ink.width(text, bold=True) + 1.4 * ink.px for text in boxes]
    aside = max(ink.width(f"{first} × {first}", ink.small) - tall / 2, 0) / 2
    gap = (room.width() - 2 * aside - sum(squares) - sum(lengths)) / (len(boxes) + 1)
    x, middle = room.left() + aside, room.top() + tall / 2
    places = []
    for width, height in ((tall, tall), *((length, 1.8 * line) for length in lengths), (tall / 2, tall / 2)):
        places.append(QRectF(x, middle - height / 2, width, height))
        x += width + gap
    for place in places:
        ink.painter.fillRect(place, QColor(ink.look.raised))
        ink.painter.setPen(QPen(QColor(ink.look.outline), 1))
        ink.painter.setBrush(Qt.BrushStyle.NoBrush)
        ink.painter.drawRect(place)
    for place, text in zip(places[1:-1], boxes, strict=True):
        _frame(ink, place, is_new=is_new)
        ink.text(place, text, align="centre", bold=is_new)
    for place, stage, side in ((places[0], "stage 1", first), (places[-1], "stage 2", second)):
        wide = max(place.width(), ink.width(f"{first} × {first}", ink.small) + 2)
        below = QRectF(place.center().x() - wide / 2, place.bottom() + 0.1 * small, wide, small)
        ink.text(below, stage, align="centre", px=ink.small)
        ink.text(below.translated(0, small), f"{side} × {side}", align="centre", px=ink.small)
    reach = min(gap, 3 * ink.px)
    for before, after in zip(places, places[1:], strict=False):
        centre = QPointF((before.right() + after.left()) / 2, middle)
        ink.arrow(centre - QPointF(reach / 2 - 4, 0), centre + QPointF(reach / 2 - 4, 0))
    place = QRectF(room.left() + 8 * ink.px, room.top() - 1.3 * line, room.width() - 8 * ink.px, line)
    colour = ink.look.accent if is_new else ink.look.text
    ink.text(place, " · ".join(notes), align="right", px=ink.small, bold=is_new, colour=colour)


def _frame(ink: Ink, box: QRectF, *, is_new: bool) -> None:
    """Paint the frame of what is new, or the dashed one of what is removed."""
    style = Qt.PenStyle.SolidLine if is_new else Qt.PenStyle.DashLine
    pen = QPen(QColor(ink.look.accent if is_new else ink.look.warning), 3 if is_new else 2, style)
    pen.setJoinStyle(Qt.PenJoinStyle.MiterJoin)
    ink.painter.setPen(pen)
    ink.painter.setBrush(Qt.BrushStyle.NoBrush)
    ink.painter.drawRect(box)


_ACTS = {"relu": "ReLU", "gelu": "GELU"}
_NORMS = {"batch": "BN", "layer": "LN"}
_NARROWEST = 0.62  # Smallest width relative to the widest, so that the text fits.
_BOLD = 1.12  # Largest width of bold text relative to plain text.
_BOX_HEIGHT, _NOTE_HEIGHT = 1.6, 1.1  # Heights in lines of text.
_ROOMY = 1.25  # How much higher than its text a line is, if there is room.


class BlockRow(Struct, frozen=True, kw_only=True):
    """A row of the drawing.

    Attributes
    ----------
    text
        Text of the row.
    channels
        Input and output channels of a convolution, which set the width of its box; None for a row of text only.
    """

    text: str
    channels: tuple[int, int] | None = None


def network_rows(config: RoadConfig) -> tuple[BlockRow, ...]:
    """Return the rows about the network apart from its blocks: stem, stages, downsampling and head."""
    between = ", ".join(_said(config, layer) for layer in downsampling_layers(config, 1))
    halving = between or "first block of a stage"
    norm = f"{_NORMS[config.norm]}, " if config.separate_downsampling else ""
    return (
        BlockRow(text=f"Stem: {', '.join(_said(config, layer) for layer in stem_layers(config))}"),
        BlockRow(text=f"Blocks: {', '.join(map(str, config.depths))}"),
        BlockRow(text=f"Channels: {', '.join(map(str, config.dims))}"),
        BlockRow(text=f"Halves maps: {halving}"),
        BlockRow(text=f"Head: average, {norm}linear"),
    )


def block_rows(config: RoadConfig) -> tuple[BlockRow, ...]:
    """Return the rows of the second block of stage 1, from its input to its output."""
    layers = block_layers(config, 0, 1)
    rows: list[BlockRow] = []
    notes: list[str] = []
    for layer in layers.branch:
        if not isinstance(layer, Conv):
            notes.append(_said(config, layer))
            continue
        if rows:
            rows.append(_noted(notes))
            notes = []
        rows.append(BlockRow(text=_convolution(layer), channels=(layer.before, layer.after)))
    if layers.scaled:
        notes.append("layer scale")
    rows.append(_noted(notes))
    after = f", then {_ACTS[config.act]}" if layers.acts_on_sum else ""
    return (*rows, BlockRow(text=f"+ shortcut{after}"))


def changed_rows(
    before: Sequence[BlockRow], after: Sequence[BlockRow]
) -> tuple[frozenset[int], frozenset[int]]:
    """Return the indices of the rows that are removed and of those that are added."""
    gone: set[int] = set()
    come: set[int] = set()
    for kind, a, b, c, d in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if kind != "equal":
            gone.update(range(a, b))
            come.update(range(c, d))
    return frozenset(gone), frozenset(come)


def _noted(notes: Sequence[str]) -> BlockRow:
    return BlockRow(text=", ".join(notes) or "no norm, no activation")


def _convolution(conv: Conv) -> str:
    kind = f"{conv.kernel_size}×{conv.kernel_size}"
    if conv.is_depthwise:
        return f"{kind} depthwise, {conv.after}"
    return f"{kind}, {conv.before} → {conv.after}"


def _said(config: RoadConfig, layer: Layer) -> str:
    match layer:
        case Act():
            return _ACTS[config.act]
        case Norm():
            return _NORMS[config.norm]
        case MaxPool():
            return "pool"
        case Conv():
            stride = f" stride {layer.stride}" if layer.stride > 1 else ""
            return f"{layer.kernel_size}×{layer.kernel_size}{stride}"


# ------------------------------------------------------------------------------------------------ drawing


def paint_network(
    ink: Ink,
    room: QRectF,
    title: str,
    config: RoadConfig,
    other: RoadConfig | None,
    *,
    is_new: bool,
    is_whole: bool = False,
) -> None:
    """Draw the block of a network under a title; new rows get a solid frame, and removed ones a dashed frame.

    Of the rows about the network around its blocks, those that differ from `other` are drawn, or all if
    `is_whole`.
    """
    around, block = network_rows(config), block_rows(config)
    others = (around, block) if other is None else (network_rows(other), block_rows(other))
    changed, marked = (
        changed_rows(theirs, own)[1] for own, theirs in zip((around, block), others, strict=True)
    )
    listed = [index for index in range(len(around)) if is_whole or index in changed]
    head = ink.line()
    ink.text(QRectF(room.left(), room.top(), room.width(), head), title, bold=True)
    tall = [_NOTE_HEIGHT if row.channels is None else _BOX_HEIGHT for row in block]
    lines = sum(tall) + (_NOTE_HEIGHT * len(listed) + 0.5 if listed else 0.3)
    px = min(ink.px, max(ink.px * (room.height() - 1.4 * head) / (lines * head), ink.least))
    line = min(ink.line(px) * _ROOMY, (room.height() - 1.4 * head) / lines)
    y = room.top() + 1.4 * head
    for index in listed:
        place = QRectF(room.left(), y, room.width(), line * _NOTE_HEIGHT)
        _paint_note(ink, place, around[index], px=px, is_marked=index in changed, is_new=is_new)
        y += line * _NOTE_HEIGHT
    y += line * (0.5 if listed else 0.3)
    widest = max(max(row.channels) for row in block if row.channels is not None)
    drawn = QRectF(room.left(), y, room.width() - px * 1.6, sum(tall) * line)
    _paint_shortcut(ink, drawn, tall[-1] * line, block[-1].text, px)
    for index, (row, lines_high) in enumerate(zip(block, tall, strict=True)):
        place = QRectF(drawn.left(), y, drawn.width(), lines_high * line)
        is_marked = index in marked
        if row.channels is None:
            _paint_note(ink, place, row, px=px, is_marked=is_marked, is_new=is_new, align_centre=True)
        else:
            _paint_box(ink, place, row, widest, px=px, is_marked=is_marked, is_new=is_new)
        y += place.height()


def _paint_note(
    ink: Ink,
    place: QRectF,
    row: BlockRow,
    *,
    px: float,
    is_marked: bool,
    is_new: bool,
    align_centre: bool = False,
) -> None:
    px, is_bold = px * 0.92, is_marked and is_new
    wide = ink.width(row.text, px) * (_BOLD if is_bold else 1.0) + px * 1.6
    if wide > place.width():
        px, wide = px * max(place.width() / wide, 0.75), place.width()
    if is_marked:
        left = place.center().x() - wide / 2 if align_centre else place.left()
        _paint_frame(ink, QPolygonF(QRectF(left, place.top() + 1, wide, place.height() - 2)), is_new=is_new)
    inner = place if align_centre else place.adjusted(px * 0.8, 0, 0, 0)
    ink.text(inner, row.text, align="centre" if align_centre else "left", px=px, bold=is_bold)


def _paint_box(
    ink: Ink, place: QRectF, row: BlockRow, widest: int, *, px: float, is_marked: bool, is_new: bool
) -> None:
    """Paint a convolution, as wide as its input channels at the top and its output channels at the bottom."""
    assert row.channels is not None
    top, bottom = (
        place.width() * (_NARROWEST + (1 - _NARROWEST) * channels / widest) / 2 for channels in row.channels
    )
    middle = place.center().x()
    shape = QPolygonF(
        [
            QPointF(middle - top, place.top()),
            QPointF(middle + top, place.top()),
            QPointF(middle + bottom, place.bottom()),
            QPointF(middle - bottom, place.bottom()),
        ]
    )
    ink.painter.setPen(QPen(QColor(ink.look.outline), 1))
    ink.painter.setBrush(QColor(ink.look.raised))
    ink.painter.drawPolygon(shape)
    if is_marked:
        _paint_frame(ink, shape, is_new=is_new)
    is_bold = is_marked and is_new
    room = top + bottom - px * 0.8  # The width at half the height, inside the frame.
    px *= min(1.0, room / (ink.width(row.text, px) * (_BOLD if is_bold else 1.0)))
    ink.text(place, row.text, align="centre", px=px, bold=is_bold)


def _paint_frame(ink: Ink, shape: QPolygonF, *, is_new: bool) -> None:
    style = Qt.PenStyle.SolidLine if is_new else Qt.PenStyle.DashLine
    colour = ink.look.accent if is_new else ink.look.warning
    ink.painter.setPen(QPen(QColor(colour), 3 if is_new else 2, style))
    ink.painter.setBrush(Qt.BrushStyle.NoBrush)
    ink.painter.drawPolygon(shape)


def _paint_shortcut(ink: Ink, drawn: QRectF, last: float, said: str, px: float) -> None:
    """Paint the shortcut from the input around the branch to the sum, leaving room for the text of the sum."""
    right = drawn.right() + px * 1.1
    y = drawn.bottom() - last / 2
    ink.painter.setPen(QPen(QColor(ink.look.muted), 2))
    ink.painter.drawPolyline(
        QPolygonF(
            [
                QPointF(drawn.center().x(), drawn.top() - px * 0.3),
                QPointF(right, drawn.top() - px * 0.3),
                QPointF(right, y),
            ]
        )
    )
    tip = px * 0.3
    beside = ink.width(said, px) * _BOLD / 2 + px
    end = QPointF(min(drawn.center().x() + max(drawn.width() * 0.36, beside), right - 2 * tip), y)
    ink.painter.drawLine(QLineF(QPointF(right, y), end))
    ink.painter.drawPolyline(QPolygonF([end + QPointF(tip, -tip), end, end + QPointF(tip, tip)]))
