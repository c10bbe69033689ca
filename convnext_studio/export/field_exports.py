"""Write receptive fields to files: the array with its protocol, the numbers and the figures."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from convnext_studio.common.errors import StudioError
from convnext_studio.erf.field_files import SUFFIXES, npy_bytes, npz_bytes
from convnext_studio.export.export_contents import json_bytes
from convnext_studio.export.safe_files import write_file, write_files
from convnext_studio.protocol.receptive_fields import THRESHOLDS, ReceptiveFieldResult, Scale


def about_field(result: ReceptiveFieldResult) -> dict[str, Any]:
    """Return the metadata of a field as JSON, for ``erf.json`` and for ``about`` in an ``.npz``.

    A threshold that no square within the input reaches is null.
    """
    height, width = result.field_map.shape
    theoretical, gaussian = result.theoretical, result.gaussian
    return {
        "model": {"source": result.source, "title": result.title},
        "random_weights": result.random_weights,
        "node": result.node,
        "target": result.target,
        "protocol": result.protocol,
        "protocol_text": result.protocol_text,
        "input_px": {"width": width, "height": height},
        "unit": {"row": result.unit[0], "column": result.unit[1]},
        "centre_px": dict(zip(("x", "y"), result.centre_px, strict=True)),
        "squares": {scale: _squares(result, scale) for scale in result.squares},
        "gaussian": None
        if gaussian is None
        else {
            "sigma_px": gaussian.sigma_px,
            "radius_px": gaussian.radius_px,
            "amplitude": gaussian.amplitude,
            "explained": gaussian.explained,
        },
        "theoretical": {
            "size_px": theoretical.size_px,
            "stride_px": theoretical.stride_px,
            "first_centre_px": theoretical.first_centre_px,
            "is_global": theoretical.is_global,
            "has_box": theoretical.has_box,
            "box_px": dict(zip(("x", "y", "width", "height"), theoretical.unit_box(*result.unit), strict=True))
            if theoretical.has_box
            else None,
        },
        "pictures": result.pictures,
        "noises": result.noises,
        "skipped": result.skipped,
        "unreadable": list(result.unreadable),
        "count": result.count,
        "notes": list(result.notes),
    }


def _squares(result: ReceptiveFieldResult, scale: Scale) -> dict[str, dict[str, float] | None]:
    reached = {square.threshold: square for square in result.squares[scale]}
    return {
        str(threshold): (
            {"side_px": reached[threshold].side_px, "area_ratio": reached[threshold].area_ratio}
            if threshold in reached
            else None
        )
        for threshold in sorted({*THRESHOLDS, *reached})
    }


def save_field(path: Path, result: ReceptiveFieldResult) -> Path:
    """Write a field to a file.

    An ``.npy`` contains only the array, as the published scripts save it; an ``.npz`` also has its protocol.

    Raises
    ------
    StudioError
        If the file has another extension, or cannot be written.
    """
    data = _encoded(path.name, path.suffix.lower(), result)
    return write_file(path, lambda file: file.write(data))


def _encoded(name: str, suffix: str, result: ReceptiveFieldResult) -> bytes:
    if suffix not in SUFFIXES:
        raise StudioError(
            f"“{name}” is not a file name for a receptive field.", "Use a name that ends in .npz or .npy."
        )
    field_map = result.field_map
    return npy_bytes(field_map) if suffix == ".npy" else npz_bytes(field_map, about_field(result))


def export_fields(folder: Path, results: Sequence[ReceptiveFieldResult], stems: Sequence[str]) -> list[Path]:
    """Write ``STEM.npy``, ``.npz``, ``.json`` and ``.png`` of each field, and ``curves.png`` of all together.

    Existing files with these names are replaced atomically.

    Parameters
    ----------
    folder
        The folder to write to, which is created if it is missing.
    results, stems
        The fields, and the stems of their file names.

    Raises
    ------
    StudioError
        If a file cannot be written; the files written before it stay.
    """
    # Imported here, because matplotlib would delay the window by half a second.
    from convnext_studio.export.drawing.figure_page import png_bytes
    from convnext_studio.export.field_figures import curves_figure, field_figure

    written: list[Path] = []
    for result, stem in zip(results, stems, strict=True):
        files = {f"{stem}{suffix}": _encoded(stem, suffix, result) for suffix in SUFFIXES}
        files[f"{stem}.json"] = json_bytes(about_field(result))
        files[f"{stem}.png"] = png_bytes(field_figure(result), result.random_weights)
        written += write_files(folder, files)
    marked = all(result.random_weights for result in results)
    return [*written, *write_files(folder, {"curves.png": png_bytes(curves_figure(results), marked)})]
