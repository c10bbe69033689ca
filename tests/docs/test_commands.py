"""The commands on the pages do what they should, in a folder that holds what they name.

What opens a window runs offscreen, and ends when its screenshot is taken. Commands that name no model get a
small one in place of the bundled one.
"""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from msgspec.structs import replace
from PIL import Image
from safetensors.torch import save_file

from convnext_studio.cli import main as cli
from convnext_studio.cli import options
from convnext_studio.cli.command_table import COMMANDS, WINDOW, full_parser
from convnext_studio.common.samples import sample_path
from convnext_studio.decoding.live.camera import REHEARSAL
from tests.decoding.live.films import make_film
from tests.docs.pages import DOCS, ROOT, Block, blocks
from tests.networks import small_model, write_weights
from tests.training.drawn import draw_folder

PROGRAM = "convnext-studio"
LONG_S = 240
INSTALLING = {
    "python3 -m venv .venv && .venv/bin/pip install .",
    "python3 -m venv .venv",
    ". .venv/bin/activate",
    "pip install -e '.[test]'",
}
"""Needs a network connection; .ci/run does the same, and tests/common/test_paths.py installs without one."""
CHECKS = {
    ".ci/run",
    "ruff format --check .",
    "ruff check .",
    "mypy",
    "lint-imports",
    "python -m pytest tests/erf",
    "xvfb-run python -m pytest tests/end_to_end/test_drop.py",
}
"""Run the checks or the tests themselves: .ci/run does that."""
QUICK = {
    "python -m pytest tests/common/test_geometry.py",
    "python -m pytest tests/erf/test_squares.py -k published",
}
PLANTED_FAULTS = {
    "pip install -e '.[mutants]'",
    "cosmic-ray init tests/mutants/cosmic_ray.toml session.sqlite",
    "cr-filter-operators session.sqlite tests/mutants/cosmic_ray.toml",
    "cosmic-ray exec tests/mutants/cosmic_ray.toml session.sqlite",
    "cr-report session.sqlite",
}
"""Take days, and need an extra that nothing else does."""
BENCHMARKS = "python -m tests.benchmarks"
LABELS = ("cat", "dog", "bird", "boat", "car", "bridge", "frog")
QT_COMMANDS = {"handout"}
"""Commands that need a process of their own, because they start Qt."""


def of_program(line: str) -> str | None:
    """What the program is given in a line; None where the line starts another program."""
    words = line.split(" ")
    while "=" in words[0]:
        words.pop(0)
    return " ".join(words[1:]) if words[0] in (PROGRAM, f".venv/bin/{PROGRAM}") else None


def opens_window(line: str) -> bool:
    """Whether the program is started without a command."""
    given = of_program(line)
    return given is not None and given.partition(" ")[0] not in COMMANDS


def program_blocks() -> list[object]:
    """All blocks that start the program. A window takes some seconds: of those, only the README's is quick."""
    found: list[object] = []
    for block in blocks("sh"):
        lines = block.text.splitlines()
        if any(of_program(line) is not None for line in lines):
            is_slow = block.page.name != "README.md" and any(map(opens_window, lines))
            found.append(pytest.param(block, id=str(block), marks=[pytest.mark.slow] if is_slow else []))
    return found


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the pages name: two pictures, folders of pictures, weights, a lecture; a film is the camera."""
    for name, sample in (("cat", "cat"), ("dog", "astronaut")):
        with Image.open(sample_path(sample)) as image:
            image.convert("RGB").resize((160, 120)).save(tmp_path / f"{name}.jpg")
    photos = tmp_path / "photos"
    photos.mkdir()
    for name in ("cat.jpg", "dog.jpg"):
        (photos / name).write_bytes((tmp_path / name).read_bytes())
    draw_folder(tmp_path / "pictures", 10)
    weights = dict(small_model().module.state_dict())
    save_file(weights, tmp_path / "weights.safetensors")
    networks = {
        f"{of}.backbone.{name}": values for of in ("student", "teacher") for name, values in weights.items()
    }
    torch.save(networks, tmp_path / "checkpoint.pth")
    monkeypatch.setenv(REHEARSAL, str(make_film(tmp_path / "film.mp4", 25)))
    small = write_weights(tmp_path / "small.safetensors", replace(small_model(), labels=LABELS))
    monkeypatch.setattr(options, "default_model", lambda: str(small))
    [example] = [block for block in blocks("markdown") if block.page == DOCS / "lecture.md"]
    (tmp_path / "my-lecture").mkdir()
    (tmp_path / "my-lecture" / "1.md").write_text(example.text, encoding="utf-8")
    for name in ("CONVNEXT_STUDIO_CONFIG_DIR", "XDG_DATA_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.chdir(tmp_path)
    return tmp_path


STARTED = """
import sys
from pathlib import Path
from convnext_studio.cli.main import main
from convnext_studio.lecture import script
script.BUNDLED_LECTURE = Path("my-lecture")
sys.exit(main(sys.argv[1:]))
"""
"""The program, with a lecture of one step in place of the bundled one, which takes minutes to write."""


def run_apart(arguments: list[str]) -> None:
    """Run the program in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", STARTED, *arguments],
        capture_output=True,
        text=True,
        timeout=LONG_S,
        check=False,
        env=os.environ | {"QT_QPA_PLATFORM": "offscreen", "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stderr


def run_program(arguments: list[str], shot: Path) -> None:
    """Run what a line gives to the program: commands here, windows apart."""
    command = arguments[0] if arguments else ""
    if command in COMMANDS and command not in QT_COMMANDS:
        assert cli.main(arguments) == 0
    elif command in COMMANDS:
        run_apart(arguments)
        assert Path(arguments[arguments.index("--out") + 1]).stat().st_size > 1000
    else:
        if "--screenshot" in arguments:
            shot = Path(arguments[arguments.index("--screenshot") + 1])
        else:
            arguments = [*arguments, "--screenshot", str(shot)]
        run_apart(arguments)
        with Image.open(shot) as image:
            assert min(image.size) > 500


@pytest.mark.parametrize("block", program_blocks())
def test_what_a_block_gives_to_the_program_works(block: Block, folder: Path) -> None:
    for number, line in enumerate(block.text.splitlines()):
        given = of_program(line)
        if given is not None:
            run_program(shlex.split(given), folder / f"shot-{number}.png")


def test_every_line_can_be_parsed() -> None:
    lines = [given for block in blocks("sh") for line in block.text.splitlines() if (given := of_program(line))]
    assert len(lines) > 15
    for given in lines:
        name, *rest = shlex.split(given)
        full_parser(name if name in COMMANDS else WINDOW).parse_args(
            rest if name in COMMANDS else [name, *rest]
        )


def test_every_other_line_is_known_here() -> None:
    """So that a new one is not left untested; and what is known here stands on a page."""
    others = {line for block in blocks("sh") for line in block.text.splitlines() if of_program(line) is None}
    assert others == INSTALLING | CHECKS | QUICK | PLANTED_FAULTS | {BENCHMARKS}


@pytest.mark.parametrize("line", sorted(QUICK))
def test_a_contributors_first_tests_pass(line: str) -> None:
    arguments = shlex.split(line)[1:]
    done = subprocess.run(
        [sys.executable, *arguments, "-p", "no:cacheprovider"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=LONG_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.slow
def test_the_benchmarks_start_as_the_page_says() -> None:
    """One quick row of them; all take minutes."""
    arguments = [*shlex.split(BENCHMARKS)[1:], "--rows", "seen", "--runs", "1"]
    done = subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=LONG_S, check=False
    )
    assert done.returncode in (0, 1), done.stderr  # 1 where this machine is too slow for the goal.
    assert "median of 1" in done.stdout
    assert "seen before" in done.stdout


def test_the_command_lines_page_shows_every_command() -> None:
    page = (DOCS / "command-line.md").read_text(encoding="utf-8")
    assert [name for name in COMMANDS if f"{PROGRAM} {name}" not in page] == []
