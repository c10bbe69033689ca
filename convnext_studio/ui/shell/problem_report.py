"""The problem report: versions, device, settings and log as text, without private data."""

import getpass
import platform
import re
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePath

from msgspec.structs import asdict
from PySide6.QtCore import qVersion
from PySide6.QtGui import QGuiApplication

from convnext_studio.common.versions import package_facts, system_facts
from convnext_studio.protocol.models import ModelInfo
from convnext_studio.ui.state.settings import Settings

HEADING = """ConvNeXt Studio: report of a problem

Please write here what you did, what happened, and what you expected:


"""
SHORTEST_NAME = 3
# These settings are Qt's opaque bytes, which tell the reader nothing.
_OPAQUE = ("geometry", "layout")
_SOMEBODYS_HOME = re.compile(r"(?i)((?:[a-z]:)?[/\\]+(?:home|users)[/\\]+)[^/\\\s\"':;,]+")


def problem_report(
    model: ModelInfo | None, settings: Settings, lines: Iterable[str], private: Sequence[str] = ()
) -> str:
    """Return the text of the report.

    Parameters
    ----------
    model
        The open model, or None.
    lines
        The lines of the log.
    private
        Names and folders to hide, in addition to the home folder, the recently used folders, and the names of
        user and machine.
    """
    sections = (
        ("Versions", [*system_facts(), *package_facts(), ("Qt", qVersion())]),
        ("Window", _window_facts()),
        ("Model", _model_facts(model)),
        ("Settings", _setting_facts(settings)),
    )
    text = HEADING + "".join(
        f"{title}\n" + "".join(f"  {name}: {value}\n" for name, value in facts) + "\n"
        for title, facts in sections
    )
    text += "Log\n" + "".join(f"  {line}\n" for line in lines)
    return without_private(text, [*settings_folders(settings), *private])


def without_private(text: str, private: Iterable[str] = ()) -> str:
    """Return the text with everything replaced that reveals its author or the location of their files.

    The home folder becomes ``~``, private folders and names become ``…``, the names of user and machine become
    ``user`` and ``machine``, and so does the name in any other home folder (``user``).
    """
    home = Path.home()
    for hidden in sorted(private, key=len, reverse=True):
        text = _replaced(text, hidden, "…")
    for folder in sorted({str(home), str(home.resolve()), home.as_posix()}, key=len, reverse=True):
        if folder != home.anchor:
            text = _replaced(text, folder, "~")
    text = _SOMEBODYS_HOME.sub(r"\1user", text)
    for name, stand_in in ((_user(), "user"), (home.name, "user"), (platform.node(), "machine")):
        if len(name) >= SHORTEST_NAME and name != "root":
            text = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", stand_in, text)
    return text


def settings_folders(settings: Settings) -> list[str]:
    """Return the folders of the recently opened files that have more than one path component."""
    files = (*settings.recent_pictures, *settings.recent_sessions, *settings.recent_models)
    folders = [PurePath(path).parent for path in files] + [PurePath(path) for path in settings.recent_folders]
    return [str(folder) for folder in folders if len(folder.parts) > 1]


def _replaced(text: str, hidden: str, stand_in: str) -> str:
    """Replace a path, also with backslashes doubled, as in Python's repr, or as slashes."""
    for form in {hidden, hidden.replace("\\", "\\\\"), hidden.replace("\\", "/")}:
        text = text.replace(form, stand_in)
    return text


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # The user of the process has no name.
        return ""


def _window_facts() -> list[tuple[str, str]]:
    screens = (
        f"{screen.size().width()} × {screen.size().height()} at {screen.devicePixelRatio():g}"
        for screen in QGuiApplication.screens()
    )
    return [("Platform", QGuiApplication.platformName()), ("Screens", ", ".join(screens))]


def _model_facts(model: ModelInfo | None) -> list[tuple[str, str]]:
    if model is None:
        return [("", "none is open")]
    title = PurePath(model.title).name
    return [
        ("Title", f"{title} (random weights)" if model.random_weights else title),
        ("Device", f"{model.device_name}, {model.precision}"),
        ("Input", f"{model.input_text} pixels"),
        ("Parameters", f"{model.parameters:,}"),
    ]


def _setting_facts(settings: Settings) -> list[tuple[str, str]]:
    """Return the settings as text, with only the lengths of collections."""
    values = {name: value for name, value in asdict(settings).items() if name not in _OPAQUE}
    return [
        (name, str(len(value)) if isinstance(value, (tuple, list, dict)) else str(value))
        for name, value in values.items()
    ]
