"""Which device computes, and what the computer has."""

import os
import platform

import torch

from convnext_studio.common.errors import StudioError
from convnext_studio.model.config import ConvNeXtConfig
from convnext_studio.model.nodes import node_table, smallest_input_px, total_parameters


def resolve_device(name: str) -> torch.device:
    """Turn ``auto``, ``cpu``, ``cuda``, ``cuda:1`` or ``mps`` into a device that is there.

    ``auto`` takes CUDA, then MPS, then the CPU.

    Raises
    ------
    StudioError
        Where this machine has no such device; the hint says which it has.
    """
    there = available_devices()
    if name == "auto":
        return torch.device(there[0].partition(":")[0])
    if name in there or f"{name}:0" in there:
        return torch.device(name)
    raise StudioError(f"There is no device “{name}” on this machine.", f"There are: {', '.join(there)}.")


def available_devices() -> list[str]:
    """All devices of this machine, the one that ``auto`` takes first."""
    found = [f"cuda:{index}" for index in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
    if torch.backends.mps.is_available():
        found.append("mps")
    return [*found, "cpu"]


def device_name(device: torch.device) -> str:
    """Name of a device for people: "NVIDIA H100", "Apple GPU", "x86_64 CPU, 2 threads"."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    if device.type == "mps":
        return "Apple GPU"
    count = torch.get_num_threads()
    return f"{platform.machine()} CPU, {count} {'thread' if count == 1 else 'threads'}"


def computer_memory_bytes() -> int | None:
    """Memory of the whole computer; None where the system does not tell."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # Windows has no sysconf, and not every system these names.
        return None


def check_memory(config: ConvNeXtConfig) -> None:
    """Refuse what can never fit: filling memory to its end would take other programs down before this one.

    Raises
    ------
    StudioError
        Where the weights of that network take more than the computer has.
    """
    there = computer_memory_bytes()
    needed = 4 * total_parameters(node_table(config, smallest_input_px(config)), config)
    if there is not None and needed > there:
        raise StudioError(
            f"The weights of this network take {needed / 2**30:,.0f} GiB, and this computer has "
            f"{there / 2**30:,.0f} GiB of memory.",
            "Take fewer channels or blocks, smaller kernels, or depthwise convolutions.",
        )
