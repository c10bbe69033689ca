"""The installed command, run as a person, a script or a CI job runs it."""

import time
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from convnext_studio.common.samples import sample_path
from tests.end_to_end.program import run_studio


def test_screenshots_without_a_display(
    no_display: dict[str, str], photograph: Path, weights: Path, tmp_path: Path
) -> None:
    rubbish = tmp_path / "rubbish.jpg"
    rubbish.write_text("This is no picture.")
    good = [photograph, sample_path("coffee")]
    shots = []
    told = "“rubbish.jpg” is not a picture of a known format.\n"
    for number, (pictures, expected) in enumerate(
        ((good, (0, "", "", [])), ([good[0], rubbish, good[1]], (1, "", told, [])))
    ):
        path = tmp_path / f"shot {number}.png"
        options = ["--model", str(weights), "--screenshot", str(path), "--size", "1280x800"]
        done, left = run_studio([*map(str, pictures), *options], no_display)
        assert (done.returncode, done.stdout, done.stderr, left) == expected
        shots.append(pixels_of(path))
        assert_is_a_full_window(shots[-1])
    # The sentence about the rubbish stands in a bar between the network and the panels, which make room.
    assert np.array_equal(shots[0][:60], shots[1][:60])
    assert not np.array_equal(shots[0][60:], shots[1][60:])


@pytest.mark.parametrize("display", [{}, {"DISPLAY": ":4294"}], ids=["none", "unreachable"])
def test_without_a_display_one_sentence_says_so(no_display: dict[str, str], display: dict[str, str]) -> None:
    start = time.monotonic()
    done, left = run_studio([], no_display | display)
    assert done.returncode == 2
    assert left == []
    assert done.stdout == ""
    assert done.stderr.startswith("The window cannot be opened.\n")
    assert "display" in done.stderr
    assert "convnext-studio export" in done.stderr
    assert "Traceback" not in done.stderr
    assert "qt.qpa" not in done.stderr.lower()
    assert time.monotonic() - start < 60  # A machine may be busy with other things.


def pixels_of(path: Path) -> NDArray[np.uint8]:
    with Image.open(path) as opened:
        assert opened.format == "PNG"
        return np.asarray(opened.convert("RGB"))


def assert_is_a_full_window(pixels: NDArray[np.uint8]) -> None:
    """1280 x 800 pixels, and something is drawn in every part of them."""
    assert pixels.shape == (800, 1280, 3)
    parts = pixels.reshape(4, 200, 4, 320, 3).swapaxes(1, 2).reshape(16, -1, 3)
    assert min(part.std(axis=0).max() for part in parts) > 5
