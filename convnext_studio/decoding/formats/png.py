"""PNG files: those of 16 bits by libpng, the others by Pillow; ``sBIT`` and ``gAMA`` for both."""

import io
import struct
from collections.abc import Iterator
from typing import Any, BinaryIO

import imagecodecs
from msgspec import Struct
from numpy.typing import NDArray
from PIL import Image

from convnext_studio.decoding.formats import pillow
from convnext_studio.decoding.raster import Raster, as_bands, check_bytes

_SIGNATURE_BYTES = 8
_PALETTE = 3
_LARGEST_CHUNK = 1 << 16

size = pillow.size


class _Head(Struct, frozen=True, kw_only=True):
    """What the chunks in front of the pixels say."""

    bits: int
    kind: int
    significant: tuple[int, ...]
    gamma: float


def read(stream: BinaryIO, name: str, frame: int = 0) -> Raster:
    """Return a frame of a PNG file, upright."""
    head = _head(stream)
    stream.seek(0)
    with Image.open(stream, formats=("PNG",)) as image:
        is_deep = head.bits == 16 and not frame  # Pillow reads all frames but the first of an animation.
        raster = _deep(image, stream, name) if is_deep else pillow.read_opened(image, name, frame)
    if head.significant and head.kind != _PALETTE:
        _keep_significant(raster, head)
    raster.gamma = head.gamma
    return raster


def _deep(image: Image.Image, stream: BinaryIO, name: str) -> Raster:
    """Return a picture of 16 bits, which Pillow would cut to 8 where it has colours."""
    # A colour that is transparent becomes a band of alpha.
    bands = len(image.getbands()) + ("transparency" in image.info)
    check_bytes(image.size, bands, 2, name)
    notes: list[str] = []
    frames = int(getattr(image, "n_frames", 1))
    orientation, source = pillow.stated_orientation(image, notes)
    stream.seek(0)
    samples: NDArray[Any] = as_bands(imagecodecs.png_decode(stream.read()))
    profile = image.info.get("icc_profile")
    count = samples.shape[2]
    return Raster(
        samples=samples,
        colours="grey" if count <= 2 else "rgb",
        alpha="straight" if count in (2, 4) else "none",
        profile=profile if isinstance(profile, bytes) else b"",
        is_full_range=count > 2 and bool(profile),
        orientation=orientation,
        orientation_source=source,
        frames=frames,
        notes=notes,
    )


def _keep_significant(raster: Raster, head: _Head) -> None:
    """Reduce values to the bits that are significant: PNG puts them on top, some programs at the bottom."""
    bits = max(head.significant[:3])
    width = 8 * raster.samples.dtype.itemsize
    if not 0 < bits < head.bits or head.bits != width or any(each != bits for each in head.significant):
        return
    low_bits = (1 << (width - bits)) - 1
    if int(raster.samples.max()) < 1 << bits and width == 16:
        raster.bits = bits
        raster.notes.append(f"{bits} of {width} bits are significant (sBIT), and lie at the bottom.")
        return
    if (raster.samples & low_bits).any():
        return  # The lower bits repeat the upper: white is the largest number already.
    raster.samples = raster.samples >> (width - bits)
    raster.bits = bits
    raster.notes.append(f"{bits} of {width} bits are significant (sBIT): the others were dropped.")


def _head(stream: BinaryIO) -> _Head:
    bits, kind, gamma = 8, 0, 0.0
    significant: tuple[int, ...] = ()
    is_stated = False
    for name, data in _chunks(stream):
        if name == b"IHDR" and len(data) >= 10:
            bits, kind = data[8], data[9]
        elif name == b"sBIT":
            significant = tuple(data)
        elif name in (b"sRGB", b"iCCP", b"cICP"):
            is_stated = True
        elif name == b"gAMA" and len(data) == 4:
            gamma = struct.unpack(">I", data)[0] / 100_000
    return _Head(bits=bits, kind=kind, significant=significant, gamma=0.0 if is_stated else gamma)


def _chunks(stream: BinaryIO) -> Iterator[tuple[bytes, bytes]]:
    """Yield the small chunks in front of the pixels."""
    stream.seek(_SIGNATURE_BYTES)
    while len(head := stream.read(8)) == 8:
        length, name = struct.unpack(">I4s", head)
        if name in (b"IDAT", b"IEND"):
            return
        if length > _LARGEST_CHUNK:
            yield name, b""
            stream.seek(length + 4, io.SEEK_CUR)
            continue
        data = stream.read(length)
        stream.seek(4, io.SEEK_CUR)
        yield name, data
