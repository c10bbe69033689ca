"""The receptive-field panel: asks late and little, sharpens as it goes, draws fields and squares in place."""

import numpy as np
import pytest
from msgspec.structs import replace
from numpy.typing import NDArray
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from convnext_studio.common.geometry import FieldGeometry
from convnext_studio.erf import GaussianFit
from convnext_studio.model.framing import Framing, framed
from convnext_studio.protocol.envelope import Progress
from convnext_studio.protocol.receptive_fields import ReceptiveField, Square
from convnext_studio.render import lut
from convnext_studio.ui.panels.receptive_field.receptive_field_panel import ReceptiveFieldPanel
from convnext_studio.ui.plots.field_scene import describe, nearest_unit
from convnext_studio.ui.plots.scene import Mark
from tests.ui.desk import Desk, click_at, colour_at, model, picture, point_at, receptive_field


@pytest.fixture
def desk(qtbot: QtBot) -> Desk:
    return Desk(qtbot)


@pytest.fixture
def panel(desk: Desk) -> ReceptiveFieldPanel:
    desk.state.set_node("stage2")
    desk.state.set_model(model())
    desk.state.opened.add(picture())
    panel = ReceptiveFieldPanel(desk.state, desk.bridge)
    desk.show(panel, 640, 400)
    return panel


@pytest.fixture
def filled(desk: Desk, panel: ReceptiveFieldPanel) -> ReceptiveFieldPanel:
    desk.answer(receptive_field(desk, "stage2"))
    return panel


def asked(desk: Desk) -> list[ReceptiveField]:
    return [request for request in desk.asked if isinstance(request, ReceptiveField)]


def settle(desk: Desk, panel: ReceptiveFieldPanel) -> None:
    """Let the panel ask what it wants to ask."""
    desk.qtbot.waitUntil(lambda: not panel.measured.query.is_scheduled)


def choose_scale(panel: ReceptiveFieldPanel, name: str) -> None:
    panel.scale.setCurrentIndex(panel.scale.findData(name))


def scene_note(panel: ReceptiveFieldPanel) -> str:
    assert panel.map.view.scene is not None
    return panel.map.view.scene.note


def marks(panel: ReceptiveFieldPanel) -> tuple[Mark, ...]:
    assert panel.map.view.scene is not None
    return panel.map.view.scene.marks


def test_it_asks_for_the_selected_node_over_the_opened_pictures(desk: Desk, panel: ReceptiveFieldPanel) -> None:
    assert asked(desk) == [
        ReceptiveField(
            id=1,
            node="stage2",
            images=("cat",),
            count=16,
            fills_up=True,
            protocol="centred",
            framing="own",
            input_px=0,
            panel="receptive_field",
        )
    ]
    assert not panel.is_settled
    desk.answer(receptive_field(desk, "stage2"))
    assert panel.is_settled
    assert panel.notice == ""


def test_without_pictures_or_for_the_head_it_says_why_there_is_nothing(desk: Desk) -> None:
    panel = ReceptiveFieldPanel(desk.state, desk.bridge)
    desk.show(panel)
    assert "picture" in panel.notice
    desk.state.set_model(model())
    desk.state.opened.add(picture())
    desk.state.set_node("head.norm")
    settle(desk, panel)
    assert "no receptive field" in panel.notice
    assert desk.asked == []


def test_many_changes_ask_once(desk: Desk, filled: ReceptiveFieldPanel) -> None:
    for key in ("dog", "owl", "fox"):
        desk.state.opened.add(picture(key))
    desk.state.set_node("stage3")
    filled.fields.protocol.setCurrentIndex(1)
    assert not filled.is_settled
    assert filled.map.view.is_dimmed
    settle(desk, filled)
    assert len(asked(desk)) == 2
    assert asked(desk)[1].images == ("cat", "dog", "owl", "fox")
    assert (asked(desk)[1].node, asked(desk)[1].protocol) == ("stage3", "replknet")


def test_it_follows_the_framing(desk: Desk, filled: ReceptiveFieldPanel) -> None:
    """Only a size that is typed, and RepLKNet's protocol, squash."""
    whole = Framing(kind="whole", input_px=96)
    desk.state.opened.add(picture("dog"), select=False)
    desk.state.set_framing(whole)
    settle(desk, filled)
    shown = asked(desk)[-1]
    assert (shown.framing, shown.images) == ("own", (framed("cat", whole), framed("dog", whole)))
    filled.fields.set_folder("/pictures")
    settle(desk, filled)
    assert (asked(desk)[-1].framing, asked(desk)[-1].folder_framing) == ("own", whole)
    filled.fields.inputs.setCurrentIndex(filled.fields.inputs.findData("pictures"))
    filled.fields.side.setValue(64)
    settle(desk, filled)
    assert (asked(desk)[-1].framing, asked(desk)[-1].images) == ("squashed", ("cat", "dog"))
    filled.fields.side.setValue(0)
    filled.fields.protocol.setCurrentIndex(filled.fields.protocol.findData("replknet"))
    settle(desk, filled)
    assert asked(desk)[-1].framing == "squashed"
    desk.answer(replace(receptive_field(desk, "stage2"), fitted="cropped to"))
    assert "px, pictures cropped" in filled.caption


@pytest.mark.parametrize("is_alone", [True, False])
def test_the_selected_unit_is_measured_where_maps_have_its_rows(
    desk: Desk, filled: ReceptiveFieldPanel, is_alone: bool
) -> None:
    """A single picture has the same maps here as everywhere; several are cropped to what they share."""
    if not is_alone:
        desk.state.opened.add(picture("dog"), select=False)
    desk.state.set_framing(Framing(kind="whole", input_px=96))
    desk.state.set_unit(1, 2)
    settle(desk, filled)
    assert asked(desk)[-1].unit == ((1, 2) if is_alone else None)


def test_pictures_beyond_the_count_change_nothing(desk: Desk, filled: ReceptiveFieldPanel) -> None:
    filled.fields.count.setValue(1)
    settle(desk, filled)
    desk.answer(receptive_field(desk, "stage2"))
    desk.state.opened.add(picture("dog"))
    settle(desk, filled)
    assert [request.count for request in asked(desk)] == [16, 1]
    assert filled.is_settled


def test_display_changes_ask_nothing(desk: Desk, filled: ReceptiveFieldPanel) -> None:
    filled.scale.setCurrentIndex(1)
    filled.colormap.setCurrentIndex(2)
    filled.resize(300, 300)
    settle(desk, filled)
    assert len(desk.asked) == 1


def test_a_protocol_brings_the_scale_that_it_measures_its_squares_on(filled: ReceptiveFieldPanel) -> None:
    """RepLKNet's is log10(x + 1) (Ding et al. 2022); all others are shown in decades below the maximum."""
    protocol, scale = filled.fields.protocol, filled.scale
    for name, its_own in (
        ("replknet", "log"),
        ("absolute", "decades"),
        ("replknet", "log"),
        ("luo", "decades"),
    ):
        protocol.setCurrentIndex(protocol.findData(name))
        assert scale.currentData() == its_own
    scale.setCurrentIndex(scale.findData("log"))  # It can still be chosen.
    assert scale.currentData() == "log"


def test_it_sharpens_while_it_is_averaged(desk: Desk, filled: ReceptiveFieldPanel) -> None:
    desk.state.set_node("stage3")
    settle(desk, filled)
    assert filled.map.view.is_dimmed
    desk.progress(3, 8, receptive_field(desk, "stage3", pictures=3, noises=0))
    assert not filled.map.view.is_dimmed
    assert "3 of 8 inputs" in filled.caption
    assert filled.map.view.scene is not None
    assert "3 of 8 inputs" in filled.map.view.scene.note
    assert not filled.is_settled
    desk.answer(receptive_field(desk, "stage3"))
    assert "of 8 inputs" not in filled.caption
    assert filled.is_settled


def test_what_is_averaged_so_far_is_counted_and_named(desk: Desk, filled: ReceptiveFieldPanel) -> None:
    """One of three pictures was skipped; and noise is no picture."""
    desk.state.set_node("stage3")
    settle(desk, filled)
    desk.progress(3, 8, replace(receptive_field(desk, "stage3", pictures=2, noises=0), skipped=1))
    assert "2 of 8 inputs" in filled.caption
    desk.progress(4, 8, receptive_field(desk, "stage3", pictures=0, noises=4))
    assert "4 of 8 inputs" in filled.caption
    assert "picture" not in filled.caption
    desk.answer(receptive_field(desk, "stage3", pictures=1, noises=7))
    assert filled.caption.startswith("Mean of 1 picture and 7 noise images")


@pytest.mark.parametrize(("kernel", "stride", "padding"), [(4, 1, 1), (4, 4, 0), (2, 2, 0), (7, 2, 3)])
@pytest.mark.usefixtures("panel")
def test_a_click_at_the_border_names_a_unit_that_there_is(
    desk: Desk, kernel: int, stride: int, padding: int
) -> None:
    """Of a convolution whose map numpy's windows count, and the centres of their first and last."""
    side = 63
    starts = np.lib.stride_tricks.sliding_window_view(np.arange(-padding, side + padding), kernel)[::stride, 0]
    field = FieldGeometry().after(kernel, stride, padding)
    assert field.centre_px(len(starts) - 1) == starts[-1] + kernel / 2
    view = replace(receptive_field(desk, "stage2"), field_map=np.ones((side, side)), theoretical=field)
    assert nearest_unit(view, 0.0, side - 1e-6) == (len(starts) - 1, 0)


def test_late_words_about_an_older_question_are_dropped(desk: Desk, filled: ReceptiveFieldPanel) -> None:
    desk.state.set_node("stage3")
    settle(desk, filled)
    desk.state.set_node("stage4")
    assert desk.client.cancelled == [2]
    desk.progress(3, 8, receptive_field(desk, "stage3"))
    desk.answer(receptive_field(desk, "stage3"))
    assert filled.map.view.is_dimmed
    settle(desk, filled)
    desk.answer(receptive_field(desk, "stage4"))
    assert filled.map.view.scene is not None
    assert "stage4" in filled.map.view.scene.note


def test_words_already_on_their_way_are_dropped(desk: Desk, filled: ReceptiveFieldPanel) -> None:
    """The engine has spoken, the window has not read it yet, and the person selects something else."""
    desk.state.set_node("stage3")
    settle(desk, filled)
    partial = receptive_field(desk, "stage3")
    desk.client.tell(Progress(id=2, done=1, total=8, text="", partial=partial))
    desk.state.set_node("stage4")
    QApplication.processEvents()
    assert filled.map.view.is_dimmed
    assert "of 8 inputs" not in filled.caption


def test_what_comes_before_the_first_picture_is_told(desk: Desk, panel: ReceptiveFieldPanel) -> None:
    desk.tell(Progress(id=1, done=0, total=0, text="Loading resnet50"))
    assert panel.notice == "Loading resnet50 …"
    desk.progress(1, 8, receptive_field(desk, "stage2"))
    assert panel.notice == ""


def test_stopping_keeps_what_is_there(desk: Desk, panel: ReceptiveFieldPanel) -> None:
    desk.progress(3, 8, receptive_field(desk, "stage2", pictures=3, noises=0))
    assert panel.measured.stop.text() == "Stop"
    panel.measured.stop.click()
    desk.qtbot.waitUntil(lambda: panel.is_settled)
    assert panel.caption.startswith("Stopped after 3 of 8 inputs")
    assert panel.notice == ""
    settle(desk, panel)
    assert len(desk.asked) == 1
    assert panel.measured.stop.text() == "Measure again"
    panel.measured.stop.click()
    assert len(desk.asked) == 2


def test_stopping_before_there_is_anything_is_said(desk: Desk, panel: ReceptiveFieldPanel) -> None:
    panel.measured.stop.click()
    desk.qtbot.waitUntil(lambda: panel.is_settled)
    assert panel.notice == "Stopped."


def test_hidden_it_asks_nothing_until_it_is_shown(desk: Desk, filled: ReceptiveFieldPanel) -> None:
    filled.hide()
    desk.state.set_node("stage3")
    assert filled.is_settled
    desk.qtbot.waitUntil(lambda: not filled.measured.query.is_scheduled)
    assert len(desk.asked) == 1
    filled.show()
    assert asked(desk)[-1].node == "stage3"


def test_squares_and_field_are_drawn_where_they_are(filled: ReceptiveFieldPanel) -> None:
    """Around (32, 32): a side of 16 px goes from 24 to 40."""
    fifty, twenty, theoretical = marks(filled)
    assert twenty.box == (30, 30, 4, 4)
    assert fifty.box == (24, 24, 16, 16)
    assert twenty.label == "20 % · 4 px · area 0.391 %"
    assert fifty.label == "50 % · 16 px · area 6.25 %"
    assert theoretical.dashed
    # On the protocol's own scale the engine's notes say what is not reached.
    assert "no square within" not in filled.caption
    choose_scale(filled, "log")
    assert [mark.box[2] for mark in marks(filled)[:3]] == [60, 16, 4]
    assert "no square within the input holds 30 %" in filled.caption
    assert "squares of log10(1 + field), as you chose" in filled.caption
    assert "99 %" not in filled.caption


def test_the_theoretical_field_is_clipped_to_the_input_and_its_size_said(
    desk: Desk, filled: ReceptiveFieldPanel
) -> None:
    """Stage 2 of the small model: 4 + 6 · 4 = 28, 2 × 2 adds 4, 7 × 7 at stride 8 adds 48: 80 px, of 64."""
    assert "80 × 80 px, which extends beyond the input and is clipped at the edge" in filled.caption
    assert marks(filled)[-1].label == "theoretical · clipped at the edge"
    # Unit 4 of 8 is centred on 4 + 4 · 8 = 36, and sees -4 to 76.
    assert marks(filled)[-1].box == (0, 0, 64, 64)
    desk.state.set_node("stage1")
    settle(desk, filled)
    desk.answer(receptive_field(desk, "stage1"))
    # 28 px around 2 + 8 · 4 = 34.
    assert marks(filled)[-1].box == (20, 20, 28, 28)
    assert "beyond" not in filled.caption


def test_a_global_node_sees_the_whole_picture_which_is_said_and_not_drawn(
    desk: Desk, panel: ReceptiveFieldPanel
) -> None:
    geometry = FieldGeometry(28, 8, 4.0, is_global=True)
    desk.answer(replace(receptive_field(desk, "stage2"), theoretical=geometry))
    assert not any(mark.dashed for mark in marks(panel))
    assert "convolutions see only 28 px" in panel.caption
    assert panel.map.view.scene is not None
    assert "sees the whole picture" in panel.map.view.scene.note


def test_each_pixel_has_its_fields_colour_and_value(desk: Desk, filled: ReceptiveFieldPanel) -> None:
    choose_scale(filled, "linear")
    view = filled.map.view
    assert colour_at(view, 20.5, 32.5) == tuple(lut("viridis")[255].tolist())
    assert colour_at(view, 19.4, 32.5) == tuple(lut("viridis")[0].tolist())
    point_at(view, view.to_widget(20.5, 32.5))
    assert desk.read_outs[-1] == "stage2 · receptive field · input (20, 32) · value 9.00 · 1.00 of the largest"
    assert filled.map.bar.labels()[-1] == (1.0, "9.00")
    choose_scale(filled, "log")
    assert filled.map.bar.labels()[-1] == (1.0, "1.00")  # log10(9 + 1)


def test_by_default_colours_are_decades_below_the_largest_value(
    desk: Desk, filled: ReceptiveFieldPanel
) -> None:
    """9 at (20, 32), a hundredth of it beside: half of four decades; and nothing elsewhere."""
    field_map = np.zeros((64, 64))
    field_map[32, 20], field_map[32, 22] = 9.0, 0.09
    desk.state.set_node("stage3")
    settle(desk, filled)
    desk.answer(replace(receptive_field(desk, "stage3"), field_map=field_map))
    view, viridis = filled.map.view, lut("viridis")
    assert colour_at(view, 20.5, 32.5) == tuple(viridis[255].tolist())
    assert colour_at(view, 22.5, 32.5) == tuple(viridis[128].tolist())
    assert colour_at(view, 18.5, 32.5) == tuple(viridis[0].tolist())
    assert [text for _, text in filled.map.bar.labels(in_file=True)][::4] == ["≤ -4.00", "0"]
    # The squares are those of the protocol, whatever the colours.
    assert [mark.box[2] for mark in marks(filled)[:2]] == [16, 4]
    assert "log10(x / max)" in scene_note(filled)


def test_it_is_zoomed_to_the_outermost_square_and_shows_everything_with_one_click(
    desk: Desk, filled: ReceptiveFieldPanel
) -> None:
    """The 99 % square from 28 to 36, with a margin of a sixteenth and a pixel: from 26 to 38."""
    field_map = np.zeros((64, 64))
    field_map[32, 30] = 9.0
    small = tuple(
        Square(threshold=share, side_px=side, area_ratio=side**2 / 4096)
        for share, side in ((0.5, 4), (0.99, 8))
    )
    desk.state.set_node("stage3")
    settle(desk, filled)
    result = receptive_field(desk, "stage3")
    desk.answer(replace(result, field_map=field_map, squares={"linear": small, "log": small}))
    assert filled.map.view.scene is not None
    assert filled.map.view.scene.size == (12, 12)
    assert [mark.box for mark in marks(filled)] == [(2, 2, 8, 8), (4, 4, 4, 4)]
    view = filled.map.view
    assert colour_at(view, 4.5, 6.5) == tuple(lut("viridis")[255].tolist())
    point_at(view, view.to_widget(4.5, 6.5))
    assert "input (30, 32) · value 9.00" in desk.read_outs[-1]
    click_at(view, view.to_widget(0.5, 0.5))
    settle(desk, filled)
    assert asked(desk)[-1].unit == nearest_unit(result, 26.5, 26.5)
    desk.answer(replace(result, field_map=field_map, squares={"linear": small, "log": small}))
    filled.zoom.button("whole").click()
    assert filled.map.view.scene.size == (64, 64)
    assert marks(filled)[0].box == (28, 28, 8, 8)
    assert marks(filled)[-1].dashed
    settle(desk, filled)


def test_a_square_that_runs_out_of_the_input_is_said_to_be_clipped(
    desk: Desk, filled: ReceptiveFieldPanel
) -> None:
    """112 px around (32, 32) of 64, and 40 px around (50, 32), of which 34 are left."""
    wide = (Square(threshold=0.99, side_px=112, area_ratio=1.0),)
    beside = (Square(threshold=0.99, side_px=40, area_ratio=34 * 40 / 4096),)
    for squares, centre, label in (
        (wide, (32.0, 32.0), "99 % · 64 px, clipped at the edge · area 100 %"),
        (beside, (50.0, 32.0), "99 % · 34 × 40 px, clipped at the edge · area 33.2 %"),
    ):
        result = receptive_field(desk, "stage2")
        desk.state.set_node("stage3" if squares is wide else "stage4")
        settle(desk, filled)
        desk.answer(replace(result, squares={"linear": squares, "log": squares}, centre_px=centre))
        filled.zoom.choose("whole")
        filled.resize(640, 400)
        desk.qtbot.waitUntil(lambda: marks(filled)[0].label == "99 % · clipped at the edge")
        filled.resize(1000, 400)
        desk.qtbot.waitUntil(lambda label=label: marks(filled)[0].label == label)
        filled.resize(300, 400)
        desk.qtbot.waitUntil(lambda: marks(filled)[0].label == "99 %")
        assert f"Squares: 99 % in {label.split(' · ')[1]}." in filled.caption


def test_the_figure_says_how_it_was_made(desk: Desk, panel: ReceptiveFieldPanel) -> None:
    result = receptive_field(desk, "stage2", pictures=2, noises=0)
    notes = ("The folder has only 2 pictures.",)
    desk.answer(replace(result, random_weights=True, protocol="replknet", skipped=1, notes=notes))
    assert panel.map.view.scene is not None
    note = panel.map.view.scene.note.splitlines()
    assert note == [
        "ERF of stage2",
        "RepLKNet protocol",
        "mean of 2 pictures",
        "log10(x / max)",
        "random weights",
    ]
    assert "The folder has only 2 pictures." in panel.caption


@pytest.mark.parametrize(
    ("field_map", "word"),
    [
        (np.zeros((64, 64)), "zero everywhere"),
        (np.full((64, 64), 2.5), "same everywhere"),
        (np.eye(2), "too small"),
        (np.full((8, 8), np.nan), "not finite"),
    ],
)
def test_a_field_that_tells_nothing_is_told_in_its_place(
    desk: Desk, panel: ReceptiveFieldPanel, field_map: NDArray[np.float64], word: str
) -> None:
    desk.answer(
        replace(receptive_field(desk, "stage2"), field_map=field_map, squares={"linear": (), "log": ()})
    )
    assert word in panel.notice
    desk.state.set_node("stage1")
    settle(desk, panel)
    desk.answer(receptive_field(desk, "stage1"))
    assert panel.notice == ""


def test_every_protocol_can_be_chosen_and_has_a_sentence(desk: Desk, filled: ReceptiveFieldPanel) -> None:
    said = set()
    for index, name in enumerate(("centred", "replknet", "absolute", "luo")):
        filled.fields.protocol.setCurrentIndex(index)
        settle(desk, filled)
        assert filled.fields.settings.protocol == asked(desk)[-1].protocol == name
        said.add(filled.fields.sentence.text())
    assert len(said) == 4


@pytest.mark.parametrize("height", range(130, 270, 8))
def test_no_label_is_cut_off_and_nothing_is_left_unsaid(
    desk: Desk, panel: ReceptiveFieldPanel, height: int
) -> None:
    four = tuple(
        Square(threshold=share, side_px=side, area_ratio=side**2 / 4096)
        for share, side in ((0.2, 4), (0.3, 6), (0.5, 16), (0.99, 46))
    )
    panel.resize(520, height)
    desk.answer(replace(receptive_field(desk, "stage2"), squares={"linear": four, "log": ()}))
    view, caption = panel.map.view, panel.caption
    scene = view.scene
    assert scene is not None
    lines, labels = scene.note.splitlines(), [mark.label for mark in scene.marks if mark.beside]
    of_one = view.fontMetrics().height()
    # Labels have 4 pixels around them, lines of the note 2, and the column 6 at either end.
    assert len(labels) * (of_one + 4) + len(lines) * (of_one + 2) + 12 <= view.height() or not labels
    assert all(said in "\n".join((scene.note, caption)) for said in ("Centred protocol", "log10(x / max)"))
    said = "\n".join((*(mark.label for mark in scene.marks), caption))
    assert all(side in said for side in ("4 px", "6 px", "16 px", "46 px"))


def test_luo_takes_noise_and_needs_no_picture(desk: Desk) -> None:
    desk.state.set_model(model())
    panel = ReceptiveFieldPanel(desk.state, desk.bridge)
    desk.show(panel)
    assert "picture" in panel.notice
    panel.fields.protocol.setCurrentIndex(3)
    settle(desk, panel)
    assert asked(desk)[-1].images == ()
    assert not panel.fields.inputs.isEnabled()


def test_the_gaussian_of_luos_protocol_is_said_and_that_none_fits(desk: Desk) -> None:
    desk.state.set_model(model())
    found = replace(receptive_field(desk, "stage2"), protocol="luo")
    fit = GaussianFit(amplitude=1.0, sigma_px=1234.5, explained=0.9)
    assert "Gaussian fit: σ 1234 px, radius 3069 px" in describe(replace(found, gaussian=fit), "linear")
    assert "no Gaussian fits" in describe(replace(found, gaussian=None), "linear")
    assert "Gaussian" not in describe(replace(found, gaussian=None, protocol="replknet"), "linear")


def test_a_folder_is_asked_for_and_then_measured(desk: Desk, filled: ReceptiveFieldPanel) -> None:
    filled.fields.inputs.setCurrentIndex(1)
    settle(desk, filled)
    assert "folder" in filled.notice
    assert filled.fields.choose.isVisible()
    filled.fields.set_folder("/photos")
    settle(desk, filled)
    assert (asked(desk)[-1].inputs, asked(desk)[-1].folder) == ("folder", "/photos")
    assert asked(desk)[-1].images == ()


def test_noise_size_seed_and_count_reach_the_engine(desk: Desk, filled: ReceptiveFieldPanel) -> None:
    filled.fields.inputs.setCurrentIndex(2)
    filled.fields.side.setValue(384)
    filled.fields.seed.setValue(7)
    filled.fields.count.setValue(50)
    settle(desk, filled)
    request = asked(desk)[-1]
    assert (request.inputs, request.input_px, request.seed, request.count) == ("noise", 384, 7, 50)


def test_a_click_on_the_field_measures_the_unit_there(desk: Desk, filled: ReceptiveFieldPanel) -> None:
    """Units of stage 2 are 8 px apart, the first at 4: row 1 is centred on 12, column 6 on 52."""
    view = filled.map.view
    click_at(view, view.to_widget(53.0, 11.0))
    settle(desk, filled)
    assert asked(desk)[-1].unit == (1, 6)
    assert (filled.fields.unit_row.value(), filled.fields.unit_column.value()) == (1, 6)
    click_at(view, view.to_widget(63.5, 0.5))
    settle(desk, filled)
    assert asked(desk)[-1].unit == (0, 7)
    filled.fields.is_middle.setChecked(True)
    settle(desk, filled)
    assert asked(desk)[-1].unit is None


def test_another_node_is_measured_in_its_middle(desk: Desk, filled: ReceptiveFieldPanel) -> None:
    filled.fields.set_unit((1, 6))
    settle(desk, filled)
    desk.state.set_node("stage4")
    settle(desk, filled)
    assert (asked(desk)[-1].node, asked(desk)[-1].unit) == ("stage4", None)


def test_it_measures_the_unit_that_is_selected_anywhere(desk: Desk, filled: ReceptiveFieldPanel) -> None:
    desk.state.set_unit(2, 5)
    settle(desk, filled)
    assert asked(desk)[-1].unit == (2, 5)
    desk.answer(receptive_field(desk, "stage2"))
    view = filled.map.view
    click_at(view, view.to_widget(53.0, 11.0))
    assert desk.state.unit == (1, 6)
    desk.state.clear_unit()
    settle(desk, filled)
    assert asked(desk)[-1].unit is None


def test_a_map_of_another_size_has_units_of_its_own(desk: Desk, filled: ReceptiveFieldPanel) -> None:
    filled.fields.side.setValue(128)
    desk.state.set_unit(2, 5)
    settle(desk, filled)
    assert (asked(desk)[-1].input_px, asked(desk)[-1].unit) == (128, None)
    desk.answer(receptive_field(desk, "stage2"))
    view = filled.map.view
    click_at(view, view.to_widget(53.0, 11.0))
    settle(desk, filled)
    assert asked(desk)[-1].unit == (1, 6)
    assert desk.state.unit == (2, 5)


def test_where_memory_runs_out_a_smaller_input_is_offered(desk: Desk, panel: ReceptiveFieldPanel) -> None:
    desk.fail("The computer's memory does not take an input of 1024 px for this network.", smaller_px=768)
    assert panel.measured.smaller.isVisible()
    assert panel.measured.smaller.text() == "Measure at 768 px"
    panel.measured.smaller.click()
    settle(desk, panel)
    assert asked(desk)[-1].input_px == 768
    desk.fail("Something else.")
    assert not panel.measured.smaller.isVisible()


def test_the_middle_unit_is_told_without_a_new_question(desk: Desk, filled: ReceptiveFieldPanel) -> None:
    assert (filled.fields.unit_row.value(), filled.fields.unit_column.value()) == (4, 4)
    settle(desk, filled)
    assert len(asked(desk)) == 1


def test_in_a_wide_panel_the_choices_keep_their_width(filled: ReceptiveFieldPanel, desk: Desk) -> None:
    filled.resize(1200, 400)
    filled.show()
    desk.qtbot.waitExposed(filled)
    controls = (filled.fields.protocol, filled.fields.inputs, filled.fields.count, filled.fields.more)
    assert [each.width() for each in controls] == [each.sizeHint().width() for each in controls]
