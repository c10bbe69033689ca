"""How much is kept: what is chosen in the settings, what reaches the engine, and what the caches count."""

import weakref

import numpy as np
import pytest
from msgspec import structs
from msgspec.structs import replace

from convnext_studio.common.caches import ByteCache
from convnext_studio.engine.server.workspace import Workspace
from convnext_studio.protocol.maps import FeatureMapsResult
from convnext_studio.protocol.models import KeepWithin
from convnext_studio.protocol.pictures import ImageInfo
from convnext_studio.render import Mosaic
from convnext_studio.ui.panels.feature_maps import maps_subject, mosaic_view
from convnext_studio.ui.panels.feature_maps.maps_subject import KeptMaps, MapsSubject
from convnext_studio.ui.panels.feature_maps.mosaic_image import MosaicLook, paint
from convnext_studio.ui.panels.feature_maps.mosaic_view import MosaicPainter
from convnext_studio.ui.panels.settings.settings_panel import SettingsPanel
from convnext_studio.ui.shell.window import StudioWindow
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.cache_sizes import ENGINE_BYTES, WINDOW_BYTES, CacheSizes
from convnext_studio.ui.state.settings import KEPT_SHARES, Settings, SettingsFile
from tests.ui.conftest import FakeEngine, make_geometry, make_image, make_model

PREVIEW_BYTES = 600 * 500 * 3
MAP_BYTES = 4 * 8 * 8 * 4


def subject(number: int) -> MapsSubject:
    """Small maps of a picture with a large preview."""
    model = make_model()
    node = model.node("stage1")
    picture = structs.replace(
        make_image(f"picture {number}"),
        preview=np.zeros((500, 600, 3), np.uint8),
        thumbnail=np.zeros((1, 1, 3), np.uint8),
    )
    maps = np.zeros((4, 8, 8), np.float32)
    result = FeatureMapsResult(
        image=picture.key, node="stage1", maps=maps, field=node.field, geometry=make_geometry()
    )
    return MapsSubject(result, node, model, picture)


def test_kept_maps_count_the_previews_that_they_keep(state: AppState, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(maps_subject, "_KEPT_BYTES", 3 * (PREVIEW_BYTES + MAP_BYTES + 3))
    kept = KeptMaps(state)
    previews = []
    for number in range(8):
        each = subject(number)
        previews.append(weakref.ref(each.picture.preview))
        kept.keep(each)
        del each
    assert [preview() is not None for preview in previews] == [False] * 5 + [True] * 3


@pytest.mark.usefixtures("qapp")
def test_paintings_count_the_maps_and_previews_that_they_keep(
    state: AppState, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mosaic_view, "KEPT_BYTES", 3 * (PREVIEW_BYTES + 40_000))
    painter = MosaicPainter(lambda _: None, CacheSizes(), state)
    previews = []
    for number in range(8):
        each = subject(number)
        previews.append(weakref.ref(each.picture.preview))
        mosaic, look = Mosaic.fitting((4, 8, 8), 1.0, 1), MosaicLook()
        painter._keep((each, mosaic, look), paint((each,), (mosaic,), look, None))
        del each
    assert [preview() is not None for preview in previews] == [False] * 5 + [True] * 3


def test_the_difference_of_two_networks_counts_the_maps_of_both() -> None:
    first, second = subject(1), subject(2)
    made = replace(first, made_of=(first, second))
    assert maps_subject.kept_bytes(made.arrays) == 2 * (PREVIEW_BYTES + MAP_BYTES + 3)


def test_caches_hold_the_share_that_is_set_whenever_they_are_made() -> None:
    sizes = CacheSizes()
    first: ByteCache[bytes] = ByteCache(100, len)
    sizes.add(first)
    for key in range(10):
        first.put(key, bytes(10))
    assert first.get(0) is not None  # So it is used later than all others.
    sizes.set_share(0.25)
    second: ByteCache[bytes] = ByteCache(400, len)
    sizes.add(second)
    assert (first.capacity_bytes, second.capacity_bytes, sizes.total_bytes) == (25, 100, 125)
    assert sizes.held_bytes == 20
    assert [key for key in range(10) if first.get(key) is not None] == [0, 9]
    sizes.set_share(2.0)
    assert (first.capacity_bytes, second.capacity_bytes) == (200, 800)
    del second
    assert sizes.total_bytes == 200


def test_what_the_settings_say_is_what_the_caches_hold(filled_window: StudioWindow) -> None:
    for name in ("feature_maps", "pictures", "similarity", "contact_sheet"):
        filled_window.dock_layout.show_panel(name)
    assert filled_window.state.cache_sizes.total_bytes == WINDOW_BYTES
    workspace = Workspace()
    caches = (
        workspace.results,
        workspace.outputs,
        workspace.masked_outputs,
        workspace.frame_fields,
        *workspace.pictures.caches,
    )
    assert sum(cache.capacity_bytes for cache in caches) == ENGINE_BYTES
    workspace.beside().keep_within(0.5)
    assert sum(cache.capacity_bytes for cache in caches) == ENGINE_BYTES // 2


def test_a_choice_reaches_window_and_engine_at_once_and_is_kept(
    filled_window: StudioWindow, engine: FakeEngine, settings: SettingsFile
) -> None:
    filled_window.actions_by_id["settings"].trigger()
    panel = filled_window.dock_layout.docks["settings"].panel
    assert isinstance(panel, SettingsPanel)
    texts = [panel.kept_share.itemText(row) for row in range(panel.kept_share.count())]
    assert texts[2] == "Window 981 MB, engine 3.0 GB"
    assert len(texts) == len(KEPT_SHARES)
    assert panel.kept_share.currentIndex() == 2
    before = filled_window.state.cache_sizes.total_bytes
    panel.kept_share.setCurrentIndex(0)
    panel.kept_share.activated.emit(0)
    [asked] = engine.open(KeepWithin)
    assert asked.share == settings.values.kept_share == 0.25
    assert filled_window.state.cache_sizes.total_bytes == before // 4
    filled_window.use_settings(Settings())
    assert engine.open(KeepWithin)[-1].share == 1
    assert filled_window.state.cache_sizes.total_bytes == before


def test_previews_count_what_they_keep_alive(state: AppState) -> None:
    whole = np.zeros((1000, 1000, 3), np.uint8)
    picture: ImageInfo = structs.replace(make_image(), preview=whole[:10], thumbnail=whole[:1, :1])
    state.opened.add(picture)
    assert state.cache_sizes.held_bytes == whole.nbytes
