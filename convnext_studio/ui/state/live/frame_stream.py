"""Shows frames one after the other, each with what the network makes of it."""

import math
import time

from msgspec import Struct
from PySide6.QtCore import QObject, QTimer, Signal

from convnext_studio.common.errors import StudioError
from convnext_studio.model.frame_keys import frame_key, number_of, source_of
from convnext_studio.protocol.envelope import Cancelled, Done, Failed, Payload, Request
from convnext_studio.protocol.live import ShowFrame
from convnext_studio.protocol.models import ModelInfo
from convnext_studio.protocol.pictures import CloseImage, ImageInfo
from convnext_studio.protocol.predictions import Predict, Prediction
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.state.live.frame_requests import images_of
from convnext_studio.ui.state.live.frame_source import LiveFrame
from convnext_studio.ui.state.live.rates import FrameRate
from convnext_studio.ui.state.query import Query
from convnext_studio.ui.state.selection.live_frames import ShownFrame

LIVE = "live"
AVERAGED_FRAMES = 16
AVERAGED_STEP_S = 0.5
"""Averages are over so many frames at most, which are so far apart."""
ALL_STAGES_STEP_S = 0.5
"""How often the Grad-CAMs of all stages are asked for while only that of the last one is shown."""
_SLOW_SHARE = 0.25


class FrameStream(QObject):
    """Makes frames of one source the picture.

    A frame is sent to the engine together with the question what the network makes of it. Once that is
    answered and the last frame is painted, it becomes the picture, with its prediction, at once. In the same
    moment the next frame is wanted, unless quick questions about earlier frames are still open: so the newest
    frame wins and nothing queues, and the engine works on the next frame while the window paints this one.
    Slower questions go on meanwhile, and a part of the time is left to them.

    Attributes
    ----------
    entry
        The key of the source in the list of pictures.
    name, path
        What the source is called, and its file; empty if it has none.
    frame
        The frame that is shown; None if none is.
    dropped
        How many frames of the source were passed over.
    rate
        How many frames a second are shown.
    delay_s
        How long it took from the moment when the last frame was taken until it was shown.
    """

    shown = Signal(object)  # LiveFrame
    next_wanted = Signal()  # the panels have seen the frame

    def __init__(self, state: AppState, bridge: EngineBridge, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._state, self._bridge = state, bridge
        self.rate = FrameRate()
        self.begin("", "", "")
        self._asked_s = 0.0
        self._predictions = Query(bridge, self._predicted, self._not_predicted, parent=self)
        # A timer runs out after the window has painted; answers that come fast would keep it from painting.
        self._painted = QTimer(self, singleShot=True, interval=0)
        self._painted.timeout.connect(self._show)
        self._later = QTimer(self, singleShot=True)
        self._later.timeout.connect(self.next_wanted)
        bridge.request_finished.connect(self._notice_finished)

    def begin(self, entry: str, name: str, path: str) -> None:
        """Show frames of another source."""
        self.entry, self.name, self.path = entry, name, path
        self.frame: LiveFrame | None = None
        self._coming: LiveFrame | None = None
        self._answers = _Answers()
        self.dropped = 0
        self.delay_s = 0.0
        self._known: list[str] = []  # The frames that the engine keeps.
        self._averaged: list[tuple[float, str]] = []
        self._all_stages_s = -math.inf
        self._is_awaited = False  # Whether the next frame is wanted once this one was seen.
        self.rate.clear()

    @property
    def is_busy(self) -> bool:
        """Whether a frame is on its way to be shown."""
        return self._coming is not None

    def drop(self) -> None:
        """Show nothing of what is on its way; a file gives it again later, a camera does not."""
        if self._coming is not None and not self.path:
            self.dropped += self._coming.dropped + 1
        self._predictions.drop()
        self._painted.stop()
        self._later.stop()
        self._coming, self._is_awaited = None, False

    def forget(self) -> None:
        """Have the engine forget all frames, and the entry itself if the source has no file."""
        gone = self._known if self.path else [*self._known, self.entry]
        if gone:
            self._bridge.ask(CloseImage(images=tuple(gone)), lambda _: None)
        self._known = []

    def follow(self, entry: str) -> None:
        """Take note that the source has another key in the list."""
        self.entry = entry

    # ------------------------------------------------------------------------------------------- one frame

    def take(self, frame: LiveFrame) -> None:
        """Send a frame to the engine, with the question what the network makes of it."""
        self._coming, self._asked_s = frame, time.monotonic()
        is_first = self._state.opened.row(self.entry) is None
        key = frame_key(self.entry, frame.number)
        self._send(key, frame, self.entry if is_first else "")
        if is_first:  # The source gets its place in the list, and its first frame is shown like any picture.
            self._state.opened.add(self._info(self.entry, frame))
        self._ask_predictions(key)

    def _send(self, key: str, frame: LiveFrame, first: str) -> None:
        forgotten = self._not_needed()
        self._known = [each for each in self._known if each not in forgotten and each != key]
        self._known.append(key)
        request = ShowFrame(
            panel=LIVE,
            key=key,
            name=self.name,
            pixels=frame.pixels,
            values=frame.values,
            first=first,
            forgotten=tuple(forgotten),
        )
        self._bridge.ask(request, lambda _: None)

    def _not_needed(self) -> list[str]:
        """Return the frames about which nothing is asked any more, nor will be."""
        needed = {key for _, key in self._averaged} | self._asked_about
        for kept in (
            self._state.picture,
            None if self._state.kept.pin is None else self._state.kept.pin.picture,
        ):
            if kept is not None:
                needed.add(frame_of_image(kept.key))
        return [key for key in self._known if key not in needed]

    @property
    def _asked_about(self) -> set[str]:
        """The frames about which something is being computed."""
        return {frame_of_image(image) for request in self._bridge.pending for image in images_of(request)}

    def _info(self, key: str, frame: LiveFrame) -> ImageInfo:
        return ImageInfo(
            key=key,
            name=self.name,
            path=self.path,
            size=(frame.pixels.shape[1], frame.pixels.shape[0]),
            notes=frame.notes,
            preview=frame.preview,
            thumbnail=frame.thumbnail,
        )

    def _ask_predictions(self, key: str) -> None:
        state, image = self._state, self._state.opened.framings.image_of(key)
        if state.model is None:
            self._show_soon(_Answers())
            return
        only_last = self._is_last_enough(state.model)
        if not only_last:
            self._all_stages_s = time.monotonic()
        requests = [Predict(panel=LIVE, image=image, target=state.target, only_last=only_last)]
        if state.second.model is not None:
            try:
                found = state.second.counterpart(requests[0])
            except StudioError:
                found = None  # B has no such class: it is told where B is asked.
            if found is not None:
                requests.append(found.request)
        self._predictions.drop()
        self._predictions.ask(*requests)

    def _is_last_enough(self, model: ModelInfo) -> bool:
        """Return whether this frame needs the Grad-CAM of no other stage than the last.

        The small maps of the others follow more slowly, because they take half of the time.
        """
        explaining = self._state.attributions.explaining
        shown = {*explaining.nodes} if explaining.method == "gradcam" else set()
        is_due = time.monotonic() - self._all_stages_s >= ALL_STAGES_STEP_S
        return not is_due and shown.isdisjoint(model.config.stages[:-1])

    def _predicted(self, first: Payload, second: Payload = None) -> None:
        if isinstance(first, Prediction):
            self._show_soon(_Answers(first, second if isinstance(second, Prediction) else None))

    def _not_predicted(self, sentence: str) -> None:
        """Show the frame with the reason why there is no prediction, and go on: the next may do."""
        self._show_soon(_Answers(failure=sentence))

    def _show_soon(self, answers: "_Answers") -> None:
        self._answers = answers
        self._painted.start()

    def _show(self) -> None:
        frame, self._coming = self._coming, None
        if frame is None:
            return
        self.frame = frame
        self.dropped += frame.dropped
        key = frame_key(self.entry, frame.number)
        self._is_awaited = True
        self._go_on()  # The source takes the next one while the panels are told of this one.
        self._note_averaged(key)
        answers, self._answers = self._answers, _Answers()
        self._state.show_frame(
            ShownFrame(
                picture=self._info(key, frame),
                prediction=answers.first,
                second=answers.second,
                failure=answers.failure,
                averaged=tuple(each for _, each in self._averaged),
                kept=self._asked_about,
            )
        )
        self.rate.count()
        self.delay_s = time.monotonic() - frame.taken_s
        self.shown.emit(frame)

    def _note_averaged(self, key: str) -> None:
        now = time.monotonic()
        if not self._averaged or now - self._averaged[-1][0] >= AVERAGED_STEP_S:
            self._averaged = [*self._averaged, (now, key)][-AVERAGED_FRAMES:]

    # ------------------------------------------------------------------------------------------ and the next

    def _notice_finished(self, _finished: tuple[Request, Done | Failed | Cancelled]) -> None:
        self._go_on()

    def _go_on(self) -> None:
        """Want the next frame once every quick question about the frames before this one is answered."""
        if not self._is_awaited or self.frame is None:
            return
        shown, pending = frame_key(self.entry, self.frame.number), self._bridge.pending
        if any(each.is_quick and _is_about_another(each, shown) for each in pending):
            return
        self._is_awaited = False
        is_slow_waiting = any(not each.is_quick and not each.is_background for each in pending)
        if is_slow_waiting:
            self._later.start(round(1000 * _SLOW_SHARE * (time.monotonic() - self._asked_s)))
        else:
            self.next_wanted.emit()


class _Answers(Struct, frozen=True):
    """What the networks make of a frame, or why that of A is missing."""

    first: Prediction | None = None
    second: Prediction | None = None
    failure: str = ""


def _is_about_another(request: Request, frame: str) -> bool:
    """Whether a request is about another frame of a live source than this one."""
    return any(number_of(each) is not None and frame_of_image(each) != frame for each in images_of(request))


def frame_of_image(image: str) -> str:
    """Return the key of a frame without its framing; that of any other image stays as it is."""
    number = number_of(image)
    return image if number is None else frame_key(source_of(image), number)
