"""The panel that plays cameras, films and the screen as the picture."""

from pathlib import Path

from PySide6.QtCore import QSignalBlocker, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QPushButton, QSlider, QVBoxLayout, QWidget

from convnext_studio.decoding.live.messages import Camera
from convnext_studio.decoding.picture_view import frame_note
from convnext_studio.ui.panels.base import choice, plain_label
from convnext_studio.ui.state.live.frame_source import CameraSource, LiveFrame
from convnext_studio.ui.state.live.live_player import LivePlayer
from convnext_studio.ui.state.live.live_sources import LiveSources
from convnext_studio.ui.state.live.rates import rate_text
from convnext_studio.ui.state.live.recorder import FrameRecorder
from convnext_studio.ui.widgets.control_row import FlowLayout
from convnext_studio.ui.widgets.elided_label import PlainLabel, plain_tip

SPEEDS = (0.1, 0.25, 0.5, 1.0, 2.0, 4.0)
SIZES = ((0, 0), (320, 240), (640, 480), (1280, 720), (1920, 1080))
NOTHING = "Nothing is played. Choose a camera, a film, or a part of the screen: all panels then follow it."
PRIVACY = "No frame is kept or sent anywhere unless you record it."
_FACTS_MS = 250
_PREFERRED_CHARACTERS = 48


class LivePanel(QWidget):
    """A panel that opens live sources, freezes and steps, and says how fast the frames really come."""

    title = "Live"
    film_asked = Signal()
    screen_asked = Signal()
    folder_asked = Signal()
    picture_asked = Signal()
    recording_asked = Signal()
    views_asked = Signal()

    def __init__(
        self, player: LivePlayer, sources: LiveSources, recorder: FrameRecorder, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._player, self._sources, self._recorder = player, sources, recorder
        self._has_looked = False
        self._make_controls()
        self._lay_out()
        self._facts_soon = QTimer(self, singleShot=True, interval=_FACTS_MS)
        self._facts_soon.timeout.connect(self._show_facts)
        self._connect()
        self._show_cameras(sources.cameras)
        self._follow()

    @property
    def is_settled(self) -> bool:
        """Whether nothing is about to change here."""
        return not self._facts_soon.isActive()

    def _make_controls(self) -> None:
        self.film = _button("Film…", "Play a film, or an animated GIF or WebP")
        self.screen_part = _button(
            "Part of the screen", "Show a frame on the screen; what is inside is the picture"
        )
        self.watched = _button("Watch folder…", "Open each picture that is written to a folder")
        self.picture = _button("Frames of the picture", "Play the frames of the picture that is open")
        self.camera = choice("Camera", "The camera to switch on", [])
        self.switch_on = _button("Switch on", "Switch this camera on")
        self.look = _button("Look again", "Look for cameras again")
        self.camera_size = choice(
            "Size",
            "The size that the camera is asked for",
            [(f"{size[0]} × {size[1]}" if any(size) else "Its own", size) for size in SIZES],
            word="Size",
        )
        self.mirror = QCheckBox("Mirror")
        self.mirror.setToolTip("Exchange left and right of the camera's pictures, as in a mirror")
        self.freeze = _button("Freeze", "Stop at this frame, which then is a picture like any other (Space)")
        self.back = _button("◀ Frame", "The frame before, frozen (Left)", "One frame back")
        self.on = _button("Frame ▶", "The next frame, frozen (Right)", "One frame on")
        self.leave = _button("Leave", "Switch the camera off, or close the film")
        self.place = QSlider(Qt.Orientation.Horizontal)
        self.place.setAccessibleName("Place in the film")
        self.place.setToolTip("Go to any frame of the film")
        self.speed = choice("Speed", "How fast the film is played", [(f"{each:g} ×", each) for each in SPEEDS])
        self.loop = QCheckBox("Loop")
        self.loop.setToolTip("Begin again after the last frame")
        self.every = QCheckBox("Every frame")
        self.every.setToolTip("Leave no frame out: the film then takes as long as the network needs")
        self.record = _button("Record…", "Save every frame that is shown to a folder (R)")
        self.views = _button("Film of the views…", "Save a film of this window's views, as MP4 or GIF")
        self.facts = plain_label()
        self.facts.setAccessibleName("Frames")

    def _lay_out(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 6, 8, 6)
        layout.addWidget(_row(self.film, self.picture, self.screen_part, self.watched))
        self._camera_row = _row(self.camera, self.switch_on, self.look, self.camera_size, self.mirror)
        layout.addWidget(self._camera_row)
        self._transport = _row(self.back, self.freeze, self.on, self.leave, self.record, self.views)
        layout.addWidget(self._transport)
        self._film_rows = QWidget()
        film = QVBoxLayout(self._film_rows)
        film.setContentsMargins(0, 0, 0, 0)
        film.addLayout(self._place_row())
        film.addWidget(_row(self.speed, self.loop, self.every))
        layout.addWidget(self._film_rows)
        layout.addWidget(self.facts)
        layout.addWidget(plain_label("muted", PRIVACY))
        layout.addStretch()

    def _place_row(self) -> QHBoxLayout:
        row, word = QHBoxLayout(), PlainLabel("Place")
        word.setBuddy(self.place)
        row.addWidget(word)
        row.addWidget(self.place, 1)
        return row

    def _connect(self) -> None:
        player, sources = self._player, self._sources
        for button, asked in (
            (self.film, self.film_asked),
            (self.screen_part, self.screen_asked),
            (self.watched, self.folder_asked),
            (self.picture, self.picture_asked),
            (self.record, self.recording_asked),
            (self.views, self.views_asked),
        ):
            button.clicked.connect(asked)
        self.switch_on.clicked.connect(self._open_camera)
        self.look.clicked.connect(lambda: sources.look_for_cameras())
        self.camera_size.activated.connect(lambda _index: self._open_camera_again())
        self.mirror.toggled.connect(sources.mirror)
        self.freeze.clicked.connect(player.toggle)
        self.back.clicked.connect(lambda: player.step(-1))
        self.on.clicked.connect(lambda: player.step(1))
        self.leave.clicked.connect(player.leave)
        self.place.valueChanged.connect(player.go_to)
        self.speed.currentIndexChanged.connect(lambda _index: self._set_up())
        self.loop.toggled.connect(lambda _on: self._set_up())
        self.every.toggled.connect(lambda _on: self._set_up())
        sources.cameras_found.connect(self._show_cameras)
        player.changed.connect(self._follow)
        player.frame_shown.connect(self._show_frame)
        self._recorder.changed.connect(self._follow)

    def sizeHint(self) -> QSize:
        """Return a width in which the buttons take two rows: the picture is what one looks at."""
        most_px = _PREFERRED_CHARACTERS * self.fontMetrics().averageCharWidth()
        return QSize(min(super().sizeHint().width(), most_px), super().sizeHint().height())

    def showEvent(self, event: QShowEvent) -> None:
        """Look for cameras when the panel is first shown; none is switched on."""
        super().showEvent(event)
        if not self._has_looked:
            self._has_looked = True
            self._sources.look_for_cameras()

    def show_filming(self, is_filming: bool) -> None:
        """Show whether a film of the views is being made."""
        self.views.setText("Finish the film" if is_filming else "Film of the views…")

    # ---------------------------------------------------------------------------------------------- cameras

    def _show_cameras(self, cameras: tuple[Camera, ...]) -> None:
        with QSignalBlocker(self.camera):
            self.camera.clear()
            for camera in cameras:
                self.camera.addItem(camera.title, camera)
            if not cameras:
                self.camera.addItem("none found", None)
        self.camera.setEnabled(bool(cameras))
        self.switch_on.setEnabled(bool(cameras))

    def _open_camera(self) -> None:
        camera = self.camera.currentData()
        if isinstance(camera, Camera):
            width, height = self.camera_size.currentData()
            self._sources.open_camera(Camera(id=camera.id, title=camera.title, size=(width, height)))

    def _open_camera_again(self) -> None:
        if self._player.is_camera_on:
            self._open_camera()

    # ---------------------------------------------------------------------------------------------- playing

    def _set_up(self) -> None:
        film = self._player.film
        if film is not None:
            film.set_speed(float(self.speed.currentData()))
            film.set_loops(self.loop.isChecked())
            film.set_shows_all(self.every.isChecked())

    def _follow(self) -> None:
        """Show what is played, and what can be done with it."""
        player, film = self._player, self._player.film
        for control in (self.freeze, self.leave, self.record, self.views):
            control.setEnabled(player.is_on)
        for control in (self.back, self.on):
            control.setEnabled(film is not None)
        self.freeze.setText("Freeze" if player.is_running or not player.is_on else "Go on")
        self.record.setText("Stop recording" if self._recorder.is_recording else "Record…")
        self._film_rows.setVisible(film is not None)
        is_for_camera = isinstance(player.source, CameraSource) or player.source is None
        self.camera_size.setVisible(is_for_camera)
        self.mirror.setVisible(is_for_camera)
        with QSignalBlocker(self.mirror):
            self.mirror.setChecked(self._sources.is_mirrored)
        if film is not None:
            with QSignalBlocker(self.place):
                self.place.setRange(0, max(film.frames - 1, 0))
            for box, is_on in ((self.loop, film.loops), (self.every, film.shows_all)):
                with QSignalBlocker(box):
                    box.setChecked(is_on)
            with QSignalBlocker(self.speed):
                self.speed.setCurrentIndex(self.speed.findData(film.speed))
        self._show_facts()

    def _show_frame(self, frame: LiveFrame) -> None:
        if self._player.film is not None and not self.place.isSliderDown():
            with QSignalBlocker(self.place):
                self.place.setValue(frame.number)
        if not self._facts_soon.isActive():
            self._facts_soon.start()

    def _show_facts(self) -> None:
        self.facts.setText("\n".join(self._said()))

    def _said(self) -> list[str]:
        player, frame = self._player, self._player.frame
        if player.source is None:
            return [NOTHING]
        said = [f"{player.source.name}: {_STATES[player.mode]}"]
        if player.interruption:
            said.append(player.interruption)
        if frame is not None:
            height, width = frame.pixels.shape[:2]
            of = f" of {player.source.frames:,}" if player.source.is_film else ""
            said.append(f"Frame {frame.number + 1:,}{of}, {width} × {height} pixels")
            known = frame_note(frame.number, player.source.frames)
            said += [note for note in frame.notes if note != known]
        if player.is_running and frame is not None:
            delay = f"{player.stream.delay_s * 1000:.0f} ms from the source to the screen"
            rate = rate_text(player.stream.rate.per_second)
            said.append(f"{rate}, {player.stream.dropped:,} left out so far, {delay}")
        if self._recorder.is_recording and self._recorder.folder is not None:
            said.append(f"Recording in {Path(self._recorder.folder).name}: {self._recorder.recorded:,} frames")
        return said


_STATES = {"off": "off", "opening": "being opened …", "running": "playing", "frozen": "frozen"}


def _button(text: str, tip: str, name: str = "") -> QPushButton:
    button = QPushButton(text)
    button.setToolTip(plain_tip(tip))
    button.setAccessibleName(name or text)
    return button


def _row(*widgets: QWidget) -> QWidget:
    row = QWidget()
    layout = FlowLayout(row)
    for widget in widgets:
        layout.addWidget(widget)
    return row
