"""How HEIC and AVIF files turn their pictures: the boxes ``irot`` and ``imir`` of the main item."""

import struct
from collections.abc import Iterator
from typing import BinaryIO

_SEARCHED_BYTES = 1 << 20
# EXIF's number after a quarter turn anticlockwise, and after mirroring left to right.
_TURNED = {1: 8, 8: 3, 3: 6, 6: 1, 2: 5, 5: 4, 4: 7, 7: 2}
_MIRRORED = {1: 2, 2: 1, 3: 4, 4: 3, 5: 6, 6: 5, 7: 8, 8: 7}


def turned_by_boxes(stream: BinaryIO) -> int:
    """Return by which of EXIF's orientations the boxes turn the main picture; 1 if they do not."""
    stream.seek(0)
    data = stream.read(_SEARCHED_BYTES)
    try:
        return _orientation(data)
    except (struct.error, IndexError, KeyError):
        return 1  # What is damaged here is for the decoder to say.


def _orientation(data: bytes) -> int:
    meta = next((content for kind, content in _boxes(data) if kind == b"meta"), b"")[4:]
    parts = dict(_boxes(meta))
    item = _main_item(parts[b"pitm"])
    properties = list(_boxes(dict(_boxes(parts[b"iprp"]))[b"ipco"]))
    orientation = 1
    for index in _properties_of(item, dict(_boxes(parts[b"iprp"]))[b"ipma"]):
        kind, content = properties[index - 1] if 0 < index <= len(properties) else (b"", b"")
        if kind == b"irot":
            for _ in range(content[0] & 3):
                orientation = _TURNED[orientation]
        elif kind == b"imir":
            orientation = _MIRRORED[orientation]
            if not content[0] & 1:  # About the horizontal axis: left to right, and half a turn.
                orientation = _TURNED[_TURNED[orientation]]
    return orientation


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    place = 0
    while place + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, place)
        length = length or len(data) - place
        if length < 8:
            return
        yield kind, data[place + 8 : place + length]
        place += length


def _main_item(content: bytes) -> int:
    number: int = struct.unpack_from(">I" if content[0] else ">H", content, 4)[0]
    return number


def _properties_of(item: int, content: bytes) -> list[int]:
    """Return the numbers of an item's properties, counted from 1, in the order in which they apply."""
    is_long, is_wide = content[0] > 0, content[3] & 1
    (count,) = struct.unpack_from(">I", content, 4)
    place = 8
    for _ in range(min(count, 10_000)):
        (found,) = struct.unpack_from(">I" if is_long else ">H", content, place)
        place += 4 if is_long else 2
        number = content[place]
        place += 1
        layout = f">{number}H" if is_wide else f">{number}B"
        entries = struct.unpack_from(layout, content, place)
        place += struct.calcsize(layout)
        if found == item:
            return [entry & (0x7FFF if is_wide else 0x7F) for entry in entries]
    return []
