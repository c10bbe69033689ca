"""Figures, arrays, tables and a one-file report of a picture: numpy and Pillow, no Qt, no torch."""

from convnext_studio.export.contents import ExportContents
from convnext_studio.export.files import export_directory, safe_stem
from convnext_studio.export.picture import export_picture

__all__ = ["ExportContents", "export_directory", "export_picture", "safe_stem"]
