"""Each process of the program, started in a folder full of files that are called like modules."""

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from convnext_studio.common.samples import sample_path
from convnext_studio.decoding.decoder_process import Decoder
from convnext_studio.decoding.live.frame_reader import FrameReader
from tests.decoding.live.films import make_film

_OTHERS = (
    *("numpy", "PIL", "torch", "torchvision", "timm", "captum", "PySide6", "shiboken6", "pyqtgraph", "msgspec"),
    *("av", "tifffile", "imagecodecs", "matplotlib", "scipy", "skimage", "cmap", "platformdirs", "cachetools"),
    *("safetensors", "pydicom", "rawpy", "pi_heif", "pillow_heif", "huggingface_hub", "yaml", "contourpy"),
    *("onnx", "shtab", "pynvml", "psutil", "sitecustomize", "usercustomize", "assets", "setup"),
)
_LEFT_A_MARK = "ran.txt"
_TRAP = f"""\
import os
with open(os.path.join(os.path.dirname(__file__), "..", "{_LEFT_A_MARK}"), "a") as marks:
    marks.write(__name__ + " in " + str(os.getpid()) + "\\n")
raise ImportError("a trap")
"""
_LOADED_BEFORE = "import runpy, sys; runpy._get_module_details('json.tool'); print(*sys.modules)"


@pytest.fixture
def traps(tmp_path: Path) -> Path:
    """A folder with a file called like each module that could be imported, and one called like this program."""
    folder = tmp_path / "traps"
    (folder / "convnext_studio").mkdir(parents=True)
    for name in ("__init__", "__main__", "cli", "decoding", "engine"):
        (folder / "convnext_studio" / f"{name}.py").write_text(_TRAP.replace('".."', '"..", ".."'))
    for name in {*sys.stdlib_module_names, *_OTHERS} - {"convnext_studio"}:
        (folder / f"{name}.py").write_text(_TRAP)
    return folder


def what_ran(traps: Path) -> str:
    marks = traps.parent / _LEFT_A_MARK
    return marks.read_text() if marks.exists() else ""


def run_in(folder: Path, command: list[str], variables: dict[str, str]) -> None:
    done = subprocess.run(
        command, cwd=folder, env=variables, capture_output=True, text=True, timeout=240, check=False
    )
    assert (done.returncode, what_ran(folder)) == (0, ""), done.stderr


def installed_command() -> str:
    return str(Path(sysconfig.get_path("scripts"), "convnext-studio"))


def test_window_engine_and_decoder(
    traps: Path, no_display: dict[str, str], weights: Path, photograph: Path
) -> None:
    picture = traps / "cat.jpg"  # The folder of a picture is searched as little as the current one.
    picture.write_bytes(photograph.read_bytes())
    shot = traps / "shot.png"
    options = ["--model", str(weights), "--screenshot", str(shot), "--size", "1280x800"]
    run_in(traps, [installed_command(), str(picture), *options], no_display)
    assert shot.read_bytes().startswith(b"\x89PNG")


def test_python_m_export(traps: Path, no_display: dict[str, str], weights: Path) -> None:
    # Python itself finds the package that -m names, and what it needs for that, in the current folder.
    (traps / "convnext_studio").rename(traps / "another_package")
    loaded = subprocess.run(
        [sys.executable, "-c", _LOADED_BEFORE], capture_output=True, text=True, check=True
    ).stdout.split()
    for name in loaded:
        (traps / f"{name}.py").unlink(missing_ok=True)
    assert (traps / "numpy.py").exists()
    assert (traps / "select.py").exists()
    command = [
        sys.executable,
        "-m",
        "convnext_studio",
        "export",
        str(sample_path("cat")),
        "--model",
        str(weights),
    ]
    run_in(traps, [*command, "--out", str(traps.parent / "out")], no_display)


@pytest.mark.slow
@pytest.mark.parametrize("path", [".", ""], ids=["dot", "empty"])
def test_a_path_that_names_the_current_folder(
    traps: Path, no_display: dict[str, str], weights: Path, path: str
) -> None:
    """Python may be told to search it by the environment; what the program imports later is not found there."""
    kept = {name for name in _OTHERS if name not in ("sitecustomize", "usercustomize")}
    for trap in traps.glob("*.py"):
        if trap.stem not in kept:
            trap.unlink()
    (traps / "convnext_studio").rename(traps / "another_package")
    command = [installed_command(), "export", str(sample_path("cat")), "--model", str(weights)]
    variables = no_display | {"PYTHONPATH": os.pathsep.join((path, str(traps / "nowhere")))}
    run_in(traps, [*command, "--out", str(traps.parent / "out")], variables)


def test_children_of_a_notebook(traps: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    film, cat = make_film(tmp_path / "film.mp4", 3), str(sample_path("cat"))
    with Decoder() as decoder, FrameReader() as reader:
        monkeypatch.chdir(traps)
        monkeypatch.setattr(sys, "path", ["", *sys.path])
        decoder.start()
        assert decoder.decode(cat).pixels.size
        assert len(reader.open_file(str(film)).times) == 3
    assert what_ran(traps) == ""


@pytest.mark.slow
def test_hand_out(traps: Path, no_display: dict[str, str], weights: Path, photograph: Path) -> None:
    lecture = traps.parent / "lecture"
    lecture.mkdir()
    (lecture / "1.md").write_text("# One\n\n## First\n---\nview: picture\n---\nWhat is seen.\n\n$$ x^2 $$\n")
    options = ["--out", str(traps / "out.pdf"), "--model", str(weights), "--lecture", str(lecture)]
    run_in(traps, [installed_command(), "handout", str(photograph), *options], no_display)


@pytest.mark.slow
def test_training(traps: Path, no_display: dict[str, str], tmp_path: Path) -> None:
    for label in ("one", "two"):
        for number in range(8):
            target = tmp_path / "photographs" / label / f"{number}.jpg"
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(sample_path("cat" if label == "one" else "rocket").read_bytes())
    options = ["--epochs", "1", "--sizes-px", "24", "--input-px", "24", "--cache-px", "24", "--batch-size", "8"]
    options += ["--depths", "1,1,1,1", "--dims", "8,8,12,16", "--device", "cpu"]
    options += ["--out", str(traps / "trained.safetensors")]
    run_in(traps, [installed_command(), "train", str(tmp_path / "photographs"), *options], no_display)
