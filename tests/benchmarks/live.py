"""A film played in the whole window, with the model that comes with the program and all first panels open."""

import tempfile
from pathlib import Path

import numpy as np

from tests.benchmarks.table import Row
from tests.benchmarks.timing import launch
from tests.decoding.live.films import make_film

FRAMES_A_SECOND = 8
DELAY_FRAMES = 2
GROWTH_BYTES = 20e6
PERCENTILE_GAP_S = 0.016
SECONDS = 20


def rows(_runs: int) -> list[Row]:
    """Time for a frame and where it goes, delay, gaps of the event loop, and growth of memory.

    The processor's time hardly depends on what else the machine does. On two free cores, a frame takes at
    least as long as the longer of engine and event loop, and at most as long as both.
    """
    with tempfile.TemporaryDirectory() as folder:
        film = make_film(Path(folder) / "film.mp4", 250)
        found = launch("live", str(film), str(SECONDS))
    frame_s = float(found["frame_s"])
    return [
        Row(name="live, a frame in all first panels", ours=frame_s, goal=1 / FRAMES_A_SECOND),
        *(
            Row(name=f"live, processor, {part}", ours=float(seconds))
            for part, seconds in found["processor_s"].items()
        ),
        Row(
            name="live, from the source to the screen",
            ours=float(np.median(found["delays"])),
            theirs=frame_s,
            reference="time for a frame",
            goal=DELAY_FRAMES,
        ),
        Row(
            name="live, event loop, 99.9th percentile",
            ours=float(np.percentile(found["gaps"], 99.9)),
            goal=PERCENTILE_GAP_S,
        ),
        Row(
            name="live, event loop, 99.9th percentile, processor",
            ours=float(np.percentile(found["working"], 99.9)),
            goal=PERCENTILE_GAP_S,
        ),
        Row(name="live, growth of window and engine", ours=found["growth_bytes"], goal=GROWTH_BYTES, unit="B"),
    ]
