"""Read and write files of soft targets, the class probabilities that a teacher predicts for every picture.

Such a file is made once and can be used for any number of training runs. It is an ``.npz`` with five arrays:
``names`` (N,), the pictures' paths relative to their folder, with ``/``; ``classes`` (C,), in plain words;
``probabilities`` (N, C) float16, each row a distribution; ``temperature``, by which the teacher's logits were
divided before the softmax; and ``teacher``, its name as a text.
"""

import io
import math
import sys
import zipfile
import zlib
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from convnext_studio.common.errors import StudioError
from convnext_studio.common.files import checked_ending, written_whole
from convnext_studio.common.foreign.bounded_files import open_archive
from convnext_studio.common.foreign.limits import LARGEST_SOFT_TARGETS_BYTES
from convnext_studio.common.foreign.npy_headers import read_npy_header
from convnext_studio.common.foreign.plain_reasons import system_reason

_LARGEST_SUM_ERROR = 0.02
_ARRAYS = ("names", "classes", "probabilities", "temperature", "teacher")
_HINT = "`convnext-studio train FOLDER --teacher MODEL --write-soft-targets FILE.npz` makes such a file."
_BLOCK = 1 << 20


class SoftTargets(Struct, frozen=True, kw_only=True):
    """The class probabilities that a teacher predicts for a set of pictures.

    Attributes
    ----------
    names
        The pictures' paths relative to their folder, with ``/``.
    classes
        The classes of the columns, in plain words.
    probabilities
        (pictures, classes) float16.
    temperature
        The temperature by which the teacher's logits were divided.
    teacher
        The teacher's name for display.
    """

    names: tuple[str, ...]
    classes: tuple[str, ...]
    probabilities: NDArray[np.float16]
    temperature: float = 1.0
    teacher: str = ""

    def rows(self, names: list[str], temperature: float) -> NDArray[np.float32]:
        """Return the targets of the named pictures, in that order, converted to another temperature.

        Raises
        ------
        StudioError
            If some of the pictures have no targets.
        """
        places = {name: place for place, name in enumerate(self.names)}
        missing = [name for name in names if name not in places]
        if missing:
            raise StudioError(
                f"The soft targets lack {len(missing)} of {len(names)} pictures, such as {missing[0]}.",
                "They must be made from the same folder.",
            )
        chosen = self.probabilities[[places[name] for name in names]].astype(np.float32)
        if temperature != self.temperature:
            np.power(chosen, np.float32(self.temperature / temperature), out=chosen)
        chosen /= chosen.sum(1, keepdims=True)
        return chosen


def write_soft_targets(path: Path, targets: SoftTargets) -> None:
    """Write a file of soft targets atomically, for `read_soft_targets`."""
    checked_ending(path, (".npz",), "Soft targets")
    with written_whole(path) as stream:
        np.savez_compressed(
            stream,
            names=np.array(targets.names, np.str_),
            classes=np.array(targets.classes, np.str_),
            probabilities=targets.probabilities,
            temperature=np.array(targets.temperature, np.float64),
            teacher=np.array(targets.teacher, np.str_),
        )


def read_soft_targets(path: Path) -> SoftTargets:
    """Read a file of soft targets without running any code in it or exceeding `LARGEST_SOFT_TARGETS_BYTES`.

    Raises
    ------
    StudioError
        If it is not a file of soft targets, or is damaged or too large.
    """
    try:
        with open_archive(path) as archive:
            arrays = _arrays(archive)
        return _checked(arrays)
    except StudioError as error:
        raise StudioError(f"{path.name} contains no soft targets: {error.message}", _HINT) from error
    except FileNotFoundError as error:
        raise StudioError(f"There is no file {path} with soft targets.", _HINT) from error
    except OSError as error:
        raise StudioError(f"{path.name} cannot be read: {system_reason(error)}.") from error
    except (KeyError, ValueError, TypeError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise StudioError(f"{path.name} contains no soft targets, or is damaged.", _HINT) from error
    except (NotImplementedError, RuntimeError, MemoryError) as error:  # Encrypted, or an unknown compression.
        raise StudioError(f"{path.name} contains no soft targets that can be read.", _HINT) from error


def _arrays(archive: zipfile.ZipFile) -> dict[str, NDArray[Any]]:
    names = set(archive.namelist())
    missing = [name for name in _ARRAYS if f"{name}.npy" not in names]
    if missing:
        raise StudioError(f"it has no array “{missing[0]}”.")
    if sum(archive.getinfo(f"{name}.npy").file_size for name in _ARRAYS) > LARGEST_SOFT_TARGETS_BYTES:
        raise StudioError(f"it would need more than {LARGEST_SOFT_TARGETS_BYTES >> 30} GiB.")
    arrays: dict[str, NDArray[Any]] = {}
    for name in _ARRAYS:
        with archive.open(f"{name}.npy") as member:
            arrays[name] = _array(member, archive.getinfo(f"{name}.npy").file_size)
    return arrays


def _array(member: Any, stated_bytes: int) -> NDArray[Any]:
    """Read an array, and check that its header claims exactly the size that the archive states."""
    head = io.BytesIO(member.read(min(stated_bytes, 1 << 16)))
    shape, fortran, dtype = read_npy_header(head)
    if dtype.hasobject or dtype.kind not in "Uf" or fortran:
        raise StudioError("one of its arrays contains neither texts nor numbers.")
    size = math.prod(shape) * dtype.itemsize
    if size != stated_bytes - head.tell():
        raise StudioError("one of its arrays has another size than it says.")
    values = np.frombuffer(_rest(head, member, size), dtype).reshape(shape)
    if dtype.kind == "U" and values.size and dtype.itemsize:
        letters = np.ascontiguousarray(values).reshape(-1).view(dtype.str[0] + "u4")
        if letters.max() > sys.maxunicode or ((letters >= 0xD800) & (letters < 0xE000)).any():
            raise StudioError("one of its texts is no text.")
    return values


def _rest(head: BinaryIO, member: Any, size: int) -> bytearray:
    """Read the data after the header, block by block."""
    values = bytearray(head.read())
    while len(values) < size and (block := member.read(min(_BLOCK, size - len(values)))):
        values += block
    if len(values) != size:
        raise EOFError
    return values


def _checked(arrays: dict[str, NDArray[Any]]) -> SoftTargets:
    names, classes, probabilities, temperature, teacher = (arrays[name] for name in _ARRAYS)
    if not {names.dtype.kind, classes.dtype.kind, teacher.dtype.kind} == {"U"}:
        raise StudioError("names, classes and teacher must be texts.")
    if names.ndim != 1 or classes.ndim != 1 or probabilities.shape != (len(names), len(classes)):
        raise StudioError("its probabilities do not have one row for each name and one column for each class.")
    if probabilities.dtype.kind != "f" or not len(names) or len(classes) < 2:
        raise StudioError("there must be pictures, at least two classes, and a share for each.")
    if len(set(names.tolist())) < len(names) or len(set(classes.tolist())) < len(classes):
        raise StudioError("it contains a name or a class twice.")
    softness = float(temperature)
    if not 0 < softness < math.inf:
        raise StudioError(f"its temperature is {softness}.")
    _check_distributions(probabilities)
    return SoftTargets(
        names=tuple(str(name) for name in names),
        classes=tuple(str(name) for name in classes),
        probabilities=probabilities.astype(np.float16, copy=False),
        temperature=softness,
        teacher=str(teacher),
    )


def _check_distributions(probabilities: NDArray[Any]) -> None:
    """Check the rows in blocks, so that a large file is not in memory twice."""
    for start in range(0, len(probabilities), 4096):
        rows = probabilities[start : start + 4096].astype(np.float32)
        if not np.isfinite(rows).all() or rows.min() < 0:
            raise StudioError("one of its shares is not a number from 0 to 1.")
        if np.abs(rows.sum(1) - 1).max() > _LARGEST_SUM_ERROR:
            raise StudioError("the shares of a picture do not add up to 1.")
