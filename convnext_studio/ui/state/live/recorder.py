"""Records frames of a live source to a folder, as they were shown."""

import json
from pathlib import Path
from queue import Full, Queue
from threading import Thread

from PySide6.QtCore import QObject, Qt, Signal

from convnext_studio.common.errors import StudioError
from convnext_studio.common.files import not_written, written_whole
from convnext_studio.protocol.predictions import Prediction
from convnext_studio.ui.state.live.frame_files import encode_pixels
from convnext_studio.ui.state.live.frame_source import LiveFrame

MOST_WAITING = 16
LIST_NAME = "frames.jsonl"


class FrameRecorder(QObject):
    """Writes each frame that is shown as a PNG file, and a line about it into a list.

    Files are written in a thread. If the disk is slower than the frames come, some are left out, and it is said
    how many.

    Attributes
    ----------
    folder
        Where they are written; None while nothing is recorded.
    recorded, left_out
        How many frames were written or are about to be, and how many were not.
    """

    changed = Signal()
    failed = Signal(object)  # StudioError: nothing is recorded any more
    _told = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.folder: Path | None = None
        self.recorded = self.left_out = 0
        self._waiting: Queue[tuple[LiveFrame, str, Prediction | None] | None] = Queue()
        self._thread: Thread | None = None
        self._told.connect(self._fail, Qt.ConnectionType.QueuedConnection)

    @property
    def is_recording(self) -> bool:
        """Whether frames are recorded."""
        return self.folder is not None

    def start(self, parent: Path, name: str) -> None:
        """Record into a new folder.

        Raises
        ------
        StudioError
            If it cannot be made.
        """
        self.stop()
        self.folder = _new_folder(parent, name)
        self.recorded = self.left_out = 0
        self._waiting = Queue(MOST_WAITING)
        self._thread = Thread(target=self._write, args=(self.folder, self._waiting), name="recorder")
        self._thread.start()
        self.changed.emit()

    def stop(self) -> None:
        """Record no more, after what waits was written."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        self._waiting.put(None)
        thread.join()
        self.folder = None
        self.changed.emit()

    def record(self, frame: LiveFrame, name: str, prediction: Prediction | None) -> None:
        """Record a frame, with what the network made of it."""
        if self._thread is None:
            return
        try:
            self._waiting.put_nowait((frame, name, prediction))
        except Full:
            self.left_out += 1
        else:
            self.recorded += 1

    def _write(self, folder: Path, waiting: "Queue[tuple[LiveFrame, str, Prediction | None] | None]") -> None:
        failure: Exception | None = None
        while (entry := waiting.get()) is not None:
            if failure is not None:
                continue  # Until it is stopped, what comes is thrown away.
            frame, name, prediction = entry
            file = f"frame-{frame.number + 1:06d}.png"
            try:
                with written_whole(folder / file) as stream:
                    stream.write(encode_pixels(frame.pixels))
                with (folder / LIST_NAME).open("a", encoding="utf-8") as lines:
                    lines.write(json.dumps(_facts(file, frame, name, prediction)) + "\n")
            except (OSError, StudioError) as error:
                failure = error
                self._told.emit(error if isinstance(error, StudioError) else not_written(folder, error))

    def _fail(self, error: StudioError) -> None:
        self.stop()
        self.failed.emit(error)


def _facts(file: str, frame: LiveFrame, source: str, prediction: Prediction | None) -> dict[str, object]:
    facts: dict[str, object] = {"file": file, "source": source, "frame": frame.number + 1}
    if frame.notes:
        facts["notes"] = list(frame.notes)
    if prediction is not None:
        facts["top"] = [
            {"class": index, "probability": float(prediction.probabilities[index])}
            for index in prediction.top(5)
        ]
    return facts


def _new_folder(parent: Path, name: str) -> Path:
    """Make a folder that was not there before."""
    stem = "".join(sign if sign.isalnum() or sign in "._- " else "_" for sign in name).strip(" .") or "frames"
    for number in range(1, 10_000):
        folder = parent / (f"{stem} {number:03d}")
        try:
            folder.mkdir()
        except FileExistsError:
            continue
        except OSError as error:
            raise StudioError(f"No folder can be made in {parent}: {error.strerror}.") from error
        return folder
    raise StudioError(f"There are too many recordings in {parent}.", "Choose another folder.")
