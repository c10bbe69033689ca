"""The export panel offers what is seen, shows what will be written, and writes it."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PySide6.QtWidgets import QFileDialog, QVBoxLayout, QWidget
from pytestqt.qtbot import QtBot

from convnext_studio.render import Limits
from convnext_studio.ui.panels.export.export_panel import FORMATS, NOTHING, ExportPanel
from convnext_studio.ui.plots.color_bar import ColorScale
from convnext_studio.ui.plots.map_view import MapView
from convnext_studio.ui.plots.saving.view_saver import ViewContents
from convnext_studio.ui.plots.scene import Bitmap, Layer, Scene
from convnext_studio.ui.shell.exports import TITLES
from convnext_studio.ui.shell.window import StudioWindow
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.widgets.save_dialog import SaveDialogs

VALUES = np.arange(6, dtype=np.float32).reshape(2, 3) / 4


class Desk(QWidget):
    """Two views, one of them with numbers, and the panel."""

    def __init__(self, state: AppState, folder: Path) -> None:
        super().__init__()
        self.views = [MapView("Picture"), MapView("Map")]
        self.folder = folder
        self.panel = ExportPanel(state, lambda: self.views, dialogs=SaveDialogs(folder))
        layout = QVBoxLayout(self)
        for widget in (*self.views, self.panel):
            layout.addWidget(widget)
        for view, name, values in zip(self.views, ("cat.png", "cat: stage3"), (None, VALUES), strict=True):
            colours = np.full((4, 4, 3), 200, np.uint8)
            view.view.set_scene(Scene(size=(4, 4), layers=(Layer(Bitmap(colours), (0, 0, 4, 4)),)))
            view.bar.set_scale(ColorScale("viridis", Limits(0, 1)))
            view.set_contents(ViewContents(name, "a caption", values))


@pytest.fixture
def desk(state: AppState, qtbot: QtBot, tmp_path: Path) -> Desk:
    desk = Desk(state, tmp_path)
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
    assert panel.place.text().startswith(f"Will be written as {desk.folder / 'cat'}.png")
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
    desk.views[0].set_contents(ViewContents("cat.png", "a caption", VALUES[:, :2]))
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
        view.set_contents(ViewContents(view.contents.name, "", None))
    choose(panel, "npy")
    choose(panel, "npz")
    assert not panel.save.isEnabled()
    assert "no values" in panel.preview.text()


def test_without_a_view_there_is_nothing_to_export(state: AppState, qtbot: QtBot) -> None:
    panel = ExportPanel(state, list)
    qtbot.addWidget(panel)
    assert panel.preview.text() == NOTHING
    assert not panel.save.isEnabled()


@pytest.mark.parametrize(("typed", "head"), [("a.svg", b"<?xml"), ("a.npy", b"\x93NUMPY"), ("a", b"\x89PNG")])
def test_the_typed_ending_decides_the_format(
    desk: Desk, tmp_path: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, typed: str, head: bytes
) -> None:
    """The chosen format is that of names without an ending."""
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / typed), ""))
    desk.panel.views.setCurrentIndex(1)
    choose(desk.panel, "png")
    desk.panel.save.click()
    qtbot.waitUntil(lambda: not desk.views[1].saver.is_busy, timeout=20_000)
    [path] = tmp_path.glob("a*")
    assert path.read_bytes().startswith(head)


# ---------------------------------------------------------------------------------------- in the window


def opened(window: StudioWindow, qtbot: QtBot) -> ExportPanel:
    window.actions_by_id["export"].trigger()
    panel = window.exports.panel
    assert panel.isVisible()
    qtbot.waitUntil(panel.views.hasFocus)
    return panel


def texts(panel: ExportPanel) -> list[str]:
    return [panel.views.itemText(row) for row in range(panel.views.count())]


def test_the_window_opens_it_and_offers_everything(filled_window: StudioWindow, qtbot: QtBot) -> None:
    panel = opened(filled_window, qtbot)
    assert set(TITLES.values()) < set(texts(panel))
    assert panel.views.currentText() not in TITLES.values()


def test_what_is_on_screen_is_chosen(filled_window: StudioWindow, qtbot: QtBot) -> None:
    for name in ("picture", "attribution"):
        filled_window.activateWindow()
        filled_window.dock_layout.docks[name].take_focus()
        qtbot.waitUntil(lambda name=name: filled_window.dock_layout.focus.active == name)
        panel = opened(filled_window, qtbot)
        inside = filled_window.dock_layout.docks[name].findChildren(MapView)
        assert panel.views.currentText() in [view.contents.name for view in inside if view.contents is not None]


def test_each_item_says_what_it_writes_or_why_it_cannot(filled_window: StudioWindow, qtbot: QtBot) -> None:
    panel = opened(filled_window, qtbot)
    said = {}
    for key, title in TITLES.items():
        panel.choose(key)
        assert panel.views.currentText() == title
        assert panel.save.isEnabled() == panel.place.text().startswith("Will be written")
        assert bool(panel.facts.text()) == panel.save.isEnabled()
        if key == "map":
            assert "gradcam.npy, gradcam.json and gradcam.png" in panel.facts.text()
        said[key] = panel.place.text()
    assert "no receptive field to save" in said["field"]
    assert "Ctrl+K" in said["contact_sheet"]
    assert said["report"].endswith(f"such as {Path.home() / 'one'}.")
    assert said["handout"].startswith(f"Will be written as {Path.home() / 'lecture.pdf'}")


def test_a_screenshot_shows_the_window_without_the_panel(
    filled_window: StudioWindow, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled_window.resize(1900, 1000)
    panel = opened(filled_window, qtbot)
    assert not filled_window.dock_layout.docks["export"].isFloating()
    seen = []
    grab = filled_window.grab
    monkeypatch.setattr(filled_window, "grab", lambda: (seen.append(panel.isVisible()), grab())[1])
    panel.choose("window")
    panel.write(tmp_path / "window.png")
    qtbot.waitUntil((tmp_path / "window.png").exists)
    assert seen == [False]
    qtbot.waitUntil(panel.isVisible)
    panel.write(tmp_path / "window.npy")
    assert not (tmp_path / "window.npy").exists()
    assert "cannot be saved as “window.npy”" in filled_window.messages.text


def test_buttons_elsewhere_open_it_with_their_item(filled_window: StudioWindow) -> None:
    filled_window.panels.attribution.save_asked.emit()
    assert filled_window.exports.panel.views.currentData() == "map"
    filled_window.actions_by_id["contact_sheet"].trigger()
    filled_window.dock_layout.docks["contact_sheet"].panel.save_asked.emit()
    assert filled_window.exports.panel.views.currentData() == "contact_sheet"
