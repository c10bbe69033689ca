"""The entries of the command palette, and how they are gathered."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from PySide6.QtGui import QAction, QKeySequence

from convnext_studio.ui.shell.actions.spec import SEPARATOR, ActionSpec
from convnext_studio.ui.shell.actions.table import ACTIONS
from convnext_studio.ui.shell.docks.layout import DockLayout
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.controller import Controller
from convnext_studio.ui.state.settings import SettingsFile


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of the command palette.

    Attributes
    ----------
    key
        Unique key, under which the settings remember recently chosen entries.
    text
        Text that is searched and shown.
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


PALETTE = "palette"


class PaletteEntries:
    """Gathers the actions, the panels, and the nodes, pictures, models and classes that can be chosen."""

    def __init__(
        self,
        actions: Mapping[str, QAction],
        layout: DockLayout,
        state: AppState,
        controller: Controller,
        settings: SettingsFile,
    ) -> None:
        self._actions = actions
        self._layout = layout
        self._state = state
        self._controller = controller
        self._settings = settings

    def gather(self) -> list[Entry]:
        """Return all entries that are available now."""
        return [
            *self._commands(),
            *self._panels(),
            *self._nodes(),
            *self._pictures(),
            *self._recent(),
            *self._classes(),
        ]

    def _commands(self) -> list[Entry]:
        specs = [spec for spec in ACTIONS if spec.text != SEPARATOR and spec.id != PALETTE]
        return [
            Entry(
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

    def _panels(self) -> list[Entry]:
        return [
            Entry(
                f"panel {name}",
                f"Panel: {dock.windowTitle()}",
                "Panel",
                partial(self._layout.show_panel, name),
                is_offered=True,
            )
            for name, dock in self._layout.docks.items()
        ]

    def _nodes(self) -> list[Entry]:
        model = self._state.model
        return [
            Entry(
                f"node {node.name}",
                f"Go to {node.name}",
                "Node",
                partial(self._state.set_node, node.name),
                " × ".join(str(side) for side in node.shape),
            )
            for node in (() if model is None else model.nodes)
        ]

    def _pictures(self) -> list[Entry]:
        return [
            Entry(
                f"picture {picture.key}",
                f"Show {picture.name}",
                "Picture",
                partial(self._state.select_picture, picture.key),
                str(Path(picture.path).parent) if picture.path else "",
            )
            for picture in self._state.pictures
        ]

    def _recent(self) -> list[Entry]:
        recent = self._settings.values
        return [
            *(
                Entry(
                    f"open {path}",
                    f"Open {Path(path).name}",
                    "Picture",
                    partial(self._controller.open_paths, [path]),
                    str(Path(path).parent),
                )
                for path in recent.recent_pictures
            ),
            *(
                Entry(
                    f"model {source}",
                    f"Open the model {source}",
                    "Model",
                    partial(self._controller.change_model, source=source),
                )
                for source in recent.recent_models
            ),
        ]

    def _classes(self) -> list[Entry]:
        model = self._state.model
        return [
            Entry(
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
