"""In a lecture, C shows what the camera sees: averaged by choice, which is said."""

import numpy as np
import pytest
from msgspec.structs import replace
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from convnext_studio.model.frame_keys import frame_key
from convnext_studio.ui.lecture.presenter.live_stage import LiveStage, RunningAverage
from convnext_studio.ui.lecture.presenter.presenter import Presenter
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.selection.live_frames import ShownFrame
from tests.ui.conftest import make_image, make_prediction

Key = Qt.Key


def press(presenter: Presenter, *keys: Qt.Key) -> None:
    for key in keys:
        QTest.keyClick(presenter.focusWidget() or presenter, key)


def show_frame(state: AppState, number: int, seed: int) -> None:
    """Show a frame of a camera, with a prediction."""
    key = frame_key("live:1", number)
    if state.opened.row("live:1") is None:
        state.opened.add(make_image("live:1", "/x/Camera"))
    picture = replace(make_image("frame"), key=key, name="Camera", path="")
    state.show_frame(ShownFrame(picture=picture, prediction=make_prediction(key, seed=seed)))


@pytest.fixture
def stage(presenter: Presenter) -> LiveStage:
    press(presenter, Key.Key_C)
    return presenter.stage


def test_c_asks_for_the_camera_and_again_switches_it_off(presenter: Presenter) -> None:
    asked: list[bool] = []
    presenter.stage.asked.connect(asked.append)
    press(presenter, Key.Key_C)
    assert presenter.stage.isVisible()
    assert presenter.stage.size() == presenter.size()
    press(presenter, Key.Key_C)
    assert not presenter.stage.isVisible()
    press(presenter, Key.Key_C, Key.Key_Escape)
    assert not presenter.stage.isVisible()
    assert asked == [True, False, True, False]
    assert presenter.index == 0


def test_keys_freeze_and_step_and_no_step_of_the_lecture_is_taken(
    presenter: Presenter, stage: LiveStage
) -> None:
    frozen: list[None] = []
    stepped: list[int] = []
    stage.freeze_asked.connect(lambda: frozen.append(None))
    stage.step_asked.connect(stepped.append)
    press(presenter, Key.Key_Space, Key.Key_Left, Key.Key_Right, Key.Key_PageDown, Key.Key_N, Key.Key_Home)
    assert len(frozen) == 1
    assert stepped == [-1, 1]
    assert presenter.index == 0
    press(presenter, Key.Key_B)
    assert presenter.cover.isVisible()


def test_predictions_are_averaged_by_choice_and_that_is_said(
    presenter: Presenter, stage: LiveStage, open_state: AppState
) -> None:
    assert stage.is_averaged
    for number in range(4):
        show_frame(open_state, number, seed=number)
    assert "averaged over 1 s" in stage.facts
    averaged = stage.rows
    press(presenter, Key.Key_A)
    assert "of this frame alone" in stage.facts
    prediction = open_state.prediction
    assert prediction is not None
    best = prediction.top(1)[0]
    assert stage.rows[0][1] == pytest.approx(float(prediction.probabilities[best]))
    assert averaged != stage.rows
    assert sum(share for _, share in averaged) <= 1.0 + 1e-9


def test_the_frame_and_the_rate_are_said(stage: LiveStage, open_state: AppState) -> None:
    show_frame(open_state, 41, seed=0)
    show_frame(open_state, 44, seed=1)
    assert "Camera: frame 45, " in stage.facts
    assert "frames/s" in stage.facts
    open_state.opened.add(make_image("frozen"))
    assert "frozen.png: frozen" in stage.facts


def test_the_running_average_forgets_in_its_time() -> None:
    now = [0.0]
    average = RunningAverage(1.0, lambda: now[0])
    first, second = np.array([1.0, 0.0]), np.array([0.0, 1.0])
    assert np.array_equal(average.add(first), first)
    now[0] = 1.0
    mean = average.add(second)
    assert mean == pytest.approx([np.exp(-1), 1 - np.exp(-1)])
    now[0] = 30.0
    assert average.add(second) == pytest.approx([0.0, 1.0], abs=1e-9)
    assert average.add(np.array([0.2, 0.3, 0.5])) == pytest.approx([0.2, 0.3, 0.5])  # Another network.
