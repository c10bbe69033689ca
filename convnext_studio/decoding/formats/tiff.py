"""TIFF files of every number type, number of bands, arrangement and compression, read with tifffile.

What tifffile leaves out (subsampled chroma outside JPEG, old JPEG in pieces, LogLuv) is left to libtiff.
"""

import contextlib
import logging
import struct
from collections.abc import Iterator
from typing import Any, BinaryIO

import imagecodecs
import numpy as np
import tifffile
from numpy.typing import NDArray

from convnext_studio.common.errors import StudioError
from convnext_studio.decoding.colour_profiles import lab_to_srgb
from convnext_studio.decoding.formats import raw
from convnext_studio.decoding.raster import (
    Alpha,
    Colours,
    Raster,
    check_bytes,
    check_size,
    failed,
    incomplete,
    no_such_frame,
    not_decoded,
    stripes,
)

_REDUCED, _MASK = 1, 4
_OLD_REDUCED = 2
_SEARCHED_PAGES = 64
_MAX_BANDS = 4096
_PREVIEW_FACTOR = 2
_SUBFILE, _OLD_SUBFILE, _ORIENTATION, _HIGHEST, _WHITE_POINT = 254, 255, 274, 281, 318
_INK_SET, _EXTRA_SAMPLES, _SIGNED_HIGHEST, _PROFILE, _DNG, _NO_DATA = 332, 338, 341, 34675, 50706, 42113
_CMYK_INKS = 1
_D65_X = 0.3127
_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _PALETTE, _STENCIL, _CMYK, _YCC, _LAB, _ICC_LAB = (
    0,
    1,
    2,
    3,
    4,
    5,
    6,
    8,
    9,
)
_SENSOR = (32803, 34892)
_LOG_COLOURS = (32844, 32845)
_OLD_JPEG, _JPEGS = 6, (7, 34892, 33007)
_YCC_IS_RGB = (6, 7, 34892, 33007, 33003, 33004, 33005, 34712, 50001)
_COLOURS: dict[int, tuple[Colours, int]] = {
    _WHITE_IS_ZERO: ("grey", 1),
    _BLACK_IS_ZERO: ("grey", 1),
    _RGB: ("rgb", 3),
    _STENCIL: ("grey", 1),
    _CMYK: ("cmyk", 4),
    _YCC: ("rgb", 3),
    _LAB: ("rgb", 3),
    _ICC_LAB: ("rgb", 3),
}
_ALPHAS: dict[int, Alpha] = {1: "premultiplied", 2: "straight"}
Page = tifffile.TiffPage


def size(stream: BinaryIO, name: str) -> tuple[int, int]:
    """Return width and height of the picture, which only the directories have to be read for."""
    with _opened(stream) as file:
        pages = _first_pages(file, name)
        if _is_sensor(pages):
            return raw.size(stream, name)
        page = _chosen(file, pages, name, 0)[0]
        found = page.imagewidth, page.imagelength
    check_size(found, name)
    return found


def read(stream: BinaryIO, name: str, frame: int = 0) -> Raster:
    """Return a page of a TIFF file; previews and masks do not count as pages."""
    with _opened(stream) as file:
        pages = _first_pages(file, name)
        if _is_sensor(pages):
            return raw.read(stream, name)
        page, count, notes = _chosen(file, pages, name, frame)
        raster = _read(page, stream, name)
        raster.frames, raster.frame = count, frame
        raster.notes = notes + raster.notes
        return raster


@contextlib.contextmanager
def _opened(stream: BinaryIO) -> Iterator[tifffile.TiffFile]:
    """Open a file without tifffile's remarks on odd tags, which would go to the terminal."""
    logger = logging.getLogger("tifffile")
    before, logger.disabled = logger.disabled, True
    try:
        stream.seek(0)
        with tifffile.TiffFile(stream, _multifile=False) as file:
            yield file
    finally:
        logger.disabled = before


def _first_pages(file: tifffile.TiffFile, name: str) -> list[Page]:
    count = len(file.pages)
    if not count:
        raise StudioError(f"“{name}” is a TIFF file without a picture.", "Copy or download it again.")
    return [_page(file, index) for index in range(min(count, _SEARCHED_PAGES))]


def _is_sensor(pages: list[Page]) -> bool:
    """Whether the file holds what a camera's sensor measured, beside which any picture is a preview."""
    every = [*pages, *(page for parent in pages for page in _sub_pages(parent))]
    return any(page.photometric in _SENSOR or page.tags.get(_DNG) for page in every)


def _chosen(file: tifffile.TiffFile, first: list[Page], name: str, frame: int) -> tuple[Page, int, list[str]]:
    """Return a page, the number of pages, and notes on how it was chosen; `first` are the first of them."""
    whole = [page for page in first if not _is_aside(page)]
    count = len(file.pages) - len(first) + len(whole)
    skipped = len(first) - len(whole)
    notes = (
        [f"Passed over: {skipped} reduced {'copy' if skipped == 1 else 'copies'} or masks."] if skipped else []
    )
    if not whole:
        others = [page for parent in first for page in _sub_pages(parent) if not _is_aside(page)]
        whole, count = [max(others or first, key=_area)], 1
        only = "Only a reduced copy (preview) is in this file; it is shown."
        notes = ["The preview in front of the picture is passed over." if others else only]
    preview = whole[0]
    if _is_unmarked_preview(whole):
        size = f"{preview.imagewidth} × {preview.imagelength} pixels"
        notes.append(f"Passed over: the first page, {size}, which is a preview of a later one.")
        whole, count, skipped = whole[1:], count - 1, skipped + 1
    if not 0 <= frame < count:
        raise no_such_frame(name, frame, count)
    return whole[frame] if frame < len(whole) else _page(file, frame + skipped), count, notes


def _page(file: tifffile.TiffFile, index: int) -> Page:
    page = file.pages[index]
    return page if isinstance(page, Page) else page.aspage()


def _sub_pages(page: Page) -> list[Page]:
    """Return the pages that hang from a page; what cannot be read is left out, as the page itself is sound."""
    if not page.subifds:
        return []
    try:
        return [each for each in page.pages or () if isinstance(each, Page)][:_SEARCHED_PAGES]
    except Exception:  # tifffile raises exceptions of every kind for damaged directories.
        return []


def _area(page: Page) -> int:
    return page.imagewidth * page.imagelength


def _is_aside(page: Page) -> bool:
    """Whether a page is a reduced copy or a mask of another."""
    kind, old = _number(page, _SUBFILE), _number(page, _OLD_SUBFILE)
    return bool(kind & (_REDUCED | _MASK)) or old == _OLD_REDUCED


def _is_unmarked_preview(pages: list[Page]) -> bool:
    """Whether the first page is a small copy of the next, though it is not marked as one."""
    if len(pages) < 2 or not _area(pages[0]):
        return False
    small, large = pages[:2]
    if large.imagewidth < _PREVIEW_FACTOR * small.imagewidth:
        return False
    height = large.imagelength * small.imagewidth / large.imagewidth
    return abs(height - small.imagelength) <= 1


def _number(page: Page, tag: int) -> int:
    value = page.tags.valueof(tag, default=0)
    value = value[0] if isinstance(value, tuple) and value else value
    try:
        return int(value)
    except (TypeError, ValueError):
        return 0


def _read(page: Page, stream: BinaryIO, name: str) -> Raster:
    dtype = page.dtype
    check_size((page.imagewidth, page.imagelength), name)
    if page.samplesperpixel > _MAX_BANDS:
        raise not_decoded(name, f"a TIFF of {page.samplesperpixel:,} bands")
    item_bytes = 1 if dtype is None else dtype.itemsize
    check_bytes((page.imagewidth, page.imagelength), page.samplesperpixel, item_bytes, name)
    if _is_for_libtiff(page):
        raster = _through_libtiff(page, stream, name)
        raster.notes.append(
            "YCbCr converted to RGB." if page.photometric == _YCC else "Colours converted to RGB."
        )
    else:
        _check_decodable(page, name)
        raster = _raster(page, _samples(page, name), name)
    raster.orientation = _number(page, _ORIENTATION) or 1
    raster.orientation_source = "TIFF orientation tag"
    profile = page.tags.valueof(_PROFILE)
    is_own_colour = page.photometric not in (_LAB, _ICC_LAB)
    raster.profile = profile if isinstance(profile, bytes) and is_own_colour else b""
    return raster


def _is_for_libtiff(page: Page) -> bool:
    if page.photometric in _LOG_COLOURS:
        return True
    if page.compression == _OLD_JPEG:
        return True
    return page.photometric == _YCC and page.compression not in _YCC_IS_RGB


def _check_decodable(page: Page, name: str) -> None:
    """Raise a StudioError that names what there is no decoder for."""
    if page.dtype is None:
        raise not_decoded(name, f"a TIFF of {page.bitspersample}-bit samples of the format {page.sampleformat}")
    try:
        tifffile.TIFF.DECOMPRESSORS[page.compression]
    except KeyError:
        code = int(page.compression)
        said = getattr(page.compression, "name", f"number {code}")
        raise not_decoded(name, f"a TIFF with the compression {said}") from None
    if page.photometric not in _COLOURS and page.photometric != _PALETTE:
        said = getattr(page.photometric, "name", f"number {int(page.photometric)}")
        raise not_decoded(name, f"a TIFF with the colours {said}")


def _samples(page: Page, name: str) -> NDArray[Any]:
    """Return the stored samples, (H, W, bands)."""
    _check_is_complete(page, name)
    try:
        stored = page.asarray(maxworkers=1)
    except (ValueError, NotImplementedError) as error:
        if "not supported" not in str(error):
            raise
        said = getattr(page.compression, "name", page.compression)
        kind = f"a TIFF of {_bits(page)}-bit samples with the compression {said} and predictor {page.predictor}"
        raise not_decoded(name, kind) from error
    height, width, bands = page.imagelength, page.imagewidth, page.samplesperpixel
    planes = bands if page.planarconfig == 2 else 1
    shaped = stored.reshape(planes, page.imagedepth, height, width, bands // planes)[:, 0]
    return shaped.transpose(1, 2, 0, 3).reshape(height, width, bands) if planes > 1 else shaped[0]


def _check_is_complete(page: Page, name: str) -> None:
    """Raise a StudioError if the file ends before its data, for which tifffile would give black."""
    ends = [start + count for start, count in zip(page.dataoffsets, page.databytecounts, strict=False) if count]
    if page.compression != 1 or not ends:
        starts = page.dataoffsets
        if starts and max(starts) >= page.parent.filehandle.size:
            raise incomplete(name)
        return
    packed = page.imagewidth * page.imagelength * page.samplesperpixel * _bits(page) // 8
    needed = min(max(ends), page.dataoffsets[0] + packed if page.is_contiguous else max(ends))
    if needed > page.parent.filehandle.size:
        raise incomplete(name)


def _bits(page: Page) -> int:
    bits: Any = page.bitspersample  # One for each band if they differ.
    return int(np.max(bits))


def _raster(page: Page, samples: NDArray[Any], name: str) -> Raster:
    notes: list[str] = []
    if page.imagedepth > 1:
        notes.append(f"First of {page.imagedepth} slices.")
    if np.iscomplexobj(samples):
        samples = np.abs(samples)
        notes.append("Complex values are shown by their magnitude.")
    no_data = _no_data(page)
    if page.photometric == _PALETTE:
        samples = _coloured(page, samples, name)
        notes.append("Palette converted to RGB.")
        return Raster(samples=samples, colours="rgb", notes=notes)
    if page.photometric in (_LAB, _ICC_LAB):
        notes.append("CIELAB converted to sRGB.")
        return Raster(samples=_from_lab(page, samples, name), colours="rgb", notes=notes)
    colours, count = _COLOURS[page.photometric]
    if page.photometric == _CMYK and _number(page, _INK_SET) not in (0, _CMYK_INKS):
        colours, count = "bands", page.samplesperpixel
    extra = samples.shape[2] - count
    if extra < 0:
        raise not_decoded(name, f"a TIFF of {samples.shape[2]} bands that says it has {count} colours")
    alpha = _alpha(page, extra)
    if alpha == "none" and extra and colours == "grey":
        colours = "bands"
    bits = _bits(page)
    return Raster(
        samples=samples,
        colours=colours,
        alpha=alpha,
        bits=bits if samples.dtype.kind == "u" and bits < 8 * samples.dtype.itemsize else 0,
        # Programs for photographs that write a profile use all 16 bits.
        is_full_range=colours in ("rgb", "cmyk") and page.tags.get(_PROFILE) is not None,
        highest=_highest(page, samples.dtype),
        zero_is_white=page.photometric == _WHITE_IS_ZERO,
        no_data=no_data,
        notes=notes,
    )


def _alpha(page: Page, extra: int) -> Alpha:
    if extra < 1 or page.tags.get(_EXTRA_SAMPLES) is None:
        return "none"
    kinds = page.extrasamples
    first = int(kinds[0]) if kinds else 0
    return _ALPHAS.get(first, "none")


def _highest(page: Page, dtype: np.dtype[Any]) -> float | None:
    """Return the value of white, where a tag states one below the type's own."""
    if dtype.kind != "u" or dtype.itemsize == 1:
        return None
    stated = max(_number(page, _HIGHEST), _number(page, _SIGNED_HIGHEST))
    return float(stated) if 1 < stated < 2 ** _bits(page) - 1 else None


def _no_data(page: Page) -> float | None:
    value = page.tags.valueof(_NO_DATA)
    try:
        return float(str(value).strip().strip("\0")) if value is not None else None
    except ValueError:
        return None


def _coloured(page: Page, samples: NDArray[Any], name: str) -> NDArray[np.uint8]:
    """Return palette indices as colours."""
    colormap = page.colormap
    if colormap is None:
        raise not_decoded(name, "a TIFF with a palette that is not there")
    # The values have 16 bits; some programs write them with 8.
    table = colormap.T if colormap.max() <= 0xFF else np.rint(colormap.T / 257)
    indices = samples[..., 0].astype(np.intp)
    return np.asarray(table.astype(np.uint8)[np.minimum(indices, len(table) - 1)])


def _from_lab(page: Page, samples: NDArray[Any], name: str) -> NDArray[np.uint8]:
    """Return CIELAB samples as sRGB."""
    if samples.shape[2] < 3 or (samples.dtype.kind != "f" and samples.dtype.itemsize > 2):
        kind = f"a TIFF of CIELAB colours with {samples.shape[2]} bands of {_bits(page)} bits"
        raise not_decoded(name, kind)
    white = page.tags.valueof(_WHITE_POINT)
    is_d65 = isinstance(white, tuple) and len(white) == 4 and abs(white[0] / max(white[1], 1) - _D65_X) < 0.005
    pixels = np.empty((*samples.shape[:2], 3), np.uint8)
    for rows in stripes(*samples.shape[:2]):
        pixels[rows] = lab_to_srgb(_lab(samples[rows, :, :3], page.photometric == _LAB), is_d65)
    return pixels


def _lab(samples: NDArray[Any], is_signed: bool) -> NDArray[np.float32]:
    """Return stored samples in CIELAB's own numbers."""
    lab = samples.astype(np.float32)
    if samples.dtype.kind == "f":
        return lab
    is_wide = samples.dtype.itemsize == 2
    unit = 256 if is_wide else 1
    lab[..., 0] *= 100 / ((65535 if is_signed else 65280) if is_wide else 255)
    if is_signed:
        lab[..., 1:] = samples[..., 1:].astype(np.int16 if is_wide else np.int8)
        lab[..., 1:] /= unit
    else:
        lab[..., 1:] = lab[..., 1:] / unit - 128
    return lab


def _through_libtiff(page: Page, stream: BinaryIO, name: str) -> Raster:
    if page.parent.filehandle.size > 1 << 29:
        raise not_decoded(name, "a TIFF of more than 512 MB with unusual colours")
    stream.seek(0)
    data = bytearray(stream.read())
    orientation = page.tags.get(_ORIENTATION)
    if orientation is not None:  # libtiff would turn some, and leave others.
        data[orientation.valueoffset : orientation.valueoffset + 2] = struct.pack(
            page.parent.byteorder + "H", 1
        )
    try:
        rgba = imagecodecs.tiff_decode(bytes(data), index=page.index, asrgb=True)
    except (imagecodecs.TiffError, ValueError, RuntimeError, IndexError) as error:
        compression = getattr(page.compression, "name", page.compression)
        raise failed(name, f"a TIFF with the compression {compression}") from error
    return Raster(samples=rgba[..., :3], colours="rgb")
