"""How the window's modules are imported."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize("searches", [True, False])
def test_pyside_does_not_read_the_sources_of_the_window(searches: bool) -> None:
    """By default it does, and keeps all of them in memory."""
    script = (
        "import linecache, sys\n"
        "from convnext_studio.ui.start.app import search_no_sources\n"
        f"{'import PySide6.QtCore' if searches else 'search_no_sources()'}\n"
        "from convnext_studio.ui.widgets.theme import current\n"
        "sys.exit(any(name.endswith('text_size.py') for name in linecache.cache))"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False, timeout=60).returncode == int(searches)
