"""The explorer gives the numbers of plain computations and figures for notebooks, without Qt."""

import subprocess
import sys
from io import BytesIO
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from captum.attr import LayerGradCam
from msgspec.structs import replace
from PIL import Image
from sklearn.decomposition import PCA

import convnext_studio
from convnext_studio import Explorer
from convnext_studio.common.errors import StudioError
from convnext_studio.common.samples import sample_path
from convnext_studio.erf import Protocol, Scale
from convnext_studio.explorer import Picture
from convnext_studio.model import load
from convnext_studio.model.framing import Framing
from convnext_studio.model.loaded import LoadedModel
from tests.networks import small_model, write_weights


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A weights file of a small model."""
    return write_weights(tmp_path_factory.mktemp("weights") / "small.safetensors", small_model())


@pytest.fixture(scope="module")
def plain(file: Path) -> tuple[LoadedModel, torch.Tensor]:
    """The same network without the explorer, and its input."""
    model = load(str(file))
    return model, model.preprocess(Image.open(sample_path("cat")))


@pytest.fixture(scope="module")
def explorer(file: Path) -> Explorer:
    return Explorer(file, device="cpu")


@pytest.fixture(scope="module")
def picture(explorer: Explorer) -> Picture:
    return explorer.open("sample:cat")


def test_predictions_are_the_networks(picture: Picture, plain: tuple[LoadedModel, torch.Tensor]) -> None:
    model, x = plain
    logits = model.module(x)[0]
    np.testing.assert_allclose(picture.predictions.logits, logits, atol=1e-5)
    best = int(logits.argmax())
    label, probability = picture.predictions.top(1)[0]
    assert label == f"thing {best}"
    assert probability == pytest.approx(float(logits.softmax(0)[best]), abs=1e-5)


def test_maps_are_the_networks(picture: Picture, plain: tuple[LoadedModel, torch.Tensor]) -> None:
    model, x = plain
    expected: list[torch.Tensor] = []
    hook = model.module_at("stage2").register_forward_hook(lambda *given: expected.append(given[2]))
    model.module(x)
    hook.remove()
    np.testing.assert_allclose(picture.maps("stage2").values, expected[0][0], rtol=1e-4, atol=1e-5)


def test_attributions_are_captums(picture: Picture, plain: tuple[LoadedModel, torch.Tensor]) -> None:
    model, x = plain
    captum = LayerGradCam(model.module, model.module_at("stage3"))

    def expected(target: int) -> torch.Tensor:
        return captum.attribute(x.clone().requires_grad_(), target)[0, 0].detach()

    found = picture.attribution(node="stage3", target="thing 2")
    np.testing.assert_allclose(found.values, expected(2), rtol=1e-3, atol=1e-5)
    difference = picture.attribution(node="stage3", target=2, against=4)
    np.testing.assert_allclose(difference.values, expected(2) - expected(4), rtol=1e-3, atol=1e-5)


def test_parameters_reach_the_method(picture: Picture) -> None:
    assert picture.attribution("integratedgradients", steps=4).result.parameters["steps"] == 4
    with pytest.raises(StudioError):
        picture.attribution("gradcam", steps=4)


def test_several_nodes_are_averaged(picture: Picture) -> None:
    maps = [picture.attribution(node=node).values for node in ("stage3", "stage3.block1")]
    mean = sum(values / np.abs(values).max() for values in maps) / 2
    found = picture.attribution(node=("stage3", "stage3.block1"))
    np.testing.assert_allclose(found.values, mean, atol=1e-5)


def test_a_units_field_is_its_gradient(picture: Picture, plain: tuple[LoadedModel, torch.Tensor]) -> None:
    model, x = plain
    leaf = x.clone().requires_grad_()
    outputs: list[torch.Tensor] = []
    hook = model.module_at("stage2").register_forward_hook(lambda *given: outputs.append(given[2]))
    model.module(leaf)
    hook.remove()
    (gradient,) = torch.autograd.grad(outputs[0][0, 3, 1, 2], leaf)
    found = picture.unit("stage2", 3, 1, 2)
    np.testing.assert_allclose(found.values, gradient[0].abs().sum(0), rtol=1e-3, atol=1e-6)
    assert found.result.value == pytest.approx(outputs[0][0, 3, 1, 2].item(), abs=1e-4)


def test_a_field_is_averaged_over_pictures_or_noise(explorer: Explorer, picture: Picture) -> None:
    other = explorer.open("sample:coffee")
    assert explorer.receptive_field("stage2", inputs=[picture, other]).result.pictures == 2
    field = explorer.receptive_field("stage2", count=3, seed=1)
    assert field.result.noises == 3
    whole = field.values.sum()
    assert field.area_ratios()[0.5] <= field.area_ratios()[0.99] <= 1
    assert whole > 0


@pytest.mark.parametrize(("protocol", "its_own"), [("replknet", "log"), ("centred", "linear")])
def test_areas_are_measured_as_the_protocol_does(
    explorer: Explorer, protocol: Protocol, its_own: Scale
) -> None:
    """RepLKNet's squares are of log10(x + 1) (Ding et al. 2022), the others' of the field itself."""
    field = explorer.receptive_field("stage2", count=1, protocol=protocol)
    squares = field.result.squares[its_own]
    alone = replace(field, result=replace(field.result, squares={"log": (), "linear": (), its_own: squares}))
    assert alone.area_ratios() == {square.threshold: square.area_ratio for square in squares} != {}


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "CMYK", "I;16"])
def test_pictures_in_memory_are_the_same_as_their_files(explorer: Explorer, tmp_path: Path, mode: str) -> None:
    image = Image.fromarray((np.arange(40 * 48) % 251).astype(np.uint8).reshape(40, 48)).convert(mode)
    suffix = "tiff" if mode == "CMYK" else "png"
    image.save(tmp_path / f"made.{suffix}")
    from_file = explorer.open(tmp_path / f"made.{suffix}")
    np.testing.assert_array_equal(explorer.open(image).info.preview, from_file.info.preview)


def test_arrays_are_pictures(explorer: Explorer) -> None:
    values = np.zeros((50, 70, 3), dtype=np.uint8)
    opened = explorer.open(values, name="nothing")
    assert repr(opened) == "<Picture: nothing, 70 × 50 px>"


def test_a_folder_is_averaged_over(explorer: Explorer, tmp_path: Path) -> None:
    Image.new("RGB", (64, 64), "red").save(tmp_path / "red.png")
    assert explorer.receptive_field("stage1", inputs=tmp_path, count=1).result.pictures == 1


def test_every_result_is_displayed_in_notebooks(explorer: Explorer, picture: Picture, tmp_path: Path) -> None:
    shown = (
        picture.maps("stage1"),
        picture.attribution(),
        picture.unit("stage4", 0, 0, 0),
        explorer.receptive_field("stage1", count=1),
    )
    for each in shown:
        image = Image.open(BytesIO(each._repr_png_()))
        assert image.size == each.figure.size
        assert image.info["Description"].endswith(each.caption)
        assert each.save(tmp_path / "figure.png").read_bytes() == each._repr_png_()
        np.testing.assert_array_equal(np.load(each.save(tmp_path / "values.npy")), each.values)
        with pytest.raises(StudioError, match=r"cannot be saved as “x.svg”. Use .* .png or .npy."):
            each.save(tmp_path / "x.svg")
        assert not (tmp_path / "x.svg").exists()
        assert repr(each).startswith(f"<{type(each).__name__}")
    assert Image.open(BytesIO(picture._repr_png_())).width == picture.info.preview.shape[1]
    assert "thing" in picture.predictions._repr_html_()
    assert "<td>stage4</td>" in explorer._repr_html_()


def test_random_weights_are_marked() -> None:
    explorer = Explorer("preset:convnextv2_atto", device="cpu")
    assert "random weights" in repr(explorer)
    predictions = explorer.open("sample:cat").predictions
    assert "random weights" in repr(predictions)
    assert "random weights" in predictions._repr_html_()


def test_pictures_are_shown_in_every_framing(
    explorer: Explorer, picture: Picture, plain: tuple[LoadedModel, torch.Tensor]
) -> None:
    model, _ = plain
    whole = explorer.open("sample:cat", framing="whole", input_px=96)
    image = Image.open(sample_path("cat"))
    geometry = model.geometry(image.size, Framing(kind="whole", input_px=96))
    x = torch.from_numpy(model.preprocessing(image, geometry)[0])[None]
    np.testing.assert_allclose(whole.predictions.logits, model.module(x)[0], atol=1e-5)
    assert whole.maps("stem").values.shape[1:] == (x.shape[2] // 4, x.shape[3] // 4)
    assert "Whole picture at 96 px" in repr(whole)
    assert whole.attribution("saliency").values.shape == x.shape[2:]
    assert whole.framed().key == picture.key
    boxed = picture.framed(box=(10, 20, 90, 60))
    assert boxed.framing.box == (10, 20, 90, 60)
    assert boxed.maps("stem").values.shape[1:] == (16, 24)
    with pytest.raises(StudioError, match="no framing “round”"):
        picture.framed(cast(Any, "round"))


def test_errors_are_one_sentence(explorer: Explorer, picture: Picture, tmp_path: Path) -> None:
    for wrong in (
        lambda: Explorer(tmp_path / "missing.pth"),
        lambda: explorer.open(tmp_path / "missing.png"),
        lambda: picture.maps("stage9"),
        lambda: picture.attribution(target="unicorn"),
        lambda: picture.attribution("divination"),
        lambda: picture.unit("stage1", 0, 999, 0),
    ):
        with pytest.raises(StudioError):
            wrong()


def test_the_package_needs_neither_torch_nor_qt_before_an_explorer_is_wanted() -> None:
    code = (
        "import sys, convnext_studio; assert 'torch' not in sys.modules;"
        "from convnext_studio import Explorer; assert 'PySide6' not in sys.modules; print(Explorer.__name__)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.strip() == "Explorer"
    with pytest.raises(AttributeError, match="nothing"):
        _ = convnext_studio.nothing


def test_components_likeness_parts_and_norms_are_those_of_the_maps(
    explorer: Explorer, picture: Picture
) -> None:
    other = explorer.open("sample:coffee")
    maps = picture.maps("stage2").values
    rows = maps.reshape(len(maps), -1).T.astype(np.float64)
    found = picture.components("stage2")
    fitted = PCA(3, svd_solver="full").fit(rows)
    np.testing.assert_allclose(found.explained, fitted.explained_variance_ratio_, rtol=1e-3)
    assert found.values.shape == (3, *maps.shape[1:])
    assert found.colours.shape == (*maps.shape[1:], 3)
    assert other.components(basis=found.basis).basis == found.basis
    both = picture.components("stage2", basis=[picture, other])
    assert both.basis.positions == 2 * len(rows)
    mask = np.zeros((300, 451), np.bool_)
    mask[:, 150:300] = True
    assert 3 < picture.components("stage2", basis=mask).basis.positions < len(rows)

    alike = picture.similarity(3, 4, "stage2", others=[other])
    one = maps[:, 3, 4]
    cosine = np.tensordot(one, maps, 1) / np.linalg.norm(maps, axis=0) / np.linalg.norm(one)
    np.testing.assert_allclose(alike.values, cosine, atol=1e-4)
    assert alike.of(other.key).shape == maps.shape[1:]
    assert {patch.image for patch in alike.patches} == {other.key}

    norms = picture.norms("stage2")
    np.testing.assert_allclose(norms.values, np.linalg.norm(maps, axis=0), rtol=1e-4)
    assert len(norms.outliers) == len(norms.result.outliers)

    parts = picture.parts("stage2", others=[other], count=3)
    assert set(np.unique(parts.values)) <= {0, 1, 2}
    assert len(parts.parts) == 3
    assert not parts.cam_shares or sum(parts.cam_shares) == pytest.approx(1)
    for result in (found, alike, parts, norms):
        assert result.figure.size[0] > 600
        assert "small" in result.caption.lower()
        assert repr(result).startswith("<")


def test_a_label_image_has_the_pictures_size_and_the_names_in_it(picture: Picture, tmp_path: Path) -> None:
    parts = picture.parts("stage3", count=2)
    with Image.open(parts.save_labels(tmp_path / "labels.png")) as file:
        labels = np.asarray(file)
        assert file.mode == "P"
        assert file.size == picture.info.size
        assert file.text["label 1"] == "Part 1"
        assert file.text["label 2"] == "Part 2"
    field, geometry = parts.result.field, parts.result.pictures[0].geometry
    for y, x in np.ndindex(parts.values.shape):
        column, row = geometry.to_picture(field.centre_px(x), field.centre_px(y))
        assert labels[int(row), int(column)] == parts.values[y, x] + 1
    assert labels[0, 0] == 0  # Beyond what the network sees.
    with pytest.raises(StudioError):
        parts.save_labels(tmp_path / "labels.jpg")
