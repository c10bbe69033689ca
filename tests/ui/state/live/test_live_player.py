"""Frames become the picture together with what the network makes of them, the newest first, one at a time."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace
from PySide6.QtGui import QPaintEvent
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from convnext_studio.common.errors import StudioError
from convnext_studio.decoding.picture_view import PictureView
from convnext_studio.model.frame_keys import number_of, source_of
from convnext_studio.protocol.attributions import Explain
from convnext_studio.protocol.live import ShowFrame
from convnext_studio.protocol.maps import FeatureMaps
from convnext_studio.protocol.pictures import OpenImage, ShowPicture
from convnext_studio.protocol.predictions import Predict, Prediction
from convnext_studio.protocol.receptive_fields import ReceptiveField
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.state.controller import Controller
from convnext_studio.ui.state.live import frame_stream
from convnext_studio.ui.state.live.frame_source import FilmSource
from convnext_studio.ui.state.live.live_player import LivePlayer
from convnext_studio.ui.state.selection.awaited import NOTHING_OPEN
from tests.decoding.live.films import make_film
from tests.ui.conftest import FakeEngine, make_image, make_model, make_prediction
from tests.ui.state.live.frames import StagedSource, same


@pytest.fixture
def player(state: AppState, bridge: EngineBridge, controller: Controller) -> Iterator[LivePlayer]:
    state.set_model(make_model())
    player = LivePlayer(state, bridge, controller.background)
    yield player
    player.leave()


@pytest.fixture
def source(player: LivePlayer, engine: FakeEngine) -> StagedSource:
    """A camera that is on, and whose first frame is shown."""
    source = StagedSource()
    player.play(source)
    source.opened.emit(source)
    source.give(0)
    answer_frame(engine, 0)
    return source


def answer_frame(engine: FakeEngine, number: int) -> None:
    """Take in the frame of that number, predict for it, and let the window show it."""
    answer_frame_now(engine, number)
    QApplication.processEvents()  # It is shown once the window has painted the last one.


def answer_frame_now(engine: FakeEngine, number: int) -> None:
    """Take in the frame of that number, and predict for it."""
    for shown in engine.open(ShowFrame):
        engine.answer(shown, None)
    for asked in engine.open(Predict):
        if number_of(asked.image) in (number, None):
            engine.answer(asked, replace(make_prediction(asked.image), image=asked.image))


def test_a_frame_is_shown_with_its_prediction_at_once(
    player: LivePlayer, source: StagedSource, state: AppState, engine: FakeEngine
) -> None:
    seen: list[tuple[str, Prediction | None]] = []
    state.picture_selected.connect(lambda picture: seen.append((picture.key, state.prediction)))
    before = state.picture
    frame = source.give(5, dropped=4)
    assert state.picture is before  # Until it is known what the network makes of it.
    [sent] = engine.open(ShowFrame)
    assert same(sent.pixels, frame.pixels)
    answer_frame(engine, 5)
    [(key, prediction)] = seen
    assert number_of(key) == 5
    assert prediction is not None
    assert prediction.image == key
    assert player.stream.dropped == 4
    assert not [asked for asked in engine.open(Predict) if asked.panel == "predict"]


def test_a_source_that_has_no_frame_yet_is_being_opened(player: LivePlayer, state: AppState) -> None:
    source = StagedSource()
    player.play(source)
    assert state.awaited.why_no_picture == f"Opening {source.name} …"
    source.opened.emit(source)
    assert state.awaited.why_no_picture == f"Opening {source.name} …"
    source.failed.emit(StudioError("The camera is used by another program."))
    assert state.awaited.why_no_picture == NOTHING_OPEN


def test_the_next_frame_is_asked_for_when_quick_questions_about_earlier_ones_are_answered(
    source: StagedSource,
    state: AppState,
    bridge: EngineBridge,
    engine: FakeEngine,
    qtbot: QtBot,
) -> None:
    qtbot.waitUntil(lambda: source.is_wanted)
    state.picture_selected.connect(
        lambda picture: bridge.ask(FeatureMaps(image=picture.key, node="stage2", panel="maps"), lambda _: None)
    )
    source.give(1)
    answer_frame(engine, 1)
    assert source.is_wanted  # The engine works on the next one while the window paints.
    [about_first] = engine.open(FeatureMaps)
    source.give(2)
    answer_frame(engine, 2)
    asked = source.asked
    qtbot.wait(20)
    assert source.asked == asked
    engine.answer(about_first, None)
    qtbot.waitUntil(lambda: source.asked == asked + 1)


def test_the_grad_cams_of_all_stages_are_asked_for_when_they_are_shown_or_due(
    source: StagedSource, state: AppState, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    """Those of all stages take another half of the time; without them the buttons keep earlier small maps."""
    monkeypatch.setattr(frame_stream, "ALL_STAGES_STEP_S", 3600.0)

    def is_last_enough(number: int) -> bool:
        qtbot.waitUntil(lambda: source.is_wanted)
        source.give(number)
        [asked] = engine.open(Predict)
        answer_frame(engine, number)
        return asked.only_last

    first, *_ = [each for each in engine.asked if isinstance(each, Predict) and number_of(each.image) == 0]
    assert not first.only_last
    state.attributions.set_explaining(Explain(image="", nodes=("stage4",)))
    assert is_last_enough(1)
    state.attributions.set_explaining(Explain(image="", nodes=("stage2", "stage4")))
    assert not is_last_enough(2)
    state.attributions.set_explaining(Explain(image="", method="layercam", nodes=("stage2",)))
    assert is_last_enough(3)  # It is not among those that come with a prediction.
    monkeypatch.setattr(frame_stream, "ALL_STAGES_STEP_S", 0.0)
    assert not is_last_enough(4)


def test_the_window_paints_a_frame_before_the_next_is_shown(
    source: StagedSource, state: AppState, engine: FakeEngine, qtbot: QtBot
) -> None:
    """On a fast device answers come before the window is painted, which would never be painted then."""
    painted: list[int | None] = []

    class Picture(QWidget):
        def paintEvent(self, _event: QPaintEvent) -> None:
            painted.append(None if state.picture is None else number_of(state.picture.key))
            answer_frame_now(engine, 2)  # It comes while this one is painted.

    widget = Picture()
    qtbot.addWidget(widget)
    widget.show()
    qtbot.waitExposed(widget)
    state.picture_selected.connect(lambda _picture: widget.update())
    qtbot.waitUntil(lambda: source.is_wanted)
    source.give(1)
    answer_frame_now(engine, 1)
    qtbot.waitUntil(lambda: source.is_wanted)
    source.give(2)
    answer_frame_now(engine, 2)
    assert state.picture is not None
    qtbot.waitUntil(lambda: painted[-1] == 2)
    assert 1 in painted


def test_a_frame_on_its_way_when_frozen_is_shown_when_it_goes_on(
    player: LivePlayer, engine: FakeEngine, tmp_path: Path, qtbot: QtBot
) -> None:
    film = FilmSource("film.mp4", str(make_film(tmp_path / "film.mp4", 30)))
    film.set_shows_all(True)
    numbers: list[int] = []
    player.frame_shown.connect(lambda frame: numbers.append(frame.number))
    player.play(film)
    film.start()
    for _ in range(3):
        qtbot.waitUntil(lambda: bool(engine.open(Predict)))
        answer_frame(engine, number_of(engine.open(Predict)[0].image) or 0)
    qtbot.waitUntil(lambda: bool(engine.open(Predict)))  # The next one is being predicted.
    player.freeze()
    player.resume()
    qtbot.waitUntil(lambda: len(engine.open(Predict)) > 0 and number_of(engine.open(Predict)[-1].image) == 3)
    answer_frame(engine, 3)
    assert numbers == [0, 1, 2, 3]


def test_slow_questions_do_not_hold_up_the_frames_but_get_a_share(
    source: StagedSource,
    state: AppState,
    bridge: EngineBridge,
    engine: FakeEngine,
    qtbot: QtBot,
) -> None:
    qtbot.waitUntil(lambda: source.is_wanted)
    picture = state.picture
    assert picture is not None
    bridge.ask(ReceptiveField(images=(picture.key,), node="stage2", panel="field"), lambda _: None)
    for number in (1, 2, 3):
        qtbot.waitUntil(lambda: source.is_wanted)
        source.give(number)
        answer_frame(engine, number)
        assert number_of(state.picture.key) == number if state.picture else False
    # The frame that is still being computed with is kept, the others are not.
    forgotten = {
        number_of(key) for sent in engine.asked if isinstance(sent, ShowFrame) for key in sent.forgotten
    }
    assert 0 not in forgotten


def test_earlier_frames_are_forgotten_and_nothing_queues(
    source: StagedSource, engine: FakeEngine, qtbot: QtBot
) -> None:
    for number in range(1, 40):
        qtbot.waitUntil(lambda: source.is_wanted)
        source.give(number)
        answer_frame(engine, number)
    sent = [each for each in engine.asked if isinstance(each, ShowFrame)]
    kept = {each.key for each in sent} - {key for each in sent for key in each.forgotten}
    assert len(kept) <= 4  # That which is shown, the one before, and what is averaged over.
    assert len(engine.open(Predict)) == 0


def test_there_is_one_entry_in_the_list(
    source: StagedSource, state: AppState, engine: FakeEngine, qtbot: QtBot
) -> None:
    for number in range(1, 5):
        qtbot.waitUntil(lambda: source.is_wanted)
        source.give(number)
        answer_frame(engine, number)
    [entry] = state.opened.all
    assert state.opened.chosen == entry
    assert state.picture is not None
    assert source_of(state.picture.key) == entry.key
    [image] = state.opened.images
    assert number_of(image.key) == 4


def test_a_frozen_frame_is_a_picture_of_its_own_with_the_same_pixels(
    player: LivePlayer, source: StagedSource, state: AppState, engine: FakeEngine, qtbot: QtBot
) -> None:
    from convnext_studio.decoding.images import decode

    qtbot.waitUntil(lambda: source.is_wanted)
    frame = source.give(7)
    answer_frame(engine, 7)
    player.toggle()
    assert player.mode == "frozen"
    assert not source.is_wanted
    qtbot.waitUntil(lambda: bool(engine.open(OpenImage)))
    [opened] = engine.open(OpenImage)
    assert same(decode(opened.data).pixels, frame.pixels)
    engine.answer(opened, make_image("frozen"))
    assert state.picture is not None
    assert state.picture.key == "frozen"
    assert player.is_on  # It is not left, only frozen.
    player.toggle()
    source.give(9)
    answer_frame(engine, 9)
    assert number_of(state.picture.key) == 9


def test_freezing_another_frame_of_a_film_waits_until_the_last_is_a_picture(
    player: LivePlayer, state: AppState, engine: FakeEngine
) -> None:
    """The entry of a film has another key with every frame that is frozen, which must not be missed."""
    source = StagedSource("film.mp4")
    source.path = "/films/film.mp4"
    state.opened.add(make_image("film", source.path))
    player.play(source)
    source.opened.emit(source)
    source.give(10)
    answer_frame(engine, 10)
    player.freeze()
    [first] = [each for each in engine.open(ShowPicture) if each.panel == "live"]
    player.resume()
    source.give(20)
    answer_frame(engine, 20)
    player.freeze()
    assert [each for each in engine.open(ShowPicture) if each.panel == "live"] == [first]
    engine.answer(first, replace(make_image("film-10", source.path), view=PictureView(frame=10)))
    [second] = [each for each in engine.open(ShowPicture) if each.panel == "live"]
    assert second.image == "film-10"
    assert second.view == PictureView(frame=20)
    engine.answer(second, replace(make_image("film-20", source.path), view=PictureView(frame=20)))
    assert [each.key for each in state.opened.all] == ["film-20"]
    assert state.picture is not None
    assert state.picture.view.frame == 20


def test_a_frame_is_frozen_as_often_as_wanted_and_both_networks_predict_for_it(
    player: LivePlayer, state: AppState, engine: FakeEngine
) -> None:
    """What is asked about a frozen frame may be the last that was asked, before other frames were shown."""
    state.second.set_model(make_model("Other"))
    source = StagedSource("film.mp4")
    source.path = "/films/film.mp4"
    state.opened.add(make_image("film", source.path))
    player.play(source)
    source.opened.emit(source)
    for _ in range(3):
        source.give(0)
        answer_frame(engine, 0)
        player.freeze()
        [frozen] = [each for each in engine.open(ShowPicture) if each.panel == "live"]
        assert frozen.view == PictureView(frame=0)
        engine.answer(frozen, make_image("film", source.path))
        answer_frame(engine, 0)
        assert state.picture is not None
        assert state.picture.key == "film"
        for made in (state.prediction, state.second.prediction):
            assert made is not None
            assert made.image == "film"
        player.resume()
        source.give(1)
        answer_frame(engine, 1)


def test_another_picture_ends_it(player: LivePlayer, source: StagedSource, state: AppState) -> None:
    state.opened.add(make_image("other"))
    assert source.is_closed
    assert not player.is_on
    assert state.picture is not None
    assert state.picture.key == "other"


def test_closing_its_entry_ends_it(source: StagedSource, state: AppState) -> None:
    state.opened.remove([each.key for each in state.opened.all])
    assert source.is_closed
    assert state.picture is None


def test_an_interruption_is_told_once_and_taken_back(
    player: LivePlayer, source: StagedSource, state: AppState, engine: FakeEngine
) -> None:
    told: list[str] = []
    withdrawn: list[str] = []
    player.noticed.connect(lambda notice: told.append(notice.message))
    player.succeeded.connect(withdrawn.append)
    shown = state.picture
    for _ in range(3):
        source.interrupted.emit("Camera was unplugged. It goes on when the camera is back.")
    assert told == ["Camera was unplugged. It goes on when the camera is back."]
    assert state.picture is shown
    source.give(20)
    assert withdrawn == ["live"]
    answer_frame(engine, 20)
    assert player.interruption == ""


def test_a_source_that_cannot_be_opened_says_so_in_a_sentence(player: LivePlayer) -> None:
    told: list[str] = []
    player.noticed.connect(lambda notice: told.append(notice.text))
    source = StagedSource()
    player.play(source)
    source.failed.emit(StudioError("Camera may not be used by this program.", "Allow it."))
    assert told == ["Camera may not be used by this program. Allow it."]
    assert source.is_closed
    assert player.mode == "off"


def test_a_frame_without_a_prediction_is_shown_and_the_next_asked_for(
    source: StagedSource, state: AppState, engine: FakeEngine, qtbot: QtBot
) -> None:
    qtbot.waitUntil(lambda: source.is_wanted)
    source.give(3)
    [asked] = engine.open(Predict)
    engine.refuse(asked, "It is too small.")
    QApplication.processEvents()
    assert state.prediction_failure == "It is too small."
    assert state.picture is not None
    assert number_of(state.picture.key) == 3
    assert len([each for each in engine.asked if isinstance(each, Predict) and each.image == asked.image]) == 1
    for shown in engine.open(ShowFrame):
        engine.answer(shown, None)
    qtbot.waitUntil(lambda: source.is_wanted)


def test_a_late_answer_about_an_older_frame_is_not_shown(
    player: LivePlayer, source: StagedSource, state: AppState, engine: FakeEngine, qtbot: QtBot
) -> None:
    qtbot.waitUntil(lambda: source.is_wanted)
    source.give(1)
    [asked] = engine.open(Predict)
    player.freeze()
    engine.answer(asked, replace(make_prediction(asked.image), image=asked.image))
    QApplication.processEvents()
    assert state.picture is not None
    assert number_of(state.picture.key) != 1


def test_a_frame_of_a_camera_that_was_on_its_way_when_frozen_is_counted_as_left_out(
    player: LivePlayer, source: StagedSource, engine: FakeEngine, qtbot: QtBot
) -> None:
    qtbot.waitUntil(lambda: source.is_wanted)
    source.give(3, dropped=2)
    assert player.stream.dropped == 0  # It may still be shown.
    player.freeze()
    assert player.stream.dropped == 3
    player.resume()
    source.give(5, dropped=1)
    answer_frame(engine, 5)
    assert player.stream.dropped == 4
