"""Saving the weights from the menu: what is asked of the engine, and what is told."""

from pathlib import Path

import pytest
from PySide6.QtWidgets import QFileDialog

from convnext_studio.protocol.models import SavedModel, SaveModel
from convnext_studio.ui.shell.window import StudioWindow
from tests.ui.conftest import FakeEngine, make_model
from tests.ui.panels.test_other_families import swin

STUDIO, FACEBOOK = (
    "ConvNeXt Studio, complete (*.safetensors)",
    "facebookresearch names, tensors only (*.pth *.pt *.bin *.ckpt)",
)


@pytest.fixture
def choose(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What the person types into the dialog and chooses there."""
    chosen = {"path": "", "kind": STUDIO, "suggested": ""}

    def answer(_parent: object, _title: str, suggested: str, kinds: str, _first: str) -> tuple[str, str]:
        assert kinds.split(";;") == [STUDIO, FACEBOOK]
        chosen["suggested"] = suggested
        path, chosen["path"] = chosen["path"], ""  # Asked again, the person gives up.
        return path, chosen["kind"]

    monkeypatch.setattr(QFileDialog, "getSaveFileName", answer)
    return chosen


@pytest.mark.parametrize(
    ("kind", "typed", "path", "layout"),
    [
        (STUDIO, "mine", "mine.safetensors", "studio"),
        (STUDIO, "mine.bin", "mine.bin", "facebookresearch"),
        (STUDIO, "mine.PTH", "mine.PTH", "facebookresearch"),
        (FACEBOOK, "mine.safetensors", "mine.safetensors", "studio"),
        (FACEBOOK, "mine", "mine.pth", "facebookresearch"),
    ],
)
def test_the_engine_saves_what_is_shown(
    filled_window: StudioWindow,
    engine: FakeEngine,
    choose: dict[str, str],
    tmp_path: Path,
    kind: str,
    typed: str,
    path: str,
    layout: str,
) -> None:
    choose |= {"path": str(tmp_path / typed), "kind": kind}
    filled_window.actions_by_id["model_save"].trigger()
    (request,) = engine.open(SaveModel)
    assert (request.path, request.layout, request.title) == (str(tmp_path / path), layout, "Small")
    assert choose["suggested"].endswith("Small.safetensors")
    engine.answer(request, SavedModel(path=request.path, size_bytes=3_400_000))
    assert "3.4 MB" in filled_window.messages.text
    assert path in filled_window.messages.text


def test_failures_are_told(filled_window: StudioWindow, engine: FakeEngine, choose: dict[str, str]) -> None:
    choose["path"] = "/nowhere/mine.safetensors"
    filled_window.actions_by_id["model_save"].trigger()
    engine.refuse(engine.open(SaveModel)[0], "/nowhere/mine.safetensors cannot be written: No such file.")
    assert "cannot be written" in filled_window.messages.text


def test_a_file_that_nobody_named_is_not_replaced(
    filled_window: StudioWindow, engine: FakeEngine, choose: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "mine.safetensors").write_text("theirs")
    choose["path"] = str(tmp_path / "mine")
    filled_window.actions_by_id["model_save"].trigger()
    assert not engine.open(SaveModel)
    assert choose["suggested"] == str(tmp_path / "mine.safetensors")


def test_a_name_of_another_format_is_refused(
    filled_window: StudioWindow, engine: FakeEngine, choose: dict[str, str], tmp_path: Path
) -> None:
    choose["path"] = str(tmp_path / "mine.npy")
    filled_window.actions_by_id["model_save"].trigger()
    assert not engine.open(SaveModel)
    assert "cannot be saved as “mine.npy”" in filled_window.messages.text


def test_a_closed_dialog_saves_nothing(
    filled_window: StudioWindow, engine: FakeEngine, choose: dict[str, str]
) -> None:
    filled_window.actions_by_id["model_save"].trigger()
    assert choose["suggested"]
    assert not engine.open(SaveModel)


def test_it_is_offered_for_a_convnext_only(window: StudioWindow) -> None:
    action = window.actions_by_id["model_save"]
    assert not action.isEnabled()
    window.state.set_model(make_model())
    assert action.isEnabled()
    window.state.set_model(swin())
    assert not action.isEnabled()
