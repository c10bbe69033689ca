"""What a change inside the network costs: only what follows it is computed again."""

from statistics import mean

import torch

from convnext_studio.analysis.features import trunk_node, trunk_outputs
from convnext_studio.analysis.intervening.changed_outputs import changed_logits
from convnext_studio.common.interventions import Change
from convnext_studio.model.loaded import load
from convnext_studio.model.presets import default_model
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
