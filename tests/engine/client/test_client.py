"""The client with real engine processes: what it promises while all is well, and how it ends."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from convnext_studio.engine.client import engine_process
from convnext_studio.engine.client.client import EngineClient
from convnext_studio.protocol.envelope import (
    Cancelled,
    Done,
    EngineLost,
    EngineReady,
    Failed,
    Progress,
    Started,
)
from convnext_studio.protocol.maps import FeatureMaps, FeatureMapsResult
from convnext_studio.protocol.models import LoadModel
from convnext_studio.protocol.pictures import OpenImage
from convnext_studio.protocol.predictions import Predict
from convnext_studio.protocol.receptive_fields import ReceptiveField
from tests.end_to_end.waiting import AT_ONCE_S
from tests.engine.client import fake_engine
from tests.engine.client.recorder import Recorder

ROOT = Path(__file__).parents[3]


def do(command: str, panel: str = "") -> FeatureMaps:
    """A request that tells the fake engine what to do."""
    return FeatureMaps(image="", node=command, panel=panel)


def is_gone(pid: int, within_s: float = 2.0) -> bool:
    """Whether a process ends within that time; one that only waits to be reaped has ended."""
    deadline = time.monotonic() + within_s
    while psutil.pid_exists(pid):
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


# -------------------------------------------------------------------------------------- asking, answering


def test_requests_are_answered_once_and_in_order(client: EngineClient, heard: Recorder) -> None:
    model = client.ask(LoadModel(source="a"))
    picture = client.ask(OpenImage(path="cat.png"))
    state = client.ask(do("state"))
    assert heard.text(state) == "a ['cat.png'] []"
    assert heard.messages[0] == EngineReady(restarted=False)
    assert [type(message) for message in heard.about(model)] == [Started, Done]
    answer = heard.answer(model)
    assert isinstance(answer, Done)
    assert answer.payload == fake_engine.model_info("a")
    assert isinstance(heard.answer(picture), Done)
    assert model < picture < state


def test_what_was_said_before_anyone_listened_is_kept(heard: Recorder) -> None:
    client = EngineClient(fake_engine.ENTRY)
    first = client.ask(do("state"))  # before start: it waits
    client.cancel(first)
    second = client.ask(do("state"))
    client.listen(heard)
    assert heard.messages == [Cancelled(id=first)]
    client.start()
    assert heard.text(second) == " [] []"
    client.close()


def test_arrays_arrive_contiguous_and_cannot_be_changed(client: EngineClient, heard: Recorder) -> None:
    answer = heard.answer(client.ask(do("layouts")))
    assert isinstance(answer, Done)
    assert isinstance(answer.payload, FeatureMapsResult)
    maps = answer.payload.maps
    np.testing.assert_array_equal(maps, np.arange(24, dtype=np.float32).reshape(4, 3, 2).transpose())
    assert maps.flags.c_contiguous
    with pytest.raises(ValueError, match="read-only"):
        maps[0, 0, 0] = 1
    with pytest.raises(ValueError, match="WRITEABLE"):
        maps.flags.writeable = True


def test_progress_carries_partial_results(client: EngineClient, heard: Recorder) -> None:
    identifier = client.ask(ReceptiveField(node="stage4", count=3))
    assert heard.text(identifier) == "stage4"
    started, *progress, _ = heard.about(identifier)
    assert isinstance(started, Started)
    assert [(p.done, p.total, p.partial.node) for p in progress] == [
        (1, 3, "partial 1"),
        (2, 3, "partial 2"),
        (3, 3, "partial 3"),
    ]


def test_urgent_work_overtakes_and_its_time_is_not_counted_for_the_other(
    client: EngineClient, heard: Recorder
) -> None:
    begin = time.monotonic()
    long = client.ask(ReceptiveField(node="stage4", count=20))
    heard.wait_for_progress(long, 2)
    urgent = client.ask(do("sleep:0.3"))
    answer = heard.answer(long)
    assert isinstance(answer, Done)
    assert 20 * 0.01 <= answer.seconds <= time.monotonic() - begin - 0.3
    order = [(type(m), m.id) for m in heard.messages if isinstance(m, Started | Done)]
    assert order == [(Started, long), (Started, urgent), (Done, urgent), (Done, long)]
    done = [m.done for m in heard.about(long) if isinstance(m, Progress)]
    assert done == list(range(1, 21))


# --------------------------------------------------------------------------------- cancelling, replacing


@pytest.mark.parametrize("command", ["until stopped", "steps"])
def test_cancelling_running_work_frees_the_engine(client: EngineClient, heard: Recorder, command: str) -> None:
    identifier = client.ask(do(command))
    heard.wait(lambda: Started(id=identifier) in heard.messages)
    client.cancel(identifier)
    assert heard.messages[-1] == Cancelled(id=identifier)
    count = len(heard.about(identifier))
    closed = ["closed"] if command == "steps" else []
    assert heard.text(client.ask(do("state"))) == f" [] {closed}"
    assert len(heard.about(identifier)) == count


def test_a_newer_request_replaces_the_older_of_its_panel_only(client: EngineClient, heard: Recorder) -> None:
    running = client.ask(do("until stopped", panel="left"))
    heard.wait(lambda: Started(id=running) in heard.messages)
    waiting = client.ask(do("state", panel="left"))
    other = client.ask(do("state", panel="right"))
    prediction = client.ask(Predict(image="x", panel="left"))
    newest = client.ask(do("state", panel="left"))
    assert heard.about(waiting) == [Cancelled(id=waiting)]
    assert heard.about(running) == [Started(id=running), Cancelled(id=running)]
    for identifier in (other, prediction, newest):
        assert isinstance(heard.answer(identifier), Done)
    assert heard.about(waiting) == [Cancelled(id=waiting)]


def test_pictures_do_not_replace_each_other(client: EngineClient, heard: Recorder) -> None:
    for path in ("a", "b"):
        client.ask(OpenImage(path=path))
    assert heard.text(client.ask(do("state"))) == " ['a', 'b'] []"


# ------------------------------------------------------------------------------------------------ failing


@pytest.mark.parametrize(
    ("name", "message", "hint"),
    [
        ("sentence", "There is no such node.", "Choose another."),
        ("memory", "The computer's memory has run out.", "smaller"),
        ("cpu memory", "The computer's memory has run out.", "smaller"),
        ("cuda memory", "The graphics device's memory has run out.", "CPU"),
        ("bug", "An internal error occurred (ValueError: axes do not match).", "terminal"),
        (
            "passing fault",
            "The graphics device reported an error (CUDA error: unspecified launch failure).",
            "CPU",
        ),
    ],
)
def test_failures_are_told_in_plain_words(
    capfd: pytest.CaptureFixture[str], heard: Recorder, name: str, message: str, hint: str
) -> None:
    # Started here, since the fixture's engine would have the standard error of the test's setup.
    with contextlib.closing(EngineClient(fake_engine.ENTRY)) as client:
        client.listen(heard)
        client.start()
        answer = heard.answer(client.ask(do(f"raise:{name}")))
        assert isinstance(answer, Failed)
        assert answer.message == message
        assert hint in answer.hint
        assert heard.text(client.ask(do("state"))) == " [] []"
    is_surprise = name in ("bug", "passing fault")
    assert ("Traceback" in capfd.readouterr().err) == is_surprise


# ------------------------------------------------------------------------------------------------- ending


@pytest.mark.parametrize("command", ["state", "spin", "hold the interpreter"])
def test_closing_ends_the_engine_whatever_it_does(client: EngineClient, heard: Recorder, command: str) -> None:
    identifier = client.ask(do(command))
    heard.wait(lambda: Started(id=identifier) in heard.messages)
    time.sleep(0.1)  # It is told before the work begins, and must not be ended before, either.
    pid = client.pid
    assert pid is not None
    assert client.is_running
    begin = time.monotonic()
    client.close()
    assert time.monotonic() - begin < AT_ONCE_S
    assert is_gone(pid, within_s=0)
    assert client.pid is None
    assert not client.is_running
    assert len(heard.answers(identifier)) == 1
    count = len(heard.messages)
    client.close()
    assert len(heard.messages) == count
    with pytest.raises(RuntimeError, match="closed"):
        client.ask(do("state"))
    with pytest.raises(RuntimeError, match="closed"):
        client.start()


def test_closing_before_the_engine_is_ready(heard: Recorder) -> None:
    client = EngineClient(fake_engine.ENTRY)
    client.listen(heard)
    client.start()
    identifier = client.ask(do("state"))
    client.close()
    assert heard.messages == [Cancelled(id=identifier)]


def test_closing_a_client_that_was_never_started(heard: Recorder) -> None:
    client = EngineClient(fake_engine.ENTRY)
    client.listen(heard)
    identifier = client.ask(do("state"))
    client.close()
    assert heard.messages == [Cancelled(id=identifier)]


def test_closing_while_a_dead_engine_is_replaced(heard: Recorder) -> None:
    client = EngineClient(fake_engine.ENTRY)
    lost = threading.Event()
    client.listen(lambda message: lost.set() if isinstance(message, EngineLost) else heard(message))
    client.start()
    identifier = client.ask(do("exit:3"))
    assert lost.wait(10)
    begin = time.monotonic()
    client.close()
    assert time.monotonic() - begin < AT_ONCE_S
    assert heard.answers(identifier) == [Cancelled(id=identifier)]


# A program that owns a client and never closes it; it says the engine's pid, and if one is lost.
OWNER = """
import signal, sys, time
from convnext_studio.engine.client.client import EngineClient
from convnext_studio.protocol.envelope import EngineLost, Started
from convnext_studio.protocol.maps import FeatureMaps
from tests.end_to_end.waiting import AT_ONCE_S
from tests.engine.client import fake_engine

def listener(message):
    if isinstance(message, Started):
        print(client.pid, flush=True)
    if isinstance(message, EngineLost):
        print(message.message, flush=True)

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # A shell may have the tests ignore it.
    client = EngineClient(fake_engine.ENTRY)
    client.listen(listener)
    client.start()
    client.ask(FeatureMaps(image="", node=sys.argv[1]))
    sys.stdin.readline()
"""


def start_owner(tmp_path: Path, command: str, *, as_module: bool = False) -> tuple[subprocess.Popen[str], int]:
    """A process that owns a client which has begun a command, and the engine's pid."""
    (tmp_path / "owner.py").write_text(OWNER)
    program = ["-m", "owner"] if as_module else [str(tmp_path / "owner.py")]
    owner = subprocess.Popen(
        [sys.executable, *program, command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(tmp_path)])},
        start_new_session=True,
    )
    assert owner.stdout is not None
    return owner, int(owner.stdout.readline())


@pytest.mark.parametrize("command", ["state", "spin", "hold the interpreter"])
def test_killing_the_window_ends_the_engine(tmp_path: Path, command: str) -> None:
    owner, pid = start_owner(tmp_path, command)
    owner.kill()
    assert is_gone(pid)
    owner.communicate()


@pytest.mark.parametrize("as_module", [False, True])
def test_a_program_that_forgets_to_close_leaves_nothing_behind(tmp_path: Path, *, as_module: bool) -> None:
    owner, pid = start_owner(tmp_path, "spin", as_module=as_module)
    tracker = {process.pid for process in psutil.Process(owner.pid).children()} - {pid}
    assert owner.communicate("\n", timeout=10) == ("", "")
    assert owner.returncode == 0
    assert is_gone(pid, within_s=0)
    assert all(is_gone(other) for other in tracker)


def test_ctrl_c_is_the_windows_affair(tmp_path: Path) -> None:
    owner, pid = start_owner(tmp_path, "steps")
    os.killpg(owner.pid, signal.SIGINT)
    _, errors = owner.communicate(timeout=10)
    assert errors.count("Traceback") == 1, errors
    assert "stdin.readline" in errors
    assert is_gone(pid, within_s=0)


def test_the_window_imports_nothing_of_the_engine() -> None:
    code = (
        "import sys, convnext_studio.engine.client.client\n"
        "unwanted = 'torch', 'PySide6', 'convnext_studio.engine.server.worker'\n"
        "print([name for name in unwanted if name in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"


@pytest.mark.parametrize(("chosen", "expected"), [("", "PASSIVE"), ("ACTIVE", "ACTIVE")])
def test_the_engines_threads_sleep_while_they_wait_unless_somebody_chose_otherwise(
    chosen: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Threads that spin take the cores of the window and of threads that compute."""
    given: list[dict[str, str]] = []

    def refuse(*_command: object, env: dict[str, str], **_options: object) -> None:
        given.append(env)
        raise OSError("There is no process.")

    monkeypatch.setattr(subprocess, "Popen", refuse)
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    if chosen:
        monkeypatch.setenv("OMP_WAIT_POLICY", chosen)
    with pytest.raises(OSError, match="no process"):
        engine_process.EngineProcess("module:function")
    assert given[0]["OMP_WAIT_POLICY"] == expected
    assert "GLIBC_TUNABLES" in given[0]
