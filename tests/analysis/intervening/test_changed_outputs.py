"""Interventions against torchlens, hooks of plain PyTorch and arithmetic by hand."""

import warnings
from collections.abc import Sequence
from itertools import product

import pytest
import torch
import torchlens
from torch import Tensor

from convnext_studio.analysis.features import as_maps, trunk_node, trunk_outputs
from convnext_studio.analysis.intervening.ablation_parts import block_parts, channel_parts, place_parts
from convnext_studio.analysis.intervening.changed_outputs import (
    changed_logits,
    changed_network,
    changed_node,
    donors_for,
    interventions,
    logits_under_each,
)
from convnext_studio.common.errors import StudioError
from convnext_studio.common.interventions import Change, Effect, Region
from convnext_studio.model.loaded import LoadedModel
from tests.networks import random_input, small_model

NODES = (
    *("stem", "stage1", "stage2.downsample", "stage2.downsample.norm", "stage2.block1", "stage2.block2.dwconv"),
    *("stage2.block2.norm", "stage2.block2.act", "stage2.block2.gamma", "stage3.block1", "stage4", "head.norm"),
)
"""Nodes of every kind and layout."""


@pytest.fixture(scope="module")
def model() -> LoadedModel:
    return small_model()


@pytest.fixture(scope="module")
def picture(model: LoadedModel) -> Tensor:
    return random_input(model)


def logits_under(
    model: LoadedModel, picture: Tensor, changes: Sequence[Change], other: Tensor | None = None
) -> Tensor:
    """The logits by running only what follows the first change."""
    outputs = {"": picture[0]} | trunk_outputs(model, picture)
    inputs = {"": picture, "other": picture if other is None else other}
    donors = donors_for(model, changes, inputs.__getitem__, list(inputs))
    return changed_logits(model, changes, donors, outputs.__getitem__)


def whole_pass(model: LoadedModel, picture: Tensor, changes: Sequence[Change]) -> Tensor:
    with (
        torch.no_grad(),
        interventions(model, changes, donors_for(model, changes, {"": picture}.__getitem__, [""])),
    ):
        return model.module(picture)[0]


def by_torchlens(model: LoadedModel, picture: Tensor, node: str, helper: object) -> Tensor:
    """The logits of torchlens when the output of a node passes through one of its helpers."""
    wanted = model.module_at(trunk_node(model, node))
    path = next(path for path, module in model.module.named_modules() if module is wanted)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # It warns of identities, and of its own tensors.
        trace = torchlens.trace(model.module, picture, intervene=torchlens.when(torchlens.module(path), helper))
    return trace[trace.output_layers[0]].out[0].detach()


@pytest.mark.parametrize("node", NODES)
def test_off_is_the_zero_ablation_of_torchlens(model: LoadedModel, picture: Tensor, node: str) -> None:
    expected = by_torchlens(model, picture, node, torchlens.zero_ablate())
    assert torch.allclose(logits_under(model, picture, [Change(node=node)]), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("node", NODES)
def test_factor_is_the_scaling_of_torchlens(model: LoadedModel, picture: Tensor, node: str) -> None:
    expected = by_torchlens(model, picture, node, torchlens.scale(-0.5))
    found = logits_under(model, picture, [Change(node=node, effect="factor", factor=-0.5)])
    assert torch.allclose(found, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("node", ["stem", "stage2.block2.act", "stage3"])
def test_mean_is_the_mean_ablation_of_torchlens_channel_by_channel(
    model: LoadedModel, picture: Tensor, node: str
) -> None:
    """One mean of everything is what torchlens takes, so it is given that of one channel, for all channels."""
    info = model.node(node)
    outputs: list[Tensor] = []
    handle = model.module_at(node).register_forward_hook(
        lambda _module, _inputs, output: outputs.append(output)
    )
    model.module(picture)
    handle.remove()
    channel = as_maps(outputs[0], info.layout)[3]
    expected = by_torchlens(model, picture, node, torchlens.mean_ablate(source=channel))
    found = logits_of_hook(model, picture, node, torch.full_like(outputs[0], float(channel.mean())))
    assert torch.allclose(found, expected, rtol=0, atol=1e-5)
    every = as_maps(outputs[0], info.layout).mean((1, 2), keepdim=True).expand(info.shape)
    back = every.permute(1, 2, 0)[None] if info.layout == "NHWC" else every[None]
    assert torch.allclose(
        logits_under(model, picture, [Change(node=node, effect="mean")]),
        logits_of_hook(model, picture, node, back),
        rtol=0,
        atol=1e-5,
    )


def logits_of_hook(model: LoadedModel, picture: Tensor, node: str, output: Tensor) -> Tensor:
    """The logits of plain PyTorch when a module's output is replaced."""
    handle = model.module_at(node).register_forward_hook(lambda _module, _inputs, _output: output)
    try:
        return model.module(picture)[0]
    finally:
        handle.remove()


EFFECTS: tuple[Effect, ...] = ("off", "mean", "picture mean", "factor")


@pytest.mark.parametrize("node", NODES)
def test_the_rest_alone_gives_what_a_whole_pass_gives(model: LoadedModel, picture: Tensor, node: str) -> None:
    for effect, channels in product(EFFECTS, ((), (1, 4))):
        changes = [Change(node=node, effect=effect, channels=channels, factor=2)]
        assert torch.allclose(
            logits_under(model, picture, changes), whole_pass(model, picture, changes), rtol=0, atol=1e-5
        )


def test_several_changes_are_applied_in_the_order_of_the_network(model: LoadedModel, picture: Tensor) -> None:
    changes = [
        Change(node="stage4", channels=(2,)),
        Change(node="stage2.block1", effect="factor", factor=0.5, region=Region(1, 1, 4, 5)),
        Change(node="stage2.block1", effect="mean", channels=(0, 5)),
        Change(node="stage3.block1", branch=True),
        Change(node="stem", enabled=False),
    ]
    found = logits_under(model, picture, changes)
    assert torch.allclose(found, whole_pass(model, picture, changes), rtol=0, atol=1e-5)
    assert not torch.allclose(found, logits_under(model, picture, changes[:2]))


def test_no_change_is_bit_equal(model: LoadedModel, picture: Tensor) -> None:
    expected = model.module(picture)[0]
    assert torch.equal(whole_pass(model, picture, []), expected)
    assert torch.equal(whole_pass(model, picture, [Change(node="stage2", enabled=False)]), expected)
    assert torch.equal(logits_under(model, picture, []), expected)


def test_a_channel_of_the_pooled_features_is_worth_its_weight(model: LoadedModel, picture: Tensor) -> None:
    pooled: list[Tensor] = []
    handle = model.module_at("head.norm").register_forward_hook(lambda _m, _i, output: pooled.append(output[0]))
    before = model.module(picture)[0]
    handle.remove()
    weight = model.module.get_submodule("head").weight
    for channel in range(len(pooled[0])):
        change = logits_under(model, picture, [Change(node="head.norm", channels=(channel,))]) - before
        assert torch.allclose(change, -weight[:, channel] * pooled[0][channel], rtol=0, atol=1e-5)


def test_a_block_without_its_branch_is_its_shortcut(model: LoadedModel, picture: Tensor) -> None:
    outputs = {"": picture[0]} | trunk_outputs(model, picture)
    module = model.module
    expected = module.forward_head(module.stages[3](module.downsample_layers[3](module.stages[2](
        module.downsample_layers[2](outputs["stage2.block1"][None])))))[0]  # fmt: skip
    found = logits_under(model, picture, [Change(node="stage2.block2", branch=True)])
    assert torch.allclose(found, expected, rtol=0, atol=1e-6)


def test_values_of_another_picture(model: LoadedModel, picture: Tensor) -> None:
    other = random_input(model, seed=1)
    donor = trunk_outputs(model, other)["stage3.block1"]
    change = Change(node="stage3", effect="patch", picture="other")
    found = logits_under(model, picture, [change], other)
    assert torch.allclose(found, model.module(other)[0], rtol=0, atol=1e-5), (
        "everything after it is the other's"
    )
    part = Change(node="stage3", effect="patch", picture="other", channels=(3,), region=Region(0, 1, 2, 3))
    mixed = trunk_outputs(model, picture)["stage3.block1"].clone()
    mixed[3, 0:2, 1:3] = donor[3, 0:2, 1:3]
    expected = logits_of_hook(model, picture, "stage3.block1", mixed[None])
    assert torch.allclose(logits_under(model, picture, [part], other), expected, rtol=0, atol=1e-5)


def test_a_picture_of_another_size_is_refused(model: LoadedModel, picture: Tensor) -> None:
    with pytest.raises(StudioError, match="another size"):
        logits_under(
            model,
            picture,
            [Change(node="stage1", effect="patch", picture="other")],
            random_input(model, side_px=96),
        )


def test_a_unit_whose_field_is_elsewhere_is_bit_equal() -> None:
    model = small_model(input_px=128, depths=(1, 1, 1, 1))
    picture = random_input(model)
    before = trunk_outputs(model, picture)
    info = model.node("stage2.block1")
    changed = Region(0, 0, 2, 2)  # Of the stem, in the upper left corner.
    with interventions(model, [Change(node="stem", region=changed)], {}):
        after = trunk_outputs(model, picture)
    stem = model.node("stem").field
    edge = stem.centre_px(changed.bottom - 1) + stem.size_px / 2
    untouched = [unit for unit in range(info.shape[1]) if info.field.unit_box(unit, unit)[0] >= edge]
    assert untouched
    first = untouched[0]
    assert torch.equal(before["stage2.block1"][:, first:, first:], after["stage2.block1"][:, first:, first:])
    assert not torch.equal(before["stage2.block1"][:, 0, 0], after["stage2.block1"][:, 0, 0])


def test_a_changed_network_shares_its_weights_and_leaves_the_first_one_alone(
    model: LoadedModel, picture: Tensor
) -> None:
    second = changed_network(model)
    assert [p.data_ptr() for p in second.module.parameters()] == [
        p.data_ptr() for p in model.module.parameters()
    ]
    with torch.no_grad(), interventions(second, [Change(node="stage2")], {}):
        assert not torch.equal(second.module(picture), model.module(picture))
    assert torch.equal(second.module(picture), model.module(picture))


def test_the_branch_is_the_last_operation(model: LoadedModel) -> None:
    assert changed_node(model, Change(node="stage2.block1", branch=True)) == "stage2.block1.gamma"
    assert changed_node(model, Change(node="stage2")) == "stage2.block2"
    without_scale = small_model(layer_scale_init_value=0.0)
    assert changed_node(without_scale, Change(node="stage2.block1", branch=True)) == "stage2.block1.pwconv2"
    with pytest.raises(StudioError, match="no branch"):
        changed_node(model, Change(node="stem", branch=True))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (Change(node="stage9"), "no node"),
        (Change(node="stage1", channels=(8,)), "has 8 channels"),
        (Change(node="stage1", channels=(-1,)), "counted from 0"),
        (Change(node="stage1", region=Region(0, 0, 17, 2)), "does not lie within"),
        (Change(node="stage1", region=Region(2, 2, 2, 3)), "no positions"),
        (Change(node="head.norm", region=Region(0, 0, 1, 1)), "does not lie within"),
        (Change(node="stage1", effect="factor", factor=3), "not between"),
        (Change(node="stage1", effect="patch"), "not said which picture"),
    ],
)
def test_what_does_not_fit_is_refused(
    model: LoadedModel, picture: Tensor, change: Change, message: str
) -> None:
    with pytest.raises(StudioError, match=message):
        logits_under(model, picture, [change])


@pytest.mark.parametrize("node", ["stage2.block1", "stage2.block2.act", "head.norm"])
def test_each_alone_is_what_one_after_the_other_gives(model: LoadedModel, picture: Tensor, node: str) -> None:
    parts = [
        *channel_parts(model, node, "mean"),
        *block_parts(model),
        *place_parts(model, "stage1", 3, 2),
        Change(node="stem", effect="patch", picture="other"),
    ]
    outputs = {"": picture[0]} | trunk_outputs(model, picture)
    donors = donors_for(model, parts, {"other": random_input(model, seed=1)}.__getitem__, [])
    found = torch.full((len(parts), model.config.num_classes), torch.nan)
    for positions, logits in logits_under_each(model, parts, donors, outputs.__getitem__):
        found[list(positions)] = logits
    for part, logits in zip(parts, found, strict=True):
        expected = changed_logits(model, [part], donors, outputs.__getitem__)
        assert torch.allclose(logits, expected, rtol=0, atol=1e-5)


def test_channels_off_are_the_weights_of_ablation_cam(model: LoadedModel, picture: Tensor) -> None:
    """pytorch-grad-cam's definition: (y - y_without) / y, by hand with a hook for each channel."""
    outputs = {"": picture[0]} | trunk_outputs(model, picture)
    parts = channel_parts(model, "stage3")
    found = torch.cat([logits for _, logits in logits_under_each(model, parts, {}, outputs.__getitem__)])
    for channel, logits in enumerate(found):
        without = outputs["stage3.block1"].clone()
        without[channel] = 0
        assert torch.allclose(
            logits, logits_of_hook(model, picture, "stage3.block1", without[None]), rtol=0, atol=1e-5
        )


def test_a_grid_of_places_covers_every_position_once(model: LoadedModel) -> None:
    for rows, columns in ((1, 1), (3, 5), (99, 2)):
        times = torch.zeros(model.node("stage1").shape[1:])
        for part in place_parts(model, "stage1", rows, columns):
            region = part.region
            assert region is not None
            times[region.top : region.bottom, region.left : region.right] += 1
        assert torch.equal(times, torch.ones_like(times))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (Change(node="stage2", channels=(12,)), "has 12 channels"),
        (Change(node="stage2", region=Region(0, 0, 9, 1)), "does not lie within"),
        (Change(node="stage2", effect="off", channels=(-1,)), "counted from 0"),
    ],
)
def test_parts_that_do_not_fit_are_refused_before_anything_is_computed(
    model: LoadedModel, picture: Tensor, wrong: Change, message: str
) -> None:
    outputs = {"": picture[0]} | trunk_outputs(model, picture)
    parts = [Change(node="stage2", channels=(0,)), wrong]
    with pytest.raises(StudioError, match=message):
        next(iter(logits_under_each(model, parts, {}, outputs.__getitem__)))
