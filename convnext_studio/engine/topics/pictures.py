"""Pictures: opening and closing."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from convnext_studio.engine.topics.base import Answer, Request


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenImage(Request):
    """Decode a picture and keep it; answered by `ImageInfo`.

    Attributes
    ----------
    path
        File to read, or ``sample:NAME``; empty where `data` is given.
    data
        An encoded picture (from the clipboard).
    name
        What to call it; from the path where empty.
    """

    priority: ClassVar[int] = 1
    replaces: ClassVar[bool] = False
    path: str = ""
    data: bytes = b""
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageInfo(Answer):
    """A picture that the engine keeps.

    Attributes
    ----------
    key
        Its name in requests; equal pixels have equal keys.
    name, path
        For people; the path is empty for a pasted picture and ``sample:NAME`` for a sample.
    size
        Width and height in pixels, after EXIF orientation.
    notes
        What was done to it while decoding, a sentence each.
    preview
        (h, w, 3) uint8, the picture itself or, where it is large, reduced to at most 2048 pixels a side.
    thumbnail
        (h, w, 3) uint8, at most 128 pixels a side.
    """

    key: str
    name: str
    path: str
    size: tuple[int, int]
    notes: tuple[str, ...]
    preview: NDArray[np.uint8]
    thumbnail: NDArray[np.uint8]


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseImage(Request):
    """Forget a picture; answered by `Done` with no payload."""

    priority: ClassVar[int] = 1
    replaces: ClassVar[bool] = False
    image: str
