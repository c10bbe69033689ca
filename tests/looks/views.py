"""The named views of the program: what brings each of them onto the screen.

The views of a group follow one another; every group begins with the window as it is after a first launch, so
that one group can be looked at without the others.
"""

import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, cast

from msgspec import Struct
from msgspec.structs import replace
from PIL import Image
from PySide6.QtCore import QMimeData, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDragLeaveEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QTabWidget, QWidget

from convnext_studio.common.attribution_methods import MethodName
from convnext_studio.common.interventions import Change
from convnext_studio.common.retouches import Retouch
from convnext_studio.common.samples import SAMPLES, sample_path
from convnext_studio.model.framing import Framing
from convnext_studio.protocol.models import LoadModel
from convnext_studio.ui.lecture.presenter.keys import LectureCommand
from convnext_studio.ui.lecture.presenter.presentation import checked_lecture
from convnext_studio.ui.plots.map_view import MapView
from convnext_studio.ui.shell.window import StudioWindow
from convnext_studio.ui.state.comparison_entries import OPEN_MODEL, network
from convnext_studio.ui.state.selection.two_answers import SHOWN, Shown
from convnext_studio.ui.widgets.message_bar import Notice
from convnext_studio.ui.widgets.popup import PopupButton

if TYPE_CHECKING:
    from convnext_studio.ui.panels.similarity.similarity_panel import SimilarityPanel

Show = Callable[[], object]


class View(Struct, frozen=True):
    """A view: its name, and what brings it onto the screen after the one before."""

    name: str
    show: Show


class Views:
    """All views of a window, in groups."""

    def __init__(self, window: StudioWindow) -> None:
        self._window = window
        self._state = window.state
        self._do: dict[str, Show] = {name: action.trigger for name, action in window.actions_by_id.items()}

    def groups(self) -> Iterator[list[View]]:
        """The groups, in the order in which they are photographed."""
        yield [View("first_launch", lambda: None)]
        yield self._stages()
        yield self._inside()
        yield self._costs()
        yield self._selections()
        yield self._arrangements()
        yield from self._panels()
        yield self._pages()
        yield self._asides()
        yield self._popups()
        yield self._messages()
        yield self._overlays()
        yield self._menus()
        yield self._pictures()
        yield self._framings()
        yield self._text_sizes()
        yield self._networks()
        yield self._similarity()
        yield self._two_networks()
        yield self._figure()
        yield self._interventions()
        yield self._live()
        yield self._lecture()

    def go_home(self) -> None:
        """Return to what a first launch shows, with the pictures that are open."""
        do = self._do
        _close_menus()
        if self._window.guide.tour is not None:
            self._window.guide.tour.close_sheet()
        while self._window.messages.dismiss_latest():
            pass
        do["reset"]()
        for tabs in self._window.findChildren(QTabWidget):
            tabs.setCurrentIndex(0)
        do["clear_unit"]()
        do["follow_top"]()
        while self._window.strip.opened:
            do["go_up"]()
        do["costs_parameters"]()
        do["stage_2"]()

    # --------------------------------------------------------------------------------------- the network

    def _stages(self) -> list[View]:
        return [View(f"stage{number}", self._do[f"stage_{number}"]) for number in (1, 3, 4)]

    def _inside(self) -> list[View]:
        do, state = self._do, self._state
        return [
            View("stage3_open", lambda: (do["stage_3"](), do["open_node"]())),
            View("block_open", lambda: (state.set_node("stage3.block2"), do["open_node"]())),
            View("dwconv", lambda: state.set_node("stage3.block2.dwconv")),
        ]

    def _costs(self) -> list[View]:
        return [View(f"costs_{kind}", self._do[f"costs_{kind}"]) for kind in ("macs", "memory", "time")]

    def _selections(self) -> list[View]:
        do, state = self._do, self._state
        return [
            View("unit", lambda: state.set_unit(5, 7)),
            View("second_class", lambda: state.set_target(1)),
            View("no_unit", lambda: (do["clear_unit"](), do["follow_top"]())),
            View("pinned", lambda: (do["pin"](), do["stage_3"]())),
            View("unpinned", do["pin"]),
        ]

    # ---------------------------------------------------------------------------------------- the panels

    def _arrangements(self) -> list[View]:
        return [View(f"arrangement_{name}", self._do[f"arrange_{name}"]) for name in ("compare", "teach")]

    def _panels(self) -> Iterator[list[View]]:
        """Each panel in front, and each filling the window."""
        layout = self._window.dock_layout
        for name in layout.docks:
            yield [
                View(f"front_{name}", partial(layout.show_panel, name)),
                View(f"large_{name}", partial(layout.toggle_maximised, name)),
                View(f"after_{name}", layout.leave_maximised),
            ]

    def _pages(self) -> list[View]:
        """The pages behind tabs of the panels that have some."""
        pages = [
            View(f"page_{name}_{number}", partial(self._open_page, name, number))
            for name, last in (("feature_maps", 3), ("field_lab", 3), ("evidence", 3), ("activity", 2))
            for number in range(2, last + 1)
        ]
        return [*pages, View("lab_of_several", self._compare_fields)]

    def _open_page(self, name: str, number: int) -> None:
        layout = self._window.dock_layout
        if layout.maximised != name:
            layout.leave_maximised()
            layout.toggle_maximised(name)
        tabs = layout.docks[name].panel.findChild(QTabWidget)
        assert tabs is not None
        tabs.setCurrentIndex(number - 1)

    def _compare_fields(self) -> None:
        self._open_page("field_lab", 1)
        self._window.panels.field_lab.compare.show_entries(
            [OPEN_MODEL, *(network("bundled", offline=True) for _ in range(3))]
        )

    def _asides(self) -> list[View]:
        layout = self._window.dock_layout
        return [View("two_asides", lambda: (layout.show_panel("help"), layout.show_panel("activity")))]

    def _popups(self) -> list[View]:
        """The first popup of every panel that has one."""
        return [
            View(f"popup_{name}", partial(self._open_popup, name))
            for name in ("feature_maps", "attribution", "receptive_field", "picture")
        ]

    def _open_popup(self, name: str) -> None:
        _close_menus()
        self._state.set_unit(5, 7)
        self._window.dock_layout.show_panel(name)
        QApplication.processEvents()
        panel = self._window.dock_layout.docks[name].panel
        button = next((each for each in panel.findChildren(PopupButton) if each.isVisible()), None)
        if button is not None:
            button.open_sheet()

    # ------------------------------------------------------------------------------------- over the window

    def _messages(self) -> list[View]:
        window = self._window
        return [
            View("success", lambda: window.messages.tell(_SAVED)),
            View("failure", lambda: window.messages.tell(_FAILED)),
            View("failure_details", lambda: window.messages.details.click()),
            View("rubbish_dropped", lambda: (window.messages.dismiss_latest(), _drop(window, [__file__]))),
            View("dragged", lambda: (window.messages.dismiss_latest(), _drag(window, _samples()))),
            View("not_dragged", lambda: QApplication.sendEvent(window, QDragLeaveEvent())),
        ]

    def _overlays(self) -> list[View]:
        do, window = self._do, self._window
        return [
            View("palette", do["palette"]),
            View("palette_typed", lambda: _type(window, "grad")),
            View("palette_no_match", lambda: _type(window, "xyzzy")),
            View("shortcuts", lambda: (_escape(window), do["shortcuts"]())),
            View("tour", lambda: (_escape(window), window.guide.start_tour())),
            *(View(f"tour_{number}", lambda: _next_of_tour(window)) for number in range(2, 7)),
        ]

    def _menus(self) -> list[View]:
        bar = self._window.menuBar()
        names = [action.text().replace("&", "").lower() for action in bar.actions()]
        return [View(f"menu_{name}", partial(_open_menu, bar, index)) for index, name in enumerate(names)]

    # ------------------------------------------------------------------------------------ other contents

    def _pictures(self) -> list[View]:
        do, layout = self._do, self._window.dock_layout
        return [
            View("many_pictures", lambda: _drop(self._window, _samples())),
            View("many_pictures_large", lambda: layout.toggle_maximised("pictures")),
            View("many_on_a_sheet", lambda: (layout.leave_maximised(), do["arrange_compare"]())),
            View("no_picture", lambda: (do["reset"](), do["close_all"]())),
            View("pictures_back", do["undo"]),
        ]

    def _framings(self) -> list[View]:
        """What networks are shown of a picture that is wider than high: its maps, fields and attributions."""
        do, state, layout = self._do, self._state, self._window.dock_layout

        def saliency(name: MethodName) -> None:
            layout.show_panel("attribution")
            attributions = state.attributions
            attributions.set_explaining(replace(attributions.explaining, method=name, parameters=()))

        def views(name: str, framing: Framing) -> list[View]:
            return [
                View(f"framing_{name}", lambda: (layout.show_panel("picture"), state.set_framing(framing))),
                View(f"framing_{name}_maps", partial(layout.show_panel, "feature_maps")),
                View(f"framing_{name}_field", partial(layout.show_panel, "receptive_field")),
                View(f"framing_{name}_unit", lambda: state.set_unit(4, 9)),
                View(f"framing_{name}_cam", partial(layout.show_panel, "attribution")),
                View(f"framing_{name}_saliency", partial(saliency, "saliency")),
                View(f"framing_{name}_end", lambda: (saliency("gradcam"), do["clear_unit"]())),
            ]

        return [
            *views("whole", Framing(kind="whole", input_px=192)),
            *views("native", Framing(kind="native")),
            *views("box", Framing(kind="native", box=(180, 60, 260, 140))),
            View("framing_trained", lambda: state.set_framing(Framing())),
        ]

    def _similarity(self) -> list[View]:
        """The pages of the panel, at the stage where one still recognises the picture and at the next one."""
        layout, state = self._window.dock_layout, self._state

        def page(name: str, node: str = "stage3") -> None:
            state.set_node(node)
            layout.show_panel("similarity")
            panel = cast("SimilarityPanel", layout.docks["similarity"].panel)
            panel.components.basis.setCurrentIndex(1)
            panel.switch.choose(name)

        def keep(y: int, x: int) -> None:
            cast("SimilarityPanel", layout.docks["similarity"].panel).likeness.choose((y, x))

        pages = ("components", "likeness", "parts", "norms")
        return [
            View("similarity_pictures", lambda: _drop(self._window, _samples())),
            View("similarity_stage2", partial(page, "components", "stage2")),
            *(View(f"similarity_{name}", partial(page, name)) for name in pages),
            View("similarity_kept", lambda: (page("likeness"), keep(4, 4), keep(1, 9))),
            View("similarity_large", lambda: (page("components"), layout.toggle_maximised("similarity"))),
            View("similarity_large_parts", partial(page, "parts", "stage2")),
            View("similarity_end", layout.leave_maximised),
        ]

    def _two_networks(self) -> list[View]:
        """B beside A in the panels that compare: either, the difference and the curtain, and both sums."""
        window, state = self._window, self._state
        layout, second = window.dock_layout, window.controller.second

        def show(panel: str, shown: Shown) -> None:
            state.second.choice.choose(shown)
            layout.show_panel(panel)

        return [
            View("two_opened", lambda: second.open(LoadModel(source="bundled", untrained=True, seed=1))),
            *(View(f"two_maps_{shown}", partial(show, "feature_maps", shown)) for shown in SHOWN),
            View("two_curtain_moved", lambda: state.second.choice.move_curtain(0.25)),
            *(
                View(f"two_{panel}", partial(show, panel, "curtain"))
                for panel in ("predictions", "receptive_field", "attribution", "comparison", "similarity")
            ),
            View("two_number", lambda: (show("number", "difference"), self._do["number"]())),
            View("two_number_large", partial(layout.toggle_maximised, "number")),
            View("two_evidence", lambda: (layout.leave_maximised(), show("evidence", "curtain"))),
            *(View(f"two_evidence_{page}", partial(self._open_page, "evidence", page)) for page in (2, 3)),
            View("two_closed", second.close),
        ]

    def _figure(self) -> list[View]:
        """A figure of several views."""
        window, layout = self._window, self._window.dock_layout

        def add(*panels: str) -> None:
            for name in panels:
                layout.show_panel(name)
                view = layout.docks[name].panel.findChild(MapView)
                assert view is not None
                window.panels.figure.add_view(view)
            layout.show_panel("figure")

        return [
            View("figure_views", lambda: (layout.show_panel("attribution"), self._state.set_unit(3, 4))),
            View("figure_of_three", partial(add, "picture", "attribution", "feature_maps")),
            View("figure_large", partial(layout.toggle_maximised, "figure")),
            View("figure_end", layout.leave_maximised),
        ]

    def _interventions(self) -> list[View]:
        """Changes of the network and of the picture: the chips, the brush, the ranking and the form."""
        do, state, layout = self._do, self._state, self._window.dock_layout
        make = state.interventions

        def page(number: int) -> None:
            layout.show_panel("interventions")
            layout.docks["interventions"].panel.findChild(QTabWidget).setCurrentIndex(number)

        def retouch() -> None:
            assert state.picture is not None
            box = (220.0, 120.0, 120.0, 120.0)
            make.retouch(state.picture.key, (Retouch(fill="blur", rectangle=box),))

        return [
            View("changed_channel", lambda: make.add(Change(node="stage2", channels=(0, 5)))),
            View("changed_twice", lambda: make.add(Change(node="stage3.block2", branch=True))),
            View("changed_more", lambda: make.add(Change(node="stage4", effect="factor", factor=0.5))),
            View("changed_picture", lambda: (do["change_picture"](), retouch())),
            *(View(f"changed_{shown}", partial(state.second.choice.choose, shown)) for shown in SHOWN),
            View("changed_ranking", lambda: (state.set_node("stage3"), page(0))),
            View("changed_ranking_large", partial(layout.toggle_maximised, "interventions")),
            View("changed_form", lambda: page(1)),
            View("changed_compare", lambda: (layout.leave_maximised(), do["change_picture"]())),
            View("changed_nothing", do["change_clear"]),
        ]

    def _live(self) -> list[View]:
        """An animation that is frozen at its first frame, and its panel."""
        live, layout = self._window.live, self._window.dock_layout

        def play() -> None:
            layout.show_panel("live")
            player = live.parts.player
            player.frame_shown.connect(lambda _: player.toggle() if player.is_running else None)
            live.open(str(_animation()))

        return [
            View("live_opened", play),
            View("live_frozen", lambda: live.step(1)),
            View("live_large", partial(layout.toggle_maximised, "live")),
            View("live_left", lambda: (layout.leave_maximised(), live.leave())),
        ]

    def _text_sizes(self) -> list[View]:
        return [
            View("text_larger", partial(self._use_text, 14)),
            View("text_20", partial(self._use_text, 20)),
            View("text_28", partial(self._use_text, 28)),
            View("text_back", partial(self._use_text, self._window.settings.values.text_pt)),
        ]

    def _use_text(self, size_pt: int) -> None:
        self._window.settings.update(text_pt=size_pt)
        self._window.appearance._use_text()

    def _networks(self) -> list[View]:
        change = self._window.controller.models.change
        return [
            View("random_weights", lambda: change(source="preset:tutorial")),
            View("large_network", lambda: change(source="preset:convnext_base")),
            View("other_family", lambda: change(source="timm-random:resnet18")),
            View("bundled_again", lambda: change(source="bundled")),
        ]

    def _lecture(self) -> list[View]:
        """Every step of the lecture, and the window after it."""
        steps = range(1, len(checked_lecture().steps))
        return [
            View("lecture_01", self._do["present"]),
            *(View(f"lecture_{index + 1:02}", partial(self._go_to, index)) for index in steps),
            View("lecture_zoomed", lambda: (self._go_to(_IN_THE_BLOCK), self._present(LectureCommand.ZOOM))),
            View(
                "lecture_keys", lambda: (self._present(LectureCommand.ZOOM), self._present(LectureCommand.HELP))
            ),
            # Any key closes the page with the keys.
            View("lecture_overview", lambda: [self._present(LectureCommand.OVERVIEW) for _ in range(2)]),
            View("after_the_lecture", lambda: (self._present(LectureCommand.OVERVIEW), self._leave())),
        ]

    def _go_to(self, index: int) -> None:
        presenter = self._window.lecture.presentation.presenter
        assert presenter is not None
        presenter.go_to(index)

    def _present(self, command: LectureCommand) -> None:
        presenter = self._window.lecture.presentation.presenter
        assert presenter is not None
        presenter.do(command)

    def _leave(self) -> None:
        presenter = self._window.lecture.presentation.presenter
        assert presenter is not None
        presenter.close()


_IN_THE_BLOCK = 19  # A step with a large map.
_SAVED = Notice("test", "The session was saved as /home/ada/session.json.", good=True, path=__file__)
_REASONS = tuple(f"picture-{number}.png is cut off after {number},024 bytes." for number in range(1, 8))
_FAILED = Notice(
    "test2", f"7 of 12 could not be opened: {_REASONS[0]}", "Copy them again.", _REASONS, path=__file__
)


def _samples() -> list[str]:
    return [str(sample_path(name)) for name in SAMPLES]


def _animation() -> Path:
    """Return an animation of the samples."""
    path = Path(tempfile.mkdtemp()) / "samples.gif"
    frames = [Image.open(sample_path(name)).convert("RGB").resize((300, 200)) for name in SAMPLES]
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=500, loop=0)
    return path


def _type(window: QWidget, text: str) -> None:
    QTest.keyClicks(QApplication.focusWidget() or window, text)


def _escape(window: QWidget) -> None:
    QTest.keyClick(QApplication.focusWidget() or window, Qt.Key.Key_Escape)


def _next_of_tour(window: StudioWindow) -> None:
    tour = window.guide.tour
    assert tour is not None
    tour.next.click()


def _open_menu(bar: QWidget, index: int) -> None:
    _close_menus()
    action = bar.actions()[index]
    menu = action.menu()
    assert menu is not None
    menu.popup(bar.mapToGlobal(bar.actionGeometry(action).bottomLeft()))


def _close_menus() -> None:
    while (menu := QApplication.activePopupWidget()) is not None:
        menu.close()


def _mime(paths: list[str]) -> QMimeData:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(Path(path).absolute())) for path in paths])
    return data


def _drop(window: StudioWindow, paths: list[str]) -> None:
    window.controller.open_dropped(_mime(paths))


def _drag(window: StudioWindow, paths: list[str]) -> None:
    """Drag files over the window, and do not drop them."""
    place, data = window.rect().center(), _mime(paths)  # The event does not keep what is dragged.
    button, none = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    event = QDragEnterEvent(place, Qt.DropAction.CopyAction, data, button, none)
    QApplication.sendEvent(window, event)
