"""The opened pictures: their order, their cached previews, and what networks and people are shown of each."""

from collections.abc import Callable, Collection, Iterable

from msgspec.structs import replace
from PySide6.QtCore import QObject, Signal

from convnext_studio.common.caches import ByteCache, kept_bytes
from convnext_studio.decoding.picture_view import WHOLE, PictureView
from convnext_studio.model.frame_keys import source_of
from convnext_studio.model.framing import TRAINED, Framing, PictureBox, box_within, framed
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
        self._previews: ByteCache[ImageInfo] = ByteCache(preview_bytes, kept_bytes)

    @property
    def cache(self) -> ByteCache[ImageInfo]:
        """The cache of the previews."""
        return self._previews

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


class OpenPictures(QObject):
    """The opened pictures, and the one that was chosen, which is shown as soon as it is decoded.

    Parameters
    ----------
    show
        Called with the decoded picture that is to be shown, or None for none, and with whether it is another
        view of the one that is shown now.

    Attributes
    ----------
    framings
        What networks are shown of each picture, and how people see it.
    """

    changed = Signal(object)  # tuple[ListedPicture, ...]
    closed = Signal(object)  # Collection[str]: keys
    picture_chosen = Signal(object)  # ListedPicture | None: becomes the selected one once decoded

    def __init__(self, show: Callable[[ImageInfo | None, bool], None], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._show = show
        self._pictures = PictureList(PREVIEW_BYTES)
        self._chosen: ListedPicture | None = None
        self._shown: ImageInfo | None = None
        self.framings = PictureFramings()

    @property
    def cache(self) -> ByteCache[ImageInfo]:
        """The cache of the previews."""
        return self._pictures.cache

    @property
    def all(self) -> tuple[ListedPicture, ...]:
        """All opened pictures in the order of opening, decoded or not."""
        return self._pictures.all

    @property
    def images(self) -> tuple[ListedPicture, ...]:
        """All opened pictures, with the keys of their framings; of a live source, the frame that is shown."""
        shown = "" if self._shown is None else self._shown.key
        keys = {source_of(shown): shown}
        return tuple(
            replace(each, key=self.framings.image_of(keys.get(each.key, each.key))) for each in self.all
        )

    @property
    def chosen(self) -> ListedPicture | None:
        """The picture that is shown, or will be shown once it is decoded."""
        return self._chosen

    def row(self, key: str) -> int | None:
        """Return the index of a picture among the opened ones, or None if it is not open."""
        return self._pictures.row(source_of(key))

    def preview(self, key: str) -> ImageInfo | None:
        """Return a picture that was shown recently, or None if it would have to be decoded."""
        return self._pictures.preview(source_of(key))

    def list_pictures(self, pictures: Iterable[ListedPicture]) -> None:
        """Append pictures to the list; one whose file has changed replaces its former entry."""
        if self._pictures.add(pictures):
            self.changed.emit(self.all)

    def add(self, picture: ImageInfo, select: bool = True) -> None:
        """Add a decoded picture unless it is listed, cache its preview and, by default, select it."""
        self._pictures.keep_preview(picture)
        self.list_pictures([picture.listed])
        if select:
            self.select(picture.key)

    def replace(self, key: str, picture: ImageInfo) -> None:
        """Put another view of a picture in its place, in the same framing; do nothing if it was closed."""
        if self.row(key) is None:
            return
        was_chosen = self._chosen is not None and self._chosen.key == key
        self.framings.follow_replacement(key, picture)
        if self._pictures.replace(key, picture.listed):
            self.changed.emit(self.all)
        self._pictures.keep_preview(picture)
        if was_chosen:
            self._choose(picture.listed)
            self._shown = picture
            self._show(picture, True)

    def remove(self, keys: Collection[str]) -> None:
        """Remove pictures; if the chosen one is among them, select the next one that remains."""
        chosen = self._chosen
        neighbours = () if chosen is None else self._pictures.neighbours(chosen.key)
        if self._pictures.remove(keys):
            self.changed.emit(self.all)
        self.closed.emit(keys)
        if chosen is not None and self.row(chosen.key) is None:
            left = next((each for each in neighbours if each.key not in keys), None)
            if left is not None:
                self.select(left.key)
            else:
                self._choose(None)
                self._shown = None
                self._show(None, False)

    def select(self, key: str) -> None:
        """Make an opened picture the current one once it is decoded; raise KeyError if it is not open."""
        key = source_of(key)
        self._choose(self._pictures.picture(key))
        if self._shown is not None and source_of(self._shown.key) == key:
            return
        preview = self._pictures.preview(key)
        if preview is not None:
            self._shown = preview
            self._show(preview, False)

    def show_frame(self, frame: ImageInfo) -> None:
        """Take note that a frame of a live source, which is listed, is shown now."""
        self._shown = frame
        self._choose(self._pictures.picture(source_of(frame.key)))

    def give_up_choice(self) -> None:
        """Choose the picture that is shown again, because the chosen one will not be decoded."""
        row = None if self._shown is None else self.row(self._shown.key)
        self._choose(None if row is None else self.all[row])

    def step(self, step: int) -> None:
        """Choose the picture `step` rows further on, stopping at the ends of the list."""
        stepped = None if self._chosen is None else self._pictures.stepped(self._chosen.key, step)
        if stepped is not None:
            self.select(stepped.key)

    def _choose(self, picture: ListedPicture | None) -> None:
        if picture != self._chosen:
            self._chosen = picture
            self.picture_chosen.emit(picture)


class PictureFramings:
    """What networks are shown of each picture, and which frame and bands of it people see; it needs no Qt.

    The kind of framing and its size are the same for all pictures. A box belongs to one picture.
    """

    def __init__(self) -> None:
        self._framing = TRAINED
        self._boxes: dict[str, PictureBox] = {}
        self._views: dict[str, PictureView] = {}

    def framing_of(self, key: str | None) -> Framing:
        """Return what networks are shown of a picture; with None, of one that has no box."""
        return self._framing if key is None else replace(self._framing, box=self.box_of(key))

    def image_of(self, key: str) -> str:
        """Return the key of a picture in its framing."""
        return framed(key, self.framing_of(key))

    def set_framing(self, framing: Framing, picture: ImageInfo | None) -> None:
        """Set the framing of all pictures, and its box for this one."""
        self._framing = replace(framing, box=None)
        if picture is not None:
            key = source_of(picture.key)
            self._boxes.pop(key, None)
            if framing.box is not None:
                self._boxes[key] = box_within(framing.box, picture.size)

    def box_of(self, key: str) -> PictureBox | None:
        """Return the box that networks are shown of a picture, or None."""
        return self._boxes.get(source_of(key))

    def put_box(self, key: str, box: PictureBox | None) -> None:
        """Set the box of a picture that is not shown yet, as saved in a session."""
        if box is not None:
            self._boxes[key] = box

    def view_of(self, key: str) -> PictureView:
        """Return which frame and bands of a picture are shown."""
        return self._views.get(source_of(key), WHOLE)

    def follow_replacement(self, key: str, picture: ImageInfo) -> None:
        """Keep the box of a picture for the one that takes its place, and remember how that one is viewed."""
        box = self._boxes.pop(key, None)
        if box is not None:
            self._boxes[picture.key] = box
        self._views[picture.key] = picture.view
