"""What every request and every answer has in common, and the messages that carry them between the processes."""

from typing import ClassVar

from msgspec import Struct


class Request(Struct, frozen=True, kw_only=True, tag=True):
    """Something to do. The client gives each its id.

    Attributes
    ----------
    id
        Unique within one client; 0 until it is asked.
    panel
        Who asks: a newer request of the same class and panel replaces an older one.
    doing
        What the status bar says while it is worked on, without the node: "Computing feature maps".
    timed_as
        What the status bar calls the time that it took; empty where that is not shown.
    on_processor
        Whether it is always computed on the processor, whatever the model's device.
    priority
        Lower runs first; a running request of a higher number steps aside between its steps.
    replaces
        Whether a newer request of the same class and panel makes this one pointless.
    """

    id: int = 0
    panel: str = ""
    doing: ClassVar[str] = ""
    timed_as: ClassVar[str] = ""
    on_processor: ClassVar[bool] = False
    priority: ClassVar[int] = 5
    replaces: ClassVar[bool] = True


class Answer(Struct, frozen=True, kw_only=True, tag=True):
    """What comes back for a request; which class, the request's docstring says."""


Payload = Answer | None
"""What a request gives: its answer, or None where there is nothing to say."""


class Started(Struct, frozen=True, kw_only=True, tag=True):
    """The engine began to work on a request."""

    id: int


class Progress(Struct, frozen=True, kw_only=True, tag=True):
    """Work goes on; `total` is 0 where nobody knows how much. `partial` can be shown already."""

    id: int
    done: int
    total: int
    text: str
    partial: Payload = None


class Done(Struct, frozen=True, kw_only=True, tag=True):
    """The answer. `seconds` is the time spent on it, waiting not counted."""

    id: int
    payload: Payload
    seconds: float


class Failed(Struct, frozen=True, kw_only=True, tag=True):
    """The answer is no, in plain words (`StudioError`).

    Attributes
    ----------
    smaller_px
        The side of an input that may do where this one was too large for memory (`InputTooLarge`); else 0.
    """

    id: int
    message: str
    hint: str = ""
    smaller_px: int = 0


class Cancelled(Struct, frozen=True, kw_only=True, tag=True):
    """The request was cancelled, or replaced by a newer one."""

    id: int


class EngineReady(Struct, frozen=True, kw_only=True, tag=True):
    """A new engine process has imported what it needs.

    Attributes
    ----------
    restarted
        It takes the place of one that died.
    lacking
        The sentence that says what of the one before it could not open again; empty where nothing lacks.
    """

    restarted: bool = False
    lacking: str = ""


class EngineLost(Struct, frozen=True, kw_only=True, tag=True):
    """The engine process died.

    Attributes
    ----------
    message
        One sentence that says what happened and what is being done.
    restarting
        A new one is being started; False after too many deaths in a row.
    """

    message: str
    restarting: bool = True


class Cancel(Struct, frozen=True, kw_only=True, tag=True):
    """From the client: stop working on a request."""

    id: int


class Shutdown(Struct, frozen=True, kw_only=True, tag=True):
    """From the client: end the process."""

    reason: str = "closed"


class Logged(Struct, frozen=True, kw_only=True, tag=True):
    """The engine wrote a line into its log.

    Attributes
    ----------
    level
        Of the `logging` module.
    source
        Name of the logger.
    text
        What it says, with the traceback where there is one.
    """

    level: int
    source: str
    text: str


Message = Started | Progress | Done | Failed | Cancelled | EngineReady | EngineLost | Logged
"""What the engine tells the window."""

Order = Request | Cancel | Shutdown
"""What the window wants of the engine."""
