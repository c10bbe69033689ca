"""Read what torch.save and pickle.dump write, with nothing in the file executed.

`pickle_reader` reads the pickle as data. This module finds the pickle and the bytes of the tensors in the file,
and makes tensors of them, those that are asked for. The file is mapped, so that only these bytes are read.
"""

import mmap
import re
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from msgspec import Struct
from torch import Tensor

from convnext_studio.common.errors import StudioError
from convnext_studio.common.foreign.bounded_files import open_archive, open_regular
from convnext_studio.common.foreign.plain_reasons import system_reason
from convnext_studio.model.weights.containers.exported_programs import WEIGHTS_LIST, read_pt2
from convnext_studio.model.weights.containers.headers import PERHAPS_TRUNCATED
from convnext_studio.model.weights.containers.pickle_reader import PickleReader
from convnext_studio.model.weights.containers.pickle_values import (
    Buffer,
    DamagedPickleError,
    Storage,
    StoredArray,
    StoredTensor,
    TooManyObjectsError,
)
from convnext_studio.model.weights.containers.zip_members import place, stored_bytes

# The directory of an archive with a checkpoint of the largest ConvNeXt has 0.2 MB, its pickle 0.5 MB.
MAX_PICKLE_BYTES = 64_000_000
_LEGACY_PICKLES = 3  # Before the contents: a magic number, the version of the format, and the machine.

_NUMBERS_READ = "The weights of a network are real numbers of 64 bits or fewer."

Leaf = Tensor | StoredTensor | StoredArray
"""A tensor, or what one can be made of."""


class FileContents(Struct, frozen=True, kw_only=True):
    """What a file holds.

    Attributes
    ----------
    values
        Dicts, lists and plain values, with tensors in them.
    names
        The functions and classes that the file would import if it were loaded with trust.
    metadata
        Pairs of name and text from the header of a safetensors file.
    size_bytes
        The size of the file or files.
    """

    values: Any
    names: tuple[str, ...] = ()
    metadata: tuple[tuple[str, str], ...] = ()
    size_bytes: int = 0


def read_zip(path: Path) -> FileContents:
    """Read the format of torch.save since 2020, or a TorchScript program, of which only the data are read.

    Raises
    ------
    StudioError
        If it contains something else, is damaged, or would unpack to far more than its size.
    """
    mapped = mapped_file(path)
    try:
        with open_archive(path) as archive:
            members = archive.infolist()
            _check_sizes(members, path)
            if any(member.filename.endswith(WEIGHTS_LIST) for member in members):
                return FileContents(values=read_pt2(members, mapped, path))
            pickled = _pickle_among(members, path)
            is_big_endian = _is_big_endian(archive, pickled)
    except (zipfile.BadZipFile, OSError, EOFError, ValueError, NotImplementedError, RuntimeError) as error:
        raise _damaged(path) from error
    if is_big_endian:
        raise _big_endian(path)
    content = stored_bytes(mapped, pickled)
    if zlib.crc32(content) != pickled.CRC:
        raise _damaged(path)
    reader, values = _run(PickleReader(content, load_storage=_storage_in_pickle), path)
    folder = pickled.filename.rpartition("/")[0]
    if not reader.storages and any(member.filename.startswith(f"{folder}/constants/") for member in members):
        raise _frozen(path)
    by_name = {member.filename: member for member in members}
    for key, storage in reader.storages.items():
        member = by_name.get(f"{folder}/data/{key}" if folder else f"data/{key}")
        if member is not None:
            place(storage, mapped, member)
    return FileContents(values=values, names=tuple(reader.names))


def read_legacy(path: Path) -> FileContents:
    """Read torch.save's format before 2020: several pickles, then the tensors; raises as `read_zip` does."""
    mapped = mapped_file(path)
    reader, values = _run_legacy(mapped, path)
    return FileContents(values=values, names=tuple(reader.names))


def read_plain_pickle(path: Path) -> FileContents:
    """Read what pickle.dump wrote, with arrays of numpy or tensors in it; raises as `read_zip` does."""
    reader, values = _run(PickleReader(mapped_file(path), load_storage=_storage_in_pickle), path)
    return FileContents(values=values, names=tuple(reader.names))


def make_tensor(leaf: Leaf, name: str) -> Tensor:
    """Return the tensor of that name, whose bytes may still be those of the mapped file.

    Raises
    ------
    StudioError
        If it is of a kind that holds no plain numbers, or its bytes are missing.
    """
    if isinstance(leaf, Tensor):
        return _plain(leaf, name)
    if isinstance(leaf, StoredArray):
        if leaf.values is None:
            what = f"numbers of a type that cannot be read ({leaf.kind})" if leaf.kind else "no numbers"
            raise StudioError(f"{name} is an array that holds {what}.", _NUMBERS_READ)
        # A copy, in the byte order of this machine, because torch writes to no array that is read-only.
        return torch.from_numpy(leaf.values.astype(leaf.values.dtype.newbyteorder("=")))
    dtype = getattr(torch, leaf.dtype, None) if leaf.dtype else None
    if leaf.kind or leaf.dtype.startswith("q"):
        raise _not_plain(name, leaf.kind or "quantised")
    if not isinstance(dtype, torch.dtype) or leaf.storage is None:
        raise StudioError(f"{name} is of the type {leaf.dtype or 'of bytes'}, which cannot be read.")
    try:
        memory = _memory(leaf.storage, dtype)
        made = torch.as_strided(memory, leaf.shape, leaf.stride, leaf.offset)
    except (RuntimeError, ValueError, TypeError, OverflowError) as error:
        raise StudioError(f"The bytes of {name} are not all in the file.", PERHAPS_TRUNCATED) from error
    return made.neg() if leaf.is_negated else made


def mapped_file(path: Path) -> mmap.mmap:
    """Map a file into memory so that what is written there never reaches the file.

    Raises
    ------
    StudioError
        If it cannot be read.
    """
    try:
        with open_regular(path) as stream:
            return mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_COPY)
    except (OSError, ValueError) as error:
        why = system_reason(error) if isinstance(error, OSError) else "it is empty"
        raise StudioError(f"{path} cannot be read ({why}).") from error


def _plain(tensor: Tensor, name: str) -> Tensor:
    """Return a tensor that has its numbers, one for each place, or raise a StudioError that says what it is."""
    if tensor.is_quantized:
        raise _not_plain(name, "quantised")
    if tensor.layout != torch.strided:
        raise _not_plain(name, "sparse")
    return tensor


def _not_plain(name: str, kind: str) -> StudioError:
    what = {
        "meta": "has a shape, but no numbers (torch's meta device)",
        "quantised": "is quantised: its numbers are codes of few bits",
        "sparse": "is sparse: most of its numbers are left out",
        "nested": "is a nested tensor",
    }
    return StudioError(f"{name} {what[kind]}. Only tensors with all of their numbers can be opened.")


def _memory(storage: Storage, dtype: torch.dtype) -> Tensor:
    """Return the numbers of a storage; a copy of them where they do not lie as a machine wants them."""
    if storage.buffer is None:
        raise ValueError("the file does not hold its bytes")
    count = storage.size_bytes // dtype.itemsize
    if count == 0:
        return torch.empty(0, dtype=dtype)
    if storage.start % dtype.itemsize == 0 and isinstance(storage.buffer, mmap.mmap):
        return torch.frombuffer(storage.buffer, dtype=dtype, count=count, offset=storage.start)
    part = np.frombuffer(storage.buffer, np.uint8, count * dtype.itemsize, storage.start)
    return torch.from_numpy(part.copy()).view(dtype)


def _check_sizes(members: list[zipfile.ZipInfo], path: Path) -> None:
    """Refuse an archive if what would be read of it unpacks to more than its size, or is compressed."""
    # Of a program, the code is compressed, and is not read.
    read = [member for member in members if re.search(r"(^|/)(data\.pkl$|data/)", member.filename)]
    unpacked = sum(member.file_size for member in read)
    if unpacked > path.stat().st_size:
        raise StudioError(
            f"{path.name} would unpack to {unpacked / 1e6:.1f} MB, more than its own size; it is not opened."
        )
    if any(member.compress_type != zipfile.ZIP_STORED for member in read):
        raise StudioError(
            f"{path.name} is a compressed archive.", "If there are weights in it, unpack them first."
        )


def _pickle_among(members: list[zipfile.ZipInfo], path: Path) -> zipfile.ZipInfo:
    """Return the member with the pickle of an archive."""
    found = next((member for member in members if member.filename.rpartition("/")[2] == "data.pkl"), None)
    if found is None:
        names = [member.filename for member in members[:1000]]
        if any(name.endswith(".weights.h5") for name in names):
            raise StudioError(f"{path.name} is a Keras file; only weights of torch can be opened.")
        if names and all(name.endswith(".npy") for name in names):
            raise StudioError(f"{path.name} is an archive of numpy arrays, not weights that torch saved.")
        raise StudioError(f"{path.name} is a zip archive without weights that torch saved.")
    if found.file_size > MAX_PICKLE_BYTES:
        raise _too_many_objects(path)
    return found


def _is_big_endian(archive: zipfile.ZipFile, pickled: zipfile.ZipInfo) -> bool:
    name = pickled.filename.removesuffix("data.pkl") + "byteorder"
    try:
        member = archive.getinfo(name)
    except KeyError:
        return False
    return member.file_size <= 16 and archive.read(member) == b"big"


def _run(reader: PickleReader, path: Path) -> tuple[PickleReader, Any]:
    try:
        return reader, reader.read()
    except TooManyObjectsError as error:
        raise _too_many_objects(path) from error
    except (DamagedPickleError, MemoryError) as error:
        raise _damaged(path) from error


def _run_legacy(data: Buffer, path: Path) -> tuple[PickleReader, Any]:
    """Read the pickles of the older format, and note where the storages are that follow them."""
    # A storage in a pickle that is itself in a pickle is never written, and could go on for ever.
    reader = PickleReader(data, load_storage=None if isinstance(data, bytes) else _storage_in_pickle)
    for _ in range(_LEGACY_PICKLES):
        _, described = _run(reader, path)
    if isinstance(described, dict) and described.get("little_endian") is False:
        raise _big_endian(path)
    _, values = _run(reader, path)
    _, keys = _run(reader, path)
    try:
        _place_in_order(reader, keys)
    except (DamagedPickleError, TypeError) as error:
        raise _damaged(path) from error
    return reader, values


def _place_in_order(reader: PickleReader, keys: Iterable[object]) -> None:
    data, position = reader.data, reader.position
    for key in keys:
        storage = reader.storages.get(str(key))
        # Memory of any type, as that of float8 and complex32, is counted in bytes.
        dtype = getattr(torch, storage.dtype or "uint8", None) if storage else None
        if storage is None or not isinstance(dtype, torch.dtype):
            raise DamagedPickleError(f"nothing is said of the storage {key!r:.20}")
        count = int.from_bytes(data[position : position + 8], "little")
        start, size_bytes = position + 8, count * dtype.itemsize
        if start + size_bytes > len(data):
            raise DamagedPickleError("it ends in the middle of its tensors")
        storage.buffer, storage.start, storage.size_bytes = data, start, size_bytes
        position = start + size_bytes


def _storage_in_pickle(content: bytes) -> Storage:
    """Return the storage that torch wrote as bytes into a plain pickle."""
    try:
        _, storage = _run_legacy(content, Path("a tensor"))
    except StudioError as error:
        raise DamagedPickleError("a tensor in it is damaged") from error
    if not isinstance(storage, Storage):
        raise DamagedPickleError("a tensor in it has no storage")
    return storage


def _big_endian(path: Path) -> StudioError:
    return StudioError(f"{path.name} was written on a machine that orders its bytes the other way round.")


def _frozen(path: Path) -> StudioError:
    return StudioError(
        f"{path.name} is a frozen TorchScript program: its weights are a part of its code and have no names.",
        "Open the weights that it was made of, or the program before torch.jit.freeze.",
    )


def _too_many_objects(path: Path) -> StudioError:
    return StudioError(f"{path.name} is not a checkpoint of a ConvNeXt: it contains too many objects.")


def _damaged(path: Path) -> StudioError:
    return StudioError(
        f"{path.name} is damaged, or does not contain weights saved by torch.", PERHAPS_TRUNCATED
    )
