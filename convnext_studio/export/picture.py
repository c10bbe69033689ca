"""Writes all the files of one picture."""

from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL.PngImagePlugin import PngInfo

from convnext_studio import __version__
from convnext_studio.export.contents import ExportContents, json_bytes, predictions_json, receptive_field_json
from convnext_studio.export.figures import Figure, cam_figure, mosaic_figure, receptive_field_figure
from convnext_studio.export.files import export_directory, make_directory, write_file
from convnext_studio.export.report import report_html
from convnext_studio.export.sheet import RANDOM_WEIGHTS


def export_picture(directory: Path, contents: ExportContents, taken: set[str] | None = None) -> list[Path]:
    """Write everything about a picture into a folder of its own.

    ``predictions.json``; for each node in `contents.maps` (the four stages) ``stage1.npy`` (channels, height,
    width) float32 and its mosaic ``stage1.png``; ``gradcam.npy``, the signed map (height, width) float32, and
    ``gradcam.png``; ``erf.npy`` (height, width) float64 on the network's input, ``erf.png`` and ``erf.json``;
    ``report.html``, one file with all figures in it. Existing files of these names are replaced, each at once.

    Parameters
    ----------
    directory
        Where the picture's folder is made; it is named after the picture.
    taken
        Folder names that were used for other pictures of the same call; the one used is added.

    Returns
    -------
    list[Path]
        The files in the order of writing.

    Raises
    ------
    StudioError
        Where a file cannot be written; those before it stay, and none is left half-written.
    """
    folder = export_directory(directory, contents.image.name, set() if taken is None else taken)
    make_directory(folder)
    receptive_field, attribution = contents.receptive_field, contents.prediction.attribution
    arrays: dict[str, NDArray[np.floating]] = {name: result.maps for name, result in contents.maps.items()}
    arrays |= {"gradcam": attribution.cams[contents.cam_stage], "erf": receptive_field.field_map}
    figures = {name: mosaic_figure(contents, result) for name, result in contents.maps.items()}
    figures |= {"gradcam": cam_figure(contents), "erf": receptive_field_figure(contents)}
    drawn = {
        f"{name}.png": (figure, _png(figure, contents.model.random_weights)) for name, figure in figures.items()
    }

    written = [_write(folder / "predictions.json", json_bytes(predictions_json(contents)))]
    for name, array in arrays.items():
        written.append(_write(folder / f"{name}.npy", _npy(array)))
        written.append(_write(folder / f"{name}.png", drawn[f"{name}.png"][1]))
    written.append(_write(folder / "erf.json", json_bytes(receptive_field_json(contents))))
    written.append(_write(folder / "report.html", report_html(contents, drawn)))
    return written


def _write(path: Path, data: bytes) -> Path:
    return write_file(path, lambda file: file.write(data))


def _npy(array: NDArray[np.floating]) -> bytes:
    buffer = BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()


def _png(figure: Figure, random_weights: bool) -> bytes:
    """A PNG file that carries its caption as text too."""
    texts = PngInfo()
    texts.add_itxt("Software", f"ConvNeXt Studio {__version__}")
    texts.add_itxt("Title", figure.title.encode(errors="replace"))
    mark = (RANDOM_WEIGHTS,) if random_weights else ()
    # Names of files may have characters that no encoding has.
    texts.add_itxt("Description", " ".join((*mark, *figure.caption)).encode(errors="replace"))
    buffer = BytesIO()
    figure.picture.save(buffer, "PNG", pnginfo=texts)
    return buffer.getvalue()
