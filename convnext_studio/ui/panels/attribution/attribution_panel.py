"""The attribution panel: one or several maps of where in the picture the evidence for a class is."""

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray
from PySide6.QtCore import QTimer, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import (
    QGridLayout,
    QVBoxLayout,
    QWidget,
)

from convnext_studio.common.attribution_methods import method_named
from convnext_studio.comparison import MapPlace, difference_of
from convnext_studio.export.export_contents import label_of
from convnext_studio.protocol.attributions import INPUT, Explain, Explanation, Map
from convnext_studio.protocol.envelope import Payload
from convnext_studio.protocol.models import ModelInfo
from convnext_studio.protocol.pictures import ImageInfo
from convnext_studio.protocol.predictions import Prediction, explanation_of
from convnext_studio.protocol.value_sums import AskedValue
from convnext_studio.render import Rgb, Shading
from convnext_studio.ui.panels.attribution.attribution_controls import (
    AttributionBar,
    LookControls,
    WhereRow,
    about,
)
from convnext_studio.ui.panels.attribution.attribution_map import (
    CurtainSlider,
    MapCell,
    PlacedMap,
    SmallMaps,
    Veil,
)
from convnext_studio.ui.panels.attribution.attribution_texts import (
    WAITING,
    areas_text,
    beside_curtain,
    caption,
    comes_with_prediction,
    explain_question,
    has_sign,
    placed_maps,
    python_of_map,
    scale_groups,
    value_of_map,
)
from convnext_studio.ui.panels.base import Panel
from convnext_studio.ui.panels.interventions.photographs import Photographs
from convnext_studio.ui.panels.panel_query import PanelQuery
from convnext_studio.ui.plots.dragging import CurtainDrag
from convnext_studio.ui.plots.linked_zoom import LinkedCrosshair, LinkedZoom
from convnext_studio.ui.plots.map_texts import picture_layer
from convnext_studio.ui.plots.scene import Layer
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.state.python_text import PythonLines
from convnext_studio.ui.widgets.control_row import FlowLayout
from convnext_studio.ui.widgets.elided_label import plain_tip
from convnext_studio.ui.widgets.popup import LatePart

MOST_MAPS = 4


class AttributionFigure(QWidget):
    """A figure of up to four maps; the first is painted at once, the others one per event-loop turn.

    Attributes
    ----------
    cells
        The cells that have been made: one at first, all as soon as there are several maps.
    """

    pointed = Signal(str)  # the text for what is under the pointer, or ""
    cell_made = Signal(object)  # MapCell

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.cells: list[MapCell] = []
        self._veil = Veil()
        self._picture: ImageInfo | None = None
        self._below: Layer | None = None
        self._shading = Shading()
        self._read_out = ""
        self._to_paint: list[tuple[MapCell, PlacedMap, list[PlacedMap], PlacedMap | None]] = []
        self._next = QTimer(self, singleShot=True, interval=0)
        self._next.timeout.connect(self._paint_next)
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setSpacing(4)
        self._count = self._columns = 1
        self._make_cell()
        self._other_cells = [LatePart(self, self._make_cell) for _ in range(1, MOST_MAPS)]

    def _make_cell(self) -> None:
        cell, number = MapCell(self), len(self.cells)
        self.cells.append(cell)
        self._grid.addWidget(cell, number // self._columns, number % self._columns)
        cell.setVisible(number < self._count)
        cell.be_one_of(self._count)
        cell.set_veil(self._veil)
        cell.set_dimmed(self.is_dimmed)
        cell.pointed.connect(self.pointed)
        self.cell_made.emit(cell)

    @property
    def is_painting(self) -> bool:
        """Whether any map still has to be painted."""
        return bool(self._to_paint)

    def show_explanation(
        self,
        explanation: Explanation,
        picture: ImageInfo,
        model: ModelInfo,
        shading: Shading,
        others: Sequence[PlacedMap] = (),
        beyond: Sequence[PlacedMap] = (),
    ) -> None:
        """Show all maps of an answer, each group on its own scale.

        Parameters
        ----------
        others
            The maps of another network, in the same order, which share the scale of this one's.
        beyond
            The maps right of the curtain's line, in the same order.
        """
        if picture is not self._picture or self._below is None:
            self._picture, self._below = picture, picture_layer(picture)
        self._shading = shading
        self._read_out = method_named(explanation.method).title
        shown = placed_maps(explanation, model)
        self._count = len(shown)
        for part in self._other_cells[: self._count - 1]:
            part.make()
        for number, cell in enumerate(self.cells):
            cell.setVisible(number < self._count)
            cell.be_one_of(self._count)
        self._arrange()
        of_group: dict[int, list[PlacedMap]] = {}
        first = 0
        for group in scale_groups(shown, explanation):
            on_scale = [*group, *others[first : first + len(group)]]
            first += len(group)
            of_group |= {id(each): on_scale for each in group}
        self._to_paint = [
            (cell, each, of_group[id(each)], beyond[number] if number < len(beyond) else None)
            for number, (cell, each) in enumerate(zip(self.cells, shown, strict=False))
        ]
        self._paint_next()

    def set_veil(self, veil: Veil) -> None:
        """Set how much of the picture the maps cover."""
        self._veil = veil
        for cell in self.cells:
            cell.set_veil(veil)

    @property
    def is_dimmed(self) -> bool:
        """Whether the maps are dimmed because newer ones are being computed."""
        return self.cells[0].map.view.is_dimmed

    def set_dimmed(self, dimmed: bool) -> None:
        """Dim the maps while newer ones are being computed."""
        for cell in self.cells:
            cell.set_dimmed(dimmed)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Rearrange the maps so that they are as large as possible."""
        super().resizeEvent(event)
        self._arrange()

    def _arrange(self) -> None:
        """Use the number of columns that makes the maps largest."""
        columns = self._best_columns()
        if columns != self._columns:
            self._columns = columns
            for number, cell in enumerate(self.cells):
                self._grid.addWidget(cell, number // columns, number % columns)

    def _best_columns(self) -> int:
        width, height = self._picture.size if self._picture is not None else (1, 1)
        words_px = 0 if self._count == 1 else 3 * self.fontMetrics().height()

        def scale(columns: int) -> float:
            rows = -(-self._count // columns)
            return min(self.width() / columns / width, (self.height() / rows - words_px) / height)

        return max(range(1, self._count + 1), key=scale)

    def _paint_next(self) -> None:
        if not self._to_paint or self._picture is None or self._below is None:
            return
        cell, shown, group, beyond = self._to_paint.pop(0)
        limits = self._shading.limits_of([each.values for each in group])
        read_out = f"{self._read_out} · {shown.title}"
        cell.show_map(shown, self._picture, self._below, limits, self._shading, read_out, beyond)
        if self._to_paint:
            self._next.start()


_WAIT_MS = 120


class ComparedMaps(Struct, frozen=True, kw_only=True, eq=False):
    """The maps to show.

    Attributes
    ----------
    explanation, model, prediction
        The maps, the network whose nodes and classes they name, and its prediction.
    others
        The maps of the other network, in the same order, which share the scale.
    beyond
        The maps right of the curtain's line, in the same order; empty without a curtain.
    text
        What is shown, for the caption; empty for the maps of one network.
    """

    explanation: Explanation
    model: ModelInfo
    prediction: Prediction | None
    others: tuple[PlacedMap, ...] = ()
    beyond: tuple[PlacedMap, ...] = ()
    text: str = ""


def compared(first: Explanation, second: Explanation | None, state: AppState) -> ComparedMaps | None:
    """Return what is to be shown of the answers of A and B; None while one that is needed is missing."""
    model, other, shown = state.model, state.second.model, state.second.shown
    if model is None:
        return None
    if second is None or other is None:
        alone = ComparedMaps(explanation=first, model=model, prediction=state.prediction)
        return alone if shown == "first" else None
    if shown == "second":
        prediction, placed = state.second.prediction, placed_maps(first, model)
        return ComparedMaps(explanation=second, model=other, prediction=prediction, others=placed)
    choice, label = state.second.choice, label_of(other, second.target)
    where = f" ({choice.second} explains {label}), at the units of {choice.first}"
    if state.second.is_changed_first:  # The units are the same.
        where = "" if second.target == first.target else f", which explains {label}"
    if shown == "difference":
        return ComparedMaps(
            explanation=difference(first, second),
            model=model,
            prediction=state.prediction,
            text=f"{choice.first} minus {choice.second}{where}",
        )
    theirs = placed_maps(second, other)
    return ComparedMaps(
        explanation=first,
        model=model,
        prediction=state.prediction,
        others=theirs,
        beyond=theirs if shown == "curtain" else (),
        text=choice.sides if shown == "curtain" else "",
    )


def difference(first: Explanation, second: Explanation) -> Explanation:
    """Return the maps of A minus those of B in the same order, at the units of A."""

    def subtracted(of_a: Mapping[str, Map], of_b: Mapping[str, Map]) -> dict[str, Map]:
        maps = {}
        for (name, values), (its, other) in zip(of_a.items(), of_b.items(), strict=False):
            places = MapPlace(first.fields[name], first.geometry), MapPlace(second.fields[its], second.geometry)
            maps[name] = difference_of(values, places[0], other, places[1]).astype(values.dtype)
        return maps

    return replace(
        first,
        maps=subtracted(first.maps, second.maps),
        target_maps=subtracted(first.target_maps, second.target_maps),
        against_maps=subtracted(first.against_maps, second.against_maps),
    )


class AttributionPanel(Panel):
    """A panel of a method's maps over the picture, for one class or a difference, at one or more places.

    Grad-CAM at the stages comes with every prediction and is shown at once; everything else is requested.
    """

    title = "Attribution"
    compares = True
    evidence_asked = Signal()
    sheet_asked = Signal()
    save_asked = Signal()

    def __init__(self, state: AppState, bridge: EngineBridge, parent: QWidget | None = None) -> None:
        super().__init__(state, bridge, parent)
        self._shown_with: Prediction | None = None
        self._small_maps = SmallMaps()
        self.bar = AttributionBar(self)
        self.bar.add_to(self.controls)
        self._photographs = Photographs(state)
        self.figure = AttributionFigure()
        self.query = PanelQuery(
            self,
            self._known_question,
            self._show,
            self.figure.set_dimmed,
            recall=self._recall,
            wait_ms=_WAIT_MS,
            waiting=WAITING,
        )
        self.curtain = CurtainSlider()
        self.target = self.bar.target
        self.where = WhereRow(self)
        self.look = LookControls(self)
        self.figure.cell_made.connect(self._equip)
        for cell in self.figure.cells:
            self._equip(cell)
        self.set_body(self.figure)
        self._surround()
        self._connect()
        self._show_model()
        self._choose()
        self.query.refresh()

    # ------------------------------------------------------------------------------------------- the parts

    def _equip(self, cell: MapCell) -> None:
        """Connect a map with everything that follows it or moves with it."""
        choice, view = self.state.second.choice, cell.map.view
        cell.map.explain_values(partial(self._value_at, cell))
        LinkedCrosshair(self.state, view)
        LinkedZoom(self.state, view)
        CurtainDrag(choice, view, lambda: self.state.second.shown == "curtain")
        CurtainDrag(self.curtain, view, lambda: self.curtain.curtain > 0)
        cell.map.bar.adjust(self.look.range)
        cell.line.adjust(self.look.range)
        save = cell.map.saver.menu.addAction("Values and fi&gure…")
        save.setToolTip("Save this map: its values (.npy, .json) and its figure (.png)")
        save.triggered.connect(self.save_asked)

    def _surround(self) -> None:
        """Put the place of the map, its look and the curtain below the figure or notice."""
        below = QWidget()
        row = FlowLayout(below)
        for control in (*self.where.widgets, *self.look.in_row, self.curtain):
            row.addWidget(control)
        whole = self.layout()
        assert isinstance(whole, QVBoxLayout)  # As of every panel.
        # Not in a widget with the figure: Qt would give that its preferred height, and cut off the caption.
        whole.insertWidget(whole.indexOf(self._stack) + 1, below)

    def _connect(self) -> None:
        state = self.state
        state.model_loaded.connect(lambda _model: self._model_loaded())
        state.target_selected.connect(self._await)
        # Of a frame of a live source, `_take_prediction` is told next.
        state.picture_selected.connect(lambda _: None if state.live.is_on else self._await())
        state.prediction_made.connect(self._take_prediction)
        state.turns.connect_slot(state.prediction_made, lambda _: self._show_where(), self)
        state.prediction_failed.connect(self.query.refresh)
        state.node_selected.connect(lambda _node: self._choose())
        state.attributions.explaining_changed.connect(self._follow_explaining)
        state.attributions.faithfulness_measured.connect(lambda _measured: self._describe())
        self.query.changed.connect(self._follow_query)
        for changed in (self.bar.changed, self.target.output_chosen, self.where.changed):
            changed.connect(self._choose)
        self.target.target_chosen.connect(self._explain)
        self.target.against_chosen.connect(self._set_against)
        self.where.stage_chosen.connect(state.set_node)
        self.look.changed.connect(self._paint)
        self.look.changed.connect(self._show_where)  # The small maps are coloured likewise.
        self.look.opacity.valueChanged.connect(self._draw_veil)
        self.curtain.moved.connect(self._draw_veil)
        state.second.shown_changed.connect(lambda: self.curtain.rest(state.second.shown == "curtain"))
        state.second.choice.curtain_moved.connect(self._draw_veil)
        self.bar.evidence.clicked.connect(self.evidence_asked)
        self.bar.sheet.clicked.connect(self.sheet_asked)
        self.bar.stop.clicked.connect(self.query.stop)
        self.figure.pointed.connect(state.hovered)

    # ------------------------------------------------------------------------------------------ the choices

    @property
    def node(self) -> str:
        """The node whose map is shown if it is a single one: the pinned stage, or the selected node."""
        return self.where.pinned or self.state.node

    def _choose(self) -> None:
        """Copy the choices from the controls to the state."""
        method, model, where = self.bar.method, self.state.model, self.where.where
        against = self.state.attributions.explaining.against
        nodes: tuple[str, ...] = ()
        if method.kind == "cam" and model is not None:
            of = {"node": (self.node,), "stages": model.config.stages, "average": self.where.averaged}
            nodes = of[where]
        self.state.attributions.set_explaining(
            Explain(
                image="",
                method=method.name,
                nodes=nodes,
                average=method.kind == "cam" and where == "average",
                output="difference" if against is not None else self.target.chosen_output,
                against=against,
                parameters=self.bar.parameters.given,
            )
        )
        self._show_where()

    def _explain(self, target: int) -> None:
        if target == self.state.attributions.explaining.against:
            self._set_against(None)
        self.state.set_target(target)
        self._show_classes()  # Even if the target is the same: the click unchecked its row.

    def _set_against(self, against: int | None) -> None:
        output = "difference" if against is not None else self.target.chosen_output
        attributions = self.state.attributions
        attributions.set_explaining(replace(attributions.explaining, against=against, output=output))
        self._show_classes()

    def _show_model(self) -> None:
        model, against = self.state.model, self.state.attributions.explaining.against
        if model is not None:
            self.where.show_model(model)
            self.target.set_labels(model.labels)
            if against is not None and against >= len(model.labels):
                self._set_against(None)

    def _follow_explaining(self, explaining: Explain) -> None:
        """Follow choices made elsewhere, such as on the wall of maps or by a restored session."""
        self.bar.choose_method(explaining.method)
        if explaining.output != "difference":
            self.target.show_output(explaining.output)
        self._await()

    def _model_loaded(self) -> None:
        self._show_model()
        self._choose()
        self._await()

    # ------------------------------------------------------------------------------------------- the engine

    @property
    def is_settled(self) -> bool:
        """Whether the maps for the selection are shown, or none are expected."""
        if not self.isVisible():
            return True
        return self.query.is_settled and not self.figure.is_painting and self.question() != WAITING

    def question(self) -> Explain | str:
        """Return the request for the maps of the selection, or why there is none."""
        return explain_question(self.state, "attribution")

    def _known_question(self) -> Explain | str | None:
        """Return the question; None keeps the dimmed maps until it is known what to ask."""
        question = self.question()
        return None if question == WAITING and self.shows_body else question

    def _recall(self, question: Explain) -> Explanation | None:
        """Return the maps that came with the prediction if they are the ones requested."""
        prediction, model = self.state.prediction, self.state.model
        if prediction is None or model is None or not comes_with_prediction(question, model):
            return None
        if (prediction.image, prediction.target) != (question.image, question.target):
            return None
        if not prediction.cams.keys() >= {*question.nodes}:  # That of a frame may have the last stage alone.
            return None
        return explanation_of(prediction, model, question.nodes)

    def _take_prediction(self, prediction: Prediction | None) -> None:
        """Show the maps that came with a prediction, even if they have already been requested."""
        question = self.question()
        is_at_hand = isinstance(question, Explain) and self._recall(question) is not None
        self._show_classes()
        if is_at_hand and not self.query.is_news() and self._shown_with is not prediction:
            self.query.drop(dims=not self.state.live.is_on)
        if is_at_hand and self.query.is_news():
            self.query.refresh_next()
        else:
            self.query.schedule()

    def _await(self, _changed: object = None) -> None:
        """Schedule a new request after the selection has changed."""
        self.query.schedule()
        self._show_classes()
        self._show_where()

    def _show(self, payload: Payload) -> None:
        question, self._shown_with = self.question(), self.state.prediction
        if isinstance(payload, Explanation) and self.query.is_current and isinstance(question, Explain):
            self.state.attributions.set_explanation(question, payload)
        self._paint()

    def _follow_query(self) -> None:
        if not self.query.is_current:
            self.state.attributions.drop_explanation()
        progress, is_long = self.query.progress, self.query.is_running and self.bar.method.is_long
        done_of = (0, 0) if progress is None else (progress.done, progress.total)
        self.bar.show_progress(done_of if is_long else None)

    # --------------------------------------------------------------------------------------------- display

    def _paint(self) -> None:
        now, picture = self._shown, self.state.picture
        if now is not None and picture is not None:
            explanation, is_difference = now.explanation, self.state.second.shown == "difference"
            self.look.suit(
                is_signed=is_difference or has_sign(explanation.method, explanation.output),
                is_difference=is_difference or explanation.output == "difference",
                is_on_pixels=INPUT in explanation.maps,
            )
            explained = self.state.live.picture(explanation.image, picture)
            if explained is not None:
                below = self._photographs.shown(explained)
                self.figure.show_explanation(
                    explanation, below, now.model, self.look.shading, now.others, now.beyond
                )
            self._describe()

    def _draw_veil(self) -> None:
        split = self.state.second.choice.curtain
        self.figure.set_veil(Veil(self.look.opacity.value() / 100, self.curtain.curtain, split))

    @property
    def _shown(self) -> ComparedMaps | None:
        """What is shown of the answers of both networks; None while there is nothing."""
        second = None if self.query.second is None else self.query.second.answer
        other = second if isinstance(second, Explanation) else None
        if not isinstance(self.query.answer, Explanation) or self.state.model is None:
            return None
        return compared(self.query.answer, other, self.state)

    def _describe(self) -> None:
        now = self._shown
        if now is None or not self.shows_body:
            return
        explanation, model = now.explanation, now.model
        shown = placed_maps(explanation, model)
        said = caption(explanation, shown, self.look.shading, model, now.prediction)
        is_first = self.state.second.shown == "first"
        areas = areas_text(self.state.attributions.faithfulness, model) if is_first else ""
        notes = " · ".join(self.query.second.notes) if self.query.second is not None else ""
        said = " · ".join(part for part in (self.query.progress_text, said, now.text, areas, notes) if part)
        self.set_caption(said)
        self._caption.setToolTip(plain_tip(about(method_named(explanation.method))))
        for index, (cell, each) in enumerate(zip(self.figure.cells, shown, strict=False)):
            beyond = now.beyond[index] if index < len(now.beyond) else None
            values, python = _values_of(self, explanation, each, beyond)
            name = f"{method_named(explanation.method).title} {each.title}"
            cell.map.set_contents(self.contents(name, values, python))

    def _value_at(self, cell: MapCell, x: float, y: float) -> AskedValue | None:
        """Return the place of a map's value at a point of the picture, or None; of a difference, that in A."""
        found, question, now = cell.unit_at(x, y), self.query.shown_question, self._shown
        if found is None or now is None or not isinstance(question, Explain):
            return None
        is_of_b = self.state.second.shown == "second"
        other = self.state.second.counterpart(question) if is_of_b else None
        place = value_of_map(question if other is None else other.request, now.explanation, *found)
        return None if place is None else AskedValue(place, "B" if is_of_b else "A")

    def _show_classes(self) -> None:
        state = self.state
        target = state.explained_class
        if state.model is not None and state.prediction is not None and target is not None:
            against = state.attributions.explaining.against
            self.target.show_classes(state.model, state.prediction, target, against)
        elif state.picture is None:  # With a picture, new classes will soon replace these.
            self.target.hide_classes()

    def _show_where(self) -> None:
        self.where.show_choice(self.node, self.bar.method.kind == "cam", self._thumbnails())

    def _thumbnails(self) -> dict[str, Rgb]:
        """Return small maps for the stage buttons if they came with the prediction."""
        prediction = self.state.prediction
        is_of_class = prediction is not None and prediction.target == self.state.explained_class
        if prediction is None or not is_of_class or self.bar.method.name != "gradcam":
            return {}
        return self._small_maps.of(prediction, self.look.shading)


def _values_of(
    panel: AttributionPanel, explanation: Explanation, shown: PlacedMap, beyond: PlacedMap | None
) -> tuple[NDArray[np.floating], PythonLines | None]:
    """Return the numbers of a map that is shown, on both sides of a curtain, and the lines that give them."""
    question, model, second = panel.query.shown_question, panel.state.model, panel.state.second
    share = shown.placement.share_of_width(second.choice.curtain, shown.values.shape[1])
    values = shown.values if beyond is None else beside_curtain(shown, beyond, share)
    if not isinstance(question, Explain) or model is None:
        return values, None
    of_shown = second.model if second.shown == "second" and second.model is not None else model
    return values, python_of_map(question, explanation, shown.values, of_shown, second, share)
