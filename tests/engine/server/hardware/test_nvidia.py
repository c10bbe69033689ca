"""What `doctor` tells of GPUs, by a library that stands for the driver's."""

import sys
from types import SimpleNamespace

import pytest

from convnext_studio.engine.server.hardware.nvidia import NOT_INSTALLED, gpu_lines


class NVMLError(Exception):
    """As the library raises it."""


def program_of(pid: int) -> bytes:
    """The second is another person's."""
    if pid == 8:
        raise NVMLError
    return b"/usr/bin/python3"


class Library(SimpleNamespace):
    """Two processes on one GPU, of which one has no name."""

    NVMLError = NVMLError

    def __getattr__(self, name: str) -> object:
        answers: dict[str, object] = {
            "nvmlInit": None,
            "nvmlShutdown": None,
            "nvmlSystemGetDriverVersion": b"580.1",
            "nvmlSystemGetCudaDriverVersion": 13020,
            "nvmlDeviceGetCount": 1,
            "nvmlDeviceGetHandleByIndex": "handle",
            "nvmlDeviceGetName": "NVIDIA Test",
            "nvmlDeviceGetMemoryInfo": SimpleNamespace(used=3_000_000_000, total=24_000_000_000),
            "nvmlDeviceGetComputeRunningProcesses": [
                SimpleNamespace(pid=7, usedGpuMemory=2_000_000_000),
                SimpleNamespace(pid=8, usedGpuMemory=None),
            ],
        }
        if name == "nvmlSystemGetProcessName":
            return program_of
        return lambda *_: answers[name]


def test_driver_memory_and_users_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", Library())
    assert gpu_lines() == [
        ("GPU driver", "580.1, for CUDA 13.2"),
        ("GPU 0", "NVIDIA Test, 3.0 of 24.0 GB used, by python3 (7) 2.0 GB, a program (8)"),
    ]


def test_no_driver_is_told_in_one_row(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise NVMLError("Shared Library Not Found")

    monkeypatch.setitem(sys.modules, "pynvml", SimpleNamespace(NVMLError=NVMLError, nvmlInit=fail))
    assert gpu_lines() == [("GPU", "the NVIDIA driver gives no information (Shared Library Not Found)")]


def test_without_the_library_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert gpu_lines() == [("GPU", NOT_INSTALLED)]
