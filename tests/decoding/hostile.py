"""Pictures that nobody should have to open, made here: lying, bombs, loops, and every format and mode."""

import io
import struct
import zlib
from collections.abc import Iterator
from functools import cache
from typing import Any

import imagecodecs
import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image

from tests.decoding.files import encoded

FORMATS = ("PNG", "JPEG", "GIF", "TIFF", "BMP", "WEBP", "TGA", "PPM", "ICO", "JPEG2000", "AVIF")
MODES = (
    "1",
    "L",
    "LA",
    "La",
    "P",
    "PA",
    "RGB",
    "RGBA",
    "RGBa",
    "RGBX",
    "CMYK",
    "YCbCr",
    "LAB",
    "HSV",
    "I",
    "F",
    "I;16",
)
SMALL = Image.fromarray(np.random.default_rng(0).integers(0, 256, (9, 8, 3), np.uint8))


def of_every_format_and_mode() -> Iterator[tuple[str, bytes, tuple[int, int]]]:
    """Name, file and size of a small picture in every mode that a format can hold."""
    for kind in FORMATS:
        for mode in MODES:
            try:
                yield f"{kind} {mode}", encoded(in_mode(mode), kind), SMALL.size
            except (OSError, ValueError, KeyError):
                continue  # The format has no such mode.


def in_mode(mode: str) -> Image.Image:
    """The small picture in any of Pillow's modes; values of many bits span their range."""
    if mode in ("I", "F", "I;16"):
        grey = np.asarray(SMALL.convert("L"))
        kinds = {"I": np.int32, "F": np.float32, "I;16": np.uint16}
        return Image.fromarray((grey.astype(float) * 200).astype(kinds[mode]))
    # Not every mode is one step from RGB.
    through = {"La": "LA", "PA": "LA", "RGBa": "RGBA", "RGBX": "RGB", "HSV": "RGB"}.get(mode, "RGB")
    return SMALL.convert(through).convert(mode)


def chunk(kind: bytes, data: bytes) -> bytes:
    """A chunk of a PNG file, with its right checksum."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, data: bytes = b"", *others: bytes, bits: int = 8, colours: int = 0) -> bytes:
    """A PNG file that says so, whatever its data are."""
    header = struct.pack(">IIBBBBB", width, height, bits, colours, 0, 0, 0)
    body = chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + b"".join(others) + body


def tiff(entries: dict[int, tuple[int, int, int]], following: int = 0, data: bytes = b"") -> bytes:
    """A TIFF file of these tags (type, count, value or offset), whose next directory is there."""
    directory = struct.pack("<H", len(entries))
    for tag, (kind, count, value) in sorted(entries.items()):
        directory += struct.pack("<HHII", tag, kind, count, value)
    return b"II*\0" + struct.pack("<I", 8) + directory + struct.pack("<I", following) + data


def tiff_tags(width: int, height: int, **more: tuple[int, int, int]) -> dict[int, tuple[int, int, int]]:
    """Of an uncompressed grey picture in one strip."""
    short, long = 3, 4
    tags = {
        256: (long, 1, width),
        257: (long, 1, height),
        258: (short, 1, 8),
        259: (short, 1, 1),
        262: (short, 1, 1),
        273: (long, 1, 200),
        277: (short, 1, 1),
        278: (long, 1, height),
        279: (long, 1, (width * height) % 2**32),
    }
    return tags | {int(tag.removeprefix("tag")): entry for tag, entry in more.items()}


@cache
def unusual() -> dict[str, bytes]:
    """Small files for the readers other than Pillow."""
    rgb = np.asarray(SMALL)
    deep = rgb.astype(np.uint16) * 257
    buffers = {name: io.BytesIO() for name in ("npy", "npz", "tiles")}
    np.save(buffers["npy"], deep)
    np.savez_compressed(buffers["npz"], picture=deep)
    tiles = np.zeros((32, 48, 5), np.float32)
    tifffile.imwrite(buffers["tiles"], tiles, tile=(16, 16), compression="lzw", photometric="minisblack")
    preview = encoded(SMALL, "TIFF", save_all=True, append_images=[SMALL.resize((32, 36))])
    return {
        "16-bit TIFF in planes": _tiff(np.moveaxis(deep, -1, 0), photometric="rgb", planarconfig="separate"),
        "tiled float TIFF of 5 bands": buffers["tiles"].getvalue(),
        "12-bit TIFF": _tiff(deep[..., 0] >> 4, bitspersample=12),
        "WebP in TIFF": _tiff(rgb, photometric="rgb", compression="webp"),
        "TIFF with a preview": preview,
        "16-bit PNG": bytes(imagecodecs.png_encode(deep)),
        "16-bit JPEG 2000": bytes(imagecodecs.jpeg2k_encode(deep, level=0)),
        "12-bit JPEG": bytes(imagecodecs.jpeg8_encode(deep >> 4, bitspersample=12)),
        "JPEG-LS": bytes(imagecodecs.jpegls_encode(rgb)),
        "packed TGA": encoded(SMALL, "TGA", compression="tga_rle"),
        "npy": buffers["npy"].getvalue(),
        "npz": buffers["npz"].getvalue(),
    }


def _tiff(values: NDArray[Any], **options: Any) -> bytes:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, values, metadata=None, **options)
    return buffer.getvalue()


def patched(content: bytes, offset: int, layout: str, *values: int) -> bytes:
    """The file with other numbers there."""
    changed = bytearray(content)
    struct.pack_into(layout, changed, offset, *values)
    return bytes(changed)


def sized_jpeg(width: int, height: int) -> bytes:
    """A JPEG file whose frame header says so."""
    content = encoded(SMALL, "JPEG")
    return patched(content, content.index(b"\xff\xc0") + 5, ">HH", height, width)


def sized_jpeg2000(width: int, height: int, tile_px: int) -> bytes:
    """A JPEG 2000 file that says so in both of its headers."""
    content = encoded(SMALL, "JPEG2000")
    content = patched(content, content.index(b"ihdr") + 4, ">II", height, width)
    size = content.index(b"\xff\x51") + 6
    content = patched(content, size, ">II", width, height)
    return patched(content, size + 16, ">II", tile_px, tile_px)


def sized_webp(width: int, height: int) -> bytes:
    """A WebP file whose canvas is said to be so large."""
    frames = [SMALL.convert("RGBA"), SMALL.convert("RGBA").rotate(180)]
    content = encoded(frames[0], "WEBP", save_all=True, append_images=frames[1:], lossless=True)
    at = content.index(b"VP8X") + 12
    return (
        content[:at] + struct.pack("<I", width - 1)[:3] + struct.pack("<I", height - 1)[:3] + content[at + 6 :]
    )


def sized_avif(width: int, height: int) -> bytes:
    """An AVIF file whose properties say so."""
    content = encoded(SMALL, "AVIF")
    return patched(content, content.index(b"ispe") + 8, ">II", width, height)


def with_exif(exif: bytes) -> bytes:
    """A JPEG file with these bytes of EXIF data."""
    return encoded(SMALL, "JPEG", exif=b"Exif\0\0" + exif)


ORIENTATION, EXIF_DIRECTORY = 0x0112, 0x8769


def exif_oddities() -> dict[str, bytes]:
    """EXIF data that make no sense: the pixels are good."""
    looped = tiff({ORIENTATION: (3, 1, 6), EXIF_DIRECTORY: (4, 1, 8)}, following=8)
    return {
        "orientation 0": tiff({ORIENTATION: (3, 1, 0)}),
        "orientation 9": tiff({ORIENTATION: (3, 1, 9)}),
        "orientation 65535": tiff({ORIENTATION: (3, 1, 65535)}),
        "orientation is text": tiff({ORIENTATION: (2, 4, 0x616161)}),
        "orientation is a fraction by 0": tiff({ORIENTATION: (5, 1, 30)}, data=bytes(8)),
        "orientation is many": tiff({ORIENTATION: (3, 60_000, 10)}),
        "orientation is of no known type": tiff({ORIENTATION: (99, 1, 6)}),
        "directory leads to itself": looped,
        "directory lies outside": b"II*\0\xff\xff\xff\x7f",
        "directory of 65535 entries": b"II*\0\x08\0\0\0\xff\xff" + bytes(60),
        "no directory": b"II*\0",
        "nothing": b"",
        "noise": np.random.default_rng(1).bytes(500),
    }


def many_frames(count: int) -> bytes:
    """A GIF file of so many frames of one pixel."""
    first = encoded(Image.new("P", (1, 1)), "GIF")
    start = first.index(b",")
    return first[:-1] + first[start:-1] * (count - 1) + b";"


def liars() -> dict[str, bytes]:
    """Files whose headers promise what is not there."""
    small_bmp, small_gif, small_tga = encoded(SMALL, "BMP"), encoded(SMALL, "GIF"), encoded(SMALL, "TGA")
    return {
        "PNG of 2^31 - 1 columns": png(2**31 - 1, 1),
        "PNG of 60000 a side": png(60_000, 60_000),
        "PNG just within the limit": png(10_000, 10_000, bytes(500)),
        "PNG without width": png(0, 5),
        "PNG of 1 bit and 2^32 - 1 a side": png(2**32 - 1, 2**32 - 1, bits=1),
        "PNG whose data have no end": png(8, 8, bytes(72))[:-30],
        "BMP of 2^31 - 1 a side": patched(small_bmp, 18, "<ii", 2**31 - 1, 2**31 - 1),
        "BMP upside down, -2^31 rows": patched(small_bmp, 18, "<ii", 8, -(2**31)),
        "BMP of negative width": patched(small_bmp, 18, "<ii", -8, 8),
        "BMP just within the limit": patched(small_bmp, 18, "<ii", 10_000, 9_999),
        "BMP whose pixels lie outside": patched(small_bmp, 10, "<I", 2**31),
        "BMP of 2^31 colours": patched(small_bmp, 46, "<I", 2**31),
        "GIF of 65535 a side": patched(small_gif, 6, "<HH", 65535, 65535),
        "TIFF of 2^32 - 1 a side": tiff(tiff_tags(2**32 - 1, 2**32 - 1)),
        "TIFF just within the limit": tiff(tiff_tags(10_000, 10_000), data=bytes(300)),
        "TIFF that leads to itself": tiff(tiff_tags(8, 8), following=8, data=bytes(300)),
        "TIFF whose strip is 4 GB long": tiff(tiff_tags(8, 8, tag279=(4, 1, 2**32 - 1)), data=bytes(300)),
        "TIFF of 2^31 strips": tiff(tiff_tags(8, 8, tag273=(4, 2**31, 20), tag279=(4, 2**31, 20))),
        "TIFF of 65535 samples": tiff(tiff_tags(8, 8, tag277=(3, 1, 65535)), data=bytes(300)),
        "TIFF of 0 samples": tiff(tiff_tags(8, 8, tag277=(3, 1, 0)), data=bytes(300)),
        "TIFF of unknown compression": tiff(tiff_tags(8, 8, tag259=(3, 1, 60_000)), data=bytes(300)),
        "TIFF in tiles of 2^31": tiff(
            tiff_tags(8, 8, tag322=(4, 1, 2**31), tag323=(4, 1, 2**31), tag324=(4, 1, 200), tag325=(4, 1, 64)),
            data=bytes(300),
        ),
        "compressed TIFF in tiles of 2^31": tiff(
            tiff_tags(8, 8, tag259=(3, 1, 5), tag322=(4, 1, 2**31), tag323=(4, 1, 2**31))
            | {324: (4, 1, 200), 325: (4, 1, 64)},
            data=bytes(300),
        ),
        "WebP of 16383 a side": sized_webp(16_383, 16_383),
        "WebP of 16 million a side": sized_webp(2**24, 2**24),
        "JPEG of 65535 a side": sized_jpeg(65_535, 65_535),
        "JPEG without height": sized_jpeg(8, 0),
        "JPEG 2000 of 2^31 a side": sized_jpeg2000(2**31, 2**31, 2**31),
        "JPEG 2000 in tiles of a pixel": sized_jpeg2000(9_999, 9_999, 1),
        "AVIF of 60000 a side": sized_avif(60_000, 60_000),
        "PPM of 99999 a side": b"P6 99999 99999 255\n" + bytes(100),
        "PPM just within the limit": b"P6 10000 10000 255\n" + bytes(100),
        "PPM of a number without end": b"P6 " + b"9" * 100_000,
        "TGA of 65535 a side": patched(small_tga, 12, "<HH", 65_535, 65_535),
        "compressed TGA just within the limit": patched(
            encoded(SMALL, "TGA", compression="tga_rle"), 12, "<HH", 10_000, 10_000
        ),
        "icon of a PNG of 60000 a side": icon_of(png(60_000, 60_000)),
        "icon of a PNG within Pillow's limit, not ours": icon_of(png(13_000, 13_000)),
        "icon of 65535 pictures": patched(encoded(SMALL, "ICO", sizes=[(8, 8)]), 4, "<H", 65_535),
    }


def icon_of(picture: bytes) -> bytes:
    """An ICO file whose only picture is that file, said to be of 8 x 8 pixels."""
    return struct.pack("<HHHBBBBHHII", 0, 1, 1, 8, 8, 0, 0, 1, 32, len(picture), 22) + picture


def bombs() -> dict[str, bytes]:
    """Small files that are large, slow or endless once they are unpacked; each takes up to seconds."""
    text = zlib.compress(bytes(100_000_000))
    deflated = zlib.compress(bytes(300_000_000))
    strip = tiff_tags(8, 8, tag259=(3, 1, 8), tag273=(4, 1, 200), tag279=(4, 1, len(deflated)))
    directories = io.BytesIO()
    Image.new("1", (1, 1)).save(
        directories, "TIFF", save_all=True, append_images=[Image.new("1", (1, 1))] * 2000
    )
    return {
        "PNG of 9999 x 9999 zeros": encoded(Image.new("1", (9_999, 9_999))),
        "GIF whose canvas is within the limit": patched(encoded(SMALL, "GIF"), 6, "<HH", 10_000, 10_000),
        "compressed TIFF just within the limit": tiff(
            tiff_tags(10_000, 10_000, tag259=(3, 1, 5), tag279=(4, 1, 64)), data=bytes(300)
        ),
        "JPEG just within the limit": sized_jpeg(65_500, 1_500),
        "JPEG 2000 in a tile within the limit": sized_jpeg2000(9_999, 9_999, 9_999),
        "AVIF of another size than its data": sized_avif(9_000, 9_000),
        "PPM of a comment without end": b"P6 #" + b" " * 1_000_000,
        "PNG with a text of 100 MB": png(8, 8, bytes(72), chunk(b"zTXt", b"key\0\0" + text)),
        "PNG with a colour profile of 100 MB": png(8, 8, bytes(72), chunk(b"iCCP", b"key\0\0" + text)),
        "PNG with 100 MB behind its pixels": png(8, 8, bytes(100_000_000)),
        "GIF of 20000 frames": many_frames(20_000),
        "TIFF of 2000 pages": directories.getvalue(),
        "TIFF whose strip unpacks to 300 MB": tiff(strip, data=bytes(200 - 8 - 2 - 12 * 9 - 4) + deflated),
    }


def shapes() -> dict[str, tuple[bytes, tuple[int, int]]]:
    """Odd pictures that are right, and their sizes."""
    animated = [SMALL, SMALL.rotate(180), SMALL.rotate(90, expand=True).resize(SMALL.size)]
    transparent = SMALL.quantize(16)
    return {
        "one column": (encoded(Image.new("RGB", (1, 20_000))), (1, 20_000)),
        "one row": (encoded(Image.new("RGB", (20_000, 1))), (20_000, 1)),
        "one pixel": (encoded(Image.new("RGB", (1, 1))), (1, 1)),
        **{
            f"animated {kind}": (encoded(SMALL, kind, save_all=True, append_images=animated[1:]), SMALL.size)
            for kind in ("GIF", "PNG", "WEBP", "TIFF", "AVIF")
        },
        "palette with an alpha for each colour": (
            encoded(transparent, transparency=bytes(range(16))),
            SMALL.size,
        ),
        "CMYK as JPEG": (encoded(SMALL.convert("CMYK"), "JPEG"), SMALL.size),
        "16 bits, big-endian": (b"P5 8 9 65535\n" + np.arange(72, dtype=">u2").tobytes(), SMALL.size),
    }
