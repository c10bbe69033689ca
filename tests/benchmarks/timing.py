"""Measuring side by side: calls in this process, and programs from their start."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from statistics import median
from typing import Any

LONGEST_S = 300


def medians(runs: int, ours: Callable[[], float], reference: Callable[[], float]) -> tuple[float, float]:
    """Medians of two measurements in seconds, taken in turn, so that both meet the same machine.

    The first of each warms up (file cache, kernels) and does not count.
    """
    ours(), reference()
    taken = [(ours(), reference()) for _ in range(runs)]
    return median(pair[0] for pair in taken), median(pair[1] for pair in taken)


def timed(call: Callable[[], object]) -> float:
    """Seconds that a call takes."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def launch(program: str, *arguments: str) -> dict[str, Any]:
    """Run a module of `tests.benchmarks.programs` as a process of its own and give what it reported.

    Its ``at`` becomes ``seconds`` since before the process was started. The programs remember nothing from
    one launch to the next, and open no window on a display unless QT_QPA_PLATFORM says so.
    """
    command = [sys.executable, "-m", f"tests.benchmarks.programs.{program}", *arguments]
    with tempfile.TemporaryDirectory() as settings:
        environment = {"QT_QPA_PLATFORM": "offscreen"} | os.environ | {"CONVNEXT_STUDIO_CONFIG_DIR": settings}
        # An installed program has its modules compiled; here the first launch, which does not count, does that.
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        start = time.monotonic()
        done = subprocess.run(
            command, env=environment, stdout=subprocess.PIPE, text=True, check=True, timeout=LONGEST_S
        )
    report: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    if "at" in report:
        report["seconds"] = report["at"] - start
    return report


def report(**values: object) -> None:
    """Called by a program: tell `launch` these values, and ``at``, the time now."""
    # The monotonic clock is the machine's, so that the launching process can subtract.
    sys.stdout.write(json.dumps({"at": time.monotonic(), **values}) + "\n")
    sys.stdout.flush()
