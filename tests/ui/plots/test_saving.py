"""What a view shows, on the clipboard and in files."""

import base64
import re
import zlib
from io import BytesIO
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QDrag, QGuiApplication, QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QFileDialog
from pytestqt.qtbot import QtBot

from convnext_studio.render import Limits
from convnext_studio.ui.plots.color_bar import ColorScale
from convnext_studio.ui.plots.map_view import MapView
from convnext_studio.ui.plots.saving.vector_files import view_pdf, view_svg
from convnext_studio.ui.plots.saving.view_saver import DragOut, ViewContents
from convnext_studio.ui.plots.scene import Bitmap, Layer, Lines, Mark, Scene, Spot
from convnext_studio.ui.shell.window import StudioWindow
from convnext_studio.ui.widgets.message_bar import Notice
from convnext_studio.ui.widgets.qimage import from_qimage, to_qimage
from tests.ui.conftest import make_model, make_prediction
from tests.ui.desk import point_at

SVG = "{http://www.w3.org/2000/svg}"
COLOURS = np.array([[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [90, 90, 90]]], dtype=np.uint8)
VALUES = np.array([[1.0, 2.0], [3.0, np.nan]], dtype=np.float32)


@pytest.fixture
def shown(qtbot: QtBot) -> MapView:
    """Four units, large, with a frame, a cross and a note."""
    map_view = MapView("A map")
    qtbot.addWidget(map_view)
    map_view.resize(400, 240)
    map_view.show()
    qtbot.waitExposed(map_view)
    scene = Scene(
        size=(2, 2),
        layers=(Layer(Bitmap(COLOURS), (0, 0, 2, 2)),),
        marks=(Mark((0, 0, 1, 1), "first"),),
        note="a note",
        spots=(Spot(1.5, 1.5),),
    )
    map_view.view.set_scene(scene)
    map_view.bar.set_scale(ColorScale("viridis", Limits(0, 4)))
    map_view.set_contents(ViewContents("cat: stage3", "each channel's own scale", VALUES))
    return map_view


@pytest.fixture
def notices(shown: MapView) -> list[Notice]:
    told: list[Notice] = []
    shown.noticed.connect(told.append)
    return told


def wait(qtbot: QtBot, shown: MapView, notices: list[Notice]) -> None:
    qtbot.waitUntil(lambda: bool(notices) and not shown.saver.is_busy)


@pytest.mark.parametrize("width", [1, 2, 3, 5, 64])
def test_colours_go_to_qt_and_back(width: int) -> None:
    """Whatever the rows' padding."""
    rgb = np.random.default_rng(width).integers(0, 256, (4, width, 3), dtype=np.uint8)
    assert (from_qimage(to_qimage(rgb)) == rgb).all()


def test_the_picture_has_the_map_and_its_scale_at_any_width(shown: MapView) -> None:
    on_screen = shown.picture()
    large = shown.picture(1600)
    assert large.width() == 1600
    assert large.height() == pytest.approx(1600 * on_screen.height() / on_screen.width(), abs=1)
    factor = 1600 / on_screen.width()
    for x, y in [(1.7, 0.3), (0.3, 1.7)]:
        place = shown.view.to_widget(x, y) * factor
        assert large.pixelColor(place.toPoint()).getRgb()[:3] == tuple(COLOURS[int(y), int(x)])
    # The bar: its highest colour at the top, viridis' yellow.
    top = QPointF(shown.bar.x() + 8, shown.bar.y() + 14) * factor
    red, green, blue, _ = large.pixelColor(top.toPoint()).getRgb()
    assert min(red, green) > 200
    assert blue < 80


def test_the_picture_is_copied(shown: MapView, notices: list[Notice]) -> None:
    shown.view.setFocus()
    QTest.keyClick(shown.view, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    image = QGuiApplication.clipboard().image()
    assert (from_qimage(image) == from_qimage(shown.picture())).all()
    assert [notice.good for notice in notices] == [True]


def test_a_png_is_saved_as_wide_as_wished(
    qtbot: QtBot, shown: MapView, notices: list[Notice], tmp_path: Path
) -> None:
    shown.saver.write_png(tmp_path / "view.png", 1000)
    wait(qtbot, shown, notices)
    with Image.open(tmp_path / "view.png") as picture:
        assert picture.width == 1000
        assert (np.asarray(picture) == from_qimage(shown.picture(1000))).all()
        assert picture.text["Description"] == "each channel's own scale"
    assert notices[0].good


def test_the_numbers_are_saved_as_they_are(
    qtbot: QtBot, shown: MapView, notices: list[Notice], tmp_path: Path
) -> None:
    shown.saver.write_npy(tmp_path / "view.npy")
    wait(qtbot, shown, notices)
    np.testing.assert_array_equal(np.load(tmp_path / "view.npy"), VALUES)


def rooted(data: bytes) -> ElementTree.Element:
    return ElementTree.fromstring(data)


def words_of(root: ElementTree.Element) -> list[str]:
    return [element.text or "" for element in root.iter(f"{SVG}text")]


def groups_of(root: ElementTree.Element, tag: str) -> list[tuple[ElementTree.Element, ElementTree.Element]]:
    """The elements of a kind, each with the group that says how it is drawn."""
    return [(group, each) for group in root.iter(f"{SVG}g") for each in group.findall(f"{SVG}{tag}")]


def moved_by(group: ElementTree.Element) -> tuple[float, float]:
    [*scale, x, y] = [float(number) for number in re.findall(r"[-\d.e]+", group.get("transform", ""))]
    assert scale == [1, 0, 0, 1]
    return x, y


def colours_in(image: ElementTree.Element) -> np.ndarray:
    data = base64.b64decode(image.get("{http://www.w3.org/1999/xlink}href", "").partition(",")[2])
    return np.asarray(Image.open(BytesIO(data)).convert("RGB"))


def test_an_svg_has_the_scale_and_all_that_is_drawn(
    qtbot: QtBot, shown: MapView, notices: list[Notice], tmp_path: Path
) -> None:
    shown.saver.write_svg(tmp_path / "view.svg")
    wait(qtbot, shown, notices)
    root = rooted((tmp_path / "view.svg").read_bytes())
    words = words_of(root)
    assert {"first", "0", "2", "4.00", "cat: stage3"} <= set(words)
    assert "a note" in " ".join(words)
    group, image = groups_of(root, "image")[0]
    left, right = shown.view.to_widget(0, 0).x(), shown.view.to_widget(2, 0).x()
    assert float(image.get("x")) + moved_by(group)[0] == pytest.approx(12 + left, abs=1e-3)
    assert float(image.get("width")) == pytest.approx(right - left, rel=1e-3)
    assert (colours_in(image) == COLOURS).all()
    assert image.get("preserveAspectRatio") == "none"
    assert "pixelated" in image.get("style")
    assert root.find(f"{SVG}title").text == "cat: stage3"
    assert root.find(f"{SVG}desc").text == "each channel's own scale"
    assert "each channel's own scale" in words


def test_an_svg_has_lines_frames_and_opacity(shown: MapView) -> None:
    layer = Layer(Bitmap(COLOURS), (0, 0, 2, 2), opacity=0.5, clip=(0, 0, 1, 2))
    mark = Mark((0.5, 0.5, 1, 1), "50 %", "#ff0000", dashed=True)
    lines = Lines(np.array([[[0.25, 0.5], [1.5, 1.25]]]), "#abcdef")
    shown.view.set_scene(Scene(size=(2, 2), layers=(layer,), marks=(mark,), lines=(lines,)))
    root = rooted(view_svg(shown, "a", "b"))
    [half] = [group for group, _ in groups_of(root, "image") if group.get("opacity") is not None]
    assert float(half.get("opacity")) == 0.5
    dashed = [group.get("stroke") for group in root.iter(f"{SVG}g") if group.get("stroke-dasharray")]
    assert set(dashed) == {"#ff0000"}
    assert "50 %" in words_of(root)
    drawn = [line for group, line in groups_of(root, "polyline") if group.get("stroke") == "#abcdef"]
    start, end = (np.array(pair.split(","), float) for pair in drawn[0].get("points").split())
    for point, place in ((start, (0.25, 0.5)), (end, (1.5, 1.25))):
        assert point == pytest.approx(shown.view.to_widget(*place).toTuple(), abs=0.01)


def test_an_svg_of_an_enlarged_view_holds_what_is_seen(shown: MapView) -> None:
    """Qt writes whole images, whatever part of them is to be drawn."""
    shown.view.look(1.5, 0.5, 400)
    [(group, image), *_] = groups_of(rooted(view_svg(shown, "a", "b")), "image")
    assert colours_in(image).tolist() == [[COLOURS[0, 1].tolist()]]
    assert float(image.get("width")) == pytest.approx(400)
    left = float(image.get("x")) + moved_by(group)[0]
    assert left == pytest.approx(12 + shown.view.to_widget(1, 0).x(), abs=0.01)


def test_an_svg_of_odd_characters_and_without_a_scale_is_valid(shown: MapView) -> None:
    shown.bar.set_scale(None)
    root = rooted(view_svg(shown, "a\x00b\x1b \"<' 猫 \udcff", "caption & \x07"))
    assert root.find(f"{SVG}title").text == "a b  \"<' 猫 ?"
    assert root.find(f"{SVG}desc").text == "caption &  "
    view_pdf(shown, "a\x00b\x1b \"<' 猫 \udcff", "caption & \x07")


def test_numbers_stand_at_their_heights_in_an_svg(shown: MapView) -> None:
    root = rooted(view_svg(shown, "a", "b"))
    heights = {}
    for group, text in groups_of(root, "text"):
        heights[text.text] = float(text.get("y")) + moved_by(group)[1]
    bar = shown.bar.height() - shown.bar.fontMetrics().height()
    assert heights["0"] - heights["4.00"] == pytest.approx(bar, abs=1)
    assert heights["2"] == pytest.approx((heights["0"] + heights["4.00"]) / 2, abs=1)


def test_what_fails_is_said(qtbot: QtBot, shown: MapView, notices: list[Notice], tmp_path: Path) -> None:
    shown.saver.write_png(tmp_path / "missing" / "view.png")
    wait(qtbot, shown, notices)
    assert not notices[0].good
    assert "could not be written" in notices[0].message


def test_the_menu_asks_where(
    qtbot: QtBot, shown: MapView, notices: list[Notice], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The name is a safe one; an extension is added where the person types none."""
    suggested: list[str] = []

    def choose(_parent: object, _title: str, path: str, *_kinds: str) -> tuple[str, str]:
        suggested.append(Path(path).name)
        return str(tmp_path / "mine"), ""

    monkeypatch.setattr(QFileDialog, "getSaveFileName", choose)
    array = next(action for action in shown.saver.menu.actions() if ".npy" in action.text())
    shown.saver.menu.aboutToShow.emit()
    assert array.isEnabled()
    array.trigger()
    wait(qtbot, shown, notices)
    assert suggested == ["cat_ stage3.npy"]
    assert [path.name for path in tmp_path.glob("*.*")] == ["mine.npy"]
    shown.set_contents(None)
    shown.saver.menu.aboutToShow.emit()
    assert not array.isEnabled()


def test_the_right_button_drags_nothing(shown: MapView) -> None:
    """The menu that it opens swallows its release."""
    QTest.mousePress(shown.view, Qt.MouseButton.RightButton, pos=QPoint(50, 50))
    point_at(shown.view, QPointF(120, 120))
    assert shown.view.is_fitted


def test_a_view_of_nothing_is_copied_too(qtbot: QtBot) -> None:
    empty = MapView("Nothing")
    qtbot.addWidget(empty)
    assert isinstance(empty.picture(), QImage)
    empty.saver.copy()


def test_the_window_says_where_a_view_was_saved(
    qtbot: QtBot, filled_window: StudioWindow, tmp_path: Path
) -> None:
    """Any panel's; the file says which model it is of."""
    attribution = filled_window.panels.attribution.figure.cells[0].map
    attribution.saver.write_png(tmp_path / "cam.png")
    qtbot.waitUntil(lambda: "cam.png" in filled_window.messages.text)
    with Image.open(tmp_path / "cam.png") as picture:
        assert "Small · Grad-CAM for" in picture.text["Description"]
    state = filled_window.state
    state.set_model(make_model(random_weights=True))
    prediction = make_prediction()
    state.set_prediction(prediction)
    qtbot.waitUntil(lambda: filled_window.panels.attribution.is_settled)
    assert attribution.contents is not None
    assert "random weights" in attribution.contents.caption


def test_the_numbers_are_copied_for_a_spreadsheet(qtbot: QtBot, shown: MapView, notices: list[Notice]) -> None:
    shown.saver.copy_numbers()
    wait(qtbot, shown, notices)
    assert QGuiApplication.clipboard().text() == "1.0\t2.0\n3.0\tnan\n"
    shown.set_contents(ViewContents("large", "", np.zeros((1001, 1000), np.float32)))
    shown.saver.copy_numbers()
    assert "too many" in notices[-1].message
    assert QGuiApplication.clipboard().text().startswith("1.0")


def test_a_page_of_pdf_holds_the_maps_colours_without_loss(
    qtbot: QtBot, shown: MapView, notices: list[Notice], tmp_path: Path
) -> None:
    """The map's four units are four pixels in it, enlarged by the reader."""
    shown.saver.write_pdf(tmp_path / "view.pdf")
    wait(qtbot, shown, notices)
    data = (tmp_path / "view.pdf").read_bytes()
    assert data.startswith(b"%PDF-")
    [width, height] = re.findall(rb"/MediaBox \[0 0 ([0-9.]+) ([0-9.]+)\]", data)[0]
    size = shown.painted_size()
    assert float(width) == pytest.approx((size.width() + 24) * 0.75, abs=1)
    assert size.height() * 0.75 < float(height) < (size.height() + 120) * 0.75
    streams = [
        zlib.decompress(found)
        for found in re.findall(rb"stream\r?\n(.*?)endstream", data, re.DOTALL)
        if found.startswith(b"\x78")
    ]
    assert any(COLOURS.tobytes() in stream for stream in streams)


def test_a_dragged_view_is_a_file_and_pixels(shown: MapView) -> None:
    drag = shown.view.findChild(DragOut)
    assert drag is not None
    mime = drag.mime()
    assert (from_qimage(QImage(mime.imageData())) == from_qimage(shown.picture())).all()
    path = Path(mime.urls()[0].toLocalFile())
    assert path.suffix == ".png"
    with Image.open(path) as picture:
        assert (np.asarray(picture.convert("RGB")) == from_qimage(shown.picture())).all()


def test_ctrl_and_the_button_drag_and_do_not_move_the_map(
    shown: MapView, monkeypatch: pytest.MonkeyPatch
) -> None:
    dragged: list[QDrag] = []
    monkeypatch.setattr(QDrag, "exec", lambda drag, _action: dragged.append(drag))
    before = shown.view.to_widget(0, 0)
    clicked: list[tuple[float, float]] = []
    shown.view.clicked.connect(lambda x, y: clicked.append((x, y)))
    ctrl, left = Qt.KeyboardModifier.ControlModifier, Qt.MouseButton.LeftButton
    QTest.mousePress(shown.view, left, ctrl, QPoint(100, 100))
    QTest.mouseMove(shown.view, QPoint(103, 101))
    assert dragged == []
    QTest.mouseMove(shown.view, QPoint(160, 130))
    assert len(dragged) == 1
    assert dragged[0].mimeData().hasImage()
    QTest.mouseRelease(shown.view, left, ctrl, QPoint(160, 130))
    assert shown.view.to_widget(0, 0) == before
    QTest.mouseClick(shown.view, left, ctrl, QPoint(100, 100))
    assert clicked == []


def test_what_is_saved_and_copied_is_listed_among_the_activities(
    qtbot: QtBot, filled_window: StudioWindow, tmp_path: Path
) -> None:
    shown = filled_window.panels.attribution.figure.cells[0].map
    shown.saver.write_npy(tmp_path / "cam.npy")
    shown.saver.copy_numbers()
    qtbot.waitUntil(lambda: not shown.saver.is_busy and "copied" in filled_window.messages.text)
    log = filled_window.panels.activity.activities._log
    own = [activity.what for activity in log.over if activity.id < 0]  # The engine's may end in between.
    assert sorted(own[:2]) == ["Copying numbers", "Saving a view"]
