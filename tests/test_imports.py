"""What must not be imported where; the layers themselves are import-linter's business."""

import subprocess
import sys

import pytest


def modules_after(statement: str) -> set[str]:
    code = f"{statement}\nimport sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize("module", ["start.app", "shell.window", "start.launch"])
def test_the_window_imports_no_torch(module: str) -> None:
    loaded = modules_after(f"import convnext_studio.ui.{module}")
    assert not loaded & {"torch", "timm", "captum", "torchvision", "skimage", "scipy", "matplotlib"}


def test_the_window_comes_before_what_only_the_lab_needs() -> None:
    loaded = modules_after("import convnext_studio.ui.start.launch")
    assert not loaded & {"PySide6.QtSvg", "convnext_studio.ui.panels.receptive_field_lab.lab_panel"}


@pytest.mark.parametrize(
    "module",
    [
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
    ],
)
def test_everything_else_imports_no_qt(module: str) -> None:
    assert not modules_after(f"import convnext_studio.{module}") & {"PySide6", "shiboken6"}


def test_a_first_launch_needs_no_timm() -> None:
    loaded = modules_after("from convnext_studio.model import load; load('preset:tutorial')")
    assert not loaded & {"timm", "captum", "huggingface_hub", "torchvision"}
