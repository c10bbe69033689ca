"""What the engine logs reaches the window, with its traceback, from any thread, and the terminal as before."""

import contextlib
import logging
from threading import Thread

import pytest

from convnext_studio.engine.client.client import EngineClient
from convnext_studio.engine.server.logs import LogForwarder
from convnext_studio.protocol.envelope import Logged
from tests.engine.client import fake_engine
from tests.engine.client.recorder import Recorder
from tests.engine.client.test_client import do


def test_an_internal_error_is_told_to_window_and_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    heard = Recorder()
    with contextlib.closing(EngineClient(fake_engine.ENTRY)) as client:
        client.listen(heard)
        client.start()
        heard.answer(client.ask(do("raise:bug")))
    [logged] = heard.of(Logged)
    assert logged.level == logging.ERROR
    assert logged.source == "convnext_studio.engine.server.worker"
    assert logged.text.startswith("An internal error occurred.\nTraceback")
    assert logged.text.endswith("ValueError: axes do not match\nsecond line")
    assert "ValueError: axes do not match" in capfd.readouterr().err


def test_what_people_can_meet_is_no_line_of_the_log() -> None:
    heard = Recorder()
    with contextlib.closing(EngineClient(fake_engine.ENTRY)) as client:
        client.listen(heard)
        client.start()
        heard.answer(client.ask(do("raise:sentence")))
    assert heard.of(Logged) == []


def test_records_of_all_threads_become_messages() -> None:
    sent: list[Logged] = []
    logger = logging.Logger("timm.models")  # Of its own: not in the tree of the process's loggers.
    logger.addHandler(LogForwarder(sent.append))
    threads = [Thread(target=logger.warning, args=("weights of %s", name)) for name in ("a", "b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {message.text for message in sent} == {"weights of a", "weights of b"}
    assert {(message.level, message.source) for message in sent} == {(logging.WARNING, "timm.models")}
