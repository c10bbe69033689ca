"""The files of one picture."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from convnext_studio.common.errors import StudioError
from convnext_studio.common.stopping import Stopped
from convnext_studio.erf.files import npy_bytes
from convnext_studio.export.attribution_figure import attribution_figure
from convnext_studio.export.contents import ExportContents, MapContents, json_bytes, predictions_json
from convnext_studio.export.explanations import explanation_json, map_arrays, map_stems, written_explanation
from convnext_studio.export.field_figures import field_figure
from convnext_studio.export.field_files import about_field
from convnext_studio.export.figures import Figure, mosaic_figure, png_bytes
from convnext_studio.export.files import make_directory, write_file
from convnext_studio.export.report import report_html
from convnext_studio.protocol.attributions import Explanation


def write_files(folder: Path, contents: ExportContents, should_stop: Callable[[], bool]) -> list[Path]:
    """Write all files that `convnext_studio.export.export_picture` promises into a folder, which it makes."""
    explanation = written_explanation(contents)
    stems = map_stems(explanation)
    arrays: dict[str, NDArray[np.floating]] = {name: result.maps for name, result in contents.maps.items()}
    arrays |= {**map_arrays(explanation), "erf": contents.receptive_field.field_map}
    draw: dict[str, Callable[[], Figure]] = {
        name: partial(mosaic_figure, contents, result) for name, result in contents.maps.items()
    }
    draw |= {stem: partial(attribution_figure, contents, explanation, name) for name, stem in stems.items()}
    draw["erf"] = partial(field_figure, contents.receptive_field)
    # All is drawn, which takes nearly all of the time, before anything is written.
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
    return _write_all(folder, files)


def write_map_files(folder: Path, contents: MapContents, explanation: Explanation) -> list[Path]:
    """Write all files that `convnext_studio.export.export_map` promises into a folder, which it makes."""
    files = {f"{stem}.npy": npy_bytes(array) for stem, array in map_arrays(explanation).items()}
    for name, stem in map_stems(explanation).items():
        figure = attribution_figure(contents, explanation, name)
        files[f"{stem}.json"] = json_bytes(explanation_json(contents, explanation, name))
        files[f"{stem}.png"] = png_bytes(figure, contents.model.random_weights)
    return _write_all(folder, files)


def _write_all(folder: Path, files: Mapping[str, bytes]) -> list[Path]:
    """Write one file after the other; a StudioError says how many there are where one cannot be written."""
    make_directory(folder)
    written: list[Path] = []
    for name, data in files.items():
        try:
            written.append(write_file(folder / name, partial(_put, data)))
        except StudioError as error:
            if not written:
                raise
            message = f"{error.message} {len(written)} of {len(files)} files are there: those before it."
            raise StudioError(message, error.hint) from error
    return written


def _put(data: bytes, file: BinaryIO) -> None:
    file.write(data)
