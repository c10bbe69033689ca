"""Pictures: listing, opening, looking at and closing."""

from typing import ClassVar

import numpy as np
from msgspec import Struct, field
from numpy.typing import NDArray

from convnext_studio.protocol.envelope import Answer, Request

THUMBNAIL_PX = 128


class ListedPicture(Struct, frozen=True):
    """A picture of which only its file is known: nothing of it was decoded.

    Attributes
    ----------
    key
        Its name in requests: another one whenever the file changes.
    name
        For people.
    path
        Its file, or ``sample:NAME``; empty for a pasted picture.
    """

    key: str
    name: str
    path: str


class PictureFailure(Answer, frozen=True, kw_only=True):
    """Why something is no picture, in plain words.

    Attributes
    ----------
    path
        What was to be opened.
    message, hint
        What is wrong, and what to do about it.
    key
        Of the picture; empty for what was never listed.
    """

    path: str
    message: str
    hint: str = ""
    key: str = ""


class ListPictures(Request, frozen=True, kw_only=True):
    """Find pictures without decoding them; answered by `ListedPictures`.

    From then on requests may name them by their keys; each is decoded when it is first needed.

    Attributes
    ----------
    paths
        Files, folders (with their sub-folders) and ``sample:NAME``.
    """

    doing: ClassVar[str] = "Looking for pictures"
    priority: ClassVar[int] = 1
    replaces: ClassVar[bool] = False
    paths: tuple[str, ...]


class ListedPictures(Answer, frozen=True, kw_only=True):
    """What was found.

    Attributes
    ----------
    pictures
        In the order of the paths; those of a folder by name, numbers in names by value.
    checked
        Of how many of them, from the first on, the head of the file was read and is sound.
    failures
        What is none, among the first files and among the paths.
    folders
        Those of the paths that are folders.
    """

    pictures: tuple[ListedPicture, ...]
    checked: int
    failures: tuple[PictureFailure, ...] = ()
    folders: tuple[str, ...] = ()


class CheckPictures(Request, frozen=True, kw_only=True):
    """Read the heads of listed pictures' files; answered by `CheckedPictures`.

    Attributes
    ----------
    images
        Keys.
    with_sha256
        Read the whole files, and give their digests.
    """

    doing: ClassVar[str] = "Checking pictures"
    priority: ClassVar[int] = 8
    replaces: ClassVar[bool] = False
    images: tuple[str, ...]
    with_sha256: bool = False


class CheckedPictures(Answer, frozen=True, kw_only=True):
    """Which of the files cannot be pictures, and what the others hold.

    Attributes
    ----------
    failures
        In the order of the question.
    sha256
        Hexadecimal digest of the file by key, where it was asked for and can be read.
    """

    failures: tuple[PictureFailure, ...]
    sha256: dict[str, str] = field(default_factory=dict)


class ShowPicture(Request, frozen=True, kw_only=True):
    """Decode a listed picture.

    Answered by `ImageInfo`, under a new key where its file has changed, or by `PictureFailure` where it cannot
    be read. `Failed` says nothing about the picture.
    """

    doing: ClassVar[str] = "Opening a picture"
    priority: ClassVar[int] = 1
    image: str


class Thumbnail(Request, frozen=True, kw_only=True):
    """Decode a listed picture as small as it is wanted, and keep nothing.

    Answered by `ThumbnailPixels`, or by `PictureFailure` where it cannot be read.
    """

    doing: ClassVar[str] = "Reading thumbnails"
    priority: ClassVar[int] = 4
    replaces: ClassVar[bool] = False
    image: str
    longest_px: int = THUMBNAIL_PX


class ThumbnailPixels(Answer, frozen=True, kw_only=True):
    """A small picture.

    Attributes
    ----------
    image
        Key.
    pixels
        (h, w, 3) uint8, at most as long as was wanted.
    """

    image: str
    pixels: NDArray[np.uint8]


class OpenImage(Request, frozen=True, kw_only=True):
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

    doing: ClassVar[str] = "Opening a picture"
    on_processor: ClassVar[bool] = True
    priority: ClassVar[int] = 1
    replaces: ClassVar[bool] = False
    path: str = ""
    data: bytes = b""
    name: str = ""


class ImageInfo(Answer, frozen=True, kw_only=True):
    """A picture that the engine keeps.

    Attributes
    ----------
    key
        Its name in requests: another one whenever its file changes.
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

    @property
    def listed(self) -> ListedPicture:
        """All of it that a list needs."""
        return ListedPicture(self.key, self.name, self.path)


class PictureSource(Struct, frozen=True):
    """Where a picture comes from, to decode it whenever it is needed.

    Attributes
    ----------
    path
        Its file, or ``sample:NAME``; empty for one that is in `data`.
    name
        For people.
    data
        The encoded picture.
    """

    path: str
    name: str
    data: bytes = b""

    @property
    def source(self) -> str | bytes:
        """What a `PictureReader` takes."""
        return self.data or self.path


class RestorePictures(Request, frozen=True, kw_only=True):
    """Know these pictures, as the engine before did; decodes nothing. Answered by `Done` with no payload."""

    doing: ClassVar[str] = "Opening the pictures again"
    priority: ClassVar[int] = 1
    replaces: ClassVar[bool] = False
    sources: dict[str, PictureSource]


class CloseImage(Request, frozen=True, kw_only=True):
    """Forget pictures; answered by `Done` with no payload."""

    doing: ClassVar[str] = "Closing a picture"
    on_processor: ClassVar[bool] = True
    priority: ClassVar[int] = 1
    replaces: ClassVar[bool] = False
    images: tuple[str, ...]
