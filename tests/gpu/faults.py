"""What goes wrong on a GPU, and whether the program goes on.

An engine killed in the middle of a computation, a device-side assert after which the process can use the GPU no
more, no GPU to be seen, a driver that is too old: each must end in one sentence and a computer that goes on.
"""

import os
import queue
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TypeVar

import torch

from convnext_studio.engine.client.client import EngineClient
from convnext_studio.engine.server import faults as device_faults
from convnext_studio.engine.server import worker
from convnext_studio.engine.server.dispatch import Dispatcher
from convnext_studio.protocol.envelope import Done, EngineLost, EngineReady, Message, Progress, Request
from convnext_studio.protocol.models import BUILT, LoadModel
from convnext_studio.protocol.pictures import ImageInfo, OpenImage
from convnext_studio.protocol.predictions import Predict, Prediction
from convnext_studio.protocol.receptive_fields import ReceptiveField
from tests.gpu.checks import Check, Setting, stated
from tests.networks import SMALL

SECTION = "faults"
TIMEOUT_S = 90.0
_ASSERTED = "CONVNEXT_STUDIO_TEST_ASSERTED"
Kind = TypeVar("Kind")


def steps(setting: Setting) -> list[tuple[str, Callable[[], list[Check]]]]:
    """Each fault by itself."""
    in_process = [
        ("no GPU to be seen", _invisible),
        ("a driver that is too old", _old_driver),
    ]
    if setting.size == "smallest":
        return in_process[1:]
    return [
        ("an engine killed in a computation", partial(_killed, setting)),
        ("a device-side assert", partial(_asserted, setting)),
        *in_process,
    ]


class _Heard:
    """What a client was told, for whoever waits for it."""

    def __init__(self) -> None:
        self._messages: queue.Queue[Message] = queue.Queue()

    def __call__(self, message: Message) -> None:
        self._messages.put(message)

    def wait_for(self, kind: type[Kind], identifier: int | None = None) -> Kind:
        """The next message of that kind, about that request; others are passed over."""
        end = time.monotonic() + TIMEOUT_S
        while True:
            message = self._messages.get(timeout=max(0.1, end - time.monotonic()))
            if isinstance(message, kind) and identifier in (None, getattr(message, "id", None)):
                return message


@contextmanager
def _engine(
    setting: Setting, entry: str = "convnext_studio.engine.server.worker:main"
) -> Iterator[tuple[EngineClient, _Heard, str]]:
    """A client with a small network and the sample cat open; also the picture's key."""
    heard, client = _Heard(), EngineClient(entry)
    client.listen(heard)
    try:
        client.ask(LoadModel(source=BUILT, config=SMALL, input_px=64, device=str(setting.device)))
        picture = heard.wait_for(Done, client.ask(OpenImage(path="sample:cat"))).payload
        assert isinstance(picture, ImageInfo)
        yield client, heard, picture.key
    finally:
        client.close()


def _killed(setting: Setting) -> list[Check]:
    """Killed while an average runs; the new engine has model and picture, and predicts."""
    with _engine(setting) as (client, heard, picture):
        running = client.ask(ReceptiveField(node="stage4", inputs="noise", count=100_000, input_px=64))
        heard.wait_for(Progress, running)
        assert client.pid is not None
        os.kill(client.pid, signal.SIGKILL)
        begin = time.monotonic()
        lost = heard.wait_for(EngineLost)
        heard.wait_for(EngineReady)
        client.cancel(running)
        answer = heard.wait_for(Done, client.ask(Predict(image=picture))).payload
        seconds = time.monotonic() - begin
    is_back = isinstance(answer, Prediction) and lost.restarting
    return [stated(SECTION, "killed in a computation: back", is_back, f"{seconds:.1f} s", lost.message)]


def _asserted(setting: Setting) -> list[Check]:
    """A kernel's assert poisons the process: it ends itself, and the next engine answers the same request."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ[_ASSERTED] = str(Path(folder) / "asserted")
        try:
            with _engine(setting, f"{__name__}:asserting_engine") as (client, heard, picture):
                asked = client.ask(Predict(image=picture))
                begin = time.monotonic()
                lost = heard.wait_for(EngineLost)
                answer = heard.wait_for(Done, asked).payload
                seconds = time.monotonic() - begin
        finally:
            del os.environ[_ASSERTED]
    is_back = isinstance(answer, Prediction) and lost.restarting
    how = "" if setting.is_gpu else " (simulated)"
    return [stated(SECTION, f"a device-side assert{how}: back", is_back, f"{seconds:.1f} s", lost.message)]


def asserting_engine(connection: Connection) -> None:
    """An engine whose first prediction, in whatever process, fails an assert on the device."""
    worker.serve(connection, _AssertingDispatcher)


class _AssertingDispatcher(Dispatcher):
    def answer(self, request: Request, should_stop: Callable[[], bool] = bool) -> worker.Work:
        marker = Path(os.environ[_ASSERTED])
        if isinstance(request, Predict) and not marker.exists():
            marker.touch()
            _fail_on_device()
        return super().answer(request, should_stop)


def _fail_on_device() -> None:
    if torch.cuda.is_available():
        places = torch.tensor([1 << 20], device="cuda")
        torch.zeros(3, device="cuda")[places].sum().item()
    # As torch raises it, in a process whose device answers nothing any more.
    device_faults.poisons_device = lambda _error: True
    worker.poisons_device = device_faults.poisons_device
    raise torch.AcceleratorError("CUDA error: device-side assert triggered")


_TELLS_DEVICES = """
import torch
{before}
from convnext_studio.common.errors import StudioError
from convnext_studio.engine.server.hardware.devices import available_devices, gpu_problem, resolve_device
try:
    resolve_device("cuda")
except StudioError as error:
    print(error)
print(gpu_problem())
print(",".join(available_devices()), resolve_device("auto"))
"""
_OLD_DRIVER = """
def fail():
    raise RuntimeError("The NVIDIA driver on your system is too old (found version 11040). Please update it.")
torch.cuda.is_available, torch.cuda.current_device = lambda: False, fail
"""


def _devices_told(before: str = "", **environment: str) -> tuple[str, str, str]:
    """In a process of its own: what is said of ``cuda``, what is wrong with the GPU, and what there is."""
    program = _TELLS_DEVICES.format(before=before)
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=TIMEOUT_S,
    )
    refused, problem, there = done.stdout.split("\n")[:3]
    return refused, problem, there


def _invisible() -> list[Check]:
    refused, problem, there = _devices_told(CUDA_VISIBLE_DEVICES="")
    is_right = refused.startswith("There is no device “cuda”") and not problem and there.endswith("cpu cpu")
    return [stated(SECTION, "CUDA_VISIBLE_DEVICES empty: said, and the CPU is there", is_right, there, refused)]


def _old_driver() -> list[Check]:
    refused, problem, there = _devices_told(_OLD_DRIVER)
    is_right = "driver is too old" in problem and problem in refused and there.endswith("cpu cpu")
    return [stated(SECTION, "driver too old (simulated): said, and the CPU is there", is_right, there, problem)]
