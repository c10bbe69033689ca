"""Devices by the names that people read."""

import platform

import pytest
import torch

from convnext_studio.engine.server.devices import device_name


@pytest.mark.parametrize(("count", "said"), [(1, "1 thread"), (2, "2 threads")])
def test_a_processor_is_named_with_its_threads(monkeypatch: pytest.MonkeyPatch, count: int, said: str) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: count)
    assert device_name(torch.device("cpu")) == f"{platform.machine()} CPU, {said}"
