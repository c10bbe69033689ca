"""Session files: what was open and what was looked at, as versioned JSON; no Qt, no torch.

A picture that lies beside the file, or in a folder below that, is named relative to it, so that both can move
together; others by their whole paths. What belongs to a machine and to the person at it is no part of a
session: the device that computes, theme, size of text.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any, Literal, TypeVar

from convnext_studio.common.errors import StudioError
from convnext_studio.common.samples import SAMPLE_PREFIX

SUFFIX = ".cnxsession"
FORMAT = "convnext-studio session"
VERSION = 2  # 1 knew neither the precision nor the class to set against.
LARGEST_BYTES = 64 << 20

Kind = TypeVar("Kind")


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionModel:
    """How the model is opened again; the attributes are those of `LoadModel`.

    Attributes
    ----------
    config
        Of a network that was built with random weights, as its `to_dict` gives it; None for all others.
    precision
        Of the forward pass; empty where the file does not say.
    """

    source: str
    stem_stride: int | None = None
    stem_padding: int | None = None
    config: dict[str, Any] | None = None
    seed: int = 0
    input_px: int = 224
    precision: Literal["", "float32", "bfloat16"] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionPicture:
    """A picture by its file.

    Attributes
    ----------
    path
        Whole, or ``sample:NAME``.
    sha256
        Hexadecimal digest of the file; empty where it is not known.
    """

    path: str
    sha256: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedSession:
    """What was open and what was looked at.

    Attributes
    ----------
    model
        None where there was none.
    pictures
        In their order.
    picture
        Index of the one that was shown; None where none was.
    node, channel, unit, target
        The selection, as `AppState` has it.
    against
        The class that the explained one is set against; None where none is.
    panels
        What the controls of each panel were set to: by the panel's name, then by the control's.
    layout
        Of the docks, as Qt's opaque bytes in base64.
    """

    model: SessionModel | None = None
    pictures: tuple[SessionPicture, ...] = ()
    picture: int | None = None
    node: str = ""
    channel: int = 0
    unit: tuple[int, int] | None = None
    target: int | None = None
    against: int | None = None
    panels: dict[str, dict[str, bool | int | float | str]] = field(default_factory=dict)
    layout: str = ""


def to_text(session: SavedSession, folder: Path) -> str:
    """The content of a session file that will lie in a folder."""
    model = session.model
    content = {
        "format": FORMAT,
        "version": VERSION,
        "model": None
        if model is None
        else {
            "source": model.source,
            "stem_stride": model.stem_stride,
            "stem_padding": model.stem_padding,
            "config": model.config,
            "seed": model.seed,
            "input_px": model.input_px,
            "precision": model.precision,
        },
        "pictures": [
            {"path": _relative(picture.path, folder), "sha256": picture.sha256} for picture in session.pictures
        ],
        "selection": {
            "picture": session.picture,
            "node": session.node,
            "channel": session.channel,
            "unit": session.unit,
            "target": session.target,
            "against": session.against,
        },
        "panels": session.panels,
        "layout": session.layout,
    }
    return json.dumps(content, indent=1)


def read_session(path: Path) -> SavedSession:
    """Read a session file.

    Raises
    ------
    StudioError
        Where it cannot be read, is no session, or was written by a newer version.
    """
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST_BYTES + 1)
    except OSError as error:
        raise StudioError(f"The session {path} cannot be read: {error.strerror}.") from error
    except ValueError as error:  # A path with a null character.
        raise StudioError(f"“{path.name}” is not a usable file name.") from error
    return from_bytes(data, path)


def from_bytes(data: bytes, path: Path) -> SavedSession:
    """The session in the content of a file; StudioError as `read_session`."""
    if len(data) > LARGEST_BYTES:
        raise _no_session(path, "it is too large")
    try:
        content = json.loads(data.decode())
    except (ValueError, RecursionError) as error:
        raise _no_session(path, "it is not JSON") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise _no_session(path, "it says of itself that it is something else")
    version = content.get("version")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise _no_session(path, "it has no version")
    if version > VERSION:
        raise StudioError(
            f"The session {path.name} was saved by a newer version of ConvNeXt Studio.",
            "Install that version to open it.",
        )
    try:
        return _session(_up_to_date(content), path.absolute().parent)
    except (KeyError, TypeError, ValueError) as error:
        raise _no_session(path, "parts of it are missing or of the wrong kind") from error


def _up_to_date(content: dict[str, Any]) -> dict[str, Any]:
    """What an older version wrote, as this one would have."""
    if content["version"] > 1:
        return content
    model, selection = content["model"], _a(dict, content["selection"])
    return content | {
        "model": None if model is None else _a(dict, model) | {"precision": ""},
        "selection": selection | {"against": None},
    }


def _session(content: dict[str, Any], folder: Path) -> SavedSession:
    selection = _a(dict, content["selection"])
    pictures = tuple(_picture(_a(dict, each), folder) for each in _a(list, content["pictures"]))
    picture = _optional(_count, selection["picture"])
    if picture is not None and picture >= len(pictures):
        raise ValueError(picture)
    unit = selection["unit"]
    return SavedSession(
        model=_optional(_model, content["model"]),
        pictures=pictures,
        picture=picture,
        node=_a(str, selection["node"]),
        channel=_count(selection["channel"]),
        unit=None if unit is None else _pair(unit),
        target=_optional(_count, selection["target"]),
        against=_optional(_count, selection["against"]),
        panels={name: _scalars(values) for name, values in _a(dict, content["panels"]).items()},
        layout=_a(str, content["layout"]),
    )


def _model(value: object) -> SessionModel:
    model = _a(dict, value)
    return SessionModel(
        source=_a(str, model["source"]),
        stem_stride=_optional(_count, model["stem_stride"]),
        stem_padding=_optional(_count, model["stem_padding"]),
        config=None if model["config"] is None else _a(dict, model["config"]),
        seed=_count(model["seed"]),
        input_px=_count(model["input_px"]),
        precision=_precision(model["precision"]),
    )


def _precision(value: object) -> Literal["", "float32", "bfloat16"]:
    match value:
        case "" | "float32" | "bfloat16":
            return value
    raise ValueError(value)


def _scalars(values: object) -> dict[str, bool | int | float | str]:
    scalars = _a(dict, values)
    for value in scalars.values():
        if not isinstance(value, bool | int | float | str):
            raise TypeError(value)
    return scalars


def _picture(value: dict[str, Any], folder: Path) -> SessionPicture:
    path, sha256 = _a(str, value["path"]), _a(str, value["sha256"])
    if not path or (sha256 and (len(sha256) != 64 or set(sha256) - set("0123456789abcdef"))):
        raise ValueError(value)
    return SessionPicture(path=path if path.startswith(SAMPLE_PREFIX) else str(folder / path), sha256=sha256)


def _relative(path: str, folder: Path) -> str:
    """With forward slashes, which every system reads."""
    if path.startswith(SAMPLE_PREFIX):
        return path
    whole = PurePath(path)
    return (whole.relative_to(folder) if whole.is_relative_to(folder) else whole).as_posix()


def _a(kind: type[Kind], value: object) -> Kind:
    if not isinstance(value, kind):
        raise TypeError(value)
    return value


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 31


def _count(value: object) -> int:
    if not _is_count(value):
        raise TypeError(value)
    return _a(int, value)


def _pair(value: object) -> tuple[int, int]:
    first, second = _a(list, value)
    return _count(first), _count(second)


def _optional(read: Callable[[object], Kind], value: object) -> Kind | None:
    return None if value is None else read(value)


def _no_session(path: Path, why: str) -> StudioError:
    return StudioError(f"“{path.name}” is no session of ConvNeXt Studio: {why}.", "Open another file.")
