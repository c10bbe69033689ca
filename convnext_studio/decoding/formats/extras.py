"""Libraries that not everybody needs: they are installed as extras, and named when they are missing."""

import importlib
from types import ModuleType

from convnext_studio.common.errors import StudioError


def library(module: str, name: str, kind: str, extra: str, aside: str = "") -> ModuleType:
    """Return a module that is needed for files of a kind.

    Parameters
    ----------
    module, extra
        The module, and the extra of this package that installs it.
    name, kind
        The file, and what it is, with its article.
    aside
        What else there is to say in the error.

    Raises
    ------
    StudioError
        If it is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError:
        raise StudioError(
            f"“{name}” is {kind}; to open it, {module} is needed, which is not installed.{aside}",
            f"Install it with: pip install 'convnext-studio[{extra}]'",
        ) from None
