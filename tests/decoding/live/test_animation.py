"""When the frames of animated pictures are due, and which there are."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from convnext_studio.common.errors import StudioError
from convnext_studio.decoding.live import animation as animation_module
from convnext_studio.decoding.live.animation import Animation
from tests.decoding.live.films import make_animation, painted, read_number


@contextmanager
def opened(path: Path) -> Iterator[Animation]:
    with path.open("rb") as stream, Animation(stream, str(path), path.name) as animation:
        yield animation


def gif_of(path: Path, milliseconds: list[int]) -> Path:
    """A GIF whose frames last so long each."""
    pictures = [Image.fromarray(painted(number)) for number in range(len(milliseconds))]
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=milliseconds, loop=0)
    return path


def test_every_frame_lasts_as_long_as_it_says_and_nonsense_a_tenth_of_a_second(tmp_path: Path) -> None:
    """Browsers do the same with 10 ms and less."""
    path = gif_of(tmp_path / "a.gif", [20, 0, 10, 500, 30])
    with opened(path) as animation:
        np.testing.assert_allclose(animation.times, [0, 0.02, 0.12, 0.22, 0.72])
        assert animation.frames == 5
        assert animation.size == (192, 64)
    for milliseconds, seconds in ((11, 0.1), (11.5, 0.0115), (12, 0.012), (None, 0.1), ("20", 0.1), (-40, 0.1)):
        assert animation_module._seconds(milliseconds) == pytest.approx(seconds)


def test_frames_that_take_too_long_to_look_at_last_as_long_as_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = gif_of(tmp_path / "a.gif", [20, 30, 40, 50, 60])
    now = iter([0.0, 0.5, 2.0, 2.5])  # At the beginning and before the frames; the third begins after 2.5 s.
    monkeypatch.setattr(animation_module, "time", SimpleNamespace(monotonic=lambda: next(now)))
    with opened(path) as animation:
        np.testing.assert_allclose(animation.times, [0, 0.02, 0.05, 0.08, 0.11])
        assert read_number(animation.read(4)) == 4


@pytest.mark.parametrize("ending", ["gif", "webp", "avif"])
def test_frames_are_read_in_any_order_and_there_are_no_others(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"a.{ending}"
    make_animation(path, 4, 120)
    with opened(path) as animation:
        np.testing.assert_allclose(animation.times, 0.12 * np.arange(4))
        for number in (3, 0, 2, 1, 3):
            pixels, values = animation.read_values(number)
            assert read_number(pixels) == number
            assert values is None
            np.testing.assert_array_equal(pixels, animation.read(number))
            assert ("First of 4 frames." if number == 0 else f"Frame {number + 1} of 4.") in animation.notes
        for number in (-1, 4):
            with pytest.raises(StudioError, match=f"“a.{ending}” has no frame {number + 1}: it has 4"):
                animation.read(number)
        image = animation._image
    assert image is not None
    assert image.fp is None or image.fp.closed


def test_pages_of_a_tiff_last_a_tenth_of_a_second_and_keep_their_bits(tmp_path: Path) -> None:
    import tifffile

    path = tmp_path / "a.tif"
    stack = np.random.default_rng(0).integers(0, 65536, (3, 20, 30), np.uint16)
    tifffile.imwrite(path, stack, photometric="minisblack")
    with opened(path) as animation:
        np.testing.assert_allclose(animation.times, [0, 0.1, 0.2])
        assert animation.size == (30, 20)
        pixels, values = animation.read_values(2)
        assert values is not None
        assert np.corrcoef(values.ravel(), stack[2].ravel())[0, 1] > 0.999
        assert pixels.shape == (20, 30, 3)
        assert "Frame 3 of 3." in animation.notes


def test_a_picture_of_one_frame_is_not_played(tmp_path: Path) -> None:
    path = tmp_path / "a.gif"
    make_animation(path, 1)
    with (
        path.open("rb") as stream,
        pytest.raises(StudioError, match=r"“a\.gif” is a picture of one frame") as refused,
    ):
        Animation(stream, str(path), path.name)
    assert refused.value.hint == "It can be opened, but not played."
