"""What all questions and all answers have in common."""

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
    priority
        Lower runs first; a running request of a higher number steps aside between its steps.
    replaces
        Whether a newer request of the same class and panel makes this one pointless.
    """

    id: int = 0
    panel: str = ""
    priority: ClassVar[int] = 5
    replaces: ClassVar[bool] = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What comes back for a request; which class, the request's docstring says."""
