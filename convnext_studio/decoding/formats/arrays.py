"""NumPy's files: .npy, and the first picture of a .npz; nothing in them is executed."""

import zipfile
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from convnext_studio.common.errors import StudioError
from convnext_studio.common.foreign.npy_headers import read_npy_header
from convnext_studio.decoding.raster import Colours, Raster, check_bytes, check_size, damaged, no_such_frame

_MOST_BANDS = 32
_MOST_COLOURS = 4
_MAGIC = b"\x93NUMPY"


def size(stream: BinaryIO, name: str) -> tuple[int, int]:
    """Return width and height, which only the header has to be read for."""
    member, _ = _member(stream, name)
    with member:
        layout = _Layout(*_header(member, name)[:2], name)
    check_size(layout.size, name)
    return layout.size


def read(stream: BinaryIO, name: str, frame: int = 0) -> Raster:
    """Return an array as a picture; more than 3 axes are frames."""
    member, notes = _member(stream, name)
    with member:
        shape, dtype, by_columns = _header(member, name)
        layout = _Layout(shape, dtype, name)
        check_bytes(layout.size, max(1, layout.bands * layout.frames), dtype.itemsize, name)
        count = int(np.prod(shape, dtype=np.int64))
        data = member.read(count * dtype.itemsize)
    if len(data) < count * dtype.itemsize:
        raise damaged(name, "it ends before its last values")
    values = np.frombuffer(data, dtype, count).reshape(shape, order="F" if by_columns else "C")
    if not 0 <= frame < layout.frames:
        raise no_such_frame(name, frame, layout.frames)
    samples = layout.picture(values, frame).astype(dtype.newbyteorder("="), copy=False)
    if np.iscomplexobj(samples):
        samples = np.abs(samples)
        notes.append("Complex values are shown by their magnitude.")
    if layout.is_bands_first:
        notes.append(f"Its axes are taken for bands, rows and columns ({layout.words}).")
    return Raster(samples=samples, colours=layout.colours, frames=layout.frames, frame=frame, notes=notes)


def empty_axes(shape: tuple[int, ...]) -> int:
    """Return how many axes of length 1 an array begins with that are neither rows nor columns nor bands.

    An array (1, W, 3) is a row of coloured pixels, and not a grey picture 3 pixels wide.
    """
    count = 0
    while len(shape) - count > 2 and shape[count] == 1:
        if len(shape) - count == 3 and shape[-1] <= _MOST_COLOURS:
            break
        count += 1
    return count


class _Layout:
    """Which axes of an array are rows, columns, bands and frames; a StudioError if it can be no picture."""

    def __init__(self, shape: tuple[int, ...], dtype: np.dtype[Any], name: str) -> None:
        self.words = " × ".join(str(side) for side in shape) or "a single number"
        if dtype.kind not in "buifc" or dtype.itemsize > 16:
            raise StudioError(
                f"“{name}” holds an array of {str(dtype)[:60]}, which is no picture.",
                "Save an array of numbers.",
            )
        axes = tuple(range(empty_axes(shape), len(shape)))
        if len(axes) not in (2, 3, 4):
            raise self._refused(name)
        self.is_bands_first = False
        self._frame_axis, self._band_axis = None, None
        if len(axes) == 4:
            self._frame_axis, axes = axes[0], axes[1:]
        if len(axes) == 3:
            sides = [shape[axis] for axis in axes]
            if sides[2] <= _MOST_BANDS:
                self._band_axis = axes[2]
            elif sides[0] <= _MOST_BANDS:
                self._band_axis, self.is_bands_first = axes[0], True
            elif self._frame_axis is None:
                self._frame_axis = axes[0]
            else:
                raise self._refused(name)
        own = [axis for axis in axes if axis not in (self._band_axis, self._frame_axis)]
        self._rows, self._columns = own
        self.size = shape[self._columns], shape[self._rows]
        self.bands = 1 if self._band_axis is None else shape[self._band_axis]
        self.frames = 1 if self._frame_axis is None else shape[self._frame_axis]
        if not self.bands or not self.frames:
            raise self._refused(name)
        self._leading = len(shape)

    def _refused(self, name: str) -> StudioError:
        return StudioError(
            f"“{name}” holds an array of {self.words}, which is no picture.",
            "Pictures have rows and columns, and up to 32 bands as the last or first axis.",
        )

    @property
    def colours(self) -> Colours:
        """What the bands are: three are red, green and blue, as everybody stores them."""
        kinds: dict[int, Colours] = {1: "grey", 3: "rgb"}
        return kinds.get(self.bands, "bands")

    def picture(self, values: NDArray[Any], frame: int) -> NDArray[Any]:
        """Return one frame as (H, W, bands)."""
        order = [
            axis for axis in (self._frame_axis, self._rows, self._columns, self._band_axis) if axis is not None
        ]
        ones = [axis for axis in range(self._leading) if axis not in order]
        moved: NDArray[Any] = values.transpose(*ones, *order)[(0,) * len(ones)]
        if self._frame_axis is not None:
            moved = moved[frame]
        return moved if self._band_axis is not None else moved[..., None]


def _member(stream: BinaryIO, name: str) -> tuple[BinaryIO, list[str]]:
    """Return the .npy file itself, or the first in a .npz file that can be a picture."""
    stream.seek(0)
    if stream.read(6) == _MAGIC:
        stream.seek(0)
        return stream, []
    stream.seek(0)
    archive = zipfile.ZipFile(stream)
    names = [each for each in archive.namelist() if each.endswith(".npy")]
    problem: StudioError | None = None
    for each in names:
        try:
            with archive.open(each) as member:
                _Layout(*_header(member, name)[:2], name)
        except StudioError as error:
            problem = problem or error
            continue
        said = f"The array “{each.removesuffix('.npy')[:60]}” of {len(names)}."
        opened: Any = archive.open(each)
        return opened, [said] if len(names) > 1 else []
    raise problem or StudioError(f"“{name}” holds no array.", "Open a picture file.")


def _header(member: Any, name: str) -> tuple[tuple[int, ...], np.dtype[Any], bool]:
    """Return shape, type and whether columns come first; types that hold objects are refused."""
    try:
        shape, by_columns, dtype = read_npy_header(member)
    except ValueError as error:
        raise StudioError(
            f"“{name}” is damaged: its header is no array's.", "Copy or download it again."
        ) from error
    if dtype.hasobject:
        raise StudioError(f"“{name}” holds Python objects, which are not opened.", "Save an array of numbers.")
    return shape, dtype, by_columns
