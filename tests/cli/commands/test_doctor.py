"""The report is whole whatever the environment variables say, and names what they break."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from convnext_studio.cli.commands import doctor
from convnext_studio.common import paths
from convnext_studio.ui.start import platform_check

CACHES = [
    {},
    {"XDG_CACHE_HOME": "/a/cache"},
    {"HF_HOME": "/a/home"},
    {"HF_HUB_CACHE": "/a/hub"},
    {"HUGGINGFACE_HUB_CACHE": "/an/old/hub"},
    {"HF_HOME": "$HOME/x", "HOME": "/a/home"},
    {"HF_HOME": "~/x", "HOME": "/a/home"},
    {"HF_HOME": "~nobody-of-that-name/x"},
    {"XDG_CACHE_HOME": "~nobody-of-that-name"},
    {"HF_HUB_CACHE": "$NOT_THERE/hub"},
    {"HF_HUB_CACHE": "relative"},
    {"HF_HUB_CACHE": "/b", "HUGGINGFACE_HUB_CACHE": "/c", "HF_HOME": "/d", "XDG_CACHE_HOME": "/e"},
]


def test_the_folder_of_weights_is_that_of_the_hubs_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a new process for the library, which reads the variables once."""
    code = (
        "import importlib, json, os, sys, huggingface_hub.constants as constants\n"
        "for change in json.load(sys.stdin):\n"
        "    kept = dict(os.environ)\n"
        "    os.environ |= change\n"
        "    print(importlib.reload(constants).HF_HUB_CACHE)\n"
        "    os.environ.clear(); os.environ |= kept\n"
    )
    import json

    for name in ("HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    done = subprocess.run(
        [sys.executable, "-c", code], input=json.dumps(CACHES), capture_output=True, text=True, check=True
    )
    for change, theirs in zip(CACHES, done.stdout.splitlines(), strict=True):
        with monkeypatch.context() as changed:
            for name, value in change.items():
                changed.setenv(name, value)
            assert paths.weights_cache() == Path(theirs), change


def test_a_library_that_ends_its_process_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    problems: list[str] = []
    monkeypatch.setenv("PYTORCH_CUDA_ALLOC_CONF", "nonsense")
    monkeypatch.setattr(
        doctor.subprocess, "run", lambda command, **_: subprocess.CompletedProcess(command, returncode=-6)
    )
    assert doctor._devices(problems) == "none"
    [problem] = problems
    assert "torch cannot be started" in problem
    assert "PYTORCH_CUDA_ALLOC_CONF" in problem


def test_a_library_that_raises_anything_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> str:
        raise ValueError("\nInvalid log settings: nonsense.\nValid settings:\nall")

    monkeypatch.setattr("convnext_studio.engine.server.hardware.devices.gpu_problem", refuse)
    problems: list[str] = []
    assert doctor._devices(problems) == "none"
    assert problems == ["torch cannot be imported (Invalid log settings: nonsense)."]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Only there displays have names.")
def test_names_of_displays_need_not_be_text() -> None:
    odd = os.fsdecode(b"\xff\xe9:1")
    for environment in (
        {"QT_QPA_PLATFORM": "xcb", "DISPLAY": odd},
        {"QT_QPA_PLATFORM": "wayland", "WAYLAND_DISPLAY": odd},
        {"QT_QPA_PLATFORM": odd},
    ):
        assert platform_check.blocks_window(platform_check.missing_for_window(environment))
