"""Live sources in the window: what the actions and the panel do, made when it is first needed."""

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QRect, Signal
from PySide6.QtWidgets import (
    QAbstractItemView,
    QAbstractSlider,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QFileDialog,
    QLineEdit,
    QPlainTextEdit,
    QTabBar,
)

from convnext_studio.common.errors import StudioError
from convnext_studio.ui.shell.status_bar import StatusBar
from convnext_studio.ui.shell.window_part import WindowPart
from convnext_studio.ui.widgets.message_bar import Notice
from convnext_studio.ui.widgets.save_dialog import FileKind

if TYPE_CHECKING:
    from convnext_studio.ui.shell.live.region_frame import RegionFrame
    from convnext_studio.ui.shell.live.view_film import ViewFilm
    from convnext_studio.ui.shell.window import StudioWindow
    from convnext_studio.ui.state.live.frame_source import LiveFrame
    from convnext_studio.ui.state.live.screen_source import ScreenSource

LIVE = "live"
FILM_KINDS = (FileKind("MP4 film", ("mp4",)), FileKind("Animated GIF", ("gif",)))
_NEED_ARROWS = (
    QAbstractItemView,
    QAbstractSlider,
    QAbstractSpinBox,
    QComboBox,
    QLineEdit,
    QPlainTextEdit,
    QTabBar,
)
CAMERA, SCREEN = "camera", "screen"
_FILM_ENDINGS = "mp4 m4v mov webm mkv avi mpg ts wmv gif webp png tif tiff"
FILMS = f"Films and animations ({' '.join(f'*.{ending}' for ending in _FILM_ENDINGS.split())})"


class LiveParts(QObject):
    """The player and what belongs to it.

    Attributes
    ----------
    player, sources, recorder
        What plays a source, what opens one, and what writes frames to files.
    """

    def __init__(self, window: "StudioWindow") -> None:
        super().__init__(window)
        # Imported here, because most launches play nothing.
        from convnext_studio.ui.state.live.live_player import LivePlayer
        from convnext_studio.ui.state.live.live_sources import LiveSources
        from convnext_studio.ui.state.live.recorder import FrameRecorder

        state, controller = window.state, window.controller
        self.player: LivePlayer = LivePlayer(state, window.bridge, controller.background, self)
        self.recorder: FrameRecorder = FrameRecorder(self)
        self.sources: LiveSources = LiveSources(
            state, self.player, controller.pictures, controller.background, self
        )


class Live(WindowPart):
    """Plays live sources in the window, and says so in the status bar."""

    succeeded = Signal(str)  # topic whose notice is to be withdrawn
    changed = Signal()  # whether something is played, frozen or recorded

    def __init__(self, window: "StudioWindow", status: StatusBar) -> None:
        super().__init__(window)
        self._parts: LiveParts | None = None
        self._frame: RegionFrame | None = None
        self._film: ViewFilm | None = None
        # The lecture listens to the controller, too.
        self.noticed.connect(window.controller.noticed)
        self.succeeded.connect(window.controller.succeeded)
        self.changed.connect(lambda: status.show_live(self.status))
        window.lecture.camera_asked.connect(self.switch_camera)
        window.lecture.freeze_asked.connect(self.toggle)
        window.lecture.step_asked.connect(self.step)

    @property
    def parts(self) -> LiveParts:
        """The player and what belongs to it, made on first use."""
        if self._parts is None:
            self._parts = parts = LiveParts(self._window)
            for source in (parts.player, parts.sources):
                source.noticed.connect(self.noticed)
            parts.player.succeeded.connect(self.succeeded)
            parts.player.changed.connect(self._follow)
            parts.player.frame_shown.connect(self._record)
            parts.recorder.changed.connect(self.changed)
            parts.recorder.failed.connect(lambda error: self._tell(error.message, error.hint))
            parts.sources.screen_opened.connect(self._show_frame)
            application = QApplication.instance()
            if isinstance(application, QApplication):  # Which control has the focus decides what arrows do.
                application.focusChanged.connect(self._follow_focus)
        return self._parts

    @property
    def is_on(self) -> bool:
        """Whether a source is open."""
        return self._parts is not None and self._parts.player.is_on

    @property
    def is_running(self) -> bool:
        """Whether frames are shown as they come."""
        return self._parts is not None and self._parts.player.is_running

    @property
    def takes_arrows(self) -> bool:
        """Whether the arrow keys step through frames: unless the control with the focus needs them itself."""
        focus = QApplication.focusWidget()
        return self.is_on and not isinstance(focus, _NEED_ARROWS) and self._window.state.unit is None

    @property
    def is_camera_on(self) -> bool:
        """Whether a camera is switched on."""
        return self._parts is not None and self._parts.player.is_camera_on

    @property
    def is_recording(self) -> bool:
        """Whether frames are recorded."""
        return self._parts is not None and self._parts.recorder.is_recording

    @property
    def is_filming(self) -> bool:
        """Whether a film of the window's views is made."""
        return self._film is not None

    @property
    def status(self) -> str:
        """What people have to know while they do something else: that a camera is on, or what is recorded."""
        said = []
        if self.is_camera_on:
            said.append(f"Camera on: {self.parts.player.stream.name}")
        if self._frame is not None:
            said.append("Part of the screen is shown")
        if self.is_recording:
            said.append("Recording frames")
        if self.is_filming:
            said.append("Recording a film")
        return " · ".join(said)

    @property
    def is_settled(self) -> bool:
        """Whether nothing is about to be shown."""
        return not self.is_running

    # ---------------------------------------------------------------------------------------------- opening

    def open(self, source: str) -> None:
        """Open what the command line names: ``camera``, ``screen``, or the path of a film."""
        if source == CAMERA:
            self.open_camera()
        elif source == SCREEN:
            self.open_screen()
        else:
            self.parts.sources.play_film(source)

    def open_camera(self) -> None:
        """Switch the camera on that was used last, or the first one that is found."""
        sources = self.parts.sources
        if sources.camera is not None:
            sources.open_camera(sources.camera)
        else:
            sources.look_for_cameras(then_open=True)

    def open_screen(self) -> None:
        """Show a frame on the screen, and what is in it as the picture."""
        from convnext_studio.ui.shell.live.region_frame import RegionFrame

        if self._frame is None:
            self._frame = RegionFrame(self._window)
            self._frame.place_on(self._window)
        self.parts.sources.open_screen(self._frame.region)

    def switch_camera(self, is_on: bool) -> None:
        """Switch a camera on unless something is played, or leave what is played."""
        if not is_on:
            self.leave()
        elif not self.is_on:
            self.open_camera()

    def choose_film(self) -> None:
        """Ask for a film, and play it."""
        recent = self._window.settings.values.recent_pictures
        folder = str(Path(recent[0]).parent) if recent else str(Path.home())
        path, _ = QFileDialog.getOpenFileName(self._window, "Play a film", folder, f"{FILMS};;All files (*)")
        if path:
            self.parts.sources.play_film(path)

    def _show_frame(self, source: "ScreenSource") -> None:
        frame = self._frame
        if frame is None:
            return
        frame.moved.connect(lambda region: self._move(source, region))
        frame.closed.connect(self.leave)
        frame.show()

    def _move(self, source: "ScreenSource", region: QRect) -> None:
        source.region = region

    # ----------------------------------------------------------------------------------------------- playing

    def toggle(self) -> None:
        """Freeze, or go on."""
        if self.is_on:
            self.parts.player.toggle()

    def step(self, by: int) -> None:
        """Show another frame, frozen."""
        if self.is_on:
            self.parts.player.step(by)

    def leave(self) -> None:
        """Close the source: the camera is off."""
        if self._parts is not None:
            self._parts.player.leave()

    def _follow_focus(self) -> None:
        if self.is_on:
            self.changed.emit()

    def _follow(self) -> None:
        player = self.parts.player
        from convnext_studio.ui.state.live.screen_source import ScreenSource

        if self._frame is not None and not isinstance(player.source, ScreenSource):
            frame, self._frame = self._frame, None
            frame.closed.disconnect()
            frame.close()
            frame.deleteLater()
        if not player.is_on:
            self.parts.recorder.stop()
            self._finish_film()
        self.changed.emit()

    # --------------------------------------------------------------------------------------------- recording

    def toggle_recording(self) -> None:
        """Record every frame that is shown to a folder, or stop that."""
        recorder = self.parts.recorder
        if recorder.is_recording:
            folder, count, left_out = recorder.folder, recorder.recorded, recorder.left_out
            recorder.stop()
            lost = f" {left_out:,} were left out, because the disk was too slow." if left_out else ""
            message = f"{count:,} frames were recorded in {folder}.{lost}"
            self.noticed.emit(Notice(LIVE, message, good=not lost, path=str(folder)))
            return
        folder = self._window.saving.ask_folder(self._window, "Record frames in a new folder inside of")
        if folder is None:
            self.changed.emit()  # Untick the action, which the menu has already ticked.
            return
        source = self.parts.player.source
        try:
            recorder.start(folder, "frames" if source is None else f"{Path(source.name).stem} frames")
        except StudioError as error:
            self._tell(error.message, error.hint)

    def _record(self, frame: "LiveFrame") -> None:
        if self._film is not None:
            self._film.note_frame()
        player, recorder = self.parts.player, self.parts.recorder
        if recorder.is_recording and player.source is not None and player.is_running:
            recorder.record(frame, player.source.name, self._window.state.prediction)

    def toggle_filming(self) -> None:
        """Ask for a file, and save a film of the window's views to it; or finish that."""
        if self._film is not None:
            self._finish_film()
            return
        path = self._window.saving.ask_file(self._window, "Save a film of the views", "views", FILM_KINDS)
        if path is not None:
            from convnext_studio.ui.shell.live.view_film import ViewFilm

            try:
                self._film = ViewFilm(self._window, path)
            except StudioError as error:
                self._tell(error.message, error.hint)
        self.changed.emit()

    def _finish_film(self) -> None:
        film, self._film = self._film, None
        if film is None:
            return
        try:
            film.stop()
        except StudioError as error:
            self._tell(error.message, error.hint)
        else:
            lost = f" {film.left_out:,} were left out." if film.left_out else ""
            message = f"The film of {film.frames:,} frames was saved as {film.path}.{lost}"
            self.noticed.emit(Notice(LIVE, message, good=True, path=str(film.path)))
        film.deleteLater()
        self.changed.emit()

    def close(self) -> None:
        """Leave the source, and end what is being written."""
        self._finish_film()
        if self._parts is not None:
            self._parts.player.leave(keeps=False)
            self._parts.recorder.stop()

    def _tell(self, message: str, hint: str = "") -> None:
        self.noticed.emit(Notice(LIVE, message, hint))
