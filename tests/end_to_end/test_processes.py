"""Window and engine as processes: one dies or is closed while the other is at work."""

import json
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.end_to_end.program import Program
from tests.end_to_end.waiting import wait_for

PROMISED_S = 2.0
# A busy machine may take its time over noticing what has happened.
TOLERANCE_S = 2.0
HARD_MODEL = "preset:tutorial"  # Its first stage has 223 x 223 units: seconds for a pass on a CPU.

Start = Callable[..., Program]  # of a model and further arguments


@pytest.fixture
def start(offscreen: dict[str, str], photograph: Path, tmp_path: Path) -> Iterator[Start]:
    """Starts the program on the photograph with a model."""
    programs = []

    def start(model: str, *others: str) -> Program:
        arguments = [str(photograph), "--model", model, "--device", "cpu", "--size", "1280x800", *others]
        programs.append(Program(arguments, offscreen, tmp_path / "stderr.txt"))
        return programs[-1]

    yield start
    for program in programs:
        program.end()


def kill_engine(program: Program) -> None:
    """As the kernel does when memory runs out."""
    engine = program.engine
    assert engine is not None
    engine.send_signal(signal.SIGKILL)
    engine.wait()


def wait_for_losses(program: Program, count: int) -> str:
    """Wait until the window knows that so many engines have died, and give its last sentence about it."""

    def sentences() -> list[str] | None:
        said: list[str] = program.ask("said_of_lost_engines")
        return said if len(said) == count else None

    said = wait_for(f"{count} losses are noticed", sentences)
    assert said is not None
    return said[-1]


def test_the_window_survives_engines_that_are_killed(start: Start, weights: Path, photograph: Path) -> None:
    program = start(str(weights))
    program.wait_until_settled(photograph.name)
    program.ask("select", "stage4", 0)
    before = program.wait_until_settled(photograph.name)
    assert before.predictions
    colours = map_colours(program)

    kill_engine(program)
    assert "The engine stopped unexpectedly (killed by signal 9" in wait_for_losses(program, 1)
    wait_for("the window says that the engine is back", lambda: "was restarted" in program.shown().message)

    # The new engine knows the model and the picture: it can be asked at once about another node.
    program.ask("select", "stage3", 2)
    program.wait_until_settled(photograph.name)
    assert "Stage 3: 16 ×" in program.shown().captions["feature_maps"]

    started = started_fields(program)
    program.ask("set_control", "receptive_field", "fields.inputs", "noise")
    program.ask("set_control", "receptive_field", "fields.side", 384)
    program.ask("set_control", "receptive_field", "fields.count", 50)
    wait_for("a receptive field is being averaged", lambda: started_fields(program) > started)
    kill_engine(program)
    wait_for_losses(program, 2)
    # The new engine goes on with what the old one did not finish, until a shorter question replaces it.
    wait_for("it is averaged anew", lambda: started_fields(program) > started + 1)
    program.ask("set_control", "receptive_field", "fields.count", 1)
    program.ask("select", "stage4", 0)
    after = program.wait_until_settled(photograph.name)
    for kept in ("predictions", "model", "pictures", "title"):
        assert getattr(after, kept) == getattr(before, kept)
    assert set(after.notices.values()) == {""}
    assert "384 × 384 px" in after.captions["receptive_field"]
    assert np.array_equal(map_colours(program), colours)
    assert program.exit_status is None


def map_colours(program: Program) -> NDArray[np.float64]:
    """The colours of the selected channel's units."""
    view = program.view("feature_maps", "channel_map.view")
    width, height = (np.arange(side) + 0.5 for side in view.scene_size)
    return view.colours_at(*np.meshgrid(width, height))


def started_fields(program: Program) -> int:
    """How many receptive fields the engine has begun with."""
    return int(program.ask("started").count("ReceptiveField"))


def test_closing_the_window_ends_an_engine_at_work(start: Start) -> None:
    program = start(HARD_MODEL)
    wait_for("the network runs", lambda: "Predict" in program.ask("started"))
    assert program.engine is not None
    assert not program.shown().settled
    program.ask("close")
    assert_all_ends(program)
    assert program.exit_status == 0
    assert program.stderr.read_text() == ""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_closes_the_program_as_its_cross_does(
    start: Start, offscreen: dict[str, str], photograph: Path, number: signal.Signals
) -> None:
    """What a session's end and Ctrl+C send, while the network runs and a dialog is open."""
    program = start(HARD_MODEL)
    wait_for("the network runs", lambda: "Predict" in program.ask("started"))
    program.ask("trigger", "open")
    program.window.send_signal(number)
    assert_all_ends(program)
    assert program.exit_status == 128 + number
    assert program.stderr.read_text() == ""
    settings = json.loads(Path(offscreen["CONVNEXT_STUDIO_CONFIG_DIR"], "settings.json").read_text())
    assert settings["recent_pictures"] == [str(photograph)]
    assert settings["layout"]


def test_the_end_of_the_session_is_the_programs_end(start: Start, offscreen: dict[str, str]) -> None:
    """Also while it presents, with its window hidden."""
    settings = Path(offscreen["CONVNEXT_STUDIO_CONFIG_DIR"], "settings.json")
    program = start(HARD_MODEL, "--present")
    wait_for("the network runs", lambda: program.ask("started"))
    assert not settings.exists()
    program.ask("commit_data")
    assert settings.exists()
    settings.unlink()
    program.window.send_signal(signal.SIGTERM)
    assert_all_ends(program)
    assert program.exit_status == 128 + signal.SIGTERM
    assert settings.exists()


def test_killing_the_window_ends_an_engine_at_work(start: Start) -> None:
    program = start(HARD_MODEL)
    wait_for("the network runs", lambda: "Predict" in program.ask("started"))
    assert program.engine is not None
    program.kill_window()
    assert_all_ends(program)


def assert_all_ends(program: Program) -> None:
    """Window, engine and whatever else there is end in time."""
    begin = time.monotonic()
    wait_for("all processes have ended", lambda: not program.left)
    assert time.monotonic() - begin < PROMISED_S + TOLERANCE_S
