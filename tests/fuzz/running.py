"""Runs the cases in child processes, and counts how they end."""

import json
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import psutil
from msgspec import Struct, field

LIMIT_S = 5.0
LIMIT_BYTES = 2 << 30
_WALL_LIMIT_S, _START_LIMIT_S = 120.0, 900.0
"""For one case, and for importing torch, on a machine that is busy with other work."""
_NOTED_EVERY = 500
"""After so many cases, the figures so far are written to the folder."""
ROOT = Path(__file__).parents[2]


class Figures(Struct):
    """How the cases ended.

    Attributes
    ----------
    outcomes
        How many were read and refused, by kind.
    faults
        The cases that ended in any other way: number, kind, what happened, and what was said.
    longest_s, most_bytes
        The longest time of a case, and the most memory that one took.
    """

    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)
    faults: list[tuple[int, str, str, str]] = field(default_factory=list)
    longest_s: float = 0.0
    most_bytes: int = 0

    def add(self, number: int, kind: str, found: dict[str, Any]) -> None:
        """Count a case that ended by itself."""
        outcome = found["outcome"]
        self.longest_s = max(self.longest_s, found["seconds"])
        self.most_bytes = max(self.most_bytes, found["bytes"])
        if found["seconds"] > LIMIT_S:
            outcome = f"{found['seconds']:.1f} s"
        elif found["bytes"] > LIMIT_BYTES:
            outcome = f"{found['bytes'] >> 20} MiB"
        self.outcomes[kind, outcome] += 1
        if outcome not in ("read", "refused"):
            self.faults.append((number, kind, outcome, found.get("said", "")))

    def __str__(self) -> str:
        counted = "\n".join(f"{kind:14}{how:12}{count}" for (kind, how), count in sorted(self.outcomes.items()))
        most = f"longest {self.longest_s:.2f} s, most memory {self.most_bytes >> 20} MiB"
        return f"{counted}\n{sum(self.outcomes.values())} cases, {len(self.faults)} faults, {most}"


def run(count: int, seed: int, folder: Path, names: tuple[str, ...] = (), first: int = 0) -> Figures:
    """Run cases, and go on after each that ends the child; faulty files are kept in the folder."""
    figures = Figures()
    number = first
    while number < first + count:
        number = _run_child(number, first + count, seed, folder, names, figures)
    return figures


def _run_child(first: int, last: int, seed: int, folder: Path, names: tuple[str, ...], figures: Figures) -> int:
    """Run one child until its end, and return the number of the next case."""
    command = [sys.executable, "-m", "tests.fuzz.child", *map(str, (seed, first, last, folder)), *names]
    child = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert child.stdout is not None
    number, kind = first, ""
    watch = _watch(child, _START_LIMIT_S)
    for line in child.stdout:
        watch.cancel()
        found = json.loads(line)
        if "begin" in found:
            number, kind = found["begin"], found["kind"]
            watch = _watch(child, _WALL_LIMIT_S)
            continue
        if number % _NOTED_EVERY == 0:
            (folder / "figures.txt").write_text(f"{figures}\n")
        before = len(figures.faults)
        figures.add(number, kind, found)
        if len(figures.faults) > before:
            (folder / "case").replace(folder / f"{seed}-{number}-{kind}")
        kind = ""
    watch.cancel()
    child.stdout.close()
    code = child.wait()
    if not kind:
        assert code == 0, f"the child ended with {code} between two cases"
        return last
    figures.outcomes[kind, "crash"] += 1
    figures.faults.append((number, kind, "crash", f"the process ended with {code}"))
    (folder / "case").replace(folder / f"{seed}-{number}-{kind}")
    return number + 1


def _watch(child: "subprocess.Popen[str]", limit_s: float) -> threading.Timer:
    """Kill the child if it does not say anything for long."""

    def end() -> None:
        psutil.Process(child.pid).kill()

    timer = threading.Timer(limit_s, end)
    timer.daemon = True
    timer.start()
    return timer
