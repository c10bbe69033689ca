"""The files of one picture."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from convnext_studio.engine.messages import Explanation
from convnext_studio.export.attribution_figure import attribution_figure
from convnext_studio.export.contents import ExportContents, MapContents, json_bytes, predictions_json
from convnext_studio.export.explanations import explanation_json, map_arrays, map_stems, written_explanation
from convnext_studio.export.field_figures import field_figure
from convnext_studio.export.field_files import about_field
from convnext_studio.export.figures import mosaic_figure, png_bytes
from convnext_studio.export.files import write_file
from convnext_studio.export.report import report_html
from convnext_studio.fields.files import npy_bytes


def write_files(folder: Path, contents: ExportContents) -> list[Path]:
    """Write all files that `convnext_studio.export.export_picture` promises into a folder that is there."""
    explanation = written_explanation(contents)
    stems = map_stems(explanation)
    arrays: dict[str, NDArray[np.floating]] = {name: result.maps for name, result in contents.maps.items()}
    arrays |= {**map_arrays(explanation), "erf": contents.receptive_field.field_map}
    figures = {name: mosaic_figure(contents, result) for name, result in contents.maps.items()}
    figures |= {stem: attribution_figure(contents, explanation, name) for name, stem in stems.items()}
    figures["erf"] = field_figure(contents.receptive_field)
    marked = contents.model.random_weights
    drawn = {f"{name}.png": (figure, png_bytes(figure, marked)) for name, figure in figures.items()}

    written = [_write(folder / "predictions.json", json_bytes(predictions_json(contents)))]
    for name, array in arrays.items():
        written.append(_write(folder / f"{name}.npy", npy_bytes(array)))
        if name in figures:
            written.append(_write(folder / f"{name}.png", drawn[f"{name}.png"][1]))
    for name, stem in stems.items():
        values = explanation_json(contents, explanation, name)
        written.append(_write(folder / f"{stem}.json", json_bytes(values)))
    written.append(_write(folder / "erf.json", json_bytes(about_field(contents.receptive_field))))
    written.append(_write(folder / "report.html", report_html(contents, explanation, drawn)))
    return written


def write_map_files(folder: Path, contents: MapContents, explanation: Explanation) -> list[Path]:
    """Write all files that `convnext_studio.export.export_map` promises into a folder that is there."""
    written = [
        _write(folder / f"{stem}.npy", npy_bytes(array)) for stem, array in map_arrays(explanation).items()
    ]
    for name, stem in map_stems(explanation).items():
        values = explanation_json(contents, explanation, name)
        figure = attribution_figure(contents, explanation, name)
        written.append(_write(folder / f"{stem}.json", json_bytes(values)))
        written.append(_write(folder / f"{stem}.png", png_bytes(figure, contents.model.random_weights)))
    return written


def _write(path: Path, data: bytes) -> Path:
    return write_file(path, lambda file: file.write(data))
