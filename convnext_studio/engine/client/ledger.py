"""Keeps track of requests and of what the engine has open, to bring a new engine to the same state.

An engine may die at any time. The ledger knows the unanswered requests, the model that the engine has open and
the sources of its pictures, so a new engine can continue where the old one stopped. The new engine is only told
which pictures there are, since there may be thousands, and decodes them when they are needed. There are no
threads or processes here.
"""

import itertools
from collections.abc import Callable

import msgspec
from msgspec import Struct

from convnext_studio.protocol.envelope import (
    Cancel,
    Cancelled,
    Done,
    EngineLost,
    EngineReady,
    Failed,
    Logged,
    Message,
    Network,
    Payload,
    Progress,
    Request,
    Started,
)
from convnext_studio.protocol.interventions import Intervene
from convnext_studio.protocol.models import (
    CloseModel,
    KeepWithin,
    LoadModel,
    ModelInfo,
    NameClasses,
    SaveModel,
    SwapModels,
)
from convnext_studio.protocol.pictures import (
    CloseImage,
    ImageInfo,
    ListedPictures,
    OpenImage,
    OpenRetouched,
    PictureSource,
    RestorePictures,
    ShowPicture,
    is_needed,
)

_DEATHS_PER_REQUEST = 2
# What is restored was opened successfully before, so it gets one more attempt; after that, the model is tried
# again when a new request arrives.
_DEATHS_PER_RESTORED = 3
_DEATHS_IN_A_ROW = 5

# These change what the engine has open, or write a file. If one is cancelled just as it finishes, the window
# must learn that it was done, so its cancellation waits for the engine's answer; others are cancelled at once.
_CHANGES_MODELS = (LoadModel, Intervene, NameClasses, CloseModel, SwapModels)
_LEAVES_A_MARK = (*_CHANGES_MODELS, OpenImage, OpenRetouched, ShowPicture, CloseImage, SaveModel)


class _Entry(Struct, eq=False):
    """A request, its answer if there is one, and how many engines have died while running it."""

    request: Request
    payload: Payload = None
    deaths: int = 0
    cancelled: bool = False


class Ledger:
    """A record of the unanswered requests and of what the engine has open; not thread-safe.

    Each request gets exactly one of `Done`, `Failed` and `Cancelled`, and nothing after it.

    Parameters
    ----------
    to_engine
        Sends a message to the engine; called only while one is connected.
    to_listener
        Passes a message on to the listener.
    """

    def __init__(
        self, to_engine: Callable[[Request | Cancel], None], to_listener: Callable[[Message], None]
    ) -> None:
        self._to_engine = to_engine
        self._to_listener = to_listener
        self._ids = itertools.count(1)
        self._wanted: dict[int, _Entry] = {}
        self._models: dict[Network, _Entry] = {}
        self._given_up: dict[Network, _Entry] = {}
        self._pictures: dict[str, PictureSource] = {}
        self._kept_within: KeepWithin | None = None
        self._deaths_in_a_row = 0
        self._restarted = False
        self._connected = False
        # The state of the connected engine: what it is reopening, which requests it has begun but not finished
        # (the last one is running, the others have yielded), and what it has reported about itself.
        self._restoring: dict[int, _Entry] = {}
        self._begun: dict[int, None] = {}
        self._is_ready = False
        self._why_not_started = ""
        self._lacking = ""  # What could not be reopened; kept until another model is opened.

    @property
    def has_unanswered(self) -> bool:
        """Whether any request is still unanswered."""
        return bool(self._wanted)

    def ask(self, request: Request) -> int:
        """Record a request, cancel the one it replaces, send it if there is an engine, and return its id."""
        request = msgspec.structs.replace(request, id=next(self._ids))
        if request.replaces:
            for other in [entry.request for entry in self._wanted.values()]:
                is_of_same = other.panel == request.panel and other.network == request.network
                if type(other) is type(request) and is_of_same:
                    self.cancel(other.id)
        given_up = (
            None if isinstance(request, LoadModel | Intervene) else self._given_up.pop(request.network, None)
        )
        if given_up is not None:
            model = self._models[request.network] = _Entry(given_up.request, given_up.payload)
            if self._connected:
                self._restore(model)
        self._wanted[request.id] = _Entry(request)
        if self._connected:
            self._to_engine(request)
        return request.id

    def cancel(self, identifier: int) -> None:
        """Cancel a request; do nothing if it was already answered."""
        entry = self._wanted.get(identifier)
        if entry is None or entry.cancelled:
            return
        if self._connected:
            self._to_engine(Cancel(id=identifier))
        if self._connected and isinstance(entry.request, _LEAVES_A_MARK):
            entry.cancelled = True
        else:
            self._cancelled(identifier)

    def cancel_all(self) -> None:
        """Answer all requests with `Cancelled`, because there will be no engine any more."""
        for identifier in list(self._wanted):
            self._cancelled(identifier)

    def connected(self) -> None:
        """Have a new engine reopen what the previous one had open, then handle the unanswered requests."""
        self._connected = True
        entries = [_Entry(self._kept_within)] if self._kept_within is not None else []
        entries += self._models.values()
        if self._pictures:
            entries.append(_Entry(RestorePictures(sources=dict(self._pictures))))
        # A change may need another picture and the network that it changes.
        entries.sort(key=lambda entry: isinstance(entry.request, Intervene))
        for entry in entries:
            self._restore(entry)
        for entry in self._wanted.values():
            self._to_engine(entry.request)

    def received(self, message: object) -> None:
        """Handle a message from the engine: pass it on if its request is still wanted."""
        match message:
            case Started():
                self._begun[message.id] = None
                self._pass_on(message)
            case Progress():
                self._pass_on(message)
            case Done() | Failed() | Cancelled():
                self._begun.pop(message.id, None)
                if (entry := self._restoring.pop(message.id, None)) is not None:
                    self._restored(entry, message)
                else:
                    self._answered(message)
            case EngineReady():
                self._is_ready = True
                self._announce_ready()
            case Logged():
                self._to_listener(message)
            case EngineLost():
                self._why_not_started = message.message

    def died(self, reason: str) -> bool:
        """Handle the engine's death; return whether to start a new one. `reason` is part of a sentence."""
        self._connected = False
        self._restarted = True
        self._deaths_in_a_row += 1
        culprit = next(reversed(self._begun), None)
        restoring, self._restoring = self._restoring, {}
        self._begun = {}
        self._is_ready = False
        why_not_started, self._why_not_started = self._why_not_started, ""
        for identifier in [key for key, entry in self._wanted.items() if entry.cancelled]:
            self._cancelled(identifier)
        if why_not_started:
            return self._give_up(why_not_started)
        if self._deaths_in_a_row >= _DEATHS_IN_A_ROW:
            times = f"{_DEATHS_IN_A_ROW} times in a row"
            return self._give_up(f"The engine stopped unexpectedly {times} ({reason}), so it is not restarted.")
        self._to_listener(
            EngineLost(message=f"The engine stopped unexpectedly ({reason}) and is being restarted.")
        )
        if culprit in self._wanted:
            self._blame(culprit)
        elif culprit in restoring:
            self._blame_restored(restoring[culprit])
        return True

    # ------------------------------------------------------------------------------------------ answers

    def _pass_on(self, message: Started | Progress) -> None:
        entry = self._wanted.get(message.id)
        if entry is not None and not entry.cancelled:
            self._to_listener(message)

    def _answered(self, message: Done | Failed | Cancelled) -> None:
        self._deaths_in_a_row = 0
        entry = self._wanted.pop(message.id, None)
        if entry is None:
            return
        if isinstance(message, Done):
            self._remember(entry.request, message.payload)
        elif entry.cancelled:
            message = Cancelled(id=message.id)
        self._to_listener(message)

    def _remember(self, request: Request, payload: Payload) -> None:
        if isinstance(request, KeepWithin):
            self._kept_within = request
        self._remember_models(request, payload)
        self._remember_pictures(request, payload)

    def _remember_models(self, request: Request, payload: Payload) -> None:
        match request:
            case LoadModel() | Intervene():
                self._models[request.network] = _Entry(request, payload)
                self._given_up.pop(request.network, None)
                self._lacking = ""
            case NameClasses():
                if (entry := self._models.get(request.network)) is not None:
                    named = msgspec.structs.replace(entry.request, labels=request.labels)
                    self._models[request.network] = _Entry(named, payload)
            case CloseModel():
                for known in (self._models, self._given_up):
                    known.pop(request.network, None)
            case SwapModels():
                self._models, self._given_up = _swapped(self._models), _swapped(self._given_up)

    def _remember_pictures(self, request: Request, payload: Payload) -> None:
        match request, payload:
            case OpenImage(), ImageInfo():
                self._pictures[payload.key] = PictureSource(request.path, payload.name, request.data)
            case OpenRetouched(), ImageInfo():
                self._pictures[payload.key] = PictureSource(
                    "", payload.name, of=request.image, retouches=request.retouches
                )
            case ShowPicture(), ImageInfo():
                # The key is a new one if the file had changed, or for another view of it.
                source = self._pictures.pop(request.image, PictureSource(payload.path, payload.name))
                self._pictures[payload.key] = msgspec.structs.replace(source, view=payload.view)
            case _, ListedPictures():
                for listed in payload.pictures:
                    self._pictures[listed.key] = PictureSource(listed.path, listed.name)
            case CloseImage(), _:
                for key in request.images:
                    if not is_needed(key, self._pictures, request.images):
                        self._pictures.pop(key, None)

    def _cancelled(self, identifier: int) -> None:
        del self._wanted[identifier]
        self._to_listener(Cancelled(id=identifier))

    # ---------------------------------------------------------------------------------------- restoring

    def _restore(self, entry: _Entry) -> None:
        request = msgspec.structs.replace(entry.request, id=next(self._ids))
        self._restoring[request.id] = entry
        self._to_engine(request)

    def _restored(self, entry: _Entry, message: Done | Failed | Cancelled) -> None:
        entry.deaths = 0
        match message, entry.payload:
            case Done(payload=ModelInfo() as new), ModelInfo() as old if new.device_name != old.device_name:
                self._tell(f"The new engine runs the model on {new.device_name}, not on {old.device_name}.")
            case Failed(), _:
                self._forget(entry, message.message)
        self._announce_ready()

    def _announce_ready(self) -> None:
        if self._is_ready and not self._restoring:
            self._to_listener(EngineReady(restarted=self._restarted, lacking=self._lacking))

    def _forget(self, entry: _Entry, why: str) -> None:
        if isinstance(entry.request, LoadModel | Intervene):
            what = entry.request.source if isinstance(entry.request, LoadModel) else "the changed network"
            if self._models.get(entry.request.network) is entry:
                del self._models[entry.request.network]
        elif isinstance(entry.request, KeepWithin):
            what, self._kept_within = "its caches", None
        else:
            what, self._pictures = "the pictures", {}
        self._lacking = f"The new engine could not reopen {what}: {why.rstrip('.')}."
        self._tell(self._lacking)

    def _tell(self, sentence: str) -> None:
        # This is sent before EngineReady, because the new engine is still restoring the old one's state.
        self._to_listener(EngineLost(message=sentence))

    # ------------------------------------------------------------------------------------------- deaths

    def _blame(self, identifier: int) -> None:
        entry = self._wanted[identifier]
        entry.deaths += 1
        if entry.deaths >= _DEATHS_PER_REQUEST:
            del self._wanted[identifier]
            self._to_listener(
                Failed(
                    id=identifier,
                    message="This stopped the engine twice, so it is not tried again.",
                    hint="Use a smaller input, a smaller model or the CPU.",
                )
            )

    def _blame_restored(self, entry: _Entry) -> None:
        entry.deaths += 1
        if entry.deaths >= _DEATHS_PER_RESTORED:
            if self._models.get(entry.request.network) is entry:
                self._given_up[entry.request.network] = entry
            self._forget(entry, "it stopped the engine three times")

    def _give_up(self, sentence: str) -> bool:
        self._deaths_in_a_row = 0
        self._to_listener(EngineLost(message=sentence, restarting=False))
        for identifier in list(self._wanted):
            del self._wanted[identifier]
            self._to_listener(
                Failed(id=identifier, message=sentence, hint="Repeat the request to start a new one.")
            )
        return False


def _swapped(entries: dict[Network, _Entry]) -> dict[Network, _Entry]:
    """Return the entries of the networks with A and B exchanged."""
    others: dict[Network, Network] = {"A": "B", "B": "A"}
    swapped = {}
    for network, entry in entries.items():
        request = msgspec.structs.replace(entry.request, network=others[network])
        swapped[others[network]] = _Entry(request, entry.payload)
    return swapped
