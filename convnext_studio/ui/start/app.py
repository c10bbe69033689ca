"""Opens the window. Qt is imported only after a check that it can run."""

import builtins
import os
import sys
from importlib import import_module
from pathlib import Path

from msgspec import Struct

from convnext_studio.common.files import checked_ending
from convnext_studio.common.processes.ending import end_despite_threads
from convnext_studio.common.processes.garbage_collection import collecting_later
from convnext_studio.decoding.picture_view import WHOLE, PictureView
from convnext_studio.engine.client.client import EngineClient
from convnext_studio.model.framing import TRAINED, Framing
from convnext_studio.protocol.models import Precision
from convnext_studio.ui.start.platform_check import Finding, blocks_window, missing_for_window


class WindowOptions(Struct, frozen=True, kw_only=True):
    """The options of the command line for the window.

    Attributes
    ----------
    images
        Picture files, folders or a session; the first picture is shown, or a sample if there are none.
    model
        Source of the model, as in `LoadModel`.
    device, precision, offline, stem_stride, stem_padding, part, mean, std
        Options of the model, as in `LoadModel`.
    screenshot
        PNG file for a screenshot, which is saved once everything is shown; the program then exits.
    present
        Folder of a lecture to present at once, empty for the bundled one; None for no lecture.
    step
        First step of the lecture to show, counted from 1; None for the first.
    live
        What to play as the picture: ``camera``, ``screen`` or the path of a film; None for nothing.
    size
        Width and height of the window in pixels; None for the last size, or what fits the screen.
    framing
        What networks are shown of pictures.
    view
        Which frame and bands of the pictures are shown at first.
    """

    images: tuple[str, ...] = ()
    model: str
    device: str = "auto"
    precision: Precision = "float32"
    offline: bool = False
    stem_stride: int | None = None
    stem_padding: int | None = None
    part: str = ""
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    screenshot: str | None = None
    present: str | None = None
    step: int | None = None
    live: str | None = None
    size: tuple[int, int] | None = None
    framing: Framing = TRAINED
    view: PictureView = WHOLE


def run(options: WindowOptions) -> int:
    """Show the window until it is closed, and return the exit status.

    The status is 2, with a message on stderr, if no window can be opened on this machine, and 1 if a screenshot
    could not be saved.

    Raises
    ------
    StudioError
        If the screenshot has a name that does not end in ``.png``.
    """
    if options.screenshot is not None:
        checked_ending(Path(options.screenshot), (".png",), "A screenshot")
        if not Path(options.screenshot).absolute().parent.is_dir():
            sys.stderr.write(f"The folder of the screenshot {options.screenshot} does not exist.\n")
            return 1
    findings = missing_for_window()
    if options.screenshot is not None and blocks_window(findings) and "QT_QPA_PLATFORM" not in os.environ:
        os.environ["QT_QPA_PLATFORM"] = "offscreen"
        findings = missing_for_window()
    if blocks_window(findings):
        sys.stderr.write(spoken(findings))
        return 2
    with collecting_later():
        # Imported after the check, because Qt aborts the process if it cannot run.
        search_no_sources()
        from convnext_studio.ui.start.launch import launch

    client = EngineClient()
    try:
        status = launch(options, client, needs_font=bool(findings))
    finally:
        client.close()
    end_despite_threads(status)
    return status


def search_no_sources() -> None:
    """Import Qt, and stop PySide from reading the source of every module that is imported afterwards.

    PySide replaces Python's `__import__` by a function that looks in all sources for ``from __feature__
    import``. Nothing here uses that, and the search would take 50 ms at the start, and more while pyqtgraph is
    imported. PySide keeps the function that it replaced.
    """
    import_module("PySide6.QtCore")
    builtins.__import__ = vars(builtins).get("__orig_import__", builtins.__import__)


def spoken(findings: list[Finding]) -> str:
    """Return a message about what keeps Qt from running on this machine, and what to do about it."""
    blocking = [finding for finding in findings if finding.blocking]
    lines = [f"{finding.message}\n  {finding.hint}\n" for finding in blocking]
    return "The window cannot be opened.\n" + "".join(lines)
