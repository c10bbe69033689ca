"""The lines of Python that give the array of a view again, in a script or a notebook."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from msgspec import Struct
from msgspec.structs import fields

from convnext_studio.common.attribution_methods import method_named
from convnext_studio.common.recipe import NO_CHANGES, Recipe
from convnext_studio.decoding.picture_view import WHOLE, PictureView
from convnext_studio.model.framing import TRAINED, framing_of
from convnext_studio.protocol.attributions import (
    AVERAGE,
    CheckSanity,
    CompareMethods,
    Explain,
    ExplainEach,
    ExplainSeveral,
    MeasureFaithfulness,
)
from convnext_studio.protocol.channels import ChannelMap, Kernel
from convnext_studio.protocol.envelope import Request
from convnext_studio.protocol.maps import FeatureMaps
from convnext_studio.protocol.models import LoadModel, ModelInfo
from convnext_studio.protocol.pictures import ListedPicture
from convnext_studio.protocol.predictions import Predict
from convnext_studio.protocol.receptive_fields import USUAL_COUNT, ReceptiveField, UnitField
from convnext_studio.protocol.similarity import Components, MeasureNorms
from convnext_studio.protocol.value_sums import ExplainValue


@dataclass(frozen=True, slots=True)
class PythonLines:
    """The lines that set `values` to the array of a view.

    Attributes
    ----------
    lines
        Lines that use ``explorer`` and ``picture``, or ``pictures`` if there are several.
    pictures
        The keys of the pictures that they use, which name their framings.
    model
        The network of the view, if it may be another one than the open network.
    recipe
        What is changed inside the network and on pictures.
    """

    lines: tuple[str, ...]
    pictures: tuple[str, ...] = ()
    model: ModelInfo | None = None
    recipe: Recipe = NO_CHANGES


@dataclass(frozen=True, slots=True)
class OpenedPicture:
    """An opened picture, and which frame and bands of its file are shown."""

    listed: ListedPicture
    view: PictureView = WHOLE


Loaded = Callable[[str], OpenedPicture | None]
"""Returns an opened picture by the key of an image, or None if it was closed."""


def script(python: PythonLines, model: ModelInfo, loaded: LoadModel | None, picture: Loaded) -> str:
    """Return a whole script: the network, the pictures, and the lines of a view.

    Parameters
    ----------
    model, loaded
        The open network, and the request that loaded it.
    """
    shown = python.model or model
    asked = loaded if loaded is not None and loaded.source == shown.source else None
    imports = ["from convnext_studio import Explorer"]
    if asked is not None and asked.config is not None:
        imports.append("from convnext_studio.model import ConvNeXtConfig")
    opened = [picture(image) for image in python.pictures]
    if any(each is not None and each.view != WHOLE for each in opened):
        imports.append("from convnext_studio.decoding.picture_view import PictureView")
    changed = python.recipe.applied
    if not changed.is_empty:
        imports.append(f"from convnext_studio.explorer import {', '.join(_structs_of(changed))}")
    head = [*imports, "", f"explorer = {_explorer(shown, asked)}"]
    if shown.random_weights:
        head[-1] += "  # random weights"
    if not changed.is_empty:
        head.append(f"explorer = explorer.with_interventions({_recipe(changed, picture)})")
    return "\n".join([*head, *_opened(python.pictures, picture), *python.lines]) + "\n"


def _explorer(model: ModelInfo, asked: LoadModel | None) -> str:
    named: dict[str, object] = {}
    first: tuple[object, ...] = (model.source,)
    if asked is not None:
        if asked.config is not None:
            first = ()
            named["config"] = _Code(_struct("ConvNeXtConfig", asked.config))
            named["input_px"] = asked.input_px
        named |= {
            name: value
            for name in ("seed", "stem_stride", "stem_padding", "part", "offline")
            if (value := getattr(asked, name))
        }
    named["device"] = model.device
    if model.precision != "float32":
        named["precision"] = model.precision
    return call("Explorer", *first, **named)


def _struct(name: str, struct: Struct) -> str:
    """Return the call that makes a struct, with what differs from its defaults."""
    given = {
        field.name: getattr(struct, field.name)
        for field in fields(struct)
        if getattr(struct, field.name) != field.default
    }
    return call(name, **given)


def _opened(images: Sequence[str], picture: Loaded) -> list[str]:
    calls = [_open(image, picture) for image in images]
    if len(calls) == 1:
        (code, note) = calls[0]
        return [f"picture = {code}{note}"]
    return ["pictures = [", *(f"    {code},{note}" for code, note in calls), "]"] if calls else []


def _open(image: str, picture: Loaded) -> tuple[str, str]:
    """Return the call that opens a picture in its framing, and a comment if there is no file."""
    found, framing = picture(image), framing_of(image)
    named: dict[str, object] = {}
    if framing != TRAINED:
        asked = (("framing", framing.kind), ("input_px", framing.input_px), ("box", framing.box))
        defaults = {"framing": TRAINED.kind, "input_px": TRAINED.input_px, "box": TRAINED.box}
        named = {name: value for name, value in asked if value != defaults[name]}
    if found is not None and found.view != WHOLE:
        named["view"] = _Code(_struct("PictureView", found.view))
    if found is None:
        return call("explorer.open", "picture.png", **named), "  # This picture was closed; name its file here."
    if not found.listed.path:
        said = "  # This picture was pasted; save it under this name first."
        return call("explorer.open", found.listed.name, **named), said
    return call("explorer.open", found.listed.path, **named), ""


def _structs_of(recipe: Recipe) -> list[str]:
    """Return the names of the classes that the code of a recipe uses."""
    every = [each for _, made in recipe.retouched for each in made]
    used = {
        "Recipe": bool(every),
        "Change": bool(recipe.changes),
        "Region": any(change.region is not None for change in recipe.changes),
        "Retouch": bool(every),
        "Stroke": any(each.strokes for each in every),
        "Cells": any(each.cells is not None for each in every),
    }
    return sorted(name for name, is_used in used.items() if is_used)


def _recipe(recipe: Recipe, picture: Loaded) -> str:
    """Return the code of a recipe; of changes inside the network alone, that of a list."""

    def key(image: str) -> _Code:
        return _Code(f"{_open(image, picture)[0]}.key")

    changes = [_nested(change, key) for change in recipe.changes]
    listed = _joined("[", changes, "]")
    if not recipe.retouched:
        return listed
    retouched = [
        f"({key(image)}, {_joined('(', [_nested(each, key) for each in made], ',)')})"
        for image, made in recipe.retouched
    ]
    return f"Recipe({_joined('(', changes, ',)') if changes else '()'}, {_joined('(', retouched, ',)')})"


def _joined(opening: str, parts: Sequence[str], closing: str) -> str:
    return opening + ", ".join(parts) + closing


def _nested(struct: Struct, key: Callable[[str], object]) -> str:
    """Return the call that makes a struct which may hold others; pictures are opened where they are named."""
    given: dict[str, object] = {}
    for field in fields(struct):
        value = getattr(struct, field.name)
        if value == field.default and not field.required:
            continue
        if field.name == "picture":
            value = key(value)
        elif isinstance(value, Struct):
            value = _Code(_nested(value, key))
        elif isinstance(value, tuple) and value and isinstance(value[0], Struct):
            value = _Code(_joined("(", [_nested(each, key) for each in value], ",)"))
        given[field.name] = value
    return call(type(struct).__name__, **given)


class _Code(str):
    """A text that is code, and not a string in it."""

    __slots__ = ()


def call(function: str, *arguments: object, **named: object) -> str:
    """Return a call as code."""
    parts = [_repr(each) for each in arguments] + [f"{name}={_repr(each)}" for name, each in named.items()]
    return f"{function}({', '.join(parts)})"


def _repr(value: object) -> str:
    return str(value) if isinstance(value, _Code) else repr(value)


# ----------------------------------------------------------------------------------------- from a request


def lines_of(request: Request, model: ModelInfo) -> PythonLines | None:
    """Return the lines that give what a request asks for; None if scripts cannot ask for it."""
    made = _LINES.get(type(request))
    return None if made is None else made(request, model)


def _maps(request: FeatureMaps, _model: ModelInfo) -> PythonLines:
    named = {"budget_bytes": request.budget_bytes} if request.budget_bytes else {}
    return PythonLines((f"values = {call('picture.maps', request.node, **named)}.values",), (request.image,))


def _channel(request: ChannelMap, _model: ModelInfo) -> PythonLines:
    maps = call("picture.maps", request.node)
    return PythonLines((f"values = {maps}.values[{request.channel}]",), (request.image,))


def _kernel(request: Kernel, _model: ModelInfo) -> PythonLines:
    return PythonLines((f"values = {call('explorer.kernel', request.node, request.channel)}",))


def _unit(request: UnitField, _model: ModelInfo) -> PythonLines:
    unit = call("picture.unit", request.node, channel=request.channel, y=request.y, x=request.x)
    return PythonLines((f"values = {unit}.values",), (request.image,))


def _predictions(request: Predict, _model: ModelInfo) -> PythonLines:
    return PythonLines(("values = picture.predictions.probabilities",), (request.image,))


def _value(request: ExplainValue, _model: ModelInfo) -> PythonLines:
    place = request.place
    asked = call("picture.value_sum", place.step, channel=place.channel, y=place.y, x=place.x)
    lines = (f"made = {asked}", "values = made.terms  # with made.numbers they add up to made.value")
    return PythonLines(lines, (request.image,))


def _field(request: ReceptiveField, _model: ModelInfo) -> PythonLines | None:
    if request.subject.config is not None:
        return None
    images = request.images if request.inputs == "pictures" else ()
    inputs: object = {"noise": "noise", "folder": request.folder}.get(request.inputs)
    if images:
        inputs = _Code("[picture]" if len(images) == 1 else "pictures")
    elif request.inputs == "pictures":
        inputs = _Code("[]")
    named: dict[str, object] = {"inputs": inputs}
    defaults = {"count": USUAL_COUNT, "protocol": "centred", "framing": "squashed"}
    for name in ("count", "protocol", "unit", "input_px", "seed", "framing", "target"):
        value = getattr(request, name)
        if value not in (defaults.get(name), None, 0) or (name == "target" and value is not None):
            named[name] = value
    if request.inputs == "pictures" and not request.fills_up:
        named["fill_up"] = False
    subject = request.subject
    explorer = "explorer"
    if not subject.is_current:
        explorer = call("Explorer", subject.source)
    node = subject.node or request.node
    return PythonLines((f"values = {call(f'{explorer}.receptive_field', node, **named)}.values",), images)


def explanation_arguments(request: Explain, model: ModelInfo, node: str = "") -> str:
    """Return the arguments of `Picture.attribution` for one of the maps of a request."""
    named: dict[str, object] = {}
    places: tuple[object, ...] = ()
    if method_named(request.method).kind == "cam":
        nodes = request.nodes or model.config.stages
        places = (list(nodes),) if request.average else (node or nodes[-1],)
    if request.target is not None:
        named["target"] = request.target
    if request.output == "difference":
        named["against"] = request.against
    elif request.output != "logit":
        named["output"] = request.output
    named |= dict(request.parameters)
    return call("", request.method, *places, **named)[1:-1]


def explanation_lines(request: Explain, model: ModelInfo, node: str = "", part: str = "") -> PythonLines:
    """Return the lines for one map of an explanation.

    Parameters
    ----------
    node
        Which of several maps; the last one if empty.
    part
        ``target_maps`` or ``against_maps`` for one of the maps that a difference subtracts.
    """
    found = f"picture.attribution({explanation_arguments(request, model, node)})"
    if not part:
        return PythonLines((f"values = {found}.values",), (request.image,))
    return PythonLines((f"[values] = {found}.result.{part}.values()",), (request.image,))


def _explained(request: Explain, model: ModelInfo) -> PythonLines:
    return explanation_lines(request, model)


def _several(request: ExplainSeveral, model: ModelInfo) -> PythonLines:
    arguments = explanation_arguments(request.question, model)
    listed = "pictures" if len(request.images) > 1 else "[picture]"
    line = f"values = [picture.attribution({arguments}).values for picture in {listed}]"
    return PythonLines((line,), request.images)


def _each(request: ExplainEach, model: ModelInfo) -> PythonLines:
    images = tuple(dict.fromkeys(question.image for question in request.questions))
    lines = [
        f"    picture.attribution({explanation_arguments(question, model)}).values,"
        for question in request.questions
    ]
    return PythonLines(("values = [", *lines, "]"), images)


def _map_named(request: Explain, model: ModelInfo, name: str) -> str:
    return explanation_arguments(request, model, "" if name in ("", "input", AVERAGE) else name)


def _faithfulness(request: MeasureFaithfulness, model: ModelInfo) -> PythonLines:
    question = _map_named(request.question, model, request.map_name)
    more = call("", fill=request.fill, steps=request.steps, orders=request.orders, order_seed=request.seed)[
        1:-1
    ]
    lines = (
        f"evidence = picture.faithfulness({question}, {more})",
        "values = evidence.of_map.insertion  # and evidence.of_map.deletion, evidence.of_random",
    )
    return PythonLines(lines, (request.question.image,))


def _sanity(request: CheckSanity, model: ModelInfo) -> PythonLines:
    question = _map_named(request.question, model, request.map_name)
    lines = (
        f"cascade = picture.sanity({question}, randomisation_seed={request.seed})",
        "values = [step.map for step in cascade.steps]",
    )
    return PythonLines(lines, (request.question.image,))


def _agreement(request: CompareMethods, _model: ModelInfo) -> PythonLines:
    named: dict[str, object] = {"target": request.target}
    if request.output == "difference":
        named["against"] = request.against
    elif request.output != "logit":
        named["output"] = request.output
    compared = call("picture.agreement", list(request.methods), request.node, **named)
    return PythonLines((f"values = {compared}.matrix",), (request.image,))


def _norms(request: MeasureNorms, _model: ModelInfo) -> PythonLines:
    return PythonLines((f"values = {call('picture.norms', request.node)}.values",), (request.image,))


def _components(request: Components, _model: ModelInfo) -> PythonLines | None:
    """Return the lines for components of the picture or of several; marked ones were drawn by hand."""
    if request.kept is not None or request.marked:
        return None
    if len(request.over) < 2:
        made = call("picture.components", request.node, count=request.count)
        return PythonLines((f"values = {made}.values",), (request.image,))
    if request.image not in request.over:
        return None
    made = call("picture.components", request.node, basis=_Code("pictures"), count=request.count)
    lines = (f"picture = pictures[{request.over.index(request.image)}]", f"values = {made}.values")
    return PythonLines(lines, request.over)


_LINES: dict[type[Request], Callable[..., PythonLines | None]] = {
    FeatureMaps: _maps,
    ChannelMap: _channel,
    Kernel: _kernel,
    UnitField: _unit,
    Predict: _predictions,
    ExplainValue: _value,
    ReceptiveField: _field,
    Explain: _explained,
    ExplainSeveral: _several,
    ExplainEach: _each,
    MeasureFaithfulness: _faithfulness,
    CheckSanity: _sanity,
    CompareMethods: _agreement,
    MeasureNorms: _norms,
    Components: _components,
}
