"""Session files, which store what was open and selected as versioned JSON; needs neither Qt nor torch.

The path of a picture in the session file's folder, or below it, is stored relative to that folder, so that both
can be moved together; other paths are absolute. A session does not contain what belongs to a machine or its
user: the compute device, the theme and the text size.
"""

import json
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import msgspec

from convnext_studio.common.errors import StudioError
from convnext_studio.common.files import found_path, saved_path
from convnext_studio.common.foreign.bounded_files import read_bounded
from convnext_studio.common.foreign.json_documents import NoJsonError, read_document
from convnext_studio.common.foreign.limits import LARGEST_SESSION_BYTES
from convnext_studio.common.foreign.plain_reasons import system_reason
from convnext_studio.common.recipe import Recipe
from convnext_studio.decoding.picture_view import WHOLE, PictureView
from convnext_studio.model.framing import TRAINED, Framing
from convnext_studio.protocol.similarity import KeptBasis

Shown = Literal["first", "second", "difference", "curtain"]
"""As in `convnext_studio.ui.state.selection.two_answers`, which needs Qt."""

SUFFIX = ".cnxsession"
FORMAT: Final = "convnext-studio session"
VERSION = 2  # Version 1 had neither `precision` nor `against`.

Panels = dict[str, dict[str, bool | int | float | str]]
Measures = dict[str, dict[str, tuple[float, float, float, float]]]
Count = Annotated[int, msgspec.Meta(ge=0, lt=1 << 31)]


class SessionModel(msgspec.Struct, frozen=True, kw_only=True):
    """How to open the model again; the attributes are those of `LoadModel`.

    Attributes
    ----------
    config
        Result of `to_dict` for a network that was built with random weights; None for all others.
    precision
        Precision of the forward pass; empty if the file does not say, as in version 1.
    mean, std
        By what pictures are normalised; empty for the network's own numbers.
    """

    source: str
    stem_stride: Count | None = None
    stem_padding: Count | None = None
    part: str = ""
    labels: tuple[str, ...] = ()
    config: dict[str, Any] | None = None
    seed: Count = 0
    input_px: Count = 224
    precision: Literal["", "float32", "bfloat16"] = ""
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    untrained: bool = False


class SessionPicture(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A picture, identified by its file.

    Attributes
    ----------
    path
        Absolute path (in the file possibly a relative one), or ``sample:NAME``.
    sha256
        Hexadecimal digest of the file; empty if it is unknown.
    box
        The box that networks are shown of it; None if there was none.
    view
        Which frame and bands of it are shown.
    """

    path: Annotated[str, msgspec.Meta(min_length=1)]
    sha256: Annotated[str, msgspec.Meta(pattern="^([0-9a-f]{64})?$")] = ""
    box: tuple[Count, Count, Count, Count] | None = None
    view: PictureView = WHOLE


class SavedSession(msgspec.Struct, frozen=True, kw_only=True):
    """What was open and what was selected.

    Attributes
    ----------
    model
        The open model; None if there was none.
    second, shown
        The network that was open beside it, None if there was none; and which of the two was shown.
    pictures
        The opened pictures, in their order.
    picture
        Index of the picture that was shown; None if there was none.
    framing
        What networks are shown of pictures.
    node, channel, unit, target
        The selection, as `AppState` has it.
    against
        The class that the explained class is contrasted with; None if there was none.
    panels
        Values of the panels' controls, by the name of the panel and then of the control.
    measures
        What is measured on the views: by panel, then by the view's number in it and the tool ("1 region"), two
        points of what the view shows.
    bases
        The principal components that were kept.
    recipe
        What was changed inside the network and on pictures, which are named by their paths.
    layout
        Layout of the docks, as Qt's opaque bytes in base64.
    """

    model: SessionModel | None = None
    second: SessionModel | None = None
    shown: Shown = "first"
    pictures: tuple[SessionPicture, ...] = ()
    picture: Count | None = None
    framing: Framing = TRAINED
    node: str = ""
    channel: Count = 0
    unit: tuple[Count, Count] | None = None
    target: Count | None = None
    against: Count | None = None
    panels: Panels = {}
    measures: Measures = {}
    bases: tuple[KeptBasis, ...] = ()
    recipe: Recipe = Recipe()
    layout: str = ""


class _Selection(msgspec.Struct, kw_only=True):
    picture: Count | None
    node: str
    channel: Count
    unit: tuple[Count, Count] | None
    target: Count | None
    against: Count | None = None  # Missing in version 1.


class _Document(msgspec.Struct, kw_only=True):
    """The content of a session file."""

    format: Literal["convnext-studio session"] = FORMAT
    version: int = VERSION
    model: SessionModel | None
    pictures: tuple[SessionPicture, ...]
    selection: _Selection
    panels: Panels
    layout: str
    framing: Framing = TRAINED  # Missing in files of older programs.
    measures: Measures = {}  # Missing where nothing is measured, and in files of older programs.
    second: SessionModel | None = None  # Missing in files of older programs, as is the next.
    shown: Shown = "first"
    bases: tuple[KeptBasis, ...] = ()  # Missing in files of older programs, as is the next.
    recipe: Recipe = Recipe()


class _Header(msgspec.Struct):
    """The part that can be read from files of every version."""

    format: Literal["convnext-studio session"]
    version: Annotated[int, msgspec.Meta(ge=1)]


def to_text(session: SavedSession, folder: Path) -> str:
    """Return the content of a session file that is to be saved in a folder."""
    document = _Document(
        model=session.model,
        pictures=tuple(
            msgspec.structs.replace(picture, path=saved_path(picture.path, folder))
            for picture in session.pictures
        ),
        selection=msgspec.convert(session, _Selection, from_attributes=True),
        framing=session.framing,
        panels=session.panels,
        layout=session.layout,
        measures=session.measures,
        second=session.second,
        shown=session.shown,
        bases=session.bases,
        recipe=session.recipe.renamed(lambda path: saved_path(path, folder)),
    )
    return json.dumps(msgspec.to_builtins(document), indent=1)


def read_session(path: Path) -> SavedSession:
    """Read a session file.

    Raises
    ------
    StudioError
        If it cannot be read, is not a session, or was written by a newer version.
    """
    try:
        data = read_bounded(path, LARGEST_SESSION_BYTES)
    except OSError as error:
        raise StudioError(f"The session {path} cannot be read: {system_reason(error)}.") from error
    except ValueError as error:  # The path contains a null character.
        raise StudioError(f"“{path.name}” is not a usable file name.") from error
    return from_bytes(data, path)


def from_bytes(data: bytes, path: Path) -> SavedSession:
    """Parse the content of a session file; raise StudioError as `read_session` does."""
    try:
        header = read_document(data, _Header)
    except msgspec.ValidationError as error:
        raise _no_session(path, "it does not say that it is one, and of which version") from error
    except NoJsonError as error:
        raise _no_session(path, "it is not JSON") from error
    if header.version > VERSION:
        raise StudioError(
            f"The session {path.name} was saved by a newer version of ConvNeXt Studio.",
            "Install that version to open it.",
        )
    try:
        return _session(read_document(data, _Document), path.absolute().parent)
    except msgspec.ValidationError as error:
        raise _no_session(path, "parts of it are missing or of the wrong kind") from error
    except NoJsonError as error:
        raise _no_session(path, "it is not JSON") from error


def _session(document: _Document, folder: Path) -> SavedSession:
    chosen = document.selection.picture
    if chosen is not None and chosen >= len(document.pictures):
        raise msgspec.ValidationError("The picture that was shown is not in the list.")
    pictures = tuple(
        msgspec.structs.replace(picture, path=found_path(picture.path, folder)) for picture in document.pictures
    )
    return SavedSession(
        model=document.model,
        pictures=pictures,
        framing=document.framing,
        panels=document.panels,
        measures=document.measures,
        second=document.second,
        shown=document.shown,
        bases=document.bases,
        recipe=_checked(document.recipe).renamed(lambda path: found_path(path, folder)),
        layout=document.layout,
        **msgspec.structs.asdict(document.selection),
    )


def _checked(recipe: Recipe) -> Recipe:
    try:
        recipe.check()
    except StudioError as error:
        raise msgspec.ValidationError(error.message) from error
    return recipe


def _no_session(path: Path, why: str) -> StudioError:
    return StudioError(f"“{path.name}” is not a session of ConvNeXt Studio: {why}.", "Open another file.")
