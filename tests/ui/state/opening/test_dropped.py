"""The veil says what a drop will do."""

from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QUrl
from PySide6.QtGui import QImage

from convnext_studio.ui.state.opening.dropped import describe_drop, describe_paths


@pytest.mark.parametrize(
    ("paths", "said"),
    [
        (["/a.png"], "Drop to open 1 picture"),
        (["/a.png", "/b.jpg", "/c.tif"], "Drop to open 3 pictures"),
        (["/net.safetensors"], "Drop to open the network “net.safetensors”"),
        (["/a.png", "/net.PTH"], "Drop to open 1 picture and the network “net.PTH”"),
        (["/field.npz"], "Drop to open the receptive field “field.npz”"),
    ],
)
def test_files_are_counted_by_what_they_are(paths: list[str], said: str) -> None:
    assert describe_paths(paths) == said


def test_a_folder_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "cells"
    folder.mkdir()
    assert describe_paths([str(folder)]) == "Drop to open the pictures in “cells”"
    assert describe_paths(["/a.png", str(folder)]) == "Drop to open 1 picture and the pictures in “cells”"


def test_pixels_addresses_and_text_are_told_apart() -> None:
    pixels, address, text = QMimeData(), QMimeData(), QMimeData()
    pixels.setImageData(QImage(2, 2, QImage.Format.Format_RGB32))
    address.setUrls([QUrl("https://example.org/cat.png")])
    text.setText("hello")
    assert describe_drop(pixels) == "Drop to open the picture"
    assert "not on this computer" in describe_drop(address)
    assert describe_drop(text) == ""
