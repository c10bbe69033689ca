"""The exceptions whose messages are shown to the user."""

from convnext_studio.common.foreign.foreign_text import sentence


class StudioError(Exception):
    """An error with a message for the user, in plain English.

    Parameters
    ----------
    message
        One sentence that says what is wrong, with the names and numbers involved. It is reduced to one line of
        limited length, because it may quote names from files, which can contain anything.
    hint
        What the user can do, in one line as well; empty if there is nothing.
    offers_cpu
        Whether the memory of a GPU was too small, so that the CPU can be offered.
    """

    def __init__(self, message: str, hint: str = "", offers_cpu: bool = False) -> None:
        self.message = sentence(message)
        super().__init__(self.message)
        self.hint = sentence(hint)
        self.offers_cpu = offers_cpu

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".rstrip()

    def __reduce__(self) -> tuple[type["StudioError"], tuple[str | int, ...]]:
        return type(self), (self.message, self.hint, self.offers_cpu)


class InputTooLarge(StudioError):
    """The input of a network does not fit into memory, but a smaller one may.

    Parameters
    ----------
    smaller_px
        The side of a smaller input to try.
    """

    def __init__(self, message: str, hint: str, smaller_px: int, offers_cpu: bool = False) -> None:
        super().__init__(message, hint, offers_cpu)
        self.smaller_px = smaller_px

    def __reduce__(self) -> tuple[type["StudioError"], tuple[str | int, ...]]:
        return type(self), (self.message, self.hint, self.smaller_px, self.offers_cpu)


def first_line(error: BaseException) -> str:
    """Return the first line of what an error says, as the end of a sentence."""
    lines = (line.strip() for line in str(error).splitlines())
    return (next(filter(None, lines), "") or "it does not say why")[:200].rstrip(".")


def why_not_imported(error: Exception) -> str:
    """Return what is wrong with a library that failed while it was imported, and what to do about it."""
    if isinstance(error, ImportError):
        return f"A part of the installation is missing or damaged: {first_line(error)}. Install it again."
    return (
        f"A part of the installation does not start: {first_line(error)}. "
        "Look for settings of it in the environment variables, or install it again."
    )
