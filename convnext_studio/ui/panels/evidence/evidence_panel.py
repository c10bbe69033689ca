"""The evidence panels: insertion and deletion, the randomisation check, and the agreement of methods."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QSize, Qt
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QLabel, QTabWidget, QVBoxLayout, QWidget

from convnext_studio.common.attribution_methods import METHODS, MethodName, mean_colour, method_named
from convnext_studio.comparison import MapPlace, curtain_of, difference_of
from convnext_studio.model.nodes import why_no_cam
from convnext_studio.protocol.attributions import (
    Agreement,
    CheckSanity,
    CompareMethods,
    CurveName,
    Curves,
    Faithfulness,
    MeasureFaithfulness,
    Sanity,
    SanityStep,
)
from convnext_studio.protocol.envelope import Payload
from convnext_studio.protocol.models import ModelInfo
from convnext_studio.render import Limits, colorize, format_number, format_percent, limits_of
from convnext_studio.ui.panels.attribution.attribution_texts import (
    explain_question,
    explained_node,
    has_sign,
    map_name,
    node_text,
    output_text,
)
from convnext_studio.ui.panels.base import Panel, choice, plain_label
from convnext_studio.ui.panels.measuring import add_running_controls, map_text, measuring_query
from convnext_studio.ui.plots.arranged_views import COLORMAP, LIMITS, MatrixView, Tile, TileGrid
from convnext_studio.ui.plots.color_bar import ColorBar, ColorScale
from convnext_studio.ui.plots.curve_data import Axes, Curve
from convnext_studio.ui.plots.curve_plot import CurvePlot
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.state.selection.two_answers import TwoAnswers

QUICK: tuple[MethodName, ...] = tuple(method.name for method in METHODS if not method.is_long)
ALL: tuple[MethodName, ...] = tuple(method.name for method in METHODS)


class AgreementPanel(Panel):
    """A panel that compares the methods' maps at the selected node pairwise."""

    title = "Agreement"
    compares = True

    def __init__(self, state: AppState, bridge: EngineBridge, parent: QWidget | None = None) -> None:
        super().__init__(state, bridge, parent)
        self.query = measuring_query(self, self.question, self._show, self._dim)
        self.methods = choice(
            "Methods to compare",
            "Only the methods that need one or two passes, or all methods, which takes long",
            [(f"{len(QUICK)} quick methods", QUICK), (f"All {len(ALL)} methods", ALL)],
            word="Compare",
        )
        self.methods.currentIndexChanged.connect(self.query.schedule)
        self.controls.add(self.methods, word="Compare")
        self.stop = add_running_controls(self, self.query)
        self.matrix = MatrixView("Rank correlations among methods")
        self.matrix.pointed.connect(state.hovered)
        self.line = ColorBar(Qt.Orientation.Horizontal)
        self.line.set_scale(ColorScale(COLORMAP, LIMITS))
        body = QWidget()
        layout = QVBoxLayout(body)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.matrix, 1)
        layout.addWidget(self.line)
        self.set_body(body)
        self.query.refresh()

    def question(self) -> CompareMethods | str:
        """Return the request to compare the methods for the explained class, or why there is none."""
        asked = explain_question(self.state, "")
        if isinstance(asked, str) or self.state.model is None:
            return asked if isinstance(asked, str) else ""
        node = explained_node(self.state)
        why_not = why_no_cam(self.state.model.node(node))
        if why_not:
            return why_not
        return CompareMethods(
            image=asked.image,
            methods=ALL if self.methods.currentIndex() == 1 else QUICK,
            node=node,
            target=asked.target,
            output=asked.output,
            against=asked.against,
            panel="evidence",
        )

    def _show(self, payload: Payload) -> None:
        """Show the matrix, complete or partial."""
        model = self.state.model
        if not isinstance(payload, Agreement) or model is None:
            return
        titles = [method_named(name).title for name in payload.methods]
        matrix, notes = self._of_networks(payload)
        self.matrix.show_matrix(titles, matrix, is_whole=self.query.is_current)
        target = next((output_text(each, model, None) for each in payload.explanations), "the class")
        said = (
            f"Spearman's rank correlation of the signed maps for {target} on the grid of "
            f"{node_text(payload.node, model).lower()}, each method with its default "
            "parameters. Methods that agree may all be wrong."
        )
        if self.query.is_current and not np.isfinite(payload.matrix).all():
            said += " –: a map is constant or not finite."
        said = " · ".join((said, *notes))
        self.set_caption(f"{self.query.progress_text}\n{said}".lstrip())

    def _of_networks(self, first: Agreement) -> tuple[NDArray[np.float64], tuple[str, ...]]:
        """Return the matrix to show of one network or of both, and what to say of that."""
        second, choice = self.query.second, self.state.second.choice
        other = None if second is None else second.answer
        shown = self.state.second.shown
        if second is None or shown == "first" or not isinstance(other, Agreement):
            return first.matrix, ()
        if shown == "second":
            return other.matrix, second.notes
        lower = f"{choice.first} above the diagonal, {choice.second} below it"
        words = (lower,) if shown == "curtain" else ()
        return agreement_of_two(first, other, choice), (*words, *second.notes)

    def _dim(self, dimmed: bool) -> None:
        self.matrix.setEnabled(not dimmed)


_SHARES = Limits(0.0, 1.0)
_STEPS = (16, 32, 64)
_AXES = Axes(x="fraction of the pixels, most important first", y="probability")


def verdict_label() -> QLabel:
    """Return an empty label for a verdict, above the measurements that it follows from."""
    label = plain_label("heading")
    label.setAccessibleName("Verdict")
    label.hide()
    return label


def show_verdict(label: QLabel, *sentences: str) -> None:
    """Show the sentences that are known, one in each row, or nothing."""
    label.setText("\n".join(filter(None, sentences)))
    label.setVisible(bool(label.text()))


class CurvesPanel(Panel):
    """A panel with the curves of the map and of a random order, their areas, and the effect of the top 20 %."""

    title = "Insertion and deletion"
    compares = True

    def __init__(self, state: AppState, bridge: EngineBridge, parent: QWidget | None = None) -> None:
        super().__init__(state, bridge, parent)
        self.query = measuring_query(self, self.question, self._show, self._dim)
        self.fill = choice(
            "Fill",
            "Removed pixels become the blurred picture, or the mean colour by which the network normalises",
            [("Blur", "blur"), ("Mean", "mean")],
        )
        self.steps = choice(
            "Steps",
            "Number of fractions at which the curves are measured",
            [(str(count), count) for count in _STEPS],
        )
        self.steps.setCurrentIndex(1)
        for box in (self.fill, self.steps):
            box.currentIndexChanged.connect(self.query.schedule)
            self.controls.add(box)
        self.stop = add_running_controls(self, self.query)
        self.plot = CurvePlot("Insertion and deletion curves", _AXES)
        self.plot.pointed.connect(state.hovered)
        self.table = _Numbers()
        self.verdict = verdict_label()
        body = QWidget()
        layout = QVBoxLayout(body)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.verdict)
        layout.addWidget(self.plot, 1)
        layout.addWidget(self.table)
        self.set_body(body)
        self.query.refresh()

    def question(self) -> MeasureFaithfulness | str:
        """Return the request for the curves of the current map, or why there is none."""
        asked = explain_question(self.state, "")
        if isinstance(asked, str):
            return asked
        return MeasureFaithfulness(
            question=asked,
            map_name=map_name(self.state, asked),
            fill="mean" if self.fill.currentData() == "mean" else "blur",
            steps=int(self.steps.currentData()),
            panel="evidence",
        )

    def _show(self, payload: Payload) -> None:
        """Draw the curves, complete or partial."""
        model, asked = self.state.model, self.question()
        if not isinstance(payload, Faithfulness) or model is None or isinstance(asked, str):
            return
        second, shown = self.query.second, self.state.second.shown
        other = None if second is None else second.answer
        notes = () if second is None else second.notes
        if isinstance(other, Faithfulness) and shown in ("difference", "curtain"):
            choice = self.state.second.choice
            curves = curves_of_two(payload, other, choice)
            self.plot.show_curves(curves, x=_SHARES, y=_probabilities(curves))
            self.table.show_curves(payload)
            show_verdict(self.verdict, *verdicts_of_two(payload, other, choice))
            place = map_text(asked.question, payload.map_name, model)
            self.set_caption(
                " · ".join((f"Of the map at {place}; the table is that of {choice.first}", *notes))
            )
            return
        now = other if isinstance(other, Faithfulness) and shown == "second" else payload
        curves = _curves(now)
        self.plot.show_curves(curves, x=_SHARES, y=_probabilities(curves))
        self.table.show_curves(now)
        show_verdict(self.verdict, now.verdict_text("insertion"), now.verdict_text("deletion"))
        said = _caption(now, map_text(asked.question, payload.map_name, model), model.mean)
        said = " · ".join((said, *notes)) if shown == "second" else said
        self.set_caption(f"{self.query.progress_text}\n{said}".lstrip())
        if not math.isnan(payload.of_map.insertion_area) and self.query.is_current:
            self.state.attributions.set_faithfulness(asked.question, payload)

    def _dim(self, dimmed: bool) -> None:
        self.plot.setEnabled(not dimmed)
        self.table.setEnabled(not dimmed)


def _curves(measured: Faithfulness) -> list[Curve]:
    """Return the curves of the map, the bands of the random orders, and the dashed curves from the centre."""
    curves = []
    names: tuple[CurveName, ...] = ("insertion", "deletion")
    for series, name in enumerate(names):
        by_chance = np.array([getattr(each, name) for each in measured.of_random])
        # Only the orders that are complete, so that the band does not narrow where some are missing.
        by_chance = by_chance[np.isfinite(by_chance).all(1)] if len(by_chance) else by_chance
        if len(by_chance):
            label = f"{name}, {len(by_chance)} random orders"
            low, high, middle = by_chance.min(0), by_chance.max(0), np.median(by_chance, 0)
            curves.append(
                Curve(label=label, x=measured.shares, y=middle, series=series, dashed=True, band=(low, high))
            )
    for series, name in enumerate(names):
        from_centre = getattr(measured.of_centre, name)
        if np.isfinite(from_centre).any():
            label = f"{name}, from the centre"
            curves.append(
                Curve(label=label, x=measured.shares, y=from_centre, series=series, dashed=True, dots=True)
            )
    for series, name in enumerate(names):
        curves.append(Curve(label=name, x=measured.shares, y=getattr(measured.of_map, name), series=series))
    return curves


def _probabilities(curves: list[Curve]) -> Limits:
    """Return limits from 0, or about it for differences, to a round number, since all curves may be low."""
    tops = [curve.y if curve.band is None else curve.band[1] for curve in curves]
    largest = max((float(np.nanmax(np.abs(top), initial=0.0)) for top in tops), default=1.0)
    end = next((top for top in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5) if largest <= top), 1.0)
    has_negative = any(float(np.nanmin(top, initial=0.0)) < 0 for top in tops)
    return Limits(-end if has_negative else 0.0, end)


def _caption(measured: Faithfulness, of: str, mean: tuple[float, ...]) -> str:
    fill = "the blurred picture" if measured.fill == "blur" else mean_colour(mean)
    last = measured.seed + measured.orders - 1
    how = (
        f"{of} · removed pixels are {fill} · {measured.steps} steps · "
        f"random orders with seeds {measured.seed} to {last}, as a band from the lowest to the highest"
    )
    return f"{how}\nPetsiuk et al. 2018, arXiv:1806.07421"


class _Numbers(QWidget):
    """A table of areas and probabilities for the map, and for the orders that know nothing."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(4, 0, 4, 0)
        self._grid.setVerticalSpacing(1)
        self.heads = [plain_label("muted") for _ in range(4)]
        self.cells = [[plain_label() for _ in range(4)] for _ in range(3)]
        for column, head in enumerate(self.heads):
            self._grid.addWidget(head, 0, column + 1)
        for row, name in enumerate(("This map", "From the centre", "Random, median")):
            label = plain_label("muted", name)
            label.setWordWrap(False)
            self._grid.addWidget(label, row + 1, 0)
            for column, cell in enumerate(self.cells[row]):
                self._grid.addWidget(cell, row + 1, column + 1)

    def show_curves(self, measured: Faithfulness) -> None:
        """Show the numbers that are known so far."""
        top = f"{100 * measured.top_share:g} %"
        whole = format_percent(measured.probability)
        heads = (
            "Insertion area",
            "Deletion area",
            f"Top {top} kept (of {whole})",
            f"Top {top} removed (of {whole})",
        )
        for head, text in zip(self.heads, heads, strict=True):
            head.setText(text)
        rows = ((measured.of_map,), (measured.of_centre,), measured.of_random)
        for cells, curves in zip(self.cells, rows, strict=True):
            for cell, text in zip(cells, _texts(curves, measured.probability), strict=True):
                cell.setText(text)


def _texts(curves: Sequence[Curves], whole: float) -> tuple[str, ...]:
    """Return the medians over the curves that are complete."""
    complete = [each for each in curves if np.isfinite(each.deletion_area)] or list(curves[:1])
    rows = [(each.insertion_area, each.deletion_area, each.kept, each.removed) for each in complete]
    numbers = np.median(np.array(rows), axis=0).tolist() if rows else [math.nan] * 4
    areas = [_known(area, format_number(area)) for area in numbers[:2]]
    tops = [
        _known(share, f"{format_percent(share)} ({_signed(100 * (share - whole))})") for share in numbers[2:]
    ]
    return (*areas, *tops)


def _signed(points: float) -> str:
    return f"{'+' if points > 0 else '−' if points < 0 else ''}{abs(points):.1f}"


def _known(value: float, text: str) -> str:
    return text if np.isfinite(value) else "…"


_EVIDENCE_SANITY_AXES = Axes(x="randomised down to", y="rank correlation")


class SanityPanel(Panel):
    """A panel of maps while the weights are randomised from the head down, with their rank correlations."""

    title = "Sanity"
    compares = True

    def __init__(self, state: AppState, bridge: EngineBridge, parent: QWidget | None = None) -> None:
        super().__init__(state, bridge, parent)
        # The steps of an unfinished cascade are not kept, so that it would begin anew.
        self.query = measuring_query(self, self.question, self._show, self._dim, pauses=False)
        self.stop = add_running_controls(self, self.query)
        self.tiles = TileGrid("Maps as the weights are randomised")
        self.plot = CurvePlot("Rank correlation by step", _EVIDENCE_SANITY_AXES)
        self.plot.pointed.connect(state.hovered)
        body = QWidget()
        layout = QVBoxLayout(body)
        layout.setContentsMargins(0, 0, 0, 0)
        self.verdict = verdict_label()
        layout.addWidget(self.verdict)
        self.bar = ColorBar()
        maps = QHBoxLayout()
        maps.addWidget(self.tiles, 1)
        maps.addWidget(self.bar)
        layout.addLayout(maps, 3)
        layout.addWidget(self.plot, 2)
        self.set_body(body)
        state.second.choice.curtain_moved.connect(self._draw_curtain)
        self.query.refresh()

    def question(self) -> CheckSanity | str:
        """Return the request for the randomisation check of the current map, or why there is none."""
        asked = explain_question(self.state, "")
        if isinstance(asked, str):
            return asked
        return CheckSanity(question=asked, map_name=map_name(self.state, asked), panel="evidence")

    def _show(self, payload: Payload) -> None:
        """Show the maps and the correlations, complete or partial."""
        model, asked = self.state.model, self.question()
        if not isinstance(payload, Sanity) or model is None or isinstance(asked, str):
            return
        second, shown = self.query.second, self.state.second.shown
        other = None if second is None else second.answer
        if isinstance(other, Sanity) and shown in ("difference", "curtain"):
            self._show_both(payload, other, asked, model)
            return
        is_of_b = isinstance(other, Sanity) and shown == "second"
        now = other if isinstance(other, Sanity) and is_of_b else payload
        of_model = self.state.second.model if is_of_b else model
        if of_model is None:
            return
        self._show_maps(now, of_model, has_sign(now.method, asked.question.output))
        self._plot([*_correlations(now), _unrelated_band(now)], now, of_model)
        show_verdict(self.verdict, now.verdict_text)
        notes = second.notes if second is not None and is_of_b else ()
        self._say(now, asked, model, *notes)

    def _draw_curtain(self, _share: float) -> None:
        if self.state.second.shown == "curtain" and self.shows_body and self.isVisible():
            self._show(self.query.answer)

    def _show_both(self, first: Sanity, second: Sanity, asked: CheckSanity, model: ModelInfo) -> None:
        """Show what the cascades of both networks have in common, or how they differ."""
        choice = self.state.second.choice
        joined = sanity_of_two(first, second, choice)
        is_difference = choice.shown == "difference"
        self._show_maps(joined, model, is_difference or has_sign(first.method, asked.question.output))
        self._plot(correlations_of_two(first, second, choice), first, model)
        texts = ((choice.first, first.verdict_text), (choice.second, second.verdict_text))
        show_verdict(self.verdict, *(f"{network}: {text}" for network, text in texts if text))
        notes = () if self.query.second is None else self.query.second.notes
        what = f"the r of each map is that of {choice.first}"
        if not is_difference:
            what = f"in each map, {choice.first} is left and {choice.second} right of the line; {what}"
        self._say(first, asked, model, what, *notes)

    def _show_maps(self, cascade: Sanity, model: ModelInfo, is_signed: bool) -> None:
        self.tiles.show_tiles([_tile(step, _part_text(step.part, model), is_signed) for step in cascade.steps])
        self.bar.set_scale(ColorScale(_colormap(is_signed), None, ("-max" if is_signed else "min", "max")))

    def _plot(self, curves: list[Curve], cascade: Sanity, model: ModelInfo) -> None:
        names = ["none", *(_part_text(part, model) for part in cascade.parts)]
        ends = Limits(0.0, float(len(names) - 1))
        self.plot.show_curves(curves, x=ends, y=Limits(-1.0, 1.0), names=tuple(enumerate(names)))

    def _say(self, cascade: Sanity, asked: CheckSanity, model: ModelInfo, *more: str) -> None:
        of = map_text(asked.question, asked.map_name or cascade.map_name, model)
        scales = "each map on its own scale, whose ends are below it"
        said = " · ".join((of, f"seed {cascade.seed}", scales, *more))
        said = (
            f"{said}\nA map that stays the same does not show what the network has learnt: the correlation "
            "should fall towards 0. Adebayo et al., NeurIPS 2018, arXiv:1810.03292"
        )
        self.set_caption(f"{self.query.progress_text}\n{said}".lstrip())

    def _dim(self, dimmed: bool) -> None:
        self.tiles.setEnabled(not dimmed)
        self.plot.setEnabled(not dimmed)


def _correlations(cascade: Sanity) -> list[Curve]:
    """Return how the maps correlate with that of the unchanged network, step by step."""
    places = np.arange(len(cascade.steps), dtype=np.float64)
    signed, sizes = (
        np.array([getattr(step, name) for step in cascade.steps])
        for name in ("correlation", "correlation_of_sizes")
    )
    return [
        Curve(label="signed values", x=places, y=signed, dots=True),
        Curve(label="absolute values", x=places, y=sizes, series=1, dots=True, dashed=True),
    ]


def _unrelated_band(payload: Sanity) -> Curve:
    """Return the band that unrelated maps reach, over all steps, those still to come included."""
    places = np.arange(len(payload.parts) + 1, dtype=np.float64)
    low, middle, high = (np.full(len(places), pick(payload.unrelated)) for pick in (np.min, np.median, np.max))
    label = f"{len(payload.unrelated)} unrelated maps, absolute values"
    return Curve(label=label, x=places, y=middle, series=3, dashed=True, band=(low, high))


def _part_text(part: str, model: ModelInfo) -> str:
    if not part:
        return "Trained"
    return model.node(part).title if any(node.name == part for node in model.nodes) else part.capitalize()


def _colormap(is_signed: bool) -> str:
    return "vik" if is_signed else "viridis"


def _tile(step: SanityStep, name: str, is_signed: bool) -> Tile:
    limits = limits_of(step.map, symmetric=is_signed)
    low, high = format_number(limits.low), format_number(limits.high)
    return Tile(
        picture=colorize(step.map, limits, _colormap(is_signed)),
        texts=(name, f"r = {step.correlation:.2f}", f"± {high}" if is_signed else f"to {high}"),
        tip=f"{name}: rank correlation {step.correlation:.3f}, of absolute values "
        f"{step.correlation_of_sizes:.3f}; scale from {low} to {high}",
    )


class EvidencePanels(QWidget):
    """The dock's tabs: insertion and deletion, sanity, agreement. Hidden tabs measure nothing."""

    title = "Evidence"

    def __init__(self, state: AppState, bridge: EngineBridge, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.curves = CurvesPanel(state, bridge)
        self.sanity = SanityPanel(state, bridge)
        self.agreement = AgreementPanel(state, bridge)
        self.tabs = QTabWidget()
        self.tabs.setAccessibleName("Evidence")
        self.tabs.setAccessibleDescription("Ctrl+Tab or the arrow keys change the page")
        self.tabs.setDocumentMode(True)
        for panel in (self.curves, self.sanity, self.agreement):
            self.tabs.addTab(panel, panel.title)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.tabs)
        self.setFocusProxy(self.tabs)

    @property
    def is_settled(self) -> bool:
        """Whether the visible measurement is complete, or none is expected."""
        return all(panel.is_settled for panel in (self.curves, self.sanity, self.agreement))

    def sizeHint(self) -> QSize:
        """Make room for the curves and their numbers."""
        return QSize(520, 560)

    def minimumSizeHint(self) -> QSize:
        """Keep room for the numbers below the curves."""
        return QSize(self.fontMetrics().averageCharWidth() * 60, super().minimumSizeHint().height())


# --------------------------------------------------------------------------------------------- two networks

_CURVES: tuple[CurveName, ...] = ("insertion", "deletion")


def curves_of_two(first: Faithfulness, second: Faithfulness, choice: TwoAnswers) -> list[Curve]:
    """Return the curves of both networks' maps, those of the second dashed, or their differences."""
    if choice.shown == "difference":
        return [
            Curve(
                label=f"{name}, {choice.text()}",
                x=first.shares,
                y=getattr(first.of_map, name) - getattr(second.of_map, name),
                series=series,
            )
            for series, name in enumerate(_CURVES)
            if len(first.shares) == len(second.shares)
        ]
    return [
        Curve(
            label=f"{name}, {network}",
            x=measured.shares,
            y=getattr(measured.of_map, name),
            series=series,
            dashed=measured is second,
        )
        for network, measured in ((choice.first, first), (choice.second, second))
        for series, name in enumerate(_CURVES)
    ]


def verdicts_of_two(first: Faithfulness, second: Faithfulness, choice: TwoAnswers) -> tuple[str, ...]:
    """Compare the areas below the curves of both maps, and return the verdict on each."""
    areas = [
        f"{name} area {format_number(a)} in {choice.first}, {format_number(b)} in {choice.second}"
        for name, a, b in (
            ("Insertion", first.of_map.insertion_area, second.of_map.insertion_area),
            ("deletion", first.of_map.deletion_area, second.of_map.deletion_area),
        )
        if not (math.isnan(a) or math.isnan(b))
    ]
    said = [", ".join(areas)]
    for network, measured in ((choice.first, first), (choice.second, second)):
        ranks = ", ".join(filter(None, (_rank_text(measured, name) for name in _CURVES)))
        if ranks:
            said.append(f"{network}: {ranks}")
    return tuple(said)


def _rank_text(measured: Faithfulness, name: CurveName) -> str:
    """Say in short how a map ranks among the random orders; empty until all of them are measured."""
    if not measured.is_complete:
        return ""
    return f"{name} {measured.verdict(name).words('random orders').replace(', which is', ':')}"


def agreement_of_two(first: Agreement, second: Agreement, choice: TwoAnswers) -> NDArray[np.float64]:
    """Return the first matrix minus the second; or the first above the diagonal, and the second below it."""
    if choice.shown == "difference":
        return first.matrix - second.matrix
    return np.triu(first.matrix) + np.tril(second.matrix, -1)


def sanity_of_two(first: Sanity, second: Sanity, choice: TwoAnswers) -> Sanity:
    """Return the cascade of the first network with the maps minus those of the second, or with both in each.

    The correlations are those of the first.
    """
    steps = tuple(
        SanityStep(
            part=one.part,
            map=_map_of_two(one.map, first, other.map, second, choice),
            correlation=one.correlation,
            correlation_of_sizes=one.correlation_of_sizes,
        )
        for one, other in zip(first.steps, second.steps, strict=False)
    )
    return Sanity(
        image=first.image,
        method=first.method,
        map_name=first.map_name,
        target=first.target,
        seed=first.seed,
        parts=first.parts,
        steps=steps,
        unrelated=first.unrelated,
        field=first.field,
        geometry=first.geometry,
        random_weights=first.random_weights,
        seconds=first.seconds,
    )


def _map_of_two(
    one: NDArray[np.float32], first: Sanity, other: NDArray[np.float32], second: Sanity, choice: TwoAnswers
) -> NDArray[np.float32]:
    at_a, at_b = (MapPlace(each.field, each.geometry) for each in (first, second))
    if choice.shown == "difference":
        return np.asarray(difference_of(one, at_a, other, at_b), np.float32)
    return np.asarray(curtain_of(one, at_a, other, at_b, choice.curtain), np.float32)


def correlations_of_two(first: Sanity, second: Sanity, choice: TwoAnswers) -> list[Curve]:
    """Return the correlations of the absolute values in both networks, or how much they differ."""
    count = min(len(first.steps), len(second.steps))
    places = np.arange(count, dtype=np.float64)
    a, b = (np.array([step.correlation_of_sizes for step in each.steps[:count]]) for each in (first, second))
    if choice.shown == "difference":
        return [Curve(label=f"absolute values, {choice.text()}", x=places, y=a - b, dots=True)]
    return [
        Curve(label=f"absolute values, {choice.first}", x=places, y=a, dots=True),
        Curve(label=f"absolute values, {choice.second}", x=places, y=b, series=1, dots=True, dashed=True),
    ]
