"""Files of views: read back by other libraries, whole or not there."""

import base64
import json
from io import BytesIO
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from convnext_studio.common.errors import StudioError
from convnext_studio.export.views import (
    PlacedImage,
    PlacedLines,
    PlacedMark,
    ScaleTexts,
    ViewFigure,
    save_npy,
    save_npz,
    save_png,
    save_svg,
    svg,
)

SVG = "{http://www.w3.org/2000/svg}"
HREF = "{http://www.w3.org/1999/xlink}href"


def noise(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(height).integers(0, 256, (height, width, 3), dtype=np.uint8)


def figure(**changes: object) -> ViewFigure:
    values = {
        "title": "cat stage3 channel 5",
        "caption": "160 × 16 × 16 · <own scale> & more",
        "size": (300, 200),
        "images": (PlacedImage(rgb=noise(4, 5), box=(10.0, 20.0, 250.0, 160.0)),),
        "lines": (PlacedLines(ends=np.array([[[1.0, 2.0], [3.0, 4.5]]]), colour="#abcdef"),),
        "marks": (PlacedMark(box=(5.0, 6.0, 7.0, 8.0), label="50 %", colour="#ff0000", dashed=True),),
        "scale": ScaleTexts(colormap="vik", texts=((0.0, "-2"), (0.5, "0"), (0.51, "tiny"), (1.0, "2"))),
    }
    return ViewFigure(**{**values, **changes})


def test_a_png_has_the_colours_and_says_what_it_is(tmp_path: Path) -> None:
    rgb = noise(7, 9)
    path = save_png(tmp_path / "view.png", rgb, "Käse – 猫 \ud800", "own scale")
    with Image.open(path) as picture:
        assert (np.asarray(picture.convert("RGB")) == rgb).all()
        assert picture.text["Title"] == "Käse – 猫 ?"
        assert picture.text["Description"] == "own scale"
    assert [each.name for each in tmp_path.iterdir()] == ["view.png"]


def test_an_array_is_written_as_it_is(tmp_path: Path) -> None:
    values = np.array([[1.5, np.nan], [np.inf, -0.0]], dtype=np.float32)
    read = np.load(save_npy(tmp_path / "values.npy", values))
    assert read.dtype == np.float32
    np.testing.assert_array_equal(read, values)


def test_what_cannot_be_written_is_one_sentence_and_leaves_nothing(tmp_path: Path) -> None:
    missing = tmp_path / "no such folder"
    for write in (
        lambda: save_png(missing / "view.png", noise(2, 2), "", ""),
        lambda: save_npy(missing / "view.npy", np.zeros(3)),
        lambda: save_svg(missing / "view.svg", figure()),
    ):
        with pytest.raises(StudioError, match=r"could not be written.*\.$"):
            write()
    assert list(tmp_path.iterdir()) == []


def test_an_svg_holds_the_map_unit_by_unit_in_its_place(tmp_path: Path) -> None:
    image = PlacedImage(rgb=noise(4, 5), box=(10.0, 20.0, 250.0, 160.0), opacity=0.5)
    path = save_svg(tmp_path / "view.svg", figure(images=(image,)))
    root = ElementTree.parse(path).getroot()
    first = next(root.iter(f"{SVG}image"))
    assert [float(first.get(name)) for name in ("x", "y", "width", "height")] == [10, 20, 250, 160]
    assert float(first.get("opacity")) == 0.5
    assert first.get("preserveAspectRatio") == "none"
    assert "pixelated" in first.get("style")
    data = base64.b64decode(first.get(HREF).partition(",")[2])
    assert (np.asarray(Image.open(BytesIO(data))) == image.rgb).all()


def test_an_svg_has_lines_frames_numbers_and_words() -> None:
    root = ElementTree.fromstring(svg(figure()))
    assert any(path.get("d") == "M1.00 2.00L3.00 4.50" for path in root.iter(f"{SVG}path"))
    frames = [rect for rect in root.iter(f"{SVG}rect") if rect.get("stroke-dasharray")]
    assert [frame.get("stroke") for frame in frames] == ["#ff0000"]
    words = [text.text for text in root.iter(f"{SVG}text")]
    assert {"cat stage3 channel 5", "50 %", "-2", "0", "2"} <= set(words)
    assert "tiny" not in words  # it would stand on the 0
    assert " ".join(words[-2:]).endswith("<own scale> & more")
    assert root.find(f"{SVG}desc").text == "160 × 16 × 16 · <own scale> & more"


def test_numbers_stand_at_their_heights() -> None:
    bar = ScaleTexts(colormap="viridis", texts=((0.0, "0"), (0.25, "1"), (1.0, "4")))
    root = ElementTree.fromstring(svg(figure(scale=bar, marks=(), lines=())))
    ticks = [path.get("d") for path in root.iter(f"{SVG}path")]
    # 200 px high, lowest value at the bottom.
    assert {tick.partition("h")[0] for tick in ticks} == {"M14 200", "M14 150", "M14 0"}


def test_a_view_without_a_scale_and_with_odd_characters_is_valid() -> None:
    root = ElementTree.fromstring(svg(figure(scale=None, title="a\x00b\x1b \"<'", images=())))
    assert root.find(f"{SVG}title").text == "ab \"<'"
    assert int(root.get("width")) == 300


def test_the_numbers_of_several_views_are_one_file(tmp_path: Path) -> None:
    """Whatever they are called: as NumPy's argument, as a folder, as one another, as what is told of them."""
    names = ("cat stage3", "file", "about", "../up\\and down", "file", "\udcff")
    views = [(name, f"caption {row}", np.full((2, 3), row, np.float32)) for row, name in enumerate(names)]
    path = save_npz(tmp_path / "all.npz", views)
    with np.load(path) as archive:
        about = json.loads(str(archive["about"]))
        arrays = {key: archive[key] for key in archive.files if key != "about"}
    keys = ["cat stage3", "file", "about 2", ".._up_and down", "file 2", "?"]
    assert list(arrays) == keys
    assert about["captions"] == {key: f"caption {row}" for row, key in enumerate(keys)}
    for row, array in enumerate(arrays.values()):
        np.testing.assert_array_equal(array, np.full((2, 3), row, np.float32), strict=True)
