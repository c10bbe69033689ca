"""Pictures in every framing: the network's own values on the same rectangle, and the right places."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs
from numpy.typing import NDArray
from PIL import Image

from convnext_studio.analysis.features import as_maps
from convnext_studio.analysis.unit_probe import effective_field
from convnext_studio.common.errors import StudioError
from convnext_studio.common.geometry import CropGeometry
from convnext_studio.decoding.picture_view import PictureView
from convnext_studio.engine.server.dispatch import Dispatcher
from convnext_studio.model.framing import FRAMING_KINDS, Framing, framed
from convnext_studio.model.loaded import LoadedModel
from convnext_studio.model.preprocessing import IMAGENET_MEAN, IMAGENET_STD
from convnext_studio.protocol.attributions import Explain, Explanation, MeasureFaithfulness
from convnext_studio.protocol.channels import ChannelStatistics, ChannelStatisticsResult, StrongestPatches
from convnext_studio.protocol.maps import FeatureMaps, FeatureMapsResult, NodeValues
from convnext_studio.protocol.models import LoadModel, ModelInfo, SaveModel
from convnext_studio.protocol.pictures import CloseImage, ImageInfo, ShowPicture
from convnext_studio.protocol.predictions import Predict, Prediction
from convnext_studio.protocol.receptive_fields import UnitField, UnitFieldResult
from tests.engine.opening import Opener, open_picture
from tests.networks import small_model, write_weights

KINDS: dict[str, dict[str, Any]] = {
    "V1": {},
    "V2": {"grn": True, "layer_scale_init_value": 0.0},
    "isotropic": {"depths": (2,), "dims": (8,), "stem_kernel_size": 16, "stem_stride": 16},
    "tutorial": {"stem_stride": 1, "stem_padding": 1},
}
FRAMINGS = (
    Framing(),
    Framing(input_px=96),
    Framing(kind="whole"),
    Framing(kind="whole", input_px=101),
    Framing(kind="native"),
    Framing(box=(20, 10, 61, 33)),
    Framing(kind="native", box=(5, 7, 50, 40)),
)


def picture_file(folder: Path, size: tuple[int, int], seed: int = 0) -> str:
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    path = folder / f"{size[0]}x{size[1]}.png"
    Image.fromarray(pixels).save(path)
    return str(path)


def outputs_by_hook(model: LoadedModel, x: torch.Tensor) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
    """Every node's output as (C, h, w), and the logits, by plain hooks on the network."""
    found: dict[str, torch.Tensor] = {}
    handles = []
    for node in model.nodes:

        def keep(_module: object, _inputs: object, output: torch.Tensor, name: str = node.name) -> None:
            found[name] = output

        handles.append(model.module_at(node.name).register_forward_hook(keep))
    logits = model.module(x)
    for handle in handles:
        handle.remove()
    return {node.name: as_maps(found[node.name], node.layout) for node in model.nodes}, logits


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("framing", FRAMINGS, ids=lambda framing: framing.text or "trained")
def test_every_node_is_that_of_the_network_on_the_same_rectangle(
    engine_of: Opener, tmp_path: Path, kind: str, framing: Framing
) -> None:
    engine, model, _ = engine_of(**KINDS[kind])
    path = picture_file(tmp_path, (117, 83))
    image = framed(open_picture(engine, path), framing)
    prediction = cast("Prediction", engine.run(Predict(image=image)))
    geometry = prediction.geometry
    array, _ = model.preprocessing(Image.open(path), geometry)
    x = torch.from_numpy(array)[None]
    assert x.shape[2:] == geometry.input_size[::-1]
    expected, logits = outputs_by_hook(model, x)
    np.testing.assert_allclose(prediction.logits, logits[0], rtol=1e-5, atol=1e-5)
    for node in model.nodes:
        result = cast("FeatureMapsResult", engine.run(FeatureMaps(image=image, node=node.name)))
        np.testing.assert_allclose(result.maps, expected[node.name], rtol=1e-5, atol=1e-5, err_msg=node.name)
        assert prediction.sizes[node.name] == result.maps.shape[1:]
        assert result.geometry == geometry


@settings(max_examples=25, deadline=None)
@given(
    depths=st.tuples(st.integers(1, 2), st.integers(1, 2)),
    kernel=st.sampled_from([1, 3, 5]),
    stem=st.sampled_from([(4, 4, 0), (2, 2, 0), (4, 2, 1), (3, 1, 1), (4, 1, 1)]),
    size=st.tuples(st.integers(97, 130), st.integers(97, 130)),
    offset=st.tuples(st.integers(0, 4), st.integers(0, 4)),
    seed=st.integers(0, 99),
)
def test_an_interior_unit_is_the_same_in_a_crop_and_in_the_whole(
    depths: tuple[int, int],
    kernel: int,
    stem: tuple[int, int, int],
    size: tuple[int, int],
    offset: tuple[int, int],
    seed: int,
) -> None:
    model = small_model(
        seed=seed,
        depths=(*depths, 1, 1),
        dims=(6, 8, 4, 4),
        kernel_size=kernel,
        stem_kernel_size=stem[0],
        stem_stride=stem[1],
        stem_padding=stem[2],
    )
    node = model.node("stage2")
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    picture = Image.fromarray(pixels)
    whole = model.geometry(picture.size, Framing(kind="native"))
    stride = node.field.stride_px
    side = 80
    left, top = (
        # The crop begins a multiple of the stride after the input, so that the units are the same ones.
        min(-pad % stride + stride * steps, (long - side + pad) // stride * stride - pad)
        for pad, steps, long in zip(whole.padding[:2], offset, picture.size, strict=True)
    )
    crop = CropGeometry(picture.size, picture.size, (left, top), (side, side))
    tensors = [torch.from_numpy(model.preprocessing(picture, where)[0])[None] for where in (whole, crop)]
    moved = [(origin + pad) // stride for origin, pad in zip((top, left), whole.padding[1::-1], strict=True)]
    field = node.field
    _, rows, columns = model.node("stage2", (side, side)).shape
    inside = [
        (y, x)
        for y in range(rows)
        for x in range(columns)
        if not field.box_in_input(y, x, side, side)[1]
        and not whole_is_clipped(model, whole, field.box_in_input, y + moved[0], x + moved[1])
    ]
    expected, found = (outputs_by_hook(model, tensor)[0]["stage2"] for tensor in tensors)
    for y, x in inside[:: max(1, len(inside) // 3)]:
        there = (y + moved[0], x + moved[1])
        np.testing.assert_allclose(found[:, y, x], expected[:, *there], rtol=1e-4, atol=1e-4)
        small = effective_field(model, tensors[1], "stage2", 1, y, x)
        large = effective_field(model, tensors[0], "stage2", 1, *there)
        across, down = (moved[1] * stride, moved[0] * stride)
        np.testing.assert_allclose(
            small, large[down : down + side, across : across + side], rtol=1e-3, atol=1e-5
        )
        assert large.sum() == pytest.approx(small.sum(), rel=1e-4)
    assert inside or field.size_px > side - 2 * stride


def whole_is_clipped(
    model: LoadedModel, whole: CropGeometry, box: Callable[..., tuple[Any, bool]], y: int, x: int
) -> bool:
    width, height = whole.input_size
    _, rows, columns = model.node("stage2", (height, width)).shape
    return y >= rows or x >= columns or box(y, x, height, width)[1]


def spotted(size: tuple[int, int], spot: tuple[int, int]) -> NDArray[np.uint8]:
    width, height = size
    y, x = np.mgrid[:height, :width] + 0.5
    bump = np.exp(-((x - spot[0]) ** 2 + (y - spot[1]) ** 2) / (2 * (max(size) / 60) ** 2))
    return np.repeat(np.rint(30 + 220 * bump)[..., None], 3, axis=2).astype(np.uint8)


@pytest.mark.parametrize("orientation", [1, 2, 3, 4, 5, 6, 7, 8])
@pytest.mark.parametrize("size", [(300, 200), (200, 300), (640, 90), (90, 640), (224, 224)])
@pytest.mark.parametrize("kind", FRAMING_KINDS)
def test_a_bright_spot_is_found_where_it_is(
    engine_of: Opener, tmp_path: Path, kind: Any, size: tuple[int, int], orientation: int
) -> None:
    check_spot(engine_of()[0], tmp_path, Framing(kind=kind, input_px=256), size, orientation)


@pytest.mark.parametrize("orientation", [1, 6, 7])
@pytest.mark.parametrize("size", [(301, 203), (203, 301)])
@pytest.mark.parametrize("kind", FRAMING_KINDS)
def test_a_bright_spot_is_found_in_a_box(
    engine_of: Opener, tmp_path: Path, kind: Any, size: tuple[int, int], orientation: int
) -> None:
    upright = size if orientation < 5 else size[::-1]
    box = (upright[0] // 3, upright[1] // 5, upright[0] // 2, 2 * upright[1] // 3)
    check_spot(engine_of()[0], tmp_path, Framing(kind=kind, input_px=101, box=box), size, orientation)


def check_spot(
    engine: Dispatcher, tmp_path: Path, framing: Framing, size: tuple[int, int], orientation: int
) -> None:
    # Inside the square in the middle, which the network's own crop shows; it is where it is when upright.
    upright = size if orientation < 5 else size[::-1]
    centre = (upright[0] / 2, upright[1] / 2)
    spot = (centre[0] + min(size) * 0.2, centre[1] - min(size) * 0.13)
    images = []
    for name, pixels in (
        ("spot", spotted(upright, cast("tuple[int, int]", spot))),
        ("none", np.full((upright[1], upright[0], 3), 30, np.uint8)),
    ):
        path = tmp_path / f"{name}.png"
        exif = Image.Exif()
        exif[0x0112] = orientation
        stored = turned_back(Image.fromarray(pixels), orientation)
        stored.save(path, exif=exif)
        images.append(framed(open_picture(engine, str(path)), framing))
    with_spot, without = (
        cast("FeatureMapsResult", engine.run(FeatureMaps(image=image, node="stem"))) for image in images
    )
    change = np.square(with_spot.maps - without.maps).sum(axis=0)
    rows, columns = np.mgrid[: change.shape[0], : change.shape[1]]
    row, column = ((where * change).sum() / change.sum() for where in (rows, columns))
    field, geometry = with_spot.field, with_spot.geometry
    assert geometry.picture_size == upright
    found = geometry.to_picture(field.centre_px(column), field.centre_px(row))
    half_unit = field.stride_px / 2 * max(geometry.scale)
    assert found == pytest.approx(spot, abs=half_unit)


def turned_back(picture: Image.Image, orientation: int) -> Image.Image:
    """The picture as a camera stores it that was held so."""
    inverse = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    return picture.transpose(inverse[orientation]) if orientation in inverse else picture


@pytest.fixture
def padded(engine_of: Opener, tmp_path: Path) -> tuple[Dispatcher, LoadedModel, str]:
    engine, model, _ = engine_of()
    image = open_picture(engine, picture_file(tmp_path, (180, 100)))
    return engine, model, framed(image, Framing(kind="native"))


def input_of(engine: Dispatcher, model: LoadedModel, image: str) -> tuple[torch.Tensor, CropGeometry]:
    geometry = cast("Prediction", engine.run(Predict(image=image))).geometry
    values = np.random.default_rng(0).integers(0, 256, (100, 180, 3), dtype=np.uint8)
    array, _ = model.preprocessing(Image.fromarray(values), geometry)
    return torch.from_numpy(array)[None], geometry


def test_padding_is_left_out_of_statistics(padded: tuple[Dispatcher, LoadedModel, str]) -> None:
    engine, model, image = padded
    x, geometry = input_of(engine, model, image)
    assert geometry.padding == (6, 14, 6, 14)
    stem = outputs_by_hook(model, x)[0]["stem"].numpy()
    assert stem.shape == (8, 32, 48)
    # Centres at 2, 6, 10, …: rows from 14 to 114 and columns from 6 to 186 show the picture.
    seen = stem[:, 3:28, 1:46]
    found = engine.run(ChannelStatistics(image=image, node="stem"))
    assert isinstance(found, ChannelStatisticsResult)
    np.testing.assert_allclose(found.mean, seen.mean(axis=(1, 2)), rtol=1e-5)
    np.testing.assert_allclose(found.maximum, seen.max(axis=(1, 2)), rtol=1e-5)
    values = engine.run(NodeValues(image=image, nodes=("stem",)))
    assert values.after["stem"].mean == pytest.approx(seen.mean(), rel=1e-4)
    assert values.before["stem"].mean == pytest.approx(float(x[0, :, 14:114, 6:186].mean()), rel=1e-3)


def test_padding_is_left_out_of_class_activation_maps(padded: tuple[Dispatcher, LoadedModel, str]) -> None:
    engine, model, image = padded
    x, _ = input_of(engine, model, image)
    prediction = cast("Prediction", engine.run(Predict(image=image)))
    x.requires_grad_()
    kept: list[torch.Tensor] = []
    model.module.stages[0].register_forward_hook(lambda *arguments: kept.append(arguments[2]))
    logits = model.module(x)
    (gradients,) = torch.autograd.grad(logits[0, prediction.target], kept[0])
    activation, gradient = kept[0][0], gradients[0]
    weights = gradient[:, 3:28, 1:46].mean(dim=(1, 2))
    expected = torch.einsum("c,chw->hw", weights, activation).detach().numpy()
    expected[:3] = expected[28:] = expected[:, :1] = expected[:, 46:] = 0
    np.testing.assert_allclose(prediction.cams["stage1"], expected, rtol=1e-4, atol=1e-5)
    asked = Explain(image=image, method="gradcam", nodes=("stage1",), output="probability")
    other = cast("Explanation", engine.run(asked)).maps["stage1"]
    assert not other[:3].any()
    assert not other[:, 46:].any()


@pytest.mark.parametrize("method", ["saliency", "eigencam", "occlusion", "ablationcam", "layercam"])
def test_no_method_explains_padding(padded: tuple[Dispatcher, LoadedModel, str], method: Any) -> None:
    engine, _, image = padded
    found = cast("Explanation", engine.run(Explain(image=image, method=method, nodes=("stage1",))))
    (values,) = found.maps.values()
    (field,) = found.fields.values()
    rows, columns = found.geometry.seen_units(field, *values.shape)
    outside = values.copy()
    outside[rows, columns] = 0
    assert not outside.any()
    assert values.any()


def test_no_patch_is_cut_from_padding(padded: tuple[Dispatcher, LoadedModel, str]) -> None:
    engine, model, image = padded
    for channel in range(8):
        asked = StrongestPatches(images=(image,), node="stem", channel=channel, count=4)
        patches = engine.run(asked).patches
        stem = outputs_by_hook(model, input_of(engine, model, image)[0])[0]["stem"][channel].numpy()
        assert patches[0].value == pytest.approx(float(stem[3:28, 1:46].max()))
        for patch in patches:
            assert 3 <= patch.y < 28
            assert 1 <= patch.x < 46


def test_curves_touch_only_the_picture(padded: tuple[Dispatcher, LoadedModel, str]) -> None:
    engine, model, image = padded
    question = Explain(image=image, method="saliency")
    found = engine.run(MeasureFaithfulness(question=question, fill="mean", steps=2, orders=1))
    x, _ = input_of(engine, model, image)
    whole, nothing = (
        float(torch.softmax(model.module(each), dim=1)[0, found.target]) for each in (x, torch.zeros_like(x))
    )
    assert found.of_map.deletion[0] == pytest.approx(whole, rel=1e-4)
    assert found.of_map.deletion[-1] == pytest.approx(nothing, rel=1e-4)


def test_units_fields_lie_on_the_rectangle(padded: tuple[Dispatcher, LoadedModel, str]) -> None:
    engine, model, image = padded
    x, geometry = input_of(engine, model, image)
    result = engine.run(UnitField(image=image, node="stage2", channel=3, y=15, x=20))
    assert isinstance(result, UnitFieldResult)
    np.testing.assert_allclose(result.effective, effective_field(model, x, "stage2", 3, 15, 20), atol=1e-6)
    assert result.effective.shape == geometry.input_size[::-1]


def test_a_closed_picture_is_closed_in_every_framing(padded: tuple[Dispatcher, LoadedModel, str]) -> None:
    engine, _, image = padded
    engine.run(Predict(image=image))
    engine.run(CloseImage(images=(image.partition("#")[0],)))
    with pytest.raises(Exception, match="no longer open"):
        engine.run(Predict(image=image))


@pytest.fixture
def bands(tmp_path: Path) -> tuple[str, NDArray[np.uint16]]:
    """A file of five bands of 16 bits."""
    values = np.random.default_rng(3).integers(0, 65_536, (64, 64, 5), dtype=np.uint16)
    np.save(tmp_path / "bands.npy", values)
    return str(tmp_path / "bands.npy"), values


def expected_logits(model: LoadedModel, values: NDArray[Any]) -> NDArray[np.float32]:
    """The logits for values from 0 to 1, (64, 64, bands)."""
    mean, std = (np.resize(np.array(each), values.shape[2]) for each in (IMAGENET_MEAN, IMAGENET_STD))
    x = torch.from_numpy(((values - mean) / std).transpose(2, 0, 1)[None].astype(np.float32))
    return model.module(x)[0].numpy()


def test_a_network_of_five_bands_takes_them_in_order(
    engine_of: Opener, bands: tuple[str, NDArray[np.uint16]]
) -> None:
    engine, model, _ = engine_of(in_chans=5)
    path, values = bands
    image = framed(open_picture(engine, path), Framing(kind="native"))
    found = cast("Prediction", engine.run(Predict(image=image))).logits
    np.testing.assert_allclose(found, expected_logits(model, values / 65_535), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("view", "taken"),
    [
        (PictureView(fitting="grey"), None),
        (PictureView(fitting="repeat"), [0, 1, 2, 3, 4, 0, 1]),
        (PictureView(inputs=(4, 3, 2, 1, 0, 0, 4)), [4, 3, 2, 1, 0, 0, 4]),
    ],
)
def test_other_numbers_of_bands_are_fitted_as_chosen(
    engine_of: Opener, bands: tuple[str, NDArray[np.uint16]], view: PictureView, taken: list[int] | None
) -> None:
    engine, model, _ = engine_of(in_chans=7)
    path, values = bands
    key = open_picture(engine, path)
    with pytest.raises(StudioError, match=r"takes 7 bands, and “bands\.npy” has 5") as refused:
        engine.run(Predict(image=framed(key, Framing(kind="native"))))
    for offer in ("Choose", "average", "repeat"):
        assert offer in refused.value.hint
    shown = cast("ImageInfo", engine.run(ShowPicture(image=key, view=view)))
    assert shown.key != key
    found = cast("Prediction", engine.run(Predict(image=framed(shown.key, Framing(kind="native"))))).logits
    unit = values / 65_535
    given = unit.mean(axis=2, keepdims=True).repeat(7, axis=2) if taken is None else unit[..., taken]
    np.testing.assert_allclose(found, expected_logits(model, given), rtol=1e-4, atol=1e-4)


def test_a_network_of_colours_takes_the_shown_bands(
    engine_of: Opener, bands: tuple[str, NDArray[np.uint16]]
) -> None:
    engine, _, _ = engine_of()
    key = open_picture(engine, bands[0])
    logits = []
    for chosen in ((0, 1, 2), (4, 3, 1)):
        shown = engine.run(ShowPicture(image=key, view=PictureView(bands=chosen)))
        assert isinstance(shown, ImageInfo)
        key = shown.key
        logits.append(cast("Prediction", engine.run(Predict(image=key))).logits)
        assert f"Bands {chosen[0] + 1}, {chosen[1] + 1} and {chosen[2] + 1} of 5" in " ".join(shown.notes)
        assert "Contrast from 2 % to 98 %" in " ".join(shown.notes)
    assert not np.allclose(*logits)


def test_a_typed_normalisation_is_the_networks(
    engine_of: Opener, bands: tuple[str, NDArray[np.uint16]]
) -> None:
    engine, model, _ = engine_of(in_chans=5)
    mean, std = (0.1, 0.2, 0.3, 0.4, 0.5), (0.5, 0.4, 0.3, 0.2, 0.1)
    info = cast("ModelInfo", engine.run(LoadModel(source="test", device="cpu", mean=mean, std=std)))
    assert (info.mean, info.std) == (mean, std)
    assert any("typed" in note for note in info.notes)
    image = framed(open_picture(engine, bands[0]), Framing(kind="native"))
    found = cast("Prediction", engine.run(Predict(image=image))).logits
    x = ((bands[1] / 65_535 - mean) / std).transpose(2, 0, 1)[None].astype(np.float32)
    np.testing.assert_allclose(found, model.module(torch.from_numpy(x))[0], rtol=1e-4, atol=1e-4)
    one = cast("ModelInfo", engine.run(LoadModel(source="test", device="cpu", std=(0.25,))))
    assert one.std == (0.25,) * 5
    with pytest.raises(StudioError, match="has 3 numbers, and the network takes 5 bands"):
        engine.run(LoadModel(source="test", device="cpu", mean=(0.1, 0.2, 0.3)))
    with pytest.raises(StudioError, match="above 0"):
        engine.run(LoadModel(source="test", device="cpu", std=(0.0,)))


def test_a_typed_normalisation_is_kept_with_the_weights(tmp_path: Path) -> None:
    engine = Dispatcher()
    asked = LoadModel(source=str(write_weights(tmp_path / "small.safetensors", small_model())), device="cpu")
    info = cast("ModelInfo", engine.run(structs.replace(asked, mean=(0.5,), std=(0.25,))))
    path = tmp_path / "again.safetensors"
    engine.run(SaveModel(path=str(path), title=info.title))
    again = cast("ModelInfo", engine.run(LoadModel(source=str(path), device="cpu")))
    assert again.mean == (0.5,) * 3
    assert again.std == (0.25,) * 3
