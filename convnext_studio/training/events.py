"""What a training tells while it runs."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Decoding:
    """So many of the pictures are decoded."""

    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Asking:
    """The teacher has answered for so many of the pictures."""

    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Skipped:
    """These pictures could not be read and are left out."""

    paths: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class StepDone:
    """So many steps of the current epoch are done."""

    epoch: int
    epochs: int
    step: int
    steps: int
    loss: float


@dataclass(frozen=True, slots=True)
class EpochDone:
    """An epoch is done.

    Attributes
    ----------
    epoch, epochs
        Which, counted from 1, and of how many.
    size_px
        Side of the training crops.
    loss
        Mean over the epoch.
    pictures_per_s
        Speed.
    accuracy, average_accuracy
        On the held-out pictures, of the network and of its moving average; None where nothing is held out.
    """

    epoch: int
    epochs: int
    size_px: int
    loss: float
    pictures_per_s: float
    accuracy: float | None
    average_accuracy: float | None


Event = Decoding | Asking | Skipped | StepDone | EpochDone
Report = Callable[[Event], None]
