"""The events that a training run reports."""

from collections.abc import Callable
from pathlib import Path

from msgspec import Struct


class Decoding(Struct, frozen=True):
    """Reports how many of the pictures are decoded."""

    done: int
    total: int


class Asking(Struct, frozen=True):
    """Reports how many of the pictures the teacher has classified."""

    done: int
    total: int


class Skipped(Struct, frozen=True):
    """Reports the pictures that could not be read and are left out."""

    paths: tuple[Path, ...]


class StepDone(Struct, frozen=True):
    """Reports how many steps of the current epoch are done, and the mean loss so far."""

    epoch: int
    epochs: int
    step: int
    steps: int
    loss: float


class EpochDone(Struct, frozen=True):
    """Reports that an epoch is done.

    Attributes
    ----------
    epoch, epochs
        Number of the epoch, counted from 1, and the number of epochs.
    size_px
        Side of the training crops.
    loss
        Mean loss over the epoch.
    pictures_per_s
        Training speed in pictures per second.
    accuracy, average_accuracy
        Accuracy of the network and of its moving average on the held-out pictures; None if there are none.
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
