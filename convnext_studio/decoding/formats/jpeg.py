"""JPEG files by Pillow; those of 12 bits, and JPEG-LS and lossless JPEG, by libjpeg-turbo and CharLS."""

import io
from typing import Any, BinaryIO

import imagecodecs
from PIL import Image, UnidentifiedImageError

from convnext_studio.decoding.formats import pillow
from convnext_studio.decoding.raster import Raster, as_bands, check_bytes, check_size, failed

_FRAMES = {*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC}
_LOSSLESS, _JPEG_LS = 0xC3, 0xF7
_END = b"\xff\xd9"
_ALONE = {0x01, *range(0xD0, 0xD9)}
_SEARCHED_BYTES = 1 << 24


def size(stream: BinaryIO, name: str) -> tuple[int, int]:
    """Return width and height, which only the header has to be read for."""
    try:
        return pillow.size(stream, name)
    except UnidentifiedImageError:
        _, _, found = _frame_head(stream)
        if not found[0]:
            raise
        check_size(found, name)
        return found


def read(stream: BinaryIO, name: str, longest_px: int = 0) -> Raster:
    """Return a picture, upright."""
    marker, bits, found = _frame_head(stream)
    stream.seek(0)
    if bits <= 8 and marker not in (_LOSSLESS, _JPEG_LS):
        return pillow.read(stream, name, 0, longest_px)
    return _unusual(stream, name, marker, bits, found)


def _unusual(stream: BinaryIO, name: str, marker: int, bits: int, found: tuple[int, int]) -> Raster:
    check_bytes(found, 4, 2, name)
    stream.seek(0)
    data = stream.read()
    is_jpeg_ls = marker == _JPEG_LS
    kind = "a JPEG-LS picture" if is_jpeg_ls else f"a {'lossless ' * (marker == _LOSSLESS)}JPEG of {bits} bits"
    if is_jpeg_ls and _END not in data:
        raise failed(name, kind)  # The decoder would search for its end for ever.
    decoders: list[Any] = [imagecodecs.jpegls_decode] if is_jpeg_ls else [imagecodecs.jpeg_decode]
    if marker == _LOSSLESS:
        decoders += [imagecodecs.ljpeg_decode, imagecodecs.jpegsof3_decode]
    for decode in decoders:
        try:
            samples = as_bands(decode(data))
        except (RuntimeError, ValueError, TypeError):  # The errors of imagecodecs are RuntimeErrors.
            continue
        break
    else:
        raise failed(name, kind)
    raster = Raster(
        samples=samples,
        colours="grey" if samples.shape[2] == 1 else "rgb",
        bits=bits if samples.dtype.itemsize == 2 else 0,
    )
    _take_metadata(raster, data)
    return raster


def _take_metadata(raster: Raster, data: bytes) -> None:
    """Take orientation and profile from the segments in front, which Pillow reads if the frame has 8 bits."""
    place = _place_of_frame(data)
    if place < 0:
        return
    plain = data[: place + 1] + b"\xc0" + data[place + 2 : place + 4] + b"\x08" + data[place + 5 :]
    try:
        with Image.open(io.BytesIO(plain), formats=("JPEG",)) as image:
            raster.orientation, raster.orientation_source = pillow.stated_orientation(image, raster.notes)
            raster.profile = image.info.get("icc_profile") or b""
    except Exception:  # The pixels are there; what is beside them is not worth an error.
        raster.notes.append("Its metadata were not read.")


def _place_of_frame(data: bytes) -> int:
    place = 2
    while place + 9 <= len(data) and data[place] == 0xFF:
        marker = data[place + 1]
        if marker in _FRAMES:
            return place
        if marker == 0xFF:
            place += 1
        elif marker in _ALONE:
            place += 2
        else:
            place += 2 + int.from_bytes(data[place + 2 : place + 4], "big")
    return -1


def _frame_head(stream: BinaryIO) -> tuple[int, int, tuple[int, int]]:
    """Return marker, bits and size of the frame; zeros if there is no frame to be found."""
    stream.seek(0)
    data = stream.read(1 << 16)
    place = _place_of_frame(data)
    if place < 0:
        stream.seek(0)
        data = stream.read(_SEARCHED_BYTES)
        place = _place_of_frame(data)
    if place < 0:
        return 0, 0, (0, 0)
    height, width = (int.from_bytes(data[place + at : place + at + 2], "big") for at in (5, 7))
    return data[place + 1], data[place + 4], (width, height)
