"""Python's search for circular garbage, kept away from where it finds none and costs most."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def collecting_later() -> Iterator[None]:
    """Do not search inside the block, nor ever after among what was made before its end.

    Every full search looks at all that was imported: while a program starts, and in every later one, 30 to
    100 ms for modules, classes and functions that live as long as the program.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
