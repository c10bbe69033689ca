"""Draw what a step on the road changes: blocks of a stage, patches of the stem, widths, kernels, or layers."""

from collections.abc import Callable

import numpy as np
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPen

from convnext_studio.model.road.layers import Conv, MaxPool, downsampling_layers, stem_layers
from convnext_studio.model.road.road_config import RoadConfig
from convnext_studio.model.road.steps import PRINTED_AT_PX, ROAD, RoadStep
from convnext_studio.render import Rgb
from convnext_studio.ui.lecture.views.road.road_block import changed_rows, network_rows, paint_network
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
