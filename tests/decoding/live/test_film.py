"""Any frame of a film, by its number: the same pixels as in order, whatever the file is."""

import contextlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from convnext_studio.common.errors import StudioError
from convnext_studio.decoding.images import decode
from convnext_studio.decoding.live.film import Film, format_of
from convnext_studio.decoding.picture_view import PictureView
from tests.decoding.live.films import CODES, make_film, read_number

FRAMES = 61


@pytest.mark.parametrize("ending", CODES)
def test_frames_are_numbered_as_they_were_made(ending: str, tmp_path: Path) -> None:
    path = make_film(tmp_path / f"film.{ending}", FRAMES)
    with path.open("rb") as stream, Film(stream, path.name) as film:
        assert film.frames == FRAMES
        assert np.allclose(film.times, np.arange(FRAMES) / 25, atol=0.002)
        in_order = [film.read(number) for number in range(FRAMES)]
        assert [read_number(pixels) for pixels in in_order] == list(range(FRAMES))
        for number in np.random.default_rng(1).permutation(FRAMES):
            assert np.array_equal(film.read(int(number)), in_order[number])


def test_a_frame_opened_as_a_picture_is_the_same(tmp_path: Path) -> None:
    path = make_film(tmp_path / "film.mp4", 30)
    with path.open("rb") as stream, Film(stream, path.name) as film:
        for number in (0, 11, 12, 29):
            picture = decode(str(path), view=PictureView(frame=number))
            assert np.array_equal(picture.pixels, film.read(number))
            assert picture.frames == 30
            assert picture.values is None


def test_a_frame_that_is_not_there_is_refused(tmp_path: Path) -> None:
    path = make_film(tmp_path / "film.mp4", 5)
    with pytest.raises(StudioError, match="has no frame 6: it has 5"):
        decode(str(path), view=PictureView(frame=5))


@pytest.mark.parametrize("ending", ["mp4", "mkv", "ts"])
def test_a_film_that_is_cut_off_shows_what_is_there(ending: str, tmp_path: Path) -> None:
    whole = make_film(tmp_path / f"whole.{ending}", FRAMES).read_bytes()
    path = tmp_path / f"cut.{ending}"
    path.write_bytes(whole[: len(whole) * 3 // 5])
    with path.open("rb") as stream:
        if ending == "mp4":  # Its table is at its end.
            with pytest.raises(StudioError, match=r"“cut\.mp4” is damaged"):
                Film(stream, path.name)
            return
        with Film(stream, path.name) as film:
            assert 0 < film.frames < FRAMES
            assert read_number(film.read(5)) == 5


def test_damage_in_the_middle_leaves_the_other_frames(tmp_path: Path) -> None:
    path = make_film(tmp_path / "film.mkv", FRAMES)
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 40] = b"\xff" * 40
    path.write_bytes(bytes(data))
    with path.open("rb") as stream, Film(stream, path.name) as film:
        seen: list[int] = []
        for number in range(film.frames):
            with contextlib.suppress(StudioError):
                seen.append(read_number(film.read(number)))
    assert seen[:12] == list(range(12))


def test_lists_of_other_files_are_no_films(tmp_path: Path) -> None:
    """FFmpeg would open what they name: files of this computer, and addresses."""
    secret = make_film(tmp_path / "secret.mp4", 3)
    for name, text in (
        ("list.m3u8", f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{secret}\n#EXT-X-ENDLIST\n"),
        ("list.ffconcat", f"ffconcat version 1.0\nfile '{secret}'\n"),
        ("list.sdp", "v=0\nm=video 5004 RTP/AVP 96\nc=IN IP4 127.0.0.1\n"),
    ):
        path = tmp_path / name
        path.write_text(text)
        assert format_of(text.encode()) is None
        with pytest.raises(StudioError, match="not a picture"):
            decode(str(path))


def test_a_sound_is_no_film(tmp_path: Path) -> None:
    import av

    path = tmp_path / "sound.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    with pytest.raises(StudioError, match="has no pictures, only sound"):
        decode(str(path))


def test_without_pyav_the_command_is_named(tmp_path: Path) -> None:
    path = make_film(tmp_path / "film.mp4", 2)
    program = (
        "import sys; sys.modules['av'] = None\n"
        "from convnext_studio.decoding.images import decode\n"
        "from convnext_studio.common.errors import StudioError\n"
        f"try:\n    decode({str(path)!r})\nexcept StudioError as error:\n    print(error.message, error.hint)\n"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert "“film.mp4” is a film" in said
    assert "pip install 'convnext-studio[live]'" in said
