"""Our own weights file: safetensors, with everything that tensors cannot tell in its metadata.

The metadata have one key, ``convnext_studio``, with a JSON object: the format's version, the config, the labels
in plain words, the preprocessing, a title and where the weights come from. The header is read and checked
against the config's network before any tensor is, so that a wrong file costs neither time nor memory.
"""

import json
import os
import struct
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, BinaryIO

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from convnext_studio.errors import StudioError
from convnext_studio.model.config import ConvNeXtConfig
from convnext_studio.model.convnext import ConvNeXt
from convnext_studio.model.preprocessing import Preprocessing

METADATA_KEY = "convnext_studio"
FORMAT_VERSION = 1

# A header with 1000 labels has 0.1 MB. Parsed JSON takes many times its size in memory, hence the bound.
MAX_HEADER_BYTES = 8_000_000
MAX_INPUT_PX = 4096

_FLOATING = {"F16", "BF16", "F32", "F64"}
_PERHAPS_TRUNCATED = "It may have been cut off while it was downloaded or copied: get it again."


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """What a weights file says about itself, without its tensors.

    Attributes
    ----------
    config
        The architecture.
    labels
        Class names in plain words, in the order of the head's outputs; empty where they are unknown.
    preprocessing
        How the model wants its pictures.
    title
        The model's name for people.
    provenance
        Where the weights come from: free pairs of name and text (data, epochs, accuracy, licence).
    """

    config: ConvNeXtConfig
    labels: tuple[str, ...] = ()
    preprocessing: Preprocessing = field(default_factory=Preprocessing)
    title: str = ""
    provenance: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        classes = self.config.num_classes
        if self.labels and len(self.labels) != classes:
            raise StudioError(f"The model has {classes} classes, but {len(self.labels)} labels.")

    def to_json(self) -> str:
        """The metadata's text; `from_json` reads it back."""
        values = {
            "version": FORMAT_VERSION,
            "config": self.config.to_dict(),
            "labels": list(self.labels),
            "preprocessing": asdict(self.preprocessing),
            "title": self.title,
            "provenance": dict(self.provenance),
        }
        return json.dumps(values, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> "Description":
        """Read what `to_json` wrote.

        Raises
        ------
        StudioError
            Where it was written by a newer version, or describes nothing that can be built.
        """
        try:
            values = json.loads(text)
            version = int(values["version"])
            if version > FORMAT_VERSION:
                raise StudioError(
                    f"The file has format version {version}; this program knows up to {FORMAT_VERSION}.",
                    "Open it with a newer version of ConvNeXt Studio.",
                )
            return cls(
                config=ConvNeXtConfig.from_dict(values["config"]),
                labels=tuple(str(label) for label in values["labels"]),
                preprocessing=_read_preprocessing(values["preprocessing"]),
                title=str(values["title"]),
                provenance={str(name): str(value) for name, value in values["provenance"].items()},
            )
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
            raise StudioError(
                f"The file's description of its network cannot be understood ({type(error).__name__}: {error})."
            ) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class StudioFile(Description):
    """A weights file with its tensors.

    Attributes
    ----------
    state_dict
        The tensors of `ConvNeXt.from_config(config)` by name: float32, on the CPU.
    """

    state_dict: Mapping[str, Tensor]


def write_studio_file(path: Path | str, file: StudioFile, dtype: torch.dtype = torch.float16) -> None:
    """Write a weights file; to a temporary name first, so that `path` never holds half a file.

    Parameters
    ----------
    path
        Where to; replaced if it is there.
    file
        What to write; the tensors may lie on any device.
    dtype
        How to store the tensors: float16 or float32.

    Raises
    ------
    StudioError
        Where the tensors are not those of the config's network, a value does not fit the dtype, or the disk
        refuses.
    """
    if dtype not in (torch.float16, torch.float32):
        raise ValueError(f"dtype is {dtype}, but must be float16 or float32")
    shapes = {name: tuple(tensor.shape) for name, tensor in file.state_dict.items()}
    _check_against_network(file.config, shapes)
    tensors = {name: _stored(name, tensor, dtype) for name, tensor in file.state_dict.items()}
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        # The library's own way to a file makes one that nobody else may read; and it orders several metadata
        # keys by chance, which would make two files of the same weights differ.
        temporary.write_bytes(save(tensors, {METADATA_KEY: file.to_json()}))
        temporary.replace(path)
    except (OSError, SafetensorError) as error:
        raise StudioError(f"{path} cannot be written ({error}).") from error
    finally:
        temporary.unlink(missing_ok=True)


def read_studio_file(path: Path | str) -> StudioFile:
    """Read a weights file whole; the header is checked against the config's network first.

    Raises
    ------
    StudioError
        Where it is no such file, is damaged or was written by a newer version, or where tensors are missing,
        left over or of the wrong shape (named).
    """
    path = Path(path)
    description, shapes = _read_header(path)
    _check_against_network(description.config, shapes)
    try:
        with safe_open(path, framework="pt") as opened:
            state_dict = {name: opened.get_tensor(name).to(torch.float32) for name in shapes}
    except (OSError, SafetensorError) as error:
        raise StudioError(f"{path.name} is damaged ({error}).", _PERHAPS_TRUNCATED) from error
    values = {entry.name: getattr(description, entry.name) for entry in fields(Description)}
    return StudioFile(state_dict=state_dict, **values)


def read_description(path: Path | str) -> Description:
    """What a weights file says about itself; reads only its header, and raises as `read_studio_file` does."""
    return _read_header(Path(path))[0]


def _stored(name: str, tensor: Tensor, dtype: torch.dtype) -> Tensor:
    stored = tensor.detach().to("cpu", dtype).contiguous()
    if not torch.equal(stored.isfinite(), tensor.isfinite().cpu()):
        raise StudioError(f"{name} has values too large for {str(dtype).removeprefix('torch.')}.")
    # The library refuses tensors that share memory, and an unchanged dtype gives the original back.
    return stored.clone() if stored.data_ptr() == tensor.data_ptr() else stored


def _read_preprocessing(values: dict[str, Any]) -> Preprocessing:
    for name in ("mean", "std"):
        values[name] = tuple(float(value) for value in values[name])  # JSON has lists only.
    preprocessing = Preprocessing(**values)
    if not 1 <= preprocessing.input_px <= MAX_INPUT_PX:
        raise ValueError(f"the input has {preprocessing.input_px} pixels a side")
    if not 0 < preprocessing.crop_fraction <= 1:
        raise ValueError(f"the crop keeps {preprocessing.crop_fraction} of the picture")
    if preprocessing.interpolation not in ("bilinear", "bicubic", "nearest"):
        raise ValueError(f"the interpolation is {preprocessing.interpolation!r}")
    if len(preprocessing.mean) != len(preprocessing.std) or not all(std > 0 for std in preprocessing.std):
        raise ValueError("the mean and standard deviation do not fit")
    return preprocessing


def _read_header(path: Path) -> tuple[Description, dict[str, tuple[int, ...]]]:
    """The description, and every tensor's shape."""
    try:
        with path.open("rb") as stream:
            header = _parse_header(stream, path)
            header_end = stream.tell()
            data_bytes = stream.seek(0, os.SEEK_END) - header_end
    except OSError as error:
        raise StudioError(f"{path} cannot be read ({error.strerror or error}).") from error
    metadata = header.pop("__metadata__", None)
    if not isinstance(metadata, dict) or not isinstance(metadata.get(METADATA_KEY), str):
        raise StudioError(
            f"{path.name} holds tensors, but not which network they belong to.",
            "ConvNeXt Studio opens files that it wrote itself.",
        )
    try:
        shapes = {name: tuple(entry["shape"]) for name, entry in header.items()}
        dtypes = {entry["dtype"] for entry in header.values()}
        needed_bytes = max((int(entry["data_offsets"][1]) for entry in header.values()), default=0)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise StudioError(f"{path.name} has a damaged list of tensors.") from error
    if needed_bytes > data_bytes:
        raise StudioError(f"{path.name} lacks its last {needed_bytes - data_bytes} bytes.", _PERHAPS_TRUNCATED)
    if not dtypes <= _FLOATING:
        raise StudioError(f"{path.name} holds tensors of other types than floating point.")
    return Description.from_json(metadata[METADATA_KEY]), shapes


def _parse_header(stream: BinaryIO, path: Path) -> dict[str, Any]:
    """The header's JSON: eight bytes of length, little-endian, then the text."""
    start = stream.read(64)
    _check_start(start, path)
    (length,) = struct.unpack("<Q", start[:8])
    if length > MAX_HEADER_BYTES:
        raise StudioError(f"{path.name} is not a safetensors file, or its header is far too long.")
    stream.seek(8)
    text = stream.read(length)
    if len(text) < length:
        raise StudioError(f"{path.name} ends in the middle of its header.", _PERHAPS_TRUNCATED)
    try:
        header = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise StudioError(f"{path.name} has a damaged header.") from error
    if not isinstance(header, dict):
        raise StudioError(f"{path.name} has a damaged header.")
    return header


def _check_start(start: bytes, path: Path) -> None:
    text = start.lstrip().lower()
    if not start:
        raise StudioError(f"{path.name} is empty.", _PERHAPS_TRUNCATED)
    if text.startswith((b"<!doctype", b"<html", b"<?xml")):
        raise StudioError(
            f"{path.name} is a web page, not weights.",
            "The download page was probably saved instead of the file itself.",
        )
    if text.startswith(b"version https://git-lfs"):
        raise StudioError(
            f"{path.name} is a Git LFS pointer, not the weights themselves.", "Fetch them with: git lfs pull"
        )
    if len(start) < 8:
        raise StudioError(f"{path.name} has only {len(start)} bytes.", _PERHAPS_TRUNCATED)
    if start[8:9] not in (b"{", b""):
        raise StudioError(f"{path.name} is not a safetensors file.")


def _check_against_network(config: ConvNeXtConfig, shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Raise a StudioError that names the tensors in which file and network differ."""
    blocks = sum(config.depths)
    if blocks > len(shapes):
        # Not built at all: even without weights, a million blocks take minutes.
        raise StudioError(f"The network has {blocks} blocks, but there are only {len(shapes)} tensors.")
    try:
        with torch.device("meta"):
            network = ConvNeXt.from_config(config)
    except (TypeError, ValueError, RuntimeError) as error:
        raise StudioError(f"The network that the file describes cannot be built ({error}).") from error
    expected = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    problems = {
        "missing": sorted(set(expected) - set(shapes)),
        "left over": sorted(set(shapes) - set(expected)),
        "of another shape": sorted(
            name for name in set(shapes) & set(expected) if shapes[name] != expected[name]
        ),
    }
    told = [f"{len(names)} {kind} ({_first_names(names)})" for kind, names in problems.items() if names]
    if told:
        raise StudioError(f"The tensors are not those of the described network: {'; '.join(told)}.")


def _first_names(names: list[str], limit: int = 10) -> str:
    return ", ".join(names[:limit]) + (", ..." if len(names) > limit else "")
