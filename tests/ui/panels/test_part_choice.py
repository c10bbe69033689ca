"""Another network or head of the open file is chosen in the model panel."""

from msgspec.structs import replace

from convnext_studio.protocol.models import LoadModel
from convnext_studio.ui.shell.window import StudioWindow
from tests.ui.conftest import FakeEngine, make_model

PAIR = replace(make_model(), part="teacher", other_parts=("student", "."))


def test_it_is_seen_only_where_there_is_a_choice(window: StudioWindow) -> None:
    choice = window.panels.model.part
    assert choice.isHidden()
    window.state.set_model(PAIR)
    assert not choice.isHidden()
    assert [choice.parts.itemText(at) for at in range(3)] == ["teacher", "student", "the top of the file"]
    window.state.set_model(make_model())
    assert choice.isHidden()


def test_the_choice_is_opened_and_remembered_for_the_file(window: StudioWindow, engine: FakeEngine) -> None:
    window.controller.models.open("/weights/pair.pth", "cpu")
    engine.answer(engine.open(LoadModel)[-1], PAIR)
    parts = window.panels.model.part.parts
    parts.setCurrentIndex(1)
    parts.activated.emit(1)
    asked = engine.open(LoadModel)[-1]
    assert (asked.source, asked.device, asked.part) == ("/weights/pair.pth", "cpu", "student")
    engine.answer(asked, replace(PAIR, part="student", other_parts=("teacher",)))
    window.controller.models.open("bundled")
    engine.answer(engine.open(LoadModel)[-1], make_model())
    window.controller.models.open("/weights/pair.pth")
    assert engine.open(LoadModel)[-1].part == "student"


def test_a_network_without_classes_is_told(window: StudioWindow) -> None:
    window.state.set_model(replace(make_model(), has_classes=False))
    facts = window.panels.model.findChildren(type(window.panels.model._title))
    assert any("none; " in label.text() and "features" in label.text() for label in facts)
