"""Files that torch.save wrote, read without running anything that is in them.

A pickle is a program. Before torch's restricted reader (``weights_only=True``) gets it, its instructions are
listed, not run: what they would call must be on a short list, and there must not be too many of them. A zip
archive is checked by its directory before anything in it is read.
"""

import argparse
import io
import mmap
import pickletools
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, cast

import torch

from convnext_studio.common.errors import StudioError
from convnext_studio.model.weights.headers import PERHAPS_TRUNCATED

# A checkpoint of the largest ConvNeXt with its optimiser has 50000 instructions; a million take seconds.
MAX_INSTRUCTIONS = 300_000
# The directory of such a checkpoint has 0.2 MB, its pickle 0.5 MB.
MAX_READ_BYTES = 8_000_000

_DTYPES = "float64 float32 float16 bfloat16 int64 int32 int16 int8 uint8 bool"
_STORAGES = "Double Float Half BFloat16 Long Int Short Char Byte Bool"
_HARMLESS = frozenset(
    {
        "collections OrderedDict",
        "torch._utils _rebuild_tensor",
        "torch._utils _rebuild_tensor_v2",
        "torch._utils _rebuild_parameter",
        "torch Size",
        "torch device",
        # The options of a training script, which lie beside the weights in its checkpoints: names and values.
        "argparse Namespace",
        *(f"torch {name}" for name in _DTYPES.split()),
        *(f"torch {name}Storage" for name in _STORAGES.split()),
    }
)
# Ways to name something to call that are not in what torch.save writes.
_OTHER_CALLS = {"STACK_GLOBAL", "INST", "OBJ", "EXT1", "EXT2", "EXT4", "NEWOBJ_EX"}


def read_zip(path: Path) -> Mapping[str, Any]:
    """Read what torch.save writes since 2020; the tensors are mapped from the file, not read yet.

    Raises
    ------
    StudioError
        Where it holds something else, is damaged, or would run code or unpack to far more than its size.
    """
    try:
        with _BoundedFile(path) as stream, zipfile.ZipFile(stream) as archive:
            pickled = archive.read(_checked_pickle(archive.infolist(), path))
    except (zipfile.BadZipFile, OSError, EOFError, ValueError, NotImplementedError, RuntimeError) as error:
        raise _damaged(path) from error
    _check_instructions(io.BytesIO(pickled), 1, path)
    return _torch_load(path, mapped=True)


def read_legacy(path: Path) -> Mapping[str, Any]:
    """Read what torch.save wrote before 2020: pickles in a row, then the tensors; raises as `read_zip` does."""
    with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        # A mark of the format, its version, the machine, the tensors' frame, the order of their values.
        _check_instructions(cast(IO[bytes], mapped), 5, path)
    return _torch_load(path, mapped=False)


def refuse_pickle(path: Path) -> StudioError:
    """The error for a pickle that torch did not write: what it would call, where that can be told."""
    with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        try:
            _check_instructions(cast(IO[bytes], mapped), 1, path)
        except StudioError as error:
            return error
    return StudioError(f"{path.name} is a pickle that torch did not write, and holds no weights.")


class _BoundedFile(io.FileIO):
    """A file that gives only so much at once, because zipfile reads a whole directory, however long."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > MAX_READ_BYTES:
            raise ValueError(f"{size} bytes are too many")
        # "All" is asked for near the file's end only.
        return super().read(MAX_READ_BYTES if size is None or size < 0 else size) or b""


def _checked_pickle(members: list[zipfile.ZipInfo], path: Path) -> zipfile.ZipInfo:
    """The member with the tensors' frame, of an archive that is no larger than it looks."""
    unpacked = sum(member.file_size for member in members)
    if unpacked > path.stat().st_size:
        raise StudioError(
            f"{path.name} would unpack to {unpacked / 1e6:.1f} MB, more than its own size; it is not opened."
        )
    if any(member.compress_type != zipfile.ZIP_STORED for member in members):
        raise StudioError(
            f"{path.name} is a compressed archive.", "If there are weights in it, unpack them first."
        )
    names = {member.filename.rpartition("/")[2]: member for member in members}
    if "constants.pkl" in names:
        raise StudioError(
            f"{path.name} is a TorchScript program, not weights alone.", "Save the model's state_dict instead."
        )
    if "data.pkl" not in names:
        raise StudioError(f"{path.name} is a zip archive without weights that torch saved.")
    if names["data.pkl"].file_size > MAX_READ_BYTES:
        raise _too_many_instructions(path)
    return names["data.pkl"]


def _check_instructions(stream: IO[bytes], pickles: int, path: Path) -> None:
    count = 0
    try:
        # A damaged text may look like a deprecated escape of Python's.
        with warnings.catch_warnings(action="ignore"):
            for _ in range(pickles):
                for instruction, argument, _position in pickletools.genops(stream):
                    count += 1
                    if count > MAX_INSTRUCTIONS:
                        raise _too_many_instructions(path)
                    _check_instruction(instruction.name, argument, path)
    except (ValueError, EOFError, OverflowError, MemoryError) as error:
        raise _damaged(path) from error


def _check_instruction(name: str, argument: Any, path: Path) -> None:
    if name in _OTHER_CALLS or (name == "GLOBAL" and argument not in _HARMLESS):
        called = str(argument).replace(" ", ".") if name == "GLOBAL" else "Python objects"
        raise StudioError(
            f"{path.name} is not opened, because it holds more than weights, and reading it could run code "
            f"(it asks for {called}).",
            "Save only the tensors: torch.save(model.state_dict(), path).",
        )


def _torch_load(path: Path, mapped: bool) -> Mapping[str, Any]:
    try:
        with torch.serialization.safe_globals([argparse.Namespace]), path.open("rb") as stream:
            mapped &= _is_text(path)
            source = path if mapped else stream
            contents = torch.load(source, map_location="cpu", weights_only=True, mmap=mapped)
    # Whatever torch stumbles over in a file from anywhere, it is told in one sentence.
    except Exception as error:
        raise _damaged(path) from error
    if not isinstance(contents, Mapping):
        raise StudioError(f"{path.name} holds a {type(contents).__name__}, not weights by name.")
    return contents


def _is_text(path: Path) -> bool:
    """Whether a name is UTF-8, as torch wants it for a file that it maps; a system may have others."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True


def _too_many_instructions(path: Path) -> StudioError:
    return StudioError(f"{path.name} is no checkpoint of a ConvNeXt: it holds too many objects.")


def _damaged(path: Path) -> StudioError:
    return StudioError(f"{path.name} is damaged, or not weights that torch saved.", PERHAPS_TRUNCATED)
