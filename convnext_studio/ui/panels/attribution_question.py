"""What is asked about an attribution, from what is selected; and what was explained, in words."""

from dataclasses import replace

from convnext_studio.engine.messages import (
    AVERAGE,
    INPUT,
    Explain,
    Explanation,
    MethodName,
    ModelInfo,
    Output,
    Prediction,
    method_named,
    why_no_cam,
)
from convnext_studio.export.contents import label_of
from convnext_studio.render import format_number, format_percent
from convnext_studio.ui.panels.base import NO_MODEL, NOTHING_OPEN
from convnext_studio.ui.state import AppState

WAITING = "Computing …"


def explained_class(state: AppState) -> int | None:
    """The class to explain; None while it is not known which one comes first."""
    if state.target is None and state.prediction is not None:
        return state.prediction.top(1)[0]
    return state.target


def explain_question(state: AppState, panel: str) -> Explain | str:
    """The whole question, or why there is none (yet)."""
    if state.picture is None:
        return NOTHING_OPEN
    if state.model is None:
        return NO_MODEL
    if state.prediction is None:
        return state.prediction_failure or WAITING
    explaining, target = state.explaining, explained_class(state)
    if explaining.output == "difference" and explaining.against == target:
        return "A class cannot be set against itself: choose another one."
    if not explaining.average:
        for name in explaining.nodes:
            why_not = why_no_cam(state.model.node(name))
            if why_not:
                return why_not
    return replace(explaining, image=state.picture.key, target=target, panel=panel)


def map_name(state: AppState, question: Explain) -> str:
    """Which of the question's maps is measured, where there are several: the selected node's."""
    if method_named(question.method).kind == "input":
        return INPUT
    if question.average:
        return AVERAGE
    return state.node if state.node in question.nodes else ""


def comes_with_prediction(explaining: Explain, model: ModelInfo) -> bool:
    """Whether the maps are those that every prediction brings."""
    return (
        explaining.method == "gradcam"
        and explaining.output == "logit"
        and not explaining.average
        and bool(explaining.nodes)
        and set(explaining.nodes) <= set(model.config.stages)
    )


def has_sign(method: MethodName, output: Output) -> bool:
    """Whether negative values of the map say something; those of a difference always do."""
    return output == "difference" or method_named(method).is_signed


def node_text(name: str, model: ModelInfo) -> str:
    """A map's name as people read it."""
    if name == INPUT:
        return "input pixels"
    return "average" if name == AVERAGE else model.node(name).title


def output_text(explanation: Explanation, model: ModelInfo, prediction: Prediction | None) -> str:
    """What was explained, with its value: ``“tabby” (logit 9.21, 86.1 %)``."""
    name, score = label_of(model, explanation.target), format_number(explanation.score)
    if explanation.output == "difference" and explanation.against is not None:
        return f"“{name}” and not “{label_of(model, explanation.against)}” (logits differ by {score})"
    if prediction is None or prediction.image != explanation.image:
        return f"“{name}” ({explanation.output} {score})"
    percent = format_percent(float(prediction.probabilities[explanation.target]), None)
    if explanation.output == "probability":
        return f"the probability of “{name}” ({percent})"
    return f"“{name}” (logit {score}, {percent})"
