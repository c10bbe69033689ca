"""Many maps beside each other: the same as one by one, from shared passes, and ranked by what is measured."""

from collections import Counter

import numpy as np
import pytest
from msgspec.structs import replace

from convnext_studio.analysis.evidence.correlation import rank_correlation
from convnext_studio.common.attribution_methods import METHODS, MethodName
from convnext_studio.common.errors import StudioError
from convnext_studio.common.stopping import Stopped
from convnext_studio.protocol.attributions import (
    Explain,
    ExplainEach,
    ExplainedEach,
    Explanation,
    Faithfulness,
    MeasureFaithfulness,
    RankedMaps,
    RankMaps,
)
from convnext_studio.protocol.envelope import Progress
from tests.engine.opening import Opener, all_steps, open_picture

QUICK: dict[str, tuple[tuple[str, int], ...]] = {
    "smoothgrad": (("samples", 3),),
    "integratedgradients": (("steps", 8),),
    "occlusion": (("window", 16), ("stride", 16)),
    "superpixels": (("count", 8),),
}


def all_methods(image: str, node: str = "stage3", **more: object) -> tuple[Explain, ...]:
    return tuple(
        Explain(image=image, method=method.name, nodes=(node,), parameters=QUICK.get(method.name, ()), **more)
        for method in METHODS
    )


def explained(steps: list[Progress], found: object) -> ExplainedEach:
    assert all(isinstance(step.partial, ExplainedEach) for step in steps)
    assert isinstance(found, ExplainedEach)
    return found


@pytest.mark.parametrize("output", ["logit", "probability", "difference"])
def test_a_wall_has_the_maps_that_the_methods_give_one_by_one(engine_of: Opener, output: str) -> None:
    engine, _, image = engine_of()
    against = 2 if output == "difference" else None
    questions = all_methods(image, target=1, output=output, against=against)
    wall = explained(*all_steps(engine.answer(ExplainEach(questions=questions))))
    assert [index for index, _ in wall.explanations] == list(range(len(METHODS)))
    assert not wall.failures
    alone, _, again = engine_of()
    for (_, on_wall), question in zip(wall.explanations, questions, strict=True):
        single = alone.run(replace(question, image=again))
        assert isinstance(single, Explanation)
        assert on_wall.method == single.method == question.method
        assert on_wall.notes == single.notes
        assert on_wall.score == pytest.approx(single.score)
        for name, values in single.maps.items():
            np.testing.assert_array_equal(on_wall.maps[name], values, err_msg=f"{question.method} {name}")


def test_the_cams_of_all_stages_take_one_forward_and_one_backward_pass(engine_of: Opener) -> None:
    engine, model, image = engine_of()
    engine.run(Explain(image=image, method="saliency", target=1))  # The prediction is at hand now.
    calls: Counter[str] = Counter()
    model.module.head.register_forward_hook(lambda *_: calls.update(["forward"]))
    model.module.head.register_full_backward_hook(lambda *_: calls.update(["backward"]))
    methods: tuple[MethodName, ...] = ("gradcam", "gradcam++", "hirescam", "layercam", "xgradcam", "eigencam")
    questions = tuple(
        Explain(image=image, method=method, nodes=(stage,), target=1)
        for stage in model.config.stages
        for method in methods
    )
    found = engine.run(ExplainEach(questions=questions))
    assert isinstance(found, ExplainedEach)
    assert len(found.explanations) == len(questions)
    assert calls == {"forward": 1, "backward": 1}


def test_the_cheapest_come_first_and_long_ones_show_what_they_have(engine_of: Opener) -> None:
    engine, _, image = engine_of()
    steps, found = all_steps(engine.answer(ExplainEach(questions=all_methods(image, target=1))))
    wall = explained(steps, found)
    order: list[str] = []
    unfinished: set[str] = set()
    for step in steps:
        assert isinstance(step.partial, ExplainedEach)
        for index, each in step.partial.explanations:
            if index in step.partial.unfinished:
                unfinished.add(each.method)
            else:
                order.append(each.method)
    assert set(order[:8]) == {
        *("gradcam", "gradcam++", "hirescam", "layercam", "xgradcam", "eigencam"),
        *("saliency", "inputxgradient"),
    }
    assert {"smoothgrad", "occlusion"} <= unfinished
    assert len(wall.explanations) == len(METHODS)
    assert [step.total for step in steps] == [len(METHODS)] * len(steps)


def test_one_without_an_answer_does_not_stop_the_others(engine_of: Opener) -> None:
    engine, _, image = engine_of()
    questions = (
        Explain(image=image, method="gradcam", nodes=("stage1.block1.act",), target=1),
        Explain(image="closed", method="gradcam", target=1),
        Explain(image=image, method="occlusion", target=1, parameters=(("window", 999),)),
        Explain(image=image, method="saliency", target=1),
    )
    wall = engine.run(ExplainEach(questions=questions))
    assert isinstance(wall, ExplainedEach)
    assert [index for index, _ in wall.explanations] == [3]
    assert [index for index, _ in wall.failures] == [0, 1, 2]
    with pytest.raises(StudioError):
        engine.run(ExplainEach(questions=questions[:2]))
    with pytest.raises(StudioError, match="nothing to explain"):
        engine.run(ExplainEach(questions=()))
    with pytest.raises(Stopped):
        list(engine.answer(ExplainEach(questions=questions), lambda: True))


@pytest.mark.parametrize("by", ["insertion", "deletion"])
def test_the_rank_is_that_of_the_areas_that_the_evidence_measures(engine_of: Opener, by: str) -> None:
    engine, _, image = engine_of()
    questions = tuple(
        Explain(image=image, method=method, nodes=("stage2",), target=1)
        for method in ("gradcam", "eigencam", "saliency")
    )
    ranked = engine.run(RankMaps(questions=questions, by=by, steps=8))
    assert isinstance(ranked, RankedMaps)
    for question, score in zip(questions, ranked.scores, strict=True):
        measured = engine.run(MeasureFaithfulness(question=question, steps=8, orders=1))
        assert isinstance(measured, Faithfulness)
        assert score == pytest.approx(measured.of_map.area(by))
    in_order = [ranked.scores[index] for index in ranked.order]
    assert in_order == sorted(ranked.scores, reverse=by == "insertion")


def test_agreement_is_the_mean_correlation_with_the_others(engine_of: Opener) -> None:
    engine, _, image = engine_of()
    methods: tuple[MethodName, ...] = ("gradcam", "layercam", "xgradcam")
    questions = tuple(Explain(image=image, method=method, nodes=("stage2",), target=1) for method in methods)
    ranked = engine.run(RankMaps(questions=questions, by="agreement"))
    assert isinstance(ranked, RankedMaps)
    maps = []
    for question in questions:
        answer = engine.run(question)
        assert isinstance(answer, Explanation)
        maps.append(answer.maps["stage2"])
    expected = np.mean([rank_correlation(maps[0], maps[1]), rank_correlation(maps[0], maps[2])])
    assert ranked.scores[0] == pytest.approx(expected)


def test_maps_of_several_pictures_are_not_ranked_and_failures_come_last(engine_of: Opener) -> None:
    engine, _, image = engine_of()
    coffee = open_picture(engine, "sample:coffee")
    with pytest.raises(StudioError, match="several pictures"):
        engine.run(RankMaps(questions=(Explain(image=image), Explain(image=coffee)), by="insertion"))
    questions = (
        Explain(image=image, method="gradcam", nodes=("stage1.block1.act",), target=1),
        Explain(image=image, method="gradcam", nodes=("stage3",), target=1),
    )
    ranked = engine.run(RankMaps(questions=questions, by="deletion", steps=4))
    assert isinstance(ranked, RankedMaps)
    assert ranked.order == (1, 0)


def test_a_wall_can_be_stopped(engine_of: Opener) -> None:
    engine, _, image = engine_of()
    questions = all_methods(image, target=1)
    ended = False

    def should_stop() -> bool:
        return ended

    work = engine.answer(ExplainEach(questions=questions), should_stop)
    next(work)
    ended = True
    with pytest.raises(Stopped):
        list(work)
