"""Has the engine open what the recipe makes: the changed network as B, and changed pictures as entries."""

from functools import partial

from PySide6.QtCore import QObject, QTimer, Signal

from convnext_studio.common.recipe import Recipe
from convnext_studio.common.retouches import Retouch
from convnext_studio.protocol.envelope import Payload
from convnext_studio.protocol.interventions import ChangedLogits, ChangedLogitsResult, Intervene
from convnext_studio.protocol.models import CloseModel, ModelInfo
from convnext_studio.protocol.pictures import CloseImage, ImageInfo, OpenRetouched
from convnext_studio.render import pluralize
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.state.following_query import FollowingQuery
from convnext_studio.ui.state.query import Query

_PANEL = "interventions"
_PAUSE_MS = 150
"""How long a hand that holds a slider has to rest until all views follow; the prediction follows at once."""
_WAIT_MS = 200


class ChangedNetwork(QObject):
    """Keeps the network B what the changes make of A, and its prediction up to date while a change is dragged.

    Attributes
    ----------
    failure
        Why the changes cannot be made; empty if they are.
    """

    told = Signal(str)  # Why the changes cannot be made; empty if they are.

    def __init__(self, state: AppState, bridge: EngineBridge, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._state = state
        self._bridge = bridge
        self._query = Query(bridge, self._opened, self._refuse, parent=self)
        self._live = FollowingQuery(bridge, self._follow_live, self._refuse, self)
        self._pause = QTimer(self, singleShot=True, interval=_PAUSE_MS)
        self._pause.timeout.connect(self._apply)
        self.failure = ""
        interventions = state.interventions
        interventions.changed.connect(self._follow)
        interventions.released.connect(self._apply)
        state.model_loaded.connect(self._begin_anew)
        state.picture_selected.connect(self._apply)
        state.opened.changed.connect(self._forget_closed)
        state.second.model_changed.connect(self._see_other)

    @property
    def is_settled(self) -> bool:
        """Whether the network B is what the recipe says."""
        return not (self._query.is_running or self._live.is_running or self._pause.isActive())

    # ------------------------------------------------------------------------------------------- what to ask

    def request(self) -> Intervene | None:
        """Return the request that opens the changed network; None if nothing is changed."""
        recipe, picture = self._state.interventions.recipe.applied, self._state.picture
        if recipe.is_empty:
            return None
        changes = recipe.changes
        fits_picture = any(change.region is not None or change.effect == "patch" for change in changes)
        averages = any(change.effect == "picture mean" for change in changes)
        return Intervene(
            panel=_PANEL,
            network="B",
            changes=changes,
            retouched=recipe.retouched,
            image=picture.key if picture is not None and fits_picture else "",
            images=tuple(each.key for each in self._state.opened.all) if averages else (),
        )

    def live_request(self) -> ChangedLogits | None:
        """Return the request for the prediction on the current picture alone; None if there is none."""
        wanted, picture = self.request(), self._state.picture
        if wanted is None or picture is None or self._state.model is None:
            return None
        return ChangedLogits(
            panel=_PANEL,
            image=picture.key,
            changes=wanted.changes,
            retouched=wanted.retouched,
            images=wanted.images,
        )

    # ------------------------------------------------------------------------------------------------ asking

    def _follow(self, _recipe: Recipe) -> None:
        if not self._state.interventions.is_held:
            self._apply()
            return
        live = self.live_request()
        if live is not None:
            self._live.ask(live)
        self._pause.start()

    def _apply(self, _changed: object = None) -> None:
        """Open the changed network, unless that is what is open; close it if nothing is changed."""
        self._pause.stop()
        wanted, model = self.request(), self._state.model
        if wanted is not None and model is not None:
            self._query.ask(wanted, of=model)
            return
        self._query.drop()
        self._live.drop()
        self._say("")
        if self._state.second.is_changed_first:
            self._close()

    def _opened(self, answer: Payload) -> None:
        if not isinstance(answer, ModelInfo):
            return
        second = self._state.second
        is_first = not second.is_changed_first
        self._say("")
        second.set_model(answer, is_changed_first=True)
        if is_first and second.choice.shown == "first":
            second.choice.choose("second")  # Who changes something wants to see what it does.

    def _refuse(self, sentence: str) -> None:
        """Show nothing as changed, because the changes cannot be made."""
        self._query.drop()
        self._say(sentence)
        if self._state.second.is_changed_first:
            self._close()

    def _close(self) -> None:
        self._state.second.set_model(None)
        self._bridge.ask(CloseModel(panel=_PANEL, network="B"), lambda _: None)

    def _follow_live(self, answer: Payload) -> None:
        picture = self._state.picture
        if not isinstance(answer, ChangedLogitsResult) or picture is None or answer.image != picture.key:
            return
        if not self._query.is_running:
            self._state.second.show_live(answer.probabilities)

    def _say(self, sentence: str) -> None:
        if sentence != self.failure:
            self.failure = sentence
            self.told.emit(sentence)

    # ------------------------------------------------------------------------------------- what else happens

    def _begin_anew(self, _model: ModelInfo) -> None:
        """Make the same changes in another network A."""
        if self._state.second.is_changed_first:  # Nobody is to compare the new network with the old one.
            self._state.second.set_model(None)
        self._apply()

    def _see_other(self, model: ModelInfo | None) -> None:
        """Keep the changes as a list only, once a person has opened another network as B."""
        if model is not None and not self._state.second.is_changed_first:
            self._query.drop()
            self._state.interventions.switch_all_off()

    def _forget_closed(self, _pictures: object) -> None:
        """Forget the changes of pictures that are open no longer; the mean over all pictures is another one."""
        keys = {picture.key for picture in self._state.opened.all}
        recipe = self._state.interventions.recipe
        self._state.interventions.forget_pictures({key for key, _ in recipe.retouched} - keys)
        if any(change.effect == "picture mean" for change in recipe.changes):
            self._apply()


class RetouchedPictures(QObject):
    """Keeps an entry for each changed picture, such as "coffee, 2 changes".

    It follows the changes as soon as no brush is held.
    """

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
