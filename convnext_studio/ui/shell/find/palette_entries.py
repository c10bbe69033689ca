"""What the command palette finds: actions, panels and their options, classes, nodes, help pages and more."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

from msgspec import Struct
from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSlider,
    QAbstractSpinBox,
    QComboBox,
    QLineEdit,
    QMenu,
    QScrollArea,
    QScrollBar,
    QStackedWidget,
    QTabWidget,
    QToolButton,
    QWidget,
)

from convnext_studio.model.presets import bundled_models
from convnext_studio.model.road.steps import ROAD
from convnext_studio.model.timm.known_models import KnownModel, known_models
from convnext_studio.ui.lecture.entry import LateLecture
from convnext_studio.ui.panels.help.help_panel import page_title
from convnext_studio.ui.panels.predictions.prediction_row import PredictionRow
from convnext_studio.ui.shell.actions.spec import SEPARATOR, ActionSpec
from convnext_studio.ui.shell.actions.table import ACTIONS
from convnext_studio.ui.shell.changing_menus import is_file
from convnext_studio.ui.shell.docks.layout import DockLayout
from convnext_studio.ui.shell.docks.panel_specs import HELP_PAGES
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.controller import Controller
from convnext_studio.ui.state.settings import SettingsFile

CONTROLS = (QComboBox, QAbstractButton, QAbstractSlider, QAbstractSpinBox, QLineEdit)
MOST_ITEMS = 60
"""Longer lists, such as all classes, are searched in their panel."""


class Option(Struct, frozen=True):
    """A control of a panel, or one of the choices that it offers.

    Attributes
    ----------
    name
        What it is, such as "Colour map" or "Colour map: Viridis"; unique within the panel.
    choose
        Shows the control in its panel, gives it the keyboard focus, and makes the choice if it is one.
    """

    name: str
    choose: Callable[[], None]


class PaletteEntry(Struct, frozen=True):
    """An entry of the command palette.

    Attributes
    ----------
    key
        Unique key, under which the settings remember recently chosen entries.
    text
        Text that is searched and shown.
    also
        Further words by which it is found, which are not shown.
    kind
        Kind of entry, shown at the right.
    run
        Called when the entry is chosen.
    detail
        A shortcut, folder or shape that is shown beside the text, but not searched.
    why_not
        Why the entry cannot be chosen now; empty if it can.
    is_offered
        Whether the entry is listed before anything is typed.
    """

    key: str
    text: str
    kind: str
    run: Callable[[], object]
    detail: str = ""
    why_not: str = ""
    is_offered: bool = False
    also: str = ""


PALETTE, HELP = "palette", "help"
SETTINGS_WORDS = "settings preferences"


class PaletteEntries:
    """Gathers what can be found: commands, panels, their options, help, the lecture, and what can be opened.

    Parameters
    ----------
    show_page
        Shows a help page.
    """

    def __init__(
        self,
        actions: Mapping[str, QAction],
        layout: DockLayout,
        state: AppState,
        controller: Controller,
        settings: SettingsFile,
        lecture: LateLecture,
        show_page: Callable[[str], None],
    ) -> None:
        self._actions = actions
        self._layout = layout
        self._state = state
        self._controller = controller
        self._settings = settings
        self._lecture = lecture
        self._show_page = show_page

    def gather(self) -> list[PaletteEntry]:
        """Return all entries that are available now."""
        gathered = [
            *self._commands(),
            *self._panels(),
            *self._options(),
            *self._help(),
            *self._steps(),
            *self._nodes(),
            *self._pictures(),
            *self._recent(),
            *self._models(),
            *self._classes(),
        ]
        return list({entry.key: entry for entry in reversed(gathered)}.values())[::-1]

    def _commands(self) -> list[PaletteEntry]:
        specs = [spec for spec in ACTIONS if spec.text != SEPARATOR and spec.id != PALETTE]
        return [
            PaletteEntry(
                key=f"action {spec.id}",
                text=spoken(spec),
                kind=spec.menu.partition("/")[0].replace("&", ""),
                run=self._actions[spec.id].trigger,
                detail=self._actions[spec.id].shortcut().toString(QKeySequence.SequenceFormat.NativeText),
                why_not="" if self._actions[spec.id].isEnabled() else f"needs {spec.needs}",
                is_offered=True,
            )
            for spec in specs
        ]

    def _panels(self) -> list[PaletteEntry]:
        return [
            PaletteEntry(
                f"panel {name}",
                f"Panel: {dock.windowTitle()}",
                "Panel",
                partial(self._layout.show_panel, name),
                is_offered=True,
            )
            for name, dock in self._layout.docks.items()
        ]

    def _options(self) -> list[PaletteEntry]:
        """Return the options of all panels that have been created."""
        return [
            PaletteEntry(
                f"option {name} {option.name}",
                f"{dock.windowTitle()} › {option.name}",
                "Option",
                partial(self._choose_option, name, option),
                also=f"{SETTINGS_WORDS if name == 'settings' else ''} {_american(option.name)}",
            )
            for name, dock in self._layout.docks.items()
            if dock.is_made and name != HELP
            for option in options_of(dock.panel)
        ]

    def _choose_option(self, name: str, option: Option) -> None:
        self._layout.show_panel(name)
        option.choose()

    def _help(self) -> list[PaletteEntry]:
        return [
            PaletteEntry(f"help {name}", f"Help: {page_title(name)}", "Help", partial(self._show_page, name))
            for name in HELP_PAGES
        ]

    def _steps(self) -> list[PaletteEntry]:
        return [
            PaletteEntry(
                f"step {place}",
                f"Lecture, step {place + 1}: {title}",
                "Lecture",
                partial(self._lecture.present, place),
                chapter,
            )
            for place, (title, chapter) in enumerate(self._lecture.titles)
        ]

    def _nodes(self) -> list[PaletteEntry]:
        model = self._state.model
        return [
            PaletteEntry(
                f"node {node.name}",
                f"Go to {node.name}",
                "Node",
                partial(self._state.set_node, node.name),
                " × ".join(str(side) for side in node.shape),
            )
            for node in (() if model is None else model.nodes)
        ]

    def _pictures(self) -> list[PaletteEntry]:
        return [
            PaletteEntry(
                f"picture {picture.key}",
                f"Show {picture.name}",
                "Picture",
                partial(self._state.opened.select, picture.key),
                str(Path(picture.path).parent) if picture.path else "",
            )
            for picture in self._state.opened.all
        ]

    def _recent(self) -> list[PaletteEntry]:
        recent = self._settings.values
        return [
            *(
                PaletteEntry(
                    f"open {path}",
                    f"Open {Path(path).name}",
                    "Picture",
                    partial(self._controller.open_paths, [path]),
                    str(Path(path).parent),
                )
                for path in recent.recent_pictures
            ),
            *(
                PaletteEntry(
                    f"open {path}",
                    f"Open {Path(path).name}",
                    kind,
                    partial(self._controller.open_paths, [path]),
                    path,
                )
                for kind, paths in (("Folder", recent.recent_folders), ("Session", recent.recent_sessions))
                for path in paths
            ),
            *(self._model(source) for source in recent.recent_models),
        ]

    def _models(self) -> list[PaletteEntry]:
        """Return all models that can be opened by name; the presets are among the commands."""
        published = known_models().values()
        return [
            *(self._model(name) for name in bundled_models()),
            *(self._model(step.source) for step in ROAD.values()),
            *(self._model(f"timm:{known.name}", _published_text(known)) for known in published),
        ]

    def _model(self, source: str, detail: str = "") -> PaletteEntry:
        name = Path(source).name if is_file(source) else source
        folder = str(Path(source).parent) if is_file(source) else detail
        open_it = partial(self._controller.models.change, source=source)
        return PaletteEntry(f"model {source}", f"Open the model {name}", "Model", open_it, folder)

    def _classes(self) -> list[PaletteEntry]:
        model = self._state.model
        return [
            PaletteEntry(
                f"class {label} {index}",
                f"Explain {label}",
                "Class",
                partial(self._state.set_target, index),
                str(index),
            )
            for index, label in enumerate(() if model is None else model.labels)
        ]


def spoken(spec: ActionSpec) -> str:
    """Return the text of an action as it reads outside its menu."""
    sub_menu = spec.menu.rpartition("/")[2] if "/" in spec.menu else ""
    return f"{sub_menu}: {spec.text}".removeprefix(": ").replace("&", "").rstrip("…")


def _american(text: str) -> str:
    """Return the word that people with another spelling type, or nothing."""
    return "color" if "colour" in text.lower() else ""


def _published_text(known: KnownModel) -> str:
    if known.accuracy is None:
        return "published weights"
    return f"published weights, {known.accuracy:.1f} % at {known.measured_px} px"


def options_of(panel: QWidget) -> list[Option]:
    """Return the options of a panel in the order of its widgets; equal names get a number."""
    found: dict[str, Option] = {}
    for option in _all_options(panel):
        name, number = option.name, 1
        while name in found:
            number += 1
            name = f"{option.name} {number}"
        found[name] = Option(name, option.choose)
    return list(found.values())


def _all_options(panel: QWidget) -> Iterator[Option]:
    for control in controls_of(panel):
        name = name_of(control)
        if name:
            yield Option(name, partial(_press if _is_choice(control) else reveal, control))
            yield from _choices(control, name)
    for tabs in panel.findChildren(QTabWidget):
        for index in range(tabs.count()):
            yield Option(f"Page: {tabs.tabText(index).replace('&', '')}", partial(_open_page, tabs, index))
    for menu in panel.findChildren(QMenu):
        if not isinstance(menu.parent(), QMenu):
            yield from _entries(menu, _owner_name(menu, panel))


def controls_of(panel: QWidget) -> list[QWidget]:
    """Return the controls of a panel, except those that Qt puts into its own, and the rows of a list."""
    return [
        control
        for control in panel.findChildren(QWidget)
        if isinstance(control, CONTROLS)
        and not isinstance(control, QScrollBar | PredictionRow)
        and not isinstance(control.parent(), (*CONTROLS[:1], *CONTROLS[2:], QAbstractItemView))
        and not control.objectName().startswith("qt_")
    ]


def name_of(control: QWidget) -> str:
    """Return the name of a control: that for screen readers, or else its own text."""
    text = control.text() if isinstance(control, QAbstractButton) else ""
    plain = (control.accessibleName() or text).replace("&", "").rstrip("…▾ ")
    return plain if any(sign.isalnum() for sign in plain) else ""


def _is_choice(control: QWidget) -> bool:
    """Return whether a control is one of several buttons of which one is pressed."""
    return isinstance(control, QAbstractButton) and control.isCheckable() and control.autoExclusive()


def _press(button: QWidget) -> None:
    reveal(button)
    if isinstance(button, QAbstractButton) and button.isEnabled():
        button.setChecked(True)


def _choices(control: QWidget, name: str) -> Iterator[Option]:
    if isinstance(control, QComboBox) and not control.isEditable() and control.count() <= MOST_ITEMS:
        for index in range(control.count()):
            yield Option(f"{name}: {control.itemText(index)}", partial(_choose_item, control, index))


def _choose_item(box: QComboBox, index: int) -> None:
    reveal(box)
    if box.isEnabled() and index < box.count() and index != box.currentIndex():
        box.setCurrentIndex(index)
        box.activated.emit(index)  # As if it had been chosen in the list itself.


def _entries(menu: QMenu, owner: str) -> Iterator[Option]:
    for action in menu.actions():
        below = action.menu()
        text = action.text().partition("\t")[0].replace("&", "").rstrip("…▾ ")  # Without its shortcut.
        if isinstance(below, QMenu):
            yield from _entries(below, f"{owner}: {text}" if owner else text)
        elif not action.isSeparator() and text:
            yield Option(f"{owner}: {text}" if owner else text, partial(_trigger, menu, action))


def _owner_name(menu: QMenu, panel: QWidget) -> str:
    """Return what the entries of a menu are about: the button that opens it, without "Copy or save"."""
    for button in panel.findChildren(QToolButton):
        if button.menu() is menu:
            return name_of(button).removeprefix("Copy or save: ")
    return ""


def _trigger(menu: QMenu, action: QAction) -> None:
    parent = menu.parentWidget()
    if isinstance(parent, QWidget):
        reveal(parent)
    if action.isEnabled():
        action.trigger()


def _open_page(tabs: QTabWidget, index: int) -> None:
    tabs.setCurrentIndex(index)
    reveal(tabs.tabBar())


def reveal(control: QWidget) -> None:
    """Bring a control of a visible panel into view, in its page, popup or row, and give it the focus."""
    for widget in reversed(_with_ancestors(control)):
        parent = widget.parentWidget()
        if isinstance(parent, QStackedWidget) and isinstance(tabs := parent.parentWidget(), QTabWidget):
            tabs.setCurrentWidget(widget)
        elif widget.windowType() == Qt.WindowType.Popup and isinstance(parent, QAbstractButton):
            reveal(parent)
            parent.click()
        elif isinstance(widget, QScrollArea):
            widget.ensureWidgetVisible(control)
    if not control.isVisible():
        _unfold(control)
    control.setFocus(Qt.FocusReason.ShortcutFocusReason)


def _with_ancestors(control: QWidget) -> list[QWidget]:
    """Return a control and the widgets around it up to the window or popup that they are in."""
    chain: list[QWidget] = [control]
    while not chain[-1].isWindow() and (parent := chain[-1].parentWidget()) is not None:
        chain.append(parent)
    return chain


def _unfold(control: QWidget) -> None:
    """Press the button beside the hidden widgets around a control that shows them, such as “More”."""
    for widget in _with_ancestors(control):
        parent = widget.parentWidget()
        if widget.isHidden() and parent is not None:
            for button in parent.findChildren(QToolButton):
                if button.isCheckable() and not button.isChecked() and button.text().startswith("More"):
                    button.click()
                    if not widget.isHidden():
                        break
