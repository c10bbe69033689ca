"""The strongest patches of a channel: what is asked, what is shown so far, and where a click leads."""

import pytest
from msgspec.structs import replace
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from convnext_studio.protocol.channels import Patch, StrongestPatches, StrongestPatchesResult
from convnext_studio.protocol.envelope import Progress
from convnext_studio.ui.panels.feature_maps.feature_maps_panel import FeatureMapsPanel
from convnext_studio.ui.widgets import text_size
from tests.looks.faults import settle
from tests.ui import desk as a
from tests.ui.desk import Desk, feature_maps, picture
from tests.ui.features import answer, asked, filled_panel, reply


def patch(image: str, y: int, x: int, value: float) -> Patch:
    return a.patch(image, y, x, value, is_clipped=True)


def result(*patches: Patch, seen: int = 2) -> StrongestPatchesResult:
    return StrongestPatchesResult(node="stage3", channel=0, patches=patches, seen=seen, total=2)


@pytest.fixture
def desk_and_panel(qtbot: QtBot) -> tuple[Desk, FeatureMapsPanel]:
    """Two pictures are open, the first is shown, and the patches are seen."""
    desk, panel = filled_panel(qtbot)
    desk.state.opened.add(picture("dog"), select=False)
    panel.tabs.setCurrentWidget(panel.patches)
    qtbot.waitUntil(lambda: bool(asked(desk, StrongestPatches)) and not panel.patches._soon.isActive())
    return desk, panel


def test_all_opened_pictures_are_looked_at_once_it_is_seen(
    desk_and_panel: tuple[Desk, FeatureMapsPanel],
) -> None:
    desk, panel = desk_and_panel
    (request,) = asked(desk, StrongestPatches)
    assert (request.node, request.channel, request.images) == ("stage3", 0, ("cat", "dog"))
    assert not panel.is_settled
    assert not panel.patches.progress.isHidden()
    assert not panel.patches.stop.isHidden()


def test_each_patch_has_its_value_and_picture(desk_and_panel: tuple[Desk, FeatureMapsPanel]) -> None:
    desk, panel = desk_and_panel
    reply(desk, StrongestPatches, result(patch("dog", 1, 2, 7.5), patch("cat", 0, 3, -1.25)))
    texts = [panel.patches.list.item(row).text() for row in range(panel.patches.list.count())]
    assert texts == ["7.50\ndog", "-1.25\ncat"]
    assert "over 2 pictures" in panel.patches.text.text()
    assert "clipped at the edge" in panel.patches.text.text()
    assert panel.patches.progress.isHidden()
    assert panel.patches.stop.isHidden()


def test_the_patches_grow_with_the_text(
    desk_and_panel: tuple[Desk, FeatureMapsPanel], qapp: QApplication
) -> None:
    desk, panel = desk_and_panel
    reply(desk, StrongestPatches, result(patch("dog", 1, 2, 7.5), patch("cat", 0, 3, -1.25)))
    patches = panel.patches.list
    for size_pt in (20, 9):
        text_size.apply(qapp, size_pt)
        settle()
        item = patches.item(0)
        lines = item.text().splitlines()
        assert item.sizeHint().width() >= max(map(patches.fontMetrics().horizontalAdvance, lines))
        needed = patches.iconSize().height() + len(lines) * patches.fontMetrics().height()
        assert item.sizeHint().height() >= needed


def test_where_no_field_is_a_box_the_whole_input_is_not_called_one(
    desk_and_panel: tuple[Desk, FeatureMapsPanel],
) -> None:
    desk, panel = desk_and_panel
    info = desk.state.model
    assert info is not None
    nodes = tuple(replace(node, field=node.field.without_box()) for node in info.nodes)
    desk.state.set_model(replace(info, nodes=nodes))
    answer(desk, panel, feature_maps(desk, "stage3"))
    desk.qtbot.waitUntil(lambda: len(asked(desk, StrongestPatches)) == 2)
    reply(desk, StrongestPatches, result(patch("dog", 1, 2, 7.5)))
    assert "the whole input is shown" in panel.patches.text.text()
    assert "theoretical fields" not in panel.patches.text.text()


def test_what_there_is_so_far_is_shown_and_kept_when_stopped(
    desk_and_panel: tuple[Desk, FeatureMapsPanel],
) -> None:
    desk, panel = desk_and_panel
    number = asked(desk, StrongestPatches)[-1].id
    partial = result(patch("cat", 0, 3, 2.0), seen=1)
    desk.tell(Progress(id=number, done=1, total=2, text="", partial=partial))
    assert panel.patches.list.count() == 1
    assert panel.patches.progress.value() == 1
    assert "1 of 2 pictures so far" in panel.patches.text.text()
    panel.patches.stop.click()
    desk.tell()  # The engine's word that it has stopped is on its way.
    assert desk.client.cancelled[-1] == number
    assert panel.patches.list.count() == 1
    assert panel.patches.stop.text() == "Measure again"
    panel.patches.stop.click()
    assert len(asked(desk, StrongestPatches)) == 2


@pytest.mark.parametrize("by_key", [False, True])
def test_a_patch_leads_to_its_picture_and_unit(
    desk_and_panel: tuple[Desk, FeatureMapsPanel], by_key: bool
) -> None:
    desk, panel = desk_and_panel
    reply(desk, StrongestPatches, result(patch("cat", 1, 1, 9.0), patch("dog", 1, 2, 7.5)))
    patches = panel.patches.list
    if by_key:
        patches.setCurrentRow(1)
        QTest.keyClick(patches, Qt.Key.Key_Return)
    else:
        QTest.mouseClick(
            patches.viewport(), Qt.MouseButton.LeftButton, pos=patches.visualItemRect(patches.item(1)).center()
        )
    assert desk.state.picture.key == "dog"
    assert desk.state.unit == (1, 2)
    assert panel.tabs.currentWidget() is panel.channel_map


def test_walking_the_channels_asks_for_the_last_only(
    qtbot: QtBot, desk_and_panel: tuple[Desk, FeatureMapsPanel]
) -> None:
    desk, panel = desk_and_panel
    for channel in (1, 2, 3):
        desk.state.set_channel(channel)
    qtbot.waitUntil(lambda: not panel.patches._soon.isActive())
    assert [request.channel for request in asked(desk, StrongestPatches)] == [0, 3]
    # The answer to the older question is not shown any more.
    first = asked(desk, StrongestPatches)[0].id
    desk.answer(result(patch("cat", 0, 0, 1.0)), identifier=first)
    assert panel.patches.list.count() == 0


def test_patches_of_another_node_lead_nowhere(desk_and_panel: tuple[Desk, FeatureMapsPanel]) -> None:
    desk, panel = desk_and_panel
    reply(desk, StrongestPatches, result(patch("dog", 1, 2, 7.5)))
    assert panel.patches.list.isEnabled()
    desk.state.set_node("stage4")
    assert not panel.patches.list.isEnabled()
    patches = panel.patches.list
    place = patches.visualItemRect(patches.item(0)).center()
    QTest.mouseClick(patches.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert desk.state.unit is None


def test_patches_can_be_chosen_again_when_all_is_as_it_was(
    qtbot: QtBot, desk_and_panel: tuple[Desk, FeatureMapsPanel]
) -> None:
    desk, panel = desk_and_panel
    reply(desk, StrongestPatches, result(patch("dog", 1, 2, 7.5)))
    desk.state.set_node("stage4")
    desk.state.set_node("stage3")
    qtbot.waitUntil(lambda: not panel.patches._soon.isActive())
    assert len(asked(desk, StrongestPatches)) == 1
    assert panel.patches.list.isEnabled()


def test_patches_of_another_channel_lead_nowhere_while_this_one_is_searched(
    qtbot: QtBot, desk_and_panel: tuple[Desk, FeatureMapsPanel]
) -> None:
    desk, panel = desk_and_panel
    reply(desk, StrongestPatches, result(patch("dog", 1, 2, 7.5)))
    desk.state.set_channel(1)
    qtbot.waitUntil(lambda: len(asked(desk, StrongestPatches)) == 2)
    desk.state.set_node("stage4")
    desk.state.set_node("stage3")
    desk.state.set_channel(1)
    qtbot.waitUntil(lambda: not panel.patches._soon.isActive())
    assert not panel.patches.list.isEnabled()


def test_pictures_that_cannot_be_read_are_said(desk_and_panel: tuple[Desk, FeatureMapsPanel]) -> None:
    desk, panel = desk_and_panel
    reply(desk, StrongestPatches, replace(result(patch("cat", 0, 0, 1.0)), skipped=("dog",)))
    assert "1 picture could not be read" in panel.patches.text.text()


def test_a_failure_is_said_and_can_be_tried_again(desk_and_panel: tuple[Desk, FeatureMapsPanel]) -> None:
    desk, panel = desk_and_panel
    desk.fail("The GPU has no memory left.")
    assert panel.patches.text.text() == "The GPU has no memory left."
    assert panel.patches.stop.text() == "Measure again"
