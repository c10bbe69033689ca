"""An engine with no torch that does what the tests ask for: sleeps, spins, fails, dies.

The node of a `FeatureMaps` request says what to do; models and pictures are remembered by their names.
"""

import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable, Generator
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np

from convnext_studio.common.errors import StudioError
from convnext_studio.common.geometry import CropGeometry, FieldGeometry
from convnext_studio.common.stopping import Stopped
from convnext_studio.engine.server.worker import serve
from convnext_studio.model.config import ConvNeXtConfig
from convnext_studio.protocol.connection.transport import Channel
from convnext_studio.protocol.envelope import Order, Payload, Progress, Request
from convnext_studio.protocol.maps import FeatureMaps, FeatureMapsResult
from convnext_studio.protocol.models import LoadModel, ModelInfo
from convnext_studio.protocol.pictures import CloseImage, ImageInfo, OpenImage, RestorePictures
from convnext_studio.protocol.predictions import Predict
from convnext_studio.protocol.receptive_fields import ReceptiveField

ENTRY = f"{__name__}:main"
CANNOT_START = f"{__name__}:cannot_start"
DIES_AT_ONCE = f"{__name__}:dies_at_once"


def main(channel: Channel[Order]) -> None:
    """Serve a `FakeDispatcher`."""
    serve(channel, FakeDispatcher)


def cannot_start(channel: Channel[Order]) -> None:
    """An engine whose libraries are broken."""

    def fail() -> "FakeDispatcher":
        raise ImportError("libtorch.so is broken")

    serve(channel, fail)


def dies_at_once(channel: Channel[Order]) -> None:
    """An engine that dies before it says anything."""
    channel.close()
    os._exit(7)


class FakeDispatcher:
    """Remembers names, and does what a request's node says."""

    def __init__(self) -> None:
        self.model = ""
        self.images: set[str] = set()
        self.log: list[str] = []

    @property
    def gpu_free_bytes(self) -> int:
        return 0

    def answer(self, request: Request, should_stop: Callable[[], bool]) -> Generator[Progress, None, Payload]:
        """As `Dispatcher.answer`."""
        match request:
            case LoadModel() | OpenImage() | RestorePictures() | CloseImage():
                return self._change(request)
            case Predict():
                return result(f"prediction {request.image}")
            case ReceptiveField():
                for done in range(1, request.count + 1):
                    time.sleep(0.01)
                    partial = result(f"partial {done}")
                    yield Progress(id=request.id, done=done, total=request.count, text="", partial=partial)
                return result(request.node)
            case FeatureMaps(node="state"):
                return result(f"{self.model} {sorted(self.images)} {self.log}")
            case FeatureMaps(node="steps"):
                try:
                    while True:
                        time.sleep(0.01)
                        yield Progress(id=request.id, done=0, total=1, text="")
                finally:
                    self.log.append("closed")
            case FeatureMaps():
                command, _, argument = request.node.partition(":")
                return _COMMANDS[command](argument, should_stop)
        raise AssertionError(request)

    def _change(self, request: LoadModel | OpenImage | RestorePictures | CloseImage) -> Payload:
        match request:
            case LoadModel():
                _die_the_second_time(request.source)
                self.model = request.source
                return model_info(request.source)
            case OpenImage():
                _die_the_second_time(request.path)
                self.images.add(request.path)
                return image_info(request.path)
            case RestorePictures():
                self.images.update(request.sources)
                return None
            case CloseImage():
                self.images -= set(request.images)
                return None


def result(text: str, maps: np.ndarray | None = None) -> FeatureMapsResult:
    """An answer that carries a text, and maps if given."""
    return FeatureMapsResult(
        image="",
        node=text,
        maps=np.zeros((1, 1, 1), np.float32) if maps is None else maps,
        field=FieldGeometry(),
        geometry=CropGeometry((1, 1), (1, 1), (0, 0), (1, 1)),
    )


def model_info(source: str) -> ModelInfo:
    """A model of that name and nothing in it."""
    return ModelInfo(
        source=source,
        title=source,
        random_weights=True,
        notes=(),
        config=ConvNeXtConfig(),
        nodes=(),
        labels=(),
        parameters=0,
        macs=0,
        input_px=1,
        device="cpu",
        device_name=f"CPU {os.getpid()}" if source == "moves" else "CPU",
        precision="float32",
    )


def image_info(path: str) -> ImageInfo:
    """A picture of one black pixel; its key is its path, or new each time for a path that says so."""
    pixel = np.zeros((1, 1, 3), np.uint8)
    key = f"{path} {os.getpid()}" if path == "changes" else path
    return ImageInfo(key=key, name=path, path=path, size=(1, 1), notes=(), preview=pixel, thumbnail=pixel)


def _die_the_second_time(name: str) -> None:
    """Exit if `name` is the path of a file; make that file if its name says ``once``."""
    path = Path(name)
    if path.exists():
        os._exit(4)
    if path.stem == "once":
        path.touch()


def _layouts(_: str, should_stop: Callable[[], bool]) -> Payload:
    assert not should_stop()
    return result("", maps=np.arange(24, dtype=np.float32).reshape(4, 3, 2).transpose())


def _until_stopped(_: str, should_stop: Callable[[], bool]) -> Payload:
    while not should_stop():
        time.sleep(0.001)
    raise Stopped


def _sleep(seconds: str, _: Callable[[], bool]) -> Payload:
    time.sleep(float(seconds))
    return result(f"slept {seconds}")


def _spin(_: str, _should_stop: Callable[[], bool]) -> Payload:
    while True:
        pass


def _hold_the_interpreter(_: str, _should_stop: Callable[[], bool]) -> Payload:
    # A PyDLL call keeps the interpreter's lock: no other thread of the process can run.
    return ctypes.PyDLL(None).sleep(60)


def _exit(code: str, _: Callable[[], bool]) -> Payload:
    os._exit(int(code))


def _exit_once(path: str, _: Callable[[], bool]) -> Payload:
    if not Path(path).exists():
        Path(path).touch()
        os._exit(4)
    return result("survived")


def _kill(_: str, should_stop: Callable[[], bool]) -> Payload:
    os.kill(os.getpid(), signal.SIGKILL)
    return _spin("", should_stop)


def _raise(name: str, _: Callable[[], bool]) -> Payload:
    torch_error = {"__module__": "torch"}
    match name:
        case "sentence":
            raise StudioError("There is no such node.", "Choose another.")
        case "memory":
            raise MemoryError
        case "cpu memory":
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 4 bytes.")
        case "cuda memory":
            raise type("OutOfMemoryError", (RuntimeError,), torch_error)("CUDA out of memory.\nTried 2 GiB")
        case "passing fault" | "lasting fault":
            raise _accelerator_error(lasting=name == "lasting fault")
    raise ValueError("axes do not match\nsecond line")


_COMMANDS = {
    "layouts": _layouts,
    "until stopped": _until_stopped,
    "sleep": _sleep,
    "spin": _spin,
    "hold the interpreter": _hold_the_interpreter,
    "exit": _exit,
    "exit once": _exit_once,
    "kill": _kill,
    "raise": _raise,
}


def _accelerator_error(*, lasting: bool) -> Exception:
    kind = type("AcceleratorError", (RuntimeError,), {"__module__": "torch"})

    def synchronize(device: int) -> None:
        if lasting:
            raise kind(f"CUDA error on {device}")

    torch = ModuleType("torch")
    torch.cuda = SimpleNamespace(device_count=lambda: 1, synchronize=synchronize)
    sys.modules["torch"] = torch
    return kind("CUDA error: unspecified launch failure\nmore")
