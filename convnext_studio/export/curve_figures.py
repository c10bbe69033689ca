"""The figure of the curves of one or several receptive fields: drawn with Pillow, for lines need no more."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from convnext_studio.erf import THRESHOLDS
from convnext_studio.export.figures import Figure
from convnext_studio.export.sheet import GREY, INK, PAPER, drawable, font, page_of
from convnext_studio.protocol.receptive_fields import FieldView
from convnext_studio.render import Limits, format_percent, format_ticks, nice_ticks

# Okabe and Ito's, which colour-blind readers tell apart; in print the legend's order helps.
COLOURS = ((0, 114, 178), (213, 94, 0), (0, 158, 115), (204, 121, 167))
_PLOT_PX = (560, 460)
_LEFT, _TOP, _RIGHT, _BOTTOM = 84, 40, 8, 70
_DECADES = 6
"""The radial profile is drawn down to so many powers of ten below its largest value, at most."""
_FINE = 2
"""Drawn so much larger and then reduced, which smooths the lines."""

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plot:
    """Axes and lines in one coordinate system."""

    title: str
    x_title: str
    y_title: str
    x: Limits
    y: Limits
    lines: Sequence[tuple[Values, Values]]
    y_texts: Sequence[str] | None = None
    y_ticks: Sequence[float] = ()

    def drawn(self) -> Image.Image:
        width, height = _PLOT_PX
        picture = Image.new("RGB", (_FINE * (_LEFT + width + _RIGHT), _FINE * (height + _TOP + _BOTTOM)), PAPER)
        pencil = ImageDraw.Draw(picture)
        for (x, y), colour in zip(self.lines, COLOURS, strict=False):
            self._line(pencil, x, y, colour)
        self._axes(pencil)
        turned = self._turned_title()
        picture.paste(
            Image.new("RGB", turned.size, GREY), (0, _FINE * (_TOP + height // 2) - turned.height // 2), turned
        )
        return picture.resize((picture.width // _FINE, picture.height // _FINE), Image.Resampling.LANCZOS)

    def _at(self, x: float, y: float) -> tuple[float, float]:
        width, height = _PLOT_PX
        across = (x - self.x.low) / (self.x.high - self.x.low)
        up = (y - self.y.low) / (self.y.high - self.y.low)
        return _FINE * (_LEFT + across * width), _FINE * (_TOP + (1 - up) * height)

    def _line(self, pencil: ImageDraw.ImageDraw, x: Values, y: Values, colour: tuple[int, int, int]) -> None:
        points = [
            self._at(float(at), min(float(value), self.y.high))
            for at, value in zip(x, y, strict=True)
            if math.isfinite(value) and value >= self.y.low
        ]
        if len(points) > 1:
            pencil.line(points, colour, 3 * _FINE, joint="curve")

    def _axes(self, pencil: ImageDraw.ImageDraw) -> None:
        size = 17 * _FINE
        left, top = self._at(self.x.low, self.y.high)
        right, bottom = self._at(self.x.high, self.y.low)
        pencil.rectangle((left, top, right, bottom), outline=INK, width=_FINE)
        ticks = nice_ticks(self.x)
        for tick, text in zip(ticks, format_ticks(ticks), strict=True):
            x, _ = self._at(tick, self.y.low)
            pencil.line((x, bottom, x, bottom + 6 * _FINE), INK, _FINE)
            pencil.text((x, bottom + 10 * _FINE), text, INK, font(size), "mt")
        y_ticks = self.y_ticks or nice_ticks(self.y)
        for tick, text in zip(y_ticks, self.y_texts or format_ticks(y_ticks), strict=True):
            _, y = self._at(self.x.low, tick)
            pencil.line((left - 6 * _FINE, y, left, y), INK, _FINE)
            pencil.text((left - 10 * _FINE, y), text, INK, font(size), "rm")
        middle = (left + right) / 2
        pencil.text((middle, top - 12 * _FINE), self.title, INK, font(20 * _FINE), "mb")
        pencil.text((middle, bottom + 58 * _FINE), self.x_title, GREY, font(size), "mb")

    def _turned_title(self) -> Image.Image:
        size = 17 * _FINE
        turned = Image.new("L", (_FINE * _PLOT_PX[1], round(1.4 * size)))
        ImageDraw.Draw(turned).text(
            (turned.width // 2, turned.height // 2), self.y_title, 255, font(size), "mm"
        )
        return turned.rotate(90, expand=True)


def curves_figure(views: Sequence[FieldView]) -> Figure:
    """Cumulative contribution and radial profile of up to four fields, and their squares in a table."""
    shown = [view for view in views if view.curves is not None][: len(COLOURS)]
    plots = [_cumulative(shown).drawn(), _radial(shown).drawn()]
    table = _legend(shown, sum(plot.width for plot in plots))
    body = Image.new("RGB", (table.width, plots[0].height + table.height), PAPER)
    for plot, x in zip(plots, (0, plots[0].width), strict=True):
        body.paste(plot, (x, 0))
    body.paste(table, (0, plots[0].height))
    title = "How receptive fields fall off with distance"
    caption = list(dict.fromkeys(view.protocol_text for view in shown))
    caption.append(
        "Distance is Euclidean, from the centre of the squares. The profile is the mean over rings one pixel "
        f"wide, relative to the largest; rings of zeros are left out, and values below 1e-{_DECADES}."
    )
    # Where only some learnt nothing, the table says which.
    marked = all(view.random_weights for view in shown)
    picture, place = page_of(body, title=title, caption=caption, random_weights=marked)
    return Figure(picture, place, title, tuple(caption))


def _farthest(shown: Sequence[FieldView]) -> float:
    return max((float(view.curves.distance_px[-1]) for view in shown if view.curves is not None), default=1.0)


def _cumulative(shown: Sequence[FieldView]) -> _Plot:
    lines = [
        (np.append(0, view.curves.distance_px), np.append(0, view.curves.cumulative))
        for view in shown
        if view.curves is not None
    ]
    return _Plot(
        title="Cumulative contribution",
        x_title="distance from the centre in input pixels",
        y_title="share of the field within",
        x=Limits(0, _farthest(shown)),
        y=Limits(0, 1),
        lines=lines,
    )


def _radial(shown: Sequence[FieldView]) -> _Plot:
    lines = []
    for view in shown:
        if view.curves is None:
            continue
        largest = np.nanmax(view.curves.radial)
        positive = view.curves.radial > 0
        relative = view.curves.radial[positive] / largest if largest > 0 else np.zeros(0)
        lines.append((view.curves.distance_px[positive], np.log10(relative)))
    smallest = min((float(y.min()) for _, y in lines if len(y)), default=-1.0)
    decades = min(max(math.ceil(-smallest), 1), _DECADES)
    exponents = range(-decades, 1)
    return _Plot(
        title="Radial profile",
        x_title="distance from the centre in input pixels",
        y_title="mean of the ring over the largest",
        x=Limits(0, _farthest(shown)),
        y=Limits(-decades, 0),
        lines=lines,
        y_ticks=tuple(exponents),
        y_texts=["1" if exponent == 0 else f"1e{exponent}" for exponent in exponents],
    )


def _legend(shown: Sequence[FieldView], width: int) -> Image.Image:
    """A table: colour, name, and for each share the side of the linear field's square."""
    pitch, size, first = 30, 18, width - 4 * 150
    picture = Image.new("RGB", (width, pitch * (len(shown) + 1) + 10), PAPER)
    pencil = ImageDraw.Draw(picture)
    pencil.text((_LEFT, pitch // 2), "side and area of the square that holds", GREY, font(size), "lm")
    for column, share in enumerate(THRESHOLDS):
        pencil.text((first + 150 * (column + 1), pitch // 2), f"{100 * share:g} %", GREY, font(size), "rm")
    for row, (view, colour) in enumerate(zip(shown, COLOURS, strict=False), 1):
        y = pitch * row + pitch // 2
        pencil.line((_LEFT, y, _LEFT + 34, y), colour, 5)
        name, mark = drawable(view.title), " (random weights)" if view.random_weights else ""
        while font(size).getlength(name + mark) > first - _LEFT - 40 and len(name) > 1:
            name = name[:-2] + "…"
        pencil.text((_LEFT + 46, y), name + mark, INK, font(size), "lm")
        reached = {square.threshold: square for square in view.squares.get("linear", ())}
        for column, share in enumerate(THRESHOLDS):
            square = reached.get(share)
            text = "none" if square is None else f"{square.side_px} px, {format_percent(square.area_ratio)}"
            pencil.text((first + 150 * (column + 1), y), text, INK, font(size), "rm")
    return picture
