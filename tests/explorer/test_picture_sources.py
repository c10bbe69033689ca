"""What a notebook gives as a picture is taken as it is meant, or a sentence says what is wanted."""

import io
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from convnext_studio import analysis
from convnext_studio.common.errors import StudioError
from convnext_studio.decoding.images import decode
from convnext_studio.explorer import Explorer
from convnext_studio.explorer.picture_sources import opening
from tests.networks import random_input, small_model, write_weights

PIXELS = np.random.default_rng(0).integers(0, 256, (66, 70, 3), np.uint8)
UNIT = PIXELS / 255


class Own(np.ndarray[Any, Any]):
    """An array of a class of somebody's own."""


class AsArray:
    """What only says which array it is, as a DataFrame does."""

    def __init__(self, values: Any) -> None:
        self._values = values

    def __array__(self, *_: Any, **__: Any) -> Any:
        return self._values


class Refusing:
    """What raises an error of its own whatever it is asked."""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(name)


class FalsePath:
    """A path that is none."""

    def __fspath__(self) -> Any:
        return 5


def read_only(values: Any) -> Any:
    copied = values.copy()
    copied.flags.writeable = False
    return copied


def released() -> memoryview:
    view = memoryview(b"abc")
    view.release()
    return view


def encoded() -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(PIXELS).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture(scope="module")
def explorer(tmp_path_factory: pytest.TempPathFactory) -> Explorer:
    return Explorer(write_weights(tmp_path_factory.mktemp("weights") / "small.safetensors", small_model()))


TAKEN: dict[str, tuple[Any, str]] = {
    "uint8": (PIXELS, ""),
    "float 0 to 1": (UNIT, "Float values 0 to 1"),
    "float 0 to 255": (PIXELS.astype(float), "taken for 8-bit values"),
    "float16": (UNIT.astype(np.float16), "Float values 0 to 1"),
    "float128": (UNIT.astype(np.longdouble), "Float values 0 to 1"),
    "uint16": (PIXELS.astype(np.uint16) * 257, "16-bit values"),
    "big-endian": (PIXELS.astype(">u2") * 257, "16-bit values"),
    "int64": (PIXELS.astype(np.int64), "taken for 8-bit values"),
    "bands first": (PIXELS.transpose(2, 0, 1), ""),
    "bands first, float": (UNIT.transpose(2, 0, 1), "Float values 0 to 1"),
    "a batch of one": (UNIT.transpose(2, 0, 1)[None], "Float values 0 to 1"),
    "Fortran's order": (np.asfortranarray(PIXELS), ""),
    "lists": (PIXELS.tolist(), "taken for 8-bit values"),
    "bytes": (encoded(), ""),
    "bytearray": (bytearray(encoded()), ""),
    "memoryview": (memoryview(encoded()), ""),
    "file object": (io.BytesIO(encoded()), ""),
    "Pillow image": (Image.fromarray(PIXELS), ""),
    "Pillow image without transparency": (Image.fromarray(PIXELS).convert("RGBA"), ""),
    "tensor": (torch.from_numpy(PIXELS.copy()), ""),
    "tensor of floats": (torch.from_numpy(UNIT).permute(2, 0, 1), "Float values 0 to 1"),
    "tensor with a gradient": (torch.from_numpy(UNIT).requires_grad_(), "Float values 0 to 1"),
    "negated tensor": (
        torch.complex(torch.zeros(UNIT.shape), -torch.from_numpy(UNIT).float()).conj().imag,
        "0 to 1",
    ),
    "a subclass": (PIXELS.view(Own), ""),
    "not contiguous": (np.repeat(np.repeat(PIXELS, 2, 0), 3, 1)[::2, ::3], ""),
    "backwards": (PIXELS[::-1, ::-1].copy()[::-1, ::-1], ""),
    "read-only": (read_only(PIXELS), ""),
    "masked, but nothing hidden": (np.ma.masked_array(PIXELS, np.zeros(PIXELS.shape, bool)), ""),
    "objects that are numbers": (PIXELS.astype(object), "taken for 8-bit values"),
    "something with __array__": (AsArray(PIXELS), ""),
    "a list of rows": (list(PIXELS), ""),
    "extended to five axes": (PIXELS[None, None], ""),
    "a Parameter": (torch.nn.Parameter(torch.from_numpy(UNIT).permute(2, 0, 1)), "Float values 0 to 1"),
    "tensor with a gradient, bands last": (torch.from_numpy(UNIT).requires_grad_(), "Float values 0 to 1"),
}


@pytest.mark.parametrize("kind", TAKEN)
def test_every_kind_of_array_is_the_same_picture(kind: str, explorer: Explorer) -> None:
    given, how = TAKEN[kind]
    opened = explorer.open(given)
    assert np.abs(opened.info.preview.astype(int) - PIXELS).max() <= 1
    assert how in " ".join(opened.info.notes)


GREYS: dict[str, Any] = {
    "(H, W)": PIXELS[..., 0],
    "(H, W, 1)": PIXELS[..., :1],
    "(H, W, 1), float": UNIT[..., :1],
    "(H, W, 2)": PIXELS[..., :2],
    "Pillow's float image": Image.fromarray(UNIT[..., 0].astype(np.float32)),
    "Pillow's image of 32 bits": Image.fromarray(PIXELS[..., 0].astype(np.int32) * 257),
    "bfloat16": torch.from_numpy(PIXELS[..., 0] // 8 / 32).bfloat16(),
}


@pytest.mark.parametrize("kind", GREYS)
def test_one_band_is_grey_and_said(kind: str, explorer: Explorer) -> None:
    opened = explorer.open(GREYS[kind])
    wanted = PIXELS[..., 0].astype(int)
    if kind == "bfloat16":
        wanted = wanted // 8 * 255 // 31
    assert np.abs(opened.info.preview - wanted[..., None]).max() <= 9 * (kind == "bfloat16") + 1
    assert opened.info.notes


def test_truths_are_black_and_white(explorer: Explorer) -> None:
    opened = explorer.open(PIXELS[..., 0] > 100)
    np.testing.assert_array_equal(opened.info.preview[..., 0], np.where(PIXELS[..., 0] > 100, 255, 0))


REFUSED: dict[str, tuple[Any, str]] = {
    "NaN": (np.where(UNIT > 0.9, np.nan, UNIT), "not finite numbers"),
    "infinity": (np.where(UNIT > 0.9, np.inf, UNIT), "not finite numbers"),
    "empty": (np.zeros((0, 5, 3)), r"empty array, of shape \(0, 5, 3\)"),
    "one axis": (np.zeros(7), r"shape \(7\)"),
    "a number": (3, r"shape \(\)"),
    "five axes": (np.zeros((2, 2, 2, 2, 2)), "shape"),
    "a batch": (torch.rand(2, 3, 64, 64), r"shape \(2, 3, 64, 64\).*one by one"),
    "ragged lists": ([[1, 2], [3]], "rows of one length"),
    "texts": (np.array([["a", "b"]]), "texts"),
    "dates": (np.zeros((4, 4), "datetime64[s]"), "dates"),
    "complex": (UNIT.astype(complex), "complex"),
    "objects": (np.array([[None, 1]], object), "no array of numbers"),
    "nothing": (None, "nothing"),
    "a dict": ({"picture": 1}, "“dict”"),
    "masked": (np.ma.masked_greater(UNIT, 0.5), "masked"),
    "junk": (b"abc", "not a picture of a known format"),
    "no bytes": (b"", "no bytes"),
    "a text file": (io.StringIO("abc"), "rb"),
    "a closed file": (io.BytesIO(), "cannot be read|no bytes"),
    "no values": (torch.empty(3, 64, 64, device="meta"), "no plain numbers"),
    "sparse": (torch.eye(64).to_sparse(), "no plain numbers"),
    "numbers among objects": (np.array([[1.5, "x"]], object), "no array of numbers"),
    "something with __array__ of objects": (AsArray(np.array([[None]])), "no array of numbers"),
    "an object that refuses": (Refusing(), "no picture, but of the kind “Refusing”"),
    "a false path": (FalsePath(), "no picture, but of the kind “FalsePath”"),
    "a released view": (released(), "no picture, but of the kind “memoryview”"),
    "a class": (np.ndarray, "“type”"),
    "a function": (len, "“builtin_function_or_method”"),
    "a network": (torch.nn.Linear(2, 2), "“Linear”"),
    "a generator": ((row for row in PIXELS), "“generator”"),
    "a number of numpy": (np.uint8(3), "a single number"),
    "NaN, once": (np.array([[np.nan, 1.0]]), "1 value that is not a finite number"),
    "a truncated Pillow image": (Image.open(io.BytesIO(encoded()[:200])), "70 × 66 pixels cannot be read"),
    "no pixels": (Image.new("RGB", (0, 0)), "0 × 0 pixels"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_no_picture_is_refused_in_a_sentence(kind: str, explorer: Explorer) -> None:
    given, said = REFUSED[kind]
    with pytest.raises(StudioError) as caught:
        explorer.open(given)
    assert re.search(said, str(caught.value))


def test_a_path_object_is_a_path(explorer: Explorer, tmp_path: Path) -> None:
    (tmp_path / "it.png").write_bytes(encoded())
    np.testing.assert_array_equal(explorer.open(tmp_path / "it.png").info.preview, PIXELS)


def test_fields_are_measured_of_a_batch_as_of_a_list() -> None:
    model = small_model()
    inputs = [random_input(model, seed) for seed in range(3)]
    of_list = analysis.effective_receptive_field(model, inputs)
    np.testing.assert_array_equal(analysis.effective_receptive_field(model, torch.cat(inputs)), of_list)
    np.testing.assert_array_equal(analysis.effective_receptive_field(model, iter(inputs)), of_list)
    doubled = torch.cat(inputs).double()
    np.testing.assert_allclose(analysis.effective_receptive_field(model, doubled), of_list, rtol=1e-5)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (torch.zeros(3, 64, 64), r"\(N, 3, height, width\)"),
        (torch.zeros(2, 1, 64, 64), r"\(1, 3, height, width\)"),
        ([torch.zeros(3, 64, 64)], r"\(1, 3, height, width\)"),
        ([torch.zeros(2, 3, 64, 64)], r"\(1, 3, height, width\)"),
        ([torch.zeros(1, 3, 64, 64), torch.zeros(1, 3, 64, 32)], "several sizes"),
        (torch.zeros(1, 3, 64, 64, dtype=torch.uint8), "uint8"),
        (np.zeros((1, 3, 64, 64)), "not a tensor"),
        ("noise", "of the kind “str”, not a tensor"),
        (7, "of the kind “int”"),
        (torch.full((1, 3, 64, 64), torch.nan), "not finite"),
        (torch.full((1, 3, 64, 64), torch.inf), "not finite"),
        (torch.zeros(1, 3, 64, 64).to_sparse(), "sparse"),
        (torch.zeros(1, 3, 64, 64, dtype=torch.complex64), "complex64"),
        (torch.zeros(1, 3, 64, 64, device="meta"), "on meta"),
        (torch.zeros(0, 3, 64, 64), "No picture was given"),
        ([], "No picture was given"),
    ],
)
def test_a_wrong_input_of_a_field_says_what_is_wanted(given: Any, said: str) -> None:
    with pytest.raises(StudioError, match=said):
        analysis.effective_receptive_field(small_model(), given)


@pytest.mark.parametrize("shape", [(3, 64, 64), (2, 3, 64, 64), (1, 4, 64, 64), (1, 3, 64), (1, 3, 0, 64)])
def test_every_analysis_says_what_input_it_wants(shape: tuple[int, ...]) -> None:
    model, wrong = small_model(), torch.zeros(shape)
    for compute in (
        lambda: analysis.attribute(model, wrong),
        lambda: analysis.contributions(model, wrong, "stage1", 0),
        lambda: analysis.feature_maps(model, wrong, "stage1"),
        lambda: analysis.effective_field(model, wrong, "stage1", 0, 0, 0),
    ):
        with pytest.raises(StudioError, match="tensor"):
            compute()


@pytest.mark.parametrize(
    "bits", ["I;16", "I;16B", "I", "F", "La", "LA", "PA", "RGBa", "LAB", "HSV", "YCbCr", "CMYK", "1"]
)
def test_every_mode_of_pillow_is_a_picture(bits: str, explorer: Explorer) -> None:
    image = Image.new(bits, (70, 66))
    assert explorer.open(image).info.preview.shape == (66, 70, 3)


@pytest.mark.parametrize("kind", ["u1", "u2", "i8", "?", "f4"])
@pytest.mark.parametrize("bands", [1, 3, 4])
def test_a_row_of_pixels_is_one_row_high_whatever_its_numbers(kind: str, bands: int) -> None:
    row = np.repeat(PIXELS[:1, :, :1] // 128, bands, 2).astype(kind)
    for given in (row, row[None], row.tolist()):
        assert decode(opening(given, "").data).size == (70, 1)


def test_a_path_may_be_given_as_bytes(tmp_path: Path) -> None:
    class BytesPath:
        def __fspath__(self) -> bytes:
            return bytes(tmp_path / "it.png")

    assert opening(BytesPath(), "").path == str(tmp_path / "it.png")


@pytest.mark.parametrize(
    "values", [[[1e308, -1e308]], [[5e-324, 0.0]], [[-0.0, 0.0]], [[7.0, 7.0]], [[2.0**64, 0]]]
)
def test_any_finite_numbers_are_a_picture(values: list[list[float]], explorer: Explorer) -> None:
    wide = np.repeat(np.repeat(np.array(values), 64, 0), 32, 1)
    preview = explorer.open(wide).info.preview
    assert preview.shape == (64, 64, 3)
    spread = values[0][0] / 2 - values[0][1] / 2
    assert (preview[0, 0, 0] > preview[0, -1, 0]) == (spread > 1)


def test_units_and_classes_that_are_not_there_are_named() -> None:
    model = small_model()
    x = random_input(model)
    with pytest.raises(StudioError, match="no class 7"):
        analysis.contributions(model, x, "stage1", 7)
    for unit in ((8, 0, 0), (0, 16, 0), (0, 0, -1)):
        with pytest.raises(StudioError, match="stage1 has no"):
            analysis.effective_field(model, x, "stage1", *unit)
