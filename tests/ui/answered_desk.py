"""A desk whose questions a real engine answers, and the scripts of its views run in a fresh process."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from convnext_studio.common.errors import StudioError
from convnext_studio.common.recipe import Recipe
from convnext_studio.common.retouches import Retouch
from convnext_studio.engine.server.dispatch import Dispatcher
from convnext_studio.protocol.attributions import Explain
from convnext_studio.protocol.envelope import Done, Failed, Request
from convnext_studio.protocol.interventions import Intervene
from convnext_studio.protocol.models import LoadModel, ModelInfo
from convnext_studio.protocol.pictures import ImageInfo, OpenImage
from convnext_studio.protocol.predictions import Predict, Prediction
from convnext_studio.ui.panels.base import Panel
from convnext_studio.ui.plots.map_view import MapView
from convnext_studio.ui.state.python_text import OpenedNetwork, OpenedPicture, PythonLines, script
from tests.ui.desk import Desk

Arrays = NDArray[np.generic] | Sequence[NDArray[np.generic]]
Views = dict[str, tuple[str, Arrays]]
"""By the name of a view: its script, and the arrays that it shows."""
LOADED = LoadModel(source="bundled", device="cpu")


class AnsweredDesk:
    """A desk whose questions are answered by a real engine with the bundled network and two pictures."""

    def __init__(self, qtbot: QtBot) -> None:
        self.desk = Desk(qtbot)
        self.dispatcher = Dispatcher()
        self._answered = 0
        model = self.dispatcher.run(LOADED)
        assert isinstance(model, ModelInfo)
        self.model = model
        self.second: OpenedNetwork | None = None
        state = self.desk.state
        state.set_model(model)
        for name in ("sample:coffee", "sample:cat"):
            self.open_picture(name)
        assert state.picture is not None
        self.image = state.picture.key
        prediction = self.dispatcher.run(Predict(image=self.image))
        assert isinstance(prediction, Prediction)
        state.set_prediction(prediction)
        state.attributions.set_explaining(Explain(image="", method="gradcam", nodes=("stage4",)))

    def open_picture(self, name: str) -> None:
        """Open another picture."""
        picture = self.dispatcher.run(OpenImage(path=name))
        assert isinstance(picture, ImageInfo)
        self.desk.state.opened.add(picture)

    def open_second(self, request: LoadModel) -> None:
        """Open another network as B."""
        model = self.dispatcher.run(replace(request, network="B"))
        assert isinstance(model, ModelInfo)
        self.second = OpenedNetwork(model, request)
        second = self.desk.state.second
        second.set_model(model)
        prediction = self.dispatcher.run(Predict(network="B", image=self.image))
        assert isinstance(prediction, Prediction)
        second.set_prediction(prediction)

    @property
    def painted(self) -> Recipe:
        """A recipe that paints a rectangle of the picture black, and pastes a part of the other one."""
        other = next(each.key for each in self.desk.state.opened.all if each.key != self.image)
        made = (
            Retouch(fill="black", rectangle=(60, 40, 120, 90)),
            Retouch(fill="paste", picture=other, rectangle=(200, 150, 80, 100)),
        )
        return Recipe(retouched=((self.image, made),))

    def change(self, recipe: Recipe) -> None:
        """Make changes, and show what is seen after them."""
        state = self.desk.state
        averaged = tuple(each.key for each in state.opened.all) if recipe.averages_pictures else ()
        asked = Intervene(
            network="B",
            changes=recipe.changes,
            retouched=recipe.retouched,
            image=self.image,
            images=averaged,
        )
        model = self.dispatcher.run(asked)
        assert isinstance(model, ModelInfo)
        self.second = OpenedNetwork(self.model, LOADED, recipe, averaged)
        state.interventions.put_recipe(recipe)
        state.second.set_model(model, is_changed_first=True)
        prediction = self.dispatcher.run(Predict(network="B", image=self.image))
        assert isinstance(prediction, Prediction)
        state.second.set_prediction(prediction)
        state.second.choice.choose("second")

    def show(self, panel: QWidget) -> None:
        self.desk.show(panel, 700, 500)

    def settle(self, panel: Panel) -> None:
        """Answer what is asked until the panel has nothing to ask any more."""
        for _ in range(200):
            QApplication.processEvents()
            while self._answered < len(self.desk.asked):
                request = self.desk.asked[self._answered]
                self._answered += 1
                self._answer(request)
            if panel.is_settled and self._answered == len(self.desk.asked):
                return
            self.desk.qtbot.wait(10)
        raise AssertionError(f"{type(panel).__name__} is not settled")

    def _answer(self, request: Request) -> None:
        """Answer a request as the engine does, partial answers included."""
        work = self.dispatcher.answer(request)
        try:
            while True:
                self.desk.tell(next(work))
        except StopIteration as finished:
            self.desk.tell(Done(id=request.id, payload=finished.value, seconds=0.01))
        except StudioError as error:
            self.desk.tell(Failed(id=request.id, message=error.message, hint=error.hint))

    def script(self, python: PythonLines | None) -> str:
        assert python is not None
        return script(python, OpenedNetwork(self.model, LOADED), self.listed, self.second)

    def listed(self, key: str) -> OpenedPicture | None:
        state = self.desk.state
        row = state.opened.row(key)
        return None if row is None else OpenedPicture(state.opened.all[row], state.opened.framings.view_of(key))

    def of_view(self, view: MapView) -> tuple[str, Arrays]:
        assert view.contents is not None
        assert view.contents.values is not None
        return self.script(view.contents.python), view.contents.values


_RUN = """
import sys
import numpy as np

found = {{}}
for name, code in {scripts!r}.items():
    scope = {{}}
    exec(compile(code, name, "exec"), scope)
    values = scope["values"]
    listed = values if isinstance(values, list) else [values]
    for number, each in enumerate(listed):
        found[f"{{name}} / {{number}}"] = each
np.savez(sys.argv[1], **{{f"a{{index}}": each for index, each in enumerate(found.values())}}, names=list(found))
"""


def assert_scripts_give_arrays(views: Views, tmp_path: Path) -> None:
    """Run all scripts in one fresh process, and compare what they give bit for bit."""
    code = tmp_path / "run.py"
    code.write_text(_RUN.format(scripts={name: text for name, (text, _) in views.items()}), encoding="utf-8")
    out = tmp_path / "found.npz"
    done = subprocess.run(
        [sys.executable, str(code), str(out)], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    with np.load(out) as loaded:
        found = dict(
            zip(loaded["names"].tolist(), (loaded[f"a{n}"] for n in range(len(loaded["names"]))), strict=True)
        )
    expected: dict[str, NDArray[np.generic]] = {}
    for name, (_, values) in views.items():
        listed = [values] if isinstance(values, np.ndarray) else list(values)
        expected |= {f"{name} / {number}": each for number, each in enumerate(listed)}
    assert set(found) == set(expected)
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], values, err_msg=name)
