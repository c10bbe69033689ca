"""Measure the accuracy and the confusions of a model on a folder of pictures."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray

from convnext_studio.common.errors import StudioError
from convnext_studio.decoding.images import decode
from convnext_studio.engine.server.hardware.devices import resolve_device
from convnext_studio.model.convnext import ConvNeXt
from convnext_studio.model.nodes import check_input_px
from convnext_studio.model.weights.checkpoint import StudioFile, read_studio_file
from convnext_studio.training.picture_dataset import Listing, check_takes_colours, list_pictures

BATCH_SIZE = 64
Z_95 = 1.959963984540054


class Evaluation(Struct, frozen=True):
    """The results of a model on labelled pictures.

    Attributes
    ----------
    labels
        The model's classes.
    confusion
        (classes, classes) int64: the number of pictures of the row's class predicted as the column's.
    unknown_folders
        Folders whose class the model does not have; their pictures are not counted.
    unreadable
        Pictures that could not be read; they are not counted either.
    """

    labels: tuple[str, ...]
    confusion: NDArray[np.int64]
    unknown_folders: tuple[str, ...] = ()
    unreadable: tuple[Path, ...] = ()

    @property
    def total(self) -> int:
        """The number of pictures counted."""
        return int(self.confusion.sum())

    @property
    def right(self) -> int:
        """The number of pictures whose most probable class is the true one."""
        return int(np.trace(self.confusion))

    @property
    def accuracy(self) -> float:
        """The top-1 accuracy, from 0 to 1."""
        return self.right / self.total

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % confidence interval of the accuracy."""
        return wilson_interval(self.right, self.total)

    def confusions(self, limit: int = 15) -> list[tuple[str, str, int]]:
        """Return the most frequent mistakes as (true class, predicted class, number of pictures)."""
        wrong = self.confusion.copy()
        np.fill_diagonal(wrong, 0)
        order = np.argsort(-wrong, axis=None, kind="stable")[:limit]
        rows, columns = np.unravel_index(order, wrong.shape)
        return [
            (self.labels[true], self.labels[given], int(wrong[true, given]))
            for true, given in zip(rows.tolist(), columns.tolist(), strict=True)
            if wrong[true, given]
        ]

    def to_text(self) -> str:
        """Return a readable report: the accuracy, a line for each class, and the most frequent confusions."""
        low, high = self.interval
        lines = [
            f"{self.accuracy:.1%} right: {self.right} of {self.total} pictures "
            f"(95 % interval {low:.1%} to {high:.1%}).",
            "",
            f"{'class':24} {'right':>6} {'of':>6} {'':>7}",
        ]
        for index, label in enumerate(self.labels):
            count = int(self.confusion[index].sum())
            right = int(self.confusion[index, index])
            lines.append(
                f"{label:24} {right:6} {count:6} " + (f"{right / count:7.1%}" if count else f"{'-':>7}")
            )
        if confusions := self.confusions():
            lines += ["", "Most frequent confusions:"]
            lines += [f"  {true} taken for {given}: {count}" for true, given, count in confusions]
        if self.unknown_folders:
            lines += [
                "",
                f"Not counted, because the model has no such class: {', '.join(self.unknown_folders)}.",
            ]
        if self.unreadable:
            names = ", ".join(path.name for path in self.unreadable[:10])
            count = len(self.unreadable)
            said = (
                "1 picture could not be read and is"
                if count == 1
                else f"{count} pictures could not be read and are"
            )
            lines += ["", f"{said} not counted: {names}."]
        return "\n".join(lines)


def wilson_interval(right: int, total: int, z: float = Z_95) -> tuple[float, float]:
    """Return Wilson's score interval of a proportion (1927), for 95 % unless another z is given."""
    if not 0 <= right <= total or total == 0:
        raise ValueError(f"{right} of {total} is not a proportion")
    part = right / total
    centre = (part + z**2 / (2 * total)) / (1 + z**2 / total)
    half = z / (1 + z**2 / total) * math.sqrt(part * (1 - part) / total + z**2 / (4 * total**2))
    return max(0.0, centre - half), min(1.0, centre + half)


def evaluate(
    path: Path,
    folder: Path,
    *,
    input_px: int | None = None,
    device: str = "auto",
    advance: Callable[[int, int], None] = lambda _done, _total: None,
) -> Evaluation:
    """Classify every picture of a folder, in float32, with the model's own preprocessing.

    Parameters
    ----------
    path
        A weights file of this program; it must have labels.
    folder
        A folder with one folder for each class, named like the labels, with ``_`` for spaces.
    input_px
        Side of the input; None for the model's own.
    device
        ``auto``, ``cpu``, ``cuda`` or ``mps``.
    advance
        Called with the number of pictures done and their total.

    Raises
    ------
    StudioError
        If the file or the folder cannot be used, they have no class in common, or the network cannot take an
        input of that size.
    """
    file = read_studio_file(path)
    if input_px is not None:
        check_input_px(file.config, input_px)
        file = replace(file, preprocessing=replace(file.preprocessing, input_px=input_px))
    listing = list_pictures(folder)
    words = [name.replace("_", " ") for name in listing.classes]
    known = {index: file.labels.index(word) for index, word in enumerate(words) if word in file.labels}
    if not known:
        raise StudioError(
            f"{folder} has none of the model's classes.", f"The model has: {', '.join(file.labels)}."
        )
    listing_known = listing.take(np.isin(listing.targets, list(known)))
    confusion, unreadable = _count(file, listing_known, known, resolve_device(device), advance)
    unknown = tuple(name for index, name in enumerate(listing.classes) if index not in known)
    return Evaluation(file.labels, confusion, unknown, unreadable)


def _count(
    file: StudioFile,
    listing: Listing,
    known: dict[int, int],
    device: torch.device,
    advance: Callable[[int, int], None],
) -> tuple[NDArray[np.int64], tuple[Path, ...]]:
    """Return the confusion matrix, and the pictures that could not be read."""
    check_takes_colours(file.config.in_chans)
    module = ConvNeXt.from_config(file.config).to(device).eval()
    module.load_state_dict(file.state_dict)
    confusion = np.zeros((len(file.labels), len(file.labels)), np.int64)
    unreadable: list[Path] = []
    total = len(listing.paths)
    for start in range(0, total, BATCH_SIZE):
        inputs: list[NDArray[np.float32]] = []
        truth: list[int] = []
        part = slice(start, start + BATCH_SIZE)
        for path, target in zip(listing.paths[part], listing.targets[part].tolist(), strict=True):
            try:
                inputs.append(file.preprocessing(decode(str(path)).for_networks)[0])
                truth.append(known[target])
            except StudioError:
                unreadable.append(path)
        if inputs:
            with torch.inference_mode():
                given = module(torch.from_numpy(np.stack(inputs)).to(device)).argmax(1).cpu().numpy()
            np.add.at(confusion, (truth, given), 1)
        advance(min(start + BATCH_SIZE, total), total)
    if not confusion.sum():
        raise StudioError("None of the pictures can be read.")
    return confusion, tuple(unreadable)
