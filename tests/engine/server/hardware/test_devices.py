"""Devices by the names that people read."""

import platform

import pytest
import torch

from convnext_studio.common.errors import StudioError
from convnext_studio.engine.handlers import model_handlers as models
from convnext_studio.engine.server.dispatch import Dispatcher
from convnext_studio.engine.server.hardware import devices
from convnext_studio.engine.server.hardware.devices import (
    available_devices,
    check_room,
    computer_memory_bytes,
    device_name,
    device_table,
    free_bytes,
    gpu_problem,
    needed_bytes,
    resolve_device,
)
from convnext_studio.model import load
from convnext_studio.protocol.models import BUILT, LoadModel, ModelInfo
from tests.networks import SMALL


@pytest.mark.parametrize(("count", "said"), [(1, "1 thread"), (2, "2 threads")])
def test_a_processor_is_named_with_its_threads(monkeypatch: pytest.MonkeyPatch, count: int, said: str) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: count)
    assert device_name(torch.device("cpu")) == f"{platform.machine()} CPU, {said}"


def test_auto_takes_the_first_device_and_an_unknown_one_is_refused_with_what_is_there() -> None:
    assert str(resolve_device("auto")) == available_devices()[0].partition(":")[0]
    with pytest.raises(StudioError) as caught:
        resolve_device("cuda:93")
    assert caught.value.hint.endswith(f"There are: {', '.join(available_devices())}.")


def test_the_table_tells_names_and_memory() -> None:
    cpu = device_table()[-1]
    assert (cpu.name, cpu.title) == ("cpu", device_name(torch.device("cpu")))
    assert cpu.memory_bytes == (computer_memory_bytes() or 0)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("The NVIDIA driver on your system is too old (found version 11040).", "driver is too old"),
        ("CUDA driver initialization failed, you might not have a CUDA gpu.", "cannot use the NVIDIA GPU"),
        ("Found no NVIDIA driver on your system.", ""),
        ("No CUDA GPUs are available", ""),
    ],
)
def test_a_gpu_that_cannot_be_used_is_told_in_one_sentence(
    monkeypatch: pytest.MonkeyPatch, said: str, told: str
) -> None:
    def fail() -> None:
        raise RuntimeError(said)

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "current_device", fail)
    problem = gpu_problem()
    assert told in problem
    assert bool(problem) == bool(told)
    assert problem.count(".") == bool(told)


def test_a_network_that_does_not_fit_is_refused_with_what_it_takes_and_what_is_free(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = load("preset:convnext_tiny")
    needed = needed_bytes(model)
    # 28.6 million weights are 114 MB; the results for one picture take about as much again.
    assert 0.2e9 < needed < 0.4e9
    monkeypatch.setattr(devices, "free_bytes", lambda _: needed - 1)
    monkeypatch.setattr(devices, "device_name", lambda _: "NVIDIA Small")
    with pytest.raises(
        StudioError, match=r"needs about 0\.\d GB, but only 0\.\d GB are free on NVIDIA Small"
    ) as caught:
        check_room(model, torch.device("cuda"))
    assert "Choose the CPU" in caught.value.hint
    monkeypatch.setattr(devices, "free_bytes", lambda _: needed)
    check_room(model, torch.device("cuda"))


def test_the_processor_does_not_tell_what_is_free() -> None:
    assert free_bytes(torch.device("cpu")) is None


def test_a_cpu_in_the_place_of_a_gpu_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "gpu_problem", lambda: "The NVIDIA driver is too old.")
    info = Dispatcher().run(LoadModel(source=BUILT, config=SMALL, input_px=64, device="cpu"))
    assert isinstance(info, ModelInfo)
    assert "The NVIDIA driver is too old." in info.notes
    assert info.device_facts in info.devices
