"""What the window has asked of the engine, and what a new engine has to be told: no threads, no processes.

An engine may die at any time. The ledger knows the requests that are not answered yet, the model that an engine
has open and where its pictures come from, and so can put a new one where the old one was. The pictures, of
which there may be thousands, are named to the new engine and decoded when they are needed.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from convnext_studio.protocol.envelope import (
    Cancel,
    Cancelled,
    Done,
    EngineLost,
    EngineReady,
    Failed,
    Logged,
    Message,
    Payload,
    Progress,
    Request,
    Started,
)
from convnext_studio.protocol.models import LoadModel, ModelInfo, SaveModel
from convnext_studio.protocol.pictures import (
    CloseImage,
    ImageInfo,
    ListedPictures,
    OpenImage,
    PictureSource,
    RestorePictures,
    ShowPicture,
)

_DEATHS_PER_REQUEST = 2
# What was open had been opened well before: it is given up later, and tried once more when somebody asks again.
_DEATHS_PER_RESTORED = 3
_DEATHS_IN_A_ROW = 5

# These change what the engine has open, or write a file. If one is cancelled when it is just done, the window
# has to learn that it is: so they are answered with what the engine says, and the others at once.
_LEAVES_A_MARK = (LoadModel, OpenImage, ShowPicture, CloseImage, SaveModel)


@dataclass(slots=True, eq=False)
class _Entry:
    """A request, the answer to it if there is one, and how many engines have died while running it."""

    request: Request
    payload: Payload = None
    deaths: int = 0
    cancelled: bool = False


class Ledger:
    """The unanswered requests and what is open. Not thread-safe.

    Each request gets exactly one of `Done`, `Failed` and `Cancelled`, and nothing after it.

    Parameters
    ----------
    to_engine
        Sends to the engine; called only while one is connected.
    to_listener
        Passes a message on to whoever asks.
    """

    def __init__(
        self, to_engine: Callable[[Request | Cancel], None], to_listener: Callable[[Message], None]
    ) -> None:
        self._to_engine = to_engine
        self._to_listener = to_listener
        self._ids = itertools.count(1)
        self._wanted: dict[int, _Entry] = {}
        self._model: _Entry | None = None
        self._given_up: _Entry | None = None
        self._pictures: dict[str, PictureSource] = {}
        self._deaths_in_a_row = 0
        self._restarted = False
        self._connected = False
        # Of the engine that is connected: what it is opening again, which requests it has begun and not
        # finished (the last one is running, the others have stepped aside), and what it has said of itself.
        self._restoring: dict[int, _Entry] = {}
        self._begun: dict[int, None] = {}
        self._is_ready = False
        self._why_not_started = ""
        self._lacking = ""  # Until another model is opened: what no engine has any more.

    @property
    def has_unanswered(self) -> bool:
        """Whether somebody waits for an answer."""
        return bool(self._wanted)

    def ask(self, request: Request) -> int:
        """Note a request, send it if there is an engine, cancel the one it replaces, and give its id."""
        request = msgspec.structs.replace(request, id=next(self._ids))
        if request.replaces:
            for other in [entry.request for entry in self._wanted.values()]:
                if type(other) is type(request) and other.panel == request.panel:
                    self.cancel(other.id)
        if self._given_up is not None and not isinstance(request, LoadModel):
            self._model, self._given_up = _Entry(self._given_up.request, self._given_up.payload), None
            if self._connected:
                self._restore(self._model)
        self._wanted[request.id] = _Entry(request)
        if self._connected:
            self._to_engine(request)
        return request.id

    def cancel(self, identifier: int) -> None:
        """Nobody waits for this answer any more; nothing happens where it was given already."""
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
        """Answer all requests with `Cancelled`: there will be no engine."""
        for identifier in list(self._wanted):
            self._cancelled(identifier)

    def connected(self) -> None:
        """A new engine was started: have it open what the one before had, then do what is not done."""
        self._connected = True
        entries = [self._model] if self._model else []
        if self._pictures:
            entries.append(_Entry(RestorePictures(sources=dict(self._pictures))))
        for entry in entries:
            self._restore(entry)
        for entry in self._wanted.values():
            self._to_engine(entry.request)

    def received(self, message: object) -> None:
        """The engine said something: pass it on if somebody still waits for it."""
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
        """The engine is gone; whether to start a new one. `reason` is half a sentence."""
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
        match request, payload:
            case LoadModel(), _:
                self._model, self._given_up = _Entry(request, payload), None
                self._lacking = ""
            case OpenImage(), ImageInfo():
                self._pictures[payload.key] = PictureSource(request.path, payload.name, request.data)
            case ShowPicture(), ImageInfo():
                # Another key where its file had changed.
                self._pictures[payload.key] = self._pictures.pop(
                    request.image, PictureSource(payload.path, payload.name)
                )
            case _, ListedPictures():
                for listed in payload.pictures:
                    self._pictures[listed.key] = PictureSource(listed.path, listed.name)
            case CloseImage(), _:
                for key in request.images:
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
        if isinstance(entry.request, LoadModel):
            what = entry.request.source
            if entry is self._model:
                self._model = None
        else:
            what, self._pictures = "the pictures", {}
        self._lacking = f"The new engine could not reopen {what}: {why.rstrip('.')}."
        self._tell(self._lacking)

    def _tell(self, sentence: str) -> None:
        # Comes before EngineReady: the new engine is still being made what the old one was.
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
            if entry is self._model:
                self._given_up = entry
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
