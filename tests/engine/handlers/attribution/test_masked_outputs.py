"""Pictures with pixels removed are given to the network once, whatever is asked of them and in what order."""

from collections import deque
from collections.abc import Callable

import numpy as np
import pytest
import torch
from msgspec.structs import replace
from torch import Tensor, nn

from convnext_studio.analysis.attribution.fills import fill_picture
from convnext_studio.analysis.evidence.faithfulness import pixel_order, random_order
from convnext_studio.common.stopping import Stopped
from convnext_studio.engine.server.dispatch import Dispatcher
from convnext_studio.model import load
from convnext_studio.protocol.attributions import Explain, Faithfulness, MeasureFaithfulness
from convnext_studio.protocol.models import LoadModel
from convnext_studio.protocol.pictures import ImageInfo, OpenImage
from tests.engine.opening import input_of

STEPS, ORDERS = 4, 3
ALL = 2 + (2 + ORDERS) * 2 * STEPS
"""Both ends; and for each order the shares between them and the top 20 %, inserted and deleted."""


class Engine:
    """An engine with the bundled network, which counts the pictures that the network is given."""

    def __init__(self) -> None:
        self.dispatcher = Dispatcher()
        self.dispatcher.run(LoadModel(source="bundled", device="cpu"))
        picture = self.dispatcher.run(OpenImage(path="sample:cat"))
        assert isinstance(picture, ImageInfo)
        question = Explain(image=picture.key, method="gradcam", nodes=("stage4",), target=3)
        self.asked = MeasureFaithfulness(question=question, steps=STEPS, orders=ORDERS)
        self.pictures = 0
        module = self.dispatcher._workspace.model.module
        assert isinstance(module, nn.Module)
        module.register_forward_pre_hook(self._count)

    def _count(self, _module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        self.pictures += len(inputs[0])

    def given(self, request: MeasureFaithfulness) -> tuple[Faithfulness, int]:
        """Return the answer, and how many pictures the network was given for it."""
        before = self.pictures
        answer = self.dispatcher.run(request)
        assert isinstance(answer, Faithfulness)
        return answer, self.pictures - before


@pytest.fixture
def engine() -> Engine:
    return Engine()


def plain_curve(order: np.ndarray, target: int, inserts: bool) -> list[float]:
    """Measure a curve picture by picture, with a plain network."""
    model = load("bundled")
    tensor = input_of(model, "sample:cat")
    fill = fill_picture(tensor, model.preprocessing, "blur")
    found = []
    for share in np.linspace(0, 1, STEPS + 1):
        pixels = torch.zeros(order.size, dtype=torch.bool)
        pixels[torch.from_numpy(order[: round(share * order.size)].copy())] = True
        chosen = pixels.view(tensor.shape[-2:])
        picture = torch.where(chosen if inserts else ~chosen, tensor, fill)
        with torch.no_grad():
            found.append(float(model.module(picture).double().softmax(1)[0, target]))
    return found


def test_curves_are_those_of_a_plain_network(engine: Engine) -> None:
    answer, _ = engine.given(engine.asked)
    explanation = engine.dispatcher.run(engine.asked.question)
    values, field = explanation.maps["stage4"], explanation.fields["stage4"]
    side = input_of(load("bundled"), "sample:cat").shape[-1]
    orders = [
        (answer.of_map, pixel_order(values, field, side, side)),
        (answer.of_random[1], random_order(values.shape, field, side, side, seed=1)),
    ]
    for measured, order in orders:
        np.testing.assert_allclose(measured.insertion, plain_curve(order, 3, inserts=True), atol=1e-6)
        np.testing.assert_allclose(measured.deletion, plain_curve(order, 3, inserts=False), atol=1e-6)


def test_the_ends_are_measured_once(engine: Engine) -> None:
    engine.dispatcher.run(engine.asked.question)
    _, given = engine.given(engine.asked)
    assert given == ALL


def test_another_class_needs_only_its_map(engine: Engine) -> None:
    first, _ = engine.given(engine.asked)
    other = replace(engine.asked, question=replace(engine.asked.question, target=5))
    engine.dispatcher.run(other.question)
    second, given = engine.given(other)
    assert given == 2 * STEPS  # In the order of the other map.
    assert second.of_random[0].insertion_area != first.of_random[0].insertion_area
    fresh, _ = Engine().given(other)
    np.testing.assert_array_equal(second.of_random[2].insertion, fresh.of_random[2].insertion)
    np.testing.assert_array_equal(second.of_map.deletion, fresh.of_map.deletion)


def test_stopped_work_goes_on_where_it_was(engine: Engine) -> None:
    whole, _ = Engine().given(engine.asked)
    engine.dispatcher.run(engine.asked.question)
    before = engine.pictures
    for share in (0.3, 0.7):
        with pytest.raises(Stopped):
            deque(engine.dispatcher.answer(engine.asked, _after(before + share * ALL, engine)))
    again, _ = engine.given(engine.asked)
    # Only the batches of four in which it was stopped were lost.
    assert ALL <= engine.pictures - before <= ALL + 2 * 4
    for one, other in zip(again.of_random, whole.of_random, strict=True):
        np.testing.assert_array_equal(one.insertion, other.insertion)


def _after(limit: float, engine: Engine) -> Callable[[], bool]:
    """Stop once the network has been given so many pictures."""
    return lambda: engine.pictures > limit


def test_nothing_is_kept_of_closed_pictures(engine: Engine) -> None:
    engine.given(engine.asked)
    workspace = engine.dispatcher._workspace
    assert workspace.masked_outputs.held_bytes > 0
    workspace.close_pictures([engine.asked.question.image])
    assert workspace.masked_outputs.held_bytes == 0
