"""The changed pictures as entries of their own among the opened ones, such as "coffee, 2 changes"."""

from functools import partial

from PySide6.QtCore import QObject, QTimer

from convnext_studio.common.retouches import Retouch
from convnext_studio.protocol.envelope import Payload
from convnext_studio.protocol.pictures import CloseImage, ImageInfo, OpenRetouched
from convnext_studio.render import pluralize
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge

_WAIT_MS = 200


class RetouchedPictures(QObject):
    """Keeps an entry for each changed picture, which follows its changes as soon as no brush is held."""

    def __init__(self, state: AppState, bridge: EngineBridge, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._state = state
        self._bridge = bridge
        self._asked: dict[str, tuple[Retouch, ...]] = {}
        self._entries: dict[str, str] = {}
        self._soon = QTimer(self, singleShot=True, interval=_WAIT_MS)
        self._soon.timeout.connect(self._update)
        state.interventions.changed.connect(lambda _chain: self._soon.start())
        state.interventions.released.connect(self._soon.start)

    @property
    def is_settled(self) -> bool:
        """Whether all entries are up to date."""
        return not self._soon.isActive()

    @property
    def entries(self) -> frozenset[str]:
        """The keys of all entries."""
        return frozenset(self._entries.values())

    def entry_of(self, key: str) -> str:
        """Return the key of the entry of a changed picture; empty if it has none (yet)."""
        return self._entries.get(key, "")

    def original_of(self, key: str) -> str:
        """Return the key of the picture that an entry is made of; its own for any other picture."""
        return next((own for own, entry in self._entries.items() if entry == key), key)

    def _update(self) -> None:
        if self._state.interventions.is_held:
            return
        made = {
            key: tuple(each for each in retouches if each.enabled)
            for key, retouches in self._state.interventions.recipe.retouched
        }
        wanted = {key: retouches for key, retouches in made.items() if retouches}
        for key in [key for key in self._asked if key not in wanted]:
            del self._asked[key]
            self._close(self._entries.pop(key, ""))
        for key, retouches in wanted.items():
            row = self._state.opened.row(key)
            if row is not None and self._asked.get(key) != retouches:
                self._asked[key] = retouches
                name = f"{self._state.opened.all[row].name}, {pluralize(len(retouches), 'change')}"
                self._bridge.ask(
                    OpenRetouched(panel=f"retouched {key}", image=key, retouches=retouches, name=name),
                    partial(self._opened, key, retouches),
                )

    def _opened(self, key: str, retouches: tuple[Retouch, ...], answer: Payload) -> None:
        if not isinstance(answer, ImageInfo):
            return
        if self._asked.get(key) != retouches:  # There are others by now, or none any more.
            self._close(answer.key)
            return
        former, self._entries[key] = self._entries.get(key, ""), answer.key
        if former and self._state.opened.row(former) is not None:
            self._state.opened.replace(former, answer)
            if former != answer.key:
                self._bridge.ask(CloseImage(images=(former,)), lambda _: None)
        else:
            self._state.opened.add(answer, select=False)

    def _close(self, entry: str) -> None:
        if entry and entry not in self._entries.values():
            self._bridge.ask(CloseImage(images=(entry,)), lambda _: None)
            self._state.opened.remove({entry})
