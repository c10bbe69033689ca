"""An ordered list of the opened pictures, possibly thousands, with a cache of recent previews."""

from collections.abc import Collection, Iterable

from convnext_studio.common.caches import ByteCache
from convnext_studio.protocol.pictures import ImageInfo, ListedPicture

# Cached previews can be shown again at once.
PREVIEW_BYTES = 128 << 20


class PictureList:
    """An ordered list of pictures that caches the most recently used previews; it needs no Qt.

    Parameters
    ----------
    preview_bytes
        Total size of the cached previews.
    """

    def __init__(self, preview_bytes: int) -> None:
        self._all: tuple[ListedPicture, ...] = ()
        self._rows: dict[str, int] = {}
        self._previews: ByteCache[ImageInfo] = ByteCache(
            preview_bytes, lambda picture: picture.preview.nbytes + picture.thumbnail.nbytes
        )

    @property
    def all(self) -> tuple[ListedPicture, ...]:
        """All pictures, in the order of opening."""
        return self._all

    def row(self, key: str) -> int | None:
        """Return the index of a picture, or None if it is not in the list."""
        return self._rows.get(key)

    def picture(self, key: str) -> ListedPicture:
        """Return the picture with a key; raise KeyError if there is none."""
        return self._all[self._rows[key]]

    def preview(self, key: str) -> ImageInfo | None:
        """Return a picture with its preview if that is cached, otherwise None."""
        return self._previews.get(key)

    def keep_preview(self, picture: ImageInfo) -> None:
        """Cache a preview unless there is already one for the picture."""
        if self._previews.get(picture.key) is None:
            self._previews.put(picture.key, picture)

    def add(self, pictures: Iterable[ListedPicture]) -> bool:
        """Append pictures; one whose file has changed replaces its former entry.

        Returns
        -------
        bool
            Whether the list has changed.
        """
        known = list(self._all)
        places = {each.path: row for row, each in enumerate(known) if each.path}
        for picture in pictures:
            if picture.key in self._rows:
                continue
            place = places.get(picture.path) if picture.path else None
            if place is None:
                places[picture.path] = len(known)
                known.append(picture)
            else:
                known[place] = picture
        return self._set(tuple(known))

    def replace(self, key: str, picture: ListedPicture) -> bool:
        """Put a picture in the place of another one, and return whether the list has changed."""
        self._previews.forget_where(lambda kept, _: kept == key)
        return self._set(tuple(picture if each.key == key else each for each in self._all))

    def remove(self, keys: Collection[str]) -> bool:
        """Remove pictures and their previews, and return whether the list has changed."""
        self._previews.forget_where(lambda key, _: key in keys)
        return self._set(tuple(each for each in self._all if each.key not in keys))

    def neighbours(self, key: str) -> tuple[ListedPicture, ...]:
        """Return the other pictures: those after this one, then those before it, each nearest first."""
        row = self._rows.get(key)
        return () if row is None else (*self._all[row + 1 :], *reversed(self._all[:row]))

    def stepped(self, key: str, step: int) -> ListedPicture | None:
        """Return the picture `step` rows further on, within the list, or None if the key is unknown."""
        row = self._rows.get(key)
        return None if row is None else self._all[min(max(row + step, 0), len(self._all) - 1)]

    def _set(self, pictures: tuple[ListedPicture, ...]) -> bool:
        if pictures == self._all:
            return False
        self._all = pictures
        self._rows = {each.key: row for row, each in enumerate(pictures)}
        return True
