"""The real program in a real window: a photograph is dropped on it, and the panels show the truth about it."""

import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from msgspec import Struct
from numpy.typing import NDArray

from convnext_studio.common.samples import FIRST_SAMPLE, sample_path
from tests.end_to_end import apart
from tests.end_to_end.answers import View
from tests.end_to_end.apart import GRIDS, INPUT_PX, LABELS, Apart
from tests.end_to_end.desktop import WINDOW_SIZE, dropped, x_server
from tests.end_to_end.program import Program, environment
from tests.end_to_end.waiting import wait_for

pytestmark = pytest.mark.skipif(
    not (shutil.which("Xvfb") and shutil.which("xdotool")), reason="Xvfb and xdotool are not installed"
)

ACCENT = np.array([0x6C, 0xB2, 0xF2])
# A colour map's neighbouring colours differ by less; rounding may take the one or the other.
COLOUR_STEP = 8


class Desk(Struct, frozen=True):
    """The program on a display.

    Attributes
    ----------
    drop
        Drags files out of another program and drops them in the middle of the window.
    gaps_s
        Turns of the window's event loop from its first painting until the dropped photograph was shown, and
        the thread's own work in each.
    """

    program: Program
    drop: Callable[[list[Path]], None]
    gaps_s: tuple[list[float], list[float]]


@pytest.fixture(scope="module")
def desk(weights: Path, photograph: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """The program after its own sample and a dropped photograph, all settled."""
    folder = tmp_path_factory.mktemp("desk")
    size = "{}x{}".format(*WINDOW_SIZE)
    arguments = ["--model", str(weights), "--offline", "--device", "cpu", "--size", size]
    with x_server() as display:
        variables = environment(folder / "settings", DISPLAY=display, QT_QPA_PLATFORM="xcb")
        program = Program(arguments, variables, folder / "stderr.txt")
        try:
            x, y, width, height = program.ask("place", 0, 0)

            def drop(paths: list[Path]) -> None:
                before = opened(program)
                middle = x + width // 2, y + height // 2
                with dropped(paths, middle, variables, folder / "drag.txt"):
                    wait_for("the files arrive", lambda: opened(program) == before + 1)

            program.wait_until_settled()
            program.ask("set_control", "receptive_field", "fields.count", 2)
            drop([photograph])
            program.wait_until_settled(photograph.name)
            yield Desk(program, drop, program.ask("gaps_s"))
        finally:
            program.end()


def opened(program: Program) -> int:
    """How often the engine has been asked to find pictures: once for each drop."""
    return int(program.ask("started").count("ListPictures"))


@pytest.fixture
def program(desk: Desk, photograph: Path) -> Program:
    """The program with the photograph selected, whatever was dropped meanwhile."""
    desk.program.ask("select", "stage4", 0, photograph.name)
    desk.program.wait_until_settled(photograph.name)
    return desk.program


@pytest.fixture(scope="module")
def truth(photograph: Path) -> Apart:
    """The same photograph, without the program."""
    return Apart(photograph)


def assert_same_colours(
    painted: NDArray[np.float64], expected: NDArray[np.float64], share: float = 1.0
) -> None:
    """That share of them (points, 3), to a step of the colour map."""
    assert np.ptp(expected, axis=0).max() > 100, "these colours tell nothing"
    assert share_of_same_colours(painted, expected) >= share


def share_of_same_colours(painted: NDArray[np.float64], expected: NDArray[np.float64]) -> float:
    """Share of the points (points, 3) that agree to a step of the colour map."""
    return float(np.mean(np.abs(painted - expected).max(axis=1) <= COLOUR_STEP))


def assert_units_painted(
    view: View,
    bare: View,
    truth: Apart,
    node: str,
    veil: NDArray[np.float64],
    opacity: NDArray[np.float64],
    border_px: float = 1.25,
) -> None:
    """Every unit of a map has its colour, everywhere but next to its border.

    Parameters
    ----------
    view, bare
        The map over the photograph, and the same view while the map is fully transparent.
    veil, opacity
        Colour (h, w, 3) and opacity (h, w) of each unit.
    border_px
        How far from a unit's border there is nothing else, in pixels of the screen.
    """
    height, width = opacity.shape
    grid = GRIDS[node]
    x, y = np.meshgrid(grid.centres(width), grid.centres(height))
    left, right = truth.to_picture(np.array([0, grid.stride_px]), np.zeros(2))[0]
    unit_px = (right - left) * view.scene_box[2] / view.scene_size[0]  # on the screen
    reach = max(0.0, 0.5 - border_px / unit_px) * grid.stride_px
    assert (bare.scene_box, bare.pixels.shape) == (view.scene_box, view.pixels.shape)
    for across, down in ((0.0, 0.0), (-reach, -reach), (reach, -reach), (-reach, reach), (reach, reach)):
        at = truth.to_picture(x + across, y + down)
        assert_photograph_painted(bare, truth, *at)
        painted, picture = view.colours_at(*at), bare.colours_at(*at)
        expected = apart.laid_over(picture, veil, opacity)
        assert_same_colours(painted.reshape(-1, 3), expected.reshape(-1, 3))
        # The comparison tells: a map that is moved by a unit, or an opacity that is not its value's, fails.
        for other in (
            apart.laid_over(picture, np.roll(veil, 1, 0), np.roll(opacity, 1, 0)),
            apart.laid_over(picture, np.roll(veil, 1, 1), np.roll(opacity, 1, 1)),
            apart.laid_over(picture, veil, np.ones_like(opacity)),
        ):
            assert share_of_same_colours(painted.reshape(-1, 3), other.reshape(-1, 3)) < 0.9


def assert_photograph_painted(view: View, truth: Apart, x: NDArray[np.float64], y: NDArray[np.float64]) -> None:
    """At these points of the photograph the view has its colours, on average."""
    _, _, width, height = view.scene_box
    reduced = np.asarray(truth.photograph.resize((round(width), round(height))), dtype=np.float64)
    rows = (y * reduced.shape[0] / truth.photograph.height).astype(int)
    columns = (x * reduced.shape[1] / truth.photograph.width).astype(int)
    assert np.abs(view.colours_at(x, y) - reduced[rows, columns]).mean() < 8


@contextmanager
def controls(program: Program, panel: str, values: dict[str, Any]) -> Iterator[None]:
    """Bring controls of a panel to values, and afterwards back to those that they had, for the next test."""
    before = {name: program.ask("set_control", panel, name, value) for name, value in values.items()}
    try:
        yield
    finally:
        for name, value in reversed(before.items()):
            program.ask("set_control", panel, name, value)


def test_the_window_names_the_photograph_and_the_model(program: Program, photograph: Path) -> None:
    shown = program.shown()
    assert shown.title == f"{photograph.name} – {apart.TITLE} – ConvNeXt Studio"
    assert shown.pictures[:2] == (FIRST_SAMPLE, photograph.name)
    assert set(shown.notices.values()) == {""}


def test_the_predictions_are_timms(program: Program, truth: Apart) -> None:
    shown = program.shown()
    expected = tuple((LABELS[index], f"{100 * truth.probabilities[index]:.1f} %") for index in truth.top)
    assert shown.predictions == expected  # There is room for all classes of this network.
    assert shown.explained == f"Explained: {expected[0][0]}, {expected[0][1]}"


def test_the_picture_is_painted_with_what_the_network_sees(program: Program, truth: Apart) -> None:
    view = program.view("picture")
    assert view.scene_size == truth.photograph.size
    x, y = (edges.astype(float) for edges in np.meshgrid(range(4, 636, 8), range(4, 424, 8)))
    left, top, width, height = view.scene_box
    reduced = np.asarray(truth.photograph.resize((round(width), round(height))), dtype=np.float64)
    expected = reduced[(y * height / 427).astype(int), (x * width / 640).astype(int)]
    (x0, x1), (y0, y1) = truth.to_picture(np.array([0, INPUT_PX]), np.array([0, INPUT_PX]))
    inside = (x > x0 + 6) & (x < x1 - 6) & (y > y0 + 30) & (y < y1 - 30)  # without the frame and its label
    outside = (x < x0 - 6) | (x > x1 + 6)
    painted = view.colours_at(x, y)
    assert np.abs(painted[inside] - expected[inside]).mean() < 8
    # Black with an opacity of 110 of 255 lies on what the network does not see.
    assert np.abs(painted[outside] - expected[outside] * (145 / 255)).mean() < 8

    rows = slice(round(top + y0 * height / 427) + 30, round(top + y1 * height / 427) - 30)
    accented = (np.abs(view.pixels[rows].astype(int) - ACCENT).max(axis=2) < 40).mean(axis=0)
    frames = np.flatnonzero(accented > 0.9)
    edges = [left + edge * width / 640 for edge in (x0, x1)]
    assert all(min(abs(frames - edge)) < 2 for edge in edges)
    assert all(min(abs(np.array(edges) - frame)) < 2 for frame in frames)


@pytest.mark.parametrize(("stage", "channel"), [(3, 7), (4, 12)])
@pytest.mark.parametrize("colormap", ["vik", ""])
def test_the_selected_channel_lies_on_its_units(
    program: Program, truth: Apart, stage: int, channel: int, colormap: str
) -> None:
    program.ask("select", f"stage{stage}", channel)
    chosen = {"choices.on_picture": True, "choices.colormap": colormap, "choices.opacity": 100}
    with controls(program, "feature_maps", chosen):
        view = program.view("feature_maps", "channel_map.view")
        program.ask("set_control", "feature_maps", "choices.opacity", 0)
        bare = program.view("feature_maps", "channel_map.view")
    values = truth.maps(stage)[channel]
    largest = np.abs(values).max()  # Signed, and so on a scale about 0.
    veil = apart.colours(values, -largest, largest, "crameri:vik")
    if not colormap:
        veil = apart.glowing(values, largest)
    assert_units_painted(view, bare, truth, f"stage{stage}", veil, np.abs(values) / largest)


def test_the_selected_channel_is_shown_alone(program: Program, truth: Apart) -> None:
    program.ask("select", "stage2", 5)
    with controls(program, "feature_maps", {"choices.on_picture": False, "choices.scaling": "layer"}):
        view = program.view("feature_maps", "channel_map.view")
    maps = truth.maps(2)
    height, width = maps.shape[1:]
    assert view.scene_size == (width, height)
    painted = view.colours_at(*np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5))
    largest = np.abs(maps).max()
    expected = apart.colours(maps[5], -largest, largest, "crameri:vik")
    assert_same_colours(painted.reshape(-1, 3), expected.reshape(-1, 3))


CAM_VIEW = "figure.cells.0.map.view"


@pytest.mark.parametrize("is_followed", [True, False])
@pytest.mark.parametrize("stage", [2, 3, 4])
def test_grad_cam_is_captums_at_its_place(
    program: Program, truth: Apart, stage: int, is_followed: bool
) -> None:
    """Both where it follows the selection and where it is pinned while another stage is selected."""
    program.ask("select", f"stage{stage}" if is_followed else f"stage{1 + stage % 4}")
    chosen = {
        "where.pin": "" if is_followed else f"stage{stage}",
        "look.resolution": False,
        "look.part": "signed",
        "look.colormap": "vik",
        "look.opacity": 100,
    }
    with controls(program, "attribution", chosen):
        view, captions = program.view("attribution", CAM_VIEW), program.shown().captions
        program.ask("set_control", "attribution", "look.opacity", 0)
        bare = program.view("attribution", CAM_VIEW)
    cam = truth.grad_cam(stage, truth.top[0])
    largest = np.abs(cam).max()
    veil = apart.colours(cam, -largest, largest, "crameri:vik")
    # Maps of few units have a grid, whose lines are two pixels wide and smoothed.
    border_px = 2.25 if len(cam) <= 16 else 1.25
    assert_units_painted(view, bare, truth, f"stage{stage}", veil, np.abs(cam) / largest, border_px)
    assert f"“{LABELS[truth.top[0]]}”" in captions["attribution"]


def test_at_first_the_part_of_captums_grad_cam_for_the_class_glows_at_the_last_stage(
    program: Program, truth: Apart
) -> None:
    """It is interpolated, so that the units' own values are at their centres."""
    program.ask("select", "stage2")
    view = program.view("attribution", CAM_VIEW)
    with controls(program, "attribution", {"look.opacity": 0}):
        bare = program.view("attribution", CAM_VIEW)
    cam = np.maximum(truth.grad_cam(4, truth.top[0]), 0)
    height, width = cam.shape
    centres = np.meshgrid(GRIDS["stage4"].centres(width), GRIDS["stage4"].centres(height))
    at = truth.to_picture(*centres)
    expected = apart.laid_over(
        bare.colours_at(*at), apart.glowing(cam, cam.max()), 0.9 * cam.astype(np.float64) / cam.max()
    )
    assert_same_colours(view.colours_at(*at).reshape(-1, 3), expected.reshape(-1, 3))


@pytest.mark.parametrize(
    ("scale", "part"), [("linear", "whole"), ("decades", "whole"), ("linear", "square"), ("decades", "square")]
)
def test_the_receptive_field_is_that_of_a_plain_loop(
    program: Program, truth: Apart, photograph: Path, scale: str, part: str
) -> None:
    with controls(program, "receptive_field", {"scale": scale, "zoom": part}):
        view = program.view("receptive_field", "map.view")
    field, support = apart.gradient_fields([sample_path(FIRST_SAMPLE), photograph])
    units = truth.maps(4).shape[1]
    centre = GRIDS["stage4"].centres(units)[units // 2]
    sides = {
        share: apart.smallest_square(field, (int(centre), int(centre)), share / 100)
        for share in (99, 50, 30, 20)
    }
    window = 0, 0, INPUT_PX, INPUT_PX
    if part == "square":
        start = centre - sides[99] / 2
        window = apart.window_around((start, start, sides[99], sides[99]))
    left, top, width, height = window
    assert view.scene_size == (width, height)
    (theoretical,) = (box for label, box in view.marks if label.startswith("theoretical"))
    rows, columns = (np.flatnonzero(support.any(axis=axis)) for axis in (1, 0))
    assert theoretical == (columns[0] - left, rows[0] - top, np.ptp(columns) + 1, np.ptp(rows) + 1)

    squares = [(label, box) for label, box in view.marks if "area" in label]
    assert len(squares) == 4
    for (share, side), (label, box) in zip(sides.items(), squares, strict=True):
        assert box == (centre - side / 2 - left, centre - side / 2 - top, side, side)
        match = re.fullmatch(rf"{share} % · {side} px · area ([\d.]+) %", label)
        assert match is not None, label
        assert float(match[1]) == pytest.approx(100 * side**2 / INPUT_PX**2, rel=0.01)

    shown = np.s_[top : top + height, left : left + width]
    x, y = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    free = np.logical_and.reduce([_is_off_the_frame(view, box, x, y) for _, box in view.marks])
    free &= support[shown] & (x < centre - left)  # On the right there are lines to the labels.
    assert free.sum() > 200
    painted = view.colours_at(x, y)[free]
    low, high = (field.min(), field.max()) if scale == "linear" else (-4.0, 0.0)
    values = field if scale == "linear" else apart.decades(field)
    expected = apart.colours(values[shown], low, high, "bids:viridis")[free]
    # In the whole input a pixel has two of the screen, and where its centre is may be rounded to the next.
    assert_same_colours(painted, expected, share=0.9 if part == "whole" else 0.99)


def _is_off_the_frame(
    view: View, box: tuple[float, float, float, float], x: NDArray[np.float64], y: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Whether points of the scene are painted free of a frame, which is a few pixels of the screen thick."""
    left, top, width, height = box
    thick = 4 * view.scene_size[0] / view.scene_box[2]
    reach = np.maximum(abs(x - left - width / 2) - width / 2, abs(y - top - height / 2) - height / 2)
    return np.asarray(abs(reach) > thick)


def test_of_ten_files_the_good_ones_are_opened_and_one_bar_tells_of_the_others(
    desk: Desk, program: Program, tmp_path: Path
) -> None:
    good = [tmp_path / "coffee.png", tmp_path / "astronaut.png", tmp_path / "hopper.jpg"]
    for path in good:
        shutil.copy(sample_path(path.stem), path)
    bad = [tmp_path / f"rubbish {number}.jpg" for number in range(4)]
    for path in bad:
        path.write_bytes(b"\xff\xd8 this is no picture")
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "empty.png").touch()
    (tmp_path / "half.jpg").write_bytes(good[2].read_bytes()[:9000])
    bad += [tmp_path / "folder.png", tmp_path / "empty.png", tmp_path / "half.jpg"]

    assert program.shown().message == ""
    desk.drop([bad[0], good[0], *bad[1:4], good[1], *bad[4:], good[2]])
    program.wait_until_settled("coffee.png")
    # Only its pixels show that half.jpg is damaged, and its thumbnail is below the others in the list.
    wait_for("the damaged one is left out", lambda: "half.jpg" not in program.shown().pictures)
    shown = program.wait_until_settled("coffee.png")
    assert shown.pictures[2:] == ("coffee.png", "astronaut.png", "hopper.jpg")
    assert re.match(r"7 of 10 could not be opened: .*rubbish 0\.jpg", shown.message)

    desk.drop(bad[:2])
    wait_for("two more are told of", lambda: program.shown().message.startswith("2 of 2"))
    shown = program.wait_until_settled()
    assert shown.picture == "coffee.png"
    assert len(shown.pictures) == 5
    assert "rubbish 0.jpg" in shown.message


def test_the_windows_event_loop_never_stands_still(desk: Desk) -> None:
    elapsed, working = desk.gaps_s
    assert len(elapsed) > 50
    # Generous, because other programs take the processor away; tests.benchmarks holds the window to 50 ms.
    assert max(working) < 0.25
    assert max(elapsed) < 1.0


def test_the_windows_process_imports_none_of_the_engine(desk: Desk) -> None:
    modules = desk.program.ask("modules")  # After all that happened in this file.
    assert {"PySide6", "numpy"} <= modules
    assert not modules & {"torch", "torchvision", "timm", "captum"}


def test_the_program_has_nothing_to_complain_of(desk: Desk) -> None:
    assert desk.program.stderr.read_text() == ""
