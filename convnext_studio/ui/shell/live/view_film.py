"""A film of the window's views, made while a live source plays."""

import time
from pathlib import Path

from PySide6.QtCore import QObject, QTimer
from PySide6.QtWidgets import QWidget

from convnext_studio.export.films import FilmWriter
from convnext_studio.ui.widgets.qimage import from_qimage

SHORTEST_S = 0.1
_AFTER_PAINTING_MS = 0


class ViewFilm(QObject):
    """Takes a picture of a widget after each frame of a live source, and writes them as a film.

    Parameters
    ----------
    widget
        What the film shows, with everything inside.
    path
        The file: MP4 or GIF.

    Raises
    ------
    StudioError
        As `FilmWriter` does.
    """

    def __init__(self, widget: QWidget, path: Path) -> None:
        super().__init__(widget)
        self._widget = widget
        self._writer = FilmWriter(path)
        self._last_s = 0.0
        self._soon = QTimer(self, singleShot=True, interval=_AFTER_PAINTING_MS)
        self._soon.timeout.connect(self._take)

    @property
    def path(self) -> Path:
        """The file."""
        return self._writer.path

    @property
    def frames(self) -> int:
        """How many frames it has."""
        return self._writer.written

    @property
    def left_out(self) -> int:
        """How many frames could not be encoded in time."""
        return self._writer.left_out

    def note_frame(self) -> None:
        """Take note of a new frame, which is in the film once it is painted."""
        if time.monotonic() - self._last_s >= SHORTEST_S and not self._soon.isActive():
            self._soon.start()

    def stop(self) -> None:
        """Finish the film; a StudioError says why it could not be written."""
        self._soon.stop()
        self._writer.close()

    def _take(self) -> None:
        self._last_s = time.monotonic()
        self._writer.add(from_qimage(self._widget.grab().toImage()), self._last_s)
