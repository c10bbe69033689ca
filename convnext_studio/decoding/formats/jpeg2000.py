"""JPEG 2000 by OpenJPEG, with the colours, precisions and subsampling that the file states."""

import io
import struct
from collections.abc import Iterator
from typing import Any, BinaryIO

import imagecodecs
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray
from PIL import Image

from convnext_studio.common.errors import StudioError
from convnext_studio.decoding.raster import (
    Colours,
    Raster,
    as_bands,
    check_bytes,
    check_size,
    damaged,
    not_decoded,
)

_CODESTREAM = b"\xff\x4f\xff\x51"
_CMYK, _LAB, _SRGB, _GREY, _SYCC, _EYCC = 12, 14, 16, 17, 18, 24
_MOST_BANDS = 64
_SMALLEST_TILES = 20_000
_FIXED_SIZ = 40


class _Head(Struct, frozen=True, kw_only=True):
    """What the boxes and the code stream's first marker say.

    Attributes
    ----------
    place
        Where the code stream begins.
    bits, is_signed, steps
        For each component: its precision, whether it has a sign, and its subsampling along x and y.
    colours
        The enumerated colour space; 0 if there is none.
    channels
        What the file's channel definitions say: (channel, type, association).
    """

    size: tuple[int, int]
    tiles: int
    place: int
    bits: tuple[int, ...]
    is_signed: tuple[bool, ...]
    steps: tuple[tuple[int, int], ...]
    colours: int = 0
    profile: bytes = b""
    has_palette: bool = False
    palette_bits: int = 8
    channels: tuple[tuple[int, int, int], ...] = ()

    @property
    def is_ycc(self) -> bool:
        """Whether the colours are luma and chroma; without a word on it, smaller chroma shows it."""
        is_halved = self.steps[0] == (1, 1) and self.steps[1:] in (((2, 1), (2, 1)), ((2, 2), (2, 2)))
        return self.colours == _SYCC or (self.colours == 0 and not self.profile and is_halved)

    @property
    def is_uneven(self) -> bool:
        """Whether bands differ in size in a way that OpenJPEG's programs do not put right."""
        if len(set(self.steps)) == 1:
            return False
        is_halved = self.steps[0] == (1, 1) and self.steps[1:] in (((2, 1), (2, 1)), ((2, 2), (2, 2)))
        return not (self.is_ycc and is_halved)


def size(stream: BinaryIO, name: str) -> tuple[int, int]:
    """Return width and height, which only the header has to be read for."""
    found = _head(stream, name).size
    check_size(found, name)
    return found


def read(stream: BinaryIO, name: str) -> Raster:
    """Return a picture."""
    head = _head(stream, name)
    check_size(head.size, name)
    check_bytes(head.size, len(head.bits), 4 if max(head.bits) > 8 else 1, name)
    if head.tiles > _SMALLEST_TILES:
        raise StudioError(
            f"“{name}” is cut into {head.tiles:,} tiles, which takes too long.", "Save it in larger ones."
        )
    if head.is_uneven:
        return _raster(head, _unevenly_sampled(stream, head, name), name)
    stream.seek(0)
    data = stream.read()
    if head.colours == _EYCC:  # sYCC with rounded numbers, which is all that OpenJPEG makes of it, too.
        place = data.index(b"colr") + 7
        data = data[:place] + struct.pack(">I", _SYCC) + data[place + 4 :]
    return _raster(head, as_bands(imagecodecs.jpeg2k_decode(data)), name)


def _unevenly_sampled(stream: BinaryIO, head: _Head, name: str) -> NDArray[np.uint8]:
    """Return components of different sizes, repeated to the picture's, as RGB.

    OpenJPEG's own conversion knows the two most common arrangements only. Pillow repeats components of all
    sizes, but converts sYCC wrongly, so that it is told that they are red, green and blue.
    """
    count = len(head.bits)
    if max(head.bits) > 8 or count != 3 or head.has_palette:
        raise not_decoded(
            name, f"a JPEG 2000 picture of {max(head.bits)} bits whose {count} bands differ in size"
        )
    stream.seek(head.place)
    wrapped = _wrapped(stream.read(), head)
    with Image.open(io.BytesIO(wrapped), formats=("JPEG2000",)) as image:
        samples = np.asarray(image.convert("RGB"))
    return np.asarray(Image.fromarray(samples, "YCbCr").convert("RGB")) if head.is_ycc else samples


def _wrapped(code: bytes, head: _Head) -> bytes:
    """Return a code stream in a file that says that it is sRGB."""
    width, height = head.size
    shape = struct.pack(">IIH4B", height, width, len(head.bits), head.bits[0] - 1, 7, 0, 0)
    picture = _box(b"ihdr", shape) + _box(b"colr", struct.pack(">3BI", 1, 0, 0, _SRGB))
    start = _box(b"jP  ", b"\r\n\x87\n") + _box(b"ftyp", b"jp2 " + bytes(4) + b"jp2 ")
    return start + _box(b"jp2h", picture) + _box(b"jp2c", code)


def _box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(content), kind) + content


def _raster(head: _Head, samples: NDArray[Any], name: str) -> Raster:
    notes = ["Palette converted to RGB."] if head.has_palette else []
    count = samples.shape[2]
    bits = head.palette_bits if head.has_palette else max(head.bits)
    if samples.dtype.kind == "i" and not head.has_palette:
        samples = samples.astype(np.int64) + (1 << (bits - 1))
        samples = samples.astype(np.uint16 if bits <= 16 else np.uint32)
    alpha_at = [channel for channel, kind, _ in head.channels if kind in (1, 2) and channel < count]
    if not head.channels and count in (2, 4) and head.colours != _CMYK and not head.has_palette:
        alpha_at = [count - 1]  # By custom: OpenJPEG's own programs take them so.
    is_premultiplied = any(kind == 2 for _, kind, _ in head.channels)
    own = count - len(alpha_at)
    colours: Colours = "grey" if own <= 2 else "rgb"
    if head.colours == _CMYK:
        colours = "cmyk" if own >= 4 else "bands"
    elif head.colours == _LAB:
        raise not_decoded(name, "a JPEG 2000 picture in CIELAB colours")
    elif head.colours == 0 and not head.profile and own > 4:
        colours = "bands"
    if own == 2 and not alpha_at:
        colours = "bands"
    order = [channel for channel in range(count) if channel not in alpha_at]
    order = _by_association(head, order)
    samples = samples[..., [*order, *alpha_at]] if alpha_at or order != sorted(order) else samples
    alpha_follows = bool(alpha_at) and own == {"grey": 1, "rgb": 3, "cmyk": 4}.get(colours)
    return Raster(
        samples=samples,
        colours=colours,
        alpha=("premultiplied" if is_premultiplied else "straight") if alpha_follows else "none",
        bits=0 if bits == 8 * samples.dtype.itemsize else bits,
        profile=head.profile,
        notes=notes,
    )


def _by_association(head: _Head, order: list[int]) -> list[int]:
    """Return the colour channels in the order of the colours that they hold."""
    places = {channel: colour for channel, kind, colour in head.channels if kind == 0 and 0 < colour < 0xFFFF}
    return sorted(order, key=lambda channel: places.get(channel, channel + 1))


def _head(stream: BinaryIO, name: str) -> _Head:
    stream.seek(0)
    if stream.read(4) == _CODESTREAM:
        stream.seek(2)
        return _Head(**_stream_facts(stream, name), place=0)
    facts: dict[str, Any] = {}
    for kind, data, place in _boxes(stream, 0, None):
        if kind == b"jp2h":
            facts |= _picture_facts(data)
        elif kind == b"jp2c":
            stream.seek(place + 2)
            return _Head(**_stream_facts(stream, name), **facts, place=place)
    raise damaged(name, "there is no code stream in it")


def _boxes(stream: BinaryIO, place: int, end: int | None) -> Iterator[tuple[bytes, bytes, int]]:
    """Yield kind, content (of small boxes) and place of the content of each box."""
    while end is None or place < end:
        stream.seek(place)
        head = stream.read(16)
        if len(head) < 8:
            return
        length, kind = struct.unpack(">I4s", head[:8])
        start = place + 8
        if length == 1 and len(head) == 16:
            length, start = struct.unpack(">Q", head[8:])[0], place + 16
        stream.seek(start)
        content = b"" if kind == b"jp2c" else stream.read(min(max(0, length - (start - place)), 1 << 24))
        yield kind, content, start
        if length < 8:
            return
        place += length


def _picture_facts(data: bytes) -> dict[str, Any]:
    """Return what the box of boxes about the picture says."""
    facts: dict[str, Any] = {}
    for kind, content, _ in _boxes(io.BytesIO(data), 0, len(data)):
        if kind == b"colr" and len(content) >= 3 and "colours" not in facts and "profile" not in facts:
            if content[0] == 1 and len(content) >= 7:
                facts["colours"] = int.from_bytes(content[3:7], "big")
            elif content[0] in (2, 3):
                facts["profile"] = content[3:]
        elif kind == b"pclr" and len(content) >= 4:
            facts["has_palette"] = True
            facts["palette_bits"] = 1 + max(each & 0x7F for each in content[3 : 3 + content[2]] or b"\x07")
        elif kind == b"cdef" and len(content) >= 2:
            count = min(int.from_bytes(content[:2], "big"), len(content[2:]) // 6)
            facts["channels"] = tuple(
                struct.unpack_from(">3H", content, 2 + 6 * index) for index in range(count)
            )
    return facts


def _stream_facts(stream: BinaryIO, name: str) -> dict[str, Any]:
    """Return what the marker SIZ says; the stream stands at it."""
    data = stream.read(_FIXED_SIZ)
    if len(data) < _FIXED_SIZ or data[:2] != b"\xff\x51":
        raise damaged(name, "there is no code stream in it")
    right, bottom, left, top, tile_width, tile_height = struct.unpack_from(">6I", data, 6)
    count = struct.unpack_from(">H", data, 38)[0]
    if not 0 < count <= _MOST_BANDS:
        raise not_decoded(name, f"a JPEG 2000 picture of {count:,} bands")
    components = stream.read(3 * count)
    if len(components) < 3 * count or not tile_width or not tile_height:
        raise damaged(name, "there is no code stream in it")
    width, height = right - left, bottom - top
    across = min(components[3 * index + 1] for index in range(count)) or 1
    down = min(components[3 * index + 2] for index in range(count)) or 1
    return {
        "size": (-(-right // across) - -(-left // across), -(-bottom // down) - -(-top // down)),
        "tiles": -(-width // tile_width) * -(-height // tile_height),
        "bits": tuple(1 + (components[3 * index] & 0x7F) for index in range(count)),
        "is_signed": tuple(bool(components[3 * index] & 0x80) for index in range(count)),
        "steps": tuple((components[3 * index + 1], components[3 * index + 2]) for index in range(count)),
    }
