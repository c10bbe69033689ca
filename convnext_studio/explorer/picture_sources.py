"""What notebooks give as a picture: files, encoded bytes, Pillow's images, arrays and tensors of every kind."""

import io
import numbers
import os
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from convnext_studio.common.errors import StudioError
from convnext_studio.decoding.formats.arrays import empty_axes
from convnext_studio.protocol.pictures import OpenImage

PictureSource = Any
"""A path, ``sample:NAME``, encoded bytes, an opened file, a Pillow image, an array, a tensor or lists."""

LARGEST_BYTES = 1 << 30
_WANTED = (
    "Give a file, a Pillow image, or an array of numbers, (H, W), (H, W, bands) or (bands, H, W); "
    "open the pictures of a batch one by one."
)
_PNG_MODES = frozenset({"1", "L", "LA", "I;16", "P", "RGB", "RGBA"})
_NUMBER_MODES = frozenset({"I", "F", "I;16B", "I;16L", "I;16N"})
"""The modes of Pillow whose values a PNG would cut off."""


def opening(picture: PictureSource, name: str) -> OpenImage:
    """Return the request that opens a picture of any kind.

    Raises
    ------
    StudioError
        If it is no picture; the hint says what is wanted.
    """
    try:
        if isinstance(picture, str | os.PathLike) and not hasattr(picture, "read"):
            return OpenImage(path=os.fsdecode(picture), name=name)
        return OpenImage(data=_data(picture), name=name or "picture")
    except StudioError:
        raise
    except Exception as error:  # Objects of others raise anything when they are asked what they are.
        raise StudioError(f"What was given is no picture, but {_kind(picture)}.", _WANTED) from error


def _data(picture: PictureSource) -> bytes:
    """Return a picture as the bytes of a file, of which none of its values are lost."""
    if isinstance(picture, bytes | bytearray):
        return _checked(bytes(picture))
    if isinstance(picture, memoryview) and picture.ndim == 1 and picture.format == "B":
        return _checked(picture.tobytes())
    if isinstance(picture, Image.Image):
        return _of_image(picture)
    if callable(getattr(picture, "read", None)):
        return _read(picture)
    return _of_array(_as_array(picture))


def _checked(data: bytes) -> bytes:
    if not data:
        raise StudioError("The picture is empty: there are no bytes in it.", _WANTED)
    return data


def _read(stream: Any) -> bytes:
    """Return what is in an opened file from where it stands."""
    try:
        data = stream.read(LARGEST_BYTES + 1)
    except (OSError, ValueError) as error:  # It is closed, or was opened for writing.
        raise StudioError("The opened file cannot be read.", "Open it for reading, with mode “rb”.") from error
    if not isinstance(data, bytes | bytearray):
        raise StudioError("The file was opened as text.", "Open it with mode “rb”.")
    if len(data) > LARGEST_BYTES:
        raise StudioError(
            f"The opened file has more than {LARGEST_BYTES >> 20} MB.", "Reduce the picture first."
        )
    return _checked(bytes(data))


def _of_image(image: Image.Image) -> bytes:
    if image.mode in _NUMBER_MODES:
        return _of_array(np.asarray(image))
    buffer = io.BytesIO()
    mode = {"RGBa": "RGBA", "La": "LA", "PA": "RGBA"}.get(image.mode, "RGB")
    try:
        (image if image.mode in _PNG_MODES else image.convert(mode)).save(buffer, "PNG")
    except (OSError, ValueError, SystemError) as error:  # It has no pixels, or its file has been closed.
        raise StudioError(
            f"The Pillow image of {image.width} × {image.height} pixels cannot be read.", _WANTED
        ) from error
    return buffer.getvalue()


def _as_array(picture: PictureSource) -> NDArray[Any]:
    if callable(getattr(picture, "detach", None)):  # A tensor of torch, on any device.
        picture = _plain_tensor(picture)
    if np.ma.is_masked(picture):
        raise StudioError(
            "The picture is a masked array, whose hidden values have no colour.", "Fill it first."
        )
    try:
        array = np.asarray(picture)
    except Exception as error:  # Lists of different lengths, and objects that only look like arrays.
        raise StudioError("The picture is no array with rows of one length.", _WANTED) from error
    return _of_numbers(array, picture) if array.dtype.kind == "O" else array


def _of_numbers(array: NDArray[Any], picture: object) -> NDArray[Any]:
    """Return an array of objects as one of numbers, if all of them are numbers."""
    if array.ndim == 0:
        raise StudioError(f"What was given is no array of numbers, but {_kind(picture)}.", _WANTED)
    if not all(isinstance(value, numbers.Real) for value in array.flat):
        raise StudioError("The picture is no array of numbers: some of its values are other objects.", _WANTED)
    return array.astype(np.float64)


def _kind(picture: object) -> str:
    return "nothing (None)" if picture is None else f"of the kind “{type(picture).__name__[:60]}”"


def _plain_tensor(tensor: Any) -> Any:
    try:
        here = tensor.detach().cpu().resolve_conj().resolve_neg()
        return here.numpy() if here.dtype.itemsize > 1 and "bfloat" not in str(here.dtype) else _widened(here)
    except (RuntimeError, TypeError, NotImplementedError) as error:  # On the meta device, sparse, quantised.
        raise StudioError("The tensor holds no plain numbers.", _WANTED) from error


def _widened(tensor: Any) -> Any:
    """Return a tensor whose numbers numpy does not know as one that it does."""
    return tensor.float().numpy() if tensor.is_floating_point() else tensor.numpy()


def _of_array(array: NDArray[Any]) -> bytes:
    if array.dtype.kind not in "buif":
        what = "complex numbers" if array.dtype.kind == "c" else "texts, dates or records"
        raise StudioError(f"The picture is an array of {what}.", _WANTED)
    if array.ndim == 0:
        raise StudioError("The picture is a single number, of shape ().", _WANTED)
    if array.size == 0:
        raise StudioError(f"The picture is an empty array, of shape {_shape(array)}.", _WANTED)
    is_plain = array.dtype == np.uint8 and (array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (3, 4)))
    if is_plain:
        return _of_image(Image.fromarray(array))
    buffer = io.BytesIO()
    np.save(buffer, _upright(array), allow_pickle=False)
    return buffer.getvalue()


def _upright(array: NDArray[Any]) -> NDArray[Any]:
    """Return an array as (H, W) or (H, W, bands); a StudioError if it can be no single picture."""
    array = array[(0,) * empty_axes(array.shape)]
    if array.ndim not in (2, 3):
        raise StudioError(f"The picture is an array of shape {_shape(array)}.", _WANTED)
    if array.ndim == 3 and array.shape[2] not in (1, 3, 4) and array.shape[0] in (3, 4):
        # A tensor's (3, H, W), however narrow it is.
        array = np.moveaxis(array, 0, 2)
    if array.dtype.itemsize > 8:
        return array.astype(np.float64)
    return array


def _shape(array: NDArray[Any]) -> str:
    return f"({', '.join(map(str, array.shape))})"
