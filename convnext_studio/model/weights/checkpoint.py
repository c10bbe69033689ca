"""Our own weights file: safetensors whose metadata hold everything that cannot be read off the tensors.

The metadata have a single key, ``convnext_studio``, with a JSON object: format version, config, labels,
preprocessing, title and provenance. The header is read and checked against the network of the config before any
tensor is read, so that a wrong file costs neither time nor memory.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from msgspec import Struct, field
from msgspec.structs import asdict
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from convnext_studio.common.errors import StudioError
from convnext_studio.common.files import checked_ending, written_whole
from convnext_studio.common.foreign.foreign_text import one_line
from convnext_studio.common.foreign.plain_reasons import plain_reason
from convnext_studio.common.foreign.strict_json import parse_json
from convnext_studio.model.config import ConvNeXtConfig
from convnext_studio.model.preprocessing import Preprocessing
from convnext_studio.model.weights.containers.headers import PERHAPS_TRUNCATED, read_header
from convnext_studio.model.weights.fitting import check_tensors

METADATA_KEY = "convnext_studio"
SUFFIX = ".safetensors"
FORMAT_VERSION = 1

MAX_INPUT_PX = 4096
LARGEST_CROP_FRACTION = 4.0
"""Above 1, black is added around the picture."""
INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "lanczos", "hamming", "box")
"""Those of Pillow, by timm's names."""

_FLOATING = {"F16", "BF16", "F32", "F64"}


class Description(Struct, frozen=True, kw_only=True):
    """The metadata of a weights file, without its tensors.

    Attributes
    ----------
    config
        The architecture.
    labels
        Class names in plain English, in the order of the head's outputs; empty if unknown.
    preprocessing
        How pictures are turned into the network's input.
    title
        The display name of the model.
    provenance
        Where the weights come from: any pairs of name and text (data, epochs, accuracy, licence).
    is_multi_label
        Whether several classes can be right at once, so that probabilities are sigmoids.
    """

    config: ConvNeXtConfig
    labels: tuple[str, ...] = ()
    preprocessing: Preprocessing = field(default_factory=Preprocessing)
    title: str = ""
    provenance: Mapping[str, str] = field(default_factory=dict)
    is_multi_label: bool = False

    def __post_init__(self) -> None:
        classes = self.config.num_classes
        if self.labels and len(self.labels) != classes:
            raise StudioError(f"The model has {classes} classes, but {len(self.labels)} labels.")
        self.preprocessing.for_channels(self.config.in_chans)  # Refuses what does not fit.

    def to_json(self) -> str:
        """Return the metadata as JSON, which `from_json` reads back."""
        values = {
            "version": FORMAT_VERSION,
            "config": self.config.to_dict(),
            "labels": list(self.labels),
            "preprocessing": asdict(self.preprocessing),
            "title": self.title,
            "provenance": dict(self.provenance),
        }
        if self.is_multi_label:
            values["is_multi_label"] = True
        return json.dumps(values, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> "Description":
        """Read what `to_json` wrote.

        Raises
        ------
        StudioError
            If it was written by a newer version, or describes nothing that can be built.
        """
        try:
            values = parse_json(text)
            version = int(values["version"])
            if version > FORMAT_VERSION:
                raise StudioError(
                    f"The file has format version {version}; this program reads up to {FORMAT_VERSION}.",
                    "Open it with a newer version of ConvNeXt Studio.",
                )
            return cls(
                config=ConvNeXtConfig.from_dict(values["config"]),
                labels=tuple(str(label) for label in values["labels"]),
                preprocessing=read_preprocessing(values["preprocessing"]),
                title=one_line(str(values["title"])) if values["title"] else "",
                provenance={
                    one_line(str(name)): one_line(str(value)) for name, value in values["provenance"].items()
                },
                is_multi_label=values.get("is_multi_label") is True,
            )
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise StudioError(
                "The file's description of its network cannot be understood.",
                "Get the file again, or save the network once more with ConvNeXt Studio.",
            ) from error


class StudioFile(Description, frozen=True, kw_only=True):
    """The metadata and the tensors of a weights file.

    Attributes
    ----------
    state_dict
        The tensors of `ConvNeXt.from_config(config)` by name, float32 on the CPU.
    """

    state_dict: Mapping[str, Tensor]


def write_studio_file(path: Path | str, file: StudioFile, dtype: torch.dtype = torch.float16) -> None:
    """Write a weights file, under a temporary name first, so that `path` never holds half a file.

    Parameters
    ----------
    path
        The file to write; an existing file is replaced.
    file
        The contents; the tensors may be on any device.
    dtype
        The type in which the tensors are stored: float16 or float32.

    Raises
    ------
    StudioError
        If the tensors are not those of the config's network, a value does not fit into the dtype, or the file
        cannot be written or has a name with another ending.
    """
    if dtype not in (torch.float16, torch.float32):
        raise ValueError(f"dtype is {dtype}, but must be float16 or float32")
    checked_ending(Path(path), (SUFFIX,), "A weights file of this program")
    shapes = {name: tuple(tensor.shape) for name, tensor in file.state_dict.items()}
    check_tensors(file.config, shapes)
    tensors = {name: _stored(name, tensor, dtype) for name, tensor in file.state_dict.items()}
    with written_whole(Path(path)) as stream:
        # The library's own save_file makes a file that only its owner may read, and orders several metadata
        # keys at random, so that two files with the same weights would differ.
        stream.write(save(tensors, {METADATA_KEY: file.to_json()}))


def read_studio_file(path: Path | str) -> StudioFile:
    """Read a whole weights file, after checking its header against the network of the config.

    Raises
    ------
    StudioError
        If it is not such a file, is damaged or was written by a newer version, or if tensors are missing,
        unexpected or of the wrong shape (the message names them).
    """
    path = Path(path)
    description, shapes = _read_header(path)
    check_tensors(description.config, shapes)
    try:
        with safe_open(path, framework="pt") as opened:
            state_dict = {name: opened.get_tensor(name).to(torch.float32) for name in shapes}
    except (OSError, SafetensorError) as error:
        raise StudioError(f"{path.name} is damaged: {plain_reason(error)}.", PERHAPS_TRUNCATED) from error
    values = {name: getattr(description, name) for name in description.__struct_fields__}
    return StudioFile(state_dict=state_dict, **values)


def read_description(path: Path | str) -> Description:
    """Read only the metadata from the header of a weights file; raises as `read_studio_file` does."""
    return _read_header(Path(path))[0]


def read_preprocessing(values: dict[str, Any]) -> Preprocessing:
    """Read the preprocessing from JSON values; raise a KeyError, TypeError or ValueError if it is invalid."""
    lists: dict[str, Any] = {name: tuple(float(value) for value in values[name]) for name in ("mean", "std")}
    lists |= {name: tuple(values.get(name, ())) for name in ("resized_px", "fill")}
    preprocessing = Preprocessing(**values | lists)
    sides = (*preprocessing.input_size, *preprocessing.resized_px)
    if not all(isinstance(side, int) and 1 <= side <= MAX_INPUT_PX for side in sides):
        raise ValueError(f"the input has {' × '.join(map(str, sides))} pixels")
    if not 1 / MAX_INPUT_PX <= preprocessing.crop_fraction <= LARGEST_CROP_FRACTION:
        raise ValueError(f"the crop keeps {preprocessing.crop_fraction} of the picture")
    if not all(isinstance(level, int) and 0 <= level <= 255 for level in preprocessing.fill):
        raise ValueError(f"the colour around pictures is {preprocessing.fill}")
    if preprocessing.interpolation not in INTERPOLATIONS:
        raise ValueError(f"the interpolation is {preprocessing.interpolation!r}")
    return preprocessing


def _stored(name: str, tensor: Tensor, dtype: torch.dtype) -> Tensor:
    stored = tensor.detach().to("cpu", dtype).contiguous()
    if not torch.equal(stored.isfinite(), tensor.isfinite().cpu()):
        raise StudioError(f"{name} has values too large for {str(dtype).removeprefix('torch.')}.")
    # The library refuses tensors that share memory, and `to` with the same dtype returns the original.
    return stored.clone() if stored.data_ptr() == tensor.data_ptr() else stored


def _read_header(path: Path) -> tuple[Description, dict[str, tuple[int, ...]]]:
    """Return the metadata, and the shape of every tensor."""
    header = read_header(path)
    if METADATA_KEY not in header.metadata:
        raise StudioError(
            f"{path.name} contains tensors, but does not say which network they belong to.",
            "It was not written by ConvNeXt Studio. Open it in the program, which also reads other formats.",
        )
    if not set(header.dtypes.values()) <= _FLOATING:
        raise StudioError(f"{path.name} contains tensors that are not floating point.")
    return Description.from_json(header.metadata[METADATA_KEY]), header.shapes
