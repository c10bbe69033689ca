"""A photograph, a small network's weights and a place for the program's settings, for all of these tests."""

import shutil
from pathlib import Path

import pytest

from convnext_studio.common.samples import sample_path
from tests.end_to_end.apart import write_weights
from tests.end_to_end.program import environment


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A weights file of `apart.CONFIG`."""
    path = tmp_path_factory.mktemp("weights") / "small.safetensors"
    write_weights(path)
    return path


@pytest.fixture(scope="session")
def photograph(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A photograph whose name is one that programs stumble over."""
    path = tmp_path_factory.mktemp("photographs") / "Rakete am Morgen, 50 % größer.jpg"
    shutil.copy(sample_path("rocket"), path)
    return path


@pytest.fixture
def no_display(tmp_path: Path) -> dict[str, str]:
    """The environment on a machine without a display."""
    return environment(tmp_path / "settings")


@pytest.fixture
def offscreen(tmp_path: Path) -> dict[str, str]:
    """The environment in which Qt paints into memory."""
    return environment(tmp_path / "settings", QT_QPA_PLATFORM="offscreen")
