"""`convnext-studio doctor`: prints what this machine has and lacks, for users and bug reports."""

import argparse
import os
import subprocess
import sys

from convnext_studio.cli.options import Parser
from convnext_studio.common.errors import StudioError, first_line
from convnext_studio.common.paths import weights_cache
from convnext_studio.common.processes.module_search import environment
from convnext_studio.common.samples import SAMPLES, sample_path
from convnext_studio.common.versions import MISSING, package_facts, system_facts
from convnext_studio.engine.server.hardware.nvidia import gpu_lines
from convnext_studio.model.presets import bundled_is_there
from convnext_studio.ui.start.platform_check import missing_for_window

EXAMPLES = (("", "show what this computer has and what is missing"),)


def parser() -> argparse.ArgumentParser:
    """Return the parser of `convnext-studio doctor`."""
    return Parser(
        prog="convnext-studio doctor",
        description=(
            "Print versions, devices, the locations of files, and what the window needs. The exit "
            "status is 0 if nothing is missing, and 1 otherwise."
        ),
    )


def run(_options: argparse.Namespace) -> int:
    """Print the report, and return 1 as the exit status if something is missing."""
    packages = package_facts()
    problems = [f"{name} is not installed: pip install {name}" for name, found in packages if found == MISSING]
    lines = [
        *system_facts(),
        *packages,
        ("Devices", _devices(problems)),
        *gpu_lines(),
        ("Bundled model", "there" if bundled_is_there() else "not in this version"),
        ("Samples", _samples(problems)),
        ("Weights cache", _cache()),
        ("Window", _window(problems)),
    ]
    for name, value in lines:
        print(f"{name:<20} {value}")
    for problem in problems:
        print(f"Problem: {problem}")
    return 1 if problems else 0


def _devices(problems: list[str]) -> str:
    # torch takes seconds to import, and may be broken, which this command should report.
    if _ends_at_start():
        problems.append(
            "torch cannot be started: it ends at once. "
            f"The reason may be in these environment variables: {', '.join(_torch_variables())}."
        )
        return "none"
    try:
        import torch

        from convnext_studio.engine.server.hardware.devices import available_devices, device_name, gpu_problem

        if problem := gpu_problem():
            problems.append(problem)
        return ", ".join(f"{name} ({device_name(torch.device(name))})" for name in available_devices())
    except Exception as error:  # It reads settings in the environment, and raises anything over them.
        problems.append(f"torch cannot be imported ({first_line(error)}).")
        return "none"


def _torch_variables() -> list[str]:
    return sorted(name for name in os.environ if name.startswith(("TORCH_", "PYTORCH_")))


def _ends_at_start() -> bool:
    """Return whether torch ends its process when it is imported, as it does over some of its settings."""
    if not _torch_variables():
        return False
    command = [sys.executable, "-P", "-c", "import torch"]
    tried = subprocess.run(
        command, env=environment(), stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    return tried.returncode < 0


def _samples(problems: list[str]) -> str:
    there = []
    for name in SAMPLES:
        try:
            sample_path(name)
            there.append(name)
        except StudioError as error:
            problems.append(str(error))
    return ", ".join(there)


def _cache() -> str:
    return str(weights_cache())


def _window(problems: list[str]) -> str:
    findings = missing_for_window()
    problems.extend(f"{finding.message} {finding.hint}".rstrip() for finding in findings)
    return "cannot be opened here" if findings else "can be opened"
