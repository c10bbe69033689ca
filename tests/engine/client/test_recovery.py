"""What the client does when real engine processes die."""

import itertools
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from convnext_studio.engine.client.client import EngineClient
from convnext_studio.protocol.envelope import Cancelled, Done, EngineLost, EngineReady, Failed, Started
from convnext_studio.protocol.maps import FeatureMaps
from convnext_studio.protocol.models import LoadModel
from convnext_studio.protocol.pictures import CloseImage, OpenImage
from convnext_studio.protocol.receptive_fields import ReceptiveField
from tests.engine.client import fake_engine
from tests.engine.client.recorder import Recorder

Start = Callable[..., EngineClient]


@pytest.fixture
def heard() -> Recorder:
    """What the client has told its listener."""
    return Recorder()


@pytest.fixture
def start(heard: Recorder) -> Iterator[Start]:
    """Starts a client whose engine has the entry given."""
    clients = []

    def start(entry: str = fake_engine.ENTRY) -> EngineClient:
        client = EngineClient(entry)
        clients.append(client)
        client.listen(heard)
        client.start()
        return client

    yield start
    for client in clients:
        client.close()


PANELS = itertools.count()


def do(command: str) -> FeatureMaps:
    """A request that tells the fake engine what to do; each from another panel, so that none is replaced."""
    return FeatureMaps(image="", node=command, panel=str(next(PANELS)))


def kill_engine(client: EngineClient) -> None:
    """As the kernel does when memory runs out."""
    assert client.pid is not None
    os.kill(client.pid, signal.SIGKILL)


def test_a_killed_idle_engine_is_replaced_and_said_to_be(start: Start, heard: Recorder) -> None:
    client = start()
    heard.wait_for_ready()
    first = client.pid
    kill_engine(client)
    heard.wait_for_ready(2)
    assert heard.messages == [
        EngineReady(),
        EngineLost(
            message="The engine stopped unexpectedly (killed by signal 9, perhaps out of memory) "
            "and is being restarted."
        ),
        EngineReady(restarted=True),
    ]
    assert client.pid != first
    assert heard.text(client.ask(do("state"))) == " [] []"


def test_a_new_engine_silently_opens_what_was_open(start: Start, heard: Recorder) -> None:
    client = start()
    opened = [
        client.ask(LoadModel(source="first")),
        client.ask(LoadModel(source="second", panel="other")),
        *[client.ask(OpenImage(path=path)) for path in ("a", "b", "c")],
    ]
    for identifier in opened:
        heard.answer(identifier)
    heard.answer(client.ask(CloseImage(images=("b",))))
    kill_engine(client)
    heard.wait_for_ready(2)
    count = len(heard.messages)
    assert heard.text(client.ask(do("state"))) == "second ['a', 'c'] []"
    new = heard.messages[count - 1 :]
    assert [type(message) for message in new] == [EngineReady, Started, Done]


def test_unanswered_requests_are_asked_again_after_the_state_is_back(start: Start, heard: Recorder) -> None:
    client = start()
    heard.answer(client.ask(LoadModel(source="m")))
    running = client.ask(ReceptiveField(node="stage4", count=30))
    heard.wait_for_progress(running, 2)
    kill_engine(client)
    waiting = [client.ask(do("state")) for _ in range(2)]
    new_model = client.ask(LoadModel(source="n"))
    for identifier in waiting:
        assert heard.text(identifier) == "n [] []"
    assert heard.text(running) == "stage4"
    assert isinstance(heard.answer(new_model), Done)
    assert len(heard.of(EngineLost)) == 1
    assert heard.text(client.ask(do("state"))) == "n [] []"


def test_what_was_running_is_tried_again_once(start: Start, heard: Recorder, tmp_path: Path) -> None:
    client = start()
    identifier = client.ask(do(f"exit once:{tmp_path / 'marker'}"))
    assert heard.text(identifier) == "survived"
    (lost,) = heard.of(EngineLost)
    assert lost.message == "The engine stopped unexpectedly (exit code 4) and is being restarted."


def test_what_stops_the_engine_twice_fails_and_the_others_are_done(start: Start, heard: Recorder) -> None:
    client = start()
    poison, innocent = client.ask(do("exit:3")), client.ask(do("state"))
    answer = heard.answer(poison)
    assert isinstance(answer, Failed)
    assert "twice" in answer.message
    assert answer.hint
    assert heard.text(innocent) == " [] []"
    assert len(heard.of(EngineLost)) == 2


def test_a_paused_request_is_not_blamed_for_the_urgent_one(start: Start, heard: Recorder) -> None:
    client = start()
    paused = client.ask(ReceptiveField(node="stage4", count=20))
    heard.wait_for_progress(paused)
    poison = client.ask(do("kill"))
    assert isinstance(heard.answer(poison), Failed)
    assert heard.text(paused) == "stage4"


def test_a_cancelled_request_is_neither_blamed_nor_tried_again(start: Start, heard: Recorder) -> None:
    client = start()
    running = client.ask(do("spin"))
    heard.wait(lambda: Started(id=running) in heard.messages)
    waiting = client.ask(do("state"))
    client.cancel(running)
    kill_engine(client)
    assert heard.text(waiting) == " [] []"
    assert heard.about(running) == [Started(id=running), Cancelled(id=running)]


def test_a_model_whose_loading_was_cancelled_is_not_loaded_by_the_next_engine(
    start: Start, heard: Recorder
) -> None:
    client = start()
    busy = client.ask(do("spin"))
    heard.wait(lambda: Started(id=busy) in heard.messages)
    model = client.ask(LoadModel(source="unwanted"))
    client.cancel(model)
    client.cancel(busy)
    kill_engine(client)
    assert heard.answer(model) == Cancelled(id=model)
    assert heard.text(client.ask(do("state"))) == " [] []"


def test_a_device_fault_that_stays_costs_the_process(start: Start, heard: Recorder) -> None:
    client = start()
    assert isinstance(heard.answer(client.ask(do("raise:lasting fault"))), Failed)
    assert heard.text(client.ask(do("state"))) == " [] []"
    assert heard.of(EngineLost)[0].message == (
        "The engine stopped unexpectedly (the graphics device reported a fault) and is being restarted."
    )


def test_a_model_that_kills_every_engine_that_opens_it_again_is_given_up(
    start: Start, heard: Recorder, tmp_path: Path
) -> None:
    client = start()
    path = str(tmp_path / "once.png")
    assert isinstance(heard.answer(client.ask(LoadModel(source=path))), Done)
    heard.answer(client.ask(OpenImage(path="other")))
    kill_engine(client)
    assert heard.text(client.ask(do("state"))) == " ['other'] []"
    assert heard.of(EngineLost)[-1].message == (
        f"The new engine could not reopen {path}: it stopped the engine three times."
    )
    assert [type(m) for m in heard.messages if isinstance(m, EngineLost | EngineReady)] == [
        EngineReady,
        *[EngineLost] * 5,
        EngineReady,
    ]
    # Whoever asks again has it tried again: perhaps the memory is there by now.
    lost = len(heard.of(EngineLost))
    assert heard.text(client.ask(do("state"))) == " ['other'] []"
    assert len(heard.of(EngineLost)) == lost + 4


def test_a_picture_that_kills_engines_is_not_touched_by_the_next(
    start: Start, heard: Recorder, tmp_path: Path
) -> None:
    client = start()
    path = str(tmp_path / "once.png")
    assert isinstance(heard.answer(client.ask(OpenImage(path=path))), Done)
    kill_engine(client)
    assert heard.text(client.ask(do("state"))) == f" [{path!r}] []"
    assert len(heard.of(EngineLost)) == 1


def test_a_model_that_moved_is_told(start: Start, heard: Recorder) -> None:
    client = start()
    heard.answer(client.ask(LoadModel(source="moves")))
    first = client.pid
    kill_engine(client)
    heard.wait_for_ready(2)
    assert [lost.message for lost in heard.of(EngineLost)[1:]] == [
        f"The new engine runs the model on CPU {client.pid}, not on CPU {first}.",
    ]


def test_five_deaths_in_a_row_end_it_until_somebody_asks_again(start: Start, heard: Recorder) -> None:
    client = start(fake_engine.DIES_AT_ONCE)
    identifier = client.ask(do("state"))
    answer = heard.answer(identifier)
    assert isinstance(answer, Failed)
    lost = heard.of(EngineLost)
    assert [message.restarting for message in lost] == [True] * 4 + [False]
    assert lost[-1].message == (
        "The engine stopped unexpectedly 5 times in a row (exit code 7), so it is not restarted."
    )
    assert not client.is_running
    assert isinstance(heard.answer(client.ask(do("state"))), Failed)
    assert len(heard.of(EngineLost)) == 10


def test_an_engine_that_cannot_start_is_not_tried_five_times(start: Start, heard: Recorder) -> None:
    client = start(fake_engine.CANNOT_START)
    answer = heard.answer(client.ask(do("state")))
    sentence = (
        "The engine cannot start. A part of the installation is missing or damaged: libtorch.so is broken. "
        "Install it again."
    )
    assert isinstance(answer, Failed)
    assert answer.message == sentence
    assert heard.of(EngineLost) == [EngineLost(message=sentence, restarting=False)]


def test_a_setting_that_keeps_torch_from_starting_is_told(
    start: Start, heard: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first line of what torch then says is empty."""
    monkeypatch.setenv("TORCH_LOGS", "nonsense")
    client = start("convnext_studio.engine.server.worker:main")
    answer = heard.answer(client.ask(do("state")))
    assert isinstance(answer, Failed)
    assert answer.message.startswith(
        "The engine cannot start. A part of the installation does not start: Invalid"
    )
    assert "environment variables" in answer.message


def test_restarts_leak_no_descriptors(start: Start, heard: Recorder) -> None:
    client = start()

    def open_descriptors() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    def restart() -> None:
        ready = len(heard.of(EngineReady))
        kill_engine(client)
        heard.wait_for_ready(ready + 1)
        heard.text(client.ask(do("state")))

    heard.wait_for_ready()
    restart()
    before = open_descriptors()
    for _ in range(20):
        restart()
    assert open_descriptors() <= before
