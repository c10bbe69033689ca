"""The real program at random moments: its engine is killed again and again, its window closed or killed."""

import contextlib
import random
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image

from tests.end_to_end.program import Program
from tests.end_to_end.waiting import LONG_S, wait_for

KILLS = 100
PICTURES, SAMPLED_EVERY, GROWTH = 1000, 50, 0.02
SIZES_PX = ((1200, 900), (2000, 1500), (1500, 2000), (3000, 2000), (4000, 3000))
"""Of 1 to 12 megapixels."""
CLOSED_AT_ONCE, LARGEST_REST = 20, 0.10
HANDED_BACK_S = 2.0
"""By then the program has returned to the system what it freed."""
LONGEST_PAUSE_S = 3.0
DESCRIPTORS_OF_A_RESTART = 4
# Those that measure for seconds are turned to now and then.
ASIDES = ("contact_sheet", "activity", "export", "build", "catalogue", "help")
MEASURING = ("evidence", "field_lab")
MEASURED_EVERY = 20
NODES = ("stem", "stage1", "stage2.block1", "stage3", "stage4")
# From before the window is there to after the first picture is analysed, on a machine that is busy or not.
LATEST_END_S = 8.0

Start = Callable[[], Program]


@pytest.fixture
def start(offscreen: dict[str, str], weights: Path, photograph: Path, tmp_path: Path) -> Iterator[Start]:
    """Starts the program on two pictures with a small network."""
    programs = []

    def start() -> Program:
        pictures = [str(photograph), "sample:cat"]
        arguments = [*pictures, "--model", str(weights), "--device", "cpu", "--size", "1280x800"]
        programs.append(Program(arguments, offscreen, tmp_path / "stderr.txt"))
        return programs[-1]

    yield start
    for program in programs:
        program.end()


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_hundred_engines_killed_while_requests_stream_in(start: Start) -> None:
    chance = random.Random(0)
    program = start()
    program.wait_until_settled()
    program.ask("select", "stage4", 0)
    before = program.wait_until_settled()
    descriptors = program.window.num_fds()
    kills = 0
    while kills < KILLS:
        for _ in range(chance.randrange(4)):
            program.ask("select", chance.choice(NODES), chance.randrange(4), chance.choice(before.pictures))
        time.sleep(chance.uniform(0, LONGEST_PAUSE_S))
        kills += kill_engine(program)
    # What two engines have died of is given up, and asked again when something else was selected meanwhile.
    (other,) = set(before.pictures) - {before.picture}
    for node, picture in (("stage1", other), ("stage4", before.picture)):
        program.ask("select", node, 0, picture)
    wait_for("an engine is there again", lambda: program.engine is not None)
    after = program.wait_until_settled(before.picture)
    assert "Stage 4" in before.captions["feature_maps"]
    for kept in ("predictions", "model", "pictures", "title", "captions"):
        assert getattr(after, kept) == getattr(before, kept)
    assert program.window.num_fds() <= descriptors + DESCRIPTORS_OF_A_RESTART
    assert {process.pid for process in program.left} >= {program.window.pid}
    # The window, its engine, the engine's decoder, and what multiprocessing keeps beside them.
    assert len(program.left) <= 4


def kill_engine(program: Program) -> bool:
    """As the kernel does when memory runs out; whether there was an engine."""
    engine = program.engine
    if engine is None:
        return False
    with contextlib.suppress(psutil.NoSuchProcess):
        engine.send_signal(signal.SIGKILL)
        engine.wait(LONG_S)
    return True


@pytest.mark.parametrize("moment", [0.0, pytest.param(1.0, marks=pytest.mark.slow)])
@pytest.mark.parametrize("how", ["kill", "terminate"])
def test_a_window_that_is_ended_at_a_moment_leaves_no_process(start: Start, how: str, moment: float) -> None:
    assert_nothing_stays_after(start(), how, moment)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_windows_that_are_ended_at_random_moments_leave_no_process(start: Start) -> None:
    chance = random.Random(1)
    for _ in range(20):
        assert_nothing_stays_after(
            start(), chance.choice(["kill", "terminate"]), chance.uniform(0, LATEST_END_S)
        )


def assert_nothing_stays_after(program: Program, how: str, moment_s: float) -> None:
    time.sleep(moment_s)
    getattr(program.window, how)()
    wait_for("all processes have ended", lambda: not program.left)


def photographs(folder: Path) -> list[Path]:
    """Files of a photograph's sizes; noise that was enlarged, so that they are quick to write."""
    numbers = np.random.default_rng(0)
    files = []
    for size in SIZES_PX:
        files.append(folder / f"{size[0]}x{size[1]}.jpg")
        small = Image.fromarray(numbers.integers(0, 255, (30, 40, 3), np.uint8))
        small.resize(size).save(files[-1])
    return files


def resident_bytes(program: Program) -> tuple[int, int]:
    """What window and engine hold."""
    engine = program.engine
    assert engine is not None
    return program.window.memory_info().rss, engine.memory_info().rss


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_closing_all_pictures_gives_their_memory_back(start: Start, tmp_path: Path) -> None:
    program = start()
    program.wait_until_settled()
    files = photographs(tmp_path)

    def look_at(count: int) -> tuple[int, int]:
        for number in range(count):
            path = tmp_path / f"{count}-{number}.jpg"
            path.hardlink_to(files[number % len(files)])
            program.ask("open", str(path))
            program.wait_until_settled(path.name)
        program.ask("trigger", "close_all")
        wait_for("all pictures are closed", lambda: not program.shown().pictures)
        program.wait_until_settled()
        time.sleep(HANDED_BACK_S)
        return resident_bytes(program)

    empty = look_at(2)  # Imports, colour maps and fonts stay.
    held = look_at(CLOSED_AT_ONCE)
    assert max(np.divide(held, empty)) <= 1 + LARGEST_REST, (empty, held)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_thousand_pictures_in_a_row_take_no_more_memory_than_a_hundred(start: Start, tmp_path: Path) -> None:
    program = start()
    program.wait_until_settled()
    program.ask("watch_no_more")
    files = photographs(tmp_path)
    resident: list[tuple[int, int]] = []
    for count in range(1, PICTURES + 1):
        path = tmp_path / f"{count}.jpg"
        path.hardlink_to(files[count % len(files)])
        turn, rest = divmod(count, MEASURED_EVERY)
        program.ask("turn_to", ASIDES[count % len(ASIDES)] if rest else MEASURING[turn % len(MEASURING)])
        program.ask("open", str(path))
        program.wait_until_settled(path.name)
        program.ask("close_picture")
        path.unlink()
        if count % SAMPLED_EVERY == 0:
            program.wait_until_settled()  # Otherwise the picture may be on its way through a thread.
            resident.append(resident_bytes(program))
    early, late = np.array(resident[1:4]).mean(axis=0), np.array(resident[-3:]).mean(axis=0)
    assert (late / early < 1 + GROWTH).all(), resident
