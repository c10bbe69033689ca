"""What a view shows, as files: its pixels, its numbers for NumPy, and its numbers as tables."""

import json
import zipfile
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from convnext_studio import __version__
from convnext_studio.export.safe_files import write_file
from convnext_studio.render import Rgb

_ABOUT = "about"
_NO_FOLDERS = str.maketrans("/\\", "__")


def save_png(path: Path, rgb: Rgb, title: str, caption: str) -> Path:
    """Write colours as PNG, with title and caption as texts in it; StudioError where that cannot be done."""
    # Here, because Pillow would keep the window 40 ms from appearing.
    from PIL import Image

    from convnext_studio.export.png import encoded_png

    data = encoded_png(Image.fromarray(rgb), {"Title": title, "Description": caption})
    return write_file(path, lambda file: file.write(data))


def save_npy(path: Path, values: NDArray[Any]) -> Path:
    """Write an array as it is; StudioError where that cannot be done."""
    return write_file(path, lambda file: np.save(file, values, allow_pickle=False))


def save_npz(path: Path, views: Sequence[tuple[str, str, NDArray[Any]]]) -> Path:
    """Write the numbers of several views, given as (name, caption, array), into one compressed file.

    Each array is found under its view's name; of two views of one name the second has " 2" behind it.
    ``about`` is a text of JSON: the program, and the captions by the arrays' names.

    Raises
    ------
    StudioError
        Where that cannot be done.
    """
    arrays: dict[str, NDArray[Any]] = {}
    captions: dict[str, str] = {}
    for name, caption, values in views:
        key = _free_key(name, arrays)
        arrays[key], captions[key] = values, caption
    about = json.dumps({"program": f"ConvNeXt Studio {__version__}", "captions": captions})
    return write_file(path, partial(_write_npz, arrays | {_ABOUT: np.array(about)}))


def _free_key(name: str, taken: Collection[str]) -> str:
    """A name as it can stand in an archive: no folders, nothing that no encoding has, and only once."""
    plain = name.translate(_NO_FOLDERS).encode(errors="replace").decode()
    keys = (plain if number == 1 else f"{plain} {number}" for number in count(1))
    return next(key for key in keys if key not in (*taken, _ABOUT))


def _write_npz(arrays: Mapping[str, NDArray[Any]], file: BinaryIO) -> None:
    # As np.savez_compressed, which cannot have an array called “file”; and so may a picture be called.
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for key, array in arrays.items():
            with archive.open(f"{key}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, array, allow_pickle=False)


def table_text(values: NDArray[Any], separator: str) -> str:
    """An array as lines of numbers, each with as many digits as tell it from its neighbours.

    An array of two axes is one table, row by row. One of more axes is a table for each pair of the last two,
    with its index in square brackets above it and an empty line between; one of one axis is a column.
    """
    if values.ndim < 2:
        return _lines(values.reshape(-1, 1), separator)
    if values.ndim == 2:
        return _lines(values, separator)
    tables = [
        f"[{', '.join(map(str, index))}]\n{_lines(values[index], separator)}"
        for index in np.ndindex(values.shape[:-2])
    ]
    return "\n".join(tables)


def _lines(table: NDArray[Any], separator: str) -> str:
    return "".join(f"{separator.join(row)}\n" for row in table.astype(str).tolist())


def save_csv(path: Path, values: NDArray[Any]) -> Path:
    """Write an array as `table_text` with commas; StudioError where that cannot be done."""
    return write_file(path, lambda file: file.write(table_text(values, ",").encode()))


def save_json(path: Path, values: NDArray[Any], name: str, caption: str) -> Path:
    """Write an array with its name and caption; what is not finite is null.

    Raises
    ------
    StudioError
        Where that cannot be done.
    """
    numbers = values.astype(object)
    numbers[~np.isfinite(values)] = None
    content = {
        "program": f"ConvNeXt Studio {__version__}",
        "name": name,
        "caption": caption,
        "shape": values.shape,
        "dtype": str(values.dtype),
        "values": numbers.tolist(),
    }
    return write_file(path, lambda file: file.write(json.dumps(content, allow_nan=False).encode()))
