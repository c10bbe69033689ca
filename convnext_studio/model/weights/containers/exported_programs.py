"""Read the weights of exported programs, and nothing else of them: torch.export's ``.pt2``, and ONNX."""

import mmap
import zipfile
from pathlib import Path
from typing import Any

from convnext_studio.common.errors import StudioError
from convnext_studio.common.foreign.bounded_files import read_beginning
from convnext_studio.common.foreign.limits import LARGEST_HEADER_BYTES, LARGEST_ONNX_BYTES
from convnext_studio.common.foreign.strict_json import parse_json
from convnext_studio.model.weights.beside.companion_files import UNUSABLE
from convnext_studio.model.weights.containers.headers import PERHAPS_TRUNCATED
from convnext_studio.model.weights.containers.pickle_values import Storage, StoredArray, StoredTensor
from convnext_studio.model.weights.containers.zip_members import place, stored_bytes

WEIGHTS_LIST = "data/weights/model_weights_config.json"
"""How the name ends of the list of weights in a ``.pt2`` file."""
_TYPES = {1: "uint8", 2: "int8", 3: "int16", 4: "int32", 5: "int64", 6: "float16", 7: "float32", 8: "float64"}
_TYPES |= {12: "bool", 13: "bfloat16"}
"""torch.export's numbers for the types of tensors."""
_MOST_AXES = 8


def read_pt2(members: list[zipfile.ZipInfo], mapped: mmap.mmap, path: Path) -> dict[str, StoredTensor]:
    """Return the tensors that a program of torch.export was saved with, by their names in the network.

    Raises
    ------
    StudioError
        If its list of weights is damaged.
    """
    by_name = {member.filename: member for member in members}
    listed = next(member for member in members if member.filename.endswith(WEIGHTS_LIST))
    folder = listed.filename.rpartition("/")[0]
    try:
        if listed.file_size > LARGEST_HEADER_BYTES:
            raise ValueError("the list is too long")
        entries = parse_json(stored_bytes(mapped, listed))["config"]
        return {
            str(name): _described(entry, by_name[f"{folder}/{entry['path_name']}"], mapped)
            for name, entry in entries.items()
        }
    except UNUSABLE as error:
        raise StudioError(f"{path.name} has a damaged list of weights.", PERHAPS_TRUNCATED) from error


def _described(entry: dict[str, Any], member: zipfile.ZipInfo, mapped: mmap.mmap) -> StoredTensor:
    meta = entry["tensor_meta"]
    storage = Storage(member.filename, "", 0)
    place(storage, mapped, member)
    shape, stride = (tuple(int(number["as_int"]) for number in meta[field]) for field in ("sizes", "strides"))
    if len(shape) > _MOST_AXES or min(*shape, *stride, 0) < 0:
        raise ValueError("a tensor has a strange shape")
    offset = int(meta["storage_offset"]["as_int"])
    return StoredTensor(storage, offset, shape, stride, _TYPES.get(meta["dtype"], "unknown"))


def read_onnx(path: Path) -> dict[str, StoredArray]:
    """Return the initialisers of an ONNX file by their names; its graph is not looked at.

    Raises
    ------
    StudioError
        If the onnx package is not installed, or the file is damaged.
    """
    try:
        import onnx  # An extra: it takes a while to import, and few have such files.
        from onnx import numpy_helper
    except ImportError as error:
        raise StudioError(
            f"{path.name} is an ONNX file, and the onnx package that reads these is not installed.",
            "Install it: pip install 'convnext-studio[onnx]'",
        ) from error
    try:
        read_beginning(path, 1)
        if path.stat().st_size > LARGEST_ONNX_BYTES:
            raise ValueError("no ONNX file can be as large")
        graph = onnx.load(str(path), load_external_data=False).graph
        arrays = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    except Exception as error:  # It raises errors of many kinds; the user gets one sentence.
        raise StudioError(f"{path.name} is no ONNX file with its weights in it, or is damaged.") from error
    return {name: StoredArray(tuple(values.shape), values) for name, values in arrays.items()}
