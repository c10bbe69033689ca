"""A part of the screen as the picture."""

import sys

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, QRect, QTimer
from PySide6.QtGui import QGuiApplication

from convnext_studio.common.errors import StudioError
from convnext_studio.decoding.live.messages import FrameRead
from convnext_studio.ui.state.live.frame_source import FrameSource, live_frame
from convnext_studio.ui.widgets.qimage import from_qimage

NAME = "Screen"
FRAME_MS = 33
RETRY_MS = 1000
_ALLOW_MAC = "Allow it for the terminal in System Settings, Privacy and Security, Screen Recording."
_WAYLAND = (
    "Start the program with QT_QPA_PLATFORM=xcb in an X11 session, or save a film of the screen and play it."
)


class ScreenSource(FrameSource):
    """A region of the screen, which may be moved while it is shown.

    Attributes
    ----------
    region
        The region, in the coordinates of the desktop.
    """

    def __init__(self, region: QRect, parent: QObject | None = None) -> None:
        super().__init__(NAME, "", parent)
        self.region = region
        self._number = 0
        # Not faster than screens change, and never before the window has painted what came before.
        self._soon = QTimer(self, singleShot=True, interval=FRAME_MS)
        self._soon.timeout.connect(self._grab)

    def start(self) -> None:
        """Say that the first frame can be asked for."""
        QTimer.singleShot(0, self, lambda: self.opened.emit(self))

    def ask(self) -> None:
        """Ask for what is on the screen."""
        if not self._soon.isActive():
            self._soon.start(FRAME_MS)

    def pause(self) -> None:
        """Take back what was asked."""
        self._soon.stop()

    def close(self) -> None:
        """Look at the screen no more."""
        self._soon.stop()

    def _grab(self) -> None:
        try:
            pixels = grabbed(self.region)
        except StudioError as error:
            self.interrupted.emit(str(error))
            self._soon.start(RETRY_MS)
            return
        frame = FrameRead(number=self._number, pixels=pixels, values=None, notes=())
        self._number += 1
        self.frame_came.emit(live_frame(frame, dropped=0))


def grabbed(region: QRect) -> NDArray[np.uint8]:
    """Return what is in a region of the screen, (h, w, 3) uint8, in the pixels of the screen.

    Raises
    ------
    StudioError
        If the system does not show it, or the region is outside all screens.
    """
    if QGuiApplication.platformName().startswith("wayland"):
        raise StudioError("This desktop (Wayland) shows programs no other windows.", _WAYLAND)
    screen = QGuiApplication.screenAt(region.center()) or QGuiApplication.primaryScreen()
    if screen is None:
        raise StudioError("There is no screen now.", "It goes on when one is back.")
    part = region.intersected(screen.geometry()).translated(-screen.geometry().topLeft())
    if part.width() < 1 or part.height() < 1:
        raise StudioError("The frame lies outside the screen.", "Drag it back.")
    image = screen.grabWindow(0, part.x(), part.y(), part.width(), part.height()).toImage()
    if image.isNull():
        hint = _ALLOW_MAC if sys.platform == "darwin" else "It may be locked; it goes on when it is back."
        raise StudioError("The screen is not shown to this program.", hint)
    return from_qimage(image)
