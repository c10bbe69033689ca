"""Read the header of an .npy file, which may hold anything."""

from typing import Any

import numpy as np
from numpy.lib import format as npy

_LONGEST_HEADER = 10_000


def read_npy_header(stream: Any) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Return the shape, whether columns come first, and the type of the array that follows in a stream.

    Raises
    ------
    ValueError
        If the stream does not begin with an array's header.
    OSError, EOFError, zlib.error, zipfile.BadZipFile
        If the stream cannot be read.
    """
    version = npy.read_magic(stream)
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    try:
        shape, by_columns, dtype = read(stream, max_header_size=_LONGEST_HEADER)
    except (OSError, EOFError):
        raise
    except Exception as error:  # numpy has Python parse the header, which fails in many ways.
        raise ValueError("its header is not that of an array") from error
    if any(side < 0 for side in shape):
        raise ValueError("its header names a negative size")
    return shape, by_columns, dtype
