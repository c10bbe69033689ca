"""Copy as Python of the panel Similarity and of the receptive-field lab, in a fresh process, bit for bit."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from convnext_studio.export import save_field
from convnext_studio.model.config import ConvNeXtConfig
from convnext_studio.model.framing import Framing, framed
from convnext_studio.protocol.envelope import Request
from convnext_studio.protocol.models import LoadModel
from convnext_studio.protocol.receptive_fields import FieldGrowth, FieldNetwork, OpenField, ReceptiveField
from convnext_studio.protocol.similarity import Components
from convnext_studio.render import Limits
from convnext_studio.ui.panels.receptive_field.field_controls import FieldControls
from convnext_studio.ui.panels.receptive_field_lab.compare import SubjectView
from convnext_studio.ui.panels.receptive_field_lab.one_picture import OnePicturePage
from convnext_studio.ui.panels.similarity.similarity_panel import SimilarityPanel
from convnext_studio.ui.plots.field_scene import Colours
from convnext_studio.ui.state.comparison_entries import network
from convnext_studio.ui.state.python_text import lines_of
from tests.ui.answered_desk import AnsweredDesk, Arrays, Views, assert_scripts_give_arrays


def pages(engine: AnsweredDesk) -> Views:
    state = engine.desk.state
    state.set_node("stage3")
    panel = SimilarityPanel(state, engine.desk.bridge)
    engine.show(panel)
    engine.settle(panel)
    found: Views = {"components": engine.of_view(panel.map)}
    for single in panel.components.singles:
        found[f"component {single.index}"] = engine.of_view(single.map)
    panel.components.view.choose(1)
    found["second component"] = engine.of_view(panel.map)
    panel.components.basis.setCurrentIndex(panel.components.basis.findData("pictures"))
    engine.settle(panel)
    found["components of all"] = engine.of_view(panel.map)
    panel.components.keep.name.setText("kept")
    panel.components.keep.keep.click()
    engine.settle(panel)
    found["kept components"] = engine.of_view(panel.map)
    panel.components.basis.setCurrentIndex(panel.components.basis.findData("foreground"))
    panel.components.brush_size.setValue(30)
    assert state.picture is not None
    width, height = state.picture.size
    panel.components.brush(0.4 * width, 0.4 * height, True)
    panel.components.brush(0.6 * width, 0.6 * height, False)
    panel.components.lift_brush()
    engine.settle(panel)
    found["marked components"] = engine.of_view(panel.map)
    assert isinstance(panel.question(), Components)
    panel.switch.choose("parts")
    engine.settle(panel)
    found["parts"] = engine.of_view(panel.map)
    panel.switch.choose("norms")
    engine.settle(panel)
    found["norms"] = engine.of_view(panel.map)
    return found


def likeness(engine: AnsweredDesk) -> Views:
    state = engine.desk.state
    state.set_node("stage3")
    panel = SimilarityPanel(state, engine.desk.bridge)
    engine.show(panel)
    panel.switch.choose("likeness")
    engine.settle(panel)
    page, found = panel.likeness, {"middle": engine.of_view(panel.map)}
    page.choose((1, 2))
    engine.settle(panel)
    found["one"] = engine.of_view(panel.map)
    page.choose((4, 4))
    engine.settle(panel)
    found["difference"] = engine.of_view(panel.map)
    page.measure_box.setCurrentIndex(page.measure_box.findData("centred"))
    engine.settle(panel)
    found["centred difference"] = engine.of_view(panel.map)
    state.opened.select(state.opened.images[1].key)
    QApplication.processEvents()
    engine.settle(panel)
    found["of another picture"] = engine.of_view(panel.map)
    return found


def pages_of_b(engine: AnsweredDesk) -> Views:
    state = engine.desk.state
    engine.open_second(LoadModel(source="bundled", untrained=True, seed=3, device="cpu"))
    state.set_node("stage3")
    panel = SimilarityPanel(state, engine.desk.bridge)
    engine.show(panel)
    found: Views = {}
    for name in ("components", "likeness", "parts", "norms"):
        panel.switch.choose(name)
        of_both = {}
        for shown in ("first", "second"):
            state.second.choice.choose(shown)
            engine.settle(panel)
            of_both[shown] = engine.of_view(panel.map)
        assert panel.caption.startswith("B: ")
        assert panel.marks_random_weights
        assert not np.array_equal(of_both["first"][1], of_both["second"][1])
        found |= {f"{name} {shown}": view for shown, view in of_both.items()}
    state.second.choice.choose("difference")  # Components and parts of two networks have nothing in common.
    engine.settle(panel)
    assert panel.caption.startswith("A: ")
    return found


def lab(engine: AnsweredDesk) -> Views:
    """The views of the lab: a subject of the comparison, and the field on one picture."""
    desk, settings = engine.desk, FieldControls()
    settings.count.setValue(2)
    entry = network("preset:convnextv2_atto", offline=True)
    subject = SubjectView(desk.state, desk.bridge, entry, 0, "lab", lambda: settings.settings)
    subject.show_colours(Colours(scale="linear", colormap="viridis", limits=Limits(0.0, 1.0)), None)
    page = OnePicturePage(desk.state, desk.bridge, lambda: settings.settings)
    found: Views = {}
    for name, panel in (("subject", subject), ("one picture", page)):
        engine.show(panel)
        panel.measured.query.refresh()
        engine.settle(panel)
        panel.measured.repaint()
        found[name] = engine.of_view(panel.map)
    return found


def fields(engine: AnsweredDesk, tmp_path: Path) -> Views:
    """What the pages of the lab ask, which measures several networks."""

    def asked(request: Request, array: Callable[..., Arrays]) -> tuple[str, Arrays]:
        answer = engine.dispatcher.run(request)
        return engine.script(lines_of(request, engine.model)), array(answer)

    untrained = FieldNetwork(
        config=ConvNeXtConfig(depths=(1, 1, 1, 1), dims=(6, 8, 10, 12), num_classes=2), seed=4
    )
    saved = tmp_path / "field.npz"
    save_field(saved, engine.dispatcher.run(ReceptiveField(node="stage1", inputs="noise", count=1)))
    pictures = {"images": (engine.image,), "count": 1}
    shown = Framing(kind="whole", input_px=80)
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name, size in (("upright", (60, 90)), ("lying", (100, 70))):
        Image.effect_noise(size, 60).save(folder / f"{name}.png")
    return {
        "random weights": asked(
            ReceptiveField(node="stage2", subject=untrained, **pictures), lambda answer: answer.field_map
        ),
        "a preset": asked(
            ReceptiveField(node="stage1", subject=FieldNetwork(source="preset:convnextv2_atto"), **pictures),
            lambda answer: answer.field_map,
        ),
        "a rectangle": asked(
            ReceptiveField(node="stage2", input_px=96, height_px=64, **pictures),
            lambda answer: answer.field_map,
        ),
        "growth": asked(
            FieldGrowth(subject=untrained, **pictures),
            lambda answer: [np.array(list(point.effective_px.values())) for point in answer.points],
        ),
        "a folder, whole pictures": asked(
            ReceptiveField(
                node="stage2",
                inputs="folder",
                folder=str(folder),
                count=2,
                framing="own",
                folder_framing=shown,
            ),
            lambda answer: answer.field_map,
        ),
        "growth in a framing": asked(
            FieldGrowth(
                framing="own", images=(framed(engine.image, Framing(kind="whole", input_px=80)),), count=1
            ),
            lambda answer: [np.array(list(point.effective_px.values())) for point in answer.points],
        ),
        "a file": asked(OpenField(path=str(saved)), lambda answer: answer.field_map),
    }


@pytest.mark.slow
def test_the_text_of_positions_and_fields_gives_their_arrays(qtbot: QtBot, tmp_path: Path) -> None:
    views = {
        **pages(AnsweredDesk(qtbot)),
        **{f"likeness {name}": view for name, view in likeness(AnsweredDesk(qtbot)).items()},
        **{f"of B {name}": view for name, view in pages_of_b(AnsweredDesk(qtbot)).items()},
        **{f"lab {name}": view for name, view in lab(AnsweredDesk(qtbot)).items()},
        **{f"field {name}": view for name, view in fields(AnsweredDesk(qtbot), tmp_path).items()},
    }
    assert_scripts_give_arrays(views, tmp_path)
