"""Class names in plain words, and how a person names one."""

from collections.abc import Sequence

from convnext_studio.common.errors import StudioError


def find_class(wanted: str, labels: Sequence[str]) -> int:
    """Give the number of a class named by its number, its name, or a part of its name that fits no other.

    Raises
    ------
    StudioError
        Where no class or more than one fits; the hint says which there are.
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
        raise StudioError(f"“{wanted}” fits {len(fitting)} classes.", f"Give a number: {names}.")
    some = ", ".join(labels[:8])
    raise StudioError(f"The model has no class “{wanted}”.", f"Among its {len(labels)} classes are: {some}.")


def check_class(index: int, count: int) -> None:
    """Raise a StudioError where there is no class of that number."""
    if not 0 <= index < count:
        raise StudioError(f"There is no class {index}.", f"The model has {count} classes, counted from 0.")
