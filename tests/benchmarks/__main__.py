"""Command line of the benchmarks."""

import argparse
import os
import platform
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version

import torch

from tests.benchmarks import (
    attributions,
    engine,
    framings,
    intervening,
    lectures,
    live,
    nodes,
    opening,
    passes,
    similarity,
    walls,
    windows,
)
from tests.benchmarks.table import Row, table

ROWS: dict[str, Callable[[int], list[Row]]] = {
    "window": windows.painted,
    "first": windows.first_picture,
    "gaps": windows.event_loop_gaps,
    "memory": windows.memory,
    "mosaic": windows.mosaic,
    "views": windows.views,
    "two-networks": windows.two_networks,
    "lecture": lectures.steps,
    "live": live.rows,
    "opening": opening.opening,
    "predict": passes.predict,
    "framings": framings.rows,
    "predict-both": passes.predict_both,
    "grad-cam": attributions.grad_cams,
    "batched": attributions.batched,
    "wall": walls.wall,
    "erf": passes.receptive_field,
    "blocks": nodes.blocks,
    "seen": nodes.seen,
    "unit": nodes.unit,
    "changed": intervening.changed,
    "dragged": intervening.dragging,
    "similarity": similarity.rows,
}


def main() -> int:
    """Measure, print, and return 1 where a goal is missed."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=list(ROWS), help="what to measure")
    parser.add_argument("--runs", type=int, default=5, help="measurements of each, of which the median counts")
    parser.add_argument(
        "--engine", action="store_true", help="measure the engine alone, over networks and inputs; needs no Qt"
    )
    parser.add_argument(
        "--models", nargs="+", choices=engine.MODELS, default=engine.MODELS, help="with --engine"
    )
    parser.add_argument(
        "--sides", nargs="+", type=int, default=engine.SIDES_PX, help="inputs in pixels, for --engine"
    )
    arguments = parser.parse_args()
    if arguments.engine:
        rows = list(engine.rows(tuple(arguments.models), tuple(arguments.sides), arguments.runs))
    else:
        rows = [row for name in arguments.rows for row in ROWS[name](arguments.runs)]
    sys.stdout.write(f"{machine()}; median of {arguments.runs}\n\n{table(rows)}\n")
    return int(any(row.is_met is False for row in rows))


def machine() -> str:
    """What was measured on."""
    accelerator = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    libraries = ", ".join(_versions("torch", "PySide6-Essentials", "pyqtgraph"))
    return (
        f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPUs, {accelerator}; "
        f"Python {platform.python_version()}, {libraries}; "
        f"Qt platform {os.environ.get('QT_QPA_PLATFORM', 'offscreen')}"
    )


def _versions(*names: str) -> Iterator[str]:
    for name in names:
        with suppress(PackageNotFoundError):  # A server needs no Qt for the engine.
            yield f"{name} {version(name)}"


if __name__ == "__main__":
    sys.exit(main())
