"""The fields of one unit against arithmetic on strides and paddings, and against plain autograd."""

import weakref

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from torch import Tensor

from convnext_studio.analysis.features import feature_maps
from convnext_studio.analysis.unit_probe import UnitProbe, effective_field, input_window
from convnext_studio.common.errors import StudioError
from convnext_studio.common.geometry import FieldGeometry
from convnext_studio.common.stopping import Stopped
from convnext_studio.model.config import ConvNeXtConfig
from convnext_studio.model.loaded import LoadedModel
from convnext_studio.model.nodes import smallest_input_px
from tests.model.configs import configs
from tests.networks import random_input, small_model
from tests.plain import plain_forward

SIDE = 64
STEMS = {"patch": (4, 0), "overlapping": (1, 1), "padded": (2, 3)}  # stride and padding of a 4 x 4 kernel


def convolutions(model: LoadedModel, node: str) -> list[tuple[int, int, int]]:
    """Return kernel, stride and padding of the layers up to a node, in the order of the forward pass."""
    found: list[tuple[int, int, int]] = []
    for module in model.module.modules():
        if isinstance(module, torch.nn.Conv2d):
            module.register_forward_hook(
                lambda module, *_: found.append((module.kernel_size[0], module.stride[0], module.padding[0]))
            )

    class Reached(Exception):
        pass

    def stop(*_: object) -> None:
        raise Reached

    model.module_at(node).register_forward_hook(stop)
    with pytest.raises(Reached):
        model.module(random_input(model))
    return found


def pixels_of(chain: list[tuple[int, int, int]], unit: int) -> tuple[int, int]:
    """Return the first and the last pixel that a unit sees, traced back through the convolutions."""
    first = last = unit
    for kernel, stride, padding in reversed(chain):
        first = first * stride - padding
        last = last * stride - padding + kernel - 1
    return first, last


@pytest.mark.parametrize("stem", STEMS.values(), ids=STEMS.keys())
@pytest.mark.parametrize(
    "node", ["stem", "stage1.block1.pwconv1", "stage2.downsample", "stage2.block1", "stage3"]
)
@pytest.mark.parametrize(("y", "x"), [(0, 0), (1, 3)])
def test_the_theoretical_field_is_the_arithmetic_of_strides_and_paddings(
    stem: tuple[int, int], node: str, y: int, x: int
) -> None:
    model = small_model(input_px=SIDE, stem_stride=stem[0], stem_padding=stem[1])
    field = model.node(node).field
    chain = convolutions(model, node)
    (top, bottom), (left, right) = pixels_of(chain, y), pixels_of(chain, x)
    assert field.unit_box(y, x) == (left, top, right + 1 - left, bottom + 1 - top)
    assert (field.centre_px(x), field.centre_px(y)) == ((left + right + 1) / 2, (top + bottom + 1) / 2)
    inside, is_clipped = field.box_in_input(y, x, SIDE, SIDE)
    x0, y0, x1, y1 = max(left, 0), max(top, 0), min(right + 1, SIDE), min(bottom + 1, SIDE)
    assert inside == (x0, y0, x1 - x0, y1 - y0)
    assert is_clipped == (min(left, top) < 0 or max(right, bottom) >= SIDE)


def test_a_global_field_is_the_whole_input() -> None:
    field = FieldGeometry(7, 4, 2.0, is_global=True)
    assert field.box_in_input(3, 2, 32, 40) == ((0, 0, 40, 32), False)
    assert field.box_in_input(0, 2, 32, 40) == ((0, 0, 40, 32), True)


def plain_field(model: LoadedModel, x: Tensor, node: str, unit: tuple[int, int, int]) -> Tensor:
    leaf, seen = x.double().requires_grad_(), {}

    def look(name: str, value: Tensor) -> Tensor:
        seen[name] = value
        return value

    config = model.config
    plain_forward(model.module.state_dict(), leaf, config.stem_stride, config.stem_padding, look)
    (gradient,) = torch.autograd.grad(seen[node][(0, *unit)], leaf)
    return gradient[0].abs().sum(dim=0)


@pytest.mark.parametrize("changes", [{}, {"grn": True, "layer_scale_init_value": 0.0}], ids=["v1", "v2"])
@pytest.mark.parametrize(
    ("node", "unit"),
    [
        ("stem", (3, 2, 9)),
        ("stage1.block1.act", (20, 0, 15)),
        ("stage2.block1", (5, 3, 6)),
        ("stage2", (1, 7, 0)),
    ],
)
def test_the_effective_field_is_the_gradients_magnitude(
    changes: dict[str, object], node: str, unit: tuple[int, int, int]
) -> None:
    model = small_model(input_px=SIDE, **changes)
    x = random_input(model)
    field = effective_field(model, x, node, *unit)
    expected = plain_field(model, x, node, unit).numpy()
    np.testing.assert_allclose(field, expected, rtol=1e-3, atol=1e-5 * expected.max())
    info = model.node(node)
    (left, top, width, height), _ = info.field.box_in_input(*unit[1:], SIDE, SIDE)
    outside = field.copy()
    outside[int(top) : int(top + height), int(left) : int(left + width)] = 0
    assert not outside.any()
    assert field.any()
    assert (np.count_nonzero(field) == SIDE * SIDE) == info.field.is_global


@settings(max_examples=80)
@given(config=configs(), more_px=st.integers(20, 90), place=st.tuples(*[st.floats(0, 1)] * 3), data=st.data())
def test_the_window_of_a_unit_is_enough(
    config: ConvNeXtConfig, more_px: int, place: tuple[float, float, float], data: st.DataObject
) -> None:
    config = replace(config, grn=False)
    side = smallest_input_px(config) + more_px
    model = small_model(input_px=side, **config.to_dict())
    model.module.double()
    node = data.draw(st.sampled_from([node for node in model.nodes if node.has_positions]))
    channel, y, x = (int(share * (size - 1)) for share, size in zip(place, node.shape, strict=True))
    window = input_window(node.field, y, x, (side, side))
    if window is None:
        assert node.field.size_px**2 * 8 > side**2
        return
    tensor = random_input(model).double()
    part, whole = UnitProbe(model, tensor, node.name, window=window), UnitProbe(model, tensor, node.name)
    assert part.value(channel, y, x) == pytest.approx(whole.value(channel, y, x), rel=1e-9, abs=1e-9)
    expected = whole.field(channel, y, x)
    np.testing.assert_allclose(part.field(channel, y, x), expected, rtol=1e-5, atol=1e-9 * expected.max())


def test_a_second_unit_costs_no_forward_pass_and_gives_the_same() -> None:
    model = small_model(input_px=SIDE)
    x = random_input(model)
    probe = UnitProbe(model, x, "stage2")
    probe.field(0, 0, 0)
    ran: list[object] = []
    handle = model.module.stages[0].register_forward_hook(lambda *_: ran.append(1))
    again = probe.field(3, 4, 5)
    assert not ran
    handle.remove()
    np.testing.assert_array_equal(again, effective_field(model, x, "stage2", 3, 4, 5))
    assert probe.value(3, 4, 5) == pytest.approx(float(feature_maps(model, x, "stage2")[3, 4, 5]), rel=1e-5)


def test_each_unit_can_be_stopped_and_the_next_is_still_right() -> None:
    model = small_model(input_px=SIDE)
    x = random_input(model)
    with pytest.raises(Stopped):
        UnitProbe(model, x, "stage2", lambda: True)
    probe = UnitProbe(model, x, "stage2")
    with pytest.raises(Stopped):
        probe.field(0, 0, 0, lambda: True)
    np.testing.assert_array_equal(probe.field(0, 1, 1), effective_field(model, x, "stage2", 0, 1, 1))


def test_a_probe_is_freed_with_its_graph() -> None:
    model = small_model()
    probe = UnitProbe(model, random_input(model), "stage2")
    probe.field(0, 0, 0)
    kept = weakref.ref(probe._input)
    del probe
    assert kept() is None


def test_an_unknown_node_is_an_error() -> None:
    model = small_model()
    with pytest.raises(StudioError, match="no node"):
        effective_field(model, random_input(model), "stage9", 0, 0, 0)


@pytest.mark.parametrize(
    ("input_px", "window"),
    [
        ((4, 8), (slice(0, 4), slice(2, 6))),
        ((4, 7), None),
        ((3, 8), (slice(0, 3), slice(2, 6))),
        ((3, 7), None),
    ],
)
def test_a_window_is_at_most_half_of_the_input(
    input_px: tuple[int, int], window: tuple[slice, slice] | None
) -> None:
    """A unit that sees 4 by 4 pixels, from row 0 and column 2 on."""
    assert input_window(FieldGeometry(4, 1, 2.0), 0, 2, input_px) == window
