"""What the command palette offers, without the palette, which is not needed before it is opened."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Entry:
    """Something to choose.

    Attributes
    ----------
    key
        Unique; remembered of those that were chosen.
    text
        What is searched and shown.
    kind
        What sort of thing it is.
    run
        What choosing it does.
    detail
        A shortcut, a folder, a shape: shown beside it, not searched.
    why_not
        Why it cannot be chosen now; empty where it can.
    is_offered
        Whether it is there before anything is typed.
    """

    key: str
    text: str
    kind: str
    run: Callable[[], object]
    detail: str = ""
    why_not: str = ""
    is_offered: bool = False
