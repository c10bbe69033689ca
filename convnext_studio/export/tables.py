"""The numbers of a view as tables: for spreadsheets, and for programs that read no NumPy files."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convnext_studio import __version__
from convnext_studio.export.files import write_file


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
