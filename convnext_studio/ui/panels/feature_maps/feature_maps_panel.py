"""The feature maps of a node: all channels side by side, and the selected channel enlarged."""

from functools import partial
from typing import cast

from msgspec.structs import replace
from PySide6.QtCore import QEvent, QObject, QSignalBlocker, Qt, QTimer, Signal
from PySide6.QtWidgets import QCheckBox, QPushButton, QSpinBox, QSplitter, QTabWidget, QVBoxLayout, QWidget

from convnext_studio.protocol.channels import Patch
from convnext_studio.protocol.envelope import Payload, Request
from convnext_studio.protocol.maps import FeatureMaps, FeatureMapsResult
from convnext_studio.protocol.models import ModelInfo
from convnext_studio.render import ALL_VALUES, ROBUST_PERCENTILES, Limits, Range
from convnext_studio.ui.panels.base import Panel, choice, colormap_choice, opacity_slider
from convnext_studio.ui.panels.feature_maps.channel_view import (
    ChannelNumbersView,
    ChannelOptions,
    ChannelValues,
    ChannelView,
    ExactChannel,
    describe_channel,
    describe_last_unit,
    from_maps,
    python_of_channel,
    python_of_maps,
)
from convnext_studio.ui.panels.feature_maps.maps_subject import KeptMaps, MapsSubject, Scaling, maps_request
from convnext_studio.ui.panels.feature_maps.mosaic_image import MosaicLook, Order, describe_mosaic
from convnext_studio.ui.panels.feature_maps.mosaic_view import (
    MosaicNumbers,
    MosaicPainter,
    MosaicView,
    Paintings,
    PinnedView,
)
from convnext_studio.ui.panels.interventions.change_menu import ChangeButton, channel_changes
from convnext_studio.ui.panels.panel_query import PanelQuery
from convnext_studio.ui.panels.patch_list import PatchesView
from convnext_studio.ui.plots.dragging import CurtainDrag
from convnext_studio.ui.plots.linked_zoom import LinkedCrosshair, LinkedZoom
from convnext_studio.ui.plots.map_texts import is_signed
from convnext_studio.ui.plots.saving.view_saver import ViewContents
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.widgets import theme
from convnext_studio.ui.widgets.control_row import ControlRow
from convnext_studio.ui.widgets.elided_label import plain_tip
from convnext_studio.ui.widgets.range_choice import RangeChoice

_REARRANGE_MS = 120
# Flat and narrow, so that all tabs fit beside the mosaic on a small screen.
_TABS_STYLE = """
QTabWidget::pane { border: none; }
QTabBar { qproperty-drawBase: 0; }
QTabBar::tab { padding: 2px 7px 3px 7px; border: none; border-bottom: 2px solid transparent;
  color: palette(placeholder-text); }
QTabBar::tab:hover { color: palette(text); }
QTabBar::tab:selected { color: palette(text); border-bottom-color: palette(highlight); }
QTabBar:focus::tab:selected { background: palette(button); }
"""
_QUANTILES = (0.5, 0.75, 0.9, 0.95, 0.99)
_LOW, _HIGH = ROBUST_PERCENTILES


class FeatureChoices(QObject):
    """Creates the controls and gives access to what is chosen in them.

    Attributes
    ----------
    range
        The range of the common scale, visible only while it is asked for; belongs below the controls.
    """

    look_changed = Signal()
    options_changed = Signal()
    pin_asked = Signal()
    unit_cleared = Signal()

    def __init__(self, owner: QWidget) -> None:
        super().__init__(owner)
        self.channel_box = QSpinBox()
        self.channel_box.setAccessibleName("Channel")
        self.channel_box.setToolTip("The selected channel; you can also click one or use the arrow keys")
        self.channel_box.setKeyboardTracking(False)
        self.order = choice(
            "Order",
            "The order of the channels, largest first; contributions are to the explained class",
            [
                ("By index", "index"),
                ("By mean", "mean"),
                ("By maximum", "maximum"),
                ("By variance", "variance"),
                ("By sparsity", "sparsity"),
                ("By contribution", "contribution"),
            ],
            word="Sort",
        )
        self.scaling = choice(
            "Scaling",
            (
                "Each channel has its own colour scale, or all share one: of all values, without "
                f"extreme values (percentiles {_LOW:g} to {_HIGH:g}), or of a range that you set"
            ),
            [("Per channel", "channel"), ("Per layer", "layer"), ("Robust", "robust"), ("Range…", "fixed")],
            word="Scale",
        )
        self.colormap = colormap_choice()
        self.colormap.insertItem(0, "Auto", "")
        self.colormap.setCurrentIndex(0)
        self.colormap.setToolTip(
            "Colour map; ± is for signed data and symmetric about 0. Auto uses it if there are negative values"
        )
        self.on_picture = QCheckBox("On picture")
        self.on_picture.setToolTip("Show the selected channel over the picture, at its exact position")
        self.opacity = opacity_slider()
        self.opacity.setEnabled(False)
        self.contour = choice(
            "Contour",
            "A line around the values above a quantile of the selected channel",
            [("None", None), *((f"At the {100 * each:g} % quantile", each) for each in _QUANTILES)],
        )
        self.pin = QPushButton("Pin for comparison")
        self.pin.setToolTip("Keep these maps, and show them next to those of the next selection")
        self.clear_unit = QPushButton("Clear the unit")
        self.clear_unit.setToolTip("Select no unit")
        self._before: int | None = None  # The scaling that was chosen before the levels were dragged.
        self.range = RangeChoice(("hand", "percentile", "symmetric"), owner)
        self.range.hide()
        self._connect()

    def add_to(self, row: ControlRow) -> None:
        """Add the controls to a row, and the less frequent ones to its popup."""
        row.add(self.channel_box, word="Channel")
        row.add(self.order, word="Sort")
        row.add(self.scaling, word="Scale")
        row.add(self.colormap, word="Colours")
        row.add(self.on_picture)
        row.add(self.opacity, word="Opacity")
        row.add(self.contour, word="Contour", rare=True)
        row.add(self.pin, rare=True)
        row.add(self.clear_unit, rare=True)

    def offer_channels(self, count: int, chosen: int) -> None:
        """Offer that many channels, and show which is chosen."""
        with QSignalBlocker(self.channel_box):
            if self.channel_box.maximum() != count - 1:  # Qt lays out the row anew even for the same range.
                self.channel_box.setRange(0, count - 1)
            self.channel_box.setValue(chosen)

    @property
    def look(self) -> MosaicLook:
        """How to show the mosaics."""
        return MosaicLook(
            order=cast("Order", self.order.currentData()),
            scaling=cast("Scaling", self.scaling.currentData()),
            range=self.range.value,
            colormap=str(self.colormap.currentData()),
        )

    @property
    def kernel_range(self) -> Range:
        """The range of weights that a kernel's colour scale covers: all, unless a range is asked for."""
        return self.range.value if self.scaling.currentData() == "fixed" else ALL_VALUES

    @property
    def options(self) -> ChannelOptions:
        """How to show the selected channel."""
        return ChannelOptions(
            on_picture=self.on_picture.isChecked(),
            opacity=self.opacity.value() / 100,
            is_colormap_free=not self.colormap.currentData(),
            quantile=self.contour.currentData(),
        )

    def take_levels(self, limits: Limits) -> None:
        """Show all channels between these limits, as someone does who drags an end of a colour bar."""
        if self._before is None:
            self._before = int(self.scaling.currentIndex())
        was_blocked = self.scaling.blockSignals(True)
        self.scaling.setCurrentIndex(self.scaling.findData("fixed"))
        self.scaling.blockSignals(was_blocked)
        self.range.take(limits)

    def show_range(self) -> None:
        """Show the numbers of a range that was dragged; before, they would move the bar under the pointer."""
        self.range.setVisible(self.scaling.currentData() == "fixed")

    def restore_levels(self) -> None:
        """Show the scales that were chosen before the first `take_levels`."""
        if self._before is None:
            return
        index, self._before = self._before, None
        self.range.restore()
        self.scaling.setCurrentIndex(index)

    def propose_range(self, limits: Limits) -> None:
        """Fill in initial limits where none have been entered."""
        self.range.propose(limits)

    def set_pinned(self, pinned: bool) -> None:
        """Set the text of the button for pinning."""
        self.pin.setText("Unpin" if pinned else "Pin for comparison")

    def _connect(self) -> None:
        for box in (self.order, self.scaling, self.colormap):
            box.currentIndexChanged.connect(self._change_look)
        self.range.changed.connect(self.look_changed)
        self.on_picture.toggled.connect(self.opacity.setEnabled)
        self.on_picture.toggled.connect(self.options_changed)
        self.opacity.valueChanged.connect(self.options_changed)
        self.contour.currentIndexChanged.connect(self.options_changed)
        self.pin.clicked.connect(self.pin_asked)
        self.clear_unit.clicked.connect(self.unit_cleared)

    def _change_look(self) -> None:
        self.range.setVisible(self.scaling.currentData() == "fixed")
        self.look_changed.emit()


class ChannelTabs(QTabWidget):
    """The pages about the selected channel, of which the pinned maps are seen only while there are some."""

    def __init__(
        self, channel_map: ChannelView, numbers: ChannelNumbersView, patches: PatchesView, pinned: PinnedView
    ) -> None:
        super().__init__()
        self._channel_map, self._pinned = channel_map, pinned
        self._pages = {"numbers": numbers, "patches": patches}
        self.setDocumentMode(True)
        for page, title, tip in (
            (
                channel_map,
                "Map",
                "The selected channel, enlarged; click to select a unit, and move it with the arrow keys",
            ),
            (numbers, "Numbers", "Histogram, statistics and depthwise kernel of the channel"),
            (patches, "Patches", "The places in the opened pictures where the channel is strongest"),
            (pinned, "Pinned", "The pinned maps, with the same scale, zoom and channel"),
        ):
            self.setTabToolTip(self.addTab(page, title), plain_tip(tip))
        self.setTabVisible(self.indexOf(pinned), False)
        self.setAccessibleName("Selected channel")
        self.setAccessibleDescription("Ctrl+Tab or the arrow keys change the page")
        # The pages' own minimum widths would take room that the mosaic needs more.
        self.setMinimumSize(190, 110)
        self.setStyleSheet(_TABS_STYLE)

    def show_page(self, name: str) -> None:
        """Show the page ``numbers`` or ``patches``."""
        self.setCurrentWidget(self._pages[name])

    def show_map(self) -> None:
        """Show the channel's map."""
        self.setCurrentWidget(self._channel_map)

    def show_pinned(self, is_pinned: bool) -> None:
        """Show the page of the pinned maps, or remove it."""
        was_seen = self.currentWidget() is self._pinned
        self.setTabVisible(self.indexOf(self._pinned), is_pinned)
        if is_pinned:
            self.setCurrentWidget(self._pinned)
        elif was_seen:
            self.show_map()


class FeatureMapsPanel(Panel):
    """A panel with the mosaic on the left, the selected channel on the right; arrow keys change the channel."""

    title = "Feature maps"
    compares = True

    def __init__(self, state: AppState, bridge: EngineBridge, parent: QWidget | None = None) -> None:
        super().__init__(state, bridge, parent)
        self._subject: MapsSubject | None = None
        self._kept = KeptMaps(state)
        self.query = PanelQuery(self, self.question, self._show, self._dim, recall=self._recall)
        self._painter = MosaicPainter(self._show_paintings, state.cache_sizes, self)
        self._numbers = MosaicNumbers(state, bridge, self._show_numbers, self)
        self._exact = ExactChannel(bridge, self._show_values, self)
        self._rearrange_soon = QTimer(self, singleShot=True, interval=_REARRANGE_MS)
        self._rearrange_soon.timeout.connect(self._paint)
        self.choices = FeatureChoices(self)
        self.choices.add_to(self.controls)
        self.change = ChangeButton(state)
        self.controls.add(self.change)
        self.mosaic_map = MosaicView("All channels")
        self.channel_map = ChannelView("Selected channel")
        self.numbers = ChannelNumbersView(bridge)
        self.patches = PatchesView(state, bridge)
        self.pinned = PinnedView(state, bridge)
        self.tabs = ChannelTabs(self.channel_map, self.numbers, self.patches, self.pinned)
        self.set_body(_body(self.choices.range, self.mosaic_map, self.tabs))
        self._connect()
        self.query.refresh()

    def _connect(self) -> None:
        state, choices = self.state, self.choices
        state.model_loaded.connect(self._forget)
        state.second.model_changed.connect(self._forget_second)
        state.second.choice.curtain_moved.connect(self._draw_curtain)
        state.opened.changed.connect(self._forget_closed)
        state.picture_selected.connect(self.query.refresh)
        state.node_selected.connect(self.query.refresh)
        state.channel_selected.connect(self._show_channel)
        state.unit_selected.connect(self._show_unit)
        choices.channel_box.valueChanged.connect(state.set_channel)
        choices.look_changed.connect(self._paint)
        choices.options_changed.connect(self._show_options)
        choices.unit_cleared.connect(state.clear_unit)
        choices.pin_asked.connect(state.toggle_pin)
        self.pinned.changed.connect(self._show_pin)
        for mosaic, other in ((self.mosaic_map, self.pinned.map), (self.pinned.map, self.mosaic_map)):
            mosaic.channel_chosen.connect(state.set_channel)
            mosaic.page_asked.connect(self.tabs.show_page)
            mosaic.view.moved.connect(lambda mosaic=mosaic, other=other: other.follow(mosaic))
            mosaic.unit_hovered.connect(
                lambda unit, mosaic=mosaic, other=other: self._hover(mosaic, other, unit)
            )
        self.mosaic_map.view.resized.connect(self._rearrange_soon.start)
        self.pinned.map.view.resized.connect(self._rearrange_soon.start)
        for bar in (self.mosaic_map.bar, self.channel_map.bar, self.pinned.map.bar):
            bar.set_adjustable(lambda: self._first_levels)
            bar.levels_dragged.connect(choices.take_levels)
            bar.levels_released.connect(choices.show_range)
            bar.levels_restored.connect(choices.restore_levels)
        self.channel_map.unit_chosen.connect(self._choose_unit)
        self.mosaic_map.offer_more(partial(channel_changes, state))
        self.patches.patch_chosen.connect(self._show_patch)
        for source in (self.channel_map.read_out, self.numbers.read_out):
            source.connect(state.hovered)
        LinkedCrosshair(state, self.mosaic_map.view, self.mosaic_map.to_picture, lambda _x, _y: None)
        LinkedCrosshair(state, self.channel_map.view, self.channel_map.to_picture, self.channel_map.to_scene)
        choice, mosaic = state.second.choice, self.mosaic_map
        CurtainDrag(choice, self.channel_map.view, self._has_line)
        CurtainDrag(choice, mosaic.view, lambda: state.second.curtain is not None, mosaic.curtain_at)
        LinkedZoom(state, self.channel_map.view, self.channel_map.to_picture, self.channel_map.to_scene)

    @property
    def _first_levels(self) -> Limits | None:
        """The levels at which a drag begins while each channel has its own: those of all values."""
        painting = self.mosaic_map.painting
        if painting is None:
            return None
        return painting.subject.shared_limits("layer", is_signed(painting.colormap))

    # ------------------------------------------------------------------------------------------ the engine

    def question(self) -> Request | str:
        """Return the request for the selected node's maps on the selected picture, or why there is none."""
        if self.state.picture is None:
            return self.state.awaited.why_no_picture
        if self.state.model is None:
            return self.state.awaited.why_no_model
        return maps_request(self.state.picture.key, self.state.node)

    def _recall(self, question: FeatureMaps) -> FeatureMapsResult | None:
        """Return the maps if they are cached and the panel is visible."""
        return self._kept.recall(question) if self.isVisible() else None

    def _show(self, payload: Payload) -> None:
        shown = self._kept.picture_of(payload)
        if isinstance(payload, FeatureMapsResult) and shown is not None and self.state.model is not None:
            second = None if self.query.second is None else self.query.second.answer
            self._show_subject(self._kept.shown(payload, second, shown))

    def _forget_closed(self) -> None:
        """Forget what was computed for pictures that have been closed."""
        opened = {picture.key for picture in self.state.opened.all}
        self._kept.forget_all_but(opened)
        self._painter.forget_all_but(opened)

    def _forget_second(self, _model: ModelInfo | None) -> None:
        """Forget everything computed with the previous second network."""
        self._kept.forget_second()
        self._painter.forget()
        if self._subject is not None and (self._subject.made_of or self._subject.network == "B"):
            self._subject = None

    def _forget(self, _model: ModelInfo) -> None:
        """Forget everything computed with the previous model."""
        self._kept.forget()
        self._painter.forget()
        self._exact.drop()
        self.numbers.forget()
        self._subject = None
        self.query.refresh()

    def _dim(self, dimmed: bool) -> None:
        self.mosaic_map.view.set_dimmed(dimmed)
        self.channel_map.view.set_dimmed(dimmed)

    @property
    def is_settled(self) -> bool:
        """Whether the maps have arrived and are arranged for the panel's size."""
        if not self.isVisible():
            return True
        is_working = self._rearrange_soon.isActive() or self._painter.is_busy or self._exact.is_running
        parts = (self._numbers, self.numbers, self.patches, self.pinned)
        return super().is_settled and not is_working and all(part.is_settled for part in parts)

    # --------------------------------------------------------------------------------------------- display

    @property
    def channel(self) -> int:
        """The channel shown: the selected one, or the last one if the node has fewer."""
        last = self._subject.channels - 1 if self._subject is not None else 0
        return min(self.state.channel, last)

    def _show_subject(self, subject: MapsSubject) -> None:
        self._subject = subject
        # The selected channel is kept for later nodes that have it.
        self.choices.offer_channels(subject.channels, self.channel)
        self._paint()
        # Until the new maps are painted, the view still shows the old ones.
        self._dim(self._painter.is_busy)

    def _paint(self) -> None:
        """Have the mosaics coloured as chosen in the controls."""
        self._rearrange_soon.stop()
        if self._subject is None:
            return
        look = replace(self.choices.look, gap_colour=_gap_colour())
        target, scores = self._numbers.ask(self._subject, look.order)
        subjects, mosaics = [self._subject], [self.mosaic_map.fitting(self._subject)]
        if self.pinned.subject is not None:
            subjects.append(self.pinned.subject)
            mosaics.append(self.pinned.map.fitting(self.pinned.subject))
        self._painter.ask(subjects, mosaics, replace(look, target=target), scores, self._on_scale)

    @property
    def _on_scale(self) -> tuple[MapsSubject, ...]:
        """The maps of A and B, whose scale is common unless it is that of their difference."""
        is_apart = self._subject is None or self.state.second.shown == "difference"
        return () if is_apart or not self._kept.compared or self.query.second is None else self._kept.compared

    def _has_line(self) -> bool:
        """Whether the channel has its curtain's line at a share of the view's width."""
        return self.state.second.shown == "curtain" and not self.choices.options.on_picture

    def _draw_curtain(self, _share: float) -> None:
        if self.state.second.shown == "curtain" and self.query.is_current and self.shows_body:
            self._show(self.query.answer)

    def _show_paintings(self, paintings: Paintings) -> None:
        if paintings[0].subject is not self._subject:
            return
        self._dim(self.query.is_running)
        self.mosaic_map.set_curtain(self.state.second.curtain)
        self.mosaic_map.show_painting(paintings[0])
        if len(paintings) > 1:
            self.pinned.map.show_painting(paintings[1])
            self.pinned.map.follow(self.mosaic_map)
        if self.choices.scaling.currentData() == "fixed":
            signed = is_signed(paintings[0].colormap)
            self.choices.propose_range(paintings[0].subject.numbers.shared_limits(signed))
        self._show_channel()

    def _show_numbers(self, subject: MapsSubject) -> None:
        """Repaint once the engine has sent the statistics to sort by; an overview's subject keeps them."""
        if self._subject is not None and subject.result is self._subject.result:
            if subject is not self._subject:
                self._subject = subject
                if subject.is_computed:
                    self._kept.keep(subject)
            self._paint()

    def _show_channel(self) -> None:
        """Show the selected channel of the painted maps."""
        subject, painting = self._subject, self.mosaic_map.painting
        with QSignalBlocker(self.choices.channel_box):
            self.choices.channel_box.setValue(self.channel)
        self.mosaic_map.frame_channel(self.state.channel)
        self.pinned.map.frame_channel(self.state.channel)
        if subject is None or painting is None or painting.subject is not subject:
            return
        self._show_values(self._exact.values_of(subject, self.channel))

    def _show_values(self, shown: ChannelValues) -> None:
        painting = self.mosaic_map.painting
        if painting is None or shown.channel != self.channel:
            return
        if shown.subject.result is not painting.subject.result:
            return
        limits = painting.limits_of(shown.channel)
        self.channel_map.show_channel(shown, limits, painting.colormap)
        self.channel_map.show_unit(self._shown_unit)
        self.numbers.show_channel(shown, limits, painting.colormap)
        self.numbers.colour_kernel(self.choices.look.colormap, self.choices.kernel_range)
        self.patches.show_channel(shown.channel)
        self._say()

    def _show_options(self) -> None:
        self.channel_map.set_options(self.choices.options)
        self._say()

    def _show_unit(self, _unit: tuple[int, int] | None) -> None:
        self.channel_map.show_unit(self._shown_unit)
        self._say()

    @property
    def _shown_unit(self) -> tuple[int, int] | None:
        """The selected unit in the maps that are shown."""
        return self._kept.unit_in(self._subject, self.state.unit)

    def _choose_unit(self, y: int, x: int) -> None:
        """Select the unit of A for one that was clicked in the maps that are shown."""
        self.state.set_unit(*self._kept.unit_of_first(self._subject, (y, x)))

    def _say(self) -> None:
        painting, shown = self.mosaic_map.painting, self.channel_map.shown
        if painting is None or shown is None or not self.shows_body:
            return
        said = describe_mosaic(painting, self.choices.look, self._numbers.class_name)
        notes = () if self.query.second is None else self.query.second.notes
        if self.state.second.shown == "curtain":
            notes = (f"in each channel, {self.state.second.choice.sides}", *notes)
        contribution = self._numbers.contribution_text(shown.subject, shown.channel)
        channel = describe_channel(shown, self.channel_map.contour_text, self.channel_map.unit)
        self.set_caption(" · ".join(text for text in (said, channel, contribution, *notes) if text))
        with_unit = describe_last_unit(shown, self.channel_map.contour_text)
        self.keep_caption_room(self.caption, self.caption.replace(channel, with_unit))
        self._name_contents(shown)

    def _name_contents(self, shown: ChannelValues) -> None:
        """Tell the views the names and captions to use when they are saved to files."""
        for view in (self.mosaic_map, self.pinned.map):
            if view.painting is not None:
                subject = view.painting.subject
                said = describe_mosaic(view.painting, self.choices.look, self._numbers.class_name)
                name = f"{subject.file_name} channels"
                caption = f"{subject.title} · {said}"
                python = python_of_maps(subject, self.state.second)
                view.set_contents(ViewContents(name, caption, subject.result.maps, python))
        name = f"{shown.subject.file_name} channel {shown.channel}"
        caption = f"{shown.subject.title} · {self.caption}"
        python = python_of_channel(shown, self.state.second)
        self.channel_map.set_contents(ViewContents(name, caption, shown.values, python))

    def _show_pin(self) -> None:
        """Show the pinned maps once they have arrived, or hide their tab."""
        is_pinned = self.pinned.subject is not None
        self.choices.set_pinned(self.state.kept.pin is not None)
        self.tabs.show_pinned(is_pinned)
        self._paint()

    def _show_patch(self, patch: Patch) -> None:
        self.state.opened.select(patch.image)
        self.state.set_unit(patch.y, patch.x)
        self.tabs.show_map()

    def _hover(self, mosaic: MosaicView, other: MosaicView, unit: tuple[int, int, int] | None) -> None:
        other.highlight_channel(None if unit is None else unit[0])
        if unit is None or mosaic.painting is None:
            self.state.hovered.emit("")
            return
        shown = from_maps(mosaic.painting.subject, unit[0])
        self.state.hovered.emit(shown.read_out(*unit[1:]))

    def changeEvent(self, event: QEvent) -> None:
        """Repaint the gaps when the theme changes."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            self._paint()


def _body(range_choice: QWidget, mosaic: QWidget, tabs: QWidget) -> QWidget:
    """Return the mosaic and the tabs side by side, below the range of the common scale."""
    splitter = QSplitter(Qt.Orientation.Horizontal)
    splitter.addWidget(mosaic)
    splitter.addWidget(tabs)
    splitter.setStretchFactor(0, 5)
    splitter.setStretchFactor(1, 4)
    splitter.setChildrenCollapsible(False)
    splitter.setSizes([500, 400])
    body = QWidget()
    layout = QVBoxLayout(body)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(4)
    layout.addWidget(range_choice)
    layout.addWidget(splitter, 1)
    return body


def _gap_colour() -> tuple[int, int, int]:
    surface = theme.current().surface
    return int(surface[1:3], 16), int(surface[3:5], 16), int(surface[5:7], 16)
