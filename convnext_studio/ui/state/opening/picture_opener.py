"""Opens pictures: lists them first, even thousands of them, and decodes each when it is looked at."""

from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path

from msgspec import Struct, field
from PySide6.QtCore import QObject, Signal

from convnext_studio.common.samples import SAMPLE_PREFIX
from convnext_studio.decoding.picture_view import WHOLE, PictureView
from convnext_studio.protocol.envelope import Failed, Payload
from convnext_studio.protocol.pictures import (
    CheckedPictures,
    CheckPictures,
    CloseImage,
    ImageInfo,
    ListedPicture,
    ListedPictures,
    ListPictures,
    OpenImage,
    PictureFailure,
    ShowPicture,
)
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.state.settings import SettingsFile, latest_first
from convnext_studio.ui.widgets.message_bar import Notice

PICTURES = "pictures"
MOST_DECODED = 64
"""So many pictures are decoded soon after they were opened, so that damaged ones are told together."""


class Batch(Struct, eq=False):
    """Pictures that were opened in one action.

    Attributes
    ----------
    count
        Number of pictures that were found, including broken ones.
    failures
        Failures by path, in the order in which they were found.
    """

    count: int = 0
    failures: dict[str, PictureFailure] = field(default_factory=dict)

    @property
    def notice(self) -> Notice:
        """All failures combined in one notice."""
        failures = list(self.failures.values())
        first = failures[0]
        if self.count == 1:
            return Notice(PICTURES, first.message, first.hint, (first.message,), path=first.path)
        told = tuple(failure.message for failure in failures)
        message = f"{len(failures):,} of {self.count:,} could not be opened: {first.message}"
        hint = first.hint if len(failures) == 1 else ""
        return Notice(PICTURES, message, hint, told, path=first.path)


class _Closed(Struct, frozen=True):
    """Pictures that can be brought back.

    Attributes
    ----------
    before
        All pictures that were open.
    pictures
        Those of them that were closed.
    chosen
        The one that was the current one.
    """

    before: tuple[ListedPicture, ...]
    pictures: tuple[ListedPicture, ...]
    chosen: ListedPicture | None


class PictureOpener(QObject):
    """Requests pictures from the engine and adds them to the state.

    A path is only passed on, and the engine lists what it finds there. A picture is decoded when it is chosen;
    the first ones are also read through in the background, to find those that are damaged.
    Broken pictures are removed again, and reported in one notice for all that were opened together.

    Attributes
    ----------
    first_view
        Which frame and bands of pictures are shown at first.
    """

    noticed = Signal(object)  # Notice
    succeeded = Signal(str)  # topic whose notice is to be withdrawn

    def __init__(
        self, state: AppState, bridge: EngineBridge, settings: SettingsFile, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._state = state
        self._bridge = bridge
        self._settings = settings
        self._batches: dict[str, Batch] = {}  # By the key of each picture that may still be broken.
        self._decoding = 0
        self.first_view = WHOLE
        self._closed: _Closed | None = None
        state.opened.picture_chosen.connect(self._decode_chosen)

    def open_paths(self, paths: Sequence[str]) -> None:
        """Open picture files and folders, and show the first picture."""
        if paths:
            self._bridge.ask(
                ListPictures(panel=PICTURES, paths=tuple(paths)),
                self._listed,
                on_failure=lambda failed: self._tell(failed.message, failed.hint),
            )

    def open_data(self, data: bytes, name: str) -> None:
        """Open an encoded picture."""
        self._bridge.ask(
            OpenImage(panel=PICTURES, data=data, name=name),
            self._opened,
            on_failure=lambda failed: self._tell(failed.message, failed.hint),
        )

    def add(self, pictures: Sequence[ListedPicture], select: ListedPicture | None) -> None:
        """Add listed pictures and show `select`; with None, keep the current picture if there is one."""
        self._state.opened.list_pictures(pictures)
        if select is not None or self._state.opened.chosen is None:
            self._state.opened.select((select or pictures[0]).key)

    def refuse(self, failure: PictureFailure) -> None:
        """Remove a picture that turned out to be broken, and report it together with its batch."""
        if self._state.opened.row(failure.key) is not None:
            self._refuse(self._batches.get(failure.key) or Batch(count=1), [failure])

    def close(self, keys: Iterable[str]) -> None:
        """Remove pictures from the state and from the engine."""
        images = tuple(keys)
        if images:
            self._bridge.ask(CloseImage(images=images), lambda _: None)
            for key in images:
                self._batches.pop(key, None)
            self._state.opened.remove(set(images))

    # ------------------------------------------------------------------------------- closing and reopening

    @property
    def can_reopen(self) -> bool:
        """Whether there are closed pictures to bring back."""
        return self._closed is not None

    def close_for_now(self, pictures: Sequence[ListedPicture]) -> None:
        """Close pictures so that `reopen` brings them back; those without a file are kept by the engine."""
        if not pictures:
            return
        self._forget_closed()
        self._closed = _Closed(self._state.opened.all, tuple(pictures), self._state.opened.chosen)
        self.close([picture.key for picture in pictures if picture.path])
        self._state.opened.remove({picture.key for picture in pictures})
        if len(pictures) > 1:
            message = f"{len(pictures):,} pictures were closed."
            self.noticed.emit(Notice(PICTURES, message, "Ctrl+Z opens them again.", good=True))

    def reopen(self) -> None:
        """Open the pictures again that were closed last, in their former order."""
        closed, self._closed = self._closed, None
        if closed is None:
            return
        self.succeeded.emit(PICTURES)
        paths = tuple(picture.path for picture in closed.pictures if picture.path)
        if paths:
            self._bridge.ask(
                ListPictures(panel=PICTURES, paths=paths),
                partial(self._reopened, closed),
                on_failure=lambda failed: self._tell(failed.message, failed.hint),
            )
        else:
            self._reopened(closed, ListedPictures(pictures=(), checked=0))

    def _reopened(self, closed: "_Closed", answer: Payload) -> None:
        if not isinstance(answer, ListedPictures):
            return
        listed = {picture.path: picture for picture in answer.pictures}
        back = [listed.get(each.path, each) for each in closed.pictures if not each.path or each.path in listed]
        if answer.failures:
            batch = Batch(len(closed.pictures), {failure.path: failure for failure in answer.failures})
            self.noticed.emit(batch.notice)
        if not back:
            return
        # Adding appends, so the pictures that stayed open are listed again where they were.
        by_path = {picture.path: picture for picture in back if picture.path}
        by_key = {picture.key: picture for picture in (*back, *self._state.opened.all)}
        before = [by_path.get(each.path) or by_key.get(each.key) for each in closed.before]
        ordered = [picture for picture in before if picture is not None]
        ordered += [picture for picture in self._state.opened.all if picture not in ordered]
        self._state.opened.remove({picture.key for picture in self._state.opened.all})
        chosen = closed.chosen
        select = next((each for each in ordered if chosen and each.path == chosen.path), ordered[0])
        self.add(ordered, select)

    def _forget_closed(self) -> None:
        """Let the engine close what was kept for `reopen`."""
        closed, self._closed = self._closed, None
        if closed is not None:
            self.close([picture.key for picture in closed.pictures if not picture.path])

    # -------------------------------------------------------------------------------------------- listing

    def _listed(self, answer: Payload) -> None:
        if not isinstance(answer, ListedPictures):
            return
        pictures = answer.pictures
        batch = Batch(
            count=len(pictures) + len(answer.failures),
            failures={failure.path: failure for failure in answer.failures},
        )
        if batch.failures:
            self.noticed.emit(batch.notice)
        elif pictures:
            self.succeeded.emit(PICTURES)
        if not pictures:
            return
        self._forget_closed()
        self._remember(answer)
        self._batches.update((picture.key, batch) for picture in pictures)
        keys = tuple(picture.key for picture in pictures)
        self.add(pictures, pictures[0])
        # The first one is decoded in any case, because it is shown.
        first, others = keys[1:MOST_DECODED], keys[max(answer.checked, MOST_DECODED) :]
        for request in (CheckPictures(images=first, decodes=True), CheckPictures(images=others)):
            if request.images:
                self._bridge.ask(request, partial(self._checked, batch))

    def _checked(self, batch: Batch, answer: Payload) -> None:
        if isinstance(answer, CheckedPictures) and answer.failures:
            self._refuse(batch, answer.failures)

    def _refuse(self, batch: Batch, failures: Sequence[PictureFailure]) -> None:
        """Remove broken pictures, and report them with the earlier failures of their batch."""
        batch.failures.update((failure.path, failure) for failure in failures)
        self.noticed.emit(batch.notice)
        self.close([failure.key for failure in failures])

    def _remember(self, answer: ListedPictures) -> None:
        """Remember the folders that were opened, or the files if there were no folders, as recent."""
        values = self._settings.values
        folders, files = values.recent_folders, values.recent_pictures
        for folder in answer.folders:
            folders = latest_first(_absolute(folder), folders)
        if not answer.folders:
            for picture in answer.pictures:
                if not picture.path.startswith(SAMPLE_PREFIX):
                    files = latest_first(_absolute(picture.path), files)
        self._settings.update(recent_folders=folders, recent_pictures=files)

    # ------------------------------------------------------------------------------------------- decoding

    def _decode_chosen(self, picture: ListedPicture | None) -> None:
        """Have the chosen picture decoded, unless it is shown or its preview is cached."""
        shown = self._state.picture
        if picture is None or (shown is not None and shown.key == picture.key):
            return
        if self._state.opened.preview(picture.key) is None:
            identifier = self._decoding = self._bridge.ask(
                ShowPicture(panel=PICTURES, image=picture.key, view=self._view_of(picture)),
                partial(self._shown, picture),
                on_failure=partial(self._not_shown, picture),
                # Also called for a request that a newer choice replaced, whose id is no longer current.
                on_cancel=lambda: self._give_up(picture) if identifier == self._decoding else None,
            )

    def _view_of(self, picture: ListedPicture) -> PictureView | None:
        """Return the view that the command line asks for, until the picture was shown so."""
        is_shown = self._state.opened.framings.view_of(picture.key) != WHOLE
        return None if self.first_view == WHOLE or is_shown else self.first_view

    def _shown(self, picture: ListedPicture, answer: Payload) -> None:
        """Add a decoded picture unless it was closed, and select it if it is still the chosen one."""
        if self._state.opened.row(picture.key) is None:
            return
        if isinstance(answer, PictureFailure):
            self.refuse(answer)
        elif isinstance(answer, ImageInfo):
            chosen = self._state.opened.chosen
            if answer.view != self._state.opened.framings.view_of(picture.key):
                self._state.opened.replace(picture.key, answer)
            else:
                self._state.opened.add(answer, select=chosen is not None and chosen.key == picture.key)

    def _not_shown(self, picture: ListedPicture, failed: Failed) -> None:
        """Report a failure of the engine, which says nothing about the picture."""
        self._give_up(picture)
        self._tell(failed.message, failed.hint)

    def _give_up(self, picture: ListedPicture) -> None:
        """Choose the picture that is shown again, so that this one can be chosen once more."""
        if self._state.opened.chosen == picture:
            self._state.opened.give_up_choice()

    def _opened(self, answer: Payload) -> None:
        if isinstance(answer, ImageInfo):
            self.succeeded.emit(PICTURES)
            self._state.opened.add(answer)

    def _tell(self, message: str, hint: str) -> None:
        self.noticed.emit(Notice(PICTURES, message, hint))


def _absolute(path: str) -> str:
    return str(Path(path).absolute())
