"""The entries of context menus that change a part of the network."""

from collections.abc import Callable
from functools import partial

from msgspec import structs
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QMenu, QToolButton, QWidget

from convnext_studio.common.interventions import Change, Region
from convnext_studio.ui.panels.interventions.change_texts import EFFECT_TIPS
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.widgets.elided_label import plain_tip
from convnext_studio.ui.widgets.popup import MENU_BUTTON_STYLE, empty_menu

FACTOR = 0.5
_MOST_PICTURES = 20
OnChange = Callable[[Change], object]


def offer_changes(menu: QMenu, state: AppState, part: Change, title: str) -> None:
    """Add a submenu that changes a part of the network in each of the possible ways.

    Parameters
    ----------
    part
        A change of that part; its effect does not matter.
    title
        The text of the submenu.
    """
    inside = menu.addMenu(title)
    inside.setToolTipsVisible(True)
    add_effects(inside, state, part, state.interventions.add)
    if any(_is_same_part(each, part) for each in state.interventions.changes):
        inside.addSeparator()
        undo = inside.addAction("&Do not change it")
        undo.setToolTip("Remove what changes this part")
        undo.triggered.connect(lambda: _remove(state, part))


def add_effects(menu: QMenu, state: AppState, part: Change, use: OnChange) -> None:
    """Add an entry for each effect; `use` is called with the part changed in that way."""
    for text, changed in (
        ("Switch &off", structs.replace(part, effect="off")),
        ("Set to its &mean", structs.replace(part, effect="mean")),
        ("Set to its mean over the open &pictures", structs.replace(part, effect="picture mean")),
        ("Multiply by a &factor", structs.replace(part, effect="factor", factor=FACTOR)),
    ):
        action = menu.addAction(text)
        action.setToolTip(EFFECT_TIPS[changed.effect])
        action.triggered.connect(partial(_call, use, changed))
    chosen = state.opened.chosen
    others = [each for each in state.opened.all if chosen is None or each.key != chosen.key]
    patches = menu.addMenu("&Take from another picture")
    patches.setToolTipsVisible(True)
    patches.setEnabled(bool(others))
    for picture in others[:_MOST_PICTURES]:
        action = patches.addAction(picture.name.replace("&", "&&"))
        action.setToolTip(plain_tip(f"{EFFECT_TIPS['patch']}, {picture.name}"))
        patch = structs.replace(part, effect="patch", picture=picture.key)
        action.triggered.connect(partial(_call, use, patch))


def node_changes(menu: QMenu, state: AppState, node: str) -> None:
    """Add the submenus that change a whole node and, of a block, its branch alone."""
    model = state.model
    if model is None:
        return
    info = model.node(node)
    if info.kind == "block":
        offer_changes(menu, state, Change(node=node, branch=True), "Change its &branch")
    title = "C&hange the whole output" if info.kind == "block" else "C&hange it"
    offer_changes(menu, state, Change(node=node), title)
    if state.unit is not None and state.node == node and info.has_positions:
        y, x = state.unit
        part = Change(node=node, region=Region(y, x, y + 1, x + 1))
        offer_changes(menu, state, part, f"Change the &position (y {y}, x {x})")


def channel_changes(state: AppState, menu: QMenu, node: str, channel: int) -> None:
    """Add the submenu that changes a channel of a node, and the entry that adds it to those changed last."""
    offer_changes(menu, state, Change(node=node, channels=(channel,)), "C&hange this channel")
    last = state.interventions.changes[-1] if state.interventions.changes else None
    if last is not None and last.node == node and last.channels and channel not in last.channels:
        index = len(state.interventions.changes) - 1
        more = structs.replace(last, channels=tuple(sorted((*last.channels, channel))))
        action = menu.addAction("Change it with the &last one")
        action.setToolTip("Add this channel to those of the last change")
        action.triggered.connect(lambda: state.interventions.put(index, more))


def toggle_node(state: AppState, node: str) -> None:
    """Switch a node off, of a block its branch, or on again."""
    model = state.model
    if model is not None:
        part = Change(node=node, branch=model.node(node).kind == "block")
        state.interventions.toggle(part)


def toggle_channel(state: AppState) -> None:
    """Switch the selected channel of the selected node off, or on again."""
    model = state.model
    if model is not None:
        last = model.node(state.node).shape[0] - 1
        state.interventions.toggle(Change(node=state.node, channels=(min(state.channel, last),)))


class ChangeButton(QToolButton):
    """A button with the menu that changes the selected channel, and the selected node as a whole."""

    def __init__(self, state: AppState, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._state = state
        self.setText("Change ▾")
        self.setAccessibleName("Change the selected channel or node")
        self.setToolTip("Switch the selected channel or node off, scale it, or take it from another picture")
        self.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.setStyleSheet(MENU_BUTTON_STYLE)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.entries = QMenu(self)
        self.entries.setToolTipsVisible(True)
        self.entries.aboutToShow.connect(self._fill)
        self.setMenu(self.entries)

    def _fill(self) -> None:
        state, model = self._state, self._state.model
        empty_menu(self.entries)
        if model is not None:
            channel = min(state.channel, model.node(state.node).shape[0] - 1)
            channel_changes(state, self.entries, state.node, channel)
            node_changes(self.entries, state, state.node)


def _is_same_part(change: Change, part: Change) -> bool:
    return (change.node, change.branch, change.channels, change.region) == (
        part.node,
        part.branch,
        part.channels,
        part.region,
    )


def _remove(state: AppState, part: Change) -> None:
    for index, change in enumerate(state.interventions.changes):
        if _is_same_part(change, part):
            state.interventions.remove(index)
            return


def _call(use: OnChange, change: Change, _checked: bool = False) -> None:
    use(change)
