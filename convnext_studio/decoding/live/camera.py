"""Cameras: which there are, and the newest frame of one. Needs PyAV, which brings FFmpeg."""

import errno
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Condition, Thread
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convnext_studio.common.errors import StudioError
from convnext_studio.decoding.formats.extras import library
from convnext_studio.decoding.images import opened_file
from convnext_studio.decoding.live.film import EXTRA, Film
from convnext_studio.decoding.live.messages import Camera
from convnext_studio.decoding.raster import check_size

REHEARSAL = "CONVNEXT_STUDIO_CAMERA"
"""A variable of the environment with the path of a film that is played in the place of a camera."""
_FILM = "film:"

_DEVICES = {"linux": "v4l2", "darwin": "avfoundation", "win32": "dshow"}
_OPEN_WAIT_S = 8.0
_MOST_DAMAGED = 100
"""So many damaged frames in a row are no accident."""
_ALLOW = {
    "linux": "Add yourself to the group “video”, then log in again.",
    "darwin": "Allow it for the terminal in System Settings, Privacy and Security, Camera.",
    "win32": "Allow desktop programs to use it in Settings, Privacy and security, Camera.",
}
NO_CAMERA = StudioError(
    "No camera was found.", "Plug one in, or allow this program to use it, then look for cameras again."
)


class CameraGoneError(StudioError):
    """The camera gives no frames any more, but may come back."""


def cameras() -> tuple[Camera, ...]:
    """Return the cameras of this computer.

    Raises
    ------
    StudioError
        If PyAV is missing, or there is no camera.
    """
    found = _rehearsals()
    if not found:
        av = library("av", "Camera", "a device", EXTRA)
        found = _devices(av)
    if not found:
        raise NO_CAMERA
    return found


def _rehearsals() -> tuple[Camera, ...]:
    path = os.environ.get(REHEARSAL, "")
    return (Camera(id=_FILM + path, title=f"{Path(path).stem} (rehearsal)"),) if path else ()


def _devices(av: Any) -> tuple[Camera, ...]:
    kind = _DEVICES.get(sys.platform, "")
    try:
        listed = av.enumerate_input_devices(kind)
    except Exception:  # FFmpeg fails where there is no device at all.
        listed = []
    found = [each for each in listed if not each.media_types or "video" in each.media_types]
    # On macOS, screens are listed as cameras.
    return tuple(
        Camera(id=each.name, title=each.description or each.name)
        for each in found
        if not each.description.startswith("Capture screen")
    )


class CameraReader:
    """A camera that is switched on; its newest frame is kept, and older ones are dropped.

    A camera gives its frames whether they are wanted or not, and queues those that nobody takes. They are taken
    in a thread, so that the newest is never an old one.

    Raises
    ------
    StudioError
        If it cannot be switched on.
    """

    def __init__(self, camera: Camera) -> None:
        self._camera = camera
        self._changed = Condition()
        self._newest: tuple[int, float, Any] | None = None
        self._failure: StudioError | None = None
        self._is_closed = False
        self._source: _Device | _Rehearsal
        if camera.id.startswith(_FILM):
            self._source = _Rehearsal(camera.id.removeprefix(_FILM))
        else:
            self._source = _Device(camera)
        self._thread = Thread(target=self._take, name="camera", daemon=True)
        self._thread.start()
        with self._changed:
            self._changed.wait_for(lambda: self._newest or self._failure, _OPEN_WAIT_S)
            newest, failure = self._newest, self._failure
        if newest is None:
            self.close()
            raise failure or CameraGoneError(f"{camera.title} gives no pictures.", "Unplug it, and try again.")

    def newest(self, after: int, wait_s: float) -> tuple[int, NDArray[np.uint8], float] | None:
        """Return number, pixels and age of the newest frame; None if none came after the one of that number.

        Raises
        ------
        StudioError
            If the camera is gone.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._number > after or self._failure is not None, wait_s)
            newest, failure = self._newest, self._failure
        if newest is not None and newest[0] > after:
            number, taken_s, frame = newest
            pixels = self._source.pixels(frame)
            return number, pixels, time.monotonic() - taken_s
        if failure is not None:
            raise failure
        return None

    @property
    def _number(self) -> int:
        return -1 if self._newest is None else self._newest[0]

    def close(self) -> None:
        """Switch the camera off."""
        self._is_closed = True
        self._thread.join(2.0)
        if not self._thread.is_alive():
            self._source.close()

    def _take(self) -> None:
        failure: StudioError = CameraGoneError(
            f"{self._camera.title} gives no more pictures.", "It goes on when the camera is back."
        )
        try:
            for number, frame in enumerate(self._source.frames()):
                with self._changed:
                    self._newest = number, time.monotonic(), frame
                    self._changed.notify_all()
                if self._is_closed:
                    return
        except StudioError as error:
            failure = CameraGoneError(error.message, error.hint)
        except Exception as error:
            # FFmpeg's errors are of many kinds; a thread that ended without a word would be waited for.
            failure = _gone(self._camera, error)
        with self._changed:
            self._failure = failure
            self._changed.notify_all()


class _Device:
    """A camera of this computer."""

    def __init__(self, camera: Camera) -> None:
        av = library("av", camera.title, "a camera", EXTRA)
        options = {}
        if camera.rate:
            options["framerate"] = str(camera.rate)
        elif sys.platform == "darwin":
            options["framerate"] = "30"  # FFmpeg asks for 29.97 otherwise, which many cameras do not have.
        if all(camera.size):
            options["video_size"] = f"{camera.size[0]}x{camera.size[1]}"
        name = f"video={camera.id}" if sys.platform == "win32" else camera.id
        try:
            self._container = av.open(name, "r", format=_DEVICES.get(sys.platform), options=options)
        except Exception as error:  # FFmpeg's are of many kinds.
            raise _not_on(camera, error) from error
        if not self._container.streams.video:
            self._container.close()
            raise StudioError(f"{camera.title} gives no pictures, only sound.", "Choose another camera.")
        self._video = self._container.streams.video[0]

    def frames(self) -> Iterator[Any]:
        """Yield the frames as the camera gives them, without those that arrive damaged."""
        damaged = 0
        while damaged < _MOST_DAMAGED:
            try:
                for frame in self._container.decode(self._video):
                    damaged = 0
                    yield frame
                return
            except ValueError:  # FFmpeg calls it invalid data; the next frame may be sound.
                damaged += 1

    def pixels(self, frame: Any) -> NDArray[np.uint8]:
        """Return the colours of a frame."""
        pixels: NDArray[np.uint8] = frame.to_ndarray(format="rgb24")
        check_size((pixels.shape[1], pixels.shape[0]), "Camera")
        return pixels

    def close(self) -> None:
        """Switch the camera off."""
        self._container.close()


class _Rehearsal:
    """A film that is played again and again as a camera would give it."""

    def __init__(self, path: str) -> None:
        self._stream = opened_file(Path(path))
        self._film = Film(self._stream, Path(path).name)

    def frames(self) -> Iterator[Any]:
        """Yield the frames when it is time for them."""
        times = self._film.times
        lasting = float(times[-1]) + (float(times[1]) if len(times) > 1 else 1.0)
        begin = time.monotonic()
        while True:
            for number, due in enumerate(times):
                time.sleep(max(0.0, begin + float(due) - time.monotonic()))
                yield self._film.read(number)
            begin += lasting

    def pixels(self, frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return the colours of a frame."""
        return frame

    def close(self) -> None:
        """Close the film."""
        self._film.close()
        self._stream.close()


def _not_on(camera: Camera, error: Exception) -> StudioError:
    """Return why a camera cannot be switched on."""
    number = error.errno if isinstance(error, OSError) else None
    if number == errno.EBUSY:
        return CameraGoneError(
            f"{camera.title} is used by another program.", "Close that program; the camera is then tried again."
        )
    if number in (errno.EACCES, errno.EPERM):
        return StudioError(f"{camera.title} may not be used by this program.", _ALLOW.get(sys.platform, ""))
    if number in (errno.ENOENT, errno.ENODEV, errno.ENXIO):
        return CameraGoneError(f"{camera.title} is not there.", "Plug it in; it is then tried again.")
    if number == errno.EINVAL and (all(camera.size) or camera.rate):
        return StudioError(f"{camera.title} has no such size or rate.", "Choose another, or its own.")
    return CameraGoneError(f"{camera.title} cannot be switched on{_said(error)}.")


def _gone(camera: Camera, error: Exception) -> StudioError:
    if isinstance(error, OSError) and error.errno in (errno.ENODEV, errno.EIO, errno.ENXIO):
        return CameraGoneError(f"{camera.title} was unplugged.", "It goes on when the camera is back.")
    return CameraGoneError(f"{camera.title} gives no more pictures{_said(error)}.")


def _said(error: Exception) -> str:
    """Return the system's words for an error in brackets; nothing for the words of libraries."""
    return f" ({error.strerror})" if isinstance(error, OSError) and error.strerror else ""
