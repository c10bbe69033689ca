"""Keep Python's garbage collector from slowing down the start."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def collecting_later() -> Iterator[None]:
    """Disable garbage collection inside the block, and exclude all objects at its end from later collections.

    Every full collection visits everything that has been imported. That takes 30 to 100 ms each time, for
    modules, classes and functions that live as long as the program.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
