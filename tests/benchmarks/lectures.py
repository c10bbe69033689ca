"""How soon a prepared step of the lecture is on the screen."""

import numpy as np

from tests.benchmarks.table import Row
from tests.benchmarks.timing import launch

MODEL = "preset:convnext_tiny"
STEP_S = 0.1


def steps(runs: int) -> list[Row]:
    """From the key until a step that was prepared is painted: the median of all steps, and the slowest."""
    reports = [launch("lecture", MODEL) for _ in range(runs)]
    of_step = _medians([each["steps"] for each in reports])
    working = _medians([each["working"] for each in reports])
    slowest = max(of_step, key=lambda name: of_step[name])
    return [
        Row(name="lecture, key to painted step, median", ours=float(np.median(list(of_step.values())))),
        Row(name=f"lecture, slowest step ({slowest})", ours=of_step[slowest], goal=STEP_S),
        Row(name="lecture, longest work of its own", ours=max(working.values())),
    ]


def _medians(reports: list[dict[str, float]]) -> dict[str, float]:
    return {name: float(np.median([each[name] for each in reports])) for name in reports[0]}
