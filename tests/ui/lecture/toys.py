"""A small lecture with views of its own, which ask for what the test answers."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QComboBox, QLabel, QLineEdit, QSlider, QVBoxLayout, QWidget

from convnext_studio.lecture.script import Lecture, read_lecture
from convnext_studio.lecture.setting import NodeName
from convnext_studio.protocol.envelope import Payload, Request
from convnext_studio.protocol.maps import FeatureMaps
from convnext_studio.ui.lecture.views.live_view import AskingView, ViewSpec
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge


class MapsView(AskingView):
    """Asks for the maps of a node, and says that they are there."""

    def __init__(self, state: AppState, bridge: EngineBridge, settings: Mapping[str, str]) -> None:
        super().__init__(state, bridge, settings)
        self.label = QLabel()
        self.set_body(self.label)

    def questions(self) -> Sequence[Request] | str:
        assert self.state.picture is not None
        return (FeatureMaps(panel=self.panel, image=self.state.picture.key, node=self.settings["node"]),)

    def show_answers(self, answers: tuple[Payload, ...]) -> None:
        self.label.setText(f"{len(answers)} answer of {self.settings['node']}")


class ControlsView(MapsView):
    """Has what can be set."""

    def __init__(self, state: AppState, bridge: EngineBridge, settings: Mapping[str, str]) -> None:
        super().__init__(state, bridge, settings)
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.choice = QComboBox()
        self.choice.addItems(["one", "two", "three"])
        self.line = QLineEdit()
        box = QWidget()
        layout = QVBoxLayout(box)
        for widget in (self.slider, self.choice, self.line):
            layout.addWidget(widget)
        layout_of_view = self.layout()
        assert layout_of_view is not None
        layout_of_view.addWidget(box)


NODE = {"node": NodeName(help="Which maps.", default="stage1")}
TOYS: dict[str, ViewSpec] = {
    "maps": ViewSpec(name="maps", title="Maps", make=MapsView, settings=NODE),
    "controls": ViewSpec(name="controls", title="Controls", make=ControlsView, settings=NODE),
}


def toy_lecture(folder: Path, steps: int = 6) -> Lecture:
    """Two chapters; the last step has controls."""
    half = steps // 2
    for number, indices in enumerate((range(half), range(half, steps))):
        parts = [f"# Chapter {number + 1}\n"]
        for index in indices:
            view = "controls" if index == steps - 1 else "maps"
            parts.append(
                f"## Title {index + 1}\n---\nview: {view}\nnode: stage{index % 4 + 1}\n---\n"
                f"Text {index + 1}.\n\n"
                f"Try: thing {index + 1}.\n\nNotes: note {index + 1}.\n"
            )
        (folder / f"{number}.md").write_text("\n".join(parts), encoding="utf-8")
    return read_lecture(folder)
