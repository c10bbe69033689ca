"""The base classes of requests and answers, and the messages that carry them between the processes."""

from typing import ClassVar, Literal

from msgspec import Struct

Network = Literal["A", "B"]
"""Which of the open networks a request is about: the one that is open, or a second one beside it."""

# Requests up to this priority take one or two forward passes at most, and run before all others.
QUICK_PRIORITY = 3
# Nobody waits for requests from this priority on, which run while there is nothing else to do.
BACKGROUND_PRIORITY = 8


class Request(Struct, frozen=True, kw_only=True, tag=True):
    """A request to the engine; the client assigns its id.

    Attributes
    ----------
    id
        Unique within one client; 0 until the request is sent.
    panel
        The panel that asks: a newer request of the same class, panel and network replaces an older one.
    network
        The network that the request reads, opens or closes; requests that need none ignore it.
    doing
        What the status bar shows while the request runs, without the node: "Computing feature maps".
    timed_as
        How the status bar labels the time that the request took; empty if the time is not shown.
    on_processor
        Whether it always runs on the CPU, regardless of the model's device.
    priority
        Lower numbers run first among requests that have computed for about as long; see
        `convnext_studio.engine.server.scheduler` for the rule.
    replaces
        Whether a newer request of the same class, panel and network makes this one obsolete.
    """

    id: int = 0
    panel: str = ""
    network: Network = "A"
    doing: ClassVar[str] = ""
    timed_as: ClassVar[str] = ""
    on_processor: ClassVar[bool] = False
    priority: ClassVar[int] = 5
    replaces: ClassVar[bool] = True

    @property
    def is_quick(self) -> bool:
        """Whether the request takes so little time that it runs before all others."""
        return self.priority <= QUICK_PRIORITY

    @property
    def is_background(self) -> bool:
        """Whether the request runs only while there is nothing else to do."""
        return self.priority >= BACKGROUND_PRIORITY


class Answer(Struct, frozen=True, kw_only=True, tag=True):
    """The answer to a request; the request's docstring names its class."""


Payload = Answer | None
"""The result of a request: its answer, or None if there is nothing to return."""


class Started(Struct, frozen=True, kw_only=True, tag=True):
    """The engine has started working on a request."""

    id: int


class Progress(Struct, frozen=True, kw_only=True, tag=True):
    """The progress of a request.

    Attributes
    ----------
    done, total
        How much is done, of how much; `total` is 0 if that is unknown.
    text
        What is being done, in plain words.
    partial
        An answer that can already be shown.
    gives_way
        Whether the request waits for a network or a disk, so that everything else may be computed meanwhile.
    """

    id: int
    done: int
    total: int
    text: str
    partial: Payload = None
    gives_way: bool = False


class Done(Struct, frozen=True, kw_only=True, tag=True):
    """The answer to a request.

    Attributes
    ----------
    seconds
        The computing time, without waiting.
    free_bytes
        How much of the GPU's memory was free afterwards; 0 if no GPU is used.
    """

    id: int
    payload: Payload
    seconds: float
    free_bytes: int = 0


class Failed(Struct, frozen=True, kw_only=True, tag=True):
    """A request failed, for a reason given in plain words (`StudioError`).

    Attributes
    ----------
    smaller_px
        An input side that may fit if this one was too large for memory (`InputTooLarge`); otherwise 0.
    offers_cpu
        Whether the memory of a GPU was too small, so that the CPU is offered.
    """

    id: int
    message: str
    hint: str = ""
    smaller_px: int = 0
    offers_cpu: bool = False


class Cancelled(Struct, frozen=True, kw_only=True, tag=True):
    """The request was cancelled, or replaced by a newer one."""

    id: int


class EngineReady(Struct, frozen=True, kw_only=True, tag=True):
    """A new engine process has imported what it needs.

    Attributes
    ----------
    restarted
        Whether it replaces one that died.
    lacking
        A sentence that says what the previous engine had open and this one could not reopen; empty if nothing
        is missing.
    """

    restarted: bool = False
    lacking: str = ""


class EngineLost(Struct, frozen=True, kw_only=True, tag=True):
    """The engine process died.

    Attributes
    ----------
    message
        One sentence that says what happened and what is being done about it.
    restarting
        Whether a new one is being started; False after too many deaths in a row.
    """

    message: str
    restarting: bool = True


class Cancel(Struct, frozen=True, kw_only=True, tag=True):
    """Sent by the client: stop working on a request."""

    id: int


class Shutdown(Struct, frozen=True, kw_only=True, tag=True):
    """Sent by the client: end the process."""

    reason: str = "closed"


class Logged(Struct, frozen=True, kw_only=True, tag=True):
    """The engine logged a record.

    Attributes
    ----------
    level
        A level of the `logging` module.
    source
        The name of the logger.
    text
        The message, with the traceback if there is one.
    """

    level: int
    source: str
    text: str


Message = Started | Progress | Done | Failed | Cancelled | EngineReady | EngineLost | Logged
"""A message from the engine to the window."""

Order = Request | Cancel | Shutdown
"""A message from the window to the engine."""
