"""One subject of the comparison: its field, its progress, and buttons to stop, save or remove it."""

from collections.abc import Callable

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QToolButton, QWidget

from convnext_studio.protocol.envelope import Request
from convnext_studio.protocol.receptive_fields import FieldView, OpenField, ReceptiveFieldResult
from convnext_studio.ui.panels.base import Panel, QueryProgressBar
from convnext_studio.ui.panels.receptive_field.field_controls import FieldSettings
from convnext_studio.ui.panels.receptive_field.measured_field import MeasuredField
from convnext_studio.ui.panels.receptive_field.receptive_field_panel import NO_FIELD_HERE
from convnext_studio.ui.plots.color_bar import ColorScale
from convnext_studio.ui.plots.curve_data import series_colour
from convnext_studio.ui.plots.field_scene import (
    PROTOCOLS,
    Colours,
    count_text,
    describe,
    field_scene,
    theoretical_box,
    theoretical_of,
)
from convnext_studio.ui.state.app_state import NO_MODEL, AppState
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.state.comparison_entries import OPEN_MODEL, Entry, at_node
from convnext_studio.ui.widgets.elided_label import ElidedLabel
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
            return NO_MODEL
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
        self._caption.setToolTip(
            f"{describe(view, self._colours.scale, self.measured.progress)}\n\n{view.protocol_text}"
        )

    def _short_text(self, view: FieldView) -> str:
        geometry, box = theoretical_of(view), theoretical_box(view)
        said = [PROTOCOLS[view.protocol], count_text(view, self.measured.progress)]
        if geometry is not None and not geometry.is_box:
            said.append(f"sees {geometry.extent}")
        elif box is not None:
            said.append(f"theory {box[2]:g} px")
        if view.protocol == "luo" and view.gaussian is not None:
            said.append(f"Gaussian σ {view.gaussian.sigma_px:.3g} px")
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
        for widget in (self._swatch, self._name, self.measured.stop, self.save, self.remove):
            self.controls.add(widget, 1 if widget is self._name else 0)
        self._stack.addWidget(self.map)
        layout = self.layout()
        if layout is not None:
            layout.setContentsMargins(2, 0, 2, 0)
            layout.addWidget(self._bar)

    def _fit_text(self) -> None:
        self.measured.stop.setFixedWidth(self.fontMetrics().horizontalAdvance("Measure again") + scaled_px(16))
        # Fields side by side are equally large, whatever their captions say.
        self._caption.setMinimumHeight(2 * self.fontMetrics().lineSpacing())

    def _show_title(self) -> None:
        self._name.setText(self.name)
        self._name.setToolTip(self.name)
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
    button.setToolTip(tip)
    return button
