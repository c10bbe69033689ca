"""The report tells what a maintainer needs, and nothing about who wrote it or where their files lie."""

import getpass
import platform
from pathlib import Path, PureWindowsPath

import numpy
import pytest

import convnext_studio
from convnext_studio.ui.shell.problem_report import problem_report, without_private
from convnext_studio.ui.state.settings import Settings
from tests.ui.conftest import make_model

HOME = Path("/home/lovelace")


@pytest.fixture(autouse=True)
def lovelace(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody with a name that is nowhere else."""
    monkeypatch.setattr(Path, "home", lambda: HOME)
    monkeypatch.setattr(getpass, "getuser", lambda: "lovelace")
    monkeypatch.setattr(platform, "node", lambda: "analytical-engine")


@pytest.mark.usefixtures("qapp")
def test_the_report_says_what_runs_here_and_nothing_private() -> None:
    settings = Settings(
        recent_pictures=("/media/clinic/mrs-smith/scan.png", f"{HOME}/cat.png"),
        recent_models=(f"{HOME}/secret project/weights.pth", "preset:tutorial"),
        recent_choices=(f"open {HOME}/cat.png",),
        geometry="QUJD",
    )
    lines = (
        f"12:00 WARNING engine: could not read {HOME}/secret project/weights.pth",
        "12:01 ERROR engine: /media/clinic/mrs-smith/scan.png is damaged",
        "12:02 INFO window: opened patient-7.png on analytical-engine for lovelace, not for lovelaces",
        'Traceback: File "C:\\\\Users\\\\Ada\\\\x.py", /Users/babbage/y.py',
    )
    text = problem_report(make_model(title=f"{HOME}/w.pth"), settings, lines, ["patient-7.png"])
    for told in (
        convnext_studio.__version__,
        platform.python_version(),
        numpy.__version__,
        "A processor",
        "recent_pictures: 2",
        "weights.pth",
        "is damaged",
        "not for lovelaces",
    ):
        assert told in text
    for private in (
        str(HOME),
        "secret project",
        "mrs-smith",
        "patient-7",
        "analytical-engine",
        "Ada",
        "babbage",
    ):
        assert private not in text
    assert " lovelace," not in text
    assert "QUJD" not in text


@pytest.mark.usefixtures("qapp")
def test_without_a_model_it_says_so() -> None:
    assert "none is open" in problem_report(None, Settings(), ())


def test_the_home_folder_is_replaced_in_every_spelling(monkeypatch: pytest.MonkeyPatch) -> None:
    home = PureWindowsPath("C:/Users/lovelace")
    monkeypatch.setattr(Path, "home", lambda: WindowsHome(home))
    for spelling in ("C:\\Users\\lovelace\\a", "C:\\\\Users\\\\lovelace\\\\a", "C:/Users/lovelace/a"):
        assert "lovelace" not in without_private(f"x {spelling} y")
        assert without_private(f"x {spelling} y").startswith("x ~")


class WindowsHome(PureWindowsPath):
    """A home folder of Windows', on any system."""

    def resolve(self) -> "WindowsHome":
        return self


def test_a_home_that_is_the_root_hides_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "home", lambda: Path("/"))
    assert without_private("/usr/lib/x.py at 1/2") == "/usr/lib/x.py at 1/2"
