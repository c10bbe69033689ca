"""Walls of maps in files: what the caption names, and that text is text in PDF and SVG."""

import re
import zlib
from pathlib import Path

import msgspec
import numpy as np
import pytest

from convnext_studio.common.attribution_methods import METHODS, MethodName
from convnext_studio.common.errors import StudioError
from convnext_studio.export import ExportContents, export_contact_sheet
from convnext_studio.export.export_contents import written_explanation
from convnext_studio.export.wall_figures import contact_sheet
from convnext_studio.protocol.attributions import INPUT, Explanation


def of_method(contents: ExportContents, method: MethodName) -> Explanation:
    explanation = msgspec.structs.replace(written_explanation(contents), method=method, parameters={})
    kind = next(each.kind for each in METHODS if each.name == method)
    if kind == "cam":
        return explanation
    pixels = np.linspace(-1, 1, 64 * 64, dtype=np.float32).reshape(64, 64)
    [field] = explanation.fields.values()
    return msgspec.structs.replace(explanation, maps={INPUT: pixels}, fields={INPUT: field}, nodes=())


@pytest.fixture
def every_method(contents: ExportContents) -> list[Explanation]:
    return [of_method(contents, method.name) for method in METHODS]


def test_the_caption_names_methods_papers_node_class_and_geometry(
    contents: ExportContents, every_method: list[Explanation]
) -> None:
    sheet = contact_sheet(contents.model, [contents.image], every_method)
    said = " ".join(sheet.caption)
    for method in METHODS:
        assert method.title in said
        assert method.source in said
    first = every_method[0]
    assert f"(class {first.target})" in said
    assert "one every" in said
    assert "the input's 64 x 64 pixels" in said
    width, height = contents.image.size
    assert f"{contents.image.name}, {width} x {height} px, resized to" in said
    assert sheet.title.startswith(f"{len(METHODS)} methods for ")


def test_classes_are_named_in_title_and_caption(contents: ExportContents) -> None:
    classes = [msgspec.structs.replace(of_method(contents, "gradcam"), target=target) for target in (1, 4)]
    sheet = contact_sheet(contents.model, [contents.image], classes)
    assert sheet.title.endswith("for 2 classes")
    assert f"{contents.model.labels[1]} (class 1); {contents.model.labels[4]} (class 4)" in sheet.caption[2]


def test_text_is_text_in_svg_and_pdf(
    contents: ExportContents, every_method: list[Explanation], tmp_path: Path
) -> None:
    drawing = export_contact_sheet(tmp_path / "wall.svg", contents.model, [contents.image], every_method)
    svg = drawing.read_text(encoding="utf-8")
    words = " ".join(re.findall(r"<text[^>]*>([^<]*)</text>", svg))
    assert "Selvaraju et al." in words
    assert "Integrated gradients" in words
    page = export_contact_sheet(tmp_path / "wall.pdf", contents.model, [contents.image], every_method)
    pdf = page.read_bytes()
    assert pdf.startswith(b"%PDF")
    streams = [
        zlib.decompress(each) for each in re.findall(rb"stream\r?\n(x.*?)\r?\nendstream", pdf, re.DOTALL)
    ]
    assert any((b"BT" in each and b"Tj" in each) or b"TJ" in each for each in streams)
    assert b"/FontFile2" in pdf
    again = export_contact_sheet(tmp_path / "again.pdf", contents.model, [contents.image], every_method)
    assert again.read_bytes() == pdf


def test_another_ending_is_refused(contents: ExportContents, tmp_path: Path) -> None:
    with pytest.raises(StudioError, match="wall of maps"):
        export_contact_sheet(
            tmp_path / "wall.gif", contents.model, [contents.image], [of_method(contents, "gradcam")]
        )
    assert list(tmp_path.iterdir()) == []
