"""BMP files: those of 16, 32 and 64 bits a pixel with any bit masks here, the others by Pillow."""

import io
import struct
from typing import Any, BinaryIO

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray
from PIL import Image

from convnext_studio.common.errors import StudioError
from convnext_studio.decoding.formats import pillow
from convnext_studio.decoding.raster import Alpha, Raster, check_size, incomplete, not_decoded

_FILE_HEADER = 14
_PLAIN, _BIT_FIELDS, _JPEG, _PNG, _ALPHA_BIT_FIELDS = 0, 3, 4, 5, 6
_WITH_MASKS = 52
_DEFAULT_MASKS = {
    16: (0x7C00, 0x3E0, 0x1F, 0),
    32: (0xFF0000, 0xFF00, 0xFF, 0),
}
_FIXED_POINT_ONE = 8192
_PROFILE_EMBEDDED = b"DEBM"


class _Head(Struct, frozen=True, kw_only=True):
    """The header of a BMP file."""

    length: int
    width: int
    height: int
    bits: int
    compression: int
    masks: tuple[int, int, int, int]
    place: int
    profile: bytes = b""

    @property
    def is_ours(self) -> bool:
        """Whether Pillow leaves such pixels out, or leaves out their alpha."""
        return self.bits in (16, 32, 64) and self.compression in (_PLAIN, _BIT_FIELDS, _ALPHA_BIT_FIELDS)


def size(stream: BinaryIO, name: str) -> tuple[int, int]:
    """Return width and height, which only the header has to be read for."""
    head = _head(stream)
    if head is None:
        stream.seek(0)
        return pillow.size(stream, name)
    found = head.width, abs(head.height)
    check_size(found, name)
    return found


def read(stream: BinaryIO, name: str) -> Raster:
    """Return a picture."""
    head = _head(stream)
    if head is not None and head.is_ours:
        check_size((head.width, abs(head.height)), name)
        raster = _read(head, stream, name)
    elif head is not None and head.compression in (_JPEG, _PNG):
        raster = _embedded(head, stream, name)
    else:
        stream.seek(0)
        try:
            raster = pillow.read(stream, name)
        except OSError as error:
            if head is None or "Unsupported BMP" not in str(error):
                raise
            kind = f"a BMP of {head.bits} bits a pixel with the compression {head.compression}"
            raise not_decoded(name, kind) from error
    if head is not None and head.profile:
        raster.profile = head.profile
    return raster


def _head(stream: BinaryIO) -> _Head | None:
    """Return the header; None for those of OS/2, which have no masks."""
    stream.seek(0)
    data = stream.read(_FILE_HEADER + 124 + 16)
    if len(data) < _FILE_HEADER + 40:
        return None
    place, length = struct.unpack_from("<II", data, 10)
    if length < 40 or length == 64:
        return None
    width, height, _, bits, compression = struct.unpack_from("<iiHHI", data, 18)
    masks = _DEFAULT_MASKS.get(bits, (0, 0, 0, 0))
    if compression in (_BIT_FIELDS, _ALPHA_BIT_FIELDS):
        has_alpha = compression == _ALPHA_BIT_FIELDS or length >= 56
        stated = struct.unpack_from("<4I", data, _FILE_HEADER + 40)
        masks = (stated[0], stated[1], stated[2], stated[3] if has_alpha else 0)
    return _Head(
        length=length,
        width=width,
        height=height,
        bits=bits,
        compression=compression,
        masks=masks,
        place=place,
        profile=_profile(stream, data, length),
    )


def _profile(stream: BinaryIO, data: bytes, length: int) -> bytes:
    """Return the ICC profile of a header of version 5."""
    if length < 124 or data[_FILE_HEADER + 56 : _FILE_HEADER + 60] != _PROFILE_EMBEDDED:
        return b""
    start, count = struct.unpack_from("<II", data, _FILE_HEADER + 112)
    stream.seek(_FILE_HEADER + start)
    return stream.read(min(count, 1 << 24))


def _read(head: _Head, stream: BinaryIO, name: str) -> Raster:
    height = abs(head.height)
    row_bytes = (head.width * head.bits + 31) // 32 * 4
    stream.seek(head.place)
    data = stream.read(row_bytes * height)
    if len(data) < row_bytes * height:
        raise incomplete(name)
    rows = np.frombuffer(data, np.uint8).reshape(height, row_bytes)
    if head.height > 0:
        rows = rows[::-1]
    if head.bits == 64:
        return _fixed_point(rows, head.width)
    packed = np.ascontiguousarray(rows).view(np.dtype(f"<u{head.bits // 8}"))[:, : head.width]
    used = [mask for mask in head.masks if mask]
    if not used or any(not _is_sound(mask, head.bits) for mask in used):
        raise StudioError(
            f"“{name}” is damaged: its colours are at bits {', '.join(f'{mask:x}' for mask in head.masks)}.",
            "Copy or download it again.",
        )
    return _unpacked(packed, head)


def _is_sound(mask: int, bits: int) -> bool:
    """Whether the bits of a mask are neighbours, in the pixel."""
    shifted = mask // (mask & -mask)
    return mask < 1 << bits and shifted & (shifted + 1) == 0


def _unpacked(packed: NDArray[Any], head: _Head) -> Raster:
    count = 4 if head.masks[3] else 3
    is_deep = max(mask.bit_count() for mask in head.masks) > 8
    kind = np.dtype(np.uint16) if is_deep else np.dtype(np.uint8)
    top = np.iinfo(kind).max
    samples = np.zeros((*packed.shape, count), kind)
    for band, mask in enumerate(head.masks[:count]):
        if mask:
            low = mask & -mask
            values = (packed & packed.dtype.type(mask)) // packed.dtype.type(low)
            samples[..., band] = np.rint(values * (top / (mask // low)))
    alpha: Alpha = "none"
    notes = []
    if count == 4:
        if samples[..., 3].any():
            alpha = "straight"
        else:
            samples = samples[..., :3]
            notes.append("Its alpha is 0 everywhere, and was ignored.")
    return Raster(samples=samples, colours="rgb", alpha=alpha, is_full_range=True, notes=notes)


def _fixed_point(rows: NDArray[np.uint8], width: int) -> Raster:
    """Return pixels of four numbers with 13 bits behind the point, in linear light."""
    values = np.ascontiguousarray(rows).view("<i2").reshape(rows.shape[0], -1, 4)[:, :width]
    light = np.clip(values / np.float32(_FIXED_POINT_ONE), 0, 1)[..., [2, 1, 0, 3]]
    alpha: Alpha = "straight" if (light[..., 3] > 0).any() else "none"
    samples = light if alpha != "none" else light[..., :3]
    return Raster(samples=samples, colours="rgb", alpha=alpha, gamma=1.0)


def _embedded(head: _Head, stream: BinaryIO, name: str) -> Raster:
    """Return the JPEG or PNG picture for which the file is only a wrapper."""
    stream.seek(head.place)
    with Image.open(io.BytesIO(stream.read()), formats=("JPEG", "PNG")) as image:
        return pillow.read_opened(image, name)
