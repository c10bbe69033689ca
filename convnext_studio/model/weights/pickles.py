"""Read files written by torch.save without running any code that they contain.

A pickle is a program. Before torch's restricted reader (``weights_only=True``) gets it, its instructions are
listed without being run: everything that they would call must be on a short list, and there must not be too
many of them. The directory of a zip archive is checked before any member is read.
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

# A checkpoint of the largest ConvNeXt with its optimiser has 50,000 instructions; a million take seconds.
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
        # The options of a training script, which its checkpoints store next to the weights: names and values.
        "argparse Namespace",
        *(f"torch {name}" for name in _DTYPES.split()),
        *(f"torch {name}Storage" for name in _STORAGES.split()),
    }
)
# Instructions that name something to call and that torch.save never writes.
_OTHER_CALLS = {"STACK_GLOBAL", "INST", "OBJ", "EXT1", "EXT2", "EXT4", "NEWOBJ_EX"}


def read_zip(path: Path) -> Mapping[str, Any]:
    """Read the format of torch.save since 2020; the tensors are memory-mapped, not read yet.

    Raises
    ------
    StudioError
        If it contains something else, is damaged, or would run code or unpack to far more than its size.
    """
    try:
        with _BoundedFile(path) as stream, zipfile.ZipFile(stream) as archive:
            pickled = archive.read(_checked_pickle(archive.infolist(), path))
    except (zipfile.BadZipFile, OSError, EOFError, ValueError, NotImplementedError, RuntimeError) as error:
        raise _damaged(path) from error
    _check_instructions(io.BytesIO(pickled), 1, path)
    return _torch_load(path, mapped=True)


def read_legacy(path: Path) -> Mapping[str, Any]:
    """Read torch.save's format before 2020: several pickles, then the tensors; raises as `read_zip` does."""
    with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        # Magic number, format version, machine, the contents with the tensors, and the keys of their storages.
        _check_instructions(cast(IO[bytes], mapped), 5, path)
    return _torch_load(path, mapped=False)


def refuse_pickle(path: Path) -> StudioError:
    """Return the error for a pickle that torch did not write; it names what the pickle would call, if known."""
    with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        try:
            _check_instructions(cast(IO[bytes], mapped), 1, path)
        except StudioError as error:
            return error
    return StudioError(f"{path.name} is a pickle that torch did not write, and contains no weights.")


class _BoundedFile(io.FileIO):
    """A file that limits the size of a single read, because zipfile reads a directory of any length at once."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > MAX_READ_BYTES:
            raise ValueError(f"{size} bytes are too many")
        # Everything (-1) is only requested near the end of the file.
        return super().read(MAX_READ_BYTES if size is None or size < 0 else size) or b""


def _checked_pickle(members: list[zipfile.ZipInfo], path: Path) -> zipfile.ZipInfo:
    """Return the member with the pickle of an archive, after checking that it unpacks to its own size."""
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
        # A damaged string may look like an escape sequence that Python has deprecated.
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
            f"{path.name} is not opened, because it contains more than weights, and reading it could run code "
            f"(it asks for {called}).",
            "Save only the tensors: torch.save(model.state_dict(), path).",
        )


def _torch_load(path: Path, mapped: bool) -> Mapping[str, Any]:
    try:
        with torch.serialization.safe_globals([argparse.Namespace]), path.open("rb") as stream:
            mapped &= _is_text(path)
            source = path if mapped else stream
            contents = torch.load(source, map_location="cpu", weights_only=True, mmap=mapped)
    # torch raises errors of many kinds for damaged files; the user gets one sentence.
    except Exception as error:
        raise _damaged(path) from error
    if not isinstance(contents, Mapping):
        raise StudioError(f"{path.name} contains a {type(contents).__name__} instead of named weights.")
    return contents


def _is_text(path: Path) -> bool:
    """Return whether a path is valid UTF-8, which torch needs to map a file and some systems do not ensure."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True


def _too_many_instructions(path: Path) -> StudioError:
    return StudioError(f"{path.name} is not a checkpoint of a ConvNeXt: it contains too many objects.")


def _damaged(path: Path) -> StudioError:
    return StudioError(
        f"{path.name} is damaged, or does not contain weights saved by torch.", PERHAPS_TRUNCATED
    )
