"""The receptive-field lab: what is compared, how it is measured and coloured, and three pages that show it."""

import math
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import cast

import numpy as np
from PySide6.QtCore import QPoint, QSize, Signal
from PySide6.QtGui import QImage, QPainter
from PySide6.QtWidgets import (
    QComboBox,
    QFileDialog,
    QMenu,
    QPushButton,
    QSizePolicy,
    QTabWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from convnext_studio.common.errors import StudioError
from convnext_studio.common.files import checked_ending, written_whole
from convnext_studio.erf import ShownScale, averaged_text
from convnext_studio.export import save_field
from convnext_studio.model.timm.known_models import known_models
from convnext_studio.protocol.envelope import Request
from convnext_studio.protocol.receptive_fields import (
    FieldGrowthResult,
    FieldNetwork,
    FieldView,
    GrowthPoint,
    ReceptiveFieldResult,
)
from convnext_studio.ui.panels.base import Panel, choice, colormap_choice
from convnext_studio.ui.panels.panel_query import PanelQuery, StopButton
from convnext_studio.ui.panels.receptive_field.field_controls import FieldControls, FieldSettings
from convnext_studio.ui.panels.receptive_field.measured_field import STOP_TIP, WAIT_MS, averaged_so_far
from convnext_studio.ui.panels.receptive_field.receptive_field_panel import scale_choice
from convnext_studio.ui.panels.receptive_field_lab.compare import ComparePage, Display
from convnext_studio.ui.panels.receptive_field_lab.one_picture import OnePicturePage
from convnext_studio.ui.plots.curve_data import Axes, Curve, Numbers
from convnext_studio.ui.plots.curve_plot import CurvePlot
from convnext_studio.ui.plots.field_scene import PROTOCOLS, SEES_ALL
from convnext_studio.ui.plots.saving.vector_files import svg_bytes
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.background import Background
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.state.comparison_entries import (
    COMPARISONS,
    MOST,
    OPEN_MODEL,
    Entry,
    ReadyComparison,
    network,
    random_weights,
    saved_field,
    suggestions,
)
from convnext_studio.ui.widgets.control_row import ControlRow
from convnext_studio.ui.widgets.elided_label import plain_tip
from convnext_studio.ui.widgets.message_bar import Notice
from convnext_studio.ui.widgets.popup import MENU_BUTTON_STYLE
from convnext_studio.ui.widgets.qimage import png_of
from convnext_studio.ui.widgets.range_choice import RangeChoice
from convnext_studio.ui.widgets.save_dialog import FileKind, SaveDialogs
from convnext_studio.ui.widgets.search.source_completer import SourceCompleter

OPEN_TEXT, RANDOM_TEXT = "The open model", "Random weights in its architecture"
ONE_SCALE, OWN_SCALE = "One scale for all", "Each to its maximum"
FIELD_KINDS = (
    FileKind("With its protocol", ("npz",)),
    FileKind("Only the array, as in the published scripts", ("npy",)),
)
FIGURE_KINDS = (
    FileKind("PNG picture, at twice the screen resolution", ("png",)),
    FileKind("SVG drawing, scalable lines and text", ("svg",)),
)
_TOPIC = "field_lab"
MOST_PICTURES = 4
_AXES = Axes(
    x="Depth (one point per block; stages are labelled at their last block)", y="Side (px)", is_log=True
)
_SHARES = (0.99, 0.5)


class GrowthPage(Panel):
    """A page that plots how one subject's field grows; it measures only while visible, at one pass per block.

    Attributes
    ----------
    subject
        The choice of the subject, from those in the comparison.
    """

    def __init__(
        self,
        state: AppState,
        bridge: EngineBridge,
        settings: Callable[[], FieldSettings],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(state, bridge, parent)
        self._settings = settings
        self.subject = choice("Network", "The network whose growth is shown", ())
        self.plot = CurvePlot("Growth of the field with depth", _AXES)
        self.query = PanelQuery(self, self.question, self._show, self._dim, wait_ms=WAIT_MS)
        for widget in (self.subject, StopButton(self.query, STOP_TIP)):
            self.controls.add(widget)
        self.set_body(self.plot)
        self.subject.currentIndexChanged.connect(self.query.schedule)
        self.plot.pointed.connect(state.hovered)

    def offer(self, subjects: Sequence[tuple[str, FieldNetwork]]) -> None:
        """Offer these subjects by title, and keep the chosen one."""
        chosen = self.subject.currentData()
        self.subject.blockSignals(True)
        self.subject.clear()
        for title, subject in subjects:
            self.subject.addItem(title, subject)
        # `findData` would compare by identity.
        index = next((i for i, (_, subject) in enumerate(subjects) if subject == chosen), 0)
        self.subject.setCurrentIndex(index if subjects else -1)
        self.subject.blockSignals(False)
        self.query.schedule()

    def question(self) -> Request | str:
        """Return the request for the growth of the chosen subject, or why there is none."""
        settings, subject = self._settings(), self.subject.currentData()
        if sentence := settings.why_not(self.state):
            return sentence
        if self.state.model is None:
            return self.state.awaited.why_no_model
        if not isinstance(subject, FieldNetwork):
            return "Add a network to the comparison. Saved fields contain no growth."
        return settings.growth_request(self.state, "field_growth", subject, MOST_PICTURES)

    def _dim(self, dimmed: bool) -> None:
        self.plot.setEnabled(not dimmed)

    def _show(self, result: FieldGrowthResult) -> None:
        points = [point for point in result.points if point.kind != "stage"]
        curves = _curves(points, result.input_px)
        self.plot.show_curves(curves, "There is no block in this network.", names=_ticks(points))
        title = result.title or self.subject.currentText()
        pictures = averaged_so_far(self.query) or averaged_text(result.pictures, result.noises)
        said = [f"{title}: {PROTOCOLS[result.protocol]} protocol", pictures]
        if result.random_weights:
            said.append("random weights")
        if any(point.is_global for point in points):
            said.append(f"in theory a unit {SEES_ALL} where the theoretical curve ends")
        elif not all(point.has_box for point in points):
            said.append(
                "where the theoretical curve ends, the field is no longer a box, because of "
                "attention in windows"
            )
        if any(side > result.input_px for point in points for side in point.effective_px.values()):
            said.append("a square around a unit that is not in the middle can be wider than the input")
        self.set_caption(" ".join((" · ".join(said) + ".", result.protocol_text, *result.notes)))

    def _show_badge(self, _changed: object = None) -> None:
        # The caption says whether the chosen subject's weights are random.
        self._badge.hide()


def _curves(points: Sequence[GrowthPoint], input_px: int) -> list[Curve]:
    x = np.arange(len(points), dtype=np.float64)
    theory = [float(point.theoretical_px) if point.has_box else math.nan for point in points]
    curves = [Curve(label="Theoretical field", x=x, y=_numbers(theory), series=1, dots=True)]
    for series, share in zip((0, 2), _SHARES, strict=True):
        sides = [float(point.effective_px.get(share, math.nan)) for point in points]
        label = f"Effective: square with {100 * share:g} %"
        curves.append(Curve(label=label, x=x, y=_numbers(sides), series=series, dots=True))
    if len(points) > 1:
        ends, side = _numbers((0.0, len(points) - 1.0)), _numbers((float(input_px),) * 2)
        curves.append(Curve(label="Side of the input", x=ends, y=side, series=3))
    return curves


def _ticks(points: Sequence[GrowthPoint]) -> list[tuple[float, str]]:
    """Return ticks for the stem and the last block of every stage; names between them would not fit."""
    stages = [point.node.partition(".")[0] for point in points]
    return [
        (float(index), stage.replace("stage", "stage "))
        for index, stage in enumerate(stages)
        if stage != (stages[index + 1] if index + 1 < len(stages) else "")
    ]


def _numbers(values: Sequence[float]) -> Numbers:
    return np.array(values, dtype=np.float64)


class ReceptiveFieldLab(QWidget):
    """The panel that measures, compares and explains receptive fields.

    Parameters
    ----------
    background
        Runs work that would block the window.
    offline
        Whether subjects must not open network connections.
    dialogs
        Asks for files to save to.
    """

    title = "Receptive-field lab"
    noticed = Signal(object)  # Notice
    search_asked = Signal(str)  # words for the list of published weights
    save_asked = Signal()  # for the figure of the page that is shown

    def __init__(
        self,
        state: AppState,
        bridge: EngineBridge,
        background: Background,
        offline: bool = False,
        dialogs: SaveDialogs | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._state = state
        self._dialogs = dialogs or SaveDialogs(parent=self)
        self._background = background
        self._offline = offline
        self.fields = FieldControls()
        self.scale = scale_choice(self.fields)
        self.relative = choice(
            "Colour scale",
            "One colour scale for all fields, or each field relative to its own maximum",
            ((ONE_SCALE, False), (OWN_SCALE, True)),
        )
        self.relative.setEnabled(False)  # As on the scale in decades, with which it begins.
        self.colormap = colormap_choice()
        self.range = RangeChoice(("data", "percentile", "hand"))
        self._make_buttons()
        self.compare = ComparePage(state, bridge, lambda: self.fields.settings)
        self.growth = GrowthPage(state, bridge, lambda: self.fields.settings)
        self.one_picture = OnePicturePage(state, bridge, lambda: self.fields.settings)
        self.pages = QTabWidget()
        self.pages.setAccessibleName("Views of receptive fields")
        self.pages.setAccessibleDescription("Ctrl+Tab or the arrow keys change the page")
        self.pages.setDocumentMode(True)
        for page, text, tip in (
            (self.compare, "Compare", "Up to four fields side by side"),
            (self.growth, "Growth with depth", "Theoretical and effective size of every stage and block"),
            (self.one_picture, "One picture", "The field of one picture, on the photograph"),
        ):
            self.pages.setTabToolTip(self.pages.addTab(page, text), plain_tip(tip))
        self._lay_out()
        self._connect()
        self._subjects_changed()

    def sizeHint(self) -> QSize:
        """Return a size with room for four fields side by side."""
        return QSize(1280, 720)

    def minimumSizeHint(self) -> QSize:
        """Return the smallest size at which four fields are still visible."""
        return QSize(760, 480)

    @property
    def is_settled(self) -> bool:
        """Whether the visible page shows its answers."""
        return all(
            not page.isVisible() or page.is_settled for page in (self.compare, self.growth, self.one_picture)
        )

    def open_field(self, path: str) -> None:
        """Show a saved field beside the others; if there is no room, it replaces the last one."""
        self.pages.setCurrentWidget(self.compare)
        if not self.compare.has_room:
            self.compare.remove(self.compare.subjects[-1])
        self.compare.add(saved_field(path))

    def choose_field(self) -> None:
        """Open a file dialog and show the chosen fields."""
        kinds = "Receptive fields (*.npy *.npz);;All files (*)"
        paths, _ = QFileDialog.getOpenFileNames(self, "Open fields", "", kinds)
        for path in paths[:MOST]:
            self.open_field(path)

    # --------------------------------------------------------------------------------------------- subjects

    def _show_comparison(self, comparison: ReadyComparison) -> None:
        if self._state.model is None:
            self._tell("No model is open yet, so there is nothing to compare.")
            return
        try:
            entries = comparison.entries(self._state.model)
        except StudioError as error:
            self._tell(error.message, error.hint)
        else:
            self.pages.setCurrentWidget(self.compare)
            self.compare.show_entries(entries)

    def _known_sources(self) -> list[str]:
        """Return the sources that what is typed is completed to."""
        listed = [self.source.itemText(index) for index in range(self.source.count())]
        return [*listed, *(f"timm:{name}" for name in known_models())]

    def _add_source(self, source: str) -> None:
        self.source.setCurrentText(source)
        self._add_typed()

    def _add_typed(self) -> None:
        if self.completer.is_choosing:
            return
        try:
            entry = self._typed_entry(self.source.currentText().strip())
        except StudioError as error:
            self._tell(error.message, error.hint)
            return
        if entry is not None and self.compare.has_room:
            self.pages.setCurrentWidget(self.compare)
            self.compare.add(entry)
            self.source.setCurrentText("")

    def _typed_entry(self, text: str) -> Entry | None:
        if not text:
            return None
        if text == OPEN_TEXT:
            return OPEN_MODEL
        if text == RANDOM_TEXT:
            if self._state.model is None:
                raise StudioError("No model is open yet, so there is no architecture to use.")
            return random_weights(self._state.model)
        return network(text, self._offline)

    def _subjects_changed(self) -> None:
        has_room = self.compare.has_room
        for widget in (self.source, self.add):
            widget.setEnabled(has_room)
        tip = "Add this to the comparison (Enter)" if has_room else "At most four: remove one first"
        self.add.setToolTip(plain_tip(tip))
        self.growth.offer(
            [
                (subject.name, subject.entry.subject)
                for subject in self.compare.subjects
                if subject.entry.subject is not None
            ]
        )

    def _settings_changed(self) -> None:
        self.compare.schedule()
        self.growth.query.schedule()
        self.one_picture.measured.query.schedule()

    # ------------------------------------------------------------------------------------------------ output

    def write_figure(self, path: Path) -> None:
        """Save what the current page shows, as PNG or SVG by the ending of the file."""
        page = self.pages.currentWidget()
        try:
            with self.compare.figure() if page is self.compare else nullcontext(page) as figure:
                save_figure(figure, path)
        except StudioError as error:
            self._tell(error.message, error.hint)
        else:
            self._tell_good(f"The figure was saved as {path}.", str(path))

    def save_field(self, view: FieldView | None) -> None:
        """Open a file dialog and save a field, with its protocol (.npz) or alone (.npy)."""
        if not isinstance(view, ReceptiveFieldResult):
            self._tell("There is no receptive field to save yet.")
            return
        path = self._dialogs.ask_file(self, "Save receptive field", "receptive-field", FIELD_KINDS)
        if path is not None:
            # Compressing a field of 1024 × 1024 takes several frames.
            self._background.run(
                lambda: save_field(path, view),
                lambda written: self._tell_good(f"The receptive field was saved as {written}.", str(written)),
                lambda error: self._tell(error.message, error.hint),
                "Writing the receptive field",
            )

    def _copy_table(self) -> None:
        self.compare.table.copy()
        rows = self.compare.table.rowCount()
        self._tell_good(f"{rows} rows were copied as tab-separated text.")

    def _tell_good(self, message: str, path: str = "") -> None:
        self.noticed.emit(Notice(_TOPIC, message, good=True, path=path))

    def _tell(self, message: str, hint: str = "") -> None:
        self.noticed.emit(Notice(_TOPIC, message, hint))

    # ------------------------------------------------------------------------------------------------ set up

    def _make_buttons(self) -> None:
        self.ready_made = QToolButton()
        self.ready_made.setText("Comparisons ▾")
        self.ready_made.setStyleSheet(MENU_BUTTON_STYLE)
        self.ready_made.setAccessibleName("Ready-made comparisons")
        self.ready_made.setToolTip("Ready-made comparisons with the open architecture")
        self.ready_made.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        menu = QMenu(self.ready_made)
        menu.setToolTipsVisible(True)
        for comparison in COMPARISONS:
            action = menu.addAction(comparison.title)
            action.setToolTip(plain_tip(comparison.tip))
            action.triggered.connect(lambda _=False, comparison=comparison: self._show_comparison(comparison))
        self.ready_made.setMenu(menu)
        self.source = QComboBox()
        self.source.setEditable(True)
        self.source.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        self.source.addItems([OPEN_TEXT, RANDOM_TEXT, *suggestions()])
        self.source.setCurrentText("")
        self.source.setAccessibleName("Subject to add")
        self.source.setToolTip(
            "The open model, random weights, preset:NAME, timm:NAME or a weights file's path"
        )
        self.source.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.source.setMinimumContentsLength(14)
        typed = self.source.lineEdit()
        if typed is not None:
            typed.setPlaceholderText("Add preset:…, timm:… or a file")
            typed.returnPressed.connect(self._add_typed)
            self.completer = SourceCompleter(typed, self._known_sources)
            self.completer.chosen.connect(self._add_source)
            self.completer.search_asked.connect(self.search_asked)
            typed.setAcceptDrops(False)  # The window handles drops.
        self.add = _button("Add", "Add this to the comparison (Enter)")
        self.open = _button("Open field…", "Add a saved field (.npy or .npz) to the comparison")
        self.copy = _button("Copy table", "Copy the ratios as tab-separated text (Ctrl+C in the table)")
        self.save = _button("Save figure…", "Save this page as PNG or SVG")

    def _lay_out(self) -> None:
        for control in self._display_controls:
            self.fields.add(control)
        subjects = ControlRow("Open a field, copy the table, save the figure")
        for widget in (self.ready_made, self.source, self.add):
            subjects.add(widget, int(widget is self.source), kept=True)
        for widget in (self.open, self.copy, self.save):
            subjects.add(widget)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 4, 6, 4)
        layout.setSpacing(4)
        layout.addWidget(subjects)
        layout.addWidget(self.fields)
        layout.addWidget(self.pages, 1)
        self.setFocusProxy(self.ready_made)

    def _connect(self) -> None:
        state = self._state
        state.node_selected.connect(self.fields.reset_unit)
        for changed in (
            state.model_loaded,
            state.opened.changed,
            state.node_selected,
            state.framing_changed,
            self.fields.changed,
        ):
            changed.connect(self._settings_changed)
        for box in (self.scale, self.relative, self.colormap):
            box.currentIndexChanged.connect(self._show_display)
        self.range.changed.connect(self._show_display)
        self.compare.bar.adjust(self.range)
        self.compare.limits_found.connect(self.range.propose)
        self.add.clicked.connect(self._add_typed)
        self.open.clicked.connect(self.choose_field)
        self.copy.clicked.connect(self._copy_table)
        self.save.clicked.connect(self.save_asked)
        self.compare.subjects_changed.connect(self._subjects_changed)
        self.compare.unit_measured.connect(self.fields.show_unit)
        state.model_loaded.connect(self._subjects_changed)
        self.compare.save_asked.connect(self.save_field)
        self.compare.smaller_chosen.connect(self.fields.side.setValue)
        self.one_picture.unit_chosen.connect(self.fields.set_unit)
        self.pages.currentChanged.connect(self._page_changed)

    def _page_changed(self) -> None:
        """Show the display controls only on the comparison page, to which they apply."""
        for control in self._display_controls:
            control.setVisible(self.pages.currentWidget() is self.compare)

    @property
    def _display_controls(self) -> tuple[QWidget, ...]:
        return self.scale, self.relative, self.colormap, self.range

    def _show_display(self) -> None:
        scale = cast("ShownScale", self.scale.currentData())
        # In decades, each field is relative to its own maximum in any case.
        self.relative.setEnabled(scale != "decades")
        self.compare.set_display(
            Display(
                scale=scale,
                is_relative=bool(self.relative.currentData()),
                colormap=str(self.colormap.currentData()),
                range=self.range.value,
            )
        )


def _button(text: str, tip: str) -> QPushButton:
    button = QPushButton(text)
    button.setToolTip(plain_tip(tip))
    return button


_PIXELS_PER_PIXEL = 2


def save_figure(widget: QWidget, path: Path) -> None:
    """Save what a widget shows as SVG if the file name ends in .svg, otherwise as PNG; the write is atomic.

    Raises
    ------
    StudioError
        If the file cannot be written, or its name has another ending.
    """
    checked_ending(path, (".png", ".svg"), "A figure")
    data = _svg_of(widget) if path.suffix.lower() == ".svg" else _pixels_of(widget)
    with written_whole(path) as stream:
        stream.write(data)


def _pixels_of(widget: QWidget) -> bytes:
    picture = QImage(widget.size() * _PIXELS_PER_PIXEL, QImage.Format.Format_RGB32)
    picture.setDevicePixelRatio(_PIXELS_PER_PIXEL)
    picture.fill(widget.palette().window().color())
    widget.render(picture)
    return png_of(picture)


def _svg_of(widget: QWidget) -> bytes:
    def paint(painter: QPainter) -> None:
        painter.fillRect(widget.rect(), widget.palette().window())
        widget.render(painter, QPoint())

    # At another resolution, texts would not have the size that the widget made room for.
    return svg_bytes(widget.size(), paint, widget.accessibleName(), dpi=widget.logicalDpiX())
