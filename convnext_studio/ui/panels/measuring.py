"""Helpers for the panels that run long measurements on what the attribution panel explains."""

from collections.abc import Callable
from typing import Any

from convnext_studio.common.attribution_methods import method_named
from convnext_studio.export.export_contents import label_of
from convnext_studio.protocol.attributions import Explain
from convnext_studio.protocol.envelope import Request
from convnext_studio.protocol.models import ModelInfo
from convnext_studio.ui.panels.attribution.attribution_texts import node_text
from convnext_studio.ui.panels.base import Panel
from convnext_studio.ui.panels.panel_query import PanelQuery, QueryProgressBar, StopButton
from convnext_studio.ui.widgets.text_size import follow_text, scaled_px


def measuring_query(
    panel: Panel,
    question: Callable[[], Request | str],
    show: Callable[[Any], None],
    dim: Callable[[bool], None],
    *,
    pauses: bool = True,
) -> PanelQuery:
    """Return a query that is scheduled whenever the attribution panel explains something else.

    Parameters
    ----------
    pauses
        As in `PanelQuery`.
    """
    query = PanelQuery(panel, question, show, dim, wait_ms=250, pauses=pauses)
    state = panel.state
    for changed in (
        state.model_loaded,
        state.picture_selected,
        state.target_selected,
        state.prediction_made,
        state.attributions.explaining_changed,
        state.node_selected,
    ):
        changed.connect(query.schedule)
    return query


def add_running_controls(panel: Panel, query: PanelQuery) -> StopButton:
    """Add the Stop button and the progress bar after the existing controls."""
    stop = StopButton(query, "Stop measuring and keep the partial result, or measure again")
    progress = QueryProgressBar(query, "Progress of the measurement")
    follow_text(progress, lambda: progress.setFixedSize(scaled_px(80), scaled_px(12)))
    panel.controls.add(stop, kept=True)
    panel.controls.add(progress)
    return stop


def map_text(question: Explain, name: str, model: ModelInfo) -> str:
    """Return which map is measured: ``Grad-CAM for “tabby” at stage 4``."""
    method = method_named(question.method)
    target = label_of(model, question.target or 0)
    said = f"{method.title} for {'the probability of ' if question.output == 'probability' else ''}“{target}”"
    if question.output == "difference" and question.against is not None:
        said += f" and not “{label_of(model, question.against)}”"
    return said if method.kind == "input" else f"{said} at {node_text(name, model).lower()}"
