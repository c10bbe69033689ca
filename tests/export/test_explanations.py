"""Attributions by any method, as files: arrays, numbers and figures."""

import json
from io import BytesIO
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from msgspec.structs import replace
from PIL import Image

from convnext_studio.common.errors import StudioError
from convnext_studio.common.geometry import FieldGeometry
from convnext_studio.export import ExportContents, export_contact_sheet, export_map, export_picture
from convnext_studio.export.drawing.figure_page import ColourBar, PageCanvas
from convnext_studio.export.export_contents import written_explanation
from convnext_studio.export.figures import attribution_figure
from convnext_studio.export.wall_figures import contact_sheet_png
from convnext_studio.protocol.attributions import Curves, Explanation, Faithfulness
from tests.export.conftest import smooth_maps


@pytest.fixture
def pixels(contents: ExportContents) -> Explanation:
    """Integrated gradients of a difference, on the input's pixels."""
    target, other = smooth_maps(np.random.default_rng(1), (2, 64, 64))
    return replace(
        written_explanation(contents),
        method="integratedgradients",
        nodes=(),
        maps={"input": target - other},
        target_maps={"input": target},
        against_maps={"input": other},
        fields={"input": FieldGeometry()},
        against=3,
        output="difference",
        score=2.0,
        parameters={"steps": 64, "baseline": "black"},
        delta=-0.25,
        notes=("A note.",),
    )


def measured(name: str) -> Faithfulness:
    def curves(area: float) -> Curves:
        curve = np.array([0.0, np.nan, 1.0])
        return Curves(
            insertion=curve, deletion=curve, insertion_area=area, deletion_area=np.nan, kept=0.5, removed=0.125
        )

    return Faithfulness(
        image="cat",
        method="integratedgradients",
        map_name=name,
        target=1,
        fill="blur",
        steps=2,
        seed=0,
        shares=np.linspace(0, 1, 3),
        of_map=curves(0.75),
        orders=1,
        of_centre=curves(0.5),
        of_random=(curves(0.25),),
        probability=0.9,
        top_share=0.2,
        random_weights=True,
        seconds=1.0,
    )


def read(path: Path) -> Any:
    return json.loads(path.read_text("utf-8"))


def test_a_difference_writes_its_two_maps_and_says_everything(
    contents: ExportContents, pixels: Explanation, tmp_path: Path
) -> None:
    chosen = replace(contents, explanation=pixels, faithfulness=measured("input"))
    written = {path.name: path for path in export_picture(tmp_path, chosen)}
    stem = "integratedgradients"
    assert {name for name in written if name.startswith(("gradcam", stem))} == {
        f"{stem}.npy",
        f"{stem}.png",
        f"{stem}.json",
        f"{stem}-target.npy",
        f"{stem}-against.npy",
    }
    difference, target, other = (np.load(written[f"{stem}{end}.npy"]) for end in ("", "-target", "-against"))
    np.testing.assert_array_equal(difference, target - other)
    values = read(written[f"{stem}.json"])
    assert (values["method"], values["map"], values["nodes"]) == (stem, "input", [])
    assert values["target"] == {"class": 1, "label": "<b>Egyptian</b> cat"}
    assert values["against"] == {"class": 3, "label": "espresso"}
    assert (values["output"], values["score"], values["delta"]) == ("difference", 2.0, -0.25)
    assert values["parameters"] == {"steps": 64, "baseline": "black"}
    assert (values["shape"], values["notes"], values["random_weights"]) == ([64, 64], ["A note."], True)
    assert (values["smallest"], values["largest"]) == (float(difference.min()), float(difference.max()))
    # Resized to 109 x 73 and cropped at (22, 4) to 64 x 64.
    box = {"x": 22 * 451 / 109, "y": 4 * 300 / 73, "width": 64 * 451 / 109, "height": 64 * 300 / 73}
    assert values["geometry"]["box_in_picture_px"] == pytest.approx(box)
    assert values["picture"]["crop_box_px"] == pytest.approx(box)
    assert values["faithfulness"]["of_map"] == {
        "insertion_area": 0.75,
        "deletion_area": None,
        "probability_of_top_kept": 0.5,
        "probability_of_top_removed": 0.125,
        "insertion": [0.0, None, 1.0],
        "deletion": [0.0, None, 1.0],
    }
    assert values["faithfulness"]["of_random_map"]["insertion_area"] == 0.25
    report = written["report.html"].read_text("utf-8")
    assert "Sundararajan" in report
    assert "Random order 1" in report
    assert "filled with the blurred picture;" in report
    assert read(written["predictions.json"])["target"]["class"] == 1


def test_an_attribution_alone_is_written_as_with_all_the_rest(
    contents: ExportContents, pixels: Explanation, tmp_path: Path
) -> None:
    chosen = replace(contents, explanation=pixels, faithfulness=measured("input"))
    whole = {path.name: path for path in export_picture(tmp_path / "whole", chosen)}
    alone = export_map(tmp_path / "alone", chosen, pixels)
    assert {path.name for path in alone} == {name for name in whole if name.startswith("integratedgradients")}
    for path in alone:
        assert path.parent == tmp_path / "alone" / "chelsea"
        assert path.read_bytes() == whole[path.name].read_bytes()


def test_several_nodes_get_a_file_each(contents: ExportContents, tmp_path: Path) -> None:
    cams = contents.prediction.cams
    fields = {stage: contents.model.node(stage).field for stage in cams}
    explanation = replace(
        written_explanation(contents), method="layercam", nodes=tuple(cams), maps=cams, fields=fields
    )
    chosen = replace(contents, explanation=explanation, faithfulness=measured("stage2"))
    written = {path.name: path for path in export_picture(tmp_path, chosen)}
    for stage, cam in cams.items():
        np.testing.assert_array_equal(np.load(written[f"layercam-{stage}.npy"]), cam)
        values = read(written[f"layercam-{stage}.json"])
        assert values["geometry"]["stride_px"] == fields[stage].stride_px
        assert (values["faithfulness"] is not None) == (stage == "stage2")
        assert f"layercam-{stage}.png" in written


def test_the_figure_says_what_was_explained(contents: ExportContents, pixels: Explanation) -> None:
    figure = attribution_figure(contents, pixels, "input")
    text = " ".join(figure.caption)
    assert figure.title == "Integrated gradients: <b>Egyptian</b> cat, and not espresso"
    for part in (
        "64 x 64 pixels",
        "for and against the class",
        "steps 64",
        "Convergence delta: -0.250",
        "A note.",
    ):
        assert part in text
    assert f"to {float(pixels.maps['input'].max()):.2f}" in text


@pytest.mark.parametrize("value", [np.nan, 0.0, -1.0])
def test_a_map_without_anything_to_show_is_drawn(contents: ExportContents, value: float) -> None:
    cam = np.full((4, 4), value, np.float32)
    explanation = replace(written_explanation(contents), maps={"stage4": cam})
    assert attribution_figure(contents, explanation, "stage4").picture.width > 900


def test_an_average_is_called_one_and_a_probability_by_its_name(contents: ExportContents) -> None:
    explanation = written_explanation(contents)
    whole = replace(
        explanation,
        nodes=("stage3", "stage4"),
        maps={"average": np.ones((4, 4), np.float32)},
        fields={"average": contents.model.node("stage3").field},
        output="probability",
        score=0.25,
    )
    caption = " ".join(attribution_figure(contents, whole, "average").caption)
    where = "the average of stage3, stage4 (each divided by its largest magnitude)"
    assert f"Grad-CAM of the probability of class 1 at {where}, 4 x 4 units" in caption
    words = " ".join(sheet_words(contents, whole))
    assert f"Grad-CAM of the probability at {where} Model:" in words
    assert "probability 0.25" in words


def test_an_average_of_parts_is_not_said_to_have_the_logits_unit(contents: ExportContents) -> None:
    explanation = written_explanation(contents)
    average = replace(
        explanation,
        nodes=("stage3", "stage4"),
        maps={"average": np.ones((4, 4), np.float32)},
        fields={"average": contents.model.node("stage3").field},
    )
    for of, name, said in (
        (explanation, "stage4", "Grad-CAM in logit units"),
        (average, "average", "Grad-CAM, relative to the maximum"),
    ):
        with patch("convnext_studio.export.figures.ColourBar", wraps=ColourBar) as bar:
            attribution_figure(contents, of, name)
        assert bar.call_args.kwargs["title"] == said


def test_the_contact_sheet_names_both_classes_of_a_difference(
    contents: ExportContents, pixels: Explanation
) -> None:
    words = " ".join(sheet_words(contents, pixels))
    assert f"Integrated gradients on the input's pixels, and not {contents.model.labels[3]} Model:" in words
    assert "difference 2" in words


def sheet_words(contents: ExportContents, explanation: Explanation) -> list[str]:
    """The texts that are written on a contact sheet of one picture."""
    with patch.object(PageCanvas, "text") as written:
        contact_sheet_png(contents.model, [contents.image], [explanation])
    return [call.args[2] for call in written.call_args_list]


def test_the_contact_sheet_has_every_picture(contents: ExportContents, tmp_path: Path) -> None:
    explanation = written_explanation(contents)
    red = replace(contents.image, key="red", preview=np.full((40, 80, 3), (200, 0, 0), np.uint8), size=(80, 40))
    zero = {"stage4": np.zeros((2, 2), np.float32)}
    second = replace(explanation, image="red", maps=zero)
    path = export_contact_sheet(
        tmp_path / "sheet.png", contents.model, [red, contents.image], [explanation, second]
    )
    assert path.name == "sheet.png"
    with Image.open(BytesIO(path.read_bytes())) as sheet:
        pixels = np.asarray(sheet.convert("RGB")).reshape(-1, 3)
        # Two tiles of 320 beside each other, with gaps of 24.
        assert sheet.width == 2 * 320 + 3 * 24
    # The red picture's margins, which the network does not see, are as they were.
    assert (pixels == (200, 0, 0)).all(axis=1).sum() > 1000
    with pytest.raises(StudioError, match="nothing on the contact sheet"):
        export_contact_sheet(tmp_path / "none.png", contents.model, [], [])
