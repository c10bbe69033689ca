"""Opens cameras, films and the screen for the player, and knows which cameras there are."""

from functools import partial

from PySide6.QtCore import QObject, QRect, Signal

from convnext_studio.common.errors import StudioError
from convnext_studio.decoding.live.frame_reader import FrameReader
from convnext_studio.decoding.live.messages import Camera
from convnext_studio.protocol.pictures import ListedPicture
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.background import Background
from convnext_studio.ui.state.live.frame_source import CameraSource, FilmSource
from convnext_studio.ui.state.live.frame_stream import LIVE
from convnext_studio.ui.state.live.live_player import LivePlayer
from convnext_studio.ui.state.live.screen_source import ScreenSource
from convnext_studio.ui.state.opening.picture_opener import PictureOpener
from convnext_studio.ui.widgets.message_bar import Notice


class LiveSources(QObject):
    """Opens live sources.

    Attributes
    ----------
    cameras
        The cameras that were found last.
    camera
        The camera that was switched on last; None if none was.
    is_mirrored
        Whether left and right of a camera's pictures are exchanged.
    """

    noticed = Signal(object)  # Notice
    cameras_found = Signal(object)  # tuple[Camera, ...]
    screen_opened = Signal(object)  # ScreenSource

    def __init__(
        self,
        state: AppState,
        player: LivePlayer,
        pictures: PictureOpener,
        background: Background,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._state, self._player = state, player
        self._pictures, self._background = pictures, background
        self.cameras: tuple[Camera, ...] = ()
        self.camera: Camera | None = None
        self.is_mirrored = True
        self._awaited = ""
        state.opened.changed.connect(self._play_awaited)

    # ---------------------------------------------------------------------------------------------- films

    def play_film(self, path: str) -> None:
        """Open a film, or another picture of several frames, and play it."""
        self._awaited = path
        if any(each.path == path for each in self._state.opened.all):
            self._play_awaited(self._state.opened.all)
        else:
            self._pictures.open_paths([path])

    def play_picture(self) -> None:
        """Play the picture that is shown, from the frame that is shown."""
        picture = self._state.picture
        if picture is not None and picture.path:
            self._play(picture.path, picture.view.frame)

    def _play_awaited(self, pictures: tuple[ListedPicture, ...]) -> None:
        found = next((each for each in pictures if self._awaited and each.path == self._awaited), None)
        if found is not None:
            self._awaited = ""
            self._state.opened.select(found.key)
            self._play(found.path, 0)

    def _play(self, path: str, first: int) -> None:
        name = next((each.name for each in self._state.opened.all if each.path == path), path)
        source = FilmSource(name, path)
        source.begin_at(first)
        self._player.play(source)
        source.start()

    # ---------------------------------------------------------------------------------------------- cameras

    def look_for_cameras(self, then_open: bool = False) -> None:
        """Find out which cameras there are, and switch the first one on if that is asked."""
        self._background.read(
            _listed,
            partial(self._found, then_open),
            lambda error: self._not_found(error, then_open),
            "Looking for cameras",
        )

    def open_camera(self, camera: Camera) -> None:
        """Switch a camera on."""
        self.camera = camera
        source = CameraSource(camera, self.is_mirrored)
        self._player.play(source)
        source.start()

    def mirror(self, is_mirrored: bool) -> None:
        """Exchange left and right of the camera's pictures, from the next one on."""
        self.is_mirrored = is_mirrored
        if isinstance(self._player.source, CameraSource):
            self._player.source.is_mirrored = is_mirrored

    def _found(self, then_open: bool, cameras: tuple[Camera, ...]) -> None:
        self.cameras = cameras
        self.cameras_found.emit(cameras)
        if then_open:
            self.open_camera(cameras[0])

    def _not_found(self, error: StudioError, is_asked: bool) -> None:
        self.cameras = ()
        self.cameras_found.emit(())
        if is_asked:
            self.noticed.emit(Notice(LIVE, error.message, error.hint))

    # ----------------------------------------------------------------------------------------------- screen

    def open_screen(self, region: QRect) -> None:
        """Show a region of the screen."""
        source = ScreenSource(region)
        self._player.play(source)
        self.screen_opened.emit(source)
        source.start()


def _listed() -> tuple[Camera, ...]:
    with FrameReader() as reader:
        return reader.cameras()
