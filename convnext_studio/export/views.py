"""Write what a view shows to files: its pixels as PNG, and its numbers for NumPy or as tables."""

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
from convnext_studio.common.files import checked_ending
from convnext_studio.export.safe_files import write_file
from convnext_studio.render import Rgb

_ABOUT = "about"
_NO_FOLDERS = str.maketrans("/\\", "__")


def save_png(path: Path, rgb: Rgb, title: str, caption: str) -> Path:
    """Write RGB pixels as a PNG file with title and caption in it.

    Raises
    ------
    StudioError
        If the file cannot be written, or its name has another ending.
    """
    checked_ending(path, (".png",), "A picture")
    # Imported here, because Pillow would delay the window by 40 ms.
    from PIL import Image

    from convnext_studio.export.png_encoding import encoded_png

    data = encoded_png(Image.fromarray(rgb), {"Title": title, "Description": caption})
    return write_file(path, lambda file: file.write(data))


def save_npy(path: Path, values: NDArray[Any]) -> Path:
    """Write an array as an ``.npy`` file; StudioError if it cannot be written or has another ending."""
    checked_ending(path, (".npy",), "One array")
    return write_file(path, lambda file: np.save(file, values, allow_pickle=False))


def save_npz(path: Path, views: Sequence[tuple[str, str, NDArray[Any]]]) -> Path:
    """Write the numbers of several views, given as (name, caption, array), into one compressed file.

    Each array has its view's name as key; if two views have the same name, the second key ends in " 2".
    ``about`` is a JSON text with the program and the captions by key.

    Raises
    ------
    StudioError
        If the file cannot be written, or its name has another ending.
    """
    checked_ending(path, (".npz",), "Several arrays")
    arrays: dict[str, NDArray[Any]] = {}
    captions: dict[str, str] = {}
    for name, caption, values in views:
        key = _free_key(name, arrays)
        arrays[key], captions[key] = values, caption
    about = json.dumps({"program": f"ConvNeXt Studio {__version__}", "captions": captions})
    return write_file(path, partial(_write_npz, arrays | {_ABOUT: np.array(about)}))


def _free_key(name: str, taken: Collection[str]) -> str:
    """Return a key for an archive that is free: no slashes, no characters that cannot be encoded, not taken."""
    plain = name.translate(_NO_FOLDERS).encode(errors="replace").decode()
    keys = (plain if number == 1 else f"{plain} {number}" for number in count(1))
    return next(key for key in keys if key not in (*taken, _ABOUT))


def _write_npz(arrays: Mapping[str, NDArray[Any]], file: BinaryIO) -> None:
    # np.savez_compressed cannot save an array called “file”, which may be the name of a picture.
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for key, array in arrays.items():
            with archive.open(f"{key}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, array, allow_pickle=False)


def table_text(values: NDArray[Any], separator: str) -> str:
    """Return an array as lines of numbers, each with as many digits as are needed to read it back exactly.

    An array with two axes is one table, row by row, and one with a single axis is a column. One with more
    axes is a table for each index of the leading axes, with that index in square brackets above it and an
    empty line in between.
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
    """Write an array as `table_text` with commas; StudioError if that fails or the ending is not ``.csv``."""
    checked_ending(path, (".csv",), "A table")
    return write_file(path, lambda file: file.write(table_text(values, ",").encode()))


def save_json(path: Path, values: NDArray[Any], name: str, caption: str) -> Path:
    """Write an array with its name and caption as JSON; values that are not finite are null.

    Raises
    ------
    StudioError
        If the file cannot be written, or its name has another ending.
    """
    checked_ending(path, (".json",), "Numbers with their caption")
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
