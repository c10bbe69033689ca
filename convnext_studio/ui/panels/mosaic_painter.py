"""Colours mosaics in a thread, and keeps those that were seen lately."""

from collections.abc import Callable, Collection, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject

from convnext_studio.render import Mosaic
from convnext_studio.ui.newest import Newest
from convnext_studio.ui.panels.mosaic_painting import Look, Painting, Subject, paint
from convnext_studio.ui.recent import Recent

KEPT_BYTES = 192 << 20

Paintings = tuple[Painting, ...]
OnPainted = Callable[[Paintings], None]


class MosaicPainter(QObject):
    """Gives the painting asked for last: at once where it is kept, or else from a thread.

    Parameters
    ----------
    on_painted
        Gets what was asked for last.
    """

    def __init__(self, on_painted: OnPainted, owner: QObject) -> None:
        super().__init__(owner)
        self._on_painted = on_painted
        self._newest = Newest(owner)
        self._kept: Recent[Paintings] = Recent(KEPT_BYTES)
        self._wanted: object = None
        self._shown: object = None

    @property
    def is_busy(self) -> bool:
        """Whether what was asked for is not there yet."""
        return self._wanted is not None

    def ask(
        self,
        subjects: Sequence[Subject],
        mosaics: Sequence[Mosaic],
        look: Look,
        scores: NDArray[np.floating] | None,
    ) -> None:
        """Want a painting, as `paint` says; nothing happens where it was the last one given."""
        key = (*subjects, *mosaics, look)
        kept = self._kept.get(key)
        if kept is not None:
            self._wanted = None
            if key != self._shown:
                self._shown = key
                self._on_painted(kept)
        elif key != self._wanted:
            self._wanted = key
            work = partial(paint, tuple(subjects), tuple(mosaics), look, scores)
            self._newest.run(work, partial(self._keep, key))

    def forget_all_but(self, pictures: Collection[str]) -> None:
        """Keep only what is of pictures with these keys: the others were closed."""
        self._kept.keep_only(
            lambda paintings: all(painting.subject.picture.key in pictures for painting in paintings)
        )

    def forget(self) -> None:
        """Keep nothing: the model is another one."""
        self._kept.clear()

    def _keep(self, key: object, paintings: Paintings) -> None:
        self._kept.put(key, paintings, sum(painting.size_bytes for painting in paintings))
        if key == self._wanted:
            self._wanted, self._shown = None, key
            self._on_painted(paintings)
