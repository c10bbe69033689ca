"""Look up a class by what a person typed."""

from collections.abc import Sequence

from convnext_studio.common.errors import StudioError


def find_class(wanted: str, labels: Sequence[str]) -> int:
    """Return the index of a class that is given by its index, its name, or an unambiguous part of its name.

    Raises
    ------
    StudioError
        If no class matches, or more than one; the hint lists candidates.
    """
    if wanted.lstrip("-").isdecimal():
        check_class(int(wanted), len(labels))
        return int(wanted)
    folded = wanted.casefold()
    exact = [index for index, label in enumerate(labels) if label.casefold() == folded]
    fitting = exact or [index for index, label in enumerate(labels) if folded in label.casefold()]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        names = ", ".join(f"{index} ({labels[index]})" for index in fitting[:8])
        raise StudioError(f"“{wanted}” matches {len(fitting)} classes.", f"Give a number: {names}.")
    some = ", ".join(labels[:8])
    raise StudioError(f"The model has no class “{wanted}”.", f"Its {len(labels)} classes include {some}.")


def check_class(index: int, count: int) -> None:
    """Raise a StudioError if there is no class with that index."""
    if not 0 <= index < count:
        raise StudioError(f"There is no class {index}.", f"The model has {count} classes, counted from 0.")
