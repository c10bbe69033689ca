"""Receptive fields as the dispatcher answers them: inputs, subjects, growth, saved fields."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from msgspec.structs import replace
from PIL import Image

from convnext_studio import analysis
from convnext_studio.analysis.receptive_field import batching
from convnext_studio.common.errors import StudioError
from convnext_studio.engine.handlers import model_handlers as models
from convnext_studio.engine.handlers.receptive_fields.field_inputs import FieldInputs
from convnext_studio.engine.server import compared_networks as subjects
from convnext_studio.engine.server.dispatch import Dispatcher
from convnext_studio.model.framing import Framing, framed
from convnext_studio.model.loaded import LoadedModel, build
from convnext_studio.model.preprocessing import IMAGENET_MEAN, IMAGENET_STD
from convnext_studio.protocol.envelope import Progress, Request
from convnext_studio.protocol.models import LoadModel
from convnext_studio.protocol.pictures import ImageInfo, OpenImage
from convnext_studio.protocol.receptive_fields import (
    FieldGrowth,
    FieldGrowthResult,
    FieldNetwork,
    ReceptiveField,
    ReceptiveFieldResult,
)
from tests.engine.opening import Opener, open_picture
from tests.networks import SMALL, small_model


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Seven pictures in three folders; two more files that are none, and a hidden one."""
    rng = np.random.default_rng(0)
    for index in range(7):
        directory = tmp_path / "photographs" / ("abc"[index % 3])
        directory.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (50, 40, 3), dtype=np.uint8)).save(directory / f"{index}.png")
    (tmp_path / "photographs" / "broken.jpg").write_bytes(b"no picture")
    (tmp_path / "photographs" / "notes.txt").write_text("no picture either")
    (tmp_path / "photographs" / ".hidden.png").write_bytes(b"")
    return tmp_path / "photographs"


def field_of(dispatcher: Dispatcher, **question: Any) -> ReceptiveFieldResult:
    result = dispatcher.run(ReceptiveField(**{"node": "stage3", "input_px": 64} | question))
    assert isinstance(result, ReceptiveFieldResult)
    return result


def steps(dispatcher: Dispatcher, request: Request) -> tuple[list[Progress], Any]:
    work, progress = dispatcher.answer(request), []
    while True:
        try:
            progress.append(next(work))
        except StopIteration as finished:
            return progress, finished.value


def noises(seed: int, count: int, side: int) -> list[torch.Tensor]:
    rng = np.random.default_rng(seed)
    return [
        torch.from_numpy(rng.standard_normal((3, side, side), dtype=np.float32))[None] for _ in range(count)
    ]


def squashed(model: LoadedModel, path: str, side: int) -> torch.Tensor:
    picture = analysis.decode(path).to_pil().resize((side, side), Image.Resampling.BICUBIC)
    mean, std = np.array(model.preprocessing.mean), np.array(model.preprocessing.std)
    pixels = ((np.asarray(picture) / 255 - mean) / std).transpose(2, 0, 1).astype(np.float32)
    return torch.from_numpy(pixels)[None]


def assert_same(ours: np.ndarray, expected: np.ndarray) -> None:
    np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-6 * expected.max())


def test_noise_is_averaged_where_it_is_asked_for_and_sharpens(
    opened: Dispatcher, model: LoadedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batching, "CPU_PIXELS", 2 * 96 * 96)
    question = ReceptiveField(id=3, node="stage3", inputs="noise", count=5, input_px=96, seed=5)
    progress, result = steps(opened, question)
    assert [(step.done, step.total) for step in progress] == [(2, 5), (4, 5)]
    first = progress[0].partial
    assert isinstance(first, ReceptiveFieldResult)
    assert (first.pictures, first.noises) == (0, 2)
    assert (result.pictures, result.noises, result.skipped, result.count) == (0, 5, 0, 5)
    tensors = noises(5, 5, 96)
    assert_same(first.field_map, analysis.effective_receptive_field(model, tensors[:2], "stage3"))
    assert_same(result.field_map, analysis.effective_receptive_field(model, tensors, "stage3"))
    assert result.unit == (3, 3)
    assert result.centre_px == (56.0, 56.0)  # Stride 16, first centre 8.
    ratios = analysis.area_ratios(result.field_map, scale="linear", centre=(56.0, 56.0))
    assert {square.threshold: square.area_ratio for square in result.squares["linear"]} == pytest.approx(ratios)
    assert "5 standard normal noise inputs of 96 × 96 px" in result.protocol_text
    assert result.notes == ()


def test_fewer_pictures_than_asked_for_are_used_alone(opened: Dispatcher, model: LoadedModel) -> None:
    image = opened.run(OpenImage(path="sample:cat"))
    assert isinstance(image, ImageInfo)
    result = field_of(opened, images=(image.key,), count=3)
    assert (result.pictures, result.noises, result.count) == (1, 0, 3)
    assert result.notes == ()
    assert result.geometry is not None
    assert result.geometry.input_size == (64, 64)
    expected = analysis.effective_receptive_field(model, [squashed(model, "sample:cat", 64)], "stage3")
    assert_same(result.field_map, expected)
    with pytest.raises(StudioError, match="no open picture"):
        field_of(opened)


def test_the_luo_protocol_takes_noise_and_fits_a_gaussian(opened: Dispatcher, model: LoadedModel) -> None:
    result = field_of(opened, protocol="luo", images=("nowhere",), count=2, seed=1)
    assert (result.pictures, result.noises) == (0, 2)
    assert_same(
        result.field_map,
        analysis.effective_receptive_field(model, noises(1, 2, 64), "stage3", "luo"),
    )
    assert result.gaussian is not None
    assert result.gaussian.radius_px == pytest.approx(2.4862 * result.gaussian.sigma_px, rel=1e-4)
    assert "arXiv:1701.04128" in result.protocol_text


def test_the_published_protocol_reports_its_squares_and_what_differs(opened: Dispatcher) -> None:
    result = field_of(opened, node="stage2", count=2, protocol="replknet", inputs="noise")
    assert result.centre_px == (32.5, 32.5)
    expected = analysis.area_ratios(result.field_map)
    assert {square.threshold: square.area_ratio for square in result.squares["log"]} == {
        threshold: ratio for threshold, ratio in expected.items() if ratio is not None
    }
    for departure in ("64 px instead of 1024 px", "noise instead of pictures", "not the last map"):
        assert departure in result.protocol_text
    assert (
        "not the last map"
        not in field_of(
            opened, node="stage4.block1", count=1, protocol="replknet", inputs="noise"
        ).protocol_text
    )


def test_a_folder_is_sampled_with_a_seed_and_what_fails_is_named(
    opened: Dispatcher, model: LoadedModel, folder: Path
) -> None:
    question = {"inputs": "folder", "folder": str(folder)}
    everything = field_of(opened, count=50, **question)
    assert (everything.pictures, everything.count) == (7, 50)
    assert len(everything.unreadable) == 1
    assert "broken.jpg" in everything.unreadable[0]
    assert any("broken.jpg" in note for note in everything.notes)
    assert "The folder has only 8 pictures." in everything.notes
    tensors = [squashed(model, str(path), 64) for path in folder.glob("*/*.png")]
    assert_same(everything.field_map, analysis.effective_receptive_field(model, tensors, "stage3"))
    samples = [field_of(opened, count=3, seed=seed, **question).field_map for seed in (0, 0, 1, 2, 3)]
    assert_same(samples[0], samples[1])
    assert any(not np.allclose(samples[0], other) for other in samples[2:])
    for path in folder.glob("*/*.png"):
        path.write_bytes(b"no picture any more")
    with pytest.raises(StudioError, match="None of the 8 pictures"):
        field_of(opened, **question)
    for path in [*folder.glob("*/*.png"), folder / "broken.jpg"]:
        path.unlink()
    with pytest.raises(StudioError, match="no pictures in"):
        field_of(opened, **question)
    with pytest.raises(StudioError, match="no folder"):
        field_of(opened, inputs="folder", folder=str(folder / "gone"))


def test_pictures_without_finite_gradients_are_counted(opened: Dispatcher, model: LoadedModel) -> None:
    with torch.no_grad():
        model.module.stages[0][0].dwconv.weight.fill_(torch.nan)
    with pytest.raises(StudioError, match="finite gradient"):
        field_of(opened, inputs="noise")


def test_a_class_score_is_measured_as_the_prediction_sees_it(opened: Dispatcher, model: LoadedModel) -> None:
    image = opened.run(OpenImage(path="sample:cat"))
    assert isinstance(image, ImageInfo)
    result = field_of(opened, images=(image.key,), count=1, target=3, framing="own", protocol="absolute")
    x = model.preprocess(analysis.decode("sample:cat").to_pil()).requires_grad_()
    model.module(x)[0, 3].backward()
    assert x.grad is not None
    assert_same(result.field_map, x.grad[0].abs().sum(dim=0).numpy())
    assert result.target == 3
    assert result.theoretical.is_global
    assert result.geometry == model.preprocessing.geometry(image.size)
    assert "logit of class 3" in result.protocol_text
    with pytest.raises(StudioError, match="no class 7"):
        field_of(opened, images=(image.key,), target=7)


def test_other_networks_are_measured_beside_the_open_one(
    opened: Dispatcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    noise = {"inputs": "noise", "count": 2}
    before = field_of(opened, **noise)
    random = FieldNetwork(config=SMALL, seed=4, title="random")
    ours = field_of(opened, subject=random, **noise)
    expected = analysis.effective_receptive_field(build(SMALL, "", 4), noises(0, 2, 64), "stage3")
    assert_same(ours.field_map, expected)
    assert (ours.title, ours.random_weights, before.random_weights) == ("random", True, False)
    wide = FieldNetwork(config=replace(SMALL, kernel_size=7), node="last")
    assert field_of(opened, subject=wide, **noise).node == "stage4"
    loads: list[str] = []

    def load(source: str, **_: object) -> LoadedModel:
        loads.append(source)
        return small_model(seed=9)

    monkeypatch.setattr(subjects, "load", load)
    for _ in range(2):
        other = field_of(opened, subject=FieldNetwork(source="preset:other"), seed=len(loads), **noise)
        assert other.title == "Small"
    assert loads == ["preset:other"]
    for number in range(4):
        field_of(opened, subject=FieldNetwork(source=f"preset:{number}"), **noise)
    field_of(opened, subject=FieldNetwork(source="preset:other"), seed=7, **noise)
    assert loads[-1] == "preset:other"  # It had been let go.
    after = field_of(opened, seed=0, **noise)
    np.testing.assert_array_equal(after.field_map, before.field_map)


def test_a_network_that_pools_over_its_maps_is_measured_as_a_whole(opened: Dispatcher) -> None:
    subject = FieldNetwork(config=replace(SMALL, grn=True), seed=2)
    result = field_of(opened, subject=subject, inputs="noise", count=3, node="stage1", protocol="absolute")
    model = build(replace(SMALL, grn=True), "", 2)
    tensors = noises(0, 3, 64)
    assert_same(result.field_map, analysis.effective_receptive_field(model, tensors, "stage1", "absolute"))
    assert result.theoretical.is_global
    assert any("whole input" in note for note in result.notes)


def test_a_subject_needs_no_open_model() -> None:
    result = field_of(Dispatcher(), subject=FieldNetwork(config=SMALL), inputs="noise", count=1, input_px=0)
    assert result.field_map.shape == (224, 224)


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ({"node": "stage9"}, "no node"),
        ({"count": 0}, "0 pictures"),
        ({"input_px": 20}, "too small"),
        ({"unit": (4, 0)}, "no unit in row 4"),
        ({"protocol": "mine"}, "no protocol"),
        ({"subject": FieldNetwork(source="preset:nothing")}, "no preset"),
    ],
)
def test_bad_questions_are_one_sentence(opened: Dispatcher, question: dict[str, Any], words: str) -> None:
    with pytest.raises(StudioError, match=words):
        field_of(opened, **{"inputs": "noise"} | question)


def test_degenerate_fields_are_said(opened: Dispatcher, model: LoadedModel) -> None:
    with torch.no_grad():
        for block in model.blocks:
            block.gamma.zero_()
    identity = field_of(opened, node="stage1", inputs="noise", count=1)
    # A patch of 4 x 4 pixels and nothing else.
    assert np.count_nonzero(identity.field_map) <= 16
    with torch.no_grad():
        model.module.downsample_layers[0][0].weight.zero_()
    zero = field_of(opened, node="stage1", inputs="noise", count=1, seed=1)
    assert zero.squares == {"linear": (), "log": ()}
    assert any("is zero" in note for note in zero.notes)
    assert zero.gaussian is None


def test_growth_lists_every_block_and_stage(
    opened: Dispatcher, model: LoadedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batching, "CPU_PIXELS", 1)
    question = FieldGrowth(id=1, inputs="noise", count=3, input_px=96, protocol="absolute")
    progress, result = steps(opened, question)
    assert isinstance(progress[0].partial, FieldGrowthResult)
    assert progress[0].partial.noises == 1
    assert result.noises == 3
    nodes = [node for node in model.nodes if node.kind in ("stem", "block", "stage")]
    assert [point.node for point in result.points] == [node.name for node in nodes]
    assert [point.theoretical_px for point in result.points] == [node.field.size_px for node in nodes]
    for point in result.points:
        field = analysis.effective_receptive_field(model, noises(0, 3, 96), point.node, "absolute")
        geometry = model.node(point.node).field
        middle = model.node(point.node).shape[1] * 96 // 64 // 2
        centre = (geometry.centre_px(middle), geometry.centre_px(middle))
        for square in analysis.squares(field, (0.5, 0.99), "linear", centre):
            assert abs(point.effective_px[square.threshold] - square.side_px) <= 2
    assert opened.run(replace(question, id=2, panel="other")) is result


@pytest.mark.parametrize("protocol", ["replknet", "centred"])
def test_growth_tells_the_squares_that_it_measures(opened: Dispatcher, protocol: str) -> None:
    """Whatever the protocol's own are: test_growth_lists_every_block_and_stage measures these by hand."""
    _, result = steps(opened, FieldGrowth(id=1, inputs="noise", count=1, input_px=96, protocol=protocol))
    assert "Squares of the field around the unit's true centre." in result.protocol_text
    assert "log10" not in result.protocol_text
    assert ("other squares" in result.protocol_text) == (protocol == "replknet")


def test_a_picture_that_the_models_own_transform_squashes_is_not_called_cropped(
    opened: Dispatcher, model: LoadedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = opened.run(OpenImage(path="sample:cat"))
    assert isinstance(image, ImageInfo)
    question = {"images": (image.key,), "count": 1, "framing": "own", "input_px": 0}
    assert "1 picture cropped to 64 × 64 px" in field_of(opened, **question).protocol_text
    squashing = replace(model, preprocessing=model.preprocessing.squashed(64))
    monkeypatch.setattr(models, "load", lambda *_, **__: squashing)
    opened.run(LoadModel(source="squashing", device="cpu"))
    assert "1 picture squashed to 64 × 64 px" in field_of(opened, **question).protocol_text


def test_noise_fills_up_what_the_pictures_lack(opened: Dispatcher, model: LoadedModel) -> None:
    """The mean of one picture and three noise images, drawn in order from one generator."""
    image = opened.run(OpenImage(path="sample:cat"))
    assert isinstance(image, ImageInfo)
    question = {"images": (image.key, "closed"), "count": 4, "fills_up": True, "seed": 3}
    result = field_of(opened, **question)
    assert (result.pictures, result.noises, result.count) == (1, 3, 4)
    assert result.geometry is None
    assert len(result.unreadable) == 1
    assert "1 picture squashed to 64 × 64 px and 3 standard normal noise inputs" in result.protocol_text
    draws = np.random.default_rng(3)
    noises = [torch.from_numpy(draws.standard_normal((1, 3, 64, 64), dtype=np.float32)) for _ in range(3)]
    expected = analysis.effective_receptive_field(model, [squashed(model, "sample:cat", 64), *noises], "stage3")
    assert_same(result.field_map, expected)


def test_what_was_skipped_is_taken_from_its_kind(model: LoadedModel) -> None:
    request = ReceptiveField(node="stage3", count=6, fills_up=True)
    inputs = FieldInputs(request, model, (64, 64), None, candidates=(), total=6, is_noise=False, fills_up=True)
    assert inputs.averaged(2, ()) == (2, 0)  # Before there is any noise.
    inputs.pictures_given = 2
    assert inputs.averaged(1, ()) == (1, 0)
    assert inputs.averaged(4, (1, 3)) == (1, 3)
    assert inputs.averaged(6, ()) == (2, 4)
    assert replace(inputs, is_noise=True).averaged(3, (0,)) == (0, 3)


def test_fields_are_measured_at_rectangles(engine_of: Opener) -> None:
    engine, model, image = engine_of()
    asked = ReceptiveField(node="stage2", images=(image,), count=1, input_px=96, height_px=64)
    result = engine.run(asked)
    assert isinstance(result, ReceptiveFieldResult)
    assert result.field_map.shape == (64, 96)
    assert result.unit == (4, 6)
    picture = analysis.decode("sample:cat").to_pil().resize((96, 64), Image.Resampling.BICUBIC)
    values = (np.asarray(picture) / 255 - IMAGENET_MEAN) / IMAGENET_STD
    x = torch.from_numpy(values.transpose(2, 0, 1)[None].astype(np.float32)).requires_grad_()
    kept: list[torch.Tensor] = []
    model.module.stages[1].register_forward_hook(lambda *arguments: kept.append(arguments[2]))
    model.module(x)
    (gradient,) = torch.autograd.grad(kept[-1][0, :, 4, 6].sum(), x)
    # What the unit depends on; the protocol keeps the positive part of the gradient.
    support = gradient.abs().sum(dim=(0, 1)).numpy() > 0
    assert not result.field_map[~support].any()
    assert (result.field_map > 0).sum() > 0.8 * support.sum()
    growth = engine.run(FieldGrowth(images=(image,), count=1, input_px=96, height_px=64))
    assert isinstance(growth, FieldGrowthResult)
    assert growth.input_px == 96


def test_one_pictures_field_is_measured_in_its_framing(engine_of: Opener) -> None:
    engine, model, image = engine_of()
    whole = framed(image, Framing(kind="whole", input_px=101))
    result = engine.run(ReceptiveField(node="stage2", images=(whole,), count=1, framing="own"))
    assert isinstance(result, ReceptiveFieldResult)
    geometry = model.geometry((451, 300), Framing(kind="whole", input_px=101))
    assert result.geometry == geometry
    assert result.field_map.shape == geometry.input_size[::-1]
    left, top, right, bottom = geometry.padding
    height, width = result.field_map.shape
    assert not result.field_map[:top].any()
    assert not result.field_map[:, width - right :].any()
    assert result.field_map[top : height - bottom, left : width - right].any()


def test_pictures_of_different_shapes_are_cropped_to_one_size(engine_of: Opener, tmp_path: Path) -> None:
    engine, model, _ = engine_of()
    generator = np.random.default_rng(0)
    sizes = ((100, 140), (120, 90))  # Height and width: they have 100 x 90 pixels in common.
    pixels = [generator.integers(0, 256, (*size, 3), dtype=np.uint8) for size in sizes]
    images = []
    for index, each in enumerate(pixels):
        Image.fromarray(each).save(tmp_path / f"{index}.png")
        images.append(framed(open_picture(engine, str(tmp_path / f"{index}.png")), Framing(kind="native")))
    asked = ReceptiveField(
        node="stage2", images=tuple(images), count=2, framing="own", protocol="absolute", fills_up=False
    )
    result = engine.run(asked)
    assert isinstance(result, ReceptiveFieldResult)
    assert result.fitted == "cropped to"
    step = max(node.field.stride_px for node in model.nodes if node.has_positions)
    height, width = (100 // step * step, 90 // step * step)
    expected = np.zeros((height, width))
    for (whole_height, whole_width), each in zip(sizes, pixels, strict=True):
        top, left = (whole_height - height) // 2, (whole_width - width) // 2
        crop = each[top : top + height, left : left + width].astype(np.float32) / 255
        normalised = (crop - np.array(model.preprocessing.mean)) / np.array(model.preprocessing.std)
        x = torch.tensor(normalised.transpose(2, 0, 1)[None], dtype=torch.float32, requires_grad=True)
        y = x
        for number in range(2):
            y = model.module.stages[number](model.module.downsample_layers[number](y))
        unit = y[0, :, y.shape[2] // 2, y.shape[3] // 2].relu().sum()
        expected += torch.autograd.grad(unit, x)[0][0].abs().sum(0).numpy() / 2
    np.testing.assert_allclose(result.field_map, expected, rtol=1e-3, atol=1e-5 * expected.max())
    assert f"2 pictures cropped to {width} × {height} px" in result.protocol_text
    assert any(f"cropped at its middle to {width} × {height} px" in note for note in result.notes)
    in_folder = engine.run(
        replace(asked, inputs="folder", folder=str(tmp_path), images=(), folder_framing=Framing(kind="native"))
    )
    assert isinstance(in_folder, ReceptiveFieldResult)
    np.testing.assert_allclose(in_folder.field_map, result.field_map, rtol=1e-6)
    growth = engine.run(
        FieldGrowth(images=tuple(images), count=2, framing="own", protocol="absolute", fills_up=False)
    )
    assert isinstance(growth, FieldGrowthResult)
    assert growth.input_px == max(width, height)
    assert any(f"cropped at its middle to {width} × {height} px" in note for note in growth.notes)
    (at_stage,) = [point for point in growth.points if point.node == "stage2"]
    sides = {square.threshold: square.side_px for square in result.squares["linear"]}
    assert at_stage.effective_px == {share: sides[share] for share in (0.5, 0.99) if share in sides}
    padded = framed(images[0], Framing(kind="whole", input_px=100))
    alone = engine.run(ReceptiveField(node="stage2", images=(padded,), count=1, framing="own"))
    assert isinstance(alone, ReceptiveFieldResult)
    assert "1 picture resized and padded to " in alone.protocol_text
    filled = ReceptiveField(node="stage2", images=(images[0],), count=3, framing="own", fills_up=True)
    mixed = engine.run(filled)
    assert isinstance(mixed, ReceptiveFieldResult)
    assert (mixed.pictures, mixed.noises) == (1, 2)
