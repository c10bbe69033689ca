"""JPEG 2000 with the precisions, colours and subsampling that OpenJPEG's own programs write."""

import struct
import subprocess
from collections.abc import Sequence
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from PIL import Image

from convnext_studio.common.errors import StudioError
from convnext_studio.decoding.images import decode
from tests.decoding.ramps import GREY, RGB, Values, program, said, shows

SRGB, GREY_SPACE, SYCC, CMYK, LAB = 16, 17, 18, 12, 14


def of_components(
    folder: Path, components: Sequence[Values], bits: int, space: int, steps: str = "", suffix: str = "jp2"
) -> bytes:
    """A file of these components, (h, w) each, by opj_compress; the colour space is written into it."""
    raw, file = folder / "in.raw", folder / f"a.{suffix}"
    kind = np.dtype("u1") if bits <= 8 else np.dtype(">u2")
    raw.write_bytes(b"".join(np.asarray(each).astype(kind).tobytes() for each in components))
    layout = f"64,48,{len(components)},{bits},u" + (f"@{steps}" if steps else "")
    command = [program("opj_compress"), "-i", str(raw), "-o", str(file), "-F", layout, "-mct", "0"]
    subprocess.run(command, capture_output=True, check=True)
    content = file.read_bytes()
    place = content.find(b"colr")
    return content if place < 0 else content[: place + 7] + struct.pack(">I", space) + content[place + 11 :]


def by_openjpeg(folder: Path, content: bytes) -> Values:
    """What opj_decompress makes of a file, (h, w, 3)."""
    file, out = folder / "b.jp2", folder / "b.png"
    file.write_bytes(content)
    command = [program("opj_decompress"), "-i", str(file), "-o", str(out)]
    subprocess.run(command, capture_output=True, check=True)
    return np.asarray(Image.open(out).convert("RGB")).astype(int)


def ycc() -> list[Values]:
    """The colour ramp as luma and chroma."""
    return list(np.moveaxis(np.asarray(Image.fromarray(RGB.astype(np.uint8)).convert("YCbCr")), -1, 0))


def steps_of(text: str) -> list[tuple[int, int]]:
    """The subsampling of each component in opj_compress's notation."""
    return [(int(part[0]), int(part[2])) for part in text.split(":")]


@pytest.mark.parametrize("bits", [2, 4, 8, 10, 12, 16])
@pytest.mark.parametrize("suffix", ["jp2", "j2k"])
def test_precisions(bits: int, suffix: str, tmp_path: Path) -> None:
    top = 2**bits - 1
    for ramp, space in ((GREY[..., None], GREY_SPACE), (RGB, SRGB)):
        values = np.rint(ramp * top / 255)
        content = of_components(tmp_path, np.moveaxis(values, -1, 0), bits, space, suffix=suffix)
        wanted = np.rint(values * 255 / top)
        shows(content, wanted if ramp is RGB else wanted[..., 0], 1)


@pytest.mark.parametrize("bits", [8, 12])
@pytest.mark.parametrize("steps", ["", "1x1:2x1:2x1", "1x1:2x2:2x2"])
def test_luma_and_chroma_are_as_openjpeg_converts_them(bits: int, steps: str, tmp_path: Path) -> None:
    parts = [
        (part[::down, ::across] / 255 * (2**bits - 1)).round()
        for part, (across, down) in zip(ycc(), steps_of(steps or "1x1:1x1:1x1"), strict=True)
    ]
    content = of_components(tmp_path, parts, bits, SYCC, steps)
    shows(content, RGB, 8)
    if bits == 8:
        shows(content, by_openjpeg(tmp_path, content), 2)


@pytest.mark.parametrize("steps", ["1x1:4x1:4x1", "1x1:2x1:1x2", "2x2:1x1:1x1"])
@pytest.mark.parametrize("space", [SYCC, SRGB])
def test_uneven_subsampling(steps: str, space: int, tmp_path: Path) -> None:
    own = ycc() if space == SYCC else list(np.moveaxis(RGB, -1, 0))
    parts = [part[::down, ::across] for part, (across, down) in zip(own, steps_of(steps), strict=True)]
    shows(of_components(tmp_path, parts, 8, space, steps), RGB, 16)


def test_a_kind_that_is_not_decoded_is_named(tmp_path: Path) -> None:
    parts = [part[::1, ::across] for part, across in zip(ycc(), (1, 4, 4), strict=True)]
    with pytest.raises(StudioError, match="12 bits whose 3 bands differ in size"):
        decode(of_components(tmp_path, parts, 12, SYCC, "1x1:4x1:4x1"))
    with pytest.raises(StudioError, match="CIELAB"):
        decode(of_components(tmp_path, ycc(), 8, LAB))


def test_cmyk(tmp_path: Path) -> None:
    content = of_components(tmp_path, [*np.moveaxis(255 - RGB, -1, 0), np.zeros((48, 64))], 8, CMYK)
    assert "CMYK" in said(shows(content, RGB, 1))


def test_a_palette(tmp_path: Path) -> None:
    indices = np.tile(np.arange(64) // 4, (48, 1))
    table = np.stack([np.arange(16) * 17, np.full(16, 60), 255 - np.arange(16) * 17], -1).astype(np.uint8)
    content = of_components(tmp_path, [indices], 8, SRGB)

    def box(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I4s", 8 + len(data), kind) + data

    start = content.index(b"jp2h") - 4
    (length,) = struct.unpack_from(">I", content, start)
    colours = box(b"pclr", struct.pack(">HB3B", 16, 3, 7, 7, 7) + table.tobytes())
    places = box(b"cmap", b"".join(struct.pack(">HBB", 0, 1, index) for index in range(3)))
    head = box(b"jp2h", content[start + 8 : start + length] + colours + places)
    found = shows(content[:start] + head + content[start + length :], table[indices].astype(int), 0)
    assert "Palette" in said(found)


def test_alpha() -> None:
    rgba = np.dstack([RGB, GREY[:, ::-1]]).astype(np.uint8)
    content = bytes(imagecodecs.jpeg2k_encode(rgba, level=0, reversible=True, mct=False))
    alpha = GREY[:, ::-1, None] / 255
    assert "Transparency" in said(shows(content, np.rint(RGB * alpha + 255 * (1 - alpha)), 1))


def with_channels(content: bytes, *channels: tuple[int, int, int]) -> bytes:
    """The file with a box that says what its channels are: number, kind and colour of each."""
    start = content.index(b"jp2h") - 4
    (length,) = struct.unpack_from(">I", content, start)
    inside = content[start + 8 : start + length]
    place = inside.find(b"cdef") - 4
    if place >= 0:
        inside = inside[:place] + inside[place + struct.unpack_from(">I", inside, place)[0] :]
    data = struct.pack(">H", len(channels)) + b"".join(struct.pack(">3H", *channel) for channel in channels)
    inside += struct.pack(">I4s", 8 + len(data), b"cdef") + data
    return content[:start] + struct.pack(">I4s", 8 + len(inside), b"jp2h") + inside + content[start + length :]


@pytest.mark.parametrize(("kind", "is_premultiplied"), [(1, False), (2, True)])
def test_the_last_channel_is_alpha_where_the_file_says_so(kind: int, is_premultiplied: bool) -> None:
    rgba = np.dstack([RGB // 2, np.full((48, 64), 204)]).astype(np.uint8)
    content = bytes(imagecodecs.jpeg2k_encode(rgba, level=0, reversible=True, mct=False))
    found = with_channels(content, (0, 0, 1), (1, 0, 2), (2, 0, 3), (3, kind, 0))
    cover = 204 / 255
    own = RGB // 2 if is_premultiplied else (RGB // 2) * cover
    assert "Transparency" in said(shows(found, np.clip(np.rint(own + 255 * (1 - cover)), 0, 255), 1))


def test_a_last_channel_without_a_colour_is_no_alpha() -> None:
    rgba = np.dstack([RGB, GREY]).astype(np.uint8)
    content = bytes(imagecodecs.jpeg2k_encode(rgba, level=0, reversible=True, mct=False))
    found = with_channels(content, (0, 0, 1), (1, 0, 2), (2, 0, 3), (3, 0xFFFF, 0xFFFF))
    assert "Transparency" not in said(shows(found, RGB, 0))


def test_luma_and_chroma_of_another_name(tmp_path: Path) -> None:
    """The colours called e-sYCC are those of sYCC, but for their rounding."""
    content = of_components(tmp_path, ycc(), 8, 24)
    shows(content, RGB, 8)
    np.testing.assert_array_equal(
        decode(content).pixels, decode(of_components(tmp_path, ycc(), 8, SYCC)).pixels
    )
