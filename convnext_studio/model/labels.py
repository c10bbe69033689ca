"""Look up a class by what a person typed."""

import operator
import re
from collections.abc import Sequence
from typing import SupportsIndex

from convnext_studio.common.errors import StudioError


def find_class(wanted: str, labels: Sequence[str]) -> int:
    """Return the index of a class that is given by its name, its index, or an unambiguous part of its name.

    A name goes before an index: classes may be called by digits, such as 0, 1, 10, 2.

    Raises
    ------
    StudioError
        If no class matches, or more than one; the hint lists candidates.
    """
    index = _index(wanted)
    folded = wanted.casefold()
    exact = named_exactly(wanted, labels)
    if index is not None and (not exact or index in exact):
        check_class(index, len(labels))
        return index
    fitting = exact or [number for number, label in enumerate(labels) if folded in label.casefold()]
    if len(fitting) == 1:
        return fitting[0]
    told = wanted if len(wanted) <= _LONGEST_TOLD else f"{wanted[:_LONGEST_TOLD]}…"
    if fitting:
        names = ", ".join(f"{number} ({labels[number]})" for number in fitting[:8])
        raise StudioError(f"“{told}” matches {len(fitting)} classes.", f"Give a number: {names}.")
    some = ", ".join(labels[:8])
    raise StudioError(f"The model has no class “{told}”.", f"Its {len(labels)} classes include {some}.")


def named_exactly(wanted: str, labels: Sequence[str]) -> list[int]:
    """Return the indices of all classes of that name; in any case, if none has it letter by letter."""
    folded = wanted.casefold()
    same = [number for number, label in enumerate(labels) if label == wanted]
    return same or [number for number, label in enumerate(labels) if label.casefold() == folded]


def said_of_digits(wanted: str, labels: Sequence[str]) -> str:
    """Say which class was taken, where a text is the name of one and the number of another; empty otherwise."""
    index = _index(wanted)
    if index is None or not 0 <= index < len(labels):
        return ""
    exact = named_exactly(wanted, labels)
    taken = index if not exact or index in exact else exact[0]
    if taken == index:
        return ""
    return (
        f"“{wanted}” is taken as the class of that name, which is number {taken}; "
        f"class number {index} is called “{labels[index]}”."
    )


def check_class(index: int, count: int) -> None:
    """Raise a StudioError if there is no class with that index."""
    if not 0 <= index < count:
        raise StudioError(f"There is no class {index}.", f"The model has {count} classes, counted from 0.")


def class_given(given: SupportsIndex | float | str, labels: Sequence[str]) -> int:
    """Return the index of a class that a script gives by a number, or by a text as in `find_class`."""
    if isinstance(given, str):
        return find_class(given, labels)
    try:
        index = None if isinstance(given, bool | float) else operator.index(given)
    except TypeError:  # Also arrays and tensors of several numbers, or of others than whole ones.
        index = None
    if index is None:
        raise StudioError(f"{str(given)[:60]} is not a class.", "Give its number or its name.")
    check_class(index, len(labels))
    return index


_LONGEST_TOLD = 60


def _index(wanted: str) -> int | None:
    """Return the whole number that a text is; None if it is none, or longer than any network has classes."""
    return int(wanted) if re.fullmatch(r"-?[0-9]{1,9}", wanted) else None
