"""Pictures that Pillow decodes: JPEG, PNG of 8 bits, GIF, WebP, AVIF, icons, PNM, and what else it is given."""

import struct
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    IcoImagePlugin,
    Image,
    JpegImagePlugin,
    PngImagePlugin,
    PpmImagePlugin,
    WebPImagePlugin,
)

from convnext_studio.decoding.developing import TURNS, turn_note
from convnext_studio.decoding.raster import Alpha, Colours, Raster, as_bands, check_size, no_such_frame

# Formats with well-maintained decoders. Other formats of Pillow are not opened (EPS would run Ghostscript).
# Naming the plug-ins is faster than Pillow's search for all of them. An MPO file is opened as the JPEG that it
# starts with.
_PLUGINS = (
    AvifImagePlugin.AvifImageFile,
    BmpImagePlugin.BmpImageFile,
    GifImagePlugin.GifImageFile,
    IcoImagePlugin.IcoImageFile,
    JpegImagePlugin.JpegImageFile,
    PngImagePlugin.PngImageFile,
    PpmImagePlugin.PpmImageFile,
    WebPImagePlugin.WebPImageFile,
)
FORMATS = tuple(plugin.format for plugin in _PLUGINS)
BOXES = "rotation and mirror boxes (irot, imir)"
"""What turns the pictures of HEIC and AVIF files."""
_ORIENTATION = 0x0112
_EXIF_DIRECTORY, _INTEROPERABILITY, _INDEX, _COLOUR_SPACE = 0x8769, 0xA005, 1, 0xA001
_UNCALIBRATED = 0xFFFF
_AS_STORED: dict[str, tuple[Colours, Alpha]] = {
    "RGB": ("rgb", "none"),
    "L": ("grey", "none"),
    "CMYK": ("cmyk", "none"),
    "RGBA": ("rgb", "straight"),
    "LA": ("grey", "straight"),
    "I": ("grey", "none"),
    "F": ("grey", "none"),
}
_CONVERSIONS = {
    "P": "Palette converted to RGB.",
    "PA": "Palette converted to RGB.",
    "1": "Black and white converted to RGB.",
}


def size(stream: BinaryIO, name: str) -> tuple[int, int]:
    """Return width and height, which only the header has to be read for."""
    stream.seek(0)
    with Image.open(stream, formats=FORMATS) as image:
        check_size(image.size, name)
        return image.size


def read(stream: BinaryIO, name: str, frame: int = 0, longest_px: int = 0) -> Raster:
    """Return a frame of a picture, upright; a JPEG is not decoded at its full size if that is not needed."""
    stream.seek(0)
    with Image.open(stream, formats=FORMATS) as image:
        return read_opened(image, name, frame, longest_px)


def read_opened(image: Image.Image, name: str, frame: int = 0, longest_px: int = 0) -> Raster:
    """Return a frame of a picture that Pillow has opened."""
    check_size(image.size, name)
    frames = int(getattr(image, "n_frames", 1))
    if frame:
        seek(image, frame, frames, name)
    if longest_px and isinstance(image, JpegImagePlugin.JpegImageFile):
        image.draft(None, (2 * longest_px, 2 * longest_px))
    image.load()
    check_size(image.size, name)  # The pictures in an icon may differ from the sizes that it lists.
    notes: list[str] = []
    picture = upright(image, notes)
    raster = as_raster(picture, notes)
    raster.frames, raster.frame = frames, frame
    raster.profile = _profile(image)
    return raster


def seek(image: Image.Image, frame: int, frames: int, name: str) -> None:
    """Go to a frame; raise a StudioError if there is none of that number."""
    if not 0 <= frame < frames:
        raise no_such_frame(name, frame, frames)
    image.seek(frame)


def as_raster(picture: Image.Image, notes: list[str]) -> Raster:
    """Return a Pillow image as a raster; modes that no raster has are converted."""
    mode = picture.mode
    if mode.startswith("I;16"):
        return Raster(samples=as_bands(np.asarray(picture).astype(np.uint16)), colours="grey", notes=notes)
    if mode in _CONVERSIONS:
        notes.append(_CONVERSIONS[mode])
    if picture.has_transparency_data and mode not in ("RGBA", "LA"):
        picture = picture.convert("RGBA")
    elif mode == "1":
        picture = picture.convert("L")
    elif mode not in _AS_STORED:
        if mode not in _CONVERSIONS and mode != "RGBX":
            notes.append(f"{mode} converted to RGB, without a colour profile.")
        picture = picture.convert("RGB")
    colours, alpha = _AS_STORED[picture.mode]
    samples: NDArray[Any] = as_bands(np.asarray(picture))
    return Raster(samples=samples, colours=colours, alpha=alpha, notes=notes)


def upright(image: Image.Image, notes: list[str]) -> Image.Image:
    """Return the image turned by the orientation that its metadata state."""
    orientation, source = stated_orientation(image, notes)
    if orientation not in TURNS:
        return image
    notes.append(turn_note(orientation, source))
    return image.transpose(TURNS[orientation])


def stated_orientation(image: Image.Image, notes: list[str]) -> tuple[int, str]:
    """Return the orientation that the metadata state, 1 if none, and where they state it."""
    try:
        orientation = image.getexif().get(_ORIENTATION, 1)
        if orientation in TURNS:
            return int(orientation), orientation_source(image)
    except Exception:  # Damaged metadata can raise anything, but the pixels are still good.
        notes.append("Damaged EXIF data were ignored.")
    return 1, ""


def orientation_source(image: Image.Image) -> str:
    """Return what states the orientation that Pillow found."""
    if image.format == "AVIF":
        return BOXES
    exif = Image.Exif()
    try:
        exif.load(image.info.get("exif") or b"")
        if "Raw profile type exif" in image.info or exif.get(_ORIENTATION) is not None:
            return "EXIF orientation"
    except Exception:  # Damaged metadata can raise anything.
        return "EXIF orientation"
    has_xmp = "xmp" in image.info or "XML:com.adobe.xmp" in image.info
    return "XMP orientation" if has_xmp else "EXIF orientation"


def _profile(image: Image.Image) -> bytes:
    profile = image.info.get("icc_profile")
    if isinstance(profile, bytes) and profile:
        return profile
    if isinstance(image, JpegImagePlugin.JpegImageFile) and _is_adobe_rgb(image):
        return adobe_rgb()
    return b""


def _is_adobe_rgb(image: Image.Image) -> bool:
    """Whether a camera says by the DCF standard's mark that the colours are those of Adobe RGB."""
    if image.mode != "RGB" or "exif" not in image.info:
        return False
    try:
        exif = image.getexif()
        if exif.get_ifd(_EXIF_DIRECTORY).get(_COLOUR_SPACE) != _UNCALIBRATED:
            return False
        return str(exif.get_ifd(_INTEROPERABILITY).get(_INDEX, "")).startswith("R03")
    except Exception:  # Damaged metadata can raise anything.
        return False


def adobe_rgb() -> bytes:
    """Return an ICC profile of the colours of Adobe RGB (1998): its primaries, gamma 2.2, white D65."""
    columns = ((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457))
    name = b"Adobe RGB (1998)"
    text = b"desc" + bytes(4) + struct.pack(">I", len(name) + 1) + name + b"\0" + bytes(78)
    curve = b"curv" + bytes(4) + struct.pack(">IH", 1, 0x0233) + bytes(2)
    tags = [(b"desc", text), (b"cprt", b"text" + bytes(4) + b"CC0\0"), (b"wtpt", _xyz(0.9642, 1.0, 0.8249))]
    tags += [(key, _xyz(*column)) for key, column in zip((b"rXYZ", b"gXYZ", b"bXYZ"), columns, strict=True)]
    tags += [(key, curve) for key in (b"rTRC", b"gTRC", b"bTRC")]
    place = 128 + 4 + 12 * len(tags)
    table, body = struct.pack(">I", len(tags)), b""
    for key, value in tags:
        padded = value + bytes(-len(value) % 4)
        table += key + struct.pack(">II", place + len(body), len(value))
        body += padded
    head = bytearray(128)
    head[8:12], head[12:24], head[36:40] = b"\x02\x10\0\0", b"mntrRGB XYZ ", b"acsp"
    head[68:80] = _xyz(0.9642, 1.0, 0.8249)[8:]
    head[0:4] = struct.pack(">I", place + len(body))
    return bytes(head) + table + body


def _xyz(x: float, y: float, z: float) -> bytes:
    return b"XYZ " + bytes(4) + struct.pack(">3i", *(round(value * 65536) for value in (x, y, z)))
