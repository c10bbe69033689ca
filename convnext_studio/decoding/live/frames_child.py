"""The child process that reads frames: ``python -m convnext_studio.decoding.live.frames_child SECONDS BYTES``.

It answers one request after the other until its parent is gone. Its memory is limited to BYTES, and it ends
itself if a reply takes longer than SECONDS.
"""

import contextlib
import sys
from typing import BinaryIO

import numpy as np

from convnext_studio.common.errors import StudioError
from convnext_studio.decoding.decoder_child import begin, bounded_time
from convnext_studio.decoding.images import described, file_of, in_plain_words, opened_file
from convnext_studio.decoding.kinds import HEAD_BYTES, kind_of
from convnext_studio.decoding.live import messages
from convnext_studio.decoding.live.animation import Animation
from convnext_studio.decoding.live.camera import CameraGoneError, CameraReader, cameras
from convnext_studio.decoding.live.film import Film


def main(limit_s: float, limit_bytes: int) -> None:
    """Answer the requests from standard input until it is closed."""
    source, sink = begin(limit_bytes)
    answering = _Answering()
    with contextlib.suppress(EOFError, OSError):  # The parent is gone.
        messages.send(sink, messages.ReaderReady())
        while True:
            question = messages.receive_question(source)
            with bounded_time(limit_s):
                messages.send(sink, answering.reply(question))


class _Answering:
    """What is open, and the replies to requests."""

    def __init__(self) -> None:
        self._file: Film | Animation | None = None
        self._stream: BinaryIO | None = None
        self._name = ""
        self._camera: CameraReader | None = None

    def reply(self, question: messages.Question) -> messages.Reply:
        try:
            return self._reply(question)
        except StudioError as error:
            may_return = isinstance(error, CameraGoneError)
            return messages.FrameRefused(message=error.message, hint=error.hint, may_return=may_return)

    def _reply(self, question: messages.Question) -> messages.Reply:
        match question:
            case messages.OpenFile():
                return self._open_file(question.path)
            case messages.ReadFrame():
                return self._read(question.number)
            case messages.ListCameras():
                return messages.Cameras(cameras=cameras())
            case messages.OpenCamera():
                self._close()
                self._camera = CameraReader(question.camera)
                return messages.SourceOpened(name=question.camera.title, times=np.empty(0))
            case messages.NewestFrame():
                return self._newest(question)
            case messages.CloseSource():
                self._close()
                return messages.Closed()

    def _open_file(self, path: str) -> messages.SourceOpened:
        self._close()
        self._name, _ = described(path)
        stream = self._stream = opened_file(file_of(path))
        with in_plain_words(self._name, stream):
            is_film = kind_of(stream.read(HEAD_BYTES)) == "film"
            self._file = Film(stream, self._name) if is_film else Animation(stream, path, self._name)
        return messages.SourceOpened(name=self._name, times=self._file.times)

    def _read(self, number: int) -> messages.FrameRead:
        if self._file is None or self._stream is None:
            raise StudioError("No film is open.", "Open one first.")
        values = None
        with in_plain_words(self._name, self._stream):
            if isinstance(self._file, Film):
                pixels = self._file.read(number)
            else:
                pixels, values = self._file.read_values(number)
        return messages.FrameRead(number=number, pixels=pixels, values=values, notes=tuple(self._file.notes))

    def _newest(self, question: messages.NewestFrame) -> messages.FrameRead | messages.NoFrame:
        if self._camera is None:
            raise StudioError("No camera is on.", "Switch one on first.")
        found = self._camera.newest(question.after, question.wait_s)
        if found is None:
            return messages.NoFrame()
        number, pixels, age_s = found
        return messages.FrameRead(number=number, pixels=pixels, values=None, notes=(), age_s=age_s)

    def _close(self) -> None:
        for each in (self._file, self._stream, self._camera):
            if each is not None:
                each.close()
        self._file = self._stream = self._camera = None


if __name__ == "__main__":
    main(float(sys.argv[1]), int(sys.argv[2]))
