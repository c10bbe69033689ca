"""The stem's stride and padding as fields, where the file does not tell them."""

from msgspec.structs import replace
from pytestqt.qtbot import QtBot

from convnext_studio.model.config import ConvNeXtConfig
from convnext_studio.protocol.models import LoadModel, ModelInfo
from convnext_studio.ui.panels.model.model_panel import StemChoice
from convnext_studio.ui.shell.window import StudioWindow
from tests.ui.conftest import FOUR_STAGES, FakeEngine, make_model


def untold(config: ConvNeXtConfig = FOUR_STAGES) -> ModelInfo:
    return replace(make_model(config=config), is_stem_untold=True)


def test_it_is_seen_only_where_the_file_is_silent(window: StudioWindow) -> None:
    stem = window.panels.model.stem
    assert stem.isHidden()
    window.state.set_model(untold())
    assert not stem.isHidden()
    assert (stem.stride.value(), stem.padding.value()) == (FOUR_STAGES.stem_stride, FOUR_STAGES.stem_padding)
    window.state.set_model(make_model())
    assert stem.isHidden()


def test_applying_opens_the_file_again(window: StudioWindow, engine: FakeEngine) -> None:
    window.controller.models.open("/weights/tutorial.pth", "cpu")
    first = engine.open(LoadModel)[-1]
    engine.answer(first, untold())
    stem = window.panels.model.stem
    assert not stem.apply.isEnabled()
    stem.stride.setValue(1)
    stem.padding.setValue(1)
    assert stem.apply.isEnabled()
    stem.apply.click()
    again = engine.open(LoadModel)[-1]
    assert (again.source, again.device) == ("/weights/tutorial.pth", "cpu")
    assert (again.stem_stride, again.stem_padding) == (1, 1)
    engine.answer(again, untold(replace(FOUR_STAGES, stem_stride=1, stem_padding=1)))
    assert (stem.stride.value(), stem.padding.value()) == (1, 1)
    assert not stem.apply.isEnabled()
    window.controller.models.change(device="auto")
    assert engine.open(LoadModel)[-1].stem_stride == 1  # A change of the device does not forget them.


def test_a_refusal_shows_the_open_networks_numbers_again(window: StudioWindow, engine: FakeEngine) -> None:
    window.controller.models.open("/weights/tutorial.pth", "cpu")
    engine.answer(engine.open(LoadModel)[-1], untold())
    stem = window.panels.model.stem
    stem.stride.setValue(1)
    stem.apply.click()
    engine.refuse(engine.open(LoadModel)[-1], "No.")
    assert stem.stride.value() == FOUR_STAGES.stem_stride


def test_impossible_numbers_cannot_be_typed(qtbot: QtBot) -> None:
    stem = StemChoice()
    qtbot.addWidget(stem)
    stem.show_model(untold())
    kernel = FOUR_STAGES.stem_kernel_size
    assert (stem.stride.minimum(), stem.stride.maximum()) == (1, kernel)
    assert (stem.padding.minimum(), stem.padding.maximum()) == (0, kernel - 1)
