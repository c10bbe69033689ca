"""Command line of the checks on a GPU."""

import argparse
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import torch

from tests.gpu import faults, memory, speed, truth
from tests.gpu.checks import Check, Setting, machine, run_steps, table, write_json

SECTIONS: dict[str, tuple[Callable[[Setting], list[tuple[str, Callable[[], list[Check]]]]], float]] = {
    "truth": (truth.steps, 0.40),
    "speed": (speed.steps, 0.35),
    "memory": (memory.steps, 0.13),
    "faults": (faults.steps, 0.12),
}
"""Each section's steps, and its share of the time."""


def main() -> int:
    """Check, print, write; 1 where something is wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.gpu", description=__doc__)
    parser.add_argument("--sections", nargs="+", choices=SECTIONS, default=list(SECTIONS))
    parser.add_argument("--json", type=Path, default=Path("gpu.json"), metavar="FILE", help="where to write")
    parser.add_argument("--seconds", type=float, help="time for all; what comes too late is left out")
    parser.add_argument("--size", choices=("full", "small", "smallest"), help="full on a GPU, else small")
    parser.add_argument("--device", default="", help="cuda where there is one, else cpu")
    options = parser.parse_args()
    has_gpu = torch.cuda.is_available()
    device = torch.device(options.device or ("cuda" if has_gpu else "cpu"))
    size = options.size or ("full" if device.type == "cuda" else "small")
    setting = Setting(device=device, size=size, runs={"full": 10, "small": 3, "smallest": 1}[size])
    whole_s = options.seconds or (340 if size == "full" else 100)
    for name, value in machine(setting).items():
        print(f"{name:<16} {value}")
    begin = time.monotonic()
    checks: list[Check] = []
    end = begin
    for name in options.sections:
        steps, share = SECTIONS[name]
        # What an earlier section leaves of its time is the next one's.
        end += share * whole_s / sum(SECTIONS[other][1] for other in options.sections)
        checks += run_steps(name, steps(setting), end)
    seconds = time.monotonic() - begin
    write_json(options.json, setting, checks, seconds)
    counts = Counter(check.verdict for check in checks)
    print(f"\n{table(checks)}\n\n{seconds:.0f} s; " + ", ".join(f"{counts[name]} {name}" for name in counts))
    return int(counts["WRONG"] > 0)


if __name__ == "__main__":
    sys.exit(main())
