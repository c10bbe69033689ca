"""Loads thumbnails, which the engine decodes when they come into view."""

from functools import partial

import numpy as np
from PySide6.QtCore import QObject, Signal

from convnext_studio.common.caches import ByteCache, kept_bytes
from convnext_studio.protocol.envelope import Payload
from convnext_studio.protocol.pictures import (
    THUMBNAIL_PX,
    ImageInfo,
    PictureFailure,
    Thumbnail,
    ThumbnailPixels,
)
from convnext_studio.render import Rgb
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.state.query import Query

KEPT_BYTES = 48 << 20
MOST_WAITING = 96
AT_ONCE = 2


class ThumbnailLoader(QObject):
    """Caches thumbnails up to a size limit, and requests one when it is about to be shown.

    The thumbnails that came into view last are requested first; those that left it long ago are not requested.

    Parameters
    ----------
    longest_px
        Longest side of the thumbnails, in pixels.
    """

    arrived = Signal(str)  # key: the thumbnail is available or has failed
    found_broken = Signal(object)  # PictureFailure: the file is no valid picture

    def __init__(
        self,
        state: AppState,
        bridge: EngineBridge,
        longest_px: int = THUMBNAIL_PX,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._state = state
        self._longest_px = longest_px
        self._kept: ByteCache[Rgb] = ByteCache(KEPT_BYTES, kept_bytes)
        state.cache_sizes.add(self._kept)
        self._failures: dict[str, str] = {}
        self._waiting: dict[str, None] = {}
        self._queries = [
            Query(
                bridge,
                partial(self._receive, number),
                partial(self._fail, number),
                on_cancel=partial(self._forget_waiting, number),
                parent=self,
            )
            for number in range(AT_ONCE)
        ]
        self._asked: dict[int, str] = {}  # Picture keys, by the number of the query that requests them.
        state.opened.changed.connect(self._forget_closed)

    @property
    def is_settled(self) -> bool:
        """Whether no thumbnail is pending."""
        return not (self._waiting or self._asked)

    def use_size(self, longest_px: int) -> None:
        """Load thumbnails of another size from now on, and forget the others."""
        if longest_px == self._longest_px:
            return
        self._longest_px = longest_px
        for query in self._queries:
            query.drop()
        self._asked.clear()
        self._waiting.clear()
        self._kept.clear()

    def get(self, key: str) -> Rgb | None:
        """Return a thumbnail, or None if it has failed or is yet to be loaded, which `arrived` will report."""
        kept = self._kept.get(key)
        if kept is not None:
            return kept
        preview = self._state.opened.preview(key)
        if preview is not None:
            pixels = self._from_preview(preview)
            self._keep(key, pixels)
            return pixels
        if key not in self._failures and key not in self._asked.values():
            self._waiting.pop(key, None)
            self._waiting[key] = None
            if len(self._waiting) > MOST_WAITING:
                del self._waiting[next(iter(self._waiting))]
            self._ask()
        return None

    def _from_preview(self, picture: ImageInfo) -> Rgb:
        """Return a thumbnail made of a picture's preview, which is larger or the whole picture."""
        if self._longest_px <= THUMBNAIL_PX:
            return picture.thumbnail
        step = max(max(picture.preview.shape[:2]) // self._longest_px, 1)
        return np.ascontiguousarray(picture.preview[::step, ::step])

    def why_not(self, key: str) -> str:
        """Return why there is no thumbnail; empty if there is one or one may still arrive."""
        return self._failures.get(key, "")

    def _keep(self, key: str, pixels: Rgb) -> None:
        self._kept.put(key, pixels)

    def _ask(self) -> None:
        for number, query in enumerate(self._queries):
            if self._waiting and number not in self._asked:
                key, _ = self._waiting.popitem()
                self._asked[number] = key
                query.drop()
                query.ask(Thumbnail(panel=self.objectName(), image=key, longest_px=self._longest_px))

    def _receive(self, number: int, payload: Payload) -> None:
        key = self._asked.pop(number)
        if isinstance(payload, ThumbnailPixels):
            self._keep(key, payload.pixels)
        elif isinstance(payload, PictureFailure):
            self._failures[key] = payload.message
        self._go_on(key)
        if isinstance(payload, PictureFailure):
            self.found_broken.emit(payload)

    def _fail(self, number: int, reason: str) -> None:
        key = self._asked.pop(number)
        self._failures[key] = reason
        self._go_on(key)

    def _forget_waiting(self, number: int) -> None:
        """Forget the pending requests after a cancellation; painting a picture again requests it again."""
        del self._asked[number]
        self._waiting.clear()

    def _go_on(self, key: str) -> None:
        self.arrived.emit(key)
        self._ask()

    def _forget_closed(self) -> None:
        self._kept.forget_where(lambda key, _: self._state.opened.row(str(key)) is None)
        self._failures = {
            key: why for key, why in self._failures.items() if self._state.opened.row(key) is not None
        }
        self._waiting = {key: None for key in self._waiting if self._state.opened.row(key) is not None}
