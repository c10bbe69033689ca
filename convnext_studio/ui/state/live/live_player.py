"""Plays a live source: opens it, freezes it, steps through it, and says what happens to it."""

from functools import partial
from typing import Literal

from PySide6.QtCore import QObject, QTimer, Signal

from convnext_studio.common.errors import StudioError
from convnext_studio.decoding.picture_view import PictureView
from convnext_studio.model.frame_keys import number_of
from convnext_studio.protocol.envelope import Payload
from convnext_studio.protocol.pictures import ImageInfo, ListedPicture, OpenImage, PictureFailure, ShowPicture
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.background import Background
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.state.live.frame_files import encode_pixels
from convnext_studio.ui.state.live.frame_source import FilmSource, FrameSource, LiveFrame
from convnext_studio.ui.state.live.frame_stream import LIVE, FrameStream
from convnext_studio.ui.state.query import Query
from convnext_studio.ui.widgets.message_bar import Notice

_SETTLE_MS = 400

Mode = Literal["off", "opening", "running", "frozen"]


class LivePlayer(QObject):
    """Plays one live source at a time.

    A frozen frame is a picture like any other: of a film, that frame of its file; of a camera or the screen, a
    picture of its own in the list.

    Attributes
    ----------
    stream
        What shows the frames.
    source
        What is played; None if nothing is.
    mode
        Whether it is off, being opened, running, or frozen.
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
        self._state, self._background = state, background
        self.stream = FrameStream(state, bridge, self)
        self.stream.next_wanted.connect(self._ask_next)
        self.stream.shown.connect(self._notice_shown)
        self.source: FrameSource | None = None
        self.mode: Mode = "off"
        self.interruption = ""
        self._counted = 0
        self._frozen_key = ""
        self._keeps_again = False  # Whether another frame was frozen while the last one becomes a picture.
        self._frozen = Query(bridge, self._became_picture, self._not_kept, parent=self)
        self._settle = QTimer(self, singleShot=True, interval=_SETTLE_MS)
        self._settle.timeout.connect(self._keep_frame)
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

    @property
    def frame(self) -> LiveFrame | None:
        """The frame that was shown last; None if none was."""
        return self.stream.frame

    def play(self, source: FrameSource) -> None:
        """Show the frames of a source, in place of what was played before."""
        self.leave(keeps=False)
        self.source, self.mode, self.interruption = source, "opening", ""
        self._state.awaited.follow_source(source.name)
        self._counted += 1
        same = next((each for each in self._state.opened.all if source.path and each.path == source.path), None)
        self.stream.begin(f"live:{self._counted}" if same is None else same.key, source.name, source.path)
        source.frame_came.connect(self._take)
        source.opened.connect(self._opened)
        source.ended.connect(self.freeze)
        source.interrupted.connect(self._interrupted)
        source.failed.connect(self._failed)
        self.changed.emit()

    def leave(self, *, keeps: bool = True) -> None:
        """Close the source; its last frame stays if that is wanted, as a picture like any other."""
        source, self.source = self.source, None
        if source is None:
            return
        self._settle.stop()
        self.stream.drop()
        source.close()
        source.deleteLater()
        self.mode, self.interruption = "off", ""
        self._state.awaited.follow_source("")
        if not (keeps and self._keep_frame()):
            self._close_entry()
        self.succeeded.emit(LIVE)
        self.changed.emit()

    def _close_entry(self) -> None:
        """Remove the entry of a camera or the screen from the list: none of its frames is kept."""
        entry, path = self.stream.entry, self.stream.path
        self.stream.forget()
        self._frozen_key = ""
        if not path and self._state.opened.row(entry) is not None:
            # Not while others are still being told that another picture was chosen.
            QTimer.singleShot(0, self, lambda: self._state.opened.remove([entry]))

    # ------------------------------------------------------------------------------------ freezing, stepping

    def toggle(self) -> None:
        """Freeze, or go on."""
        if self.is_running:
            self.freeze()
        else:
            self.resume()

    def freeze(self, _source: object = None) -> None:
        """Stop at the frame that is shown, which becomes a picture like any other."""
        if self.source is not None and self.is_running:
            self._stop()
            self._keep_frame()

    def resume(self) -> None:
        """Go on with the newest frame, or from where a film was stopped."""
        if self.source is None or self.is_running:
            return
        self._settle.stop()
        self.mode = "running"
        self.stream.rate.clear()
        if isinstance(self.source, FilmSource):
            self.source.play(-1 if self.frame is None else self.frame.number)
        self._ask_next()
        self.changed.emit()

    def step(self, by: int) -> None:
        """Freeze, and show the frame that is so many frames further on; a camera just shows its newest one."""
        if self.source is None:
            return
        self._stop()
        if self.film is None:
            self.source.ask()
        else:
            self.go_to((0 if self.frame is None else self.frame.number) + by)

    def go_to(self, number: int) -> None:
        """Show a frame of the film, and go on from there if it is running."""
        film = self.film
        if film is not None:
            self._settle.stop()
            self.stream.drop()
            film.go_to(min(max(number, 0), max(film.frames - 1, 0)))

    def _stop(self) -> None:
        if self.source is not None:
            self.source.pause()
        self.stream.drop()
        self.mode = "frozen"
        self.changed.emit()

    def _keep_frame(self) -> bool:
        """Make a picture like any other of the frame that is shown; False if none is."""
        frame, shown, stream = self.frame, self._state.picture, self.stream
        if frame is None or shown is None or number_of(shown.key) is None:
            return False
        if self._frozen.is_running:  # The entry will have another key when that is answered.
            self._keeps_again = True
            return True
        if stream.path and self._state.opened.row(stream.entry) is not None:
            self._ask_frozen(frame)
            return True
        name = f"{stream.name}, frame {frame.number + 1:,}"
        self._background.read(
            partial(encode_pixels, frame.pixels),
            lambda data: self._frozen.ask_again(OpenImage(panel=LIVE, data=data, name=name)),
            lambda error: self._not_kept(str(error)),
        )
        return True

    def _ask_frozen(self, frame: LiveFrame) -> None:
        view = PictureView(frame=frame.number)
        self._frozen.ask_again(ShowPicture(panel=LIVE, image=self.stream.entry, view=view))

    def _not_kept(self, sentence: str) -> None:
        self._keeps_again = False
        self._tell(sentence)
        if self.source is None:
            self._close_entry()

    def _became_picture(self, answer: Payload) -> None:
        keeps_again, self._keeps_again = self._keeps_again, False
        if isinstance(answer, PictureFailure):
            self._tell(f"{answer.message} {answer.hint}".rstrip())
        elif isinstance(answer, ImageInfo) and self.stream.path:
            before = self.stream.entry
            self.stream.follow(answer.key)
            self._state.opened.replace(before, answer)
        elif isinstance(answer, ImageInfo):
            self._frozen_key = answer.key
            self._state.opened.add(answer, select=not self.is_running)
        if keeps_again and not self.is_running and self.frame is not None and self.stream.path:
            self._ask_frozen(self.frame)
        elif self.source is None:
            self._close_entry()

    # ------------------------------------------------------------------------------------------- the frames

    def _opened(self, _source: FrameSource) -> None:
        self.mode = "running" if self.mode == "opening" else self.mode
        self._ask_next()
        self.changed.emit()

    def _ask_next(self) -> None:
        if self.source is not None and self.is_running and not self.stream.is_busy:
            self.source.ask()

    def _take(self, frame: LiveFrame) -> None:
        if self.source is None:
            return
        if self.interruption:
            self.interruption = ""
            self.succeeded.emit(LIVE)
            self.changed.emit()
        self.stream.take(frame)

    def _notice_shown(self, frame: LiveFrame) -> None:
        self._state.awaited.follow_source("")
        if self.mode == "frozen":
            self._settle.start()
        self.frame_shown.emit(frame)

    # ------------------------------------------------------------------------------------------ what happens

    def _interrupted(self, why: str) -> None:
        if why != self.interruption:
            self.interruption = why
            self._tell(why)
            self.changed.emit()

    def _failed(self, error: StudioError) -> None:
        if self.frame is None:
            self.leave()
        else:
            self._stop()
            self._keep_frame()
        self.noticed.emit(Notice(LIVE, error.message, error.hint))

    def _notice_choice(self, picture: ListedPicture | None) -> None:
        """Leave the source when another picture is chosen."""
        key = "" if picture is None else picture.key
        if (
            self.source is not None
            and self.frame is not None
            and key not in (self.stream.entry, self._frozen_key)
        ):
            self.leave(keeps=False)

    def _notice_closed(self, _pictures: tuple[ListedPicture, ...]) -> None:
        """Leave the source when its entry is closed; a film's gets another key with each frozen frame."""
        if self.source is None or self.frame is None or self._state.opened.row(self.stream.entry) is not None:
            return
        path = self.source.path
        same = next((each for each in self._state.opened.all if path and each.path == path), None)
        if same is None:
            self.leave(keeps=False)
        else:
            self.stream.follow(same.key)

    def _tell(self, sentence: str) -> None:
        self.noticed.emit(Notice(LIVE, sentence))
