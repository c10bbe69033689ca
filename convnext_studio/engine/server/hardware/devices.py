"""Selects the device that computes, lists what the computer has, and checks whether a network fits."""

import os
import platform
from collections.abc import Sequence
from pathlib import Path

import torch

from convnext_studio.common.errors import StudioError
from convnext_studio.model.config import ConvNeXtConfig
from convnext_studio.model.loaded import LoadedModel
from convnext_studio.model.nodes import NodeInfo, node_table, smallest_input_px, total_parameters
from convnext_studio.protocol.models import Device


def resolve_device(name: str) -> torch.device:
    """Return the available device for ``auto``, ``cpu``, ``cuda``, ``cuda:1`` or ``mps``.

    ``auto`` prefers CUDA, then MPS, then the CPU.

    Raises
    ------
    StudioError
        If this machine has no such device; the hint lists those that it has.
    """
    there = available_devices()
    if name == "auto":
        return torch.device(there[0].partition(":")[0])
    if name in there or f"{name}:0" in there:
        return torch.device(name)
    why = gpu_problem() if name.startswith("cuda") else ""
    raise StudioError(
        f"There is no device “{name}” on this computer.", f"{why} There are: {', '.join(there)}.".strip()
    )


def available_devices() -> list[str]:
    """Return all devices of this machine, with the one that ``auto`` chooses first."""
    found = [f"cuda:{index}" for index in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
    if torch.backends.mps.is_available():
        found.append("mps")
    return [*found, "cpu"]


_NOTHING_THERE = ("Found no NVIDIA driver", "No CUDA GPUs are available", "not compiled with CUDA")


def gpu_problem() -> str:
    """Return one sentence that says why an NVIDIA GPU cannot be used; empty if it can, or if there is none."""
    if torch.cuda.is_available():
        return ""
    try:
        torch.cuda.current_device()
    except (RuntimeError, AssertionError) as error:
        said = str(error)
    else:
        return ""
    if any(text in said for text in _NOTHING_THERE):
        return ""
    if "driver" in said and "too old" in said:
        return "The NVIDIA driver is too old for this version of PyTorch: update the driver, or use the CPU."
    return "PyTorch cannot use the NVIDIA GPU of this computer and will run on the CPU until that is fixed."


def device_name(device: torch.device) -> str:
    """Return the display name of a device: "NVIDIA H100", "Apple GPU", "x86_64 CPU, 2 threads"."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    if device.type == "mps":
        return "Apple GPU"
    count = torch.get_num_threads()
    return f"{platform.machine()} CPU, {count} {'thread' if count == 1 else 'threads'}"


def device_table() -> tuple[Device, ...]:
    """Return all devices of this machine with their memory, with the one that ``auto`` chooses first."""
    return tuple(_described(torch.device(name)) for name in available_devices())


def _described(device: torch.device) -> Device:
    free, total = (
        torch.cuda.mem_get_info(device) if device.type == "cuda" else (0, computer_memory_bytes() or 0)
    )
    return Device(name=str(device), title=device_name(device), memory_bytes=total, free_bytes=free)


def computer_memory_bytes() -> int | None:
    """Return the memory of the whole computer, or None if the system does not report it."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # Windows has no sysconf, and some systems lack these names.
        return None


def free_bytes(device: torch.device) -> int | None:
    """Return how much of a device's memory this process can still use, or None if that is unknown."""
    if device.type != "cuda":
        return None
    free, _ = torch.cuda.mem_get_info(device)
    # Memory that torch has reserved but not allocated is available too.
    return free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)


def available_bytes(device: torch.device) -> int | None:
    """Return how much memory is free on a device, for the CPU on the computer; None if that is unknown."""
    if device.type != "cpu":
        return free_bytes(device)
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:  # Only Linux has it.
        return None
    found = next((line.split() for line in lines if line.startswith("MemAvailable:")), None)
    return None if found is None else int(found[1]) * 1024


def needed_bytes(model: LoadedModel) -> int:
    """Estimate the bytes that a network needs: its weights, and the activations and gradients of one picture.

    For networks whose activations are unknown, only the weights count.
    """
    return 4 * model.parameters + working_bytes(model.nodes)


def working_bytes(nodes: Sequence[NodeInfo]) -> int:
    """Estimate the bytes of the activations and gradients of one picture; 0 if the nodes do not say."""
    passed = [node.activation_bytes for node in nodes if node.kind in ("stem", "downsample", "block")]
    # The backward pass needs room for gradients beside the activations, at most twice for the largest node.
    return sum(passed) + 2 * max(passed, default=0)


def check_room(model: LoadedModel, device: torch.device) -> None:
    """Refuse a network that will not fit on a device, before memory runs out halfway.

    Raises
    ------
    StudioError
        If it does not fit; the message says how much is needed and free, and the hint suggests the CPU.
    """
    free, needed = free_bytes(device), needed_bytes(model)
    if free is not None and needed > free:
        raise StudioError(
            (
                f"{model.title} needs about {_gigabytes(needed)}, but only {_gigabytes(free)} are "
                f"free on {device_name(device)}."
            ),
            "Choose the CPU, a smaller model or a smaller input, or close other programs that use the GPU.",
            offers_cpu=True,
        )


def _gigabytes(size_bytes: int) -> str:
    return f"{size_bytes / 1e9:.1f} GB"


def check_memory(config: ConvNeXtConfig) -> None:
    """Refuse a network that can never fit: exhausting the memory would take other programs down first.

    Raises
    ------
    StudioError
        If the weights of that network need more memory than the computer has.
    """
    there = computer_memory_bytes()
    needed = 4 * total_parameters(node_table(config, smallest_input_px(config)), config)
    if there is not None and needed > there:
        raise StudioError(
            (
                f"The weights of this network need {needed / 2**30:,.0f} GiB, but this computer "
                f"has {there / 2**30:,.0f} GiB of memory."
            ),
            "Use fewer channels or blocks, smaller kernels, or depthwise convolutions.",
        )
