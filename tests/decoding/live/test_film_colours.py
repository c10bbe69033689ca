"""How frames become RGB: the matrix, what is said of the film, and which way is up."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from convnext_studio.decoding.live.film import Film, format_of

PIXELS = np.arange(2 * 4 * 3, dtype=np.uint8).reshape(2, 4, 3)
BILINEAR, FULL_CHROMA, ACCURATE = 2, 0x2000 | 0x4000, 0x40000 | 0x80000  # Of FFmpeg's swscale.h.


class FakeFrame(SimpleNamespace):
    """A frame that remembers how it was asked for its colours."""

    def __init__(self, **changes: Any) -> None:
        own: dict[str, Any] = {
            "colorspace": 1,
            "color_trc": 1,
            "interlaced_frame": False,
            "rotation": 0,
            "width": 640,
            "height": 480,
            "format": SimpleNamespace(is_rgb=False),
        }
        super().__init__(**(own | changes))
        self.asked: dict[str, Any] = {}

    def reformat(self, **asked: Any) -> Any:
        """The frame in another format."""
        self.asked = asked
        return SimpleNamespace(to_ndarray=PIXELS.copy)


def shown(frame: FakeFrame, aspect: Any = None) -> tuple[Any, list[str]]:
    """The pixels of a frame, and what is said of the film after it was read twice."""
    film = object.__new__(Film)
    film.notes = []
    film._video = SimpleNamespace(codec_context=SimpleNamespace(sample_aspect_ratio=aspect))
    film._pixels(frame)
    return film._pixels(frame), film.notes


@pytest.mark.parametrize(
    ("colorspace", "size", "matrix", "standard"),
    [
        (1, (640, 480), 1, None),
        (0, (640, 480), None, None),  # RGB has no matrix.
        (4, (640, 480), 4, None),
        (5, (1920, 1080), 5, None),
        (6, (1920, 1080), 5, None),  # SMPTE 170M is BT.601's matrix.
        (7, (640, 480), 7, None),
        (9, (640, 480), 9, None),
        (14, (1920, 1080), 5, None),
        # What is not said follows from the shorter side.
        (2, (640, 480), 5, 601),
        (2, (1280, 719), 5, 601),
        (2, (1280, 720), 1, 709),
        (2, (720, 1280), 1, 709),
        (2, (719, 1280), 5, 601),
    ],
)
def test_the_matrix_is_the_films_or_the_usual_one(
    colorspace: int, size: tuple[int, int], matrix: int | None, standard: int | None
) -> None:
    frame = FakeFrame(colorspace=colorspace, width=size[0], height=size[1])
    pixels, notes = shown(frame)
    np.testing.assert_array_equal(pixels, PIXELS)
    assert frame.asked == {
        "format": "rgb24",
        "src_colorspace": matrix,
        "interpolation": BILINEAR | FULL_CHROMA | ACCURATE,
        "threads": 1,
    }
    expected = [] if standard is None else [f"The film does not name its colours: taken as BT.{standard}."]
    assert notes == expected


def test_rgb_needs_no_matrix_and_nothing_is_said() -> None:
    _, notes = shown(FakeFrame(colorspace=2, format=SimpleNamespace(is_rgb=True)))
    assert notes == []


@pytest.mark.parametrize(
    ("changes", "aspect", "words"),
    [
        ({"color_trc": 16}, None, "bright screens (PQ)"),
        ({"color_trc": 18}, None, "bright screens (HLG)"),
        ({"color_trc": 17}, None, None),
        ({"interlaced_frame": True}, None, "The film is interlaced: moving edges look like combs."),
        ({}, 0, None),
        ({}, 1, None),
        ({"rotation": 90}, None, "Turned by 90° as the film says."),
        ({"rotation": 180}, None, "Turned by 180° as the film says."),
        ({"rotation": -90}, None, "Turned by 270° as the film says."),
        ({"rotation": 270}, None, "Turned by 270° as the film says."),
        ({"rotation": 360}, None, None),
        ({"rotation": 0.2}, None, None),
    ],
)
def test_what_is_done_is_said_once(changes: dict[str, Any], aspect: Any, words: str | None) -> None:
    pixels, notes = shown(FakeFrame(**changes), aspect)
    assert [words in note for note in notes] == ([] if words is None else [True])
    turns = round(changes.get("rotation", 0) / 90) % 4
    expected = PIXELS
    for _ in range(turns):  # Counter-clockwise: the last column becomes the first row.
        expected = np.stack([expected[:, column] for column in reversed(range(expected.shape[1]))])
    np.testing.assert_array_equal(pixels, expected)
    assert pixels.flags.c_contiguous


def test_pixels_that_are_not_square_are_named() -> None:
    from fractions import Fraction

    _, notes = shown(FakeFrame(), Fraction(16, 15))
    assert notes == ["The film's pixels are not square (16:15); shown square."]


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"RIFF\x01\x02\x03\nAVI LIST", "avi"),
        (b"RIFF\x01\x02\x03\x04WAVE", None),
        (b"\x00\x00\x00\x20ftypisom", "mov"),
        (b"\n\x00\x00\x20moov", "mov"),
        (b"\x00\x00\x00\x08mdat", "mov"),
        (b"\x00\x00\x00\x08wide", "mov"),
        (b"\x00\x00\x00\x08free", "mov"),
        (b"\x00\x00\x00\x08skip", "mov"),
        (b"\x00\x00\x00\x08uuid", None),
        (b"\x1aE\xdf\xa3", "matroska"),
        (b"\x00\x00\x01\xba", "mpeg"),
        (b"\x00\x00\x01\xb3", None),
        (b"FLV\x01", "flv"),
        (b"FLV\x02", None),
        (b"OggS", "ogg"),
        (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "asf"),
        (b"G" + b"\n" * 187 + b"G", "mpegts"),
        (b"G" + b"\x00" * 187 + b"H", None),
        (b"G" + b"\x00" * 186 + b"G", None),
        (b" RIFF....AVI ", None),
        (b"", None),
        (b"#EXTM3U", None),
    ],
)
def test_kinds_of_films_by_their_first_bytes(head: bytes, kind: str | None) -> None:
    assert format_of(head) == kind
