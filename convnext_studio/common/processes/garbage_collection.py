"""Keep Python's garbage collector from slowing down the start, and from working where it must not."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def collecting_later() -> Iterator[None]:
    """Disable garbage collection inside the block, and exclude all objects at its end from later collections.

    Afterwards it is as before: on, or off where something else collects.

    Every full collection visits everything that has been imported. That takes 30 to 100 ms each time, for
    modules, classes and functions that live as long as the program.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_on:
            gc.enable()


def spare_what_is_there() -> None:
    """Collect garbage, and exclude all objects that are left from later collections.

    While a program loads modules in steps, each call takes only as long as what was made since the last one.
    """
    gc.collect()
    gc.freeze()


def collect_what_is_due() -> None:
    """Collect the generations that Python itself would collect by now, if its collector were on."""
    for generation in (2, 1, 0):  # A collection of one includes the younger ones.
        if gc.get_count()[generation] > gc.get_threshold()[generation]:
            gc.collect(generation)
            return
