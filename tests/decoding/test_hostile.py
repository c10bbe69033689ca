"""Whatever a file holds: a picture or one plain sentence, in 5 s and 2 GB, and the decoder goes on."""

import time

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from convnext_studio.common.errors import StudioError
from convnext_studio.decoding.decoder_process import TIME_LIMIT_S, Decoder
from convnext_studio.decoding.images import MAX_PIXELS, DecodedImage, decode
from tests.decoding import hostile
from tests.decoding.files import encoded

LONGEST_SENTENCE = 400
GRACE_S = 5.0  # A busy machine takes its time to end and start a process.


def outcome(decoder: Decoder, content: bytes) -> DecodedImage | StudioError:
    """What becomes of a file: within the time a picture, or one plain sentence."""
    begin = time.perf_counter()
    try:
        found: DecodedImage | StudioError = decoder.decode(content, "It")
    except StudioError as error:
        found = error
    assert time.perf_counter() - begin < TIME_LIMIT_S + GRACE_S
    if isinstance(found, StudioError):
        assert "“It”" in found.message
        assert found.message.isprintable()
        assert found.message.endswith((".", ".)."))
        assert len(found.message) < LONGEST_SENTENCE
    else:
        assert found.pixels.dtype == np.uint8
        assert found.pixels.ndim == 3
        assert 0 < found.size[0] * found.size[1] <= MAX_PIXELS
    return found


def test_every_format_in_every_mode_is_a_picture(decoder: Decoder) -> None:
    kinds = []
    for name, content, size in hostile.of_every_format_and_mode():
        found = outcome(decoder, content)
        assert isinstance(found, DecodedImage), (name, found)
        assert found.size == size, name
        kinds.append(name)
    assert len(kinds) > 40
    assert {name.partition(" ")[0] for name in kinds} == set(hostile.FORMATS)


@pytest.mark.parametrize("name", hostile.shapes())
def test_odd_pictures_are_pictures(decoder: Decoder, name: str) -> None:
    content, size = hostile.shapes()[name]
    found = outcome(decoder, content)
    assert isinstance(found, DecodedImage), found
    assert found.size == size


def test_headers_that_lie(own_decoder: Decoder) -> None:
    for name, content in hostile.liars().items():
        found = outcome(own_decoder, content)
        assert isinstance(found, StudioError) or not name.endswith(("a side", "columns", "limit")), name


@pytest.mark.slow
def test_bombs(own_decoder: Decoder) -> None:
    found = {name: outcome(own_decoder, content) for name, content in hostile.bombs().items()}
    pages = found["TIFF of 2000 pages"]
    assert isinstance(pages, DecodedImage) or "takes too long" in pages.message
    assert own_decoder.decode("sample:cat").name == "cat"


SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
STRANGERS = {
    "is a web page, not a picture.": b"<!DOCTYPE html><title>Sign in</title>",
    "is a Git LFS pointer, not a picture.": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9",
    "is a PostScript file, which is a program, not a picture.": encoded(hostile.SMALL, "EPS"),
    "is an SVG drawing; files of this kind cannot be opened.": SVG,
    "is a PDF document, not a picture.": encoded(hostile.SMALL, "PDF"),
    "is not a picture of a known format.": b"anything else",
}


@pytest.mark.parametrize("words", STRANGERS)
def test_what_is_no_picture_that_we_open(decoder: Decoder, words: str) -> None:
    found = outcome(decoder, STRANGERS[words])
    assert isinstance(found, StudioError)
    assert found.message == f"“It” {words}"
    with pytest.raises(StudioError) as here:
        decode(STRANGERS[words], "It")  # Here, where Pillow has by now loaded all the formats that it knows.
    assert here.value.message == found.message


@pytest.mark.parametrize("name", hostile.exif_oddities())
def test_exif_that_makes_no_sense_costs_no_pixel(decoder: Decoder, name: str) -> None:
    found = outcome(decoder, hostile.with_exif(hostile.exif_oddities()[name]))
    assert isinstance(found, DecodedImage), found
    assert sorted(found.size) == sorted(hostile.SMALL.size)


@pytest.mark.parametrize("strange", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_none(decoder: Decoder, strange: float) -> None:
    values = np.ones((8, 8), np.float32)
    values[1, 1] = strange
    found = outcome(decoder, encoded(Image.fromarray(values), "TIFF"))
    assert isinstance(found, StudioError)
    assert "1 value that is not a finite number" in found.message


@pytest.mark.parametrize("low", [-3e38, 1e-40, 3e38])
def test_numbers_at_the_end_of_their_range(decoder: Decoder, low: float) -> None:
    values = np.linspace(low, 3.4e38, 64, dtype=np.float32).reshape(8, 8)
    found = outcome(decoder, encoded(Image.fromarray(values), "TIFF"))
    assert isinstance(found, DecodedImage)
    assert (found.pixels.min(), found.pixels.max()) == (0, 255)


def small_files(kind: str) -> list[bytes]:
    """Small files of a format."""
    return [content for name, content, _ in hostile.of_every_format_and_mode() if name.startswith(f"{kind} ")]


@pytest.mark.parametrize("kind", [*hostile.FORMATS, *hostile.unusual()])
def test_truncated_at_many_offsets(own_decoder: Decoder, kind: str) -> None:
    content = hostile.unusual().get(kind) or encoded(hostile.SMALL, kind)
    for length in {*range(0, len(content), 1 + len(content) // 60), len(content) - 1}:
        outcome(own_decoder, content[:length])


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("kind", hostile.FORMATS)
def test_truncated_at_every_offset(own_decoder: Decoder, kind: str) -> None:
    for content in small_files(kind):
        for length in range(len(content)):
            outcome(own_decoder, content[:length])


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A small file with some bytes changed, cut out, doubled or swapped for those of another."""
    kind = draw(st.sampled_from([*hostile.FORMATS, *hostile.unusual()]))
    content = bytearray(hostile.unusual().get(kind) or encoded(hostile.SMALL, kind))
    for _ in range(draw(st.integers(1, 6))):
        start = draw(st.integers(0, len(content)))
        stop = min(len(content), start + draw(st.integers(0, 16)))
        content[start:stop] = draw(st.one_of(st.binary(max_size=16), st.just(bytes(content[start:stop]) * 2)))
    return bytes(content)


MANY = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@settings(MANY, max_examples=100)
@given(content=mutated())
def test_mutated(own_decoder: Decoder, content: bytes) -> None:
    outcome(own_decoder, content)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@settings(MANY, max_examples=10_000)
@given(content=mutated())
def test_mutated_often(own_decoder: Decoder, content: bytes) -> None:
    outcome(own_decoder, content)
