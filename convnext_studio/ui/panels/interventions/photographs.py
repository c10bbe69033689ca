"""The photograph as it is changed, for the views that show maps over it."""

import numpy as np
from msgspec import structs
from numpy.typing import NDArray

from convnext_studio.common.retouches import Retouch
from convnext_studio.model.framing import picture_of
from convnext_studio.protocol.pictures import ImageInfo
from convnext_studio.render.retouching import retouched
from convnext_studio.ui.state.app_state import AppState


class Photographs:
    """Makes the pixels of a changed picture; of changes that grow, only the last is made again."""

    def __init__(self, state: AppState) -> None:
        self._state = state
        self._before: tuple[str, tuple[Retouch, ...], NDArray[np.uint8]] | None = None
        self._made: tuple[str, tuple[Retouch, ...], ImageInfo] | None = None

    def applied(self, picture: ImageInfo) -> tuple[Retouch, ...]:
        """Return the changes of a picture that are switched on."""
        made = self._state.interventions.recipe.of_picture(picture_of(picture.key))
        return tuple(each for each in made if each.enabled)

    def changed(self, picture: ImageInfo) -> ImageInfo:
        """Return a picture whose preview shows its changes, or the picture itself if there are none."""
        key, applied = picture.key, self.applied(picture)
        if not applied:
            return picture
        if self._made is None or self._made[:2] != (key, applied):
            self._made = key, applied, structs.replace(picture, preview=self._pixels(picture, applied))
        return self._made[2]

    def shown(self, picture: ImageInfo) -> ImageInfo:
        """Return the picture as the network saw it whose answer the views show: changed for "after" alone."""
        return self.changed(picture) if self._state.second.shown == "second" else picture

    def _pixels(self, picture: ImageInfo, applied: tuple[Retouch, ...]) -> NDArray[np.uint8]:
        scale = picture.preview.shape[1] / picture.size[0]

        def pasted(other: str) -> NDArray[np.uint8]:
            info = self._state.opened.preview(other)
            return picture.preview if info is None else info.preview

        first = applied[:-1]
        if self._before is None or self._before[:2] != (picture.key, first):
            self._before = picture.key, first, retouched(picture.preview, first, pasted, scale)
        return retouched(self._before[2], applied[-1:], pasted, scale)
