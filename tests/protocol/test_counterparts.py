"""What is asked of A becomes a question to B at the corresponding node, class and unit."""

import pytest
from msgspec.structs import replace

from convnext_studio.common.errors import StudioError
from convnext_studio.common.geometry import CropGeometry
from convnext_studio.model.config import ConvNeXtConfig
from convnext_studio.model.nodes import node_table
from convnext_studio.protocol.attributions import Explain, MeasureFaithfulness
from convnext_studio.protocol.channels import ChannelMap
from convnext_studio.protocol.counterparts import Pair, counterpart, sized_model
from convnext_studio.protocol.maps import FeatureMaps
from convnext_studio.protocol.models import MeasureCosts, ModelInfo
from convnext_studio.protocol.predictions import Predict
from convnext_studio.protocol.receptive_fields import ReceptiveField, UnitField
from tests.ui.conftest import FOUR_STAGES, make_model, make_prediction

DEEPER = ConvNeXtConfig(num_classes=3, depths=(1, 1, 4, 1), dims=(4, 6, 8, 10))


def network(config: ConvNeXtConfig, labels: tuple[str, ...], input_px: int = 64) -> ModelInfo:
    return replace(
        make_model(config=config), labels=labels, input_px=input_px, nodes=node_table(config, input_px)
    )


A = network(DEEPER, ("cat", "dog", "car"))
B = network(FOUR_STAGES, ("dog", "Cat"), 128)
CROPS = (
    CropGeometry((64, 64), (64, 64), (0, 0), (64, 64)),
    CropGeometry((64, 64), (128, 128), (0, 0), (128, 128)),
)
PAIR = Pair(A, B, CROPS)


def test_a_question_without_node_or_class_is_the_same() -> None:
    assert counterpart(MeasureCosts(runs=3), PAIR).request == MeasureCosts(runs=3, network="B")


def test_classes_are_those_of_the_same_name() -> None:
    assert counterpart(Predict(image="x", target=1), PAIR).request == Predict(image="x", target=0, network="B")
    asked = Explain(image="x", nodes=("stage3",), target=0, output="difference", against=1)
    found = counterpart(asked, PAIR)
    assert found.request == replace(asked, target=1, against=0, network="B")
    assert found.notes == ()
    with pytest.raises(StudioError, match="B has no class “car”"):
        counterpart(replace(asked, against=2), PAIR)


def test_a_node_that_b_lacks_is_replaced_and_said_once() -> None:
    found = counterpart(FeatureMaps(image="x", node="stage3.block4"), PAIR)
    assert (found.request.node, found.request.network) == ("stage3.block2", "B")
    assert found.notes == ("B has no stage3.block4, so its stage3.block2 is compared",)
    asked = MeasureFaithfulness(
        question=Explain(image="x", nodes=("stage3.block4",), target=1), map_name="stage3.block4"
    )
    measured = counterpart(asked, PAIR)
    assert measured.request.map_name == "stage3.block2"
    assert measured.request.question.nodes == ("stage3.block2",)
    assert (measured.request.question.target, measured.request.question.network) == (0, "B")
    assert len(measured.notes) == 1


def test_a_pair_that_was_chosen_is_compared() -> None:
    found = counterpart(FeatureMaps(image="x", node="stage1"), Pair(A, B, chosen=(("stage1", "stage4"),)))
    assert found.request.node == "stage4"
    assert found.notes == ("stage1 of A is compared with stage4 of B, as chosen",)


def test_a_unit_is_the_one_at_the_same_place() -> None:
    asked = UnitField(image="x", node="stage2", channel=5, y=3, x=6)
    found = counterpart(asked, PAIR).request
    before, after = A.node("stage2").field, B.node("stage2").field
    place = 2 * before.centre_px(6), 2 * before.centre_px(3)
    assert abs(after.centre_px(found.x) - place[0]) <= after.stride_px / 2
    assert abs(after.centre_px(found.y) - place[1]) <= after.stride_px / 2
    with pytest.raises(StudioError, match="not known yet"):
        counterpart(asked, Pair(A, B))


def test_a_channel_that_b_lacks_is_its_last_one() -> None:
    narrow = network(replace(FOUR_STAGES, dims=(4, 6, 8, 9)), B.labels)
    found = counterpart(ChannelMap(image="x", node="stage4", channel=9), Pair(A, narrow))
    assert found.request.channel == 8
    assert "no channel 9" in found.notes[0]


def test_fields_are_measured_on_inputs_of_one_size() -> None:
    found = counterpart(ReceptiveField(node="stage3.block4", unit=(1, 2)), PAIR).request
    assert (found.node, found.input_px, found.unit) == ("stage3.block2", 64, (1, 2))
    assert counterpart(ReceptiveField(node="last"), PAIR).request.node == "last"


def test_a_network_has_the_sizes_of_the_picture() -> None:
    model = make_model()
    prediction = replace(
        make_prediction(),
        sizes={"stage1": (9, 30)},
        geometry=CropGeometry((120, 36), (120, 36), (0, 0), (120, 36)),
    )
    assert sized_model(model, prediction).node("stage1").shape[1:] == (9, 30)
    assert sized_model(model, prediction).node("stage2") == model.node("stage2")
    assert sized_model(model, None) is model
