"""Make soft targets by asking a trained model about every picture of a folder."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from convnext_studio.common.errors import StudioError
from convnext_studio.decoding.images import decode
from convnext_studio.engine.server.hardware.devices import resolve_device
from convnext_studio.model.loaded import LoadedModel, load
from convnext_studio.training.picture_dataset import check_takes_colours, list_pictures
from convnext_studio.training.soft_targets import SoftTargets
from convnext_studio.training.taught import names_below, words

BATCH_SIZE = 32


def ask_teacher(
    source: str,
    folder: Path,
    *,
    classes: Sequence[str] | None = None,
    temperature: float = 1.0,
    device: str = "auto",
    advance: Callable[[int, int], None] = lambda _done, _total: None,
) -> SoftTargets:
    """Classify every picture of a folder, not augmented, with the teacher's own preprocessing.

    Only the folder's classes are kept from the teacher's predictions, and their probabilities add up to 1. A
    folder may be named like a whole label of the teacher, or like one of the comma-separated names in a label.
    Pictures that cannot be read are left out.

    Parameters
    ----------
    source
        The teacher, as `convnext_studio.model.load` takes it.
    folder
        A folder with one folder of pictures for each class.
    classes
        The classes to use; None for all.
    temperature
        The temperature by which the logits are divided.
    device
        ``auto``, ``cpu``, ``cuda`` or ``mps``.
    advance
        Called with the number of pictures done and their total.

    Raises
    ------
    StudioError
        If the model or the folder cannot be used, or the teacher does not know one of the classes.
    """
    listing = list_pictures(folder, classes)
    model = load(source)
    if model.random_weights:
        raise StudioError(
            f"{model.title} has random weights, so it cannot be a teacher.", "Give a trained model."
        )
    check_takes_colours(model.config.in_chans)
    names = words(listing.classes)
    columns = [_column(model, name) for name in names]
    model = model.to(resolve_device(device))
    kept: list[Path] = []
    shares: list[NDArray[np.float16]] = []
    for start in range(0, len(listing.paths), BATCH_SIZE):
        paths, inputs = _inputs(model, listing.paths[start : start + BATCH_SIZE])
        if paths:
            kept += paths
            shares.append(_answers(model, inputs, columns, temperature))
        advance(min(start + BATCH_SIZE, len(listing.paths)), len(listing.paths))
    if not kept:
        raise StudioError("None of the pictures can be read.")
    return SoftTargets(
        names=tuple(names_below(folder, kept)),
        classes=names,
        probabilities=np.concatenate(shares),
        temperature=temperature,
        teacher=model.title,
    )


def _column(model: LoadedModel, name: str) -> int:
    """Return the index of the teacher's output for a class."""
    wanted = name.casefold()
    labels = [label.casefold() for label in model.labels]
    if wanted in labels:
        return labels.index(wanted)
    known_as = [index for index, label in enumerate(labels) if wanted in label.split(", ")]
    if len(known_as) != 1:
        how_many = f"{len(known_as)} classes called" if known_as else "no class"
        raise StudioError(
            f"The teacher {model.title} has {how_many} {name}.",
            "Give the folders the names of the teacher's classes.",
        )
    return known_as[0]


def _inputs(model: LoadedModel, paths: Sequence[Path]) -> tuple[list[Path], list[NDArray[np.float32]]]:
    """Return the pictures that can be read, and their inputs after the teacher's preprocessing."""
    readable: list[Path] = []
    inputs: list[NDArray[np.float32]] = []
    for path in paths:
        try:
            inputs.append(model.preprocessing(decode(str(path)).for_networks)[0])
            readable.append(path)
        except StudioError:
            continue
    return readable, inputs


def _answers(
    model: LoadedModel, inputs: list[NDArray[np.float32]], columns: list[int], temperature: float
) -> NDArray[np.float16]:
    """Return the teacher's probabilities for the columns, (pictures, classes) float16."""
    with torch.inference_mode():
        logits = model.module(torch.from_numpy(np.stack(inputs)).to(model.device)).float()[:, columns]
        shares: NDArray[np.float16] = (logits / temperature).softmax(1).half().cpu().numpy()
    return shares
