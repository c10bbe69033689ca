"""Only the devices that are there are offered, and the CPU where a GPU has too little memory."""

import pytest
from msgspec.structs import replace

from convnext_studio.protocol.envelope import Failed
from convnext_studio.protocol.maps import FeatureMaps
from convnext_studio.protocol.models import Device, LoadModel
from convnext_studio.ui.shell.window import StudioWindow
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.state.controller import Controller
from tests.ui.conftest import FakeEngine, make_model

GPUS = tuple(Device(name=f"cuda:{index}", title=f"GPU {index}", memory_bytes=8_000_000_000) for index in (0, 1))
CPU = Device(name="cpu", title="A processor")


def offered(window: StudioWindow) -> list[str]:
    menu = window.device_menu._menu
    return [action.text() for action in menu.actions()]


def checked(window: StudioWindow) -> list[str]:
    return [action.text() for action in window.device_menu._menu.actions() if action.isChecked()]


def test_without_a_gpu_only_the_cpu_is_offered(
    window: StudioWindow, controller: Controller, engine: FakeEngine
) -> None:
    controller.models.open("bundled")
    engine.answer(engine.open(LoadModel)[0], replace(make_model(), devices=(CPU,)))
    assert offered(window) == ["Automatic", "cpu"]
    box = window.panels.model._device
    assert [box.itemText(row) for row in range(box.count())] == ["auto", "cpu"]


def test_every_gpu_is_offered_and_chosen(
    window: StudioWindow, controller: Controller, engine: FakeEngine
) -> None:
    controller.models.open("bundled")
    there = replace(make_model(device="cuda:0"), devices=(*GPUS, CPU))
    engine.answer(engine.open(LoadModel)[0], there)
    names = ["cuda:0: GPU 0, 8 GB", "cuda:1: GPU 1, 8 GB"]
    assert offered(window) == ["Automatic", "cpu", *names]
    assert checked(window) == ["Automatic"]
    window.device_menu.actions["cuda:1"].trigger()
    [request] = engine.open(LoadModel)
    assert request.device == "cuda:1"
    engine.answer(request, replace(there, device="cuda:1"))
    assert checked(window) == [names[1]]
    box = window.panels.model._device
    assert [box.itemText(row) for row in range(box.count())] == ["auto", "cuda:0", "cuda:1", "cpu"]
    assert box.currentText() == "cuda:1"


@pytest.mark.parametrize("of_model", [False, True])
def test_the_cpu_is_offered_where_a_gpus_memory_runs_out_and_never_taken_silently(
    window: StudioWindow, controller: Controller, bridge: EngineBridge, engine: FakeEngine, of_model: bool
) -> None:
    controller.models.open("preset:convnext_tiny", "cuda", "bfloat16")
    engine.answer(engine.open(LoadModel)[0], replace(make_model(device="cuda"), devices=(*GPUS, CPU)))
    if of_model:
        controller.models.change(source="preset:convnext_xlarge")
        [request] = engine.open(LoadModel)
    else:
        bridge.ask(FeatureMaps(image="one", node="stage1"), lambda _: None, on_failure=lambda _: None)
        [request] = engine.open(FeatureMaps)
    engine.send(Failed(id=request.id, message="It needs 9.1 GB.", hint="Choose the CPU.", offers_cpu=True))
    assert window.messages.text == "It needs 9.1 GB. Choose the CPU."
    engine._open.discard(request.id)
    assert engine.open(LoadModel) == []
    assert window.messages.offer.text() == "Use the CPU"
    window.messages.offer.click()
    [asked] = engine.open(LoadModel)
    source = "preset:convnext_xlarge" if of_model else "preset:convnext_tiny"
    assert (asked.source, asked.device, asked.precision) == (source, "cpu", "float32")
