"""HEIC pictures, where pi-heif (or pillow-heif) is installed: both bring a decoder under the LGPL."""

import importlib.util
from typing import Any, BinaryIO

from convnext_studio.decoding.developing import TURNS, turn_note
from convnext_studio.decoding.formats.extras import library
from convnext_studio.decoding.formats.pillow import BOXES, as_raster, seek
from convnext_studio.decoding.formats.turning_boxes import turned_by_boxes
from convnext_studio.decoding.raster import Raster, check_size

_KIND = "a HEIC picture"


def size(stream: BinaryIO, name: str) -> tuple[int, int]:
    """Return width and height, which only the header has to be read for."""
    found = _opened(stream, name).size
    check_size(found, name)
    return int(found[0]), int(found[1])


def read(stream: BinaryIO, name: str, frame: int = 0) -> Raster:
    """Return a picture; the decoder has turned it by its boxes, and EXIF has nothing to say on that."""
    image = _opened(stream, name)
    check_size(image.size, name)
    frames = int(getattr(image, "n_frames", 1))
    start = int(image.info.get("primary_index", 0) or 0)
    if frame:
        seek(image, frame, frames, name)
    notes: list[str] = []
    orientation = turned_by_boxes(stream)
    if orientation in TURNS:
        notes.append(turn_note(orientation, BOXES))
    if frames > 1 and not frame and start:
        notes.append(f"The main picture is number {start + 1}.")
    image.load()
    raster = as_raster(image, notes)
    raster.frames, raster.frame = frames, frame
    profile = image.info.get("icc_profile")
    raster.profile = profile if isinstance(profile, bytes) else b""
    return raster


def _opened(stream: BinaryIO, name: str) -> Any:
    module = (
        "pi_heif" if importlib.util.find_spec("pi_heif") or not importlib.util.find_spec("pillow_heif") else ""
    )
    heif = library(module or "pillow_heif", name, _KIND, "heic")
    stream.seek(0)
    kind = importlib.import_module(f"{heif.__name__}.as_plugin").HeifImageFile
    return kind(stream)
