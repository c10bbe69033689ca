"""Small pictures of those that are seen, decoded by the engine when they come into sight."""

from PySide6.QtCore import QObject, Signal

from convnext_studio.common.caches import ByteCache
from convnext_studio.protocol.envelope import Cancelled, Done, Failed, Payload, Request
from convnext_studio.protocol.pictures import THUMBNAIL_PX, PictureFailure, Thumbnail, ThumbnailPixels
from convnext_studio.render import Rgb
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge

KEPT_BYTES = 48 << 20
MOST_WAITING = 96
AT_ONCE = 2


class Thumbnails(QObject):
    """Keeps a bounded number of thumbnails, and asks for one when somebody wants to see it.

    What came into sight last is asked for first, and what has long left it not at all.

    Parameters
    ----------
    longest_px
        Of the thumbnails' sides.
    """

    arrived = Signal(str)  # key: it is there, or it is known why it will not come
    found_broken = Signal(object)  # PictureFailure: there will be none, because it is no picture

    def __init__(
        self,
        state: AppState,
        bridge: EngineBridge,
        longest_px: int = THUMBNAIL_PX,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._state = state
        self._bridge = bridge
        self._longest_px = longest_px
        self._kept: ByteCache[Rgb] = ByteCache(KEPT_BYTES, lambda pixels: pixels.nbytes)
        self._failures: dict[str, str] = {}
        self._waiting: dict[str, None] = {}
        self._asked: dict[int, str] = {}
        bridge.request_finished.connect(self._notice_cancelled)
        state.pictures_changed.connect(self._forget_closed)

    @property
    def is_settled(self) -> bool:
        """Whether none is waited for."""
        return not (self._waiting or self._asked)

    def get(self, key: str) -> Rgb | None:
        """A thumbnail; None where it is yet to come, which `arrived` tells, or will not come."""
        kept = self._kept.get(key)
        if kept is not None:
            return kept
        preview = self._state.preview(key)
        if preview is not None and self._longest_px <= THUMBNAIL_PX:
            self._keep(key, preview.thumbnail)
            return preview.thumbnail
        if key not in self._failures and key not in self._asked.values():
            self._waiting.pop(key, None)
            self._waiting[key] = None
            if len(self._waiting) > MOST_WAITING:
                del self._waiting[next(iter(self._waiting))]
            self._ask()
        return None

    def why_not(self, key: str) -> str:
        """Why there is no thumbnail; empty where there is one, or may still be."""
        return self._failures.get(key, "")

    def _keep(self, key: str, pixels: Rgb) -> None:
        self._kept.put(key, pixels)

    def _ask(self) -> None:
        while self._waiting and len(self._asked) < AT_ONCE:
            key, _ = self._waiting.popitem()
            identifier = self._bridge.ask(
                Thumbnail(panel=self.objectName(), image=key, longest_px=self._longest_px),
                self._receive,
                on_failure=self._fail,
            )
            self._asked[identifier] = key

    def _receive(self, payload: Payload) -> None:
        if isinstance(payload, ThumbnailPixels):
            self._forget_asked(payload.image)
            self._keep(payload.image, payload.pixels)
            self._go_on(payload.image)
        elif isinstance(payload, PictureFailure):
            self._forget_asked(payload.key)
            self._failures[payload.key] = payload.message
            self._go_on(payload.key)
            self.found_broken.emit(payload)

    def _forget_asked(self, key: str) -> None:
        self._asked = {number: asked for number, asked in self._asked.items() if asked != key}

    def _fail(self, failed: Failed) -> None:
        key = self._asked.pop(failed.id)
        self._failures[key] = failed.message
        self._go_on(key)

    def _notice_cancelled(self, finished: tuple[Request, Done | Failed | Cancelled]) -> None:
        """It is asked for again when it is next painted."""
        message = finished[1]
        if isinstance(message, Cancelled) and self._asked.pop(message.id, None) is not None:
            self._waiting.clear()

    def _go_on(self, key: str) -> None:
        self.arrived.emit(key)
        self._ask()

    def _forget_closed(self) -> None:
        self._kept.forget_where(lambda key, _: self._state.row(str(key)) is None)
        self._failures = {key: why for key, why in self._failures.items() if self._state.row(key) is not None}
        self._waiting = {key: None for key in self._waiting if self._state.row(key) is not None}
