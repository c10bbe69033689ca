"""Reads what the NVIDIA driver reports about its GPUs, with nvidia-ml-py (the extra ``gpu``)."""

from importlib import import_module
from typing import Any

from msgspec import Struct

NOT_INSTALLED = "pip install convnext-studio[gpu] to see driver, memory and other programs on the GPU"


class GpuFacts(Struct, frozen=True, kw_only=True):
    """The state of one GPU.

    Attributes
    ----------
    name
        The product name.
    used_bytes, total_bytes
        Its used and total memory.
    users
        The other programs that compute on it: name, process id and used bytes (None if the driver does not
        report them).
    """

    name: str
    used_bytes: int
    total_bytes: int
    users: tuple[tuple[str, int, int | None], ...]

    def __str__(self) -> str:
        said = f"{self.name}, {self.used_bytes / 1e9:.1f} of {self.total_bytes / 1e9:.1f} GB used"
        if not self.users:
            return f"{said}, by no other program"
        return f"{said}, by {', '.join(_spoken(*user) for user in self.users)}"


def gpu_lines() -> list[tuple[str, str]]:
    """Return the driver and the GPUs as rows of a report, or one row that says why they are unknown."""
    try:
        library: Any = import_module("pynvml")
    except ImportError:
        return [("GPU", NOT_INSTALLED)]
    try:
        library.nvmlInit()
    except library.NVMLError as error:
        return [("GPU", f"the NVIDIA driver gives no information ({error})")]
    try:
        driver = f"{_text(library.nvmlSystemGetDriverVersion())}, for CUDA {_cuda_version(library)}"
        gpus = [_facts(library, index) for index in range(library.nvmlDeviceGetCount())]
    except library.NVMLError as error:
        return [("GPU", f"the NVIDIA driver failed ({error})")]
    finally:
        library.nvmlShutdown()
    return [("GPU driver", driver), *((f"GPU {index}", str(gpu)) for index, gpu in enumerate(gpus))]


def _facts(library: Any, index: int) -> GpuFacts:
    gpu = library.nvmlDeviceGetHandleByIndex(index)
    memory = library.nvmlDeviceGetMemoryInfo(gpu)
    processes = library.nvmlDeviceGetComputeRunningProcesses(gpu)
    return GpuFacts(
        name=_text(library.nvmlDeviceGetName(gpu)),
        used_bytes=memory.used,
        total_bytes=memory.total,
        users=tuple((_program(library, one.pid), one.pid, one.usedGpuMemory) for one in processes),
    )


def _program(library: Any, pid: int) -> str:
    try:
        return _text(library.nvmlSystemGetProcessName(pid)).rpartition("/")[2]
    except library.NVMLError:  # It belongs to another user, or has ended meanwhile.
        return "a program"


def _cuda_version(library: Any) -> str:
    version = library.nvmlSystemGetCudaDriverVersion()
    return f"{version // 1000}.{version % 1000 // 10}"


def _text(value: str | bytes) -> str:
    """Return a value of the library as text; older versions return bytes."""
    return value.decode(errors="replace") if isinstance(value, bytes) else value


def _spoken(name: str, pid: int, used_bytes: int | None) -> str:
    return f"{name} ({pid})" + ("" if used_bytes is None else f" {used_bytes / 1e9:.1f} GB")
