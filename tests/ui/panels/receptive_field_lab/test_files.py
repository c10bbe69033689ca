"""Fields are opened and saved, and so are figures."""

from pathlib import Path

import numpy as np
import pytest
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QFileDialog
from pytestqt.qtbot import QtBot

from convnext_studio.erf import curves_of
from convnext_studio.erf.field_files import read_field
from convnext_studio.protocol.receptive_fields import OpenedField, OpenField
from convnext_studio.ui.panels.receptive_field_lab.lab_panel import ReceptiveFieldLab
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.background import Background
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.widgets.message_bar import Notice
from tests.ui.conftest import FakeEngine
from tests.ui.panels.receptive_field_lab.told import cell, settle


def opened(path: str) -> OpenedField:
    field_map = np.zeros((64, 64))
    field_map[20:44, 20:44] = 1
    return OpenedField(
        path=path,
        field_map=field_map,
        protocol="replknet",
        protocol_text="The file does not say.",
        is_protocol_told=False,
        squares={"linear": (), "log": ()},
        centre_px=(32.5, 32.5),
        random_weights=False,
        curves=curves_of(field_map, (32.5, 32.5)),
    )


def test_a_saved_field_needs_no_model(
    qtbot: QtBot, state: AppState, bridge: EngineBridge, engine: FakeEngine, background: Background
) -> None:
    lab = ReceptiveFieldLab(state, bridge, background)
    qtbot.addWidget(lab)
    lab.show()
    qtbot.waitExposed(lab)
    lab.open_field("/fields/published.npy")
    (request,) = engine.open(OpenField)
    assert request.path == "/fields/published.npy"
    engine.answer(request, opened(request.path))
    settle(qtbot, lab)
    assert lab.compare.subjects[1].shows_body
    assert cell(lab, 0, "Subject") == "published.npy"
    assert cell(lab, 0, "Weights") == "not stated"
    assert cell(lab, 0, "TRF") == "unknown"
    assert cell(lab, 0, "Protocol") == "Unknown protocol"
    assert "Unknown protocol" in lab.compare.subjects[1].caption
    assert "RepLKNet" not in lab.compare.subjects[1].caption


def test_a_fifth_field_takes_the_last_ones_place(lab: ReceptiveFieldLab) -> None:
    for number in range(5):
        lab.open_field(f"/fields/{number}.npy")
    assert [subject.name for subject in lab.compare.subjects] == ["Trained", "0.npy", "1.npy", "4.npy"]


@pytest.mark.parametrize(("typed", "written"), [("erf.npy", "erf.npy"), ("erf", "erf.npz")])
def test_a_field_is_saved_with_its_protocol_or_alone(
    pair: ReceptiveFieldLab,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    qtbot: QtBot,
    typed: str,
    written: str,
) -> None:
    told: list[Notice] = []
    pair.noticed.connect(told.append)
    path = str(tmp_path / typed)
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (path, ""))
    pair.compare.subjects[0].save.click()
    qtbot.waitUntil(lambda: bool(told))
    assert told[0].good
    saved = read_field(str(tmp_path / written))
    assert saved.field_map.sum() == 16 * 16 * 4
    assert saved.about.get("protocol_text", "") == (
        "Protocol centred, exactly." if written == "erf.npz" else ""
    )


def test_a_file_that_nobody_named_is_not_replaced(
    pair: ReceptiveFieldLab, background: Background, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = tmp_path / "mine.npz"
    theirs.write_text("theirs")
    answers = iter([str(tmp_path / "mine"), ""])
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (next(answers), ""))
    pair.compare.subjects[0].save.click()
    assert next(answers, None) is None
    background.close()
    assert theirs.read_text() == "theirs"


def test_a_field_that_cannot_be_saved_is_told(
    pair: ReceptiveFieldLab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    told: list[Notice] = []
    pair.noticed.connect(told.append)
    path = str(tmp_path / "no folder" / "erf.npz")
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (path, ""))
    pair.compare.subjects[0].save.click()
    qtbot.waitUntil(lambda: bool(told))
    assert "could not be written" in told[0].message


@pytest.mark.parametrize("name", ["figure.png", "figure.svg"])
def test_the_figure_is_saved_without_buttons(pair: ReceptiveFieldLab, tmp_path: Path, name: str) -> None:
    told: list[Notice] = []
    pair.noticed.connect(told.append)
    table = pair.compare.table
    hidden = [table.isColumnHidden(column) for column in range(table.columnCount())]
    pair.write_figure(tmp_path / name)
    assert told[-1].good
    path = tmp_path / name
    if path.suffix == ".png":
        assert QImage(str(path)).width() > pair.width()
    else:
        text = path.read_text(encoding="utf-8")
        assert "not reached" in text
        assert "Measure again" not in text
    assert [file.name for file in tmp_path.iterdir() if file.is_file()] == [name]
    assert all(button.isVisible() for subject in pair.compare.subjects for button in subject.buttons)
    assert [table.isColumnHidden(column) for column in range(table.columnCount())] == hidden


@pytest.mark.parametrize(
    ("name", "why"),
    [("no folder/figure.png", "could not be written"), ("figure.npy", "cannot be saved as “figure.npy”")],
)
def test_a_figure_that_cannot_be_saved_is_told(
    pair: ReceptiveFieldLab, tmp_path: Path, name: str, why: str
) -> None:
    told: list[Notice] = []
    pair.noticed.connect(told.append)
    pair.write_figure(tmp_path / name)
    assert why in told[-1].message
    assert not (tmp_path / name).exists()
