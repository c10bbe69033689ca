"""Many engines are killed while requests stream in, and nobody is left without an answer."""

import contextlib
import os
import random
import signal
import time
from pathlib import Path

import psutil
import pytest

from convnext_studio.engine.client.client import EngineClient
from convnext_studio.protocol.envelope import Cancelled, Done, EngineLost, EngineReady, Request
from convnext_studio.protocol.maps import FeatureMaps
from convnext_studio.protocol.models import LoadModel
from convnext_studio.protocol.pictures import OpenImage
from convnext_studio.protocol.predictions import Predict
from convnext_studio.protocol.receptive_fields import ReceptiveField
from tests.engine.client.recorder import Recorder

LONGEST_PAUSE_S = 0.3
PICTURES = ("a", "b", "c")


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def what_panels_ask(chance: random.Random) -> Request:
    """Any of the requests that a person's clicks lead to."""
    return chance.choice(
        [
            Predict(image=chance.choice(PICTURES), panel="prediction"),
            FeatureMaps(image="", node="state", panel=chance.choice(["maps", "strip"])),
            ReceptiveField(node="stage4", count=chance.randrange(1, 20), panel="field"),
        ]
    )


def kill(client: EngineClient, heard: Recorder) -> bool:
    """Kill the engine, if there is one just now; whether there was."""
    pid = client.pid
    if pid is None:
        return False
    lost = len(heard.of(EngineLost))
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    heard.wait(lambda: len(heard.of(EngineLost)) > lost)
    return True


@pytest.mark.timeout(240)
@pytest.mark.parametrize("wanted", [25, pytest.param(100, marks=pytest.mark.slow)])
def test_kills_at_random_moments(client: EngineClient, heard: Recorder, wanted: int) -> None:
    chance = random.Random(0)
    opened = [client.ask(LoadModel(source="m")), *[client.ask(OpenImage(path=path)) for path in PICTURES]]
    for identifier in opened:
        assert isinstance(heard.answer(identifier), Done)
    asked: list[int] = []
    kills, descriptors = 0, open_descriptors()
    while kills < wanted:
        asked += [client.ask(what_panels_ask(chance)) for _ in range(chance.randrange(5))]
        time.sleep(chance.uniform(0, LONGEST_PAUSE_S))
        kills += kill(client, heard)
        # Five deaths in a row without an answer end it until somebody asks again: here, at once.
        asked.append(client.ask(FeatureMaps(image="", node="state", panel="heartbeat")))

    state = client.ask(FeatureMaps(image="", node="state", panel="last"))
    assert heard.text(state).startswith("m ['a', 'b', 'c']")
    for identifier in asked:
        assert heard.answer(identifier).id == identifier
    assert any(isinstance(heard.answer(identifier), Done) for identifier in asked)
    assert any(isinstance(heard.answer(identifier), Cancelled) for identifier in asked)
    assert heard.of(EngineReady)[-1].restarted
    assert open_descriptors() <= descriptors
    engines = [
        process
        for process in psutil.Process().children(recursive=True)
        if any("convnext_studio.engine.server.engine_child" in word for word in process.cmdline())
    ]
    assert [process.pid for process in engines] == [client.pid]
