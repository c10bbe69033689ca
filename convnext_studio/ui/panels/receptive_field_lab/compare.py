"""Compare up to four receptive fields side by side on one scale, with a table of areas and with curves."""

import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QObject, Qt, QTimer, Signal
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import (
    QBoxLayout,
    QHBoxLayout,
    QSplitter,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from convnext_studio.erf import DEFINITIONS, OF_WHAT, ShownScale, lowest_shown, scale_of_squares, scaled_field
from convnext_studio.protocol.envelope import Request
from convnext_studio.protocol.receptive_fields import (
    THRESHOLDS,
    FieldView,
    OpenedField,
    OpenField,
    ReceptiveFieldResult,
)
from convnext_studio.render import ALL_VALUES, Clipping, Limits, Range, format_number, format_percent, limits_of
from convnext_studio.ui.panels.base import Panel, plain_label
from convnext_studio.ui.panels.panel_query import QueryProgressBar
from convnext_studio.ui.panels.receptive_field.field_controls import FieldSettings
from convnext_studio.ui.panels.receptive_field.measured_field import MeasuredField
from convnext_studio.ui.panels.receptive_field.receptive_field_panel import NO_FIELD_HERE
from convnext_studio.ui.panels.receptive_field_lab.number_table import NumberTable
from convnext_studio.ui.plots.color_bar import ColorBar, ColorScale
from convnext_studio.ui.plots.curve_data import Axes, Curve, line_icon, series_colour
from convnext_studio.ui.plots.curve_plot import CurvePlot
from convnext_studio.ui.plots.field_scene import (
    MEANING,
    Colours,
    count_text,
    describe,
    field_scene,
    protocol_title,
    shown_clipping,
    squares_on,
    theoretical_box,
    theoretical_of,
    what,
    why_no_figure,
)
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.state.comparison_entries import (
    MOST,
    OPEN_MODEL,
    Entry,
    at_node,
)
from convnext_studio.ui.widgets.elided_label import ElidedLabel, PlainLabel, plain_tip
from convnext_studio.ui.widgets.text_size import follow_text, scaled_px


class SubjectView(Panel):
    """A view of one subject's field, which is measured like all the others or read from a file.

    Parameters
    ----------
    entry
        What to show: a network or a file.
    place
        Its index among the others, from 0, which determines its colour.
    asker
        The name under which it asks the engine: a newer request under the same name replaces an older one.
    settings
        Returns how to measure, at the time of the request.
    """

    removed = Signal()
    save_asked = Signal(object)  # FieldView
    _is_random = False

    def __init__(
        self,
        state: AppState,
        bridge: EngineBridge,
        entry: Entry,
        place: int,
        asker: str,
        settings: Callable[[], FieldSettings],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(state, bridge, parent)
        self.entry = entry
        self.measured = MeasuredField(self, self.question, self.paint, needs_model=entry.subject is not None)
        self.map = self.measured.map
        self._place = place
        self._asker = asker
        self._settings = settings
        self._colours: Colours | None = None
        self._swatch = _Swatch(place)
        self._name = ElidedLabel()
        self._bar = QueryProgressBar(self.measured.query, "Progress")
        follow_text(self._bar, lambda: self._bar.setFixedHeight(scaled_px(12)))
        self.save = _small_button("Save", "Save this field as .npy or .npz")
        self.save.clicked.connect(self._save)
        self.remove = _small_button("Remove", "Remove this from the comparison")
        self.remove.clicked.connect(self.removed)
        self._lay_out()
        state.model_loaded.connect(self._show_title)
        self.measured.changed.connect(self._show_weights)
        self.measured.query.changed.connect(self._follow_query)
        self._show_title()

    @property
    def name(self) -> str:
        """The title in the comparison."""
        if self.entry is not OPEN_MODEL:
            return self.entry.title
        return self.state.model.title if self.state.model is not None else "The open model"

    @property
    def network_title(self) -> str:
        """The title of the network, or of the file."""
        return self.name

    @property
    def buttons(self) -> tuple[QWidget, ...]:
        """The buttons, which saved figures leave out."""
        return self.measured.stop, self.save, self.remove

    @property
    def place(self) -> int:
        """The index among the others, from 0."""
        return self._place

    def set_place(self, place: int) -> None:
        """Set the index among the others, and thereby the colour."""
        self._place = place
        self._swatch.set_series(place)

    def question(self) -> Request | str:
        """Return the request for the field at the selected node or for the file, or why there is none."""
        if self.entry.subject is None:
            return OpenField(panel=self._asker, path=self.entry.path)
        settings, model = self._settings(), self.state.model
        if sentence := settings.why_not(self.state):
            return sentence
        if model is None:
            return self.state.awaited.why_no_model
        if not model.node(self.state.node).has_positions:
            return NO_FIELD_HERE
        return settings.field_request(self.state, self._asker, at_node(self.entry.subject, self.state.node))

    def show_colours(self, colours: Colours, scale: ColorScale | None) -> None:
        """Use the comparison's common colours, and the scale that a saved picture states."""
        self._colours = colours
        self.map.bar.set_scale(scale)
        self.measured.repaint()

    def paint(self, view: FieldView) -> None:
        """Show the field in the common colours, with its squares over it."""
        if self._colours is None:
            return
        self.map.view.set_scene(field_scene(view, self._colours, labels="one"))
        self.set_caption(self._short_text(view))
        self.map.set_contents(self.contents(f"receptive field {self.name}", view.field_map, self.python))
        self._caption.setToolTip(
            plain_tip(f"{describe(view, self._colours.scale, self.measured.progress)}\n\n{view.protocol_text}")
        )

    def _short_text(self, view: FieldView) -> str:
        geometry, box = theoretical_of(view), theoretical_box(view)
        said = [protocol_title(view), count_text(view, self.measured.progress)]
        if geometry is not None and not geometry.is_box:
            said.append(f"sees {geometry.extent}")
        elif box is not None:
            said.append(f"theoretical {box[2]:g} px")
        if view.protocol == "luo":
            fit = view.gaussian
            said.append(f"Gaussian σ {format_number(fit.sigma_px)} px" if fit else "no Gaussian fits")
        return " · ".join(said)

    # ------------------------------------------------------------------------------------- how far it is

    def _show_weights(self) -> None:
        view = self.measured.view
        self._is_random = view is not None and view.random_weights
        self._show_badge()

    def _follow_query(self) -> None:
        is_field = isinstance(self.measured.view, ReceptiveFieldResult)
        self.save.setEnabled(is_field and self.shows_body)

    def _show_badge(self, _changed: object = None) -> None:
        # The badge is about this subject's weights, not those of the open model.
        self._badge.setVisible(self._is_random)

    def _save(self) -> None:
        if self.measured.view is not None:
            self.save_asked.emit(self.measured.view)

    # --------------------------------------------------------------------------------------------- set up

    def _lay_out(self) -> None:
        self.map.hide_scale()  # The comparison shows one scale for all.
        follow_text(self, self._fit_text)
        self._caption.setAlignment(Qt.AlignmentFlag.AlignTop)
        keeps = self._bar.sizePolicy()
        keeps.setRetainSizeWhenHidden(True)
        self._bar.setSizePolicy(keeps)
        # Above the buttons, because beside them a name is cut off as soon as there are several fields.
        head = QHBoxLayout()
        head.addWidget(self._swatch)
        head.addWidget(self._name, 1)
        for button in (self.measured.stop, self.save, self.remove):
            self.controls.add(button)
        self._stack.addWidget(self.map)
        layout = self.layout()
        if isinstance(layout, QBoxLayout):
            layout.insertLayout(0, head)
            layout.setContentsMargins(2, 0, 2, 0)
            layout.addWidget(self._bar)

    def _fit_text(self) -> None:
        self.measured.stop.setFixedWidth(self.fontMetrics().horizontalAdvance("Measure again") + scaled_px(16))
        # Fields side by side are equally large, whatever their captions say.
        self._caption.setMinimumHeight(2 * self.fontMetrics().lineSpacing())

    def _show_title(self) -> None:
        self._name.setText(self.name)
        self._name.setToolTip(plain_tip(self.name))
        self.setAccessibleName(self.name)
        self.map.view.setAccessibleName(f"Effective receptive field of {self.name}")
        for tell in (self._bar.setAccessibleName, self._bar.setToolTip):
            tell(f"Progress of {self.name}")


class _Swatch(QWidget):
    """A swatch of the colour in which a subject's curves are drawn."""

    def __init__(self, series: int) -> None:
        super().__init__()
        self._series = series
        follow_text(self, self._fit_text)
        self.setToolTip("Colour of this subject in the curves")

    def _fit_text(self) -> None:
        side = self.fontMetrics().height() * 2 // 3
        self.setFixedSize(side, side)

    def set_series(self, series: int) -> None:
        self._series = series
        self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Fill the swatch with its colour."""
        with QPainter(self) as painter:
            painter.fillRect(self.rect(), QColor(series_colour(self._series)))


def _small_button(text: str, tip: str) -> QToolButton:
    button = QToolButton()
    button.setText(text)
    button.setAccessibleName(tip)
    button.setToolTip(plain_tip(tip))
    return button


class Display(Struct, frozen=True, kw_only=True):
    """How the compared fields are displayed.

    Attributes
    ----------
    scale, is_relative, colormap
        The same as in `Colours`.
    range
        Which values the colour scale covers; the share to leave out at each end is taken per field.
    """

    scale: ShownScale = "decades"
    is_relative: bool = False
    colormap: str = "viridis"
    range: Range = ALL_VALUES

    def limits(self, view: FieldView) -> Limits:
        """Return the ends of the colour scale for this field alone, whose values are all finite."""
        if self.range.hand is not None and self.range.kind == "hand":
            return self.range.hand
        if self.range.kind != "percentile" and self.scale == "decades":
            return Limits(lowest_shown(view.field_map), 0.0)
        if self.range.kind != "percentile":
            return limits_of(self._extremes(view))
        share = self.range.percentile
        # Both scales keep the order of the values, so the ends can be found before anything is scaled.
        return limits_of(self._coloured(np.percentile(view.field_map, (100 - share, share)), view))

    def colours(self, views: Sequence[FieldView], limits: Sequence[Limits]) -> tuple[Colours, Clipping]:
        """Return one scale from the lowest to the highest of the fields' own ends, and what it clips."""
        low = min((each.low for each in limits), default=0.0)
        high = max((each.high for each in limits), default=1.0)
        common = Limits(low, high)
        clipped = [shown_clipping(view, self.scale, self._extremes(view), common) for view in views]
        beyond = Clipping(any(each.below for each in clipped), any(each.above for each in clipped))
        return Colours(
            scale=self.scale, colormap=self.colormap, limits=common, is_relative=self.is_relative
        ), beyond

    def _extremes(self, view: FieldView) -> NDArray[np.float64]:
        """Return the smallest and the largest value as coloured; fields are too large to scale all values."""
        return self._coloured(np.array([view.field_map.min(), view.field_map.max()]), view)

    def _coloured(self, values: NDArray[np.float64], view: FieldView) -> NDArray[np.float64]:
        """Return some of a field's values as they are coloured."""
        largest = float(view.field_map.max())
        if self.scale == "decades":
            return scaled_field(values, self.scale, largest)
        if self.scale == "log":
            values, largest = np.log10(values + 1), float(np.log10(largest + 1))
        return values / largest if self.is_relative else values


class TaskQueue(QObject):
    """A queue that calls functions one by one, each in its own turn of Qt's event loop."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._pieces: deque[Callable[[], None]] = deque()
        self._timer = QTimer(self, interval=0)
        self._timer.timeout.connect(self._do_one)

    @property
    def is_busy(self) -> bool:
        """Whether any work is left."""
        return bool(self._pieces)

    def do(self, pieces: Iterable[Callable[[], None]]) -> None:
        """Run these functions in place of any that are still waiting."""
        self._pieces = deque(pieces)
        if self._pieces:
            self._timer.start()
        else:
            self._timer.stop()

    def _do_one(self) -> None:
        piece = self._pieces.popleft()
        if not self._pieces:
            self._timer.stop()
        piece()


COLUMNS = {
    "Subject": "The measured network or file",
    **{
        f"{100 * share:g} %": (
            f"Area of the square that holds {100 * share:g} % of the field, as a fraction of the input's area"
        )
        for share in THRESHOLDS
    },
    "TRF": "Side of the theoretical receptive field in pixels",
    "Weights": "Whether the network was trained",
    "Squares": "Whether the squares are those of the field or of its logarithm",
    "Protocol": "How it was measured",
    "Inputs": "The inputs of the average",
    "Node": "The node in the network",
    "Input side": "Side of the input in pixels",
}


DISTANCE = "Distance from centre (px)"


SIZES_DIFFER = "The inputs differ in size, so the ratios are not comparable: set one input size under “More”."


OTHERS_DIFFER = "The others differ in unit, input or protocol; point at the line below a field for details."


NOTHING = "The curves appear with the first field."


_SOON_MS = 40


class ComparePage(QWidget):
    """The page that shows the compared subjects, what they have in common and how they differ.

    Attributes
    ----------
    table
        The table of area ratios.
    """

    save_asked = Signal(object)  # FieldView
    subjects_changed = Signal()
    unit_measured = Signal(object)  # row and column, of the first subject
    limits_found = Signal(object)  # Limits of the colour scale
    smaller_chosen = Signal(int)  # side of the input in pixels

    def __init__(
        self,
        state: AppState,
        bridge: EngineBridge,
        settings: Callable[[], FieldSettings],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._state = state
        self._bridge = bridge
        self._settings = settings
        self._numbers = itertools.count(1)
        self._display = Display()
        self._colours: Colours | None = None
        self.subjects: list[SubjectView] = []
        self.bar = ColorBar()
        self.table = NumberTable("Area ratios", COLUMNS, least=len(THRESHOLDS) + 1)
        self.cumulative = CurvePlot("Share of the field within a distance", _CUMULATIVE)
        self.radial = CurvePlot("Radial profile", _RADIAL)
        self.meaning = plain_label("muted")
        self.protocol = plain_label("muted")
        self.empty = PlainLabel("Add a network, or choose a ready-made comparison.")
        self._lay_out()
        self._tasks = TaskQueue(self)
        # Each update of a field changes limits, table and curves; several at once are shown together.
        self._soon = QTimer(self, singleShot=True, interval=_SOON_MS)
        self._soon.timeout.connect(self._show_all)
        for plot in (self.cumulative, self.radial):
            plot.pointed.connect(state.hovered)
        self.add(OPEN_MODEL)

    @property
    def is_settled(self) -> bool:
        """Whether every visible subject shows its answer."""
        is_shown = not (self._soon.isActive() or self._tasks.is_busy)
        return is_shown and all(subject.is_settled for subject in self.subjects)

    @property
    def has_room(self) -> bool:
        """Whether another subject can be added."""
        return len(self.subjects) < MOST

    def add(self, entry: Entry) -> None:
        """Add a subject if there is room."""
        if not self.has_room:
            return
        asker = f"field_lab {next(self._numbers)}"
        subject = SubjectView(
            self._state, self._bridge, entry, len(self.subjects), asker, self._settings, parent=self._maps
        )
        subject.removed.connect(lambda: self.remove(subject))
        subject.save_asked.connect(self.save_asked)
        subject.measured.smaller_chosen.connect(self.smaller_chosen)
        subject.measured.changed.connect(self.show_soon)
        self.subjects.append(subject)
        self._row.insertWidget(len(self.subjects), subject, 1)
        subject.show()  # Sends its request now; the layout would show it only in a later turn.
        self._count_changed()

    def remove(self, subject: SubjectView) -> None:
        """Remove a subject and drop what is being computed for it."""
        subject.measured.query.drop()
        self._tasks.do(())
        self.subjects.remove(subject)
        subject.hide()
        subject.deleteLater()
        for place, other in enumerate(self.subjects):
            other.set_place(place)
        self._count_changed()

    def show_entries(self, entries: Iterable[Entry]) -> None:
        """Compare these entries in place of the current ones."""
        for subject in list(self.subjects):
            self.remove(subject)
        for entry in entries:
            self.add(entry)

    def schedule(self) -> None:
        """Let every subject whose question has changed ask it; called when the settings change."""
        for subject in self.subjects:
            subject.measured.query.schedule()

    def set_display(self, display: Display) -> None:
        """Change how all fields are coloured; nothing is measured again."""
        self._display = display
        self.show_soon()

    @contextmanager
    def figure(self) -> Iterator[QWidget]:
        """Yield the widget to save, with its buttons hidden."""
        hidden = [button for subject in self.subjects for button in subject.buttons if not button.isHidden()]
        for button in hidden:
            button.hide()
        try:
            yield self._figure
        finally:
            for button in hidden:
                button.show()

    def changeEvent(self, event: QEvent) -> None:
        """Redraw the curves and the colours beside the names when the theme changes."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            self.show_soon()

    # ----------------------------------------------------------------------------------------------- showing

    def show_soon(self) -> None:
        """Update limits, table and curves soon, once for several changes."""
        if not self._soon.isActive():
            self._soon.start()

    def _show_all(self) -> None:
        views = [
            (subject, subject.measured.view) for subject in self.subjects if subject.measured.view is not None
        ]
        coloured = [view for _, view in views if not why_no_figure(view)]
        limits: list[Limits] = []
        rows = [self._cells(subject, view) for subject, view in views]
        self.table.show_rows(rows, [line_icon(subject.place) for subject, _ in views])
        # Reading a field of 1024 × 1024, colouring it and drawing the curves each take most of a frame.
        self._tasks.do(
            [
                *(partial(self._find_limits, view, limits) for view in coloured),
                partial(self._take_colours, coloured, limits),
                *(partial(self._colour, subject) for subject in self.subjects),
                partial(self.cumulative.show_curves, _cumulative_curves(views), NOTHING),
                partial(self.radial.show_curves, _radial_curves(views), NOTHING),
            ]
        )
        self.protocol.setText(_about(views, self._display.scale))
        self.meaning.setText(MEANING if views else "")
        measured = next((view for _, view in views if isinstance(view, ReceptiveFieldResult)), None)
        if measured is not None:
            self.unit_measured.emit(measured.unit)

    def _find_limits(self, view: FieldView, limits: list[Limits]) -> None:
        limits.append(self._display.limits(view))

    def _take_colours(self, views: list[FieldView], limits: list[Limits]) -> None:
        self._colours, clipping = self._display.colours(views, limits)
        self.bar.set_scale(ColorScale(self._colours.colormap, self._colours.limits, clipping=clipping))
        if views:
            self.limits_found.emit(self._colours.limits)

    def _colour(self, subject: SubjectView) -> None:
        if self._colours is not None:
            subject.show_colours(self._colours, self.bar.scale)

    def _cells(self, subject: SubjectView, view: FieldView) -> list[str]:
        ratios = {square.threshold: square.area_ratio for square in squares_on(view, self._display.scale)}
        return [
            subject.name,
            *(
                format_percent(ratios[share], None) if share in ratios else "not reached"
                for share in THRESHOLDS
            ),
            _theory(view),
            _weights(view),
            "of log10(x + 1)"
            if scale_of_squares(self._display.scale, view.protocol) == "log"
            else "of the field",
            protocol_title(view),
            count_text(view, subject.measured.progress),
            what(view),
            f"{view.field_map.shape[1]} × {view.field_map.shape[0]} px",
        ]

    def _count_changed(self) -> None:
        self.empty.setVisible(not self.subjects)
        self.subjects_changed.emit()
        self.show_soon()

    def _lay_out(self) -> None:
        self._maps = QWidget()
        self._row = QHBoxLayout(self._maps)
        self._row.setContentsMargins(0, 0, 0, 0)
        self.empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._row.addWidget(self.empty, 1)
        self._row.addWidget(self.bar)
        numbers = QSplitter(Qt.Orientation.Horizontal)
        for widget in (self.table, self.cumulative, self.radial):
            numbers.addWidget(widget)
        numbers.setSizes([440, 280, 280])
        views = QSplitter(Qt.Orientation.Vertical)
        views.addWidget(self._maps)
        views.addWidget(numbers)
        views.setSizes([400, 200])
        # Not in the splitter, which does not know how high a text is that wraps.
        self._figure = QWidget()
        self._figure.setAccessibleName("Comparison of receptive fields")
        column = QVBoxLayout(self._figure)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(views, 1)
        column.addWidget(self.protocol)
        column.addWidget(self.meaning)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 4, 0, 0)
        layout.addWidget(self._figure)


# The table beside the plots is their legend.
_CUMULATIVE = Axes(x=DISTANCE, y="Share within (%)", has_legend=False)


_RADIAL = Axes(x=DISTANCE, y="Mean gradient", is_log=True, has_legend=False)


_Shown = list[tuple[SubjectView, FieldView]]


def _cumulative_curves(views: _Shown) -> list[Curve]:
    return [
        Curve(
            label=subject.name,
            x=view.curves.distance_px,
            y=100 * view.curves.cumulative,
            series=subject.place,
        )
        for subject, view in views
        if view.curves is not None
    ]


def _radial_curves(views: _Shown) -> list[Curve]:
    return [
        Curve(label=subject.name, x=view.curves.distance_px, y=view.curves.radial, series=subject.place)
        for subject, view in views
        if view.curves is not None
    ]


def _about(views: _Shown, scale: ShownScale) -> str:
    """Describe the figure, stating each fact once: the protocol, what differs, and what is missing."""
    texts = list(dict.fromkeys(view.protocol_text for _, view in views if view.protocol_text))
    said = [OTHERS_DIFFER] if len(texts) > 1 else []
    if scale != "decades" and any(DEFINITIONS[view.protocol].scale != scale for _, view in views):
        said.append(f"Squares here are those of {OF_WHAT[scale]}.")
    if len({view.field_map.shape for _, view in views}) > 1:
        said.append(SIZES_DIFFER)
    owners: dict[str, list[str]] = {}
    for subject, view in views:
        for note in view.notes:
            owners.setdefault(note, []).append(subject.name)
    said += [note for note, names in owners.items() if len(names) == len(views)]
    said += [f"{', '.join(names)}: {note}" for note, names in owners.items() if len(names) < len(views)]
    return "\n".join([*texts[:1], *([" ".join(said)] if said else [])])


def _weights(view: FieldView) -> str:
    if view.random_weights:
        return "random"
    # A bare array does not say on which node or with which weights it was measured.
    return "not stated" if isinstance(view, OpenedField) and not view.node else "learnt"


def _theory(view: FieldView) -> str:
    geometry, box = theoretical_of(view), theoretical_box(view)
    if geometry is not None and not geometry.is_box:
        return geometry.extent
    return f"{box[2]:g} px" if box is not None else "unknown"
