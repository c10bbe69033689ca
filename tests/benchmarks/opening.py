"""Opening weights files, against reading the same tensors and building the same network by hand."""

import tempfile
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from convnext_studio.model import load
from convnext_studio.model.convnext import ConvNeXt
from convnext_studio.model.presets import preset
from tests.benchmarks.table import Row
from tests.benchmarks.timing import medians, timed

NAME = "convnext_tiny"
GOAL = 1.1


def opening(runs: int) -> list[Row]:
    """Open ConvNeXt-T as people save it: torch's archive under a prefix, its older format, and safetensors."""
    weights = {
        f"module.{name}": tensor for name, tensor in ConvNeXt.from_config(preset(NAME)).state_dict().items()
    }
    with tempfile.TemporaryDirectory() as folder:
        archive, legacy, plain = (Path(folder) / name for name in ("a.pth", "b.pth", "c.safetensors"))
        torch.save({"model": weights, "epoch": 3}, archive)
        torch.save({"model": weights, "epoch": 3}, legacy, _use_new_zipfile_serialization=False)
        save_file(weights, plain)
        return [
            _row("torch's archive", archive, _saved, runs),
            _row("torch's older format", legacy, _saved, runs),
            _row("safetensors", plain, load_file, runs),
        ]


def _saved(path: Path) -> dict[str, Tensor]:
    contents: dict[str, dict[str, Tensor]] = torch.load(path, weights_only=True)
    return contents["model"]


def _row(kind: str, path: Path, read: Callable[[Path], dict[str, Tensor]], runs: int) -> Row:
    def by_hand() -> None:
        network = ConvNeXt.from_config(preset(NAME))
        network.load_state_dict({name.removeprefix("module."): each for name, each in read(path).items()})

    ours, theirs = medians(runs, lambda: timed(lambda: load(str(path))), lambda: timed(by_hand))
    return Row(
        name=f"opening, {kind}",
        ours=ours,
        theirs=theirs,
        reference="reading and load_state_dict",
        goal=GOAL,
    )
