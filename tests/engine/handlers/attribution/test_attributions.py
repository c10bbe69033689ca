"""The engine's answers about attributions: what they say, in which order, and what is not computed twice."""

from collections.abc import Generator
from typing import TypeVar

import numpy as np
import pytest
import torch
from msgspec.structs import replace

from convnext_studio import analysis
from convnext_studio.analysis.attribution.fills import fill_picture
from convnext_studio.common.attribution_methods import MethodName
from convnext_studio.common.errors import StudioError
from convnext_studio.common.geometry import FieldGeometry
from convnext_studio.common.stopping import Stopped
from convnext_studio.engine.server.dispatch import Dispatcher
from convnext_studio.model.loaded import LoadedModel
from convnext_studio.protocol.attributions import (
    Agreement,
    CheckSanity,
    CompareMethods,
    Explain,
    ExplainSeveral,
    Explanation,
    Explanations,
    Faithfulness,
    MeasureFaithfulness,
    Sanity,
)
from convnext_studio.protocol.envelope import Payload, Progress, Request
from convnext_studio.protocol.models import LoadModel
from convnext_studio.protocol.pictures import ImageInfo, OpenImage
from convnext_studio.protocol.predictions import Predict

Kind = TypeVar("Kind", bound=Payload)


@pytest.fixture
def engine(model: LoadedModel) -> Dispatcher:
    dispatcher = Dispatcher()
    dispatcher.run(LoadModel(source=model.source, device="cpu"))
    return dispatcher


@pytest.fixture
def cat(engine: Dispatcher) -> str:
    return opened(engine, "cat")


def opened(engine: Dispatcher, name: str) -> str:
    info = engine.run(OpenImage(path=f"sample:{name}"))
    assert isinstance(info, ImageInfo)
    return info.key


def stepped(engine: Dispatcher, request: Request, kind: type[Kind]) -> tuple[list[Progress], Kind]:
    """All progress, and the answer."""
    work: Generator[Progress, None, Payload] = engine.answer(request)
    answers: list[Payload] = []

    def follow() -> Generator[Progress, None, None]:
        answers.append((yield from work))

    steps = list(follow())
    (answer,) = answers
    assert isinstance(answer, kind)
    return steps, answer


def passes(model: LoadedModel) -> list[int]:
    """Grows with every pass of the network."""
    counted: list[int] = []
    model.module.head.register_forward_hook(lambda *_: counted.append(1))
    return counted


def cat_input(model: LoadedModel) -> torch.Tensor:
    return model.preprocess(analysis.decode("sample:cat").to_pil())


def test_an_explanation_says_all_about_itself(engine: Dispatcher, model: LoadedModel, cat: str) -> None:
    request = Explain(image=cat, method="layercam", nodes=("stage2", "stem"), target=4)
    steps, found = stepped(engine, request, Explanation)
    assert steps == []
    x = cat_input(model)
    for node in ("stage2", "stem"):
        np.testing.assert_allclose(
            found.maps[node], analysis.attribute(model, x, "layercam", node, 4), rtol=1e-4, atol=1e-6
        )
        assert found.fields[node] == model.node(node).field
    assert (found.image, found.method, found.nodes) == (cat, "layercam", ("stage2", "stem"))
    assert (found.target, found.against, found.output, found.delta) == (4, None, "logit", None)
    assert found.score == pytest.approx(float(model.module(x)[0, 4]))
    assert found.geometry.input_size == (64, 64)
    assert found.seconds > 0
    assert found.target_maps == found.against_maps == {}


def test_of_the_prediction_where_no_class_is_asked_for(
    engine: Dispatcher, model: LoadedModel, cat: str
) -> None:
    _, found = stepped(engine, Explain(image=cat, output="probability", nodes=("stem",)), Explanation)
    probabilities = torch.softmax(model.module(cat_input(model))[0], 0)
    assert found.target == int(probabilities.argmax())
    assert found.score == pytest.approx(float(probabilities.max()), rel=1e-5)


def test_a_difference_has_its_two_maps(engine: Dispatcher, model: LoadedModel, cat: str) -> None:
    request = Explain(image=cat, method="hirescam", nodes=("stage4",), target=1, output="difference", against=5)
    _, found = stepped(engine, request, Explanation)
    for maps, target in ((found.target_maps, 1), (found.against_maps, 5)):
        expected = analysis.attribute(model, cat_input(model), "hirescam", "stage4", target)
        np.testing.assert_allclose(maps["stage4"], expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(
        found.maps["stage4"], found.target_maps["stage4"] - found.against_maps["stage4"], rtol=1e-6
    )
    logits = model.module(cat_input(model))[0]
    assert found.score == pytest.approx(float(logits[1] - logits[5]), rel=1e-4)
    assert (found.against, found.output) == (5, "difference")


def test_integrated_gradients_have_progress_partial_maps_and_a_delta(engine: Dispatcher, cat: str) -> None:
    request = Explain(id=7, image=cat, method="integratedgradients", parameters=(("steps", 24),))
    steps, found = stepped(engine, request, Explanation)
    assert [(step.id, step.done, step.total) for step in steps] == [(7, done, 6) for done in range(1, 6)]
    assert steps[0].text == "Integrated gradients: 1 of 6"
    partial = steps[1].partial
    assert isinstance(partial, Explanation)
    assert partial.maps["input"].shape == (64, 64)
    assert partial.delta is None
    assert found.delta is not None
    assert found.parameters == {"steps": 24, "baseline": "black", "draws": 4, "seed": 0}
    assert found.fields == {"input": FieldGeometry()}
    assert found.nodes == ()


def test_nothing_is_computed_twice(engine: Dispatcher, model: LoadedModel, cat: str) -> None:
    engine.run(Predict(image=cat))
    counted = passes(model)
    _, first = stepped(engine, Explain(image=cat, method="gradcam"), Explanation)
    assert not counted, "the prediction has left Grad-CAM at all stages"
    assert tuple(first.maps) == ("stage1", "stage2", "stage3", "stage4")
    for stage, values in first.maps.items():
        expected = analysis.attribute(model, cat_input(model), "gradcam", stage, first.target)
        np.testing.assert_allclose(values, expected, rtol=1e-4, atol=1e-6)
    counted.clear()
    _, first = stepped(engine, Explain(image=cat, method="xgradcam"), Explanation)
    assert len(counted) == 1
    explicit = Explain(
        id=9, panel="other", image=cat, method="xgradcam", target=first.target, nodes=first.nodes
    )
    _, again = stepped(engine, explicit, Explanation)
    assert again is first
    measure = MeasureFaithfulness(question=explicit, steps=4)
    _, measured = stepped(engine, measure, Faithfulness)
    counted.clear()
    _, once_more = stepped(engine, replace(measure, id=3, map_name="stage4"), Faithfulness)
    assert once_more is measured
    check = CheckSanity(question=explicit)
    _, checked = stepped(engine, check, Sanity)
    counted.clear()
    assert stepped(engine, check, Sanity) == ([], checked)
    assert not counted


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"method": "guided"}, "no attribution method"),
        ({"nodes": ("stage7",)}, "no node"),
        ({"target": 7}, "no class 7"),
        ({"output": "difference"}, "two classes"),
        ({"method": "occlusion", "parameters": (("size", 3),)}, "no parameter"),
    ],
)
def test_bad_questions_are_told(engine: Dispatcher, cat: str, changes: dict[str, object], message: str) -> None:
    with pytest.raises(StudioError, match=message):
        engine.run(replace(Explain(image=cat), **changes))


def test_a_map_that_is_not_there_is_told(engine: Dispatcher, cat: str) -> None:
    with pytest.raises(StudioError, match="no map “stage2”"):
        engine.run(MeasureFaithfulness(question=Explain(image=cat, nodes=("stage3",)), map_name="stage2"))


def test_faithfulness_is_insertion_and_deletion_of_the_map(
    engine: Dispatcher, model: LoadedModel, cat: str
) -> None:
    question = Explain(image=cat, method="saliency", target=2)
    steps, found = stepped(engine, MeasureFaithfulness(question=question, steps=8, fill="mean"), Faithfulness)
    x = cat_input(model)
    values = analysis.attribute(model, x, "saliency", target=2).ravel()
    order = np.argsort(-values, kind="stable")

    def probability(count: int, *, inserted: bool) -> float:
        shown = np.zeros(64 * 64, bool)
        shown[order[:count]] = True
        keep = torch.from_numpy(shown.reshape(64, 64) == inserted)
        return float(torch.softmax(model.module(torch.where(keep, x, 0.0)), 1)[0, 2])

    for inserted, curve in ((True, found.of_map.insertion), (False, found.of_map.deletion)):
        expected = [probability(512 * step, inserted=inserted) for step in range(9)]
        np.testing.assert_allclose(curve, expected, rtol=1e-4, atol=1e-6)
    assert found.of_map.insertion_area == pytest.approx(np.trapezoid(found.of_map.insertion, found.shares))
    for blind in (found.of_centre, *found.of_random):
        assert blind.deletion_area == pytest.approx(np.trapezoid(blind.deletion, found.shares))
    assert found.of_map.kept == pytest.approx(probability(819, inserted=True), rel=1e-4)
    assert found.of_map.removed == pytest.approx(probability(819, inserted=False), rel=1e-4)
    assert found.probability == pytest.approx(found.of_map.insertion[-1], rel=1e-5)
    assert len({tuple(each.insertion) for each in (found.of_map, found.of_centre, *found.of_random)}) == 22
    assert [step.done for step in steps] == list(range(4, 22 * 20, 4))
    partial = steps[0].partial
    assert isinstance(partial, Faithfulness)
    assert partial.of_random == ()
    assert not partial.is_complete
    assert found.is_complete
    # Half of the pixels are those nearest to the centre, which lies between four of them.
    places = sorted(range(64 * 64), key=lambda at: (np.hypot(at // 64 - 31.5, at % 64 - 31.5).round(9), at))
    inner = torch.zeros(64 * 64, dtype=torch.bool)
    inner[places[:2048]] = True
    shown_half = torch.where(inner.view(64, 64), x, 0.0)
    half = float(torch.softmax(model.module(shown_half), 1)[0, 2])
    assert found.of_centre.insertion[4] == pytest.approx(half, rel=1e-4)
    assert np.isnan(partial.of_map.insertion_area)


def test_orders_that_know_nothing_are_measured_once(engine: Dispatcher, model: LoadedModel, cat: str) -> None:
    """Another map of the same size shares them; another class, fill or size does not."""
    counted = passes(model)

    def cost(method: MethodName, node: str) -> int:
        question = Explain(image=cat, target=2, method=method, nodes=(node,))
        engine.run(question)
        before = len(counted)
        engine.run(MeasureFaithfulness(question=question, steps=2, orders=3))
        return len(counted) - before

    first = cost("gradcam", "stage4")
    assert cost("hirescam", "stage4") < first / 2
    # The order from the centre is the same for maps of any size.
    assert first / 2 < cost("gradcam", "stage3") < first


def test_a_blurred_fill_is_the_blurred_picture(engine: Dispatcher, model: LoadedModel, cat: str) -> None:
    _, found = stepped(engine, MeasureFaithfulness(question=Explain(image=cat), steps=2), Faithfulness)
    blurred = fill_picture(cat_input(model), model.preprocessing, "blur")
    expected = float(torch.softmax(model.module(blurred), 1)[0, found.target])
    assert found.of_map.insertion[0] == pytest.approx(expected, rel=1e-4)
    assert (found.map_name, found.fill) == ("stage4", "blur")


def test_sanity_tells_each_step(engine: Dispatcher, cat: str) -> None:
    check = CheckSanity(question=Explain(image=cat, average=True, nodes=("stage2", "stage3")))
    steps, found = stepped(engine, check, Sanity)
    assert found.map_name == "average"
    assert len(found.unrelated) == 20
    assert max(map(abs, found.unrelated)) < 1
    assert found.verdict_text
    assert found.parts == ("head", "stage4", "stage3", "stage2", "stage1", "stem")
    assert [step.part for step in found.steps] == ["", *found.parts]
    assert found.steps[0].correlation == pytest.approx(1)
    assert found.field.stride_px == 8
    shown = [step.partial for step in steps]
    assert [len(partial.steps) for partial in shown if isinstance(partial, Sanity)] == [1, 2, 3, 4, 5, 6]
    assert (steps[0].done, steps[0].total) == (100, 700)


def test_agreement_of_methods(engine: Dispatcher, cat: str) -> None:
    compare = CompareMethods(image=cat, methods=("gradcam", "hirescam", "saliency"), target=3)
    steps, found = stepped(engine, compare, Agreement)
    np.testing.assert_allclose(np.diag(found.matrix), 1)
    # With the standard head, Grad-CAM is HiResCAM at stage 4.
    assert found.matrix[0, 1] == pytest.approx(1, abs=0.1)
    assert np.array_equal(found.matrix, found.matrix.T)
    assert [explanation.method for explanation in found.explanations] == ["gradcam", "hirescam", "saliency"]
    partial = steps[-1].partial
    assert isinstance(partial, Agreement)
    assert np.isnan(partial.matrix[2]).all()
    assert not np.isnan(partial.matrix[:2, :2]).any()
    with pytest.raises(StudioError, match="nothing to compare"):
        engine.run(CompareMethods(image=cat, methods=("gradcam", "gradcam")))


def test_several_pictures_one_after_the_other(engine: Dispatcher, model: LoadedModel, cat: str) -> None:
    coffee = opened(engine, "coffee")
    question = Explain(image="", method="hirescam", nodes=("stage4",))
    request = ExplainSeveral(images=(cat, "closed", coffee), question=question)
    steps, found = stepped(engine, request, Explanations)
    assert [explanation.image for explanation in found.explanations] == [cat, coffee]
    assert [image for image, _ in found.failures] == ["closed"]
    assert "no longer open" in found.failures[0][1]
    assert [step.text for step in steps] == [f"Picture {number} of 3" for number in (1, 2, 3)]
    new = [step.partial for step in steps]
    assert [len(each.explanations) for each in new if isinstance(each, Explanations)] == [0, 1, 0]
    assert [len(each.failures) for each in new if isinstance(each, Explanations)] == [0, 0, 1]
    x = model.preprocess(analysis.decode("sample:coffee").to_pil())
    assert found.explanations[1].target == int(model.module(x).argmax())
    with pytest.raises(StudioError, match="no longer open"):
        engine.run(replace(request, images=("closed",)))
    with pytest.raises(StudioError, match="no picture"):
        engine.run(replace(request, images=()))


def test_another_model_in_between_ends_what_is_under_way(
    engine: Dispatcher, model: LoadedModel, cat: str
) -> None:
    work = engine.answer(Explain(image=cat, method="occlusion", parameters=(("window", 8), ("stride", 8))))
    next(work)
    engine.run(LoadModel(source=model.source, device="cpu"))
    with pytest.raises(Stopped):
        next(work)


def test_cancelling_ends_each_kind(engine: Dispatcher, cat: str) -> None:
    question = Explain(image=cat, method="smoothgrad")
    for request in (
        question,
        ExplainSeveral(images=(cat,), question=question),
        MeasureFaithfulness(question=question),
        CheckSanity(question=question),
        CompareMethods(image=cat, methods=("saliency", "smoothgrad")),
    ):
        with pytest.raises(Stopped):
            list(engine.answer(request, lambda: True))
