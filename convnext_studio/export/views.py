"""What a view shows, as files: PNG, SVG with its colour bar, and the numbers."""

import base64
import json
import textwrap
import zipfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from html import escape
from io import BytesIO
from itertools import count
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from convnext_studio import __version__
from convnext_studio.common.geometry import Box
from convnext_studio.export.files import write_file
from convnext_studio.render import Rgb, lut

_BAR_PX, _TICK_PX, _BAR_WIDTH_PX = 14, 5, 96
_TEXT_PX, _LINE_PX = 12, 16
_CHARACTER_PX = 6.4  # Of the sans serif fonts' mean letter at that size, rounded up.
_ABOUT = "about"
_NO_FOLDERS = str.maketrans("/\\", "__")
_FONT = 'font-family="system-ui, Segoe UI, Roboto, Helvetica, Arial, sans-serif"'


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PlacedImage:
    """Colours in a box of the view, in its pixels; enlarged, they stay sharp unless `smooth`."""

    rgb: Rgb
    box: Box
    opacity: float = 1.0
    smooth: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedMark:
    """A frame in the view, with its name at the upper left corner."""

    box: Box
    label: str
    colour: str
    dashed: bool


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PlacedLines:
    """Lines in the view: (lines, 2, 2), from (x, y) to (x, y)."""

    ends: NDArray[np.float64]
    colour: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaleTexts:
    """A colour bar: its colour map, and texts at heights from 0 (lowest) to 1."""

    colormap: str
    texts: tuple[tuple[float, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ViewFigure:
    """All that a view shows.

    Attributes
    ----------
    title, caption
        What it is, and how its numbers became colours.
    size
        Of the view in pixels; what reaches beyond is cut off.
    images, lines, marks
        Painted in their order.
    scale
        Of its colours.
    """

    title: str
    caption: str
    size: tuple[int, int]
    images: tuple[PlacedImage, ...]
    lines: tuple[PlacedLines, ...]
    marks: tuple[PlacedMark, ...]
    scale: ScaleTexts | None


def save_png(path: Path, rgb: Rgb, title: str, caption: str) -> Path:
    """Write colours as PNG, with title and caption as texts in it; StudioError where that cannot be done."""
    data = _png(rgb, {"Software": f"ConvNeXt Studio {__version__}", "Title": title, "Description": caption})
    return write_file(path, lambda file: file.write(data))


def save_npy(path: Path, values: NDArray[Any]) -> Path:
    """Write an array as it is; StudioError where that cannot be done."""
    return write_file(path, lambda file: np.save(file, values, allow_pickle=False))


def save_npz(path: Path, views: Sequence[tuple[str, str, NDArray[Any]]]) -> Path:
    """Write the numbers of several views, given as (name, caption, array), into one compressed file.

    Each array is found under its view's name; of two views of one name the second has " 2" behind it.
    ``about`` is a text of JSON: the program, and the captions by the arrays' names.

    Raises
    ------
    StudioError
        Where that cannot be done.
    """
    arrays: dict[str, NDArray[Any]] = {}
    captions: dict[str, str] = {}
    for name, caption, values in views:
        key = _free_key(name, arrays)
        arrays[key], captions[key] = values, caption
    about = json.dumps({"program": f"ConvNeXt Studio {__version__}", "captions": captions})
    return write_file(path, partial(_write_npz, arrays | {_ABOUT: np.array(about)}))


def _free_key(name: str, taken: Collection[str]) -> str:
    """A name as it can stand in an archive: no folders, nothing that no encoding has, and only once."""
    plain = name.translate(_NO_FOLDERS).encode(errors="replace").decode()
    keys = (plain if number == 1 else f"{plain} {number}" for number in count(1))
    return next(key for key in keys if key not in (*taken, _ABOUT))


def _write_npz(arrays: Mapping[str, NDArray[Any]], file: BinaryIO) -> None:
    # As np.savez_compressed, which cannot have an array called “file”; and so may a picture be called.
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for key, array in arrays.items():
            with archive.open(f"{key}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, array, allow_pickle=False)


def save_svg(path: Path, figure: ViewFigure) -> Path:
    """Write a view as SVG; StudioError where that cannot be done."""
    data = svg(figure).encode(errors="replace")
    return write_file(path, lambda file: file.write(data))


def svg(figure: ViewFigure) -> str:
    """A view as SVG: title above, colour bar at the right, caption below."""
    width, height = figure.size
    whole = width + (_BAR_WIDTH_PX if figure.scale is not None else 0)
    caption = textwrap.wrap(figure.caption, max(20, int(whole / _CHARACTER_PX)))
    top = _LINE_PX + 8
    below = top + height + _LINE_PX
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'width="{whole}" height="{below + _LINE_PX * len(caption)}" {_FONT} font-size="{_TEXT_PX}">',
        f"<title>{_text(figure.title)}</title><desc>{_text(figure.caption)}</desc>",
        '<rect width="100%" height="100%" fill="#ffffff"/>',
        f'<text x="2" y="{_LINE_PX}" font-weight="600" fill="#181c22">{_text(figure.title)}</text>',
        f'<defs><clipPath id="view"><rect width="{width}" height="{height}"/></clipPath></defs>',
        f'<g transform="translate(0 {top})"><g clip-path="url(#view)">',
        *map(_image, figure.images),
        *map(_lines, figure.lines),
        *map(_mark, figure.marks),
        "</g>",
    ]
    if figure.scale is not None:
        parts.append(_bar(figure.scale, width + 8, height))
    parts.append("</g>")
    for index, line in enumerate(caption):
        parts.append(f'<text x="2" y="{below + index * _LINE_PX}" fill="#5c636c">{_text(line)}</text>')
    return "\n".join([*parts, "</svg>\n"])


def _image(image: PlacedImage) -> str:
    rendering = "auto" if image.smooth else "pixelated"
    return (
        f'<image {_place(image.box)} preserveAspectRatio="none" opacity="{image.opacity:g}" '
        f'style="image-rendering:{rendering}" xlink:href="{_data(image.rgb)}"/>'
    )


def _lines(lines: PlacedLines) -> str:
    path = " ".join(f"M{x1:.2f} {y1:.2f}L{x2:.2f} {y2:.2f}" for (x1, y1), (x2, y2) in lines.ends.tolist())
    strokes = (("#000000", 3.0), (lines.colour, 1.4))
    return "".join(
        f'<path d="{path}" fill="none" stroke={_quoted(colour)} stroke-width="{width}"/>'
        for colour, width in strokes
    )


def _mark(mark: PlacedMark) -> str:
    dash = ' stroke-dasharray="8 6"' if mark.dashed else ""
    frames = "".join(
        f'<rect {_place(mark.box)} fill="none" stroke={_quoted(colour)} stroke-width="{width}"{dashed}/>'
        for colour, width, dashed in (("#000000", 4, ""), (mark.colour, 2, dash))
    )
    if not mark.label:
        return frames
    x, y = mark.box[0] + 5, mark.box[1] + _LINE_PX
    return frames + (
        f'<text x="{x:g}" y="{y:g}" fill={_quoted(mark.colour)} stroke="#000000" stroke-width="3" '
        f'paint-order="stroke">{_text(mark.label)}</text>'
    )


def _bar(scale: ScaleTexts, x: int, height: int) -> str:
    table = lut(scale.colormap)[::-1, None].copy()
    parts = [
        f'<g transform="translate({x} 0)">',
        f'<image width="{_BAR_PX}" height="{height}" preserveAspectRatio="none" xlink:href="{_data(table)}"/>',
        f'<rect width="{_BAR_PX}" height="{height}" fill="none" stroke="#5c636c"/>',
    ]
    for y, text in _apart(scale.texts, height):
        parts.append(f'<path d="M{_BAR_PX} {y:g}h{_TICK_PX}" stroke="#5c636c"/>')
        inside = min(max(y + _TEXT_PX / 3, _TEXT_PX), height - 1)
        parts.append(f'<text x="{_BAR_PX + _TICK_PX + 3}" y="{inside:g}" fill="#181c22">{_text(text)}</text>')
    return "\n".join([*parts, "</g>"])


def _apart(texts: Sequence[tuple[float, str]], height: int) -> list[tuple[float, str]]:
    """Places and texts that do not touch: the ends, and those between that have room."""
    places = [((1 - share) * height, text) for share, text in texts]
    kept = [place for place in places if place[0] in (0, height)]
    for place in places:
        if all(abs(place[0] - other[0]) >= _LINE_PX for other in kept):
            kept.append(place)
    return kept


def _place(box: Box) -> str:
    x, y, width, height = box
    return f'x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}"'


def _data(rgb: Rgb) -> str:
    return f"data:image/png;base64,{base64.b64encode(_png(rgb)).decode()}"


def _png(rgb: Rgb, texts: Mapping[str, str] | None = None) -> bytes:
    # Here, because Pillow would keep the window 40 ms from appearing.
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    written = PngInfo()
    for key, text in (texts or {}).items():
        # Names of files may have characters that no encoding has.
        written.add_itxt(key, text.encode(errors="replace"))
    buffer = BytesIO()
    Image.fromarray(rgb).save(buffer, "PNG", pnginfo=written)
    return buffer.getvalue()


def _text(text: str) -> str:
    """As XML has it: characters that it cannot have are left out."""
    return escape("".join(char for char in text if char.isprintable()), quote=False)


def _quoted(text: str) -> str:
    """As the value of an attribute."""
    return f'"{escape(text)}"'
