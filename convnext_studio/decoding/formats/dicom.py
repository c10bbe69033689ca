"""DICOM pictures, read with pydicom where it is installed; imagecodecs helps with their compressions."""

from collections.abc import Callable
from typing import Any, BinaryIO

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from convnext_studio.common.errors import StudioError
from convnext_studio.decoding.formats.extras import library
from convnext_studio.decoding.raster import (
    Raster,
    as_bands,
    check_bytes,
    check_size,
    no_such_frame,
    not_decoded,
)

_KIND = "a DICOM picture"
_JPEG, _JPEG2000, _JPEG_LS = "JPEG", "JPEG 2000", "JPEG-LS"


def size(stream: BinaryIO, name: str) -> tuple[int, int]:
    """Return width and height, which only the header has to be read for."""
    found = _size(_dataset(stream, name, stop_before_pixels=True), name)
    check_size(found, name)
    return found


def read(stream: BinaryIO, name: str, frame: int = 0) -> Raster:
    """Return a frame with the window that the file names, or with its full range."""
    data = _dataset(stream, name, stop_before_pixels=False)
    width, height = _size(data, name)
    frames = int(data.get("NumberOfFrames", 1) or 1)
    bands = int(data.get("SamplesPerPixel", 1))
    check_bytes((width, height), bands, int(data.get("BitsAllocated", 8)) // 8 or 1, name)
    if not 0 <= frame < frames:
        raise no_such_frame(name, frame, frames)
    samples, is_rgb = _frame(data, frame, name)
    raster = _colour(samples, is_rgb) if bands >= 3 else _grey(data, samples, name)
    raster.frames, raster.frame = frames, frame
    return raster


def _dataset(stream: BinaryIO, name: str, stop_before_pixels: bool) -> Any:
    pydicom = library("pydicom", name, _KIND, "dicom")
    stream.seek(0)
    return pydicom.dcmread(stream, stop_before_pixels=stop_before_pixels, force=True)


def _size(data: Any, name: str) -> tuple[int, int]:
    if "Rows" not in data or "Columns" not in data:
        raise StudioError(
            f"“{name}” is a DICOM file without a picture.", "Open one of the pictures of the study."
        )
    return int(data.Columns), int(data.Rows)


def _frame(data: Any, frame: int, name: str) -> tuple[NDArray[Any], bool]:
    """Return a frame's stored values, and whether its colours have become RGB."""
    pixels = library("pydicom.pixels", name, _KIND, "dicom")
    try:
        found: NDArray[Any] = pixels.pixel_array(data, index=frame, raw=False)
        return as_bands(found), True
    except (NotImplementedError, RuntimeError, AttributeError, ValueError) as error:
        # No plug-in of pydicom for this compression.
        return _unpacked(data, frame, name, error)


def _unpacked(data: Any, frame: int, name: str, reason: Exception) -> tuple[NDArray[Any], bool]:
    encaps = library("pydicom.encaps", name, _KIND, "dicom")
    syntax = data.file_meta.TransferSyntaxUID
    decode = _decoder(str(syntax.name))
    if decode is None:
        raise not_decoded(name, f"a DICOM picture with the compression {syntax.name}") from reason
    coded = encaps.get_frame(data.PixelData, frame, number_of_frames=int(data.get("NumberOfFrames", 1) or 1))
    found = as_bands(decode(coded))
    if int(data.get("PixelRepresentation", 0)) and found.dtype.kind == "u":
        found = found.view(found.dtype.str.replace("u", "i"))
    return found, True


def _decoder(syntax: str) -> Callable[[bytes], NDArray[Any]] | None:
    if _JPEG2000 in syntax:
        return imagecodecs.jpeg2k_decode
    if _JPEG_LS in syntax:
        return imagecodecs.jpegls_decode
    return imagecodecs.jpeg_decode if _JPEG in syntax else None


def _colour(samples: NDArray[Any], is_rgb: bool) -> Raster:
    assert is_rgb
    return Raster(samples=samples[..., :3], colours="rgb", is_full_range=True)


def _grey(data: Any, samples: NDArray[Any], name: str) -> Raster:
    """Return grey values in the units of the study, cut to the window that a radiologist would see."""
    pixels = library("pydicom.pixels", name, _KIND, "dicom")
    if str(data.get("PhotometricInterpretation", "")) == "PALETTE COLOR":
        colours = pixels.apply_color_lut(samples[..., 0], data)
        return Raster(samples=colours, colours="rgb", is_full_range=True, notes=["Palette converted to RGB."])
    values = np.asarray(pixels.apply_rescale(samples, data))
    notes: list[str] = []
    highest = None
    window = _window(data)
    if window is not None:
        low, high = window
        values = np.clip((values.astype(np.float32) - low) / (high - low), 0, 1)
        notes.append(f"Window of the file: {low:,.6g} to {high:,.6g} are shown as black to white.")
    elif values.dtype == samples.dtype and values.min() >= 0:
        highest = float(2 ** int(data.get("BitsStored", 8 * values.dtype.itemsize)) - 1)
        values = values.astype(np.uint16) if values.dtype.kind == "i" else values
    return Raster(
        samples=values,
        colours="grey",
        highest=highest,
        zero_is_white=str(data.get("PhotometricInterpretation", "")) == "MONOCHROME1",
        notes=notes,
    )


def _window(data: Any) -> tuple[float, float] | None:
    centre, width = data.get("WindowCenter"), data.get("WindowWidth")
    try:
        centre = float(centre[0] if hasattr(centre, "__len__") and not isinstance(centre, str) else centre)
        width = float(width[0] if hasattr(width, "__len__") and not isinstance(width, str) else width)
    except (TypeError, ValueError, IndexError):
        return None
    # DICOM PS3.3 C.11.2.1.2.1: the linear function of whole steps.
    return (centre - 0.5 - (width - 1) / 2, centre - 0.5 + (width - 1) / 2) if width > 1 else None
