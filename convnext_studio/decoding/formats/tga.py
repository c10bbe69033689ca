"""TGA files of every kind in the specification: palettes, 15 to 32 bits, grey, runs, and all four corners."""

import io
import struct
from typing import BinaryIO

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from convnext_studio.decoding.raster import Alpha, Colours, Raster, check_size, incomplete, not_decoded

_HEAD_BYTES = 18
_FOOTER_BYTES = 26
_SIGNATURE = b"TRUEVISION-XFILE"
_SUFFIXES = (".tga", ".icb", ".vda", ".vst")
_PALETTE, _COLOUR, _GREY, _RUNS = 1, 2, 3, 8
_FROM_RIGHT, _FROM_TOP, _INTERLEAVED = 0x10, 0x20, 0xC0
_COLOUR_BITS = (15, 16, 24, 32)
_ATTRIBUTES_PLACE = 494
_NO_ALPHA, _PREMULTIPLIED = (0, 1, 2), 4


class _Head(Struct, frozen=True, kw_only=True):
    """The header of a TGA file."""

    text_bytes: int
    has_palette: bool
    kind: int
    first_colour: int
    colours: int
    colour_bits: int
    width: int
    height: int
    bits: int
    flags: int

    @property
    def alpha_bits(self) -> int:
        """How many bits of a pixel are alpha, as the header says."""
        return self.flags & 0x0F


def may_be(stream: BinaryIO, name: str) -> bool:
    """Whether a file that nothing else recognises is one: by its name or its footer, or by a sound header."""
    end = stream.seek(0, io.SEEK_END)
    stream.seek(max(0, end - _FOOTER_BYTES))
    if _SIGNATURE in stream.read():
        return True
    stream.seek(0)
    data = stream.read(_HEAD_BYTES)
    if len(data) < _HEAD_BYTES:
        return False
    has_palette, kind, colour_bits, bits, flags = data[1], data[2], data[7], data[16], data[17]
    if has_palette not in (0, 1) or kind & ~_RUNS not in (_PALETTE, _COLOUR, _GREY) or kind > _GREY | _RUNS:
        return False
    if kind & ~_RUNS == _PALETTE and not (has_palette and colour_bits in _COLOUR_BITS):
        return False
    is_sound = (
        bits in (1, 8, *_COLOUR_BITS) and not flags & _INTERLEAVED and any(data[12:14]) and any(data[14:16])
    )
    return is_sound or name.lower().endswith(_SUFFIXES)


def size(stream: BinaryIO, name: str) -> tuple[int, int]:
    """Return width and height, which only the header has to be read for."""
    head = _head(stream, name)
    check_size((head.width, head.height), name)
    return head.width, head.height


def read(stream: BinaryIO, name: str) -> Raster:
    """Return a picture, upright."""
    head = _head(stream, name)
    check_size((head.width, head.height), name)
    stream.seek(_HEAD_BYTES + head.text_bytes)
    palette = _palette(stream, head, name)
    packed = _packed(stream.read(), head, name)
    if not head.flags & _FROM_TOP:
        packed = packed[::-1]
    if head.flags & _FROM_RIGHT:
        packed = packed[:, ::-1]
    return _raster(packed, palette, head, _attributes(stream), name)


def _packed(data: bytes, head: _Head, name: str) -> NDArray[np.uint8]:
    """Return the pixels as stored, (h, w, bytes)."""
    if head.bits == 1:  # Of no specification, but Pillow writes it.
        row_bytes = (head.width + 7) // 8
        rows = _plain(data, head.height * row_bytes, 1, name).reshape(head.height, row_bytes)
        return 255 * np.unpackbits(rows, axis=1)[:, : head.width, None]
    pixel_bytes = (head.bits + 7) // 8
    count = head.width * head.height
    unpack = _unrolled if head.kind & _RUNS else _plain
    return unpack(data, count, pixel_bytes, name).reshape(head.height, head.width, pixel_bytes)


def _head(stream: BinaryIO, name: str) -> _Head:
    stream.seek(0)
    data = stream.read(_HEAD_BYTES)
    if len(data) < _HEAD_BYTES:
        raise incomplete(name)
    text, has_palette, kind, first, colours, colour_bits, _, _, width, height, bits, flags = struct.unpack(
        "<BBBHHBHHHHBB", data
    )
    head = _Head(
        text_bytes=text,
        has_palette=bool(has_palette),
        kind=kind,
        first_colour=first,
        colours=colours,
        colour_bits=colour_bits,
        width=width,
        height=height,
        bits=bits,
        flags=flags,
    )
    is_bilevel = kind == _GREY and bits == 1
    if not is_bilevel and (kind & ~_RUNS not in (_PALETTE, _COLOUR, _GREY) or bits not in (8, *_COLOUR_BITS)):
        raise not_decoded(name, f"a TGA of type {kind} with {bits} bits a pixel")
    return head


def _palette(stream: BinaryIO, head: _Head, name: str) -> NDArray[np.uint8] | None:
    """Return the colours of the palette, (n, 3 or 4), and skip one that is not used."""
    if not head.has_palette:
        return None
    entry_bytes = (head.colour_bits + 7) // 8
    data = stream.read(head.colours * entry_bytes)
    if head.kind & ~_RUNS != _PALETTE:
        return None
    if len(data) < head.colours * entry_bytes or entry_bytes not in (2, 3, 4):
        raise incomplete(name)
    entries = np.frombuffer(data, np.uint8).reshape(-1, entry_bytes)
    table = np.zeros((head.first_colour + head.colours, 4), np.uint8)
    table[:, 3] = 255
    colours = _colours(entries)
    table[head.first_colour :, : colours.shape[1]] = colours
    return table if entry_bytes == 4 else table[:, :3]


def _colours(packed: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return packed pixels (…, bytes) as red, green, blue and, for 4 bytes, alpha."""
    if packed.shape[-1] == 2:
        values = packed[..., 0].astype(np.uint16) | packed[..., 1].astype(np.uint16) << 8
        parts = [(values >> shift) & 31 for shift in (10, 5, 0)]
        return np.stack([np.rint(part * (255 / 31)).astype(np.uint8) for part in parts], -1)
    return packed[..., [2, 1, 0, *range(3, packed.shape[-1])]]


def _raster(
    packed: NDArray[np.uint8], palette: NDArray[np.uint8] | None, head: _Head, attributes: int | None, name: str
) -> Raster:
    notes: list[str] = []
    colours: Colours = "rgb"
    kind = head.kind & ~_RUNS
    if kind == _PALETTE:
        if palette is None:
            raise not_decoded(name, "a TGA with a palette that is not there")
        indices = packed[..., 0].astype(np.intp)
        if packed.shape[2] == 2:
            indices |= packed[..., 1].astype(np.intp) << 8
        samples = palette[np.minimum(indices, len(palette) - 1)]
        notes.append("Palette converted to RGB.")
    elif kind == _GREY:
        samples, colours = packed, "grey"
    else:
        samples = _colours(packed)
        if packed.shape[2] == 2 and head.bits == 16 and head.alpha_bits:
            samples = np.concatenate([samples, np.where(packed[..., 1:] & 0x80, 255, 0).astype(np.uint8)], -1)
    alpha: Alpha = "none"
    own = 1 if colours == "grey" else 3
    if samples.shape[2] > own:
        alpha = _alpha(samples[..., own], head, attributes, notes)
        samples = samples[..., : own + (alpha != "none")]
    return Raster(samples=samples, colours=colours, alpha=alpha, notes=notes)


def _alpha(values: NDArray[np.uint8], head: _Head, attributes: int | None, notes: list[str]) -> Alpha:
    if attributes in _NO_ALPHA or (attributes is None and not head.alpha_bits):
        return "none"
    if not values.any():
        notes.append("Its alpha is 0 everywhere, and was ignored.")
        return "none"
    return "premultiplied" if attributes == _PREMULTIPLIED else "straight"


def _attributes(stream: BinaryIO) -> int | None:
    """Return what the extension area says of alpha; None if there is none."""
    end = stream.seek(0, io.SEEK_END)
    stream.seek(max(0, end - _FOOTER_BYTES))
    footer = stream.read()
    if _SIGNATURE not in footer:
        return None
    place = struct.unpack_from("<I", footer)[0]
    if not place or place + _ATTRIBUTES_PLACE >= end:
        return None
    stream.seek(place + _ATTRIBUTES_PLACE)
    return stream.read(1)[0]


def _plain(data: bytes, count: int, pixel_bytes: int, name: str) -> NDArray[np.uint8]:
    if len(data) < count * pixel_bytes:
        raise incomplete(name)
    return np.frombuffer(data, np.uint8, count * pixel_bytes)


def _unrolled(data: bytes, count: int, pixel_bytes: int, name: str) -> NDArray[np.uint8]:
    """Return the pixels of runs; a run may go on in the next row."""
    pixels = bytearray()
    place, wanted = 0, count * pixel_bytes
    while len(pixels) < wanted:
        if place >= len(data):
            raise incomplete(name)
        head = data[place]
        length = (head & 0x7F) + 1
        place += 1
        if head & 0x80:
            pixel = data[place : place + pixel_bytes]
            if len(pixel) < pixel_bytes:
                raise incomplete(name)
            pixels += pixel * length
            place += pixel_bytes
        else:
            stop = place + length * pixel_bytes
            if stop > len(data):
                raise incomplete(name)
            pixels += data[place:stop]
            place = stop
    return np.frombuffer(bytes(pixels[:wanted]), np.uint8)
