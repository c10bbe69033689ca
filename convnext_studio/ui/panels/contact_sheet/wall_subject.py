"""What is on a wall of maps: one method on all pictures, all methods on one picture, or many classes."""

from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from convnext_studio.common.attribution_methods import METHODS
from convnext_studio.export.export_contents import label_of
from convnext_studio.model.nodes import why_no_cam
from convnext_studio.protocol.attributions import Explain, ExplainEach, ExplainSeveral
from convnext_studio.protocol.envelope import Network, Request
from convnext_studio.protocol.predictions import Prediction
from convnext_studio.ui.panels.attribution.attribution_texts import WAITING, explained_node
from convnext_studio.ui.state.app_state import AppState

WallOf = Literal["pictures", "methods", "classes"]
PANEL = "contact_sheet"
MOST = 500
"""The maximum number of pictures on a wall; further pictures are neither explained nor held in memory."""
_SAME_CLASS = "A class cannot be compared with itself: choose another one."


class WallTile(Struct, frozen=True):
    """One map on the wall.

    Attributes
    ----------
    key
        The picture, the method or the number of the class, whichever the maps differ in.
    title
        The first line below the map.
    question
        What the map answers.
    """

    key: str
    title: str
    question: Explain


class Wall(Struct, frozen=True):
    """All tiles, and the request that fills them."""

    of: WallOf
    tiles: tuple[WallTile, ...]
    request: Request


def wall(state: AppState, of: WallOf, classes: int, network: Network = "A") -> Wall | str:
    """Return what is on the wall, or a sentence that says why there is none (yet).

    Parameters
    ----------
    network
        ``B`` for the first network with its changes.
    """
    found = _of_network(state, of, classes, network)
    if isinstance(found, str) or network == "A":
        return found
    tiles = tuple(replace(each, question=replace(each.question, network=network)) for each in found.tiles)
    request = _each(tiles) if of != "pictures" else found.request
    return Wall(found.of, tiles, replace(request, network=network))


def _of_network(state: AppState, of: WallOf, classes: int, network: Network) -> Wall | str:
    if of == "pictures" and not state.opened.all:
        return state.awaited.invitation
    if of != "pictures" and state.picture is None:
        return state.awaited.why_no_picture
    if state.model is None:
        return state.awaited.why_no_model
    question = base_question(state)
    if of == "methods":
        return _of_methods(state, question)
    node = question.nodes[0] if len(question.nodes) == 1 else ""
    why_not = why_no_cam(state.model.node(node)) if node and not question.average else ""
    if why_not:
        return why_not
    if of == "pictures":
        return _of_pictures(state, question)
    prediction = state.prediction if network == "A" else state.second.prediction
    return _of_classes(state, question, classes, prediction)


def base_question(state: AppState) -> Explain:
    """Return what the attribution panel explains, at one place."""
    question = replace(state.attributions.explaining, target=state.target)
    if question.nodes and not question.average:
        question = replace(question, nodes=(explained_node(state),))
    return question


def _of_pictures(state: AppState, question: Explain) -> Wall:
    pictures = state.opened.images[:MOST]
    tiles = tuple(WallTile(each.key, each.name, replace(question, image=each.key)) for each in pictures)
    images = tuple(picture.key for picture in pictures)
    return Wall("pictures", tiles, ExplainSeveral(images=images, question=question, panel=PANEL))


def _of_methods(state: AppState, question: Explain) -> Wall | str:
    """All methods on the selected picture; where a class activation map means nothing, those on pixels."""
    assert state.picture is not None
    assert state.model is not None
    if question.output == "difference" and question.against == state.explained_class:
        return _SAME_CLASS
    nodes = question.nodes or (state.model.config.stages[-1],)
    if not question.average:
        nodes = nodes[-1:]
    has_cams = question.average or not why_no_cam(state.model.node(nodes[0]))
    tiles = tuple(
        WallTile(
            method.name,
            method.title,
            replace(
                question,
                image=state.picture.key,
                method=method.name,
                nodes=nodes if method.kind == "cam" else (),
                average=question.average and method.kind == "cam",
                parameters=question.parameters if method.name == question.method else (),
            ),
        )
        for method in METHODS
        if has_cams or method.kind == "input"
    )
    return Wall("methods", tiles, _each(tiles))


def _of_classes(state: AppState, question: Explain, classes: int, prediction: Prediction | None) -> Wall | str:
    """One method for the likeliest classes of the selected picture."""
    assert state.picture is not None
    assert state.model is not None
    if prediction is None:
        return state.prediction_failure or state.second.failure or WAITING
    top = [each for each in prediction.top(classes + 1) if each != _against(question)]
    tiles = tuple(
        WallTile(
            str(index),
            label_of(state.model, index),
            replace(question, image=state.picture.key, target=index),
        )
        for index in top[:classes]
    )
    return Wall("classes", tiles, _each(tiles))


def _against(question: Explain) -> int | None:
    return question.against if question.output == "difference" else None


def _each(tiles: tuple[WallTile, ...]) -> ExplainEach:
    return ExplainEach(questions=tuple(tile.question for tile in tiles), panel=PANEL)
