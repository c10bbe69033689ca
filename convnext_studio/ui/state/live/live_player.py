"""Shows the frames of a live source: the newest one, as soon as the last is seen everywhere."""

import time
from functools import partial
from typing import Literal

from PySide6.QtCore import QObject, QTimer, Signal

from convnext_studio.common.errors import StudioError
from convnext_studio.decoding.picture_view import PictureView
from convnext_studio.model.frame_keys import frame_key, number_of, source_of
from convnext_studio.protocol.envelope import Cancelled, Done, Failed, Payload, Request
from convnext_studio.protocol.live import ShowFrame
from convnext_studio.protocol.pictures import ImageInfo, ListedPicture, OpenImage, PictureFailure, ShowPicture
from convnext_studio.protocol.predictions import Predict, Prediction
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.background import Background
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.state.live.frame_files import encode_pixels
from convnext_studio.ui.state.live.frame_requests import images_of
from convnext_studio.ui.state.live.frame_source import FilmSource, FrameSource, LiveFrame
from convnext_studio.ui.state.live.rates import FrameRate
from convnext_studio.ui.state.query import Query
from convnext_studio.ui.widgets.message_bar import Notice

LIVE = "live"
AVERAGED_FRAMES = 16
AVERAGED_STEP_S = 0.5
"""The receptive field is averaged over so many frames, which are so far apart."""
_SLOW_SHARE = 0.25
_SETTLE_MS = 400

Mode = Literal["off", "opening", "running", "frozen"]


class LivePlayer(QObject):
    """Plays a live source: every frame becomes the picture, and all panels follow.

    A frame is sent to the engine together with the question what the network makes of it. Once that is
    answered, it becomes the picture, with its prediction, at once. The next frame is asked for when all quick
    questions about this one are answered, so the newest frame wins and nothing queues. Slower questions go on
    meanwhile, and a part of the time is left to them.

    A frozen frame is a picture like any other: of a film, that frame of its file; of a camera or the screen, a
    picture of its own in the list.

    Attributes
    ----------
    source
        What is played; None if nothing is.
    mode
        Whether it is off, being opened, running, or frozen.
    frame
        The frame that is shown; None if none is.
    dropped
        How many frames of the source were passed over since it was opened.
    rate
        How many frames a second are shown.
    delay_s
        How long it took from the moment when the last frame was taken until it was shown.
    interruption
        Why there are no frames now; empty while they come.
    """

    changed = Signal()  # anything but the frame
    frame_shown = Signal(object)  # LiveFrame
    noticed = Signal(object)  # Notice
    succeeded = Signal(str)  # topic whose notice is to be withdrawn

    def __init__(
        self, state: AppState, bridge: EngineBridge, background: Background, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._state, self._bridge, self._background = state, bridge, background
        self.source: FrameSource | None = None
        self.mode: Mode = "off"
        self.frame: LiveFrame | None = None
        self.dropped = 0
        self.rate = FrameRate()
        self.delay_s = 0.0
        self.interruption = ""
        self._key = ""  # That of the list's entry.
        self._counted = 0
        self._frozen_key = ""
        self._coming: LiveFrame | None = None
        self._known: list[str] = []  # The frames that the engine keeps.
        self._averaged: list[tuple[float, str]] = []
        self._asked_s = 0.0
        self._predictions = Query(bridge, self._predicted, self._not_predicted, parent=self)
        self._frozen = Query(bridge, self._became_picture, self._not_frozen, parent=self)
        self._later = QTimer(self, singleShot=True)
        self._later.timeout.connect(self._ask_next)
        self._settle = QTimer(self, singleShot=True, interval=_SETTLE_MS)
        self._settle.timeout.connect(self._keep_frame)
        bridge.request_finished.connect(self._notice_finished)
        state.opened.picture_chosen.connect(self._notice_choice)
        state.opened.changed.connect(self._notice_closed)

    # -------------------------------------------------------------------------------------- what is played

    @property
    def is_on(self) -> bool:
        """Whether a source is open."""
        return self.source is not None

    @property
    def is_running(self) -> bool:
        """Whether frames are shown as they come."""
        return self.mode in ("opening", "running")

    @property
    def is_camera_on(self) -> bool:
        """Whether a camera is switched on."""
        return self.source is not None and self.source.is_camera

    @property
    def film(self) -> FilmSource | None:
        """The film that is played; None if it is another source."""
        return self.source if isinstance(self.source, FilmSource) else None

    def play(self, source: FrameSource) -> None:
        """Show the frames of a source, in place of what was played before."""
        self.leave()
        self.source, self.mode, self.frame, self.dropped = source, "opening", None, 0
        self.rate.clear()
        self.interruption = ""
        self._counted += 1
        self._key = self._entry_of(source)
        source.frame_came.connect(self._take)
        source.opened.connect(self._opened)
        source.ended.connect(self._ended)
        source.interrupted.connect(self._interrupted)
        source.failed.connect(self._failed)
        self.changed.emit()

    def _entry_of(self, source: FrameSource) -> str:
        """Return the key of the list's entry: that of the film, if it is there."""
        listed = next(
            (each for each in self._state.opened.all if source.path and each.path == source.path), None
        )
        return f"live:{self._counted}" if listed is None else listed.key

    def leave(self) -> None:
        """Close the source; what was shown last stays."""
        source, self.source = self.source, None
        if source is None:
            return
        for timer in (self._later, self._settle):
            timer.stop()
        self._predictions.drop()
        self._coming = None
        source.close()
        source.deleteLater()
        self.mode, self.interruption = "off", ""
        self._averaged = []
        self._frozen_key = ""
        self.succeeded.emit(LIVE)
        self.changed.emit()

    # ------------------------------------------------------------------------------------ freezing, stepping

    def toggle(self) -> None:
        """Freeze, or go on."""
        if self.is_running:
            self.freeze()
        else:
            self.resume()

    def freeze(self) -> None:
        """Stop at the frame that is shown, which becomes a picture like any other."""
        if self.source is None or not self.is_running:
            return
        self._stop_at("frozen")
        self._keep_frame()

    def resume(self) -> None:
        """Go on with the newest frame, or from where a film was stopped."""
        if self.source is None or self.is_running:
            return
        self._settle.stop()
        self._frozen.drop()
        self.mode = "running"
        self.rate.clear()
        if isinstance(self.source, FilmSource):
            self.source.play()
        self._ask_next()
        self.changed.emit()

    def step(self, by: int) -> None:
        """Freeze, and show the frame that is so many frames further on; a camera just shows its newest one."""
        if self.source is None:
            return
        self._stop_at("frozen")
        film = self.film
        if film is None:
            self.source.ask()
        else:
            self.go_to((0 if self.frame is None else self.frame.number) + by)

    def go_to(self, number: int) -> None:
        """Show a frame of the film, and go on from there if it is running."""
        film = self.film
        if film is None:
            return
        self._settle.stop()
        self._predictions.drop()
        self._coming = None
        film.go_to(min(max(number, 0), max(film.frames - 1, 0)))

    def _stop_at(self, mode: Mode) -> None:
        if self.source is not None:
            self.source.pause()
        self._predictions.drop()
        self._coming = None
        self._later.stop()
        self.mode = mode
        self.changed.emit()

    def _keep_frame(self) -> None:
        """Make a picture like any other of the frame that is shown."""
        frame, shown = self.frame, self._state.picture
        if frame is None or shown is None or number_of(shown.key) is None or self.source is None:
            return
        if self.film is not None and self._state.opened.row(self._key) is not None and self.source.path:
            view = PictureView(frame=frame.number)
            self._frozen.ask(ShowPicture(panel=LIVE, image=self._key, view=view))
            return
        name = f"{self.source.name}, frame {frame.number}"
        self._background.run(
            partial(encode_pixels, frame.pixels),
            lambda data: self._frozen.ask(OpenImage(panel=LIVE, data=data, name=name)),
            lambda error: self._tell(error.message, error.hint),
        )

    def _became_picture(self, answer: Payload) -> None:
        if self.mode != "frozen":
            return
        if isinstance(answer, PictureFailure):
            self._tell(answer.message, answer.hint)
        elif isinstance(answer, ImageInfo) and self.film is not None:
            before, self._key = self._key, answer.key
            self._state.opened.replace(before, answer)
        elif isinstance(answer, ImageInfo):
            self._frozen_key = answer.key
            self._state.opened.add(answer)

    def _not_frozen(self, sentence: str) -> None:
        self._tell(sentence)

    # -------------------------------------------------------------------------------------- what is averaged

    def averaged_images(self, count: int) -> tuple[str, ...]:
        """Return the keys of the frames that an average is over, the latest last."""
        if self.source is None:
            return ()
        return tuple(key for _, key in self._averaged[-count:])

    # ----------------------------------------------------------------------------------------- frame by frame

    def _opened(self, _source: FrameSource) -> None:
        self.mode = "running" if self.mode == "opening" else self.mode
        self._ask_next()
        self.changed.emit()

    def _ask_next(self) -> None:
        if self.source is not None and self.is_running and self._coming is None:
            self.source.ask()

    def _take(self, frame: LiveFrame) -> None:
        """Send a frame to the engine, with the question what the network makes of it."""
        if self.source is None:
            return
        if self.interruption:
            self.interruption = ""
            self.succeeded.emit(LIVE)
            self.changed.emit()
        self._coming, self._asked_s = frame, time.monotonic()
        self.dropped += frame.dropped
        if self._state.opened.row(self._key) is None:
            self._show_first(frame)
            return
        key = frame_key(self._key, frame.number)
        self._send(key, frame)
        self._ask_predictions(key)

    def _send(self, key: str, frame: LiveFrame, first: str = "") -> None:
        forgotten = self._not_needed()
        self._known = [each for each in self._known if each not in forgotten]
        if key not in self._known:
            self._known.append(key)
        request = ShowFrame(
            panel=LIVE,
            key=key,
            name=self.source_name,
            pixels=frame.pixels,
            values=frame.values,
            first=first,
            forgotten=tuple(each for each in forgotten if each != key),
        )
        self._bridge.ask(request, lambda _: None)

    def _not_needed(self) -> list[str]:
        """Return the frames about which nothing is asked any more, nor will be."""
        needed = {key for _, key in self._averaged} | self._asked_about
        if self._state.picture is not None:
            needed.add(_of_frame(self._state.picture.key))
        if self._state.kept.pin is not None:
            needed.add(_of_frame(self._state.kept.pin.picture.key))
        return [key for key in self._known if key not in needed]

    @property
    def _asked_about(self) -> set[str]:
        """The frames about which something is being computed."""
        return {_of_frame(image) for request in self._bridge.pending for image in images_of(request)}

    @property
    def source_name(self) -> str:
        """What the source is called; empty if nothing is played."""
        return "" if self.source is None else self.source.name

    def _show_first(self, frame: LiveFrame) -> None:
        """Put the source into the list of pictures, and show its first frame as it shows any picture."""
        key = frame_key(self._key, frame.number)
        self._send(key, frame, first=self._key)
        self._state.opened.add(self._info(self._key, frame))
        self._ask_predictions(key)

    def _info(self, key: str, frame: LiveFrame) -> ImageInfo:
        return ImageInfo(
            key=key,
            name=self.source_name,
            path="" if self.source is None else self.source.path,
            size=(frame.pixels.shape[1], frame.pixels.shape[0]),
            notes=frame.notes,
            preview=frame.preview,
            thumbnail=frame.thumbnail,
        )

    def _ask_predictions(self, key: str) -> None:
        state, image = self._state, self._state.opened.framings.image_of(key)
        if state.model is None:
            self._show(None, None)
            return
        requests = [Predict(panel=LIVE, image=image, target=state.target)]
        if state.second.model is not None:
            try:
                found = state.second.counterpart(requests[0])
            except StudioError:
                found = None  # B has no such class: it is told where B is asked.
            if found is not None:
                requests.append(found.request)
        self._predictions.drop()
        self._predictions.ask(*requests)

    def _predicted(self, first: Payload, second: Payload = None) -> None:
        if isinstance(first, Prediction):
            self._show(first, second if isinstance(second, Prediction) else None)

    def _not_predicted(self, sentence: str) -> None:
        """Show the frame with the reason why there is no prediction, and go on: the next may do."""
        self._show(None, None, sentence)

    def _show(self, prediction: Prediction | None, second: Prediction | None, failure: str = "") -> None:
        frame, self._coming = self._coming, None
        if frame is None or self.source is None:
            return
        self.frame = frame
        key = frame_key(self._key, frame.number)
        self._note_averaged(key)
        averaged = self.averaged_images(AVERAGED_FRAMES)
        self._state.show_frame(
            self._info(key, frame),
            prediction,
            second,
            failure=failure,
            averaged=averaged,
            kept=self._asked_about,
        )
        self.rate.count()
        self.delay_s = time.monotonic() - frame.taken_s
        self.frame_shown.emit(frame)
        if self.mode == "frozen":
            self._settle.start()
        else:
            self._go_on()

    def _note_averaged(self, key: str) -> None:
        now = time.monotonic()
        if not self._averaged or now - self._averaged[-1][0] >= AVERAGED_STEP_S:
            self._averaged = [*self._averaged, (now, key)][-AVERAGED_FRAMES:]

    def _notice_finished(self, _finished: tuple[Request, Done | Failed | Cancelled]) -> None:
        if self.mode == "running" and self.frame is not None and self._coming is None:
            self._go_on()

    def _go_on(self) -> None:
        """Ask for the next frame once every quick question about this one is answered.

        The engine so works on the next frame while the window paints this one.
        """
        if not self.is_running or self._coming is not None or self._later.isActive() or self.frame is None:
            return
        shown = frame_key(self._key, self.frame.number)
        pending = self._bridge.pending
        if any(each.is_quick and shown in map(_of_frame, images_of(each)) for each in pending):
            return
        is_slow_waiting = any(not each.is_quick and not each.is_background for each in pending)
        share_s = _SLOW_SHARE * (time.monotonic() - self._asked_s) if is_slow_waiting else 0.0
        self._later.start(round(1000 * share_s))

    # ------------------------------------------------------------------------------------------ what happens

    def _ended(self, _source: FrameSource) -> None:
        self.freeze()

    def _interrupted(self, why: str) -> None:
        if why != self.interruption:
            self.interruption = why
            self._tell(why)
            self.changed.emit()

    def _failed(self, error: StudioError) -> None:
        self._tell(error.message, error.hint)
        if self.frame is None:
            self.leave()
        else:
            self._stop_at("frozen")
            self._keep_frame()

    def _notice_choice(self, picture: ListedPicture | None) -> None:
        """Leave the source when another picture is chosen."""
        if self.source is None or self.frame is None:
            return
        key = "" if picture is None else picture.key
        if key not in (self._key, self._frozen_key):
            self.leave()

    def _notice_closed(self, _pictures: tuple[ListedPicture, ...]) -> None:
        if self.source is None or self.frame is None or self._state.opened.row(self._key) is not None:
            return
        path = self.source.path
        same = next((each for each in self._state.opened.all if path and each.path == path), None)
        if same is None:
            self.leave()
        else:  # Another of its frames was chosen in the picture's own controls.
            self._key = same.key

    def _tell(self, message: str, hint: str = "") -> None:
        self.noticed.emit(Notice(LIVE, message, hint))


def _of_frame(image: str) -> str:
    """Return the key of a frame without its framing; that of any other image is of no use here."""
    number = number_of(image)
    return image if number is None else frame_key(source_of(image), number)
