"""What looking into the network costs: all blocks' outputs, and one unit's field."""

from collections.abc import Callable
from itertools import cycle
from queue import Queue
from statistics import median

import torch

from convnext_studio.analysis.features import to_array, trunk_outputs
from convnext_studio.engine.client.client import EngineClient
from convnext_studio.engine.server.dispatch import Dispatcher
from convnext_studio.model.loaded import load
from convnext_studio.protocol.envelope import Done, Failed, Message, Payload, Request
from convnext_studio.protocol.maps import FeatureMaps
from convnext_studio.protocol.models import LoadModel
from convnext_studio.protocol.pictures import ImageInfo, OpenImage
from convnext_studio.protocol.receptive_fields import UnitField
from tests.benchmarks.table import Row
from tests.benchmarks.timing import LONGEST_S, medians, timed

MODEL = "preset:convnext_tiny"
LARGE_MODEL = "preset:tutorial"  # 223 x 223 units in its first stage.
LONGEST_UNIT_S = 0.1  # Asked for on a GPU.
LONGEST_SEEN_S = 0.033
BUDGET_BYTES = 24 << 20  # As the window's.


def blocks(runs: int) -> list[Row]:
    """Outputs of stem, downsampling and all blocks against a bare forward pass."""
    has_gpu = torch.cuda.is_available()
    model = load(MODEL).to(torch.device("cuda" if has_gpu else "cpu"))
    x = torch.randn(1, 3, 224, 224, device=model.device)

    def seconds(call: Callable[[], object]) -> float:
        def finished() -> None:
            call()
            if has_gpu:
                torch.cuda.synchronize()

        return timed(finished)

    def bare() -> torch.Tensor:
        with torch.no_grad():
            return model.module(x)

    def fetched() -> None:
        for output in trunk_outputs(model, x).values():
            to_array(output)

    def row(name: str, ours: Callable[[], object], goal: float | None) -> Row:
        ours_s, bare_s = medians(runs, lambda: seconds(ours), lambda: seconds(bare))
        return Row(name=name, ours=ours_s, theirs=bare_s, reference="bare forward pass", goal=goal)

    return [
        row("all block outputs, on the device", lambda: trunk_outputs(model, x), 1.1),
        row("all block outputs, as arrays", fetched, None),
    ]


def seen(runs: int) -> list[Row]:
    """From asking for the maps of a node that was computed before until they are on the window's side."""
    return [
        Row(
            name=f"{node} of {model.removeprefix('preset:')}, seen before",
            ours=_seen_s(model, node, runs),
            goal=LONGEST_SEEN_S,
        )
        for model, node in ((MODEL, "stage3.block5"), (MODEL, "stage1.block1.act"), (LARGE_MODEL, "stage1"))
    ]


def _seen_s(model: str, node: str, runs: int) -> float:
    answers: Queue[Message] = Queue()
    client = EngineClient()

    def ask(request: Request) -> Payload:
        client.ask(request)
        while not isinstance(message := answers.get(timeout=LONGEST_S), Done):
            assert not isinstance(message, Failed), message
        return message.payload

    client.listen(answers.put)
    client.start()
    try:
        ask(LoadModel(source=model))
        picture = ask(OpenImage(path="sample:cat"))
        assert isinstance(picture, ImageInfo)
        request = FeatureMaps(image=picture.key, node=node, budget_bytes=BUDGET_BYTES)
        ask(request)
        return median(timed(lambda: ask(request)) for _ in range(runs))
    finally:
        client.close()


def unit(runs: int) -> list[Row]:
    """One unit's field at the last stage: for a picture not looked at, and for the cursor's next step."""
    dispatcher = Dispatcher()
    dispatcher.run(LoadModel(source=MODEL))
    pictures = []
    for name in ("cat", "coffee"):
        picture = dispatcher.run(OpenImage(path=f"sample:{name}"))
        assert isinstance(picture, ImageInfo)
        pictures.append(picture.key)
    turn, columns = cycle(pictures), cycle(range(7))
    looked_at = pictures[0]

    def first() -> None:
        nonlocal looked_at
        looked_at = next(turn)
        dispatcher.run(UnitField(image=looked_at, node="stage4", channel=0, y=3, x=next(columns)))

    def moved() -> None:
        dispatcher.run(UnitField(image=looked_at, node="stage4", channel=0, y=3, x=next(columns)))

    first_s, moved_s = medians(runs, lambda: timed(first), lambda: timed(moved))
    goal = LONGEST_UNIT_S if torch.cuda.is_available() else None
    return [
        Row(name="unit's field, another picture", ours=first_s, goal=goal),
        Row(name="unit's field, the cursor moved", ours=moved_s, goal=goal),
    ]
