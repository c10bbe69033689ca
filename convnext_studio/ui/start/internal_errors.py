"""What becomes of exceptions that nobody caught: the window tells of them and lives on.

When Python calls Qt, such as `show()`, and Qt calls event handlers in Python, PySide stores an exception of a
handler until the call returns. A second exception in the same call crashes the process (PySide 6.11), and one
in the first `show()` of a window is lost. So no handler may let an exception out.
"""

import functools
import logging
import sys
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any

from PySide6.QtCore import QObject, QTimer, Signal

from convnext_studio.ui.widgets.message_bar import Notice

_LOG = logging.getLogger(__name__)
_MAKING_A_CLASS = "__init_subclass__"  # What Python calls whenever it makes a subclass.
_OTHERS = frozenset({"event", "eventFilter", "sizeHint", "minimumSizeHint", "heightForWidth"})


def contain_errors() -> None:
    """Have `sys.excepthook` told of every exception in an event handler, and let Qt go on.

    This covers all subclasses of QObject that are written in Python, including those that are defined later.
    """
    if _MAKING_A_CLASS not in vars(QObject):
        setattr(QObject, _MAKING_A_CLASS, classmethod(_contain))
        for kind in _subclasses(QObject):
            _contain(kind)


def _subclasses(kind: type[Any]) -> Iterator[type[Any]]:
    each: type[Any]
    for each in type.__subclasses__(kind):
        yield each
        yield from _subclasses(each)


def _contain(kind: type[Any], /, **_options: object) -> None:
    """Contain the handlers that a class defines itself; those of Qt's own classes are not written in Python."""
    for name, method in list(vars(kind).items()):
        is_handler = name.endswith("Event") or name in _OTHERS
        if is_handler and callable(method) and hasattr(method, "__code__"):
            setattr(kind, name, _contained(kind, name, method))


def _contained(kind: type[Any], name: str, method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def run(self: QObject, *arguments: Any, **options: Any) -> Any:
        try:
            return method(self, *arguments, **options)
        except Exception:
            sys.excepthook(*sys.exc_info())
        # What Qt itself would answer; events are over, because the handler may have passed them on before.
        if name == "eventFilter":
            return False
        return None if name.endswith("Event") else getattr(super(kind, self), name)(*arguments, **options)

    return run


class InternalErrors(QObject):
    """Tells of exceptions that nobody caught: in the log, on the terminal, and in a notice."""

    noticed = Signal(object)  # Notice

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._told: set[str] = set()

    def tell(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        """Log an exception, so that the problem report has it, print it as usual, and notice it once."""
        _LOG.error("An internal error occurred in the window.", exc_info=(kind, error, trace))
        sys.__excepthook__(kind, error, trace)
        said = f"{kind.__name__}: {error}"
        # Each once: a view that cannot be painted fails again whenever the message bar comes and goes.
        if issubclass(kind, Exception) and said not in self._told:
            self._told.add(said)
            notice = Notice(
                "internal", f"An internal error occurred ({said}).", "The problem report says more."
            )
            # Not at once: Qt may be in the middle of painting or of laying out.
            QTimer.singleShot(0, self, lambda: self.noticed.emit(notice))
