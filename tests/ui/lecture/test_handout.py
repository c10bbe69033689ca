"""A hand-out holds every step with its words and its view, and is written whole or not at all."""

import base64
import re
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtGui import QImage
from pytestqt.qtbot import QtBot

from convnext_studio.common.errors import StudioError
from convnext_studio.lecture.script import Lecture, read_lecture
from convnext_studio.protocol.maps import FeatureMaps
from convnext_studio.ui.lecture.handout.handout_maker import VIEW_PX, Handout
from convnext_studio.ui.shell.window import StudioWindow
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.background import Background
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.widgets import theme
from tests.ui.conftest import FakeEngine, make_image
from tests.ui.lecture.toys import TOYS, toy_lecture

Make = Callable[..., Handout]


@pytest.fixture
def two_steps(tmp_path: Path) -> Lecture:
    folder = tmp_path / "lecture"
    folder.mkdir()
    toy_lecture(folder, steps=2)
    path = folder / "0.md"
    path.write_text(path.read_text().replace("Text 1.", "Text 1 & *more*.\n\n$$ x < y $$"))
    return read_lecture(folder)


@pytest.fixture
def make(open_state: AppState, bridge: EngineBridge, background: Background, two_steps: Lecture) -> Make:
    def make(path: Path, timeout_s: float = 60.0) -> Handout:
        return Handout(open_state, bridge, background, two_steps, path, TOYS, timeout_s, parent=bridge)

    return make


def answer_all(qtbot: QtBot, engine: FakeEngine, handout: Handout) -> list[tuple[int, int]]:
    """Answer what each view asks; the progress that was told."""
    progress: list[tuple[int, int]] = []
    handout.progressed.connect(lambda done, total: progress.append((done, total)))
    with qtbot.waitSignal(handout.finished, timeout=20_000):
        handout.start()
        for count in (1, 2):
            qtbot.waitUntil(lambda: bool(engine.open(FeatureMaps)))
            engine.answer(engine.open(FeatureMaps)[0], None)
            qtbot.waitUntil(lambda count=count: len(progress) == count)
    return progress


def pages_of(pdf: bytes) -> int:
    return len(re.findall(rb"/Type\s*/Page\b", pdf))


def test_the_html_holds_all_words_and_pictures(
    make: Make, qtbot: QtBot, engine: FakeEngine, tmp_path: Path
) -> None:
    path = tmp_path / "lecture.html"
    assert answer_all(qtbot, engine, make(path)) == [(1, 2), (2, 2)]
    html = path.read_text(encoding="utf-8")
    for words in (
        "1  Chapter 1",
        "2  Chapter 2",
        "1  Title 1",
        "2  Title 2",
        "Text 1 &amp; <i>more</i>.",
        "Text 2.",
    ):
        assert words in html
    assert "<b>Try:</b> thing 1." in html
    assert "note 1" not in html  # For the speaker only.
    assert html.count("<title>x &lt; y</title>") == 1
    assert "Small · one.png" in html
    pictures = re.findall(r'src="data:image/png;base64,([^"]+)"', html)
    sizes = [QImage.fromData(base64.b64decode(data)).size().toTuple() for data in pictures]
    assert sizes == [VIEW_PX, VIEW_PX]
    assert "http" not in re.sub(r"base64,[^\"]+", "", html)  # Nothing is fetched from anywhere.
    assert sorted(file.name for file in tmp_path.iterdir()) == ["lecture", "lecture.html"]


def test_the_pdf_has_a_page_for_each_step_with_real_text(
    make: Make, qtbot: QtBot, engine: FakeEngine, tmp_path: Path
) -> None:
    path = tmp_path / "lecture.PDF"
    answer_all(qtbot, engine, make(path))
    pdf = path.read_bytes()
    assert pdf.startswith(b"%PDF")
    assert pages_of(pdf) == 2
    box = re.search(rb"/MediaBox\s*\[\s*0 0 ([\d.]+) ([\d.]+)", pdf)
    assert box is not None
    assert (float(box[1]), float(box[2])) == pytest.approx((842, 595), abs=1)  # A4 landscape, in points.
    assert len(re.findall(rb"/ToUnicode", pdf)) >= 1
    # A character map of the font says that letters are letters, and a page shows glyphs of it.
    streams = [_inflated(match[1]) for match in re.finditer(rb"stream\r?\n(.*?)endstream", pdf, re.DOTALL)]
    assert any(b"beginbf" in stream for stream in streams)
    assert sum(b"Tj" in stream or b"TJ" in stream for stream in streams) >= 2


def _inflated(data: bytes) -> bytes:
    try:
        return zlib.decompressobj().decompress(data)
    except zlib.error:
        return data


def test_a_view_that_does_not_settle_is_said_to_be_missing(make: Make, qtbot: QtBot, tmp_path: Path) -> None:
    path = tmp_path / "lecture.html"
    handout = make(path, timeout_s=0.1)
    with qtbot.waitSignal(handout.finished, timeout=20_000):
        handout.start()
    html = path.read_text(encoding="utf-8")
    assert html.count("Not computed within 0.1 s.") == 2
    assert "<img" not in html


def test_stopped_it_writes_nothing_and_asks_nothing(
    make: Make, engine: FakeEngine, tmp_path: Path, qtbot: QtBot
) -> None:
    handout = make(tmp_path / "lecture.pdf")
    handout.start()
    qtbot.waitUntil(lambda: bool(engine.open(FeatureMaps)))
    handout.cancel()
    assert engine.open(FeatureMaps) == []
    assert not handout.is_running
    assert [file.name for file in tmp_path.iterdir()] == ["lecture"]


def test_another_picture_meanwhile_is_refused(
    make: Make, tmp_path: Path, open_state: AppState, qtbot: QtBot
) -> None:
    handout = make(tmp_path / "lecture.pdf")
    handout.start()
    with qtbot.waitSignal(handout.failed) as failed:
        open_state.add_picture(make_image("two"))
    assert "changed meanwhile" in str(failed.args[0])
    assert [file.name for file in tmp_path.iterdir()] == ["lecture"]


def test_other_kinds_of_files_are_refused(make: Make, tmp_path: Path) -> None:
    with pytest.raises(StudioError, match=r"\.pdf or an \.html file, not lecture\.doc"):
        make(tmp_path / "lecture.doc")


def test_a_folder_that_cannot_be_written_to_is_told(make: Make, qtbot: QtBot, tmp_path: Path) -> None:
    for name in ("lecture.pdf", "lecture.html"):
        handout = make(tmp_path / "nowhere" / name, timeout_s=0.1)
        with qtbot.waitSignal(handout.failed, timeout=20_000) as failed:
            handout.start()
        assert "cannot be written" in str(failed.args[0])


def test_the_window_tells_progress_and_puts_its_look_back(
    filled_window: StudioWindow, tmp_path: Path, qtbot: QtBot
) -> None:
    folder = tmp_path / "own"
    folder.mkdir()
    (folder / "1.md").write_text("# A\n\n## B\n---\nview: picture\n---\nText.\n", encoding="utf-8")
    late = filled_window.lecture
    late.presentation.start(folder)
    late.presentation.leave()
    before = theme.current()
    path = tmp_path / "out.html"
    late.save_handout(str(path))
    assert theme.current() is theme.PROJECTOR
    qtbot.waitUntil(lambda: "was saved as" in filled_window.messages.text, timeout=20_000)
    assert theme.current() is before
    assert "Text." in path.read_text(encoding="utf-8")
    late.save_handout(str(tmp_path / "second.html"))
    filled_window.actions_by_id["cancel"].trigger()
    assert "cancelled" in filled_window.messages.text
    assert theme.current() is before
    assert not (tmp_path / "second.html").exists()
