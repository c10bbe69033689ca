"""The figure panel: views are kept as they were, put on one scale, arranged, and written as one page."""

import re
import zlib
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from msgspec.structs import replace
from pytestqt.qtbot import QtBot

from convnext_studio.export.plates import CELL_PX, Plate, plate_bytes
from convnext_studio.render import Limits, Shading, colorize
from convnext_studio.ui.panels.figure.figure_panel import FigurePanel
from convnext_studio.ui.plots.color_bar import ColorScale
from convnext_studio.ui.plots.map_texts import map_layer, numbers_of, veil_layer
from convnext_studio.ui.plots.map_view import MapView
from convnext_studio.ui.plots.saving.snapshot import Snapshot, on_common_scales
from convnext_studio.ui.plots.saving.view_saver import ViewContents
from convnext_studio.ui.plots.scene import Bitmap, Layer, Mark, Scene
from convnext_studio.ui.state.background import Background
from convnext_studio.ui.widgets.message_bar import Notice
from convnext_studio.ui.widgets.save_dialog import SaveDialogs

VALUES = np.array([[0.0, 1.0], [2.0, 4.0]], dtype=np.float32)


def view_of(qtbot: QtBot, factor: float, over_picture: bool = False, name: str = "map") -> MapView:
    view = MapView(name)
    qtbot.addWidget(view)
    view.resize(200, 160)
    values, limits = (factor * VALUES).astype(np.float32), Limits(0.0, 4.0 * factor)
    box = (0.0, 0.0, 2.0, 2.0)
    layers = (map_layer(values, box, limits, "viridis"),)
    zero = None
    if over_picture:
        photograph = Layer(Bitmap(np.full((2, 2, 3), 90, np.uint8)), box)
        layers, zero = (photograph, veil_layer(values, box, limits, "viridis")), 0.0
    view.view.set_scene(Scene(size=(2, 2), layers=layers))
    view.bar.set_scale(ColorScale("viridis", limits, zero=zero))
    view.set_contents(ViewContents(name, f"{name} times {factor:g}", values))
    view.show()
    qtbot.waitExposed(view)
    return view


class Bench:
    def __init__(self, qtbot: QtBot) -> None:
        self.views: list[MapView] = []
        self.background = Background()
        self.panel = FigurePanel(lambda: self.views, self.background, SaveDialogs())
        self.notices: list[Notice] = []
        self.panel.noticed.connect(self.notices.append)
        qtbot.addWidget(self.panel)


@pytest.fixture
def bench(qtbot: QtBot) -> Bench:
    return Bench(qtbot)


def test_a_view_is_kept_as_it_was_when_it_was_added(bench: Bench, qtbot: QtBot) -> None:
    view = view_of(qtbot, 1.0)
    bench.panel.add_view(view)
    before = bench.panel.plate().cells[0].body
    view.view.set_scene(None)
    view.set_contents(None)
    np.testing.assert_array_equal(bench.panel.plate().cells[0].body, before)


def test_maps_with_the_same_colours_share_one_scale(bench: Bench, qtbot: QtBot) -> None:
    for factor in (1.0, 10.0):
        bench.panel.add_view(view_of(qtbot, factor))
    first, second = on_common_scales(bench.panel.snapshots)
    assert first.scale is not None
    assert second.scale is not None
    assert first.scale.limits == second.scale.limits == Limits(0.0, 40.0)
    body, _ = first.paint(100)
    expected = colorize(VALUES, Limits(0.0, 40.0), "viridis")
    quarter = body.shape[0] // 4
    for row in (0, 1):
        for column in (0, 1):
            seen = body[quarter + row * 2 * quarter, quarter + column * 2 * quarter]
            assert np.abs(seen.astype(int) - expected[row, column].astype(int)).max() <= 2
    bars = [cell.bar for cell in bench.panel.plate().cells]
    assert bars[0] is not None
    assert bars[1] is not None
    assert bars[0].limits == bars[1].limits
    bench.panel.shared.setChecked(False)
    own = [cell.bar for cell in bench.panel.plate().cells]
    assert own[0] is not None
    assert own[1] is not None
    assert own[0].limits != own[1].limits


def test_a_map_over_a_photograph_shares_with_its_like_only(qtbot: QtBot) -> None:
    snapshots = [
        Snapshot.of(view_of(qtbot, 1.0)),
        Snapshot.of(view_of(qtbot, 2.0, over_picture=True)),
        Snapshot.of(view_of(qtbot, 3.0, over_picture=True)),
    ]
    found = on_common_scales([each for each in snapshots if each is not None])
    highs = [
        each.scale.limits.high for each in found if each.scale is not None and each.scale.limits is not None
    ]
    assert highs == [4.0, 12.0, 12.0]


def test_a_map_that_shows_something_else_than_its_values_keeps_its_colours(qtbot: QtBot) -> None:
    """The colours of a logarithm: coloured again from the values, they would be wrong."""
    plain, log = view_of(qtbot, 1.0), view_of(qtbot, 2.0)
    shown = map_layer(np.log10(VALUES + 1), (0.0, 0.0, 2.0, 2.0), Limits(0.0, 1.0), "viridis")
    log.view.set_scene(Scene(size=(2, 2), layers=(replace(shown, numbers=numbers_of(VALUES)),)))
    log.bar.set_scale(ColorScale("viridis", Limits(0.0, 1.0)))
    found = [Snapshot.of(plain), Snapshot.of(log)]
    kept = [each for each in found if each is not None]
    assert kept[1].group is None
    assert on_common_scales(kept)[1] is kept[1]


def test_a_smooth_attribution_shares_its_scale(qtbot: QtBot) -> None:
    views = [view_of(qtbot, factor) for factor in (1.0, 3.0)]
    for view, factor in zip(views, (1.0, 3.0), strict=True):
        values, limits = (factor * VALUES).astype(np.float32), Limits(0.0, 4.0 * factor)
        colours = Shading(smooth=True).veil_of(values, limits)
        layer = Layer(Bitmap(colours), (0.0, 0.0, 2.0, 2.0), smooth=True, numbers=numbers_of(values))
        view.view.set_scene(Scene(size=(2, 2), layers=(layer,)))
        view.bar.set_scale(ColorScale(Shading().colormap, limits, zero=0.0))
    found = [each for each in map(Snapshot.of, views) if each is not None]
    first, second = on_common_scales(found)
    assert first.scale is not None
    assert second.scale is not None
    assert first.scale.limits == second.scale.limits == Limits(0.0, 12.0)
    assert second is found[1]  # It was on that scale already.


def test_views_are_lettered_arranged_and_described(bench: Bench, qtbot: QtBot) -> None:
    panel = bench.panel
    for number, name in enumerate(("one", "two", "three")):
        panel.add_view(view_of(qtbot, number + 1.0, name=name))
    assert [panel.list.item(row).text() for row in range(3)] == ["(a) one", "(b) two", "(c) three"]
    assert panel.caption.toPlainText() == "(a) one times 1. (b) two times 2. (c) three times 3."
    panel.list.setCurrentRow(2)
    panel.up.click()
    assert panel.caption.toPlainText() == "(a) one times 1. (b) three times 3. (c) two times 2."
    assert panel.list.currentRow() == 1
    panel.caption.setPlainText("Mine.")
    panel.remove.click()
    assert len(panel.snapshots) == 2
    assert panel.plate().caption == "Mine."
    panel.letters.setChecked(False)
    assert not panel.plate().has_letters


def test_the_largest_view_is_added_and_an_empty_window_says_so(bench: Bench, qtbot: QtBot) -> None:
    bench.panel.add.click()
    assert "no view to add" in bench.notices[-1].text
    small, large = view_of(qtbot, 1.0, name="small"), view_of(qtbot, 1.0, name="large")
    large.resize(400, 300)
    bench.views += [small, large]
    bench.panel.add.click()
    assert [each.name for each in bench.panel.snapshots] == ["large"]


def test_the_page_is_previewed_and_written(bench: Bench, qtbot: QtBot, tmp_path: Path) -> None:
    for factor in (1.0, 2.0):
        bench.panel.add_view(view_of(qtbot, factor))
    bench.panel.resize(460, 620)
    bench.panel.show()
    qtbot.waitUntil(lambda: bench.panel.is_settled and not bench.panel.preview.pixmap().isNull(), timeout=20000)
    for ending in ("pdf", "svg", "png"):
        bench.panel.write(tmp_path / f"figure.{ending}")
        qtbot.waitUntil(lambda ending=ending: (tmp_path / f"figure.{ending}").exists(), timeout=20000)
    bench.panel.write(tmp_path / "figure.gif")
    qtbot.waitUntil(lambda: any("figure" in each.text.lower() and not each.good for each in bench.notices))
    bench.panel.hide()
    bench.background.close()
    assert "<text" in (tmp_path / "figure.svg").read_text(encoding="utf-8")


def test_texts_in_the_maps_are_text_in_files_and_are_not_painted_twice(bench: Bench, qtbot: QtBot) -> None:
    view = view_of(qtbot, 1.0, name="marked")
    assert view.view.scene is not None
    box = (0.5, 0.5, 1.0, 1.0)
    bare = Snapshot.of(view)
    view.view.set_scene(replace(view.view.scene, marks=(Mark(box, "unit (y 1, x 2)"),)))
    bench.panel.add_view(view)
    [cell] = bench.panel.plate().cells
    assert [text.text for text in cell.texts] == ["unit (y 1, x 2)"]
    left, top, width, height = cell.texts[0].box
    assert width > 0
    # Its dark ground is painted where the text will be, and no letter.
    ground = cell.body[round(top) + 1 : round(top + height) - 1, round(left) + 1 : round(left + width) - 1]
    assert bare is not None
    before = bare.paint(CELL_PX)[0][
        round(top) + 1 : round(top + height) - 1, round(left) + 1 : round(left + width) - 1
    ]
    share = 215 / 255  # The opacity of the ground, which is black.
    assert np.abs(ground.astype(float) - (1 - share) * before.astype(float)).max() <= 2
    svg = plate_bytes(bench.panel.plate(), "svg").decode()
    texts = [
        "".join(element.itertext()).strip()
        for element in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")
    ]
    assert "unit (y 1, x 2)" in texts
    plate = bench.panel.plate()
    bare_plate = replace(plate, cells=tuple(replace(each, texts=()) for each in plate.cells))
    assert lines_in_pdf(plate) == lines_in_pdf(bare_plate) + 1


def lines_in_pdf(plate: Plate) -> int:
    """Return how many lines of text a PDF page has, by the operators that show text."""
    page = b"".join(
        zlib.decompress(stream.strip(b"\r\n"))
        for stream in re.findall(rb"FlateDecode.*?stream(.*?)endstream", plate_bytes(plate, "pdf"), re.DOTALL)
    )
    return len(re.findall(rb"T[jJ]\b", page))
