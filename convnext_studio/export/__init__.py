"""Export figures, arrays, tables and one-file reports with numpy, Pillow and matplotlib; no Qt, no torch."""

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Literal

from convnext_studio.common.files import checked_ending
from convnext_studio.comparison import NodeMatch
from convnext_studio.export.export_contents import ExportContents, MapContents
from convnext_studio.export.field_exports import about_field, export_fields, save_field
from convnext_studio.export.safe_files import export_directory, safe_stem, write_file
from convnext_studio.protocol.attributions import Explanation
from convnext_studio.protocol.comparison import WeightDistances
from convnext_studio.protocol.models import ModelInfo
from convnext_studio.protocol.pictures import ImageInfo
from convnext_studio.protocol.similarity import Parts, PictureParts

__all__ = [
    "ExportContents",
    "MapContents",
    "about_field",
    "export_compared",
    "export_contact_sheet",
    "export_directory",
    "export_fields",
    "export_labels",
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

    The files are:

    - ``predictions.json``;
    - for each node in `contents.maps` (the stages) ``stage1.npy`` (channels, height, width) float32 and its
      mosaic ``stage1.png``;
    - the attribution, named after its method: ``gradcam.npy``, the signed map (height, width) float32,
      ``gradcam.png``, and ``gradcam.json``, which says what was explained, where, how and how well. With
      several nodes the names are ``gradcam-stage1.npy`` and so on; a difference also has its two maps,
      ``gradcam-target.npy`` and ``gradcam-against.npy``;
    - ``erf.npy`` (height, width) float64 on the network's input, ``erf.png`` and ``erf.json``;
    - ``report.html``, one file that contains all figures.

    Existing files with these names are replaced atomically.

    Parameters
    ----------
    directory
        The folder in which the picture's own folder, named after the picture, is created.
    taken
        Folder names already used for other pictures of the same export; the new name is added.
    should_stop
        Called repeatedly until everything is drawn; nothing is written before that.

    Returns
    -------
    list[Path]
        The files in the order in which they were written.

    Raises
    ------
    StudioError
        If a file cannot be written. The files written before it stay, the message says how many they are,
        and no file is left half-written.
    Stopped
        If `should_stop` returned True; nothing was written.
    """
    # Imported here, because matplotlib would delay the window by half a second.
    from convnext_studio.export.picture_files import write_picture

    folder = export_directory(directory, contents.image.name, set() if taken is None else taken)
    return write_picture(folder, contents, should_stop)


def export_compared(
    folder: Path,
    a: ExportContents,
    b: ExportContents,
    nodes: Mapping[str, NodeMatch],
    weights: WeightDistances,
    should_stop: Callable[[], bool] = bool,
) -> list[Path]:
    """Write what a second network gives for a picture, beside the files of the first.

    The files are:

    - in the folder ``b``, all files of `export_picture` for the network B;
    - in the folder ``difference``, the arrays of A minus those of B, with the names of A's: ``stage1.npy``,
      ``gradcam.npy``, ``erf.npy``;
    - ``difference/comparison.json``: which node and which class is compared with which, the probabilities in
      both, and how far each tensor of the weights is apart.

    Parameters
    ----------
    folder
        The folder of the picture, to which `export_picture` has written the files of A.
    a, b
        What the two networks give for the picture.
    nodes
        By the name of a node of A, the node of B that it is compared with.
    weights
        How far the weights are apart.
    should_stop
        As in `export_picture`.

    Raises
    ------
    StudioError
        If a file cannot be written.
    Stopped
        If `should_stop` returned True.
    """
    # Imported here, because matplotlib would delay the window by half a second.
    from convnext_studio.export.comparison_files import write_compared

    return write_compared(folder, a, b, nodes, weights, should_stop)


def export_map(directory: Path, contents: MapContents, explanation: Explanation) -> list[Path]:
    """Write only an attribution into the folder of its picture, with the file names of `export_picture`.

    The files are ``gradcam.npy``, the signed map (height, width) float32, ``gradcam.json`` and
    ``gradcam.png``, one of each for every node. A difference also has the two maps that were subtracted.

    Raises
    ------
    StudioError
        If a file cannot be written. The files written before it stay, the message says how many they are,
        and no file is left half-written.
    """
    # Imported here, because matplotlib would delay the window by half a second.
    from convnext_studio.export.picture_files import write_map

    folder = export_directory(directory, contents.image.name, set())
    return write_map(folder, contents, explanation)


def export_contact_sheet(
    path: Path, model: ModelInfo, images: Sequence[ImageInfo], explanations: Sequence[Explanation]
) -> Path:
    """Write maps of several methods, classes or pictures as one figure, PNG, PDF or SVG by the ending.

    Its caption names every method with its paper, the nodes, the classes and the geometry. In PDF and SVG, text
    is text.

    Parameters
    ----------
    path
        Path of the file; an existing file is replaced atomically.
    images
        The opened pictures, in any order.
    explanations
        The explanations in the order of the sheet, each with one map of one of the pictures.

    Raises
    ------
    StudioError
        If there is nothing to show, the name has another ending, or the file cannot be written.
    """
    # Imported here, because matplotlib would delay the window by half a second.
    from convnext_studio.export.wall_figures import contact_sheet, contact_sheet_png

    ending = checked_ending(path, (".png", ".pdf", ".svg"), "A wall of maps")
    if ending == ".png":
        data = contact_sheet_png(model, images, explanations)
    else:
        sheet = contact_sheet(model, images, explanations)
        kind: Literal["pdf", "svg"] = "pdf" if ending == ".pdf" else "svg"
        data = sheet.canvas.encoded(kind, sheet.title, " ".join(sheet.caption))
    return write_file(path, lambda file: file.write(data))


def export_labels(
    path: Path,
    parts: Parts,
    shown: PictureParts,
    names: Sequence[str] = (),
    hidden: Collection[int] = (),
) -> Path:
    """Write the parts of a picture as a label image: a PNG file of the picture's size with a palette.

    Index 0 is what belongs to no part that is shown, and index n the nth part; the file's texts hold the names.

    Raises
    ------
    StudioError
        If the name has another ending, or the file cannot be written.
    """
    # Imported here, because matplotlib would delay the window by half a second.
    from convnext_studio.export.similarity_figures import label_png

    checked_ending(path, (".png",), "A label image")
    data = label_png(parts, shown, names, hidden)
    return write_file(path, lambda file: file.write(data))
