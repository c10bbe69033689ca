"""The table of all actions, from which the menus, shortcuts and tooltips are built."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QActionGroup, QKeySequence
from PySide6.QtWidgets import QMenu, QMenuBar

from convnext_studio.ui.shell.actions.network_menus import INTERVENE, MODEL, NAVIGATE
from convnext_studio.ui.shell.actions.program_menus import EDIT, FILE, HELP, LIVE, VIEW
from convnext_studio.ui.shell.actions.spec import SEPARATOR, ActionSpec
from convnext_studio.ui.widgets.elided_label import plain_tip

if TYPE_CHECKING:  # The window imports this table.
    from convnext_studio.ui.shell.window import StudioWindow

ACTIONS: tuple[ActionSpec, ...] = (*FILE, *EDIT, *VIEW, *MODEL, *INTERVENE, *NAVIGATE, *LIVE, *HELP)


def build_actions(window: "StudioWindow") -> dict[str, QAction]:
    """Create all actions, by id, and add them to the window so that their shortcuts work everywhere in it."""
    actions: dict[str, QAction] = {}
    groups: dict[str, QActionGroup] = {}
    for spec in ACTIONS:
        action = QAction(window)
        action.setObjectName(spec.id)
        actions[spec.id] = action
        if spec.text == SEPARATOR:
            action.setSeparator(True)
            continue
        action.setText(spec.text)
        action.setShortcut(QKeySequence(spec.shortcut))
        if spec.leaves_keys:  # The window runs it for keys that no widget has used.
            action.setShortcutContext(Qt.ShortcutContext.WidgetShortcut)
        action.setStatusTip(spec.tip)
        action.setToolTip(plain_tip(f"{spec.tip} ({spec.shortcut})" if spec.shortcut else spec.tip))
        action.setCheckable(spec.checked is not None)
        if spec.group:
            group = groups.setdefault(spec.group, QActionGroup(window))
            group.addAction(action)
        action.triggered.connect(lambda _checked=False, spec=spec: spec.run(window))
        window.addAction(action)
    return actions


def update_actions(window: "StudioWindow", actions: Mapping[str, QAction]) -> None:
    """Update which actions are enabled and checked."""
    for spec in ACTIONS:
        if spec.enabled is not None:
            actions[spec.id].setEnabled(spec.enabled(window))
        if spec.checked is not None:
            is_on = spec.checked(window)
            if is_on or not spec.group:  # Checking one action of a group unchecks the others.
                actions[spec.id].setChecked(is_on)


def action_of_unused(keys: QKeySequence, actions: Mapping[str, QAction]) -> QAction | None:
    """Return the action of a shortcut that widgets may use for themselves, if `keys` are one."""
    ids = (spec.id for spec in ACTIONS if spec.leaves_keys)
    return next((actions[each] for each in ids if actions[each].shortcut() == keys), None)


def build_menus(bar: QMenuBar, actions: Mapping[str, QAction]) -> dict[str, QMenu]:
    """Build the menus, in the order of the table, and return them by path without ampersands."""
    menus: dict[str, QMenu] = {}
    for spec in ACTIONS:
        _menu_at(bar, menus, spec.menu).addAction(actions[spec.id])
    return menus


def _menu_at(bar: QMenuBar, menus: dict[str, QMenu], path: str) -> QMenu:
    plain = path.replace("&", "")
    if plain not in menus:
        above, _, title = path.rpartition("/")
        parent = _menu_at(bar, menus, above) if above else bar
        menus[plain] = parent.addMenu(title if above else f"&{title}")
        menus[plain].setToolTipsVisible(True)
    return menus[plain]
