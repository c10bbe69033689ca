"""The files of one picture."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from convnext_studio.export.contents import ExportContents, json_bytes, predictions_json
from convnext_studio.export.field_figures import field_figure
from convnext_studio.export.field_files import about_field
from convnext_studio.export.figures import cam_figure, mosaic_figure, png_bytes
from convnext_studio.export.files import write_file
from convnext_studio.export.report import report_html
from convnext_studio.fields.files import npy_bytes


def write_files(folder: Path, contents: ExportContents) -> list[Path]:
    """Write all files that `convnext_studio.export.export_picture` promises into a folder that is there."""
    receptive_field, attribution = contents.receptive_field, contents.prediction.attribution
    arrays: dict[str, NDArray[np.floating]] = {name: result.maps for name, result in contents.maps.items()}
    arrays |= {"gradcam": attribution.cams[contents.cam_stage], "erf": receptive_field.field_map}
    figures = {name: mosaic_figure(contents, result) for name, result in contents.maps.items()}
    figures |= {"gradcam": cam_figure(contents), "erf": field_figure(receptive_field)}
    marked = contents.model.random_weights
    drawn = {f"{name}.png": (figure, png_bytes(figure, marked)) for name, figure in figures.items()}

    written = [_write(folder / "predictions.json", json_bytes(predictions_json(contents)))]
    for name, array in arrays.items():
        written.append(_write(folder / f"{name}.npy", npy_bytes(array)))
        written.append(_write(folder / f"{name}.png", drawn[f"{name}.png"][1]))
    written.append(_write(folder / "erf.json", json_bytes(about_field(receptive_field))))
    written.append(_write(folder / "report.html", report_html(contents, drawn)))
    return written


def _write(path: Path, data: bytes) -> Path:
    return write_file(path, lambda file: file.write(data))
