"""The passes of a method, by which the wall orders them, against the passes that the network really runs."""

from typing import Any

import pytest

from convnext_studio.analysis.attribution.explaining import Question, make_question
from convnext_studio.analysis.attribution.pass_counts import passes_needed
from convnext_studio.analysis.attribution.task import Outputs
from convnext_studio.common.attribution_methods import method_named
from tests.networks import small_model

MODEL = small_model(input_px=64)
ONE = Outputs.of("logit", 2, None, 7)
TWO = Outputs.of("difference", 2, 3, 7)


def asked(method: str, outputs: Outputs = ONE, nodes: tuple[str, ...] = (), **given: Any) -> Question:
    return make_question(MODEL, method_named(method), outputs, nodes, given=given)


@pytest.mark.parametrize(
    ("question", "passes"),
    [
        # A backward pass counts for two.
        (asked("gradcam"), 3),
        (asked("gradcam", TWO), 6),
        (asked("saliency"), 3),
        (asked("smoothgrad", samples=7), 21),
        (asked("smoothgrad", TWO, samples=7), 42),
        (asked("integratedgradients", steps=10), 30),
        (asked("integratedgradients", TWO, steps=10), 60),
        (asked("integratedgradients", steps=10, baseline="noise", draws=4), 120),
        (asked("integratedgradients", steps=10, baseline="black", draws=4), 30),
        (asked("superpixels", count=40), 40),
        # Windows of 16 every 8 pixels of 64: from 0, 8, ... 48, which are 7 by 7.
        (asked("occlusion", window=16, stride=8), 49),
        # Every 9 pixels: from 0, 9, ... 45, and one more to reach the edge.
        (asked("occlusion", window=16, stride=9), 49),
        # By default an eighth of the side, every half of that: from 0, 4, ... 56.
        (asked("occlusion", window=0, stride=0), 225),
        (asked("occlusion", window=16, stride=0), 49),
        (asked("occlusion", window=64, stride=8), 1),
        # A pass for each of the 20 channels of the last stage, and of the 16 before.
        (asked("scorecam", nodes=("stage4",)), 20),
        (asked("scorecam", nodes=("stage4", "stage3")), 36),
    ],
    ids=lambda value: getattr(getattr(value, "method", None), "name", value),
)
def test_passes_by_hand(question: Question, passes: int) -> None:
    assert passes_needed(MODEL, question) == passes


def test_ablation_begins_at_its_node() -> None:
    """What lies before the node is computed once, and not for each channel."""
    macs = {node.name: node.macs for node in MODEL.nodes}
    parts = [node for node in MODEL.nodes if node.kind in ("stem", "block", "downsample")]
    after = sum(node.macs for node in parts[parts.index(MODEL.node("stage3.block1")) + 1 :])
    rest = MODEL.macs - sum(node.macs for node in parts)  # of the head
    expected = 16 * (after + rest) / MODEL.macs
    assert passes_needed(MODEL, asked("ablationcam", nodes=("stage3.block1",))) == pytest.approx(expected)
    assert macs["stage3.block1"] > 0
    last = passes_needed(MODEL, asked("ablationcam", nodes=("stage4",)))
    assert last == pytest.approx(20 * rest / MODEL.macs)
