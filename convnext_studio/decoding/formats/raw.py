"""What camera sensors measured (DNG, NEF, CR2, ARW, …), developed by rawpy; their previews are never shown."""

from typing import Any, BinaryIO

from convnext_studio.common.errors import StudioError
from convnext_studio.decoding.formats.extras import library
from convnext_studio.decoding.raster import Raster, check_size

_KIND = "a camera's raw file"
_ASIDE = " The preview in the file is not the picture, so it is not shown."
_LARGE_PIXELS = 14_000_000


def size(stream: BinaryIO, name: str) -> tuple[int, int]:
    """Return width and height of the developed picture, which only the header has to be read for."""
    with _opened(stream, name) as file:
        found = int(file.sizes.width), int(file.sizes.height)
    check_size(found, name)
    return found


def read(stream: BinaryIO, name: str) -> Raster:
    """Return a raw file developed with the white balance of the camera."""
    rawpy = _rawpy(name)
    with _opened(stream, name) as file:
        width, height = int(file.sizes.width), int(file.sizes.height)
        check_size((width, height), name)
        # The better methods take longer than a decoder may for more than these.
        quick = (
            rawpy.DemosaicAlgorithm.LINEAR if width * height > _LARGE_PIXELS else rawpy.DemosaicAlgorithm.AHD
        )
        try:
            samples = file.postprocess(use_camera_wb=True, output_bps=16, demosaic_algorithm=quick)
        except rawpy.LibRawError as error:
            raise _not_read(name, error) from error
        notes = ["Raw file developed by LibRaw with the camera's white balance, brightness fitted."]
        if file.sizes.flip:
            notes.append("Turned upright by its camera orientation.")
    return Raster(samples=samples, colours="rgb", is_full_range=True, notes=notes)


def _rawpy(name: str) -> Any:
    return library("rawpy", name, _KIND, "raw", _ASIDE)


def _opened(stream: BinaryIO, name: str) -> Any:
    rawpy = _rawpy(name)
    stream.seek(0)
    try:
        return rawpy.imread(stream)
    except rawpy.LibRawError as error:
        raise _not_read(name, error) from error


def _not_read(name: str, error: Exception) -> StudioError:
    reason = error.args[0] if error.args else ""
    reason = reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)
    return StudioError(
        f"“{name}” is {_KIND} that LibRaw does not read ({reason[:80]}).{_ASIDE}",
        "Develop it with the camera's program, and save it as TIFF.",
    )
