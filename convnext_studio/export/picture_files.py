"""Write the files of one picture, or of one of its attributions."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from convnext_studio.common.stopping import Stopped
from convnext_studio.erf.field_files import npy_bytes
from convnext_studio.export.drawing.figure_page import Figure, png_bytes
from convnext_studio.export.export_contents import (
    ExportContents,
    MapContents,
    explanation_json,
    json_bytes,
    map_arrays,
    map_stems,
    predictions_json,
    written_explanation,
)
from convnext_studio.export.field_exports import about_field
from convnext_studio.export.field_figures import field_figure
from convnext_studio.export.figures import attribution_figure, mosaic_figure
from convnext_studio.export.report import report_html
from convnext_studio.export.safe_files import write_files
from convnext_studio.protocol.attributions import Explanation


def write_picture(folder: Path, contents: ExportContents, should_stop: Callable[[], bool]) -> list[Path]:
    """Write all files that `convnext_studio.export.export_picture` documents, creating the folder."""
    explanation = written_explanation(contents)
    stems = map_stems(explanation)
    arrays: dict[str, NDArray[np.floating]] = {name: result.maps for name, result in contents.maps.items()}
    arrays |= {**map_arrays(explanation), "erf": contents.receptive_field.field_map}
    draw: dict[str, Callable[[], Figure]] = {
        name: partial(mosaic_figure, contents, result) for name, result in contents.maps.items()
    }
    draw |= {stem: partial(attribution_figure, contents, explanation, name) for name, stem in stems.items()}
    draw["erf"] = partial(field_figure, contents.receptive_field)
    # Everything is drawn before anything is written, because drawing takes nearly all of the time.
    drawn = {}
    for name, make in draw.items():
        if should_stop():
            raise Stopped
        figure = make()
        drawn[f"{name}.png"] = figure, png_bytes(figure, contents.model.random_weights)

    files = {"predictions.json": json_bytes(predictions_json(contents))}
    for name, array in arrays.items():
        files[f"{name}.npy"] = npy_bytes(array)
        if name in draw:
            files[f"{name}.png"] = drawn[f"{name}.png"][1]
    for name, stem in stems.items():
        files[f"{stem}.json"] = json_bytes(explanation_json(contents, explanation, name))
    files["erf.json"] = json_bytes(about_field(contents.receptive_field))
    files["report.html"] = report_html(contents, explanation, drawn)
    if should_stop():
        raise Stopped
    return write_files(folder, files)


def write_map(folder: Path, contents: MapContents, explanation: Explanation) -> list[Path]:
    """Write all files that `convnext_studio.export.export_map` documents, creating the folder."""
    files = {f"{stem}.npy": npy_bytes(array) for stem, array in map_arrays(explanation).items()}
    for name, stem in map_stems(explanation).items():
        figure = attribution_figure(contents, explanation, name)
        files[f"{stem}.json"] = json_bytes(explanation_json(contents, explanation, name))
        files[f"{stem}.png"] = png_bytes(figure, contents.model.random_weights)
    return write_files(folder, files)
