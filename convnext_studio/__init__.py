"""ConvNeXt Studio: a desktop microscope for ConvNeXt."""

import sys

__version__ = "0.1.0"


def _leave_current_folder() -> None:
    """Have ``python -m convnext_studio`` not search the current folder for modules.

    Python has put that folder first. A file that happens to be called ``numpy.py`` or ``select.py`` there would
    be run, so this has to come before the first import of a module that is not part of Python's core.
    """
    # While Python looks for the module of -m, this stands in the place of the program's name.
    if sys.argv[:1] == ["-m"] and not sys.flags.safe_path and sys.path:
        own_folder = __path__[0].rpartition("convnext_studio")[0].rstrip("/\\")
        if sys.path[0] != own_folder:  # In a checkout, the program itself is in the current folder.
            del sys.path[0]


_leave_current_folder()


def __getattr__(name: str) -> object:
    # By its name, and only when it is wanted: the window and --help do without torch, which it needs.
    if name == "Explorer":
        from pkgutil import resolve_name

        return resolve_name("convnext_studio.explorer:Explorer")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
