"""Requests and answers for listing, opening, showing and closing pictures."""

from collections.abc import Collection, Mapping
from typing import ClassVar

import numpy as np
from msgspec import Struct, field
from numpy.typing import NDArray

from convnext_studio.common.retouches import Retouch
from convnext_studio.decoding.picture_view import WHOLE, PictureView
from convnext_studio.protocol.envelope import Answer, Request

THUMBNAIL_PX = 128


class ListedPicture(Struct, frozen=True):
    """A picture whose file is known but not decoded yet.

    Attributes
    ----------
    key
        Its identifier in requests; it changes whenever the file changes.
    name
        The display name.
    path
        Its file, or ``sample:NAME``; empty for a pasted picture.
    """

    key: str
    name: str
    path: str


class PictureFailure(Answer, frozen=True, kw_only=True):
    """The reason why a file cannot be opened as a picture, in plain words.

    Attributes
    ----------
    path
        The path that was to be opened.
    message, hint
        What is wrong, and what to do about it.
    key
        The picture's key; empty for a path that was never listed.
    """

    path: str
    message: str
    hint: str = ""
    key: str = ""


class ListPictures(Request, frozen=True, kw_only=True):
    """Find pictures without decoding them; answered by `ListedPictures`.

    From then on, requests may refer to them by their keys; each is decoded when it is first needed.

    Attributes
    ----------
    paths
        Files, folders (including their subfolders) and ``sample:NAME``.
    """

    doing: ClassVar[str] = "Looking for pictures"
    priority: ClassVar[int] = 1
    replaces: ClassVar[bool] = False
    paths: tuple[str, ...]


class ListedPictures(Answer, frozen=True, kw_only=True):
    """The pictures that were found.

    Attributes
    ----------
    pictures
        The pictures in the order of the paths; those of a folder by name, with numbers in names by value.
    checked
        How many of them, counted from the first, had their file header read and found valid.
    failures
        Those of the first files and of the paths that are not pictures.
    folders
        Those of the paths that are folders.
    """

    pictures: tuple[ListedPicture, ...]
    checked: int
    failures: tuple[PictureFailure, ...] = ()
    folders: tuple[str, ...] = ()


class CheckPictures(Request, frozen=True, kw_only=True):
    """Read the headers of listed pictures' files; answered by `CheckedPictures`.

    Attributes
    ----------
    images
        Keys of listed pictures.
    decodes
        Whether to decode them at thumbnail size, too, which finds damage behind the header.
    with_sha256
        Whether to read the whole files and return their digests.
    """

    doing: ClassVar[str] = "Checking pictures"
    priority: ClassVar[int] = 8
    replaces: ClassVar[bool] = False
    images: tuple[str, ...]
    decodes: bool = False
    with_sha256: bool = False


class CheckedPictures(Answer, frozen=True, kw_only=True):
    """The files that cannot be pictures, and the digests of the others.

    Attributes
    ----------
    failures
        The failures, in the order of the request.
    sha256
        The hexadecimal digest of each file by key, if it was requested and the file can be read.
    """

    failures: tuple[PictureFailure, ...]
    sha256: dict[str, str] = field(default_factory=dict)


class ShowPicture(Request, frozen=True, kw_only=True):
    """Decode a listed picture.

    Answered by `ImageInfo`, with a new key if its file has changed or another view of it is asked for, or by
    `PictureFailure` if it cannot be read. `Failed` says nothing about the picture.

    Attributes
    ----------
    view
        Which page or frame and which bands are shown, and with which contrast; None for what was shown before.
    """

    doing: ClassVar[str] = "Opening a picture"
    priority: ClassVar[int] = 1
    image: str
    view: PictureView | None = None


class Thumbnail(Request, frozen=True, kw_only=True):
    """Decode a listed picture at thumbnail size, without keeping it.

    Answered by `ThumbnailPixels`, or by `PictureFailure` if it cannot be read.
    """

    doing: ClassVar[str] = "Reading thumbnails"
    priority: ClassVar[int] = 4
    replaces: ClassVar[bool] = False
    image: str
    longest_px: int = THUMBNAIL_PX


class ThumbnailPixels(Answer, frozen=True, kw_only=True):
    """The thumbnail of a picture.

    Attributes
    ----------
    image
        The picture's key.
    pixels
        (h, w, 3) uint8; the longer side is at most `Thumbnail.longest_px`.
    """

    image: str
    pixels: NDArray[np.uint8]


class OpenImage(Request, frozen=True, kw_only=True):
    """Decode a picture and keep it; answered by `ImageInfo`.

    Attributes
    ----------
    path
        The file to read, or ``sample:NAME``; empty if `data` is given.
    data
        An encoded picture (from the clipboard).
    name
        The display name; taken from the path if empty.
    """

    doing: ClassVar[str] = "Opening a picture"
    on_processor: ClassVar[bool] = True
    priority: ClassVar[int] = 1
    replaces: ClassVar[bool] = False
    path: str = ""
    data: bytes = b""
    name: str = ""


class OpenRetouched(Request, frozen=True, kw_only=True):
    """Make a picture of its own of an opened one with changes, and keep it; answered by `ImageInfo`.

    Attributes
    ----------
    image
        The key of the opened picture.
    retouches
        The changes; at least one of them is enabled.
    name
        The display name.
    """

    doing: ClassVar[str] = "Changing a picture"
    on_processor: ClassVar[bool] = True
    priority: ClassVar[int] = 1
    image: str
    retouches: tuple[Retouch, ...]
    name: str = ""


class SavePicture(Request, frozen=True, kw_only=True):
    """Write an opened picture, with its changes, at its full size; answered by `SavedPicture`.

    Attributes
    ----------
    path
        A name that ends in ``.png``.
    """

    doing: ClassVar[str] = "Saving a picture"
    on_processor: ClassVar[bool] = True
    priority: ClassVar[int] = 4
    replaces: ClassVar[bool] = False
    image: str
    path: str


class SavedPicture(Answer, frozen=True, kw_only=True):
    """The file that a picture was written to."""

    path: str


class ImageInfo(Answer, frozen=True, kw_only=True):
    """A picture that the engine keeps.

    Attributes
    ----------
    key
        Its identifier in requests; it changes whenever the file changes.
    name, path
        The display name, and the path, which is empty for a pasted picture and ``sample:NAME`` for a sample.
    size
        Width and height in pixels, after EXIF orientation.
    notes
        What was done to it while decoding, one sentence each.
    preview
        (h, w, 3) uint8, the picture itself or, if it is large, reduced to at most 2048 pixels a side.
    thumbnail
        (h, w, 3) uint8, at most 128 pixels a side.
    frames, bands
        How many pages or frames the file has, and how many bands each pixel, alpha included.
    view
        Which of them are shown, and with which contrast.
    """

    key: str
    name: str
    path: str
    size: tuple[int, int]
    notes: tuple[str, ...]
    preview: NDArray[np.uint8]
    thumbnail: NDArray[np.uint8]
    frames: int = 1
    bands: int = 3
    view: PictureView = WHOLE

    @property
    def listed(self) -> ListedPicture:
        """The picture as a list entry."""
        return ListedPicture(self.key, self.name, self.path)


class PictureSource(Struct, frozen=True):
    """The origin of a picture, from which it can be decoded whenever it is needed.

    Attributes
    ----------
    path
        Its file, or ``sample:NAME``; empty if it is in `data`.
    name
        The display name.
    data
        The encoded picture.
    view
        What of it is shown.
    of, retouches
        For a changed picture, the key of the unchanged one and the changes.
    """

    path: str
    name: str
    data: bytes = b""
    view: PictureView = WHOLE
    of: str = ""
    retouches: tuple[Retouch, ...] = ()

    @property
    def source(self) -> str | bytes:
        """The source in the form that a `PictureReader` takes."""
        return self.data or self.path


def is_needed(key: str, sources: Mapping[str, PictureSource], closed: Collection[str]) -> bool:
    """Whether a changed picture, which is not among those that are closed, is made of this one."""
    others = (source for own, source in sources.items() if own not in closed)
    return any(key in (source.of, *(each.picture for each in source.retouches)) for source in others)


class RestorePictures(Request, frozen=True, kw_only=True):
    """Restore the previous engine's pictures without decoding them; answered by `Done` with no payload."""

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
