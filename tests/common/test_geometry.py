"""Coordinates against arithmetic by hand and against the support of gradients."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from convnext_studio.analysis.capture import captured
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
    ("changes", "side"),
    [
        *(({}, side) for side in (64, 65, 101, 129)),
        ({"stem_stride": 1, "stem_padding": 1}, 65),
        ({"kernel_size": 1}, 101),
        ({"downsample": "block"}, 65),
        ({"output_stride": 8}, 101),
    ],
)
def test_a_units_box_ends_where_the_gradient_does(changes: dict[str, int], side: int) -> None:
    """Where strides do not divide the input, its last rows and columns are read by nothing."""
    model = small_model(**changes)
    model.module.double()
    names = ["stem", "stage1", "stage2", "stage4"]
    nodes = {node.name: node for node in node_table(model.config, side)}
    x = torch.randn(1, 3, side, side, dtype=torch.float64, requires_grad=True)
    with captured({name: model.module_at(name) for name in names}, with_gradients=True) as outputs:
        model.module(x)
    for name in names:
        rows, columns = nodes[name].shape[1:]
        for row, column in {(rows - 1, columns - 1), (rows - 1, 0), (rows // 2, max(columns - 2, 0))}:
            signal = outputs[name][0, :, row, column].square().sum()
            (gradient,) = torch.autograd.grad(signal, x, retain_graph=True)
            seen = gradient[0].abs().sum(0) > 0
            ys, xs = (seen.any(dim).nonzero().ravel() for dim in (1, 0))
            support = (int(xs[0]), int(ys[0]), int(xs[-1] - xs[0]) + 1, int(ys[-1] - ys[0]) + 1)
            assert nodes[name].field.box_in_input(row, column, side, side)[0] == support


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


def test_scale_and_point_by_hand_where_the_axes_differ() -> None:
    geometry = CropGeometry((800, 300), (400, 100), (50, 10), (224, 64))
    assert geometry.scale == (2, 3)
    assert geometry.to_picture(4, 6) == (108, 48)
    assert geometry.to_input(108, 48) == (4, 6)
    assert geometry.box_to_picture((4, 6, 8, 5)) == (108, 48, 16, 15)


def test_padding_is_no_part_of_what_the_network_sees() -> None:
    padded = CropGeometry((100, 40), (100, 40), (-3, -8), (112, 64), padding=(3, 8, 9, 16))
    assert padded.is_padded
    assert padded.seen_in_input == (3, 8, 100, 40)
    assert padded.seen_box == (0, 0, 100, 40)
    assert padded.crop_box == (-3, -8, 112, 64)
    field = FieldGeometry().after(4, 4)
    # Units are centred at 2, 6, 10, ...: rows at 10 to 46 lie in [8, 48), columns at 6 to 102 in [3, 103).
    assert padded.seen_units(field, 16, 28) == (slice(2, 12), slice(1, 26))
    plain = CropGeometry((112, 64), (112, 64), (0, 0), (112, 64))
    assert not plain.is_padded
    assert plain.seen_units(field, 16, 28) == (slice(0, 16), slice(0, 28))


@given(
    kernel=st.integers(1, 9),
    stride=st.integers(1, 5),
    padding=st.integers(0, 4),
    ends=st.tuples(st.integers(-20, 80), st.integers(1, 60)),
    count=st.integers(1, 12),
)
def test_the_units_centred_in_a_span_are_those_counted_one_by_one(
    kernel: int, stride: int, padding: int, ends: tuple[int, int], count: int
) -> None:
    field = FieldGeometry().after(kernel, stride, padding)
    start, stop = ends[0] / 2, (ends[0] + ends[1]) / 2
    centres = [kernel / 2 - padding + unit * stride for unit in range(count)]
    within = [unit for unit, centre in enumerate(centres) if start <= centre < stop]
    found = range(count)[field.centred_within(start, stop, count)]
    if within:
        assert list(found) == within
    else:
        away = [abs(centre - (start + stop) / 2) for centre in centres]
        [nearest] = found
        assert away[nearest] == min(away)


def test_boxes_of_units_stand_for_their_middle() -> None:
    field = FieldGeometry().after(4, 4)
    boxes = field.of_boxes(3)
    assert (boxes.size_px, boxes.stride_px) == (4, 12)
    # Units 0, 1 and 2 are centred at 2, 6 and 10.
    assert boxes.centre_px(0) == 6
    assert boxes.centre_px(2) == (26 + 30 + 34) / 3


def test_a_field_is_clipped_at_each_side_of_the_input() -> None:
    field = FieldGeometry().after(7, 2, 3)  # Unit n sees the pixels from 2n - 3 up to 2n + 4.
    assert field.unit_box(1, 4) == (5, -1, 7, 7)
    assert field.box_in_input(1, 4, 20, 40) == ((5, 0, 7, 6), True)
    assert field.box_in_input(4, 1, 20, 40) == ((0, 5, 6, 7), True)
    assert field.box_in_input(9, 4, 20, 40) == ((5, 15, 7, 5), True)
    assert field.box_in_input(4, 19, 20, 40) == ((35, 5, 5, 7), True)
    assert field.box_in_input(4, 9, 20, 40) == ((15, 5, 7, 7), False)
    assert field.box_in_input(4, 30, 20, 40) == ((40, 5, 0, 7), True)
    assert field.made_global().box_in_input(4, 9, 20, 40) == ((0, 0, 40, 20), False)
    assert field.without_box().box_in_input(1, 9, 20, 40) == ((0, 0, 40, 20), True)


def test_what_a_unit_sees_in_words() -> None:
    field = FieldGeometry().after(7, 2, 3)
    assert (field.is_box, field.extent) == (True, "7 px")
    assert (field.made_global().is_box, field.made_global().extent) == (False, "the whole picture")
    assert (field.without_box().is_box, field.without_box().extent) == (False, "attention windows, not a box")


@pytest.mark.parametrize(
    ("field", "start"),
    [
        (FieldGeometry(), 0.0),
        (FieldGeometry().after(4, 1, 1), 0.5),  # The tutorial's stem.
        (FieldGeometry().after(3, 1), 1.0),
        (FieldGeometry().after(7, 4, 1), 0.5),
        (FieldGeometry().after(3, 4, 2), -2.5),
    ],
)
def test_a_clicked_unit_is_the_one_whose_square_is_painted_there(field: FieldGeometry, start: float) -> None:
    height, width, stride = 5, 9, field.stride_px
    for row in range(height):
        for column in range(width):
            left, top = start + column * stride, start + row * stride
            for x in (left, left + stride - 0.125):
                for y in (top, top + stride - 0.125):
                    assert field.unit_at(x, y, height, width) == (row, column)
    middle = start + 2.5 * stride
    for x, y in (
        (start - 0.125, middle),
        (middle, start - 0.125),
        (start + width * stride, middle),
        (middle, start + height * stride),
    ):
        assert field.unit_at(x, y, height, width) is None
    assert field.map_box(height, width) == (start, start, width * stride, height * stride)
