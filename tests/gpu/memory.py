"""What happens where memory is short, and whether all of it comes back.

On a GPU the process is bound to a small share of the memory. On a CPU an allocator that refuses large results
stands in, which tells no bytes: then only answers and refusals are checked.
"""

import gc
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial

import torch
from msgspec.structs import replace

from convnext_studio.common.errors import InputTooLarge, StudioError
from convnext_studio.engine.server.dispatch import Dispatcher
from convnext_studio.engine.server.faults import failure, is_expected
from convnext_studio.engine.server.hardware.devices import needed_bytes
from convnext_studio.model.config import ConvNeXtConfig
from convnext_studio.model.loaded import build
from convnext_studio.model.presets import preset
from convnext_studio.protocol.envelope import Request
from convnext_studio.protocol.models import BUILT, LoadModel
from convnext_studio.protocol.pictures import ImageInfo, OpenImage
from convnext_studio.protocol.predictions import Predict
from convnext_studio.protocol.receptive_fields import ReceptiveField
from tests.engine.server.test_out_of_memory import Allocator, of_pictures
from tests.gpu.checks import Check, Setting, judged, stated, told
from tests.networks import SMALL

SECTION = "memory"
MODELS = 20
ROOM = 1.5
"""How many times what one prediction takes is left for each request: no room for large batches."""
_SLACK_BYTES = 32 << 20
"""Of cuDNN's and cuBLAS's own buffers, which are taken once and kept."""


def steps(setting: Setting) -> list[tuple[str, Callable[[], list[Check]]]]:
    """Requests where memory is short, a field at a size that works, models one after the other."""
    return [
        ("short of memory", partial(_short, setting)),
        ("a field too large", partial(_too_large, setting)),
        ("models in a row", partial(_in_a_row, setting)),
        *([("needed", partial(_needed, setting))] if setting.is_gpu else []),
    ]


def _network(setting: Setting) -> tuple[ConvNeXtConfig, int]:
    if setting.size == "full":
        return preset("convnext_tiny"), 224
    # So wide that what a pass takes most for is not the picture itself.
    return replace(SMALL, dims=(32, 32, 32, 32)), 32


def _session(setting: Setting, cache_bytes: int = 0) -> Dispatcher:
    config, side_px = _network(setting)
    session = Dispatcher(cache_bytes=cache_bytes)
    session.run(LoadModel(source=BUILT, config=config, input_px=side_px, device=str(setting.device)))
    return session


def held_bytes() -> int:
    """What torch holds of the device's memory, after what nobody needs has gone."""
    gc.collect()
    torch.cuda.empty_cache()
    return torch.cuda.memory_allocated()


def peak_bytes(call: Callable[[], object]) -> int:
    """Most memory that a call took beside what was held."""
    held = held_bytes()
    torch.cuda.reset_peak_memory_stats()
    call()
    return torch.cuda.max_memory_allocated() - held


def limited(setting: Setting, most: float) -> AbstractContextManager[object]:
    """A GPU on which the process gets no more than so many bytes; on a CPU results of so many elements."""
    return _Limit(most) if setting.is_gpu else Allocator(largest=most)


class _Limit(nullcontext[None]):
    def __init__(self, most_bytes: float) -> None:
        super().__init__()
        self._share = min(1.0, most_bytes / torch.cuda.mem_get_info()[1])

    def __enter__(self) -> None:
        torch.cuda.empty_cache()
        torch.cuda.set_per_process_memory_fraction(self._share)

    def __exit__(self, *_: object) -> None:
        torch.cuda.set_per_process_memory_fraction(1.0)


def _short(setting: Setting) -> list[Check]:
    """Every request fits by smaller batches, or is refused in a sentence; then memory is what it was."""
    session = _session(setting)
    requests = {name: request for name, request in of_pictures(session).items() if name != "load"}
    predict = requests["predict"]
    session.run(predict)
    if setting.is_gpu:
        held = held_bytes()
        most = torch.cuda.memory_reserved() + ROOM * peak_bytes(lambda: session.run(predict))
    else:
        held = 0
        with Allocator() as watched:
            session.run(predict)
        most = ROOM * watched.largest
    if setting.size == "smallest":
        requests = {name: requests[name] for name in ("predict", "occlusion", "field of noise")}
    said: dict[str, str] = {}
    checks = []
    for name, request in requests.items():
        with limited(setting, most):
            said[name] = _asked(session, request)
        if said[name] not in ("fits", "refused"):
            checks.append(stated(SECTION, f"short of memory: {name}", False, said[name]))
    fitted = sum(text == "fits" for text in said.values())
    refused = ", ".join(name for name, text in said.items() if text == "refused")
    checks.append(told(SECTION, "short of memory", f"{fitted} of {len(said)} fit", f"refused: {refused}"))
    checks.append(stated(SECTION, "afterwards it predicts", _asked(session, predict) == "fits"))
    if setting.is_gpu:
        left = held_bytes() - held
        checks.append(judged(SECTION, "bytes kept after refusals", left, _SLACK_BYTES))
    return checks


def _asked(session: Dispatcher, request: Request) -> str:
    """Whether it fits, is refused as it should be, or goes wrong."""
    try:
        session.run(request)
    except Exception as error:
        if not is_expected(error):
            return f"{type(error).__name__}: {next(iter(str(error).splitlines()), '')}"
        answer = failure(0, error)
        return (
            "refused" if "memory" in answer.message and answer.hint else f"without a way out: {answer.message}"
        )
    return "fits"


def _too_large(setting: Setting) -> list[Check]:
    """A field at an input that does not fit is refused with a size, and that size, or the next, works."""
    session = _session(setting)
    _, small_px = _network(setting)
    side_px = 1024 if setting.size == "full" else 128

    def field(px: int, count: int = 2) -> ReceptiveField:
        return ReceptiveField(node="stage4", target=0, inputs="noise", count=count, input_px=px)

    if setting.is_gpu:
        one = peak_bytes(lambda: session.run(field(small_px, 1)))
        most = torch.cuda.memory_reserved() + 3 * one
    else:
        with Allocator() as watched:
            session.run(field(side_px * 3 // 4, 1))
        most = watched.largest
    tried = [side_px]
    with limited(setting, most):
        while True:
            try:
                session.run(field(tried[-1]))
                break
            except InputTooLarge as error:
                tried.append(error.smaller_px)
            except StudioError as error:
                return [stated(SECTION, "a field too large", False, str(error))]
    way = " -> ".join(map(str, tried))
    return [stated(SECTION, "a field too large is refused with a size that works", len(tried) > 1, f"{way} px")]


def _in_a_row(setting: Setting) -> list[Check]:
    """Models opened and asked one after the other: after the last no more is held than after the first."""
    session = Dispatcher()
    picture = session.run(OpenImage(path="sample:cat"))
    assert isinstance(picture, ImageInfo)
    config, side_px = _network(setting)
    count = {"full": MODELS, "small": 5, "smallest": 2}[setting.size]
    held: list[int] = []
    tensors: list[int] = []
    for seed in range(count):
        request = LoadModel(
            source=BUILT, config=config, seed=seed, input_px=side_px, device=str(setting.device)
        )
        session.run(request)
        session.run(Predict(image=picture.key))
        gc.collect()
        tensors.append(sum(issubclass(type(thing), torch.Tensor) for thing in gc.get_objects()))
        if setting.is_gpu:
            held.append(held_bytes())
    checks = [judged(SECTION, f"tensors more after {count} models", tensors[-1] - tensors[0], 0)]
    if held:
        checks.append(judged(SECTION, f"bytes more after {count} models", held[-1] - held[0], 1 << 20))
    return checks


def _needed(setting: Setting) -> list[Check]:
    """What the program says that a network needs, against what a prediction took."""
    checks = []
    for name in ("convnext_tiny", "convnext_base"):
        session = Dispatcher(cache_bytes=0)
        picture = session.run(OpenImage(path="sample:cat"))
        assert isinstance(picture, ImageInfo)
        model = build(preset(name), name)
        held = held_bytes()
        torch.cuda.reset_peak_memory_stats()
        session.run(LoadModel(source=BUILT, config=preset(name), device=str(setting.device)))
        session.run(Predict(image=picture.key))
        taken = torch.cuda.max_memory_allocated() - held
        share = needed_bytes(model) / taken
        note = f"{needed_bytes(model) / 1e9:.2f} GB said, {taken / 1e9:.2f} GB taken"
        is_right = 0.7 <= share <= 1.5
        checks.append(stated(SECTION, f"said to be needed, {name}", is_right, f"{share:.2f} of what was", note))
    return checks
