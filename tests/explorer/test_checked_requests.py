"""Whatever a script gives in the place of an argument ends in an answer or in a sentence that names it."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from convnext_studio.common.errors import StudioError
from convnext_studio.explorer import Explorer
from convnext_studio.explorer.checked_requests import checked, not_negative
from convnext_studio.explorer.explored_picture import Picture
from convnext_studio.protocol.channels import Kernel
from convnext_studio.protocol.similarity import MostAlike
from tests.networks import small_model, write_weights


@pytest.fixture(scope="module")
def explorer(tmp_path_factory: pytest.TempPathFactory) -> Explorer:
    return Explorer(write_weights(tmp_path_factory.mktemp("weights") / "small.safetensors", small_model()))


@pytest.fixture(scope="module")
def picture(explorer: Explorer) -> Picture:
    return explorer.open(np.random.default_rng(0).integers(0, 256, (70, 80, 3), np.uint8))


Ask = Callable[[Picture], Any]
OF_PICTURES: dict[str, tuple[Ask, str]] = {
    "no output": (
        lambda p: p.attribution(output="zz"),
        "output is “zz”, which does not exist. There are: logit",
    ),
    "a number as a node": (lambda p: p.attribution(node=5), "nodes is (5,), but must be a text in all"),
    "half a channel": (lambda p: p.unit("stage1", 1.5, 0, 0), "channel is 1.5, but must be a whole number."),
    "a text as a channel": (
        lambda p: p.unit("stage1", "a", 0, 0),
        "channel is “a”, but must be a whole number.",
    ),
    "no channel": (lambda p: p.unit("stage1", None, 0, 0), "channel is None, but must be a whole number."),
    "half a channel of a sum": (lambda p: p.value_sum("stage1", 1.5), "channel is 1.5, but must be a whole"),
    "a text as bytes": (lambda p: p.maps("stage1", budget_bytes="x"), "budget_bytes is “x”, but must be"),
    "half a component": (lambda p: p.components("stage2", count=2.5), "count is 2.5, but must be"),
    "a number as a basis": (lambda p: p.components("stage2", basis=5), "5 is no opened picture."),
    "texts as a basis": (lambda p: p.components("stage2", basis=["a"]), "a is no opened picture."),
    "half a row": (lambda p: p.similarity(1.5, 0, "stage2"), "y is 1.5, but must be a whole number."),
    "no measure": (
        lambda p: p.similarity(0, 0, "stage2", measure="zz"),
        "measure is “zz”, which does not exist.",
    ),
    "a number as a picture": (lambda p: p.similarity(0, 0, "stage2", others=[5]), "5 is no opened picture."),
    "no method of parts": (lambda p: p.parts("stage2", method="zz"), "There are: kmeans, nmf."),
    "no vectors of parts": (
        lambda p: p.parts("stage2", vectors="zz"),
        "vectors is “zz”, which does not exist.",
    ),
    "half a seed": (lambda p: p.parts("stage2", seed=1.5), "seed is 1.5, but must be a whole number."),
    "a text as pictures": (lambda p: p.parts("stage2", others="ab"), "a is no opened picture."),
    "no fill": (lambda p: p.faithfulness(fill="zz"), "fill is “zz”, which does not exist."),
    "a text as steps": (lambda p: p.faithfulness(steps="x"), "steps is “x”, but must be a whole number."),
    "a negative seed": (lambda p: p.sanity(randomisation_seed=-1), "randomisation_seed is -1, but must be"),
    "no framing": (lambda p: p.framed("zz"), "There is no framing “zz”."),
    "a negative side": (
        lambda p: p.framed(input_px=-5),
        "input_px is -5, but must be a whole number from 0 on.",
    ),
    "a text as a side": (lambda p: p.framed(input_px="a"), "input_px is “a”, but must be a whole number."),
    "half a box": (lambda p: p.framed(box=(0, 0)), "box is (0, 0), but must be"),
    "texts in a box": (
        lambda p: p.framed(box=(0, 0, "a", 5)),
        "but must be a whole number in all of its parts.",
    ),
    "a negative box": (
        lambda p: p.framed(box=(0, 0, -5, 0)),
        "box is -5, but must be a whole number from 0 on.",
    ),
}


@pytest.mark.parametrize("what", OF_PICTURES)
def test_what_makes_no_sense_of_a_picture_is_named(what: str, picture: Picture) -> None:
    ask, said = OF_PICTURES[what]
    with pytest.raises(StudioError) as caught:
        ask(picture)
    assert said in str(caught.value)


OF_NETWORKS: dict[str, tuple[Callable[[Explorer], Any], str]] = {
    "half a channel": (lambda e: e.kernel("stage1.block1", 1.5), "channel is 1.5, but must be a whole number."),
    "a number as a unit": (lambda e: e.receptive_field(unit=5), "unit is 5, but must be a list."),
    "numbers as pictures": (lambda e: e.receptive_field(inputs=[5]), "5 is no opened picture."),
    "no framing": (lambda e: e.receptive_field(framing="zz"), "There is no framing “zz”."),
    "no protocol": (
        lambda e: e.receptive_field(protocol="zz", count=1),
        "protocol is “zz”, which does not exist.",
    ),
    "a negative seed": (
        lambda e: e.receptive_field(seed=-1),
        "seed is -1, but must be a whole number from 0 on.",
    ),
    "a number as a view": (lambda e: e.open(np.zeros((64, 64)), view=5), "5 is no view of a picture."),
}


@pytest.mark.parametrize("what", OF_NETWORKS)
def test_what_makes_no_sense_of_a_network_is_named(what: str, explorer: Explorer) -> None:
    ask, said = OF_NETWORKS[what]
    with pytest.raises(StudioError) as caught:
        ask(explorer)
    assert said in str(caught.value)


def test_numbers_of_numpy_and_lists_are_as_good_as_pythons(picture: Picture) -> None:
    unit = picture.unit("stage1", np.int64(1), np.int32(2), np.uint8(3))
    np.testing.assert_array_equal(unit.values, picture.unit("stage1", 1, 2, 3).values)
    assert picture.framed(box=[0, 0, 40, 40]).framing.box == (0, 0, 40, 40)
    asked = checked(MostAlike(image="a", node="b", y=0, x=0, images=["a", "c"]))
    assert asked.images == ("a", "c")
    assert checked(Kernel(node="stage1", channel=np.int64(2))) == Kernel(node="stage1", channel=2)


def test_names_that_are_not_unicode_are_kept() -> None:
    asked = Kernel(node="caf\udce9", channel=0)
    assert checked(asked) == asked


def test_objects_that_cannot_be_sent_are_refused() -> None:
    for value in (object(), torch.zeros(3), 1j, 10**30):
        with pytest.raises(StudioError):
            checked(Kernel(node="a", channel=value))


@pytest.mark.parametrize("number", [0, 5, np.int64(0), True])
def test_numbers_from_0_on(number: Any) -> None:
    not_negative(number=number)


@pytest.mark.parametrize("number", [-1, np.int64(-1), 1.0, "1", None])
def test_other_numbers_are_named(number: Any) -> None:
    with pytest.raises(StudioError, match=r"^seed is .*, but must be a whole number from 0 on"):
        not_negative(seed=number)
