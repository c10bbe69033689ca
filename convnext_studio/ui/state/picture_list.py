"""The opened pictures in their order, thousands if need be, with the previews of those shown lately."""

from collections.abc import Collection, Iterable

from convnext_studio.common.caches import ByteCache
from convnext_studio.protocol.pictures import ImageInfo, ListedPicture

# To be shown again at once.
PREVIEW_BYTES = 128 << 20


class PictureList:
    """Knows where each picture stands; forgets previews that were not used for long. No Qt.

    Parameters
    ----------
    preview_bytes
        Of the previews that are kept.
    """

    def __init__(self, preview_bytes: int) -> None:
        self._all: tuple[ListedPicture, ...] = ()
        self._rows: dict[str, int] = {}
        self._previews: ByteCache[ImageInfo] = ByteCache(
            preview_bytes, lambda picture: picture.preview.nbytes + picture.thumbnail.nbytes
        )

    @property
    def all(self) -> tuple[ListedPicture, ...]:
        """In the order of opening."""
        return self._all

    def row(self, key: str) -> int | None:
        """Where a picture stands; None where it is not there."""
        return self._rows.get(key)

    def picture(self, key: str) -> ListedPicture:
        """The picture of that key; KeyError where there is none."""
        return self._all[self._rows[key]]

    def preview(self, key: str) -> ImageInfo | None:
        """A picture that was shown lately."""
        return self._previews.get(key)

    def keep_preview(self, picture: ImageInfo) -> None:
        """Keep a preview; the one that is there stays."""
        if self._previews.get(picture.key) is None:
            self._previews.put(picture.key, picture)

    def add(self, pictures: Iterable[ListedPicture]) -> bool:
        """Add pictures behind the others; one whose file has changed takes its own place again.

        Gives whether that changes anything.
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

    def remove(self, keys: Collection[str]) -> bool:
        """Take pictures out, and forget their previews; gives whether that changes anything."""
        self._previews.forget_where(lambda key, _: key in keys)
        return self._set(tuple(each for each in self._all if each.key not in keys))

    def neighbours(self, key: str) -> tuple[ListedPicture, ...]:
        """The other pictures, those behind first, then those before, the nearest first."""
        row = self._rows.get(key)
        return () if row is None else (*self._all[row + 1 :], *reversed(self._all[:row]))

    def stepped(self, key: str, step: int) -> ListedPicture | None:
        """The picture so many rows on, or the last one there; None where there is none of that key."""
        row = self._rows.get(key)
        return None if row is None else self._all[min(max(row + step, 0), len(self._all) - 1)]

    def _set(self, pictures: tuple[ListedPicture, ...]) -> bool:
        if pictures == self._all:
            return False
        self._all = pictures
        self._rows = {each.key: row for row, each in enumerate(pictures)}
        return True
