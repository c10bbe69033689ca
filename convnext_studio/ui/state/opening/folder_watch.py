"""Watches a folder to which a microscope or a camera writes pictures."""

import time
from pathlib import Path

from PySide6.QtCore import QFileSystemWatcher, QObject, QTimer, Signal

from convnext_studio.protocol.envelope import Cancelled, Done, Failed, Payload, Request
from convnext_studio.protocol.pictures import ListedPictures, ListPictures
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.state.opening.picture_opener import PictureOpener
from convnext_studio.ui.state.settings import SettingsFile
from convnext_studio.ui.widgets.message_bar import Notice

WATCHING = "watching"
SETTLE_MS = 1000
LOOK_MS = 5000
"""Interval between scans, which find what other machines write to a shared folder without notification."""
_REST = 20  # Scans take no more than a twentieth of the time.


class FolderWatch(QObject):
    """Opens new pictures in a folder or its subfolders, once they are completely written.

    A picture counts as completely written when two scans of the folder, `SETTLE_MS` apart, find the same size
    and modification time. Pictures that exist when the watch begins are not opened.
    """

    noticed = Signal(object)  # Notice
    changed = Signal(str)  # the folder; empty once it is no longer watched

    def __init__(
        self,
        bridge: EngineBridge,
        opener: PictureOpener,
        settings: SettingsFile,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._bridge = bridge
        self._opener = opener
        self._settings = settings
        self._folder = ""
        self._request: int | None = None
        self._asked_at = 0.0
        self._known: set[str] | None = None  # None before the first scan.
        self._fresh: set[str] = set()
        self._watcher = QFileSystemWatcher(self)
        self._watcher.directoryChanged.connect(lambda _path: self._look_soon())
        self._soon = QTimer(self, singleShot=True, interval=SETTLE_MS)
        self._soon.timeout.connect(self._look)
        self._later = QTimer(self, singleShot=True, interval=LOOK_MS)
        self._later.timeout.connect(self._look)
        bridge.request_finished.connect(self._notice_cancelled)

    @property
    def folder(self) -> str:
        """The folder that is watched, or empty."""
        return self._folder

    def start(self, folder: str) -> None:
        """Watch a folder instead of the current one, if any."""
        self.stop()
        self._folder = folder
        self._watcher.addPath(folder)
        self._look()
        self.changed.emit(folder)
        self.noticed.emit(
            Notice(
                WATCHING,
                f"New pictures in {folder} will be opened as they appear.",
                "Existing pictures are not opened; use File > Open folder for them.",
                good=True,
            )
        )

    def stop(self) -> None:
        """Stop watching."""
        if self._folder:
            self._watcher.removePath(self._folder)
            self._soon.stop()
            self._later.stop()
            self._folder, self._known, self._fresh, self._request = "", None, set(), None
            self.changed.emit("")

    def _look_soon(self) -> None:
        if self._folder and not self._soon.isActive():
            self._soon.start()

    def _look(self) -> None:
        if self._request is None:
            self._asked_at = time.monotonic()
            request = ListPictures(panel=WATCHING, paths=(self._folder,))
            identifier = self._bridge.ask(
                request,
                lambda answer: self._seen(identifier, answer),
                on_failure=lambda failed: self._not_seen(identifier, failed),
            )
            self._request = identifier
        else:
            self._look_soon()  # The pending answer may not include the latest change.

    def _seen(self, identifier: int, answer: Payload) -> None:
        if identifier != self._request or not isinstance(answer, ListedPictures):
            return
        self._request = None
        if not answer.folders:
            self._end(f"The folder {self._folder} no longer exists and is not watched any more.")
            return
        there = {picture.key for picture in answer.pictures}
        if self._known is None:
            self._known = there
        fresh = there - self._known
        written = [picture for picture in answer.pictures if picture.key in fresh & self._fresh]
        self._known |= {picture.key for picture in written}
        self._fresh = fresh - self._known
        if written:
            self._opener.add(written, written[-1] if self._settings.values.shows_newest else None)
        if self._fresh:
            self._look_soon()
        took_ms = 1000 * (time.monotonic() - self._asked_at)
        self._later.start(max(LOOK_MS, round(_REST * took_ms)))

    def _not_seen(self, identifier: int, failed: Failed) -> None:
        if identifier == self._request:
            self._end(f"The folder {Path(self._folder).name} is not watched any more: {failed.message}")

    def _notice_cancelled(self, finished: tuple[Request, Done | Failed | Cancelled]) -> None:
        """Scan again after a person cancelled the engine's work, which does not end the watch."""
        answer = finished[1]
        if isinstance(answer, Cancelled) and answer.id == self._request:
            self._request = None
            self._look_soon()

    def _end(self, sentence: str) -> None:
        self.stop()
        self.noticed.emit(Notice(WATCHING, sentence))
