"""Several methods by one pass give what each gives alone, and no more passes are made than are needed."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from convnext_studio.analysis.attribution import conclude, shared_pass
from convnext_studio.analysis.attribution.grids import PIXELS
from convnext_studio.analysis.attribution.shared_pass import SHARING, Passed, Share
from convnext_studio.common.attribution_methods import METHODS, Output
from convnext_studio.common.geometry import CropGeometry
from convnext_studio.common.stopping import Stopped
from tests.analysis.attribution.tasks import TALL, WIDE, alone, question_of, task_of
from tests.networks import random_input, small_model

ALL = [
    Share("gradcam", ("stage4", "stage2")),
    Share("saliency", ()),
    Share("gradcam++", ("stage2",)),
    Share("eigencam", ("stage3", "stem")),
    Share("hirescam", ("stage1", "stage3", "stage4")),
    Share("inputxgradient", ()),
    Share("layercam", ("stage4",)),
    Share("xgradcam", ("stage2.block1", "stage2")),
]


@pytest.mark.parametrize("geometry", [None, WIDE, TALL], ids=["whole", "wide", "tall"])
@pytest.mark.parametrize("output", ["logit", "probability", "difference"])
def test_each_method_gives_what_it_gives_alone(output: Output, geometry: CropGeometry | None) -> None:
    model = small_model()
    x = random_input(model)
    found = list(shared_pass.shared_pass(task_of(model, x, output, geometry), ALL))
    assert len(found) == len(ALL)
    for share, (result, seconds) in zip(ALL, found, strict=True):
        question = question_of(model, share.method, share.nodes, output)
        fields = {node: model.node(node).field for node in share.nodes} or {"input": PIXELS}
        shared, single = conclude(question, result, fields, geometry), alone(model, x, question, geometry)
        assert shared.maps.keys() == single.maps.keys()
        assert len(shared.parts) == len(single.parts) == (2 if output == "difference" else 0)
        for here, there in zip((shared.maps, *shared.parts), (single.maps, *single.parts), strict=True):
            for name, values in there.items():
                scale = float(np.abs(values).max()) or 1.0
                np.testing.assert_allclose(here[name] / scale, values / scale, atol=2e-5)
        assert shared.notes == single.notes
        assert (result.done, result.total) == (1, 1)
        assert seconds > 0


def test_the_methods_that_share_are_those_of_one_pass() -> None:
    several = {"scorecam", "ablationcam", "smoothgrad", "integratedgradients", "occlusion", "superpixels"}
    assert set(SHARING) == {method.name for method in METHODS} - several
    assert len(set(SHARING)) == len(SHARING)


@pytest.mark.parametrize(
    ("shares", "output", "backward", "leaves"),
    [
        ([Share("eigencam", ("stage4",))], "logit", 0, 0),
        ([Share("eigencam", ("stage4",))], "difference", 0, 0),
        ([Share("gradcam", ("stage4",)), Share("eigencam", ("stage4", "stage2"))], "logit", 1, 2),
        ([Share("gradcam", ("stage4",)), Share("layercam", ("stage4",))], "difference", 2, 1),
        ([Share("saliency", ()), Share("inputxgradient", ())], "logit", 1, 1),
        ([Share("saliency", ()), Share("gradcam", ("stage2",))], "difference", 2, 2),
    ],
)
def test_passes_are_made_once(
    shares: list[Share], output: Output, backward: int, leaves: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = small_model()
    forward: list[int] = []
    went_back: list[int] = []
    kept: list[bool] = []
    grad = torch.autograd.grad

    def counted(score: Any, by: Any, retain_graph: bool = False) -> Any:
        went_back.append(len(by))
        kept.append(retain_graph)
        return grad(score, by, retain_graph=retain_graph)

    monkeypatch.setattr(torch.autograd, "grad", counted)
    handle = model.module.head.register_forward_hook(lambda *_: forward.append(1))
    results = [
        found for found, _ in shared_pass.shared_pass(task_of(model, random_input(model), output), shares)
    ]
    handle.remove()
    assert forward == [1]
    assert went_back == [leaves] * backward
    assert kept == [True] * (backward - 1) + [False] * (backward > 0)  # The graph is freed behind the last.
    assert {len(result.maps) for result in results} == {2 if output == "difference" else 1}


def test_eigen_cam_alone_keeps_no_graph() -> None:
    model = small_model()
    task = task_of(model, random_input(model), "difference")
    passed = Passed.of(task, [Share("eigencam", ("stage2",))])
    assert passed.gradients == ({}, {})
    assert not passed.activations["stage2"].requires_grad
    first, second = passed.result(Share("eigencam", ("stage2",))).maps
    np.testing.assert_array_equal(first["stage2"], second["stage2"])


def test_the_picture_is_not_changed_and_gets_no_gradient() -> None:
    model = small_model()
    x = random_input(model)
    before = x.clone()
    list(shared_pass.shared_pass(task_of(model, x, "logit"), ALL))
    assert torch.equal(x, before)
    assert not x.requires_grad
    assert x.grad is None


def test_every_method_counts_its_part_of_the_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pass takes 6 s, the first method 1 s and the second 3 s."""
    model = small_model()
    times = iter([0.0, 6.0, 10.0, 11.0, 20.0, 23.0])
    monkeypatch.setattr(shared_pass, "time", SimpleNamespace(perf_counter=lambda: next(times)))
    shares = [Share("gradcam", ("stage4",)), Share("saliency", ())]
    found = list(shared_pass.shared_pass(task_of(model, random_input(model), "logit"), shares))
    assert [seconds for _, seconds in found] == [4.0, 6.0]


def test_a_shared_pass_can_be_stopped() -> None:
    model = small_model()
    task = task_of(model, random_input(model), "logit")
    stopped = type(task)(
        model=model,
        tensor=task.tensor,
        outputs=task.outputs,
        nodes=(),
        settings={},
        should_stop=lambda: True,
    )
    with pytest.raises(Stopped):
        list(shared_pass.shared_pass(stopped, [Share("gradcam", ("stage4",))]))
