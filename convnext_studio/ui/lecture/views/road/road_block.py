"""Draw a network on the road: stem, stages and the block of stage 1, with the changes of a step marked."""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from PySide6.QtCore import QLineF, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPen, QPolygonF

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
from convnext_studio.ui.plots.ink import Ink

_ACTS = {"relu": "ReLU", "gelu": "GELU"}
_NORMS = {"batch": "BN", "layer": "LN"}
_NARROWEST = 0.62  # Smallest width relative to the widest, so that the text fits.
_BOLD = 1.12  # Largest width of bold text relative to plain text.
_BOX_HEIGHT, _NOTE_HEIGHT = 1.6, 1.1  # Heights in lines of text.
_ROOMY = 1.25  # How much higher than its text a line is, if there is room.


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
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


def network_rows(config: RoadConfig) -> tuple[Row, ...]:
    """Return the rows about the network apart from its blocks: stem, stages, downsampling and head."""
    between = ", ".join(_said(config, layer) for layer in downsampling_layers(config, 1))
    halving = between or "first block of a stage"
    norm = f"{_NORMS[config.norm]}, " if config.separate_downsampling else ""
    return (
        Row(text=f"Stem: {', '.join(_said(config, layer) for layer in stem_layers(config))}"),
        Row(text=f"Blocks: {', '.join(map(str, config.depths))}"),
        Row(text=f"Channels: {', '.join(map(str, config.dims))}"),
        Row(text=f"Halves maps: {halving}"),
        Row(text=f"Head: average, {norm}linear"),
    )


def block_rows(config: RoadConfig) -> tuple[Row, ...]:
    """Return the rows of the second block of stage 1, from its input to its output."""
    layers = block_layers(config, 0, 1)
    rows: list[Row] = []
    notes: list[str] = []
    for layer in layers.branch:
        if not isinstance(layer, Conv):
            notes.append(_said(config, layer))
            continue
        if rows:
            rows.append(_noted(notes))
            notes = []
        rows.append(Row(text=_convolution(layer), channels=(layer.before, layer.after)))
    if layers.scaled:
        notes.append("layer scale")
    rows.append(_noted(notes))
    after = f", then {_ACTS[config.act]}" if layers.acts_on_sum else ""
    return (*rows, Row(text=f"+ shortcut{after}"))


def changed_rows(before: Sequence[Row], after: Sequence[Row]) -> tuple[frozenset[int], frozenset[int]]:
    """Return the indices of the rows that are removed and of those that are added."""
    gone: set[int] = set()
    come: set[int] = set()
    for kind, a, b, c, d in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if kind != "equal":
            gone.update(range(a, b))
            come.update(range(c, d))
    return frozenset(gone), frozenset(come)


def _noted(notes: Sequence[str]) -> Row:
    return Row(text=", ".join(notes) or "no norm, no activation")


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
    ink: Ink, place: QRectF, row: Row, *, px: float, is_marked: bool, is_new: bool, align_centre: bool = False
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
    ink: Ink, place: QRectF, row: Row, widest: int, *, px: float, is_marked: bool, is_new: bool
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
