"""What is in a drop or on the clipboard, and what a drop will do, which is told while it is dragged.

Nothing is decoded here: pictures go to the decoder as the bytes that the other program gave.
"""

import base64
import binascii
import os
import re
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote_to_bytes

from msgspec import Struct
from PySide6.QtCore import QMimeData, QUrl

from convnext_studio.common.foreign.foreign_text import one_line
from convnext_studio.erf.field_files import is_field
from convnext_studio.model.weights.beside.class_names import is_names_file
from convnext_studio.model.weights.weights_files import is_weights
from convnext_studio.render import pluralize
from convnext_studio.ui.state.opening.session_document import SUFFIX as SESSION_SUFFIX

_LONGEST_NAME = 80
_NOT_HERE = "This is not on this computer, and the program downloads nothing"


_URLS = "text/uri-list"
_BEST_KINDS = ("image/png", "image/tiff", "image/webp", "image/bmp", "image/jpeg", "image/gif")
"""What is taken of a picture that another program offers in several formats; the first lose nothing."""
_THIS_COMPUTER = ("", "localhost", "localhost.localdomain", "127.0.0.1", "[::1]")
_DATA = re.compile(r"data:(?P<kind>[^,;]*)(?P<options>(;[^,;]*)*),", re.IGNORECASE)


class Dropped(Struct, frozen=True):
    """What the addresses of a drop name.

    Attributes
    ----------
    paths
        Files and folders of this computer.
    pictures
        ``data:`` addresses, which hold a picture themselves.
    elsewhere
        All other addresses.
    """

    paths: tuple[str, ...] = ()
    pictures: tuple[str, ...] = ()
    elsewhere: tuple[str, ...] = ()


def dropped_files(mime: QMimeData) -> Dropped:
    """Sort the addresses of a drop."""
    # Not by Qt, which spends seconds on a long one, and loses names that are not UTF-8.
    paths, pictures, elsewhere = [], [], []
    listed = bytes(mime.data(_URLS).data()) if mime.hasFormat(_URLS) else b""
    for line in listed.splitlines():
        address = os.fsdecode(line.strip(b"\0 \t"))
        if not address or address.startswith("#"):  # A comment.
            continue
        if (path := _local_path(address)) is not None:
            paths.append(path)
        elif address[:5].lower() == "data:":
            pictures.append(address)
        else:
            elsewhere.append(address)
    return Dropped(tuple(paths), tuple(pictures), tuple(elsewhere))


def has_picture(mime: QMimeData) -> bool:
    """Return whether the picture itself was dropped or copied, encoded or as pixels."""
    return mime.hasImage() or any(kind.startswith("image/") for kind in mime.formats())


def offered_picture(mime: QMimeData) -> bytes:
    """Return the picture that another program offers, encoded; empty if it offers only pixels, or none."""
    kinds = [kind for kind in mime.formats() if kind.startswith("image/")]
    for kind in (*(kind for kind in _BEST_KINDS if kind in kinds), *kinds):
        if data := bytes(mime.data(kind).data()):
            return data
    return b""


def decoded_address(address: str) -> bytes:
    """Return the bytes in a ``data:`` address; empty if there are none, or it is damaged."""
    head = _DATA.match(address)
    if head is None:
        return b""
    data = unquote_to_bytes(address[head.end() :])
    if ";base64" not in head["options"].lower():
        return data
    try:
        return base64.b64decode(data + b"=" * (-len(data) % 4))
    except (binascii.Error, ValueError):
        return b""


def _local_path(address: str) -> str | None:
    """Return the path that an address names on this computer; None if it names something else."""
    if sys.platform == "win32":
        url = QUrl(address)
        is_path = re.match(r"[a-z]:[\\/]", address, re.IGNORECASE)
        return address if is_path else url.toLocalFile() if url.isLocalFile() else None
    if address.startswith("/"):
        decoded = _decoded(address)
        return decoded if not os.path.lexists(address) and os.path.lexists(decoded) else address
    if address[:5].lower() != "file:":
        return None
    named = address[5:]
    if named.startswith("//"):
        host, slash, rest = named[2:].partition("/")
        if host.lower() not in (*_THIS_COMPUTER, socket.gethostname().lower()):
            return None
        named = slash + rest
    return _decoded("/" + named.lstrip("/")) if named.startswith("/") else None


def _decoded(path: str) -> str:
    return os.fsdecode(unquote_to_bytes(os.fsencode(path)))


def describe_drop(mime: QMimeData) -> str:
    """Return what dropping this will do; empty if it cannot be dropped."""
    # Read once: on X11 every call asks the other program, and waits up to 5 s if that has exited.
    named = dropped_files(mime)
    if named.paths:
        return describe_paths(named.paths)
    if named.pictures or has_picture(mime):
        return "Drop to open the picture"
    return _NOT_HERE if named.elsewhere else ""


def describe_paths(paths: Sequence[str]) -> str:
    """Return what dropping these files and folders will do."""
    models = [path for path in paths if is_weights(Path(path))]
    fields = [path for path in paths if is_field(path)]
    sessions = [path for path in paths if path.lower().endswith(SESSION_SUFFIX)]
    names = [path for path in paths if is_names_file(path) and path not in models]
    others = [path for path in paths if path not in (*models, *fields, *sessions, *names)]
    folders = [path for path in others if Path(path).is_dir()]
    parts = [
        _counted(len(others) - len(folders), "picture"),
        *(f"the pictures in “{_name(folder)}”" for folder in folders[:2]),
        _counted(len(folders) - 2, "more folder"),
        *(f"the network “{_name(path)}”" for path in models[-1:]),  # Only the last one stays open.
        *(f"the receptive field “{_name(path)}”" for path in fields[-1:]),
        *(f"the session “{_name(path)}”" for path in sessions[-1:]),
        *(f"the class names in “{_name(path)}”" for path in names[-1:]),
    ]
    said = [part for part in parts if part]
    if len(said) > 1:
        said = [*said[:-2], f"{said[-2]} and {said[-1]}"]
    return f"Drop to open {', '.join(said)}"


def _name(path: str) -> str:
    return one_line(Path(path).name, _LONGEST_NAME)


def _counted(count: int, thing: str) -> str:
    return pluralize(count, thing, is_grouped=True) if count > 0 else ""
