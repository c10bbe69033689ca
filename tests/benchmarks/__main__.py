"""Command line of the benchmarks."""

import argparse
import os
import platform
import sys
from collections.abc import Callable
from importlib.metadata import version

import torch

from tests.benchmarks import attributions, lectures, nodes, passes, windows
from tests.benchmarks.table import Row, table

ROWS: dict[str, Callable[[int], list[Row]]] = {
    "window": windows.painted,
    "first": windows.first_picture,
    "gaps": windows.event_loop_gaps,
    "mosaic": windows.mosaic,
    "lecture": lectures.steps,
    "predict": passes.predict,
    "grad-cam": attributions.grad_cams,
    "batched": attributions.batched,
    "erf": passes.receptive_field,
    "blocks": nodes.blocks,
    "seen": nodes.seen,
    "unit": nodes.unit,
}


def main() -> int:
    """Measure, print, and return 1 where a goal is missed."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=list(ROWS), help="what to measure")
    parser.add_argument("--runs", type=int, default=5, help="measurements of each, of which the median counts")
    arguments = parser.parse_args()
    rows = [row for name in arguments.rows for row in ROWS[name](arguments.runs)]
    sys.stdout.write(f"{machine()}; median of {arguments.runs}\n\n{table(rows)}\n")
    return int(any(row.is_met is False for row in rows))


def machine() -> str:
    """What was measured on."""
    accelerator = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    libraries = ", ".join(f"{name} {version(name)}" for name in ("torch", "PySide6-Essentials", "pyqtgraph"))
    return (
        f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPUs, {accelerator}; "
        f"Python {platform.python_version()}, {libraries}; "
        f"Qt platform {os.environ.get('QT_QPA_PLATFORM', 'offscreen')}"
    )


if __name__ == "__main__":
    sys.exit(main())
