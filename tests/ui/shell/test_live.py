"""The Live menu and panel: a film plays, freezes and steps by keys; a camera is on only while it is played."""

import time
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace
from PIL import Image
from PySide6.QtCore import QPoint, QRect, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from convnext_studio.decoding.images import file_key
from convnext_studio.decoding.live.camera import NO_CAMERA, REHEARSAL
from convnext_studio.decoding.live.frame_reader import FrameReader
from convnext_studio.decoding.live.messages import Camera
from convnext_studio.decoding.picture_view import PictureView
from convnext_studio.model.frame_keys import number_of
from convnext_studio.protocol.envelope import Request
from convnext_studio.protocol.live import ShowFrame
from convnext_studio.protocol.pictures import ListedPicture, ListedPictures, ListPictures, ShowPicture
from convnext_studio.protocol.predictions import Predict
from convnext_studio.ui.panels.live.live_panel import LivePanel
from convnext_studio.ui.shell.live.region_frame import RegionFrame
from convnext_studio.ui.shell.window import StudioWindow
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.python_text import PythonLines
from tests.decoding.live.films import make_film, read_number
from tests.ui.conftest import FakeEngine, make_image, make_model, make_prediction


class Answering:
    """Answers what frames need, as the engine would, and keeps the numbers of the frames that came."""

    def __init__(self, engine: FakeEngine, film: Path | None) -> None:
        self.engine, self.film = engine, film
        self.numbers: list[int] = []
        self.painted: list[int] = []

    def __call__(self) -> None:
        engine = self.engine
        for listing in engine.open(ListPictures):
            assert self.film is not None
            listed = ListedPicture(file_key(str(self.film)), self.film.name, str(self.film))
            engine.answer(listing, ListedPictures(pictures=(listed,), checked=1))
        for shown in engine.open(ShowPicture):
            frame = 0 if shown.view is None else shown.view.frame
            key = shown.image if not frame else f"{file_key(str(self.film))}-{frame}"
            info = make_image(key, str(self.film))
            engine.answer(shown, replace(info, frames=50, view=PictureView(frame=frame)))
        for sent in engine.open(ShowFrame):
            number = number_of(sent.key)
            assert number is not None
            self.numbers.append(number)
            self.painted.append(read_number(sent.pixels))
            engine.answer(sent, None)
        for asked in engine.open(Predict):
            engine.answer(asked, make_prediction(asked.image))
        for other in engine.open(Request):
            if not isinstance(other, ShowFrame | Predict | ListPictures | ShowPicture):
                engine.refuse(other, "This engine knows predictions only.")


def pumped(answering: Answering, until: Callable[[], bool], seconds: float = 90.0) -> None:
    """Let the window and the engine work until something is so."""
    end = time.monotonic() + seconds
    while not until():
        assert time.monotonic() < end, "It takes too long."
        answering()
        QApplication.processEvents()
        time.sleep(0.002)


@pytest.fixture
def film(tmp_path: Path) -> Path:
    return make_film(tmp_path / "film.mp4", 50, rate=25)


@pytest.fixture
def playing(window: StudioWindow, state: AppState, engine: FakeEngine, film: Path) -> Answering:
    """The window with a film that plays."""
    state.set_model(make_model())
    answering = Answering(engine, film)
    window.live.open(str(film))
    pumped(answering, lambda: len(answering.numbers) >= 5)
    return answering


def test_frames_of_a_film_come_in_order_none_twice_and_drops_are_counted(
    window: StudioWindow, playing: Answering
) -> None:
    player = window.live.parts.player
    pumped(playing, lambda: len(playing.numbers) >= 40)
    player.freeze()
    assert playing.painted == playing.numbers
    assert player.frame is not None
    # One may have been on its way: it is shown when the film goes on.
    shown = playing.numbers if player.frame.number == playing.numbers[-1] else playing.numbers[:-1]
    assert player.frame.number == shown[-1]
    counted = shown[0]
    for before, after in pairwise(shown):
        step = (after - before) % 50  # It begins again after the last frame.
        assert step > 0
        counted += step - 1
    assert player.stream.dropped == counted
    assert player.stream.rate.per_second > 0


def test_space_freezes_and_the_frame_is_a_picture_of_the_film(
    window: StudioWindow, playing: Answering, state: AppState
) -> None:
    QTest.keyClick(window, Qt.Key.Key_Space)
    assert not window.live.is_running
    frame = window.live.parts.player.frame
    assert frame is not None
    pumped(playing, lambda: state.picture is not None and number_of(state.picture.key) is None)
    assert state.picture is not None
    assert state.picture.view.frame == frame.number
    assert state.opened.framings.view_of(state.picture.key).frame == frame.number
    assert [each.path for each in state.opened.all] == [str(playing.film)]
    assert window.actions_by_id["live_freeze"].isChecked()
    count = len(playing.numbers)
    QTest.keyClick(window, Qt.Key.Key_Space)
    pumped(playing, lambda: len(playing.numbers) > count + 3)
    assert window.live.is_running


def test_arrows_step_to_the_very_next_frame(window: StudioWindow, playing: Answering, state: AppState) -> None:
    player = window.live.parts.player
    QTest.keyClick(window, Qt.Key.Key_Space)
    assert player.frame is not None
    here = player.frame.number

    def is_shown(number: int) -> bool:
        return player.frame is not None and player.frame.number == number

    for key, by in ((Qt.Key.Key_Right, 1), (Qt.Key.Key_Right, 1), (Qt.Key.Key_Left, -1)):
        here += by
        QTest.keyClick(window, key)
        pumped(playing, partial(is_shown, here))
        assert playing.painted[-1] == here
    pumped(playing, lambda: state.picture is not None and state.picture.view.frame == player.frame.number)
    assert state.picture is not None
    assert state.picture.view.frame == here
    assert number_of(state.picture.key) is None


def test_the_panel_plays_and_says_what_comes(window: StudioWindow, playing: Answering) -> None:
    window.dock_layout.show_panel("live")
    panel = window.dock_layout.docks["live"].panel
    assert isinstance(panel, LivePanel)
    pumped(playing, lambda: "frames/s" in panel.facts.text())
    assert "film.mp4: playing" in panel.facts.text()
    assert " of 50, 192 × 64 pixels" in panel.facts.text()
    panel.freeze.click()
    assert panel.freeze.text() == "Go on"
    panel.place.setValue(33)
    pumped(playing, lambda: playing.numbers[-1] == 33)
    panel.freeze.click()
    panel.every.setChecked(True)
    panel.speed.setCurrentIndex(panel.speed.findData(4.0))
    film = window.live.parts.player.film
    assert film is not None
    assert (film.shows_all, film.speed) == (True, 4.0)
    first = len(playing.numbers)
    pumped(playing, lambda: len(playing.numbers) > first + 12)
    late = playing.numbers[first + 4 :]
    assert all((after - before) % 50 == 1 for before, after in zip(late, late[1:], strict=False))
    panel.leave.click()
    assert "Nothing is played" in panel.facts.text()


def test_frames_are_recorded_as_they_were(
    window: StudioWindow, playing: Answering, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(window.saving, "ask_folder", lambda *_: tmp_path)
    before = len(playing.numbers)
    QTest.keyClick(window, Qt.Key.Key_R)
    assert "Recording frames" in window.live.status
    pumped(playing, lambda: len(playing.numbers) > before + 10)
    QTest.keyClick(window, Qt.Key.Key_R)
    folder = tmp_path / "film frames 001"
    files = sorted(folder.glob("*.png"))
    assert len(files) >= 9
    for file in files:
        number = int(file.stem.removeprefix("frame-")) - 1
        assert read_number(np.asarray(Image.open(file))) == number
    lines = (folder / "frames.jsonl").read_text().splitlines()
    assert len(lines) >= len(files)
    assert '"probability"' in lines[0]


@pytest.mark.parametrize("ending", ["mp4", "gif"])
def test_a_film_of_the_views_is_saved(
    window: StudioWindow, playing: Answering, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    import av

    path = tmp_path / f"views.{ending}"
    monkeypatch.setattr(window.saving, "ask_file", lambda *_: path)
    window.actions_by_id["live_views"].trigger()
    assert window.live.is_filming
    before = len(playing.numbers)
    pumped(playing, lambda: len(playing.numbers) > before + 25)
    window.actions_by_id["live_views"].trigger()
    assert not window.live.is_filming
    with av.open(str(path)) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert len(frames) >= 3
    assert frames[0].shape == (window.height() // 2 * 2, window.width() // 2 * 2, 3)
    assert not np.array_equal(frames[0], frames[-1])


def test_a_camera_is_on_only_while_it_is_played_and_the_status_bar_says_so(
    window: StudioWindow,
    state: AppState,
    engine: FakeEngine,
    film: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import psutil

    monkeypatch.setenv(REHEARSAL, str(film))
    state.set_model(make_model())
    answering = Answering(engine, None)

    def is_on() -> bool:
        children = psutil.Process().children(recursive=True)
        return any(str(film) == each.path for child in children for each in child.open_files())

    window.live.open("camera")
    pumped(answering, lambda: len(answering.numbers) >= 4)
    assert is_on()
    label = window.statusBar().live
    assert label.isVisible()
    assert label.text() == "Camera on: film (rehearsal)"
    [entry] = state.opened.all
    assert entry.path == ""
    state.opened.add(make_image("other"))
    assert not is_on()
    assert not label.isVisible()
    pumped(answering, lambda: len(state.opened.all) == 1)
    assert state.picture is not None
    assert state.picture.key == "other"


def test_without_a_camera_a_sentence_says_what_to_do(
    window: StudioWindow, engine: FakeEngine, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(REHEARSAL, raising=False)

    def none(_reader: FrameReader) -> tuple[Camera, ...]:
        raise NO_CAMERA

    monkeypatch.setattr(FrameReader, "cameras", none)
    told: list[str] = []
    window.controller.noticed.connect(lambda notice: told.append(notice.text))
    window.live.open_camera()
    qtbot.waitUntil(lambda: bool(told))
    assert told[0].startswith("No camera was found. Plug one in")
    assert engine.open(ShowFrame) == []


def test_the_frame_on_the_screen_is_moved_sized_and_kept_whole(qtbot: QtBot) -> None:
    frame = RegionFrame()
    qtbot.addWidget(frame)
    moved: list[QRect] = []
    frame.moved.connect(moved.append)
    frame.place(QRect(100, 120, 300, 200))
    frame.show()
    assert frame.region == QRect(100, 120, 300, 200)
    assert not frame.mask().contains(QPoint(frame.width() // 2, frame.height() // 2))
    QTest.keyClick(frame, Qt.Key.Key_Right)
    QTest.keyClick(frame, Qt.Key.Key_Down, Qt.KeyboardModifier.ControlModifier)
    assert moved[-1] == QRect(101, 130, 300, 200)
    QTest.keyClick(frame, Qt.Key.Key_Right, Qt.KeyboardModifier.ShiftModifier)
    assert moved[-1] == QRect(101, 130, 301, 200)
    start = QPoint(frame.width() // 2, 5)
    QTest.mousePress(frame, Qt.MouseButton.LeftButton, pos=start)
    QTest.mouseMove(frame, start + QPoint(40, 20))
    QTest.mouseRelease(frame, Qt.MouseButton.LeftButton, pos=start + QPoint(40, 20))
    assert moved[-1].size() == QRect(0, 0, 301, 200).size()
    frame.close()


def test_a_script_opens_the_frame_that_was_seen(
    window: StudioWindow, playing: Answering, state: AppState
) -> None:
    frame, picture = window.live.parts.player.frame, state.picture
    assert frame is not None
    assert picture is not None
    text = window.python.text(PythonLines(("values = picture.info.preview",), (picture.key,)))
    assert str(playing.film) in text
    assert f"frame={frame.number}" in text


def test_what_is_exported_is_frozen_first(window: StudioWindow, playing: Answering) -> None:
    assert window.live.is_running
    window.exports.open()
    assert not window.live.is_running
    assert playing.numbers
