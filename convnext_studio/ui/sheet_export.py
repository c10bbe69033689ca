"""Saving a contact sheet: its pictures, of which not all are decoded here, are collected first."""

from collections.abc import Callable
from functools import partial

from convnext_studio.engine.messages import Explanation, Failed, ImageInfo, Payload, Thumbnail, ThumbnailPixels
from convnext_studio.ui.bridge import EngineBridge
from convnext_studio.ui.state import AppState

TILE_PX = 320


class SheetPictures:
    """The pictures of some explanations, in the size of a sheet's tile; calls back once all are there.

    Parameters
    ----------
    on_done
        Gets them, in the order of the explanations.
    on_failure, on_cancel
        The first gets the engine's first refusal, the other is called where somebody stops it; nothing comes
        after either.
    """

    def __init__(
        self,
        state: AppState,
        bridge: EngineBridge,
        explanations: tuple[Explanation, ...],
        on_done: Callable[[tuple[ImageInfo, ...]], None],
        on_failure: Callable[[Failed], None],
        on_cancel: Callable[[], None],
    ) -> None:
        self._state = state
        self._explanations = {each.image: each for each in explanations if state.row(each.image) is not None}
        self._pictures: dict[str, ImageInfo] = {}
        self._on_done = on_done
        self._on_failure = on_failure
        self._on_cancel = on_cancel
        self._is_over = False
        for key in self._explanations:
            shown = state.preview(key)
            if shown is not None:
                self._pictures[key] = shown
            else:
                request = Thumbnail(panel="contact_sheet_file", image=key, longest_px=TILE_PX)
                bridge.ask(request, partial(self._receive, key), on_failure=self._fail, on_cancel=self._stop)
        self._finish_if_complete()

    def _receive(self, key: str, payload: Payload) -> None:
        row = self._state.row(key)
        if isinstance(payload, ThumbnailPixels) and row is not None:
            picture = self._state.pictures[row]
            self._pictures[key] = ImageInfo(
                key=key,
                name=picture.name,
                path=picture.path,
                size=self._explanations[key].geometry.picture_size,
                notes=(),
                preview=payload.pixels,
                thumbnail=payload.pixels,
            )
            self._finish_if_complete()

    def _fail(self, failed: Failed) -> None:
        if not self._is_over:
            self._is_over = True
            self._on_failure(failed)

    def _stop(self) -> None:
        if not self._is_over:
            self._is_over = True
            self._on_cancel()

    def _finish_if_complete(self) -> None:
        if len(self._pictures) == len(self._explanations) and not self._is_over:
            self._on_done(tuple(self._pictures[key] for key in self._explanations))
