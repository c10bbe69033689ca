"""The files of a picture against the arrays and numbers that they were made of."""

import base64
import itertools
import json
import subprocess
import sys
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace
from PIL import Image

from convnext_studio.common.errors import StudioError
from convnext_studio.common.stopping import Stopped
from convnext_studio.export import ExportContents, export_picture
from convnext_studio.model.nodes import node_table
from tests.disk import disk_with
from tests.export.conftest import CONFIG, LABELS, renamed

FILES = {"predictions.json", "report.html", "erf.json", "gradcam.json"} | {
    f"{name}.{kind}" for name in (*CONFIG.stages, "gradcam", "erf") for kind in ("npy", "png")
}


@pytest.fixture(scope="module")
def folder(contents: ExportContents, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An exported picture."""
    out = tmp_path_factory.mktemp("out")
    written = export_picture(out, contents)
    assert {path.parent for path in written} == {out / "chelsea"}
    assert sorted(path.name for path in written) == sorted(FILES)
    return out / "chelsea"


def read(path: Path) -> Any:
    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    return json.loads(path.read_text("utf-8"), parse_constant=refuse)


def test_exactly_the_files_promised_are_there(folder: Path) -> None:
    assert {path.name for path in folder.iterdir()} == FILES


def test_arrays_are_exactly_the_answers(contents: ExportContents, folder: Path) -> None:
    for stage in CONFIG.stages:
        saved = np.load(folder / f"{stage}.npy", allow_pickle=False)
        assert saved.dtype == np.float32
        np.testing.assert_array_equal(saved, contents.maps[stage].maps)
    cam = np.load(folder / "gradcam.npy", allow_pickle=False)
    assert cam.dtype == np.float32
    np.testing.assert_array_equal(cam, contents.prediction.cams["stage4"])
    field = np.load(folder / "erf.npy", allow_pickle=False)
    assert field.dtype == np.float64
    np.testing.assert_array_equal(field, contents.receptive_field.field_map)


def test_a_further_node_and_another_stages_cam_are_written(contents: ExportContents, tmp_path: Path) -> None:
    block = replace(contents.maps["stage3"], node="stage3.block1")
    chosen = replace(contents, maps={**contents.maps, "stage3.block1": block}, cam_stage="stage3")
    names = {path.name for path in export_picture(tmp_path, chosen)}
    assert names == FILES | {"stage3.block1.npy", "stage3.block1.png"}
    np.testing.assert_array_equal(
        np.load(tmp_path / "chelsea" / "gradcam.npy"), contents.prediction.cams["stage3"]
    )


def test_figures_open_and_carry_their_caption(folder: Path) -> None:
    for path in folder.glob("*.png"):
        with Image.open(path) as figure:
            figure.load()
            assert figure.mode == "RGB"
            assert figure.info["Description"].startswith("Random weights: ")
            assert "preset:small" in figure.info["Description"]


def test_predictions_are_the_arithmetic_of_the_logits(contents: ExportContents, folder: Path) -> None:
    values = read(folder / "predictions.json")
    logits = contents.prediction.logits.astype(np.float64)
    softmax = np.exp(logits) / np.exp(logits).sum()
    assert [entry["label"] for entry in values["classes"]] == list(LABELS)
    assert [entry["logit"] for entry in values["classes"]] == logits.tolist()
    assert [entry["probability"] for entry in values["classes"]] == pytest.approx(softmax.tolist(), rel=1e-6)
    assert [entry["class"] for entry in values["top"]] == [0, 1, 2, 6, 5]
    assert values["top"][0] == values["classes"][0]
    assert values["target"] == {"class": 1, "label": "<b>Egyptian</b> cat"}


def test_predictions_say_the_model_and_the_geometry(contents: ExportContents, folder: Path) -> None:
    values = read(folder / "predictions.json")
    assert values["model"]["random_weights"] is True
    for name in ("source", "title", "parameters", "macs", "input_px", "device", "precision"):
        assert values["model"][name] == getattr(contents.model, name)
    picture = values["picture"]
    assert (picture["name"], picture["width_px"], picture["height_px"]) == ("chelsea.png", 451, 300)
    assert picture["notes"] == ["Turned as its EXIF orientation says."]
    # Resized to 109 x 73 and cropped at (22, 4) to 64 x 64.
    box = {"x": 22 * 451 / 109, "y": 4 * 300 / 73, "width": 64 * 451 / 109, "height": 64 * 300 / 73}
    assert picture["crop_box_px"] == pytest.approx(box)


def test_numbers_that_are_not_finite_become_null(contents: ExportContents, tmp_path: Path) -> None:
    logits = np.array([np.nan, 1, np.inf, -np.inf, 0, 0, 0], np.float32)
    prediction = replace(contents.prediction, logits=logits, probabilities=np.full(7, np.nan, np.float32))
    export_picture(tmp_path, replace(contents, prediction=prediction))
    values = read(tmp_path / "chelsea" / "predictions.json")
    assert [entry["logit"] for entry in values["classes"]] == [None, 1.0, None, None, 0.0, 0.0, 0.0]
    assert values["classes"][1]["probability"] is None


def test_the_receptive_field_says_its_protocol_and_squares(contents: ExportContents, folder: Path) -> None:
    values = read(folder / "erf.json")
    result = contents.receptive_field
    assert values["random_weights"] is True
    assert (values["node"], values["protocol"]) == ("stage3", "centred")
    assert values["input_px"] == {"width": 64, "height": 64}
    assert values["unit"] == {"row": 2, "column": 2}
    assert values["centre_px"] == {"x": 32.0, "y": 32.0}
    assert (values["pictures"], values["noises"], values["skipped"], values["count"]) == (3, 5, 0, 8)
    assert values["squares"]["log"]["0.5"] == {"side_px": 28, "area_ratio": 28 * 28 / (64 * 64)}
    assert values["squares"]["linear"]["0.2"] == {"side_px": 8, "area_ratio": 64 / 4096}
    assert values["squares"]["log"]["0.99"] is None
    assert list(values["squares"]["log"]) == ["0.2", "0.3", "0.5", "0.99"]
    # Stem 4/4, three 7 x 7 at strides 4, 8 and twice 16, two 2 x 2 of stride 2.
    assert (
        values["theoretical"]["size_px"] == 4 + 6 * 4 + 4 + 6 * 8 + 8 + 2 * 6 * 16 == result.theoretical.size_px
    )
    assert values["theoretical"]["stride_px"] == 16


class Page(HTMLParser):
    """Collects tags, texts and pictures, and checks that elements are closed in turn."""

    VOID = frozenset({"meta", "img", "br", "link"})

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.open: list[str] = []
        self.texts: list[str] = []
        self.pictures: list[bytes] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in self.VOID:
            self.open.append(tag)
        for name, value in attrs:
            if name in ("src", "href", "srcset"):
                head, _, data = (value or "").partition(",")
                if head == "data:image/png;base64":
                    self.pictures.append(base64.b64decode(data, validate=True))
                else:
                    self.links.append(value or "")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def handle_decl(self, decl: str) -> None:
        assert decl == "DOCTYPE html"
        assert not self.tags


def page_of(path: Path) -> Page:
    page = Page()
    page.feed(path.read_text("utf-8"))
    page.close()
    assert page.open == []
    return page


def test_the_report_holds_every_figure_and_links_to_nothing(folder: Path) -> None:
    page = page_of(folder / "report.html")
    assert sorted(page.pictures) == sorted(path.read_bytes() for path in folder.glob("*.png"))
    for data in page.pictures:
        Image.open(BytesIO(data)).verify()
    assert page.links == []
    assert "script" not in page.tags
    text = " ".join(page.texts)
    for part in ("Random weights", "tabby cat", "451 × 300 px", "<b>Egyptian</b> cat", "Turned as its EXIF"):
        assert part in text


def test_the_report_escapes_names(contents: ExportContents, tmp_path: Path) -> None:
    name = '<script>alert("it\'s")&amp;\udcff.png'
    (report,) = [path for path in export_picture(tmp_path, renamed(contents, name)) if path.suffix == ".html"]
    page = page_of(report)
    assert "script" not in page.tags
    assert '<script>alert("it\'s")&amp;?.png' in page.texts


def test_two_pictures_of_one_stem_keep_apart(contents: ExportContents, tmp_path: Path) -> None:
    taken: set[str] = set()
    first = export_picture(tmp_path, contents, taken)
    second = export_picture(tmp_path, renamed(contents, "chelsea.jpg"), taken)
    assert not set(first) & set(second)
    assert second[0].parent.name == "chelsea-2"
    assert read(second[0])["picture"]["name"] == "chelsea.jpg"


def test_a_file_in_the_way_is_one_sentence(contents: ExportContents, tmp_path: Path) -> None:
    (tmp_path / "chelsea").write_text("mine")
    with pytest.raises(StudioError, match="in the way"):
        export_picture(tmp_path, contents)
    assert (tmp_path / "chelsea").read_text() == "mine"


def test_a_full_disk_is_told_with_what_is_there(contents: ExportContents, tmp_path: Path) -> None:
    whole = export_picture(tmp_path / "whole", contents)
    too_large = next(row for row, path in enumerate(whole) if path.stat().st_size > 20_000)
    assert too_large > 0
    with disk_with(20_000), pytest.raises(StudioError) as told:
        export_picture(tmp_path / "full", contents)
    assert whole[too_large].name in told.value.message
    assert f"{too_large} of {len(whole)} files were written before it" in told.value.message
    there = sorted(path.name for path in (tmp_path / "full").rglob("*") if path.is_file())
    assert there == sorted(path.name for path in whole[:too_large])


@pytest.mark.parametrize("times", [0, 3, 5])
def test_a_stopped_export_writes_nothing(contents: ExportContents, tmp_path: Path, times: int) -> None:
    asked = itertools.count()
    with pytest.raises(Stopped):
        export_picture(tmp_path, contents, should_stop=lambda: next(asked) >= times)
    assert list(tmp_path.iterdir()) == []


def test_neither_qt_nor_torch_is_imported() -> None:
    program = "import sys, convnext_studio.export; print(sorted({'torch', 'PySide6'} & set(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_the_report_says_where_a_field_is_global(contents: ExportContents, tmp_path: Path) -> None:
    config = replace(CONFIG, grn=True)
    model = replace(contents.model, config=config, nodes=node_table(config, contents.model.input_px))
    [report] = [
        path for path in export_picture(tmp_path, replace(contents, model=model)) if path.suffix == ".html"
    ]
    # All four stages, but not the stem.
    assert report.read_text("utf-8").count(">the whole picture<") == 4
