"""From what a person names or drops to the weights file: a file of any name, a folder, or the index of shards.

It needs no torch, so that the window can ask what was dropped on it.
"""

import re
from pathlib import Path

from convnext_studio.common.errors import StudioError
from convnext_studio.common.files import expand_home, is_file_or_folder, is_there
from convnext_studio.common.foreign.bounded_files import read_beginning
from convnext_studio.common.foreign.plain_reasons import system_reason
from convnext_studio.decoding.picture_folders import SUFFIXES
from convnext_studio.model.weights.beside.json_files import read_json
from convnext_studio.model.weights.containers.headers import file_kind

ENDINGS = (".safetensors", ".pth", ".pt", ".bin", ".ckpt", ".pkl", ".pt2", ".onnx", ".tar")
INDEX_ENDING = ".index.json"
_UNUSUAL_ENDINGS = ("", ".model", ".weights", ".checkpoint", ".state", ".params", ".pickle", ".dict")
"""Files with these are weights if they begin as such."""
_OTHER_ENDINGS = SUFFIXES | {".txt", ".json", ".csv", ".names", ".npy", ".npz", ".cnxsession", ".md", ".zip"}
"""Files with these are not looked into. All others are weights if nothing else begins as they do."""
_ZIP_OF_TORCH = b"data.pkl"
"""How the name ends of the first member in what torch saves."""
_IN_FOLDERS = (
    "model.safetensors",
    "pytorch_model.bin",
    "model.safetensors.index.json",
    "pytorch_model.bin.index.json",
    "open_clip_model.safetensors",
    "open_clip_pytorch_model.bin",
    "model.pth",
    "adapter_model.safetensors",
)
"""What transformers, timm, OpenCLIP and peft call the weights in a folder."""
_SHARD = re.compile(r"(.+)-\d{5}-of-(\d{5})(\.\w+)")
_MOST_SHARDS = 1000


def weights_file(path: Path) -> Path:
    """Return the weights file that is meant by a file or a folder.

    Raises
    ------
    StudioError
        If a folder holds no weights, or a file is one of several shards.
    """
    if not path.is_dir():
        _refuse_shard(path)
        return path
    for name in _IN_FOLDERS:
        if (path / name).is_file():
            return path / name
    try:
        found = [entry for entry in sorted(path.iterdir()) if entry.suffix in ENDINGS and entry.is_file()]
    except OSError as error:
        raise StudioError(f"The folder {path} cannot be read ({system_reason(error)}).") from error
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(entry.name for entry in found[:5])
        what = f"{path.name} is a folder with {len(found)} weights files."
        raise StudioError(what, f"Open one: {names}.")
    raise StudioError(
        f"{path} is a folder without weights.", "Open a weights file, or the folder that holds one."
    )


def named_weights(source: str) -> Path:
    """Return the file or folder that a person named.

    Raises
    ------
    StudioError
        If there is none, or it is a pipe or a device, from which reading could block.
    """
    path = expand_home(source)
    if source and is_file_or_folder(path):
        return path
    if source and is_there(path):
        raise StudioError(f"“{path.name}” is not a regular file.", "Open a weights file.")
    raise StudioError(
        f"There is no model or weights file “{source}”.",
        "Give a weights file, or the name of a model, such as preset:convnext_tiny or timm:convnext_tiny.",
    )


def is_weights(path: Path) -> bool:
    """Return whether what was dropped is to be opened as weights, by its name and contents."""
    name = path.name.lower()
    if name.endswith((*ENDINGS, INDEX_ENDING)):
        return True
    try:
        if path.is_dir():
            # A folder of pictures may hold anything else, too, but none of these.
            return any((path / known).is_file() for known in _IN_FOLDERS)
        return path.is_file() and _begins_as_weights(path)
    except OSError:
        return False


def _begins_as_weights(path: Path) -> bool:
    ending = path.suffix.lower()
    if ending in _OTHER_ENDINGS:
        return False
    try:
        kind = file_kind(path)
    except StudioError:
        return False
    if kind == "zip" and ending not in _UNUSUAL_ENDINGS:
        return _ZIP_OF_TORCH in read_beginning(path, 512)
    return kind != "safetensors" or path.stat().st_size > 8


def shards(path: Path) -> list[Path]:
    """Return the files that an index lists.

    Raises
    ------
    StudioError
        If it lists none, or one that is not beside it.
    """
    listed = read_json(path).get("weight_map")
    names = sorted({str(name) for name in listed.values()}) if isinstance(listed, dict) else []
    if not names or len(names) > _MOST_SHARDS:
        raise StudioError(f"{path.name} does not list the files that hold the weights.")
    found = [path.with_name(Path(name).name) for name in names]
    missing = [file.name for file in found if not file.is_file()]
    if missing:
        absent = f"{len(missing)} are not beside it: {missing[0][:100]}."
        raise StudioError(f"{path.name} lists {len(names)} files, of which {absent}")
    return found


def _refuse_shard(path: Path) -> None:
    shard = _SHARD.fullmatch(path.name)
    if shard is not None and int(shard[2]) > 1:
        index = f"{shard[1]}{shard[3]}{INDEX_ENDING}"
        raise StudioError(
            f"{path.name} is one of {int(shard[2])} files that hold the weights together.",
            f"Open the index, {index}, which must be beside all of them.",
        )
