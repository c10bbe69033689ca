"""Interventions through the engine: the changed network beside the first, dragging, and what matters."""

import numpy as np
import pytest

from convnext_studio.common.errors import StudioError
from convnext_studio.common.interventions import Change, Region
from convnext_studio.engine.server.dispatch import Dispatcher
from convnext_studio.protocol.attributions import Explain, Explanation
from convnext_studio.protocol.interventions import (
    ChangedLogits,
    ChangedLogitsResult,
    Intervene,
    RankedParts,
    RankParts,
)
from convnext_studio.protocol.maps import FeatureMaps, FeatureMapsResult
from convnext_studio.protocol.models import LoadModel, ModelInfo
from convnext_studio.protocol.pictures import ImageInfo, OpenImage
from convnext_studio.protocol.predictions import Predict, Prediction

CHANGES = (Change(node="stage2.block1"), Change(node="stage3", effect="mean", region=Region(0, 0, 2, 2)))


@pytest.fixture(scope="module")
def engine() -> Dispatcher:
    dispatcher = Dispatcher()
    dispatcher.run(LoadModel(source="bundled"))
    return dispatcher


@pytest.fixture(scope="module")
def pictures(engine: Dispatcher) -> tuple[str, str]:
    opened = [engine.run(OpenImage(path=f"sample:{name}")) for name in ("cat", "coffee")]
    first, second = (picture.key for picture in opened if isinstance(picture, ImageInfo))
    return first, second


def predicted(engine: Dispatcher, image: str, network: str = "A") -> Prediction:
    prediction = engine.run(Predict(image=image, network="B" if network == "B" else "A"))
    assert isinstance(prediction, Prediction)
    return prediction


def maps(engine: Dispatcher, image: str, node: str, network: str) -> np.ndarray:
    result = engine.run(FeatureMaps(image=image, node=node, network="B" if network == "B" else "A"))
    assert isinstance(result, FeatureMapsResult)
    return result.maps


def test_every_request_about_the_changed_network_sees_the_changes(
    engine: Dispatcher, pictures: tuple[str, str]
) -> None:
    image = pictures[0]
    before = predicted(engine, image)
    opened = engine.run(Intervene(network="B", changes=CHANGES, image=image))
    assert isinstance(opened, ModelInfo)
    assert opened.title.endswith("2 changes")
    assert not maps(engine, image, "stage2.block1", "B").any()
    assert np.array_equal(maps(engine, image, "stage1", "A"), maps(engine, image, "stage1", "B"))
    changed = maps(engine, image, "stage3", "B")[:, :2, :2]
    assert np.allclose(changed, changed[:, :1, :1], atol=1e-6)
    after = predicted(engine, image, "B")
    assert not np.allclose(after.logits, before.logits, atol=1e-3)
    assert np.array_equal(predicted(engine, image).logits, before.logits), "A is as it was"
    explained = engine.run(Explain(network="B", image=image, method="gradcam", nodes=("stage4",), target=3))
    assert isinstance(explained, Explanation)
    assert explained.score == pytest.approx(float(after.logits[3]), abs=1e-4)


def test_while_dragging_the_logits_are_those_of_the_changed_network(
    engine: Dispatcher, pictures: tuple[str, str]
) -> None:
    image, other = pictures
    changes = (*CHANGES, Change(node="stage4", effect="patch", picture=other, channels=(1, 2)))
    changes = (*changes, Change(node="stem", effect="picture mean", channels=(0,)))
    asked = ChangedLogits(image=image, changes=changes, images=pictures)
    result = engine.run(asked)
    assert isinstance(result, ChangedLogitsResult)
    assert np.allclose(result.before, predicted(engine, image).logits, atol=1e-5)
    engine.run(Intervene(network="B", changes=changes, image=image, images=pictures))
    assert np.allclose(result.after, predicted(engine, image, "B").logits, atol=1e-5)


def test_no_change_is_bit_equal(engine: Dispatcher, pictures: tuple[str, str]) -> None:
    engine.run(Intervene(network="B", changes=(), image=pictures[0]))
    assert np.array_equal(predicted(engine, pictures[0], "B").logits, predicted(engine, pictures[0]).logits)


def test_channels_are_ranked_by_what_switching_them_off_does(
    engine: Dispatcher, pictures: tuple[str, str]
) -> None:
    image = pictures[0]
    ranked = engine.run(RankParts(image=image, node="head.norm", target=2))
    assert isinstance(ranked, RankedParts)
    assert len(ranked.changes) == engine_width(engine, image)
    first = ranked.ranked[0]
    result = engine.run(ChangedLogits(image=image, changes=(ranked.changes[first],)))
    assert isinstance(result, ChangedLogitsResult)
    assert ranked.differences[first] == pytest.approx(float(result.after[2] - result.before[2]), abs=1e-5)
    assert np.all(np.diff(np.abs(ranked.differences[list(ranked.ranked)])) <= 0)


def engine_width(engine: Dispatcher, image: str) -> int:
    return len(maps(engine, image, "head.norm", "A"))


@pytest.mark.parametrize(("parts", "node", "count"), [("blocks", "", 12), ("places", "stage4", 64)])
def test_blocks_and_places_come_with_partial_answers(
    engine: Dispatcher, pictures: tuple[str, str], parts: str, node: str, count: int
) -> None:
    kind = "blocks" if parts == "blocks" else "places"
    work = engine.answer(RankParts(image=pictures[0], node=node, parts=kind, effect="mean"))
    partial = next(work).partial
    assert isinstance(partial, RankedParts)
    assert len(partial.changes) == count
    assert 0 < len(partial.ranked) < count


def test_what_does_not_fit_leaves_the_changed_network_as_it_is(
    engine: Dispatcher, pictures: tuple[str, str]
) -> None:
    engine.run(Intervene(network="B", changes=CHANGES, image=pictures[0]))
    before = predicted(engine, pictures[0], "B").logits
    with pytest.raises(StudioError, match="no node"):
        engine.run(Intervene(network="B", changes=(Change(node="stage9"),), image=pictures[0]))
    assert np.array_equal(predicted(engine, pictures[0], "B").logits, before)


def test_without_a_network_there_is_nothing_to_change() -> None:
    with pytest.raises(StudioError, match="no network"):
        Dispatcher().run(Intervene(network="B", changes=CHANGES))
