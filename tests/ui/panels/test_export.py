"""The export panel offers what is seen, shows what will be written, and writes it."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PySide6.QtWidgets import QVBoxLayout, QWidget
from pytestqt.qtbot import QtBot

from convnext_studio.render import Limits
from convnext_studio.ui.panels.export.export_panel import FORMATS, NOTHING, ExportPanel
from convnext_studio.ui.plots.color_bar import ColorScale, MapView
from convnext_studio.ui.plots.scene import Bitmap, Layer, Scene
from convnext_studio.ui.plots.view_saver import Contents
from convnext_studio.ui.shell.window import StudioWindow
from convnext_studio.ui.state.app_state import AppState

VALUES = np.arange(6, dtype=np.float32).reshape(2, 3) / 4


class Desk(QWidget):
    """Two views, one of them with numbers, and the panel."""

    def __init__(self, state: AppState) -> None:
        super().__init__()
        self.views = [MapView("Picture"), MapView("Map")]
        self.panel = ExportPanel(state, lambda: self.views)
        layout = QVBoxLayout(self)
        for widget in (*self.views, self.panel):
            layout.addWidget(widget)
        for view, name, values in zip(self.views, ("cat.png", "cat: stage3"), (None, VALUES), strict=True):
            colours = np.full((4, 4, 3), 200, np.uint8)
            view.view.set_scene(Scene(size=(4, 4), layers=(Layer(Bitmap(colours), (0, 0, 4, 4)),)))
            view.bar.set_scale(ColorScale("viridis", Limits(0, 1)))
            view.set_contents(Contents(name, "a caption", values))


@pytest.fixture
def desk(state: AppState, qtbot: QtBot) -> Desk:
    desk = Desk(state)
    qtbot.addWidget(desk)
    desk.resize(500, 900)
    desk.show()
    qtbot.waitExposed(desk)
    qtbot.waitUntil(lambda: desk.panel.views.count() == 2)
    return desk


def choose(panel: ExportPanel, suffix: str) -> None:
    panel.formats.setCurrentIndex([each.suffix for each in FORMATS].index(suffix))


def test_what_is_seen_is_offered_and_previewed(desk: Desk, qtbot: QtBot) -> None:
    panel = desk.panel
    assert [panel.views.itemText(row) for row in range(2)] == ["cat.png", "cat: stage3"]
    assert not panel.preview.pixmap().isNull()
    assert panel.facts.text() == "a caption"
    assert not panel.numbers.isEnabled()
    choose(panel, "csv")
    assert not panel.save.isEnabled()
    desk.views[0].hide()
    panel.views.setCurrentIndex(1)
    qtbot.waitUntil(lambda: panel.views.count() == 1)
    assert panel.views.currentText() == "cat: stage3"
    assert panel.save.isEnabled()
    assert "0.25" in panel.preview.text()
    assert "2 × 3 values of float32" in panel.facts.text()


@pytest.mark.parametrize("suffix", [each.suffix for each in FORMATS])
def test_each_format_is_written(desk: Desk, tmp_path: Path, qtbot: QtBot, suffix: str) -> None:
    panel = desk.panel
    panel.views.setCurrentIndex(1)
    choose(panel, suffix)
    panel.width_px.setValue(700)
    path = tmp_path / f"view.{suffix}"
    panel.write(path)
    qtbot.waitUntil(lambda: path.exists() and not desk.views[1].saver.is_busy, timeout=20_000)
    match suffix:
        case "npy":
            np.testing.assert_array_equal(np.load(path), VALUES)
        case "npz":
            with np.load(path) as arrays:
                assert sorted(arrays.files) == ["about", "cat: stage3"]
                np.testing.assert_array_equal(arrays["cat: stage3"], VALUES)
        case "csv":
            np.testing.assert_array_equal(np.loadtxt(path, delimiter=","), VALUES)
        case "png":
            with Image.open(path) as picture:
                assert picture.width == 700
        case _:
            heads = {"svg": b"<?xml", "pdf": b"%PDF", "json": b'{"program"'}
            assert path.read_bytes().startswith(heads[suffix])


def test_the_numbers_of_all_views_go_into_one_file(desk: Desk, tmp_path: Path, qtbot: QtBot) -> None:
    panel = desk.panel
    desk.views[0].set_contents(Contents("cat.png", "a caption", VALUES[:, :2]))
    assert panel.views.currentText() == "cat.png"
    choose(panel, "npz")
    assert not panel.views.isEnabled()
    assert panel.save.isEnabled()
    assert "cat.png\n    2 × 2 values of float32" in panel.preview.text()
    assert "cat: stage3\n    2 × 3 values of float32" in panel.preview.text()
    panel.write(tmp_path / "all.npz")
    qtbot.waitUntil(lambda: not desk.views[0].saver.is_busy)
    with np.load(tmp_path / "all.npz") as arrays:
        np.testing.assert_array_equal(arrays["cat.png"], VALUES[:, :2])
        np.testing.assert_array_equal(arrays["cat: stage3"], VALUES)
    for view in desk.views:
        view.set_contents(Contents(view.contents.name, "", None))
    choose(panel, "npy")
    choose(panel, "npz")
    assert not panel.save.isEnabled()
    assert "no values" in panel.preview.text()


def test_without_a_view_there_is_nothing_to_export(state: AppState, qtbot: QtBot) -> None:
    panel = ExportPanel(state, list)
    qtbot.addWidget(panel)
    assert panel.preview.text() == NOTHING
    assert not panel.save.isEnabled()
    assert not panel.report.isEnabled()


def test_the_window_opens_it_and_offers_its_views(filled_window: StudioWindow, qtbot: QtBot) -> None:
    filled_window.actions_by_id["export_view"].trigger()
    panel = filled_window.dock_layout.docks["export"].panel
    assert panel.isVisible()
    qtbot.waitUntil(lambda: panel.views.count() >= 1)
    qtbot.waitUntil(panel.views.hasFocus)
