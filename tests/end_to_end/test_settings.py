"""Settings that cannot be read or written cost a sentence; two programs at once cost nothing."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.end_to_end.program import Program
from tests.end_to_end.waiting import wait_for

Start = Callable[[], Program]
NEWER = json.dumps({"version": 1000, "theme": {"hue": 3}})


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    """Where the program has its settings."""
    return tmp_path / "settings"


@pytest.fixture
def start(offscreen: dict[str, str], weights: Path, photograph: Path, tmp_path: Path) -> Iterator[Start]:
    """Starts the program on a photograph with a small network."""
    programs: list[Program] = []

    def start() -> Program:
        arguments = [str(photograph), "--model", str(weights), "--device", "cpu", "--size", "1280x800"]
        programs.append(Program(arguments, offscreen, tmp_path / f"stderr {len(programs)}.txt"))
        return programs[-1]

    yield start
    for program in programs:
        program.end()


def close(program: Program) -> str:
    """Close the window, which ends all of it in order; what it said."""
    program.ask("close")
    wait_for("all processes have ended", lambda: not program.left)
    assert program.exit_status == 0
    return program.stderr.read_text()


@pytest.mark.parametrize(("content", "sentence"), [("{", "damaged"), (NEWER, "newer version")])
def test_a_file_that_cannot_be_used(start: Start, settings: Path, content: str, sentence: str) -> None:
    settings.mkdir()
    file = settings / "settings.json"
    file.write_text(content)
    program = start()
    shown = program.wait_until_settled()
    assert sentence in shown.message
    assert shown.predictions
    assert close(program) == ""
    assert (file.read_text() == content) == (content == NEWER)


def test_a_place_that_cannot_be_written(start: Start, settings: Path) -> None:
    settings.write_text("in the way")
    program = start()
    assert program.wait_until_settled().predictions
    said = close(program)
    assert "could not be written" in said
    assert said.count("\n") == 1
    assert settings.read_text() == "in the way"


def test_two_programs_at_once(start: Start, settings: Path) -> None:
    programs = [start(), start()]
    shown = [program.wait_until_settled() for program in programs]
    assert shown[0].predictions == shown[1].predictions != ()
    assert [close(program) for program in programs] == ["", ""]
    assert [path.name for path in settings.iterdir()] == ["settings.json"]
    assert json.loads((settings / "settings.json").read_text())["recent_pictures"]
