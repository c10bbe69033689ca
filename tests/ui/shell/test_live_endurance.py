"""Ten thousand frames of a camera: neither window nor engine holds more at the end than at first."""

import gc
import logging
from collections.abc import Iterator

import psutil
import pytest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from convnext_studio.engine.server.dispatch import Dispatcher
from convnext_studio.model.frame_keys import frame_key
from convnext_studio.protocol.envelope import Request
from convnext_studio.protocol.live import ShowFrame
from convnext_studio.protocol.maps import FeatureMaps
from convnext_studio.protocol.predictions import Predict
from convnext_studio.ui.shell.window import StudioWindow
from convnext_studio.ui.state.app_state import AppState
from tests.networks import small_model
from tests.ui.conftest import FakeEngine, make_model, make_prediction
from tests.ui.state.live.frames import StagedSource, make_frame

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

FRAMES = 10_000
WARM = 2_000
LARGEST_GROWTH_BYTES = 12e6


def resident_bytes() -> int:
    gc.collect()
    return int(psutil.Process().memory_info().rss)


def growing(frames: Iterator[None]) -> float:
    """How much more is resident after the last frame than after the warm ones."""
    first = 0
    for number, _ in enumerate(frames):
        if number == WARM:
            first = resident_bytes()
    return resident_bytes() - first


def test_the_windows_memory_is_flat(
    window: StudioWindow, state: AppState, engine: FakeEngine, qtbot: QtBot, caplog: pytest.LogCaptureFixture
) -> None:
    # pytest would keep a record of every request that is refused below, 25 MB in all.
    caplog.set_level(logging.ERROR, "convnext_studio")
    state.set_model(make_model())
    source = StagedSource()
    player = window.live.parts.player
    player.play(source)
    source.opened.emit(source)

    def frames() -> Iterator[None]:
        for number in range(FRAMES):
            qtbot.waitUntil(lambda: source.is_wanted)
            source.give(number)
            for asked in engine.open(Predict):
                engine.answer(asked, make_prediction(asked.image))
            for other in engine.open(Request):
                if isinstance(other, ShowFrame):
                    engine.answer(other, None)
                elif not isinstance(other, Predict):
                    engine.refuse(other, "This engine knows predictions only.")
            QApplication.processEvents()
            engine.asked.clear()
            engine.cancelled.clear()
            yield

    growth = growing(frames())
    player.leave(keeps=False)
    assert growth <= LARGEST_GROWTH_BYTES


def test_the_engines_memory_is_flat() -> None:
    dispatcher = Dispatcher()
    dispatcher._workspace.open_model(small_model(), "float32")

    def frames() -> Iterator[None]:
        for number in range(FRAMES):
            key, before = frame_key("camera", number), frame_key("camera", number - 1)
            pixels = make_frame(number % 4096).pixels
            dispatcher.run(ShowFrame(key=key, name="camera", pixels=pixels, forgotten=(before,)))
            dispatcher.run(Predict(image=key))
            dispatcher.run(FeatureMaps(image=key, node="stage2"))
            yield

    assert growing(frames()) <= LARGEST_GROWTH_BYTES
