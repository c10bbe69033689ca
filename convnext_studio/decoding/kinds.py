"""Tell what kind of file something is from its first bytes, and name the kinds that are no pictures for us."""

import re
from typing import Literal

from convnext_studio.common.errors import StudioError

Kind = Literal["tiff", "png", "jpeg", "jpeg2000", "bmp", "heif", "dicom", "raw", "array", "film", "other"]
HEAD_BYTES = 4096

_STARTS: tuple[tuple[bytes, Kind], ...] = (
    (b"\xff\xd8", "jpeg"),
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"II*\0", "tiff"),
    (b"MM\0*", "tiff"),
    (b"II+\0", "tiff"),
    (b"MM\0+", "tiff"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "jpeg2000"),
    (b"\xff\x4f\xff\x51", "jpeg2000"),
    (b"BM", "bmp"),
    (b"\x93NUMPY", "array"),
    (b"FUJIFILMCCD-RAW", "raw"),
    (b"IIU\0", "raw"),  # Panasonic
    (b"IIRO", "raw"),  # Olympus
    (b"IIRS", "raw"),
    (b"MMOR", "raw"),
    (b"FOVb", "raw"),  # Sigma
    (b"\0MRM", "raw"),  # Minolta
    (b"II\x1a\0\0\0HEAPCCDR", "raw"),  # Canon
    (b"\x1aE\xdf\xa3", "film"),  # Matroska and WebM
    (b"\0\0\x01\xba", "film"),  # MPEG
    (b"FLV\x01", "film"),
    (b"OggS", "film"),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "film"),  # ASF, WMV
)
_FILM_BRANDS = (
    b"isom",
    b"mp41",
    b"mp42",
    b"M4V ",
    b"qt  ",
    b"avc1",
    b"dash",
    b"3gp4",
    b"3gp5",
    b"mmp4",
    b"MSNV",
    b"f4v ",
)
_HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")

_NO_PICTURES: tuple[tuple[bytes, str, str], ...] = (
    (
        rb"\s*(<!--.{,500}?-->\s*)?(<!doctype html|<html|<head|<body)",
        "a web page",
        "The page was probably saved instead of the picture itself.",
    ),
    (rb"version https://git-lfs", "a Git LFS pointer", "Fetch the picture itself with: git lfs pull"),
    (rb"%PDF-", "a PDF document", "Save its pages as PNG first."),
    (rb"(\xc5\xd0\xd3\xc6|%!PS)", "a PostScript file, which is a program", "Save it as PNG first."),
    (rb"\x1f\x8b", "a gzip archive", "Unpack it first."),
    (rb"(Rar!|7z\xbc\xaf|PK\x03\x04)", "an archive", "Unpack it first."),
    (rb"RIFF....WAVE", "a sound", ""),
    (rb"\x7fELF", "a program", ""),
)
_OTHER_PICTURES: tuple[tuple[bytes, str, str], ...] = (
    (rb"\s*(<\?xml.{,2000}?)?(<!--.{,2000}?-->\s*)?(<!doctype svg.{,500}?>\s*)?<svg", "an SVG drawing", ""),
    (rb"8BPS", "a Photoshop document", ""),
    (rb"v/1\x01", "an OpenEXR picture", "Save it as a float TIFF with another program."),
    (rb"#\?(RADIANCE|RGBE)", "a Radiance HDR picture", "Save it as a float TIFF with another program."),
    (rb"(\xff\x0a|\0\0\0\x0cJXL )", "a JPEG XL picture", ""),
    (rb"II\xbc", "a JPEG XR picture", ""),
    (rb"SIMPLE  =", "a FITS file", "Save its image as TIFF or .npy with another program."),
    (rb"\x89HDF\r\n", "an HDF5 file", "Save its data as TIFF or .npy with another program."),
    (rb"gimp xcf", "a GIMP document", ""),
    (rb"qoif", "a QOI picture", ""),
    (rb"DDS ", "a DirectDraw surface", ""),
    (rb"\x01\xda[\0\1][\1\2]", "an SGI picture", ""),
    (rb"\n[\0-\5][\0\1][\1\2\4\x08].{60}\0", "a PCX picture", ""),
    (rb"P7\n", "a PAM picture", "Save it as PNG, PPM or TIFF with another program."),
    (rb"P[Ff]\n", "a float map (PFM)", "Save it as a float TIFF with another program."),
    (rb"(SDPX|XPDS)", "a DPX picture", "Save it as TIFF with another program."),
    (rb"\x59\xa6\x6a\x95", "a Sun raster", ""),
    (rb"/\* XPM \*/", "an X pixmap", ""),
    (rb"#define \w+_width ", "an X bitmap", ""),
    (rb"icns", "an Apple icon", ""),
    (rb"AT&TFORM", "a DjVu document", "Save its pages as PNG first."),
    (rb"\x97JB2", "a JBIG2 picture", ""),
    (rb"\xd7\xcd\xc6\x9a", "a Windows metafile", ""),
)
_BEGINNINGS: tuple[tuple[bytes, str], ...] = (
    (rb"GIF8[79]a", "a GIF picture"),
    (rb"RIFF....WEBP", "a WebP picture"),
    (rb"....ftypavi[fs]", "an AVIF picture"),
    (rb"\x00\x00\x01\x00[\x01-\x20]\x00", "an icon"),
    (rb"P[1-6f][\s#]", "a picture of Netpbm (PBM, PGM, PPM)"),
)
"""How the pictures begin that Pillow recognises, and does not any more where the next bytes are damaged."""
_TITLES: dict[Kind, str] = {
    "tiff": "a TIFF picture",
    "png": "a PNG picture",
    "jpeg": "a JPEG picture",
    "jpeg2000": "a JPEG 2000 picture",
    "bmp": "a BMP picture",
    "heif": "a HEIC picture",
    "dicom": "a DICOM file",
    "array": "an array of numpy",
}


def kind_of(head: bytes) -> Kind:
    """Return the kind of a file from its first `HEAD_BYTES` bytes; ``other`` is for Pillow to find out."""
    for start, kind in _STARTS:
        if head.startswith(start):
            return "raw" if kind == "tiff" and head[8:10] == b"CR" else kind
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return "film"
    if head[4:8] == b"ftyp":
        return _kind_of_boxes(head)
    if head[4:8] in (b"moov", b"mdat", b"wide") or (
        head[:1] == b"G" and head[188:189] == head[376:377] == b"G"
    ):
        return "film"
    if head[128:132] == b"DICM":
        return "dicom"
    if head.startswith(b"PK\x03\x04") and b".npy" in head[:400]:
        return "array"
    return "other"


def _kind_of_boxes(head: bytes) -> Kind:
    """Return the kind of a file in the boxes of MPEG-4, from the brands that it names."""
    if head[8:12] == b"crx ":
        return "raw"
    end = min(int.from_bytes(head[:4], "big"), 256)
    brands = {head[8:12], *(head[at : at + 4] for at in range(16, end, 4))}
    if brands & {b"avif", b"avis"}:
        return "other"
    if brands.intersection(_HEIF_BRANDS):
        return "heif"
    return "film" if brands.intersection(_FILM_BRANDS) or head[8:11] == b"iso" else "other"


def stranger(head: bytes, name: str) -> StudioError:
    """Return the error for what no decoder knows; it names the kind of file if that can be seen."""
    known = _TITLES.get(kind_of(head)) or next(
        (title for pattern, title in _BEGINNINGS if re.match(pattern, head, re.DOTALL)), ""
    )
    if known:
        return StudioError(
            f"“{name}” begins as {known}, but is damaged after that, or of a rare variant.",
            "Copy or download it again, or save it as PNG with another program.",
        )
    for pattern, kind, hint in _NO_PICTURES:
        if re.match(pattern, head, re.IGNORECASE | re.DOTALL):
            return StudioError(f"“{name}” is {kind}, not a picture.", hint)
    for pattern, kind, hint in _OTHER_PICTURES:
        if re.match(pattern, head, re.IGNORECASE | re.DOTALL):
            hint = hint or "Save it as PNG or TIFF with another program."
            return StudioError(f"“{name}” is {kind}; files of this kind cannot be opened.", hint)
    return StudioError(
        f"“{name}” is not a picture of a known format.",
        "PNG, JPEG, WebP, TIFF, BMP, GIF and others can be opened.",
    )
