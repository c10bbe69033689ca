"""Frames that a child process reads: those of films, of animated pictures, and of a film as the camera."""

import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from convnext_studio.common.errors import StudioError
from convnext_studio.decoding.images import decode
from convnext_studio.decoding.live.camera import REHEARSAL
from convnext_studio.decoding.live.frame_reader import FrameReader, SourceGoneError
from convnext_studio.decoding.live.messages import Camera
from convnext_studio.decoding.picture_view import PictureView
from tests.decoding.live.films import make_animation, make_film, read_number
from tests.end_to_end.waiting import AT_ONCE_S


@pytest.mark.parametrize("name", ["film.mp4", "film.webm", "film.gif", "film.webp"])
def test_frames_are_those_of_the_file_opened_as_a_picture(name: str, tmp_path: Path) -> None:
    make = make_animation if name.endswith(("gif", "webp")) else make_film
    path = make(tmp_path / name, 12)
    with FrameReader() as reader:
        opened = reader.open_file(str(path))
        assert len(opened.times) == 12
        assert np.allclose(np.diff(opened.times), 0.04, atol=0.002)
        for number in (0, 1, 2, 7, 3, 11, 0):
            frame = reader.read(number)
            picture = decode(str(path), view=PictureView(frame=number))
            assert frame.number == number
            assert read_number(frame.pixels) == number
            assert np.array_equal(frame.pixels, picture.pixels)
            assert (frame.values is None) == (picture.values is None)


def test_every_kind_of_picture_with_frames_can_be_played(tmp_path: Path) -> None:
    import tifffile

    path = tmp_path / "stack.tif"
    stack = np.random.default_rng(0).integers(0, 65536, (4, 20, 30), np.uint16)
    tifffile.imwrite(path, stack, photometric="minisblack")
    with FrameReader() as reader:
        assert len(reader.open_file(str(path)).times) == 4
        frame, picture = reader.read(2), decode(str(path), view=PictureView(frame=2))
        assert np.array_equal(frame.pixels, picture.pixels)
        assert frame.values is not None
        assert np.array_equal(frame.values, picture.values)


def test_what_is_no_film_is_refused_in_a_sentence(tmp_path: Path) -> None:
    text, still = tmp_path / "page.mp4", tmp_path / "still.gif"
    text.write_text("<!doctype html>")
    make_animation(still, 1)
    with FrameReader() as reader:
        with pytest.raises(StudioError, match="is a web page"):
            reader.open_file(str(text))
        with pytest.raises(StudioError, match="a picture of one frame"):
            reader.open_file(str(still))
        with pytest.raises(StudioError, match="There is no file"):
            reader.open_file(str(tmp_path / "none.mp4"))


def test_a_child_that_dies_is_replaced_and_goes_on(tmp_path: Path) -> None:
    path = make_film(tmp_path / "film.mp4", 12)
    with FrameReader() as reader:
        reader.open_file(str(path))
        reader.read(3)
        assert reader.pid is not None
        psutil.Process(reader.pid).kill()
        psutil.Process(reader.pid).wait()
        assert read_number(reader.read(4).pixels) == 4


def test_a_frame_that_takes_too_long_ends_the_child(tmp_path: Path) -> None:
    path = make_film(tmp_path / "film.mp4", 12)
    with FrameReader(limit_s=1.0) as reader:
        reader.open_file(str(path))
        assert reader.pid is not None
        psutil.Process(reader.pid).suspend()
        begin = time.monotonic()
        with pytest.raises(StudioError, match="takes too long to read"):
            reader.read(1)
        assert time.monotonic() - begin < AT_ONCE_S


def test_a_film_as_the_camera_gives_its_newest_frame(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make_film(tmp_path / "film.mp4", 200, rate=50)
    monkeypatch.setenv(REHEARSAL, str(path))
    with FrameReader() as reader:
        [camera] = reader.cameras()
        assert camera.title == "film (rehearsal)"
        reader.open_camera(camera)
        numbers = []
        for pause_s in (0.0, 0.0, 0.3, 0.05):
            time.sleep(pause_s)
            frame = reader.newest(numbers[-1] if numbers else -1, 1.0)
            assert frame is not None
            assert read_number(frame.pixels) == frame.number
            assert frame.age_s < 0.2
            numbers.append(frame.number)
        assert numbers == sorted(set(numbers))
        assert numbers[2] - numbers[1] >= 8  # A third of a second at 50 frames a second, on a busy machine.


def test_the_camera_is_off_once_it_is_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make_film(tmp_path / "film.mp4", 200, rate=50)
    monkeypatch.setenv(REHEARSAL, str(path))
    with FrameReader() as reader:
        reader.open_camera(reader.cameras()[0])
        assert reader.pid is not None
        child = psutil.Process(reader.pid)
        assert any(str(path) == each.path for each in child.open_files())
        reader.close_source()
        assert not any(str(path) == each.path for each in child.open_files())
        with pytest.raises(StudioError, match="No camera is on"):
            reader.newest(-1, 0.1)


def test_a_camera_that_is_not_there_may_come_back() -> None:
    with FrameReader() as reader, pytest.raises(SourceGoneError, match="Old camera"):
        reader.open_camera(Camera(id="/dev/video77", title="Old camera"))
