"""Up to four fields side by side, in one scale, with their ratios in a table and their curves."""

import itertools
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial

from PySide6.QtCore import QEvent, Qt, QTimer, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSplitter, QVBoxLayout, QWidget

from convnext_studio.engine.messages import THRESHOLDS, FieldView, OpenedField, ReceptiveFieldResult, Scale
from convnext_studio.fields import DEFINITIONS, OF_WHAT
from convnext_studio.render import Limits, format_percent
from convnext_studio.ui.bridge import EngineBridge
from convnext_studio.ui.colorbar import ColorBar, ColorScale
from convnext_studio.ui.curveplot import CurvePlot
from convnext_studio.ui.curves import Axes, Curve, line_icon
from convnext_studio.ui.fieldlab.display import Display
from convnext_studio.ui.fieldlab.entries import MOST, OPEN_MODEL, Entry
from convnext_studio.ui.fieldlab.subject import SubjectView
from convnext_studio.ui.fieldlab.table import NumberTable
from convnext_studio.ui.fieldlab.turns import Turns
from convnext_studio.ui.panels.base import plain_label
from convnext_studio.ui.panels.field_controls import PROTOCOLS, FieldSettings
from convnext_studio.ui.panels.field_scene import (
    MEANING,
    Colours,
    count_text,
    theoretical_box,
    theoretical_of,
    what,
    why_no_figure,
)
from convnext_studio.ui.state import AppState

COLUMNS = {
    "Subject": "What was measured",
    **{
        f"{100 * share:g} %": f"Area of the square that holds {100 * share:g} % of the field, over the input's"
        for share in THRESHOLDS
    },
    "Theory": "Side of the theoretical field in pixels",
    "Weights": "Whether the network has learnt anything",
    "Scale": "Whether the squares are those of the field or of its logarithm",
    "Protocol": "How it was measured",
    "Inputs": "What it was averaged over",
    "Node": "Where in the network",
    "Input side": "In pixels",
}
DISTANCE = "Distance from centre (px)"
SIZES_DIFFER = "The inputs differ in size, so the ratios are not of one area: set one input size under “More”."
OTHERS_DIFFER = "The others differ in unit, input or protocol: point at the line below a field."
NOTHING = "The curves come with the first field."
_SOON_MS = 40


class ComparePage(QWidget):
    """The subjects, what they have in common, and what tells them apart.

    Attributes
    ----------
    table
        The ratios.
    """

    save_asked = Signal(object)  # FieldView
    subjects_changed = Signal()
    unit_measured = Signal(object)  # row and column, of the first subject
    limits_found = Signal(object)  # Limits: of the colour scale
    smaller_asked = Signal(int)  # side of the input in pixels

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
        self.table = NumberTable("Area ratios", COLUMNS, words=1)
        self.cumulative = CurvePlot("Share of the field within a distance", _CUMULATIVE)
        self.radial = CurvePlot("Radial profile", _RADIAL)
        self.meaning = plain_label("muted")
        self.protocol = plain_label("muted")
        self.empty = QLabel("Add a subject, or take a ready-made comparison.")
        self._lay_out()
        self._turns = Turns(self)
        # A field that sharpens changes limits, table and curves; several at a time are shown once.
        self._soon = QTimer(self, singleShot=True, interval=_SOON_MS)
        self._soon.timeout.connect(self._show_all)
        for plot in (self.cumulative, self.radial):
            plot.pointed.connect(state.hovered)
        self.add(OPEN_MODEL)

    @property
    def is_settled(self) -> bool:
        """Whether every subject that can be seen shows its answer."""
        is_shown = not (self._soon.isActive() or self._turns.is_busy)
        return is_shown and all(subject.is_settled for subject in self.subjects)

    @property
    def has_room(self) -> bool:
        """Whether another subject can be added."""
        return len(self.subjects) < MOST

    def add(self, entry: Entry) -> None:
        """Add a subject, while there is room."""
        if not self.has_room:
            return
        asker = f"field_lab {next(self._numbers)}"
        subject = SubjectView(
            self._state, self._bridge, entry, len(self.subjects), asker, self._settings, parent=self._maps
        )
        subject.removed.connect(lambda: self.remove(subject))
        subject.save_asked.connect(self.save_asked)
        subject.smaller_asked.connect(self.smaller_asked)
        subject.field_changed.connect(self.show_soon)
        self.subjects.append(subject)
        self._row.insertWidget(len(self.subjects), subject, 1)
        subject.show()  # Which asks; the layout would do it in a later turn.
        self._count_changed()

    def remove(self, subject: SubjectView) -> None:
        """Take a subject out, and forget what is being computed for it."""
        subject.abandon()
        self._turns.do(())
        self.subjects.remove(subject)
        subject.hide()
        subject.deleteLater()
        for place, other in enumerate(self.subjects):
            other.set_place(place)
        self._count_changed()

    def show_entries(self, entries: Iterable[Entry]) -> None:
        """Compare these, in place of the others."""
        for subject in list(self.subjects):
            self.remove(subject)
        for entry in entries:
            self.add(entry)

    def schedule(self) -> None:
        """Something about the question changed: ask all that have something new to ask."""
        for subject in self.subjects:
            subject.schedule()

    def set_display(self, display: Display) -> None:
        """Colour all in another way; nothing is measured again."""
        self._display = display
        self.show_soon()

    @contextmanager
    def figure(self) -> Iterator[QWidget]:
        """What is saved: all but the buttons, and the columns that would be cut off."""
        hidden = [button for subject in self.subjects for button in subject.buttons if not button.isHidden()]
        for button in hidden:
            button.hide()
        columns = self.table.hide_cut_columns()
        try:
            yield self._figure
        finally:
            for button in hidden:
                button.show()
            for column in columns:
                self.table.showColumn(column)

    def changeEvent(self, event: QEvent) -> None:
        """Follow the theme, in the lines beside the names."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            self.show_soon()

    # ----------------------------------------------------------------------------------------------- showing

    def show_soon(self) -> None:
        """Show limits, table and curves anew, once for several changes."""
        if not self._soon.isActive():
            self._soon.start()

    def _show_all(self) -> None:
        views = [(subject, subject.view) for subject in self.subjects if subject.view is not None]
        coloured = [view for _, view in views if not why_no_figure(view)]
        limits: list[Limits] = []
        rows = [self._cells(subject, view) for subject, view in views]
        self.table.show_rows(rows, [line_icon(subject.place) for subject, _ in views])
        # To look through a field of 1024 × 1024, to colour it, or to draw the curves, takes most of a frame.
        self._turns.do(
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
        ratios = {square.threshold: square.area_ratio for square in view.squares[self._display.scale]}
        return [
            subject.name,
            *(
                format_percent(ratios[share], None) if share in ratios else "not reached"
                for share in THRESHOLDS
            ),
            _theory(view),
            _weights(view),
            "log10(x + 1)" if self._display.scale == "log" else "linear",
            PROTOCOLS[view.protocol],
            count_text(view, subject.progress),
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
        numbers.setSizes([400, 300, 300])
        upper = QWidget()
        column = QVBoxLayout(upper)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self._maps, 1)
        column.addWidget(self.protocol)
        column.addWidget(self.meaning)
        self._figure = QSplitter(Qt.Orientation.Vertical)
        self._figure.setAccessibleName("Comparison of receptive fields")
        self._figure.addWidget(upper)
        self._figure.addWidget(numbers)
        self._figure.setSizes([400, 200])
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 4, 0, 0)
        layout.addWidget(self._figure)


# The table beside them is their legend.
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


def _about(views: _Shown, scale: Scale) -> str:
    """What has to be known about the figure, each once: the protocol, what differs, what is missing."""
    texts = list(dict.fromkeys(view.protocol_text for _, view in views if view.protocol_text))
    said = [OTHERS_DIFFER] if len(texts) > 1 else []
    if any(DEFINITIONS[view.protocol].scale != scale for _, view in views):
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
    # A bare array says nothing of where it was measured, nor on what.
    return "not said" if isinstance(view, OpenedField) and not view.node else "learnt"


def _theory(view: FieldView) -> str:
    geometry, box = theoretical_of(view), theoretical_box(view)
    if geometry is not None and not geometry.is_box:
        return geometry.extent
    return f"{box[2]:g} px" if box is not None else "unknown"
