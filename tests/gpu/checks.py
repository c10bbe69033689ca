"""What was checked, as one table and one JSON."""

import json
import os
import platform
import time
from collections.abc import Callable, Iterable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

import torch
from msgspec import Struct
from msgspec.structs import asdict

Verdict = Literal["ok", "WRONG", "told", "not reached"]


class Check(Struct, frozen=True, kw_only=True):
    """One thing that was checked or measured.

    Attributes
    ----------
    section, name
        Where it belongs, and what it is.
    verdict
        ``told`` where there is no bound to hold.
    value, bound
        What was found and what it may be, as texts.
    note
        What else is to be known.
    """

    section: str
    name: str
    verdict: Verdict
    value: str = ""
    bound: str = ""
    note: str = ""


class Setting(Struct, frozen=True, kw_only=True):
    """What to run on, and how much of it.

    Attributes
    ----------
    device
        What is checked.
    size
        ``full`` for a GPU, ``small`` for a CPU, ``smallest`` for a test.
    runs
        Measurements of which the median counts.
    """

    device: torch.device
    size: Literal["full", "small", "smallest"]
    runs: int

    @property
    def is_gpu(self) -> bool:
        """Whether CUDA computes."""
        return self.device.type == "cuda"


def judged(section: str, name: str, value: float, most: float, note: str = "") -> Check:
    """A number that must be at most `most`."""
    verdict: Verdict = "ok" if value <= most else "WRONG"
    return Check(
        section=section, name=name, verdict=verdict, value=f"{value:.3g}", bound=f"<= {most:.3g}", note=note
    )


def stated(section: str, name: str, is_right: bool, value: str = "", note: str = "") -> Check:
    """Something that is right or wrong."""
    return Check(section=section, name=name, verdict="ok" if is_right else "WRONG", value=value, note=note)


def told(section: str, name: str, value: str, note: str = "") -> Check:
    """Something to know."""
    return Check(section=section, name=name, verdict="told", value=value, note=note)


Step = Callable[[], Iterable[Check]]


def run_steps(section: str, steps: Sequence[tuple[str, Step]], deadline_s: float) -> list[Check]:
    """Run one step after the other until a time (of `time.monotonic`); what raises is wrong, and they go on."""
    checks: list[Check] = []
    for name, step in steps:
        if time.monotonic() > deadline_s:
            checks.append(Check(section=section, name=name, verdict="not reached", note="the time was up"))
            continue
        begin = time.monotonic()
        try:
            checks += step()
        except Exception as error:
            first = next(iter(str(error).splitlines()), "")
            checks.append(stated(section, name, False, type(error).__name__, first))
        print(f"  {section}: {name}, {time.monotonic() - begin:.1f} s", flush=True)
    return checks


def table(checks: Sequence[Check]) -> str:
    """Aligned columns."""
    rows = [
        (check.section, check.name, check.value, check.bound, check.verdict, check.note) for check in checks
    ]
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(6)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def machine(setting: Setting) -> dict[str, str]:
    """What was run on."""
    names = ("torch", "timm", "numpy", "captum", "convnext-studio")
    facts = {"system": f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPUs"}
    facts["python"] = platform.python_version()
    facts |= {name: _version(name) for name in names}
    if setting.is_gpu:
        facts["device"] = torch.cuda.get_device_name(setting.device)
        facts["memory"] = f"{torch.cuda.mem_get_info(setting.device)[1] / 1e9:.0f} GB"
    else:
        facts["device"] = f"no GPU here: the CPU, {torch.get_num_threads()} threads, small sizes"
    return facts


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:  # A checkout is not installed.
        return "from the checkout"


def write_json(path: Path, setting: Setting, checks: Sequence[Check], seconds: float) -> None:
    """All of it, for whoever compares two runs."""
    report = {
        "machine": machine(setting),
        "size": setting.size,
        "seconds": round(seconds, 1),
        "checks": [asdict(check) for check in checks],
    }
    path.write_text(json.dumps(report, indent=1) + "\n")
