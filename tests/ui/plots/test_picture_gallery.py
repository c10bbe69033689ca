"""The row of small pictures: what lies over them, which are in view, and what a click chooses."""

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from convnext_studio.ui.plots.picture_gallery import GalleryOverlay, PictureGallery

GREY = np.full((60, 90, 3), 100, np.uint8)


@pytest.fixture
def gallery(qtbot: QtBot) -> PictureGallery:
    gallery = PictureGallery("Pictures")
    qtbot.addWidget(gallery)
    gallery.resize(400, 140)
    gallery.show()
    gallery.show_pictures([(f"key {index}", f"picture {index}") for index in range(30)])
    return gallery


def centre_colour(gallery: PictureGallery, row: int) -> tuple[int, int, int]:
    """Return the colour in the middle of a small picture."""
    place = gallery.visualItemRect(gallery.item(row))
    image = gallery.viewport().grab().toImage()
    ratio = image.devicePixelRatio()
    colour = image.pixelColor(round(place.center().x() * ratio), round((place.top() + 40) * ratio))
    return colour.red(), colour.green(), colour.blue()


def test_an_overlay_lies_over_its_part_of_the_picture(gallery: PictureGallery) -> None:
    gallery.set_picture("key 0", GREY)
    assert centre_colour(gallery, 0) == (100, 100, 100)
    red = np.tile(np.array([255, 0, 0], np.uint8), (2, 2, 1))
    gallery.set_overlay("key 0", GalleryOverlay(red, (0.0, 0.0, 900.0, 600.0), (900, 600)))
    assert centre_colour(gallery, 0) == (255, 0, 0)
    gallery.set_overlay("key 0", GalleryOverlay(red, (0.0, 0.0, 200.0, 600.0), (900, 600)))
    assert centre_colour(gallery, 0) == (100, 100, 100)
    gallery.set_overlay("key 0", GalleryOverlay(red, (0.0, 0.0, 900.0, 600.0), (900, 600), opacity=0.5))
    assert centre_colour(gallery, 0)[0] == pytest.approx(178, abs=2)
    gallery.clear_overlays()
    assert gallery.overlay("key 0") is None
    assert centre_colour(gallery, 0) == (100, 100, 100)


def test_those_in_view_are_known(gallery: PictureGallery, qtbot: QtBot) -> None:
    shown = gallery.shown_keys
    assert shown[0] == "key 0"
    assert 2 < len(shown) < 8
    with qtbot.waitSignal(gallery.scrolled):
        gallery.horizontalScrollBar().setValue(gallery.horizontalScrollBar().maximum())
    assert gallery.shown_keys[-1] == "key 29"
    assert "key 0" not in gallery.shown_keys
    gallery.show_pictures([("one", "One")])
    assert gallery.shown_keys == ("one",)
    gallery.show_pictures([])
    assert gallery.shown_keys == ()


def test_pictures_that_stay_keep_what_is_painted(gallery: PictureGallery) -> None:
    gallery.set_picture("key 1", GREY)
    gallery.show_pictures([("key 1", "One"), ("new", "New")])
    assert gallery.has_picture("key 1")
    assert not gallery.has_picture("new")


def test_click_and_enter_choose(gallery: PictureGallery) -> None:
    chosen: list[str] = []
    gallery.chosen.connect(chosen.append)
    place = gallery.visualItemRect(gallery.item(1)).center()
    QTest.mouseClick(gallery.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert chosen == ["key 1"]
    gallery.select("key 2")
    assert gallery.currentRow() == 2
