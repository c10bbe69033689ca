"""What a change inside the network costs: only what follows it is computed again."""

from itertools import cycle
from statistics import mean

import torch

from convnext_studio.analysis.features import trunk_node, trunk_outputs
from convnext_studio.analysis.intervening.changed_outputs import changed_logits
from convnext_studio.common.interventions import Change
from convnext_studio.common.retouches import Retouch, Stroke
from convnext_studio.engine.server.dispatch import Dispatcher
from convnext_studio.model.loaded import load
from convnext_studio.model.presets import default_model
from convnext_studio.protocol.interventions import ChangedLogits
from convnext_studio.protocol.models import LoadModel
from convnext_studio.protocol.pictures import ImageInfo, OpenImage
from convnext_studio.render.retouching import retouched
from tests.benchmarks.table import Row
from tests.benchmarks.timing import medians, timed

UPDATE_S = 0.125  # Eight a second while something is dragged.


def changed(runs: int) -> list[Row]:
    """A change at every trunk node against a bare forward pass."""
    model = load(default_model())
    x = torch.randn(1, 3, model.preprocessing.input_px, model.preprocessing.input_px)
    outputs = {"": x[0]} | trunk_outputs(model, x)
    nodes = list(dict.fromkeys(trunk_node(model, node.name) for node in model.nodes if node.is_explainable))

    def bare() -> None:
        with torch.no_grad():
            model.module(x)

    taken: list[tuple[float, float]] = []
    for node in nodes:
        change = Change(node=node, effect="factor", factor=0.5, channels=(0,))

        def intervened(change: Change = change) -> None:
            changed_logits(model, [change], {}, outputs.__getitem__)

        taken.append(medians(runs, lambda call=intervened: timed(call), lambda: timed(bare)))
    ours, theirs = (mean(pair[side] for pair in taken) for side in (0, 1))
    worst = max(taken, key=lambda pair: pair[0] / pair[1])
    reference = "bare forward pass"
    return [
        Row(name="a change, mean over nodes", ours=ours, theirs=theirs, reference=reference, goal=0.5),
        Row(
            name="a change, at the costliest node",
            ours=worst[0],
            theirs=worst[1],
            reference=reference,
            goal=1.05,
        ),
        Row(name="a change while dragging, mean", ours=ours, goal=UPDATE_S),
    ]


def dragging(runs: int) -> list[Row]:
    """What one movement of a brush or slider takes: the prediction, and the picture that is shown."""
    engine = Dispatcher()
    engine.run(LoadModel(source=default_model(), device="cpu"))
    picture = engine.run(OpenImage(path="sample:coffee"))
    assert isinstance(picture, ImageInfo)
    width, height = picture.size
    points = tuple((width * (0.2 + 0.006 * step), height * (0.3 + 0.004 * step)) for step in range(100))
    strokes = [
        Retouch(fill="blur", strokes=(Stroke(points=points[: 60 + step], diameter=0.12 * width),))
        for step in range(40)
    ]
    factors = [
        Change(node="stage2", channels=(3,), effect="factor", factor=step / 20) for step in range(-40, 40)
    ]
    moved, turned = cycle(strokes), cycle(factors)

    def brush() -> None:
        made = (next(moved),)
        engine.run(ChangedLogits(image=picture.key, retouched=((picture.key, made),)))
        retouched(picture.preview, made, lambda _key: picture.preview)

    def slide() -> None:
        engine.run(ChangedLogits(image=picture.key, changes=(next(turned),)))

    for warm in (brush, slide):
        warm()
    brushed, slid = medians(5 * runs, lambda: timed(brush), lambda: timed(slide))
    return [
        Row(name="a movement of the brush", ours=brushed, goal=UPDATE_S),
        Row(name="a movement of a factor's slider", ours=slid, goal=UPDATE_S),
    ]
