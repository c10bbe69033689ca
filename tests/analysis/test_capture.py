"""Hooks collect the right outputs, and none of them is ever left."""

import pytest
import torch
from torch import nn

from convnext_studio.analysis.capture import (
    captured,
    crop_outputs,
    edit_outputs,
    has_hooks,
    output_of,
    replace_output,
    stoppable,
)
from convnext_studio.common.stopping import Stopped
from tests.networks import random_input, small_model


def hooks_on(network: nn.Module) -> int:
    return sum(len(module._forward_hooks) + len(module._forward_pre_hooks) for module in network.modules())


def test_captured_outputs_are_the_networks_own_and_hooks_go() -> None:
    model = small_model()
    x = random_input(model)
    stages = {"stage1": model.module.stages[0], "stage4": model.module.stages[3]}
    with captured(stages) as outputs:
        model.module(x)
    assert torch.equal(outputs["stage4"], model.module.forward_features(x))
    assert not outputs["stage1"].requires_grad
    assert hooks_on(model.module) == 0


def test_gradients_are_built_from_the_first_captured_output_on() -> None:
    model = small_model()
    with captured({"stage2": model.module.stages[1]}, with_gradients=True) as outputs:
        logits = model.module(random_input(model))
    assert outputs["stage2"].is_leaf
    assert logits.requires_grad


def test_output_of_runs_no_further() -> None:
    model = small_model()
    x = random_input(model)
    ran: list[str] = []
    model.module.stages[2].register_forward_pre_hook(lambda *_: ran.append("stage3"))
    output = output_of(model.module, model.module.stages[1], x)
    assert ran == []
    assert torch.equal(
        output,
        model.module.stages[1](
            model.module.downsample_layers[1](model.module.stages[0](model.module.downsample_layers[0](x)))
        ),
    )
    with pytest.raises(LookupError):
        output_of(model.module, nn.Identity(), x)


@pytest.mark.parametrize("allowed", [0, 2, 4, 6, 8])
def test_stoppable_stops_between_blocks_forward_and_backward(allowed: int) -> None:
    model = small_model()
    x = random_input(model).requires_grad_()
    asked: list[int] = []

    def should_stop() -> bool:
        asked.append(1)
        return len(asked) > allowed

    with pytest.raises(Stopped), stoppable(model.blocks, should_stop):
        model.module(x).sum().backward()
    # Five blocks: five questions forward, five backward.
    assert len(asked) == allowed + 1
    assert hooks_on(model.module) == 0


def test_hooks_go_when_the_pass_fails() -> None:
    model = small_model()
    with pytest.raises(RuntimeError), captured({"stage1": model.module.stages[0]}):
        model.module(torch.zeros(1, 5, 64, 64))
    with pytest.raises(RuntimeError):
        output_of(model.module, model.module.stages[0], torch.zeros(1, 5, 64, 64))
    assert hooks_on(model.module) == 0


def test_outputs_are_cropped_replaced_and_edited_inside_the_block_only() -> None:
    first, second, third = nn.Identity(), nn.Identity(), nn.Identity()
    network = nn.Sequential(first, second, third)
    x = torch.arange(2 * 4 * 5.0).view(1, 2, 4, 5)
    with crop_outputs({first: (slice(1, 4), slice(0, 3)), second: (slice(0, 2), slice(1, 3))}):
        assert torch.equal(network(x), x[:, :, 1:3, 1:3])
        assert has_hooks(network)
    with replace_output(second, x[:, :1]):
        assert torch.equal(network(x), x[:, :1])
    with edit_outputs({first: lambda output: output + 1, third: lambda output: output * 2}):
        assert torch.equal(network(x), 2 * (x + 1))
    assert torch.equal(network(x), x)
    assert not has_hooks(network)
    with (
        pytest.raises(ZeroDivisionError),
        edit_outputs({first: lambda output: output / 0, second: lambda _: 1 / 0}),
    ):
        network(x)
    assert hooks_on(network) == 0


def test_a_hook_of_any_kind_anywhere_inside_is_seen() -> None:
    inner = nn.Identity()
    network = nn.Sequential(nn.Sequential(inner))
    assert not has_hooks(network)
    for register in (inner.register_forward_hook, inner.register_forward_pre_hook):
        handle = register(lambda *_: None)
        assert has_hooks(network)
        handle.remove()
        assert not has_hooks(network)
