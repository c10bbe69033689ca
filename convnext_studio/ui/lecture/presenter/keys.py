"""The keys of the presenter: their commands, and which of them a focused control handles itself."""

from collections.abc import Callable
from enum import Enum, auto

from msgspec import Struct
from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QWidget

Key = Qt.Key


class LectureCommand(Enum):
    """The commands of the presenter."""

    NEXT = auto()
    PREVIOUS = auto()
    FIRST = auto()
    LAST = auto()
    GO = auto()
    OVERVIEW = auto()
    CONTROLS = auto()
    CONTROLS_BACK = auto()
    BLACK = auto()
    WHITE = auto()
    SPOTLIGHT = auto()
    ZOOM = auto()
    THEME = auto()
    SPEAKER = auto()
    CAMERA = auto()
    PASTE = auto()
    HELP = auto()
    LEAVE = auto()


class Binding(Struct, frozen=True):
    """The keys of a command.

    Attributes
    ----------
    always
        Keys that work whatever has the focus, but for letters while text is typed.
    else_
        Keys that work where the focused control has no use for them.
    shown, text
        The keys and what they do, as the help says it.
    """

    command: LectureCommand
    always: tuple[str, ...]
    else_: tuple[Qt.Key, ...]
    shown: str
    text: str


BINDINGS = (
    Binding(
        LectureCommand.NEXT,
        ("PgDown", "N"),
        (Key.Key_Right, Key.Key_Down, Key.Key_Space),
        "PageDown  →  ↓  Space  N",
        "Next step",
    ),
    Binding(
        LectureCommand.PREVIOUS,
        ("PgUp", "P"),
        (Key.Key_Left, Key.Key_Up, Key.Key_Backspace),
        "PageUp  ←  ↑  Backspace  P",
        "Previous step",
    ),
    Binding(LectureCommand.FIRST, (), (Key.Key_Home,), "Home", "First step"),
    Binding(LectureCommand.LAST, (), (Key.Key_End,), "End", "Last step"),
    Binding(LectureCommand.GO, (), (Key.Key_Return, Key.Key_Enter), "1 2 Enter", "Go to step 12"),
    Binding(LectureCommand.OVERVIEW, ("O",), (), "O", "All chapters and steps"),
    Binding(
        LectureCommand.CONTROLS,
        ("Tab",),
        (),
        "Tab",
        "Go to the view's controls, or to all steps if it has none",
    ),
    Binding(LectureCommand.CONTROLS_BACK, ("Shift+Tab",), (), "Shift+Tab", "Go to the previous control"),
    Binding(LectureCommand.ZOOM, ("Z",), (), "Z  double-click", "Show only the view, on the whole screen"),
    Binding(LectureCommand.BLACK, ("B", "."), (), "B  .", "Black screen; press any key to return"),
    Binding(LectureCommand.WHITE, ("W",), (), "W", "White screen"),
    Binding(LectureCommand.SPOTLIGHT, ("L",), (), "L", "Spotlight around the pointer"),
    Binding(LectureCommand.THEME, ("T",), (), "T", "Switch between light and dark"),
    Binding(LectureCommand.SPEAKER, ("S",), (), "S", "Speaker's window with notes, next step and time"),
    Binding(LectureCommand.CAMERA, ("C",), (), "C", "What a camera sees, live; again to switch it off"),
    Binding(LectureCommand.PASTE, ("Ctrl+V",), (), "Ctrl+V", "Open the picture on the clipboard; or drop one"),
    Binding(LectureCommand.HELP, ("?", "F1"), (), "?  F1", "Show these keys"),
    Binding(
        LectureCommand.LEAVE, ("Esc",), (), "Esc", "Go back, or leave the lecture; it resumes at the same step"
    ),
)  # fmt: skip
_COMMANDS = {key: binding.command for binding in BINDINGS for key in binding.else_}


def bind(window: QWidget, do: Callable[[LectureCommand], None]) -> None:
    """Add the shortcuts that always work to a window."""
    for binding in BINDINGS:
        for key in binding.always:
            shortcut = QShortcut(QKeySequence(key), window)
            shortcut.activated.connect(lambda command=binding.command: do(command))


def command_for(key: int) -> LectureCommand | None:
    """Return the command of a key that no widget in the window has handled."""
    return next((command for known, command in _COMMANDS.items() if known == key), None)


def digit_of(key: int) -> str:
    """Return the digit of a key, including the numeric keypad; empty for other keys."""
    return chr(key) if Key.Key_0 <= key <= Key.Key_9 else ""
