"""A hand-out is a document with every step, its words and its view, and is written whole or not at all."""

import base64
import json
import re
import shutil
import subprocess
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import QRectF
from PySide6.QtGui import QImage, QPainter
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from convnext_studio.common.errors import StudioError
from convnext_studio.lecture.script import Lecture, read_lecture
from convnext_studio.protocol.maps import FeatureMaps
from convnext_studio.ui.lecture.handout.handout_contents import HandoutContents, HandoutStep
from convnext_studio.ui.lecture.handout.handout_html import handout_html
from convnext_studio.ui.lecture.handout.handout_maker import BESIDE_PX, WIDE_PX, Handout
from convnext_studio.ui.lecture.handout.handout_pdf import _Paper, handout_pdf
from convnext_studio.ui.lecture.presenter.presentation import checked_lecture
from convnext_studio.ui.lecture.views.live_view import CONTROLS
from convnext_studio.ui.lecture.views.registry import VIEWS
from convnext_studio.ui.shell.window import StudioWindow
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.background import Background
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.widgets import theme
from tests.ui.conftest import FakeEngine, make_image
from tests.ui.lecture.live import LiveEngine
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
    def make(path: Path, timeout_s: float = 60.0, *, has_notes: bool = False) -> Handout:
        return Handout(
            open_state, bridge, background, two_steps, path, TOYS, timeout_s, bridge, has_notes=has_notes
        )

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
        "<h1>Chapter 1</h1>",  # No step of this lecture opens it with a title.
        '<h2 id="chapter-2">2  Chapter 2</h2>',
        '<a href="#step-2">Title 2</a>',
        '<h3><span class="number">1</span>  Title 1</h3>',
        "Text 1 &amp; <i>more</i>.",
        "Text 2.",
    ):
        assert words in html
    assert "<b>Try:</b> thing 1." in html
    assert "note 1" not in html  # For the speaker only.
    assert html.count("<title>x &lt; y</title>") == 1
    assert "Small · one.png" in html
    pictures = re.findall(r'src="data:image/\w+;base64,([^"]+)"', html)
    sizes = [QImage.fromData(base64.b64decode(data)).size().toTuple() for data in pictures]
    assert sizes == [BESIDE_PX, BESIDE_PX]
    assert "http" not in re.sub(r"base64,[^\"]+", "", html)  # Nothing is fetched from anywhere.
    assert sorted(file.name for file in tmp_path.iterdir()) == ["lecture", "lecture.html"]


@pytest.mark.parametrize("suffix", ["html", "pdf"])
def test_notes_are_printed_on_request(
    make: Make, qtbot: QtBot, engine: FakeEngine, tmp_path: Path, suffix: str
) -> None:
    sizes = []
    for has_notes in (False, True):
        path = tmp_path / f"{has_notes}.{suffix}"
        answer_all(qtbot, engine, make(path, has_notes=has_notes))
        sizes.append(path.stat().st_size)
        if suffix == "html":
            assert ("<b>Notes:</b> note 1." in path.read_text(encoding="utf-8")) == has_notes
    assert sizes[1] > sizes[0]


def test_the_pdf_has_cover_contents_and_real_text(
    make: Make, qtbot: QtBot, engine: FakeEngine, tmp_path: Path
) -> None:
    path = tmp_path / "lecture.PDF"
    answer_all(qtbot, engine, make(path))
    pdf = path.read_bytes()
    assert pdf.startswith(b"%PDF")
    assert pages_of(pdf) == 3  # Cover, contents, and both steps on one page.
    box = re.search(rb"/MediaBox\s*\[\s*0 0 ([\d.]+) ([\d.]+)", pdf)
    assert box is not None
    assert (float(box[1]), float(box[2])) == pytest.approx((595, 842), abs=1)  # A4, in points.
    assert len(re.findall(rb"/ToUnicode", pdf)) >= 1
    # A character map of the font says that letters are letters, and a page shows glyphs of it.
    streams = [_inflated(match[1]) for match in re.finditer(rb"stream\r?\n(.*?)endstream", pdf, re.DOTALL)]
    assert any(b"beginbf" in stream for stream in streams)
    assert sum(b"Tj" in stream or b"TJ" in stream for stream in streams) >= 2


def bundled_contents(*, has_notes: bool) -> HandoutContents:
    """The words of the bundled lecture, with images of the views' sizes."""
    lecture = checked_lecture()
    images = {size: QImage(*size, QImage.Format.Format_RGB32) for size in (BESIDE_PX, WIDE_PX)}
    for image in images.values():
        image.fill(0xFFAABBCC)
    steps = [
        HandoutStep(
            number=number,
            chapter=lecture.chapter_of(number - 1) + 1,
            step=step,
            image=images[BESIDE_PX if VIEWS[step.view].arrangement == "beside" else WIDE_PX],
            caption="Caption. " * 20,
            is_wide=VIEWS[step.view].arrangement != "beside",
        )
        for number, step in enumerate(lecture.steps, 1)
    ]
    titles = tuple(chapter.title for chapter in lecture.chapters)
    return HandoutContents("Title", steps[0], titles, tuple(steps[1:]), "Model", "Today", {}, has_notes)


@pytest.mark.usefixtures("qtbot")
@pytest.mark.parametrize("has_notes", [False, True])
def test_each_page_of_the_bundled_lecture_has_two_to_four_steps(has_notes: bool) -> None:
    contents = bundled_contents(has_notes=has_notes)
    image = QImage(100, 100, QImage.Format.Format_RGB32)
    with QPainter(image) as painter:
        # A4 at 1200 dots per inch without its margins of 14 mm.
        paper = _Paper(painter, QRectF(0, 0, 182 / 25.4 * 1200, 269 / 25.4 * 1200), contents)
        pages = paper.pages()
    counts = [len(blocks) for blocks, _ in pages]
    assert all(2 <= count <= 4 for count in counts)
    shown = [block.each.number for blocks, _ in pages for block in blocks]
    assert shown == [step.number for step in contents.steps]
    assert len(shown) > 40
    for blocks, scale in pages:
        assert sum(block.height(scale) for block in blocks) <= paper._body.height()
    assert pages_of(handout_pdf(contents)) == 2 + len(pages)


CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine")
@pytest.mark.usefixtures("qtbot")
@pytest.mark.parametrize("width", [400, 1400])
def test_a_browser_shows_it_without_a_horizontal_scroll_bar(tmp_path: Path, width: int) -> None:
    """Chromium measures the page itself; a phone has about 400 pixels."""
    page = handout_html(bundled_contents(has_notes=True)).decode()
    measure = (
        "<script>onload = () => { const wide = [...document.querySelectorAll('body *')].filter("
        "e => e.getBoundingClientRect().right > innerWidth + 1).map(e => e.tagName);"
        "const a = document.querySelector('article'), i = a.querySelector('figure').getBoundingClientRect();"
        "const w = a.querySelector('.words').getBoundingClientRect();"
        "document.title = JSON.stringify({scroll: document.documentElement.scrollWidth, inner: innerWidth,"
        " wide: wide, beside: i.left > w.right, px: parseFloat(getComputedStyle(a).fontSize)}); }</script>"
    )
    file = tmp_path / "page.html"
    # A frame, because a window of Chromium is not narrower than 500 pixels.
    file.write_text(page.replace("</body>", f"{measure}</body>"), encoding="utf-8")
    frame = tmp_path / "frame.html"
    frame.write_text(
        f'<iframe id="f" src="page.html" style="width:{width}px;height:800px;border:0"></iframe>'
        "<script>setInterval(() => { const t = f.contentDocument.title;"
        "if (t.startsWith('{')) document.title = t; }, 50)</script>",
        encoding="utf-8",
    )
    assert CHROMIUM is not None
    done = subprocess.run(
        [
            CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--allow-file-access-from-files",
            "--window-size=1500,900", "--virtual-time-budget=8000", "--dump-dom",
            f"--user-data-dir={tmp_path / 'profile'}", frame.as_uri(),
        ],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    title = re.search(r"<title>(\{.*?\})</title>", done.stdout)
    assert title is not None
    measured = json.loads(title[1])
    assert measured["scroll"] <= measured["inner"] == width
    assert measured["wide"] == []
    assert measured["beside"] == (width > 1000)
    assert measured["px"] >= 16


@pytest.mark.usefixtures("qtbot")
def test_nothing_on_it_can_only_be_operated_on_a_screen(live: LiveEngine, bridge: EngineBridge) -> None:
    for name, spec in VIEWS.items():
        settings = {key: setting.default for key, setting in spec.settings.items()}
        view = spec.make(live.state, bridge, settings)
        view.hide_controls()
        view.resize(*BESIDE_PX)
        view.set_text_px(34)
        live.settle(view)
        view.grab()
        seen = [child for child in view.findChildren(QWidget) if child.isVisibleTo(view)]
        assert [child for child in seen if isinstance(child, CONTROLS)] == [], name
        view.retire()
        view.deleteLater()


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
        open_state.opened.add(make_image("two"))
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
