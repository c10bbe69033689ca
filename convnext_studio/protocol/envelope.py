"""What every request and every answer has in common, and the messages that carry them between the processes."""

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What comes back for a request; which class, the request's docstring says."""


Payload = Answer | None
"""What a request gives: its answer, or None where there is nothing to say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """The engine began to work on a request."""

    id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Work goes on; `total` is 0 where nobody knows how much. `partial` can be shown already."""

    id: int
    done: int
    total: int
    text: str
    partial: Payload = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """The answer. `seconds` is the time spent on it, waiting not counted."""

    id: int
    payload: Payload
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancelled:
    """The request was cancelled, or replaced by a newer one."""

    id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineReady:
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


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineLost:
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancel:
    """From the client: stop working on a request."""

    id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Shutdown:
    """From the client: end the process."""

    reason: str = "closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Logged:
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
