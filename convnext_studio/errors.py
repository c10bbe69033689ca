"""The exceptions that a person may meet."""


class StudioError(Exception):
    """Something that a person asked for cannot be done, told in plain words.

    Parameters
    ----------
    message
        One sentence that says what is wrong, with the names and numbers involved.
    hint
        What to do next; empty where there is nothing to do.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".rstrip()

    def __reduce__(self) -> tuple[type["StudioError"], tuple[str | int, ...]]:
        return type(self), (self.message, self.hint)


class InputTooLarge(StudioError):
    """A network's input does not fit into memory; a smaller one may.

    Parameters
    ----------
    smaller_px
        The side of an input to try in its place.
    """

    def __init__(self, message: str, hint: str, smaller_px: int) -> None:
        super().__init__(message, hint)
        self.smaller_px = smaller_px

    def __reduce__(self) -> tuple[type["StudioError"], tuple[str | int, ...]]:
        return type(self), (self.message, self.hint, self.smaller_px)
