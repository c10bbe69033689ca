"""What must not be imported where; the layers themselves are import-linter's business."""

import subprocess
import sys


def modules_after(*statements: str) -> set[str]:
    """Return the modules that a fresh process has after these statements."""
    code = "\n".join((*statements, "import sys; print(*sys.modules)"))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    return set(done.stdout.split())


WINDOW = ("start.app", "shell.window", "start.launch")


def test_the_window_imports_no_torch_and_comes_before_what_only_the_lab_needs() -> None:
    # All in one process: what none of them imports is not there after any of them.
    loaded = modules_after(*(f"import convnext_studio.ui.{module}" for module in WINDOW))
    assert not loaded & {"torch", "timm", "captum", "torchvision", "skimage", "scipy", "matplotlib", "PIL"}
    assert not loaded & {"PySide6.QtSvg", "convnext_studio.ui.panels.receptive_field_lab.lab_panel"}


WITHOUT_QT = (
    "engine.server.dispatch",
    "engine.server.worker",
    "engine.client.client",
    "analysis",
    "model",
    "export",
    "cli.main",
    "cli.commands.erf_measuring",
    "cli.commands.export_pictures",
    "cli.commands.models",
    "cli.commands.doctor",
)


def test_everything_else_imports_no_qt() -> None:
    loaded = modules_after(*(f"import convnext_studio.{module}" for module in WITHOUT_QT))
    assert not loaded & {"PySide6", "shiboken6"}


def test_a_first_launch_needs_no_timm() -> None:
    loaded = modules_after("from convnext_studio.model import load; load('preset:tutorial')")
    assert not loaded & {"timm", "captum", "huggingface_hub", "torchvision"}
