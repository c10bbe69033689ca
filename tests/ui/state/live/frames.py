"""A live source that gives a frame when the test says so, with its number painted in."""

import numpy as np

from convnext_studio.decoding.live.messages import FrameRead
from convnext_studio.ui.state.live.frame_source import FrameSource, LiveFrame, live_frame
from tests.decoding.live.films import painted


def make_frame(number: int, dropped: int = 0) -> LiveFrame:
    """A frame of a film of painted numbers."""
    return live_frame(FrameRead(number=number, pixels=painted(number), values=None, notes=()), dropped=dropped)


class StagedSource(FrameSource):
    """A source whose frames come when the test says so.

    Attributes
    ----------
    asked
        How often a frame was asked for.
    is_closed
        Whether it was closed.
    """

    is_camera = True

    def __init__(self, name: str = "Camera") -> None:
        super().__init__(name)
        self.asked = 0
        self.is_closed = False
        self.is_wanted = False

    def ask(self) -> None:
        self.asked += 1
        self.is_wanted = True

    def pause(self) -> None:
        self.is_wanted = False

    def close(self) -> None:
        self.is_closed = True

    def give(self, number: int, dropped: int = 0) -> LiveFrame:
        """Give a frame, as was asked."""
        assert self.is_wanted
        self.is_wanted = False
        frame = make_frame(number, dropped)
        self.frame_came.emit(frame)
        return frame


def same(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two pictures are the same, bit for bit."""
    return one.dtype == other.dtype and np.array_equal(one, other)
