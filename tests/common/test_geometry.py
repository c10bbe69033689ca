"""Coordinates against arithmetic by hand and against the support of gradients."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from convnext_studio.common.geometry import CropGeometry, FieldGeometry
from convnext_studio.model.nodes import node_table
from tests.networks import small_model


def test_patchify_stem_tiles_the_input() -> None:
    field = FieldGeometry().after(4, 4)
    assert (field.size_px, field.stride_px, field.first_centre_px) == (4, 4, 2.0)
    assert field.map_box(56, 56) == (0, 0, 224, 224)
    assert field.unit_box(0, 1) == (4, 0, 4, 4)


def test_tutorial_stem_lies_half_a_pixel_off() -> None:
    field = FieldGeometry().after(4, 1, 1)
    assert field.first_centre_px == 1.0  # Taps at -1, 0, 1, 2: the middle of [-1, 3).
    assert field.map_box(223, 223) == (0.5, 0.5, 223, 223)


@pytest.mark.parametrize(
    "changes", [{}, {"stem_stride": 1, "stem_padding": 1}, {"stem_kernel_size": 2, "stem_stride": 2}]
)
@pytest.mark.parametrize("name", ["stem", "stage1", "stage2.downsample", "stage2.block1", "stage3", "stage4"])
def test_theoretical_field_is_the_support_of_the_gradient(changes: dict[str, int], name: str) -> None:
    model = small_model(**changes)
    side = 40 * model.config.stem_stride
    node = next(node for node in node_table(model.config, side) if node.name == name)
    x = torch.randn(1, 3, side, side, dtype=torch.float64, requires_grad=True)
    outputs: list[torch.Tensor] = []
    handle = model.module_at(name).register_forward_hook(lambda *arguments: outputs.append(arguments[2]))
    model.module.double()(x)
    handle.remove()
    row, column = node.shape[1] // 2, node.shape[2] // 3
    (gradient,) = torch.autograd.grad(outputs[0][0, :, row, column].square().sum(), x)
    rows, columns = torch.nonzero(gradient.abs().sum(dim=(0, 1)), as_tuple=True)
    left, top, width, height = node.field.unit_box(row, column)
    assert outputs[0].shape[1:] == node.shape
    assert columns.min().item() == max(0, left)
    assert rows.min().item() == max(0, top)
    assert columns.max().item() + 1 == min(side, left + width)
    assert rows.max().item() + 1 == min(side, top + height)


@given(
    origin=st.tuples(st.integers(-10, 90), st.integers(-10, 90)),
    point=st.tuples(st.floats(-5, 300), st.floats(-5, 300)),
)
def test_crop_geometry_inverts(origin: tuple[int, int], point: tuple[float, float]) -> None:
    geometry = CropGeometry((400, 300), (341, 256), origin, (224, 224))
    assert geometry.to_input(*geometry.to_picture(*point)) == pytest.approx(point)


def test_crop_box_by_hand() -> None:
    geometry = CropGeometry((800, 600), (400, 300), (50, 38), (224, 224))
    assert geometry.crop_box == (100, 76, 448, 448)
    assert geometry.to_picture(0, 0) == (100, 76)


@given(x=st.floats(0, 223.99), y=st.floats(0, 223.99))
def test_unit_at_is_the_nearest_centre(x: float, y: float) -> None:
    field = FieldGeometry().after(4, 4).after(2, 2)
    found = field.unit_at(x, y, 28, 28)
    assert found is not None
    assert abs(field.centre_px(found[1]) - x) <= 4
    assert abs(field.centre_px(found[0]) - y) <= 4
    assert field.unit_at(-1, y, 28, 28) is None
