"""The photograph as it is changed, for the views that show maps over it."""

from msgspec import structs

from convnext_studio.common.retouches import Retouch
from convnext_studio.model.framing import picture_of
from convnext_studio.protocol.pictures import ImageInfo
from convnext_studio.render import Rgb
from convnext_studio.render.retouching import retouched
from convnext_studio.ui.state.app_state import AppState


class Photographs:
    """Makes the pixels of a changed picture; of changes that grow, only the last is made again."""

    def __init__(self, state: AppState) -> None:
        self._state = state
        self._before: tuple[str, tuple[Retouch, ...], Rgb] | None = None
        self._made: tuple[str, tuple[Retouch, ...], ImageInfo] | None = None
        self._small: dict[tuple[str, tuple[int, ...]], tuple[tuple[Retouch, ...], Rgb]] = {}

    def applied(self, picture: ImageInfo) -> tuple[Retouch, ...]:
        """Return the changes of a picture that are switched on."""
        return self._applied(picture.key)

    def _applied(self, key: str) -> tuple[Retouch, ...]:
        made = self._state.interventions.recipe.of_picture(picture_of(key))
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

    def small_if_known(self, key: str, pixels: Rgb, width: int) -> Rgb | None:
        """Return what `small` does; None while the width is 0 and nobody knows where the changes are."""
        preview = self._state.opened.preview(picture_of(key))
        width = width or (0 if preview is None else preview.size[0])
        is_changed = self._state.second.marks_changes and bool(self._applied(key))
        return self.small(key, pixels, width or pixels.shape[1]) if width or not is_changed else None

    def small(self, key: str, pixels: Rgb, width: int) -> Rgb:
        """Return a small picture as the network saw it whose answer the views show.

        Parameters
        ----------
        key
            The picture, in any framing.
        width
            That of the whole picture, in its own pixels.
        """
        applied = self._applied(key) if self._state.second.marks_changes else ()
        if not applied or self._state.second.shown != "second":
            return pixels
        known = self._small.get((key, pixels.shape))
        if known is None or known[0] != applied:
            made = retouched(
                pixels, applied, lambda other: self._pasted(other, pixels), pixels.shape[1] / width
            )
            known = self._small[key, pixels.shape] = applied, made
        return known[1]

    def _pasted(self, other: str, usual: Rgb) -> Rgb:
        """Return the pixels of a picture that is pasted; the usual ones while they are not known."""
        info = self._state.opened.preview(other)
        return usual if info is None else info.preview

    def _pixels(self, picture: ImageInfo, applied: tuple[Retouch, ...]) -> Rgb:
        scale = picture.preview.shape[1] / picture.size[0]

        def pasted(other: str) -> Rgb:
            return self._pasted(other, picture.preview)

        first = applied[:-1]
        if self._before is None or self._before[:2] != (picture.key, first):
            self._before = picture.key, first, retouched(picture.preview, first, pasted, scale)
        return retouched(self._before[2], applied[-1:], pasted, scale)
