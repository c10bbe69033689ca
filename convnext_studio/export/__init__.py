"""Figures, arrays, tables and a one-file report of a picture: numpy, Pillow and matplotlib, no Qt, no torch."""

from collections.abc import Callable, Sequence
from pathlib import Path

from convnext_studio.export.contents import ExportContents, MapContents
from convnext_studio.export.field_files import about_field, export_fields, save_field
from convnext_studio.export.safe_files import export_directory, safe_stem, write_file
from convnext_studio.protocol.attributions import Explanation
from convnext_studio.protocol.models import ModelInfo
from convnext_studio.protocol.pictures import ImageInfo

__all__ = [
    "ExportContents",
    "MapContents",
    "about_field",
    "export_contact_sheet",
    "export_directory",
    "export_fields",
    "export_map",
    "export_picture",
    "safe_stem",
    "save_field",
]


def export_picture(
    directory: Path,
    contents: ExportContents,
    taken: set[str] | None = None,
    should_stop: Callable[[], bool] = bool,
) -> list[Path]:
    """Write everything about a picture into a folder of its own.

    ``predictions.json``; for each node in `contents.maps` (the stages) ``stage1.npy`` (channels, height,
    width) float32 and its mosaic ``stage1.png``; the attribution, named after its method: ``gradcam.npy``, the
    signed map (height, width) float32, ``gradcam.png``, and ``gradcam.json`` with what was explained, where,
    how and how well (of several nodes ``gradcam-stage1.npy`` and so on; of a difference also the two maps,
    ``gradcam-target.npy`` and ``gradcam-against.npy``); ``erf.npy`` (height, width) float64 on the network's
    input, ``erf.png`` and ``erf.json``; ``report.html``, one file with all figures in it. Existing files of
    these names are replaced, each at once.

    Parameters
    ----------
    directory
        Where the picture's folder is made; it is named after the picture.
    taken
        Folder names that were used for other pictures of the same call; the one used is added.
    should_stop
        Asked again and again until all is drawn; nothing is written before that.

    Returns
    -------
    list[Path]
        The files in the order of writing.

    Raises
    ------
    StudioError
        Where a file cannot be written; those before it stay, which the message says, and none is left
        half-written.
    Stopped
        As `should_stop` wanted; nothing was written.
    """
    # Here, because matplotlib would keep the window half a second from appearing.
    from convnext_studio.export.picture_files import write_picture

    folder = export_directory(directory, contents.image.name, set() if taken is None else taken)
    return write_picture(folder, contents, should_stop)


def export_map(directory: Path, contents: MapContents, explanation: Explanation) -> list[Path]:
    """Write an attribution alone, into the folder of its picture, as `export_picture` names the files.

    ``gradcam.npy``, the signed map (height, width) float32, ``gradcam.json`` and ``gradcam.png``; one of each
    for every node, and of a difference also the two maps that were subtracted.

    Raises
    ------
    StudioError
        Where a file cannot be written; those before it stay, which the message says, and none is left
        half-written.
    """
    # Here, because matplotlib would keep the window half a second from appearing.
    from convnext_studio.export.picture_files import write_map

    folder = export_directory(directory, contents.image.name, set())
    return write_map(folder, contents, explanation)


def export_contact_sheet(
    path: Path, model: ModelInfo, images: Sequence[ImageInfo], explanations: Sequence[Explanation]
) -> Path:
    """Write the maps of one method on several pictures as one PNG figure.

    Parameters
    ----------
    path
        Of the file, which is replaced at once where it is there.
    images
        The opened pictures, in any order.
    explanations
        Each with one map, of pictures among the images, in the order of the sheet.

    Raises
    ------
    StudioError
        Where there is nothing to show, or the file cannot be written.
    """
    # Here, because matplotlib would keep the window half a second from appearing.
    from convnext_studio.export.figures import contact_sheet_png

    data = contact_sheet_png(model, images, explanations)
    return write_file(path, lambda file: file.write(data))
