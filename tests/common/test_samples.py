"""The samples exist, and are found without importing their packages."""

import subprocess
import sys

import pytest
from PIL import Image

from convnext_studio.common.errors import StudioError
from convnext_studio.common.samples import FIRST_SAMPLE, SAMPLES, sample_path


@pytest.mark.parametrize("name", SAMPLES)
def test_every_sample_is_a_photograph(name: str) -> None:
    with Image.open(sample_path(name)) as picture:
        assert min(picture.size) >= 300


def test_the_sample_of_the_first_launch_exists() -> None:
    assert FIRST_SAMPLE in SAMPLES


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(StudioError) as caught:
        sample_path("dog")
    assert "dog" in caught.value.message
    assert all(name in caught.value.hint for name in SAMPLES)


def test_looking_for_a_sample_imports_no_package() -> None:
    code = (
        "import sys; from convnext_studio.common.samples import SAMPLES, sample_path;"
        "[sample_path(name) for name in SAMPLES];"
        "sys.exit(any(name in sys.modules for name in ('skimage', 'matplotlib', 'PySide6', 'torch', 'numpy')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
