"""The stem with another stride, and logits of another input under changes, with plain PyTorch."""

import pytest
import torch
from torch.nn import functional

from convnext_studio.analysis.intervening.altered_passes import stem_output
from convnext_studio.analysis.intervening.changed_outputs import donors_for, logits_under
from convnext_studio.common.errors import StudioError
from convnext_studio.common.interventions import Change
from convnext_studio.common.stopping import Stopped
from tests.networks import random_input, small_model


@pytest.mark.parametrize(("stride", "padding"), [(4, 0), (2, 1), (1, 3)])
@pytest.mark.parametrize("stem_norm", [True, False])
def test_the_stem_has_the_weights_of_the_network_and_another_stride(
    stride: int, padding: int, stem_norm: bool
) -> None:
    model = small_model(stem_norm=stem_norm)
    x = random_input(model)
    conv = model.module.downsample_layers[0][0]
    expected = functional.conv2d(x, conv.weight, conv.bias, stride=stride, padding=padding)[0]
    if stem_norm:
        norm = model.module.downsample_layers[0][1]
        spread = (expected - expected.mean(0)) / (expected.var(0, unbiased=False) + norm.eps).sqrt()
        expected = spread * norm.weight[:, None, None] + norm.bias[:, None, None]
    found = stem_output(model, x.requires_grad_(), stride, padding)
    torch.testing.assert_close(found, expected.detach(), rtol=1e-4, atol=1e-4)
    assert not found.requires_grad


@pytest.mark.parametrize("stem", ["overlap", "overlap_tiered", "overlap_act"])
def test_other_stems_have_no_stride_to_change(stem: str) -> None:
    model = small_model(stem_type=stem)
    with pytest.raises(StudioError, match="not a single patch convolution"):
        stem_output(model, random_input(model), 2, 0)


def test_another_input_under_changes_is_a_whole_pass_with_hooks() -> None:
    model = small_model()
    x = random_input(model, 3, side_px=96)
    changes = [Change(node="stage2.block1", effect="factor", factor=0.5), Change(node="stem", channels=(1,))]

    def halve(_module: object, _inputs: object, output: torch.Tensor) -> torch.Tensor:
        return output / 2

    def without(_module: object, _inputs: object, output: torch.Tensor) -> torch.Tensor:
        return output * (torch.arange(8) != 1)[:, None, None]

    handles = [
        model.module_at("stage2.block1").register_forward_hook(halve),
        model.module_at("stem").register_forward_hook(without),
    ]
    expected = model.module(x)[0]
    for handle in handles:
        handle.remove()
    found = logits_under(model, changes, {}, x.requires_grad_())
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
    assert not found.requires_grad
    assert found.shape == (7,)
    in_half = logits_under(model, changes, {}, x.detach(), "bfloat16")
    assert in_half.dtype == torch.float32
    assert not torch.equal(in_half, found)
    torch.testing.assert_close(in_half, expected, rtol=0.2, atol=0.2 * float(expected.abs().max()))
    with pytest.raises(Stopped):
        logits_under(model, changes, {}, x, should_stop=lambda: True)


def test_the_mean_over_pictures_is_that_of_their_channels() -> None:
    model = small_model()
    pictures = {str(seed): random_input(model, seed, side_px=64 + 32 * seed) for seed in range(3)}
    change = Change(node="stage2", effect="picture mean")
    found = donors_for(model, [change, Change(node="stem")], pictures.__getitem__, list(pictures))
    assert list(found) == [change]
    outputs: list[torch.Tensor] = []
    handle = model.module_at("stage2").register_forward_hook(lambda *a: outputs.append(a[2]))
    for x in pictures.values():
        model.module(x)
    handle.remove()
    expected = torch.stack([output[0].mean((1, 2)) for output in outputs]).mean(0)
    torch.testing.assert_close(found[change], expected[:, None, None])
    with pytest.raises(StudioError, match="no pictures to take the mean over"):
        donors_for(model, [change], pictures.__getitem__, [])
