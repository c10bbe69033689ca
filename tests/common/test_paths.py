"""The program's own files are found from a checkout, an editable install and a wheel."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from convnext_studio.common.paths import ASSETS

ROOT = Path(__file__).parents[2]
FOLDERS = ("help", "icons", "lecture", "models")
TRACKED = ("setup.py", "pyproject.toml", "README.md", "LICENSE", "convnext_studio", "assets")

OPENED = """
import json
from PySide6.QtGui import QGuiApplication
import convnext_studio
from convnext_studio.common.paths import ASSETS
from convnext_studio.lecture.script import BUNDLED_LECTURE, read_lecture
from convnext_studio.model import load
from convnext_studio.ui.panels.help.help_panel import FOLDER
from convnext_studio.ui.shell.appearance import application_icon

application = QGuiApplication([])
print(json.dumps({
    "program": convnext_studio.__file__,
    "assets": str(ASSETS),
    "help": {page.name: page.read_text(encoding="utf-8") for page in FOLDER.glob("*.md")},
    "steps": [step.title for step in read_lecture(BUNDLED_LECTURE).steps],
    "icon": sorted(size.width() for size in application_icon().availableSizes()),
    "labels": load("bundled").labels,
}))
"""
"""What the program's own code opens of its files."""


def test_the_checkouts_assets_are_found() -> None:
    assert ASSETS == ROOT / "assets"
    assert all(any((ASSETS / folder).iterdir()) for folder in FOLDERS)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the tracked files; its path holds a space."""
    source = tmp_path_factory.mktemp("source") / "the checkout"
    source.mkdir()
    for path in (ROOT / name for name in TRACKED):
        if path.is_dir():
            shutil.copytree(path, source / path.name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(path, source)
    return source


def build(source: Path, out: Path, how: str) -> Path:
    """Build a wheel with setuptools, as pip does, and unpack it as an installation."""
    code = f"from setuptools import build_meta; build_meta.{how}({str(out)!r})"
    subprocess.run([sys.executable, "-c", code], cwd=source, capture_output=True, check=True, timeout=120)
    installed = out / "site packages"
    zipfile.ZipFile(next(out.glob("*.whl"))).extractall(installed)
    return installed


@pytest.fixture(scope="module")
def installed(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An installation from a wheel."""
    return build(source, tmp_path_factory.mktemp("wheel"), "build_wheel")


@pytest.fixture(scope="module")
def editable(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An editable installation: what makes Python find the source, and no more."""
    return build(source, tmp_path_factory.mktemp("editable"), "build_editable")


def run_installed(installed: Path, code: str) -> str:
    """Run code as an installation does that holds the program and all libraries of this environment.

    This environment may hold the program as well, in whatever way: the installation is searched first.
    """
    preamble = f"""
import site, sys
sys.path[:] = [{str(installed)!r}, *{[path for path in sys.path if path != str(ROOT)]!r}]
finders = list(sys.meta_path)
site.addsitedir({str(installed)!r})
sys.meta_path.sort(key=lambda finder: finder in finders)
"""
    done = subprocess.run(
        [sys.executable, "-S", "-P", "-c", preamble + code],
        cwd="/",
        env={name: text for name, text in os.environ.items() if name != "PYTHONPATH"},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_wheel_holds_every_module(installed: Path) -> None:
    for path in (ROOT / "convnext_studio").rglob("*.py"):
        assert (installed / path.relative_to(ROOT)).read_bytes() == path.read_bytes()


def test_a_wheel_holds_every_asset(installed: Path) -> None:
    for path in (ROOT / "assets").rglob("*"):
        if path.is_file():
            packed = installed / "convnext_studio" / "assets" / path.relative_to(ROOT / "assets")
            assert packed.read_bytes() == path.read_bytes()


def test_an_installed_program_opens_its_help_lecture_icon_and_model(installed: Path) -> None:
    opened: dict[str, Any] = json.loads(run_installed(installed, OPENED))
    assert Path(opened["program"]) == installed / "convnext_studio" / "__init__.py"
    assert Path(opened["assets"]) == installed / "convnext_studio" / "assets"
    assert opened["help"] == {
        page.name: page.read_text(encoding="utf-8") for page in (ROOT / "assets" / "help").glob("*.md")
    }
    assert len(opened["steps"]) > 40
    assert opened["icon"][-1] == 256
    assert len(opened["labels"]) == 24


def test_an_editable_program_finds_the_checkouts_assets(editable: Path, source: Path) -> None:
    assert not (editable / "convnext_studio").exists()
    opened: dict[str, Any] = json.loads(run_installed(editable, OPENED))
    assert Path(opened["program"]) == source / "convnext_studio" / "__init__.py"
    assert Path(opened["assets"]) == source / "assets"
    assert len(opened["help"]) == len(list((ROOT / "assets" / "help").glob("*.md")))
    assert len(opened["labels"]) == 24
