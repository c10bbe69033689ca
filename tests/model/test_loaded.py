"""Models are loaded by name and from files, and nodes and classes are found by name."""

import numpy as np
import pytest
import torch

from convnext_studio.common.errors import StudioError
from convnext_studio.model import load
from convnext_studio.model.labels import class_given, find_class, said_of_digits
from convnext_studio.model.preprocessing import Preprocessing
from convnext_studio.model.weights.checkpoint import StudioFile, write_studio_file
from tests.networks import random_input, small_model


def test_presets_are_random_seeded_and_marked() -> None:
    model = load("preset:convnext_tiny")
    assert model.random_weights
    assert model.title == "convnext_tiny"
    assert "learnt nothing" in model.notes[0]
    assert model.parameters == sum(parameter.numel() for parameter in model.module.parameters())
    assert model.labels[999] == "class 999"
    assert not any(parameter.requires_grad for parameter in model.module.parameters())
    again = load("preset:convnext_tiny")
    assert torch.equal(model.module.head.weight, again.module.head.weight)
    assert not torch.equal(model.module.head.weight, load("preset:convnext_tiny", seed=1).module.head.weight)


def test_loading_leaves_the_callers_random_numbers_alone() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    load("preset:convnext_tiny")
    assert torch.equal(torch.rand(3), expected)


def test_own_file_gives_the_same_network(tmp_path: object) -> None:
    model = small_model(stem_stride=1, stem_padding=1)
    path = f"{tmp_path}/small.safetensors"
    file = StudioFile(
        state_dict=model.module.state_dict(),
        config=model.config,
        labels=model.labels,
        preprocessing=Preprocessing(input_px=64, crop_fraction=1.0),
        title="Small one",
        provenance={"data": "made up"},
    )
    write_studio_file(path, file, dtype=torch.float32)
    opened = load(path)
    x = random_input(model)
    torch.testing.assert_close(opened.module(x), model.module(x))
    assert (opened.title, opened.labels, opened.preprocessing.crop_fraction) == ("Small one", model.labels, 1.0)
    assert opened.notes == ("Data: made up",)
    assert load(path, stem_stride=2, stem_padding=0).config.stem_stride == 2


def test_own_file_with_non_finite_values_is_noted(tmp_path: object) -> None:
    model = small_model()
    state_dict = {name: tensor.clone() for name, tensor in model.module.state_dict().items()}
    state_dict["head.bias"][0] = float("nan")
    file = StudioFile(state_dict=state_dict, config=model.config)
    write_studio_file(f"{tmp_path}/m.safetensors", file)
    assert load(f"{tmp_path}/m.safetensors").notes == (
        "1 tensor contains values that are not finite: head.bias.",
    )


@pytest.mark.parametrize("source", ["preset:nothing", "nothing", "/nowhere/weights.safetensors"])
def test_errors_for_unknown_sources_list_known_ones(source: str) -> None:
    with pytest.raises(StudioError) as caught:
        load(source)
    assert "convnext_tiny" in caught.value.hint


def test_every_node_has_its_module() -> None:
    model = small_model()
    x = random_input(model)
    for node in model.nodes:
        outputs: list[torch.Tensor] = []
        handle = model.module_at(node.name).register_forward_hook(lambda *a, kept=outputs: kept.append(a[2]))
        model.module(x)
        handle.remove()
        channels, height, width = node.shape
        layouts = {"NCHW": node.shape, "NHWC": (height, width, channels), "NC": (channels,)}
        assert outputs[0].shape[1:] == layouts[node.layout], node.name
    assert model.module_at("stage2.block2") is model.module.stages[1][1]
    assert model.module_at("stage2.downsample") is model.module.downsample_layers[1]
    assert model.module_at("stage2.block2.pwconv1") is model.module.stages[1][1].pwconv1
    assert model.module_at("stage2.downsample.conv") is model.module.downsample_layers[1][1]
    with pytest.raises(StudioError, match="no node “stage5”"):
        model.module_at("stage5")


def test_a_name_of_digits_goes_before_a_number() -> None:
    labels = ("0", "1", "10", "2", "3")
    assert [find_class(label, labels) for label in labels] == [0, 1, 2, 3, 4]
    assert find_class("4", labels) == 4  # There is no class of that name.
    assert said_of_digits("3", labels) == (
        "“3” is taken as the class of that name, which is number 4; class number 3 is called “2”."
    )
    assert said_of_digits("1", labels) == said_of_digits("4", labels) == said_of_digits("10", labels) == ""
    given = (3, np.int64(3), np.uint8(3), np.array(3), torch.tensor(3))
    assert [class_given(number, labels) for number in given] == [3] * 5
    assert class_given(np.str_("3"), labels) == 4
    assert class_given("3", labels) == 4
    assert find_class("7", ("7", "7", "cat", "7", "7", "7", "7", "7")) == 7  # Of several, that of the number.
    with pytest.raises(StudioError, match="matches 2 classes"):
        find_class("7", ("7", "7"))
    for wrong in (1.0, 9, -1, True, None, b"1", torch.tensor(1.5), np.array(1.5), np.array([1, 2]), [1]):
        with pytest.raises(StudioError, match="class"):
            class_given(wrong, labels)


def test_names_that_differ_in_case_alone_are_told_apart() -> None:
    labels = ("A", "a", "B", "STRASSE", "Straße")
    assert [find_class(label, labels) for label in labels] == [0, 1, 2, 3, 4]
    assert find_class("b", labels) == 2
    with pytest.raises(StudioError, match="matches 2 classes"):
        find_class("strasse", labels)


@pytest.mark.parametrize("wanted", ["--5", "9" * 5000, "-", "", "1.0", "٣"])
def test_what_is_no_number_is_looked_up_as_a_name(wanted: str) -> None:
    with pytest.raises(StudioError) as caught:
        find_class(wanted, ("cat", "dog"))
    assert len(str(caught.value)) < 200


def test_classes_are_found_by_number_and_name() -> None:
    labels = ("tabby cat", "cat", "dog", "sea lion")
    assert find_class("2", labels) == 2
    assert find_class("Cat", labels) == 1
    assert find_class("lion", labels) == 3
    with pytest.raises(StudioError, match="matches 2 classes"):
        find_class("a", labels[:1] + labels[3:])
    with pytest.raises(StudioError, match="no class “whale”"):
        find_class("whale", labels)
    for number in ("4", "-1"):
        with pytest.raises(StudioError, match=f"no class {number}"):
            find_class(number, labels)
