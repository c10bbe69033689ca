"""A lecture from the command line: presented, handed out, or refused with file and line."""

import re
from pathlib import Path

import pytest
from PIL import Image

from tests.end_to_end.program import run_studio

CHAPTER = """\
# One's own

## First
---
view: picture
---
What is seen.

$$ x^2 $$

## Second
---
view: picture
classes: 2
---
What else is seen.
"""


@pytest.fixture
def lecture(tmp_path: Path) -> Path:
    folder = tmp_path / "my lecture"
    folder.mkdir()
    (folder / "1.md").write_text(CHAPTER, encoding="utf-8")
    return folder


@pytest.mark.parametrize("suffix", ["pdf", pytest.param("html", marks=pytest.mark.slow)])
def test_a_hand_out_without_a_display(
    no_display: dict[str, str], photograph: Path, weights: Path, lecture: Path, tmp_path: Path, suffix: str
) -> None:
    path = tmp_path / f"hand out.{suffix}"
    options = ["--out", str(path), "--model", str(weights), "--lecture", str(lecture)]
    done, left = run_studio(["handout", str(photograph), *options], no_display)
    assert (done.returncode, done.stdout, left) == (0, f"{path}\n", [])
    assert done.stderr == "step 1 of 2\nstep 2 of 2\n"
    data = path.read_bytes()
    if suffix == "pdf":
        assert data.startswith(b"%PDF")
        assert len(re.findall(rb"/Type\s*/Page\b", data)) == 3  # Cover, contents, and two steps.
    else:
        assert data.count(b"<figure ") == 2
        assert photograph.name.encode() in data
    assert sorted(file.name for file in tmp_path.iterdir()) == sorted([lecture.name, path.name])


def test_a_step_is_photographed_without_a_display(
    no_display: dict[str, str], weights: Path, lecture: Path, tmp_path: Path
) -> None:
    path = tmp_path / "step.png"
    options = ["--model", str(weights), "--step", "2", "--screenshot", str(path), "--size", "800x600"]
    done, left = run_studio(["sample:cat", "--present", str(lecture), *options], no_display)
    assert (done.returncode, done.stdout, done.stderr, left) == (0, "", "", [])
    with Image.open(path) as opened:
        assert opened.size == (800, 600)
        colours = opened.convert("RGB").getcolors(maxcolors=1 << 24)
    assert colours is not None
    assert max(colours)[1] == (255, 255, 255)  # Paper, and more than that.
    assert len(colours) > 1000


@pytest.mark.parametrize(
    "command", [["--present"], ["handout", "--out", "out.pdf", "--lecture"]], ids=["show", "save"]
)
def test_a_mistake_is_told_with_file_and_line(
    offscreen: dict[str, str], lecture: Path, command: list[str]
) -> None:
    path = lecture / "1.md"
    path.write_text(CHAPTER.replace("classes: 2", "classes: two"), encoding="utf-8")
    done, left = run_studio([*command, str(lecture)], offscreen)
    assert (done.returncode, done.stdout, left) == (1, "", [])
    assert done.stderr.startswith(f"convnext-studio: {path}, line 14: ")
    assert done.stderr.count("\n") == 1
