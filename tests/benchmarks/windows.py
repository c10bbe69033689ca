"""The program's window against a bare one, and against the bare passes; each in processes of their own."""

import sys
from importlib.util import find_spec

import numpy as np
import torch

from tests.benchmarks.table import Row
from tests.benchmarks.timing import launch, medians

MODEL = "preset:convnext_tiny"
LARGE_MODEL = "preset:tutorial"  # Sixteen times as many units in every stage.
LONGEST_GAP_S = 0.05
PERCENTILE_GAP_S = 0.016
KNOWN_NODE_S = 0.033
WINDOW_BYTES = 200e6
FRAME_S = 1 / 60
LEVELS_S = 1 / 30


def _seconds(program: str, *arguments: str) -> float:
    return float(launch(program, *arguments)["seconds"])


def painted(runs: int) -> list[Row]:
    """From the start of the process until the window is painted; nothing without the extra `bench`."""
    if not find_spec("pyqtgraph"):
        return []
    ours, reference = medians(
        runs, lambda: _seconds("studio", "painted", "--model", MODEL), lambda: _seconds("bare_window")
    )
    what = "PySide6 + pyqtgraph window with a picture"
    return [Row(name="window painted", ours=ours, theirs=reference, reference=what, goal=1.3)]


def first_picture(runs: int) -> list[Row]:
    """From the start of the process until the sample's predictions, maps and CAMs are on the screen."""
    ours, reference = medians(
        runs, lambda: _seconds("studio", "predicted", "--model", MODEL), lambda: _seconds("bare_passes")
    )
    what = "import torch, forward, backward"
    return [Row(name="first picture analysed", ours=ours, theirs=reference, reference=what, goal=1.5)]


def event_loop_gaps(runs: int) -> list[Row]:
    """The longest times that the event loop stood while the engine loaded, predicted and averaged a field."""
    rows = []
    for model in (MODEL, LARGE_MODEL):
        reports = [launch("studio", "settled", "--model", model) for _ in range(runs)]
        gaps, working = (np.concatenate([each[what] for each in reports]) for what in ("gaps", "working"))
        name = f"event loop, {model.removeprefix('preset:')}"
        rows.append(Row(name=f"{name}, longest gap", ours=float(gaps.max()), goal=LONGEST_GAP_S))
        rows.append(Row(name=f"{name}, longest work of its own", ours=float(working.max())))
        rows.append(
            Row(
                name=f"{name}, 99.9th percentile",
                ours=float(np.percentile(gaps, 99.9)),
                goal=PERCENTILE_GAP_S,
            )
        )
    return rows


def memory(_runs: int) -> list[Row]:
    """Largest resident memory of both processes until all panels show the sample; Linux on the CPU only."""
    if sys.platform != "linux" or torch.cuda.is_available():
        return []
    ours, bare = launch("studio", "remembered", "--model", MODEL), launch("bare_memory")
    return [
        Row(name="memory of the window", ours=ours["window_bytes"], goal=WINDOW_BYTES, unit="B"),
        Row(
            name="memory of the engine",
            ours=ours["engine_bytes"],
            theirs=bare["peak_bytes"],
            reference="import torch, weights, forward + backward",
            goal=1.2,
            unit="B",
        ),
    ]


def views(runs: int) -> list[Row]:
    """A mosaic of 768 channels in one view: shown, moved, zoomed, and coloured between other levels."""
    rows = []
    for width, height in ((1920, 1080), (3840, 2160)):
        reports = [launch("views", "--size", str(width), str(height)) for _ in range(runs)]
        for what, goal, percentile in (
            ("shown", KNOWN_NODE_S, 50),
            ("zoomed", FRAME_S, 95),
            ("panned", FRAME_S, 95),
            ("levels", LEVELS_S, 50),
        ):
            seconds = np.percentile(np.concatenate([each[what] for each in reports]), percentile)
            name = f"view of {width} × {height}, {what}, percentile {percentile}"
            rows.append(Row(name=name, ours=float(seconds), goal=goal))
    return rows


def two_networks(runs: int) -> list[Row]:
    """A, B, their difference and the curtain shown again, and the curtain's line moved: medians."""
    reports = [launch("two_networks") for _ in range(runs)]
    first, switches, moves = (
        np.concatenate([each[what] for each in reports]) for what in ("first", "switches", "moves")
    )
    name = "two networks, 384 × 14 × 14"
    return [
        Row(name=f"{name}, another answer shown first", ours=float(np.median(first)), goal=KNOWN_NODE_S),
        Row(name=f"{name}, another answer shown", ours=float(np.median(switches)), goal=KNOWN_NODE_S),
        Row(name=f"{name}, the curtain moved", ours=float(np.median(moves)), goal=KNOWN_NODE_S),
    ]


def mosaic(runs: int) -> list[Row]:
    """A node of 768 channels shown once more, and its mosaic moved in: medians, and the slowest frame in 20."""
    reports = [launch("mosaic") for _ in range(runs)]
    switches, frames, levels = (
        np.concatenate([each[what] for each in reports]) for what in ("switches", "frames", "levels")
    )
    name = "mosaic of 768 × 27 × 27"
    return [
        Row(name=f"{name}, known node painted", ours=float(np.median(switches)), goal=KNOWN_NODE_S),
        Row(name=f"{name}, frame while zooming", ours=float(np.median(frames)), goal=FRAME_S),
        Row(name=f"{name}, 95th percentile of frames", ours=float(np.percentile(frames, 95)), goal=FRAME_S),
        Row(name=f"{name}, frame while levels are dragged", ours=float(np.mean(levels)), goal=LEVELS_S),
    ]
