"""The program's own files are found from a checkout, an editable install and a wheel."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from convnext_studio.common.paths import ASSETS

ROOT = Path(__file__).parents[2]
FOLDERS = ("help", "icons", "lecture", "models")


def test_the_checkouts_assets_are_found() -> None:
    assert all(any((ASSETS / folder).iterdir()) for folder in FOLDERS)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel of the package, built only from the tracked files."""
    source, built = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE", "convnext_studio", "assets"):
        (source / name).symlink_to(ROOT / name)
    code = f"from setuptools.build_meta import build_wheel; build_wheel({str(built)!r})"
    subprocess.run([sys.executable, "-c", code], cwd=source, capture_output=True, check=True, timeout=120)
    return next(built.glob("*.whl"))


def test_a_wheel_contains_every_asset(wheel: Path) -> None:
    packed = set(zipfile.ZipFile(wheel).namelist())
    assets = {path.relative_to(ROOT / "assets") for path in (ROOT / "assets").rglob("*") if path.is_file()}
    wanted = {f"convnext_studio/assets/{path.as_posix()}" for path in assets}
    assert wanted <= packed


def test_assets_are_found_from_an_unpacked_wheel(wheel: Path, tmp_path: Path) -> None:
    zipfile.ZipFile(wheel).extractall(tmp_path)
    code = "from convnext_studio.common.paths import ASSETS; print(ASSETS)"
    command = [sys.executable, "-P", "-c", f"import sys; sys.path.insert(0, {str(tmp_path)!r}); {code}"]
    shown = subprocess.run(command, cwd="/", capture_output=True, text=True, check=True, timeout=60)
    assert Path(shown.stdout.strip()) == tmp_path / "convnext_studio" / "assets"
