"""Figures, arrays, tables and a one-file report of a picture: numpy and Pillow, no Qt, no torch."""

from pathlib import Path

from convnext_studio.export.contents import ExportContents
from convnext_studio.export.field_files import about_field, export_fields, save_field
from convnext_studio.export.files import export_directory, make_directory, safe_stem

__all__ = [
    "ExportContents",
    "about_field",
    "export_directory",
    "export_fields",
    "export_picture",
    "safe_stem",
    "save_field",
]


def export_picture(directory: Path, contents: ExportContents, taken: set[str] | None = None) -> list[Path]:
    """Write everything about a picture into a folder of its own.

    ``predictions.json``; for each node in `contents.maps` (the stages) ``stage1.npy`` (channels, height,
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
    # Here, because Pillow and what draws with it would keep the window 40 ms from appearing.
    from convnext_studio.export.picture import write_files

    folder = export_directory(directory, contents.image.name, set() if taken is None else taken)
    make_directory(folder)
    return write_files(folder, contents)
