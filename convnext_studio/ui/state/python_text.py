"""The lines of Python that give the array of a view again, in a script or a notebook."""

from base64 import b85encode
from collections.abc import Callable, Sequence
from zlib import compress

from msgspec import Struct
from msgspec.structs import fields

from convnext_studio.common.attribution_methods import method_named
from convnext_studio.common.recipe import NO_CHANGES, Recipe
from convnext_studio.decoding.picture_view import WHOLE, PictureView
from convnext_studio.model.framing import TRAINED, framing_of
from convnext_studio.protocol.attributions import (
    AVERAGE,
    INPUT,
    CheckSanity,
    CompareMethods,
    Explain,
    ExplainEach,
    ExplainSeveral,
    MeasureFaithfulness,
)
from convnext_studio.protocol.channels import ChannelMap, Kernel
from convnext_studio.protocol.envelope import Network, Request
from convnext_studio.protocol.maps import FeatureMaps
from convnext_studio.protocol.models import LoadModel, ModelInfo
from convnext_studio.protocol.pictures import ListedPicture
from convnext_studio.protocol.predictions import Predict
from convnext_studio.protocol.receptive_fields import (
    USUAL_COUNT,
    FieldGrowth,
    FieldNetwork,
    FieldRequest,
    OpenField,
    ReceptiveField,
    UnitField,
)
from convnext_studio.protocol.similarity import Basis, Components, FindParts, Marked, MeasureNorms
from convnext_studio.protocol.value_sums import ExplainMapValue, ExplainValue


class PythonLines(Struct, frozen=True):
    """The lines that set `values` to the array of a view.

    Attributes
    ----------
    lines
        Lines that use ``explorer`` and ``picture``, or ``pictures`` if there are several.
    pictures
        The keys of the pictures that they use, which name their framings.
    model
        The network of the view, if it may be another one than the open network.
    network
        Which of two open networks the lines are about: ``explorer`` is that of this one.
    compares
        Whether the lines use ``comparison``, which is that of A with B.
    opening
        The call that opens the network if it is none of the open ones; empty if it is one of them.
    beside
        The lines for B, if B is asked the same after A. Then `joined` makes the values of those of both, which
        are ``a`` and ``b``.
    """

    lines: tuple[str, ...]
    pictures: tuple[str, ...] = ()
    model: ModelInfo | None = None
    network: Network = "A"
    compares: bool = False
    opening: str = ""
    beside: "PythonLines | None" = None
    joined: str = ""

    @property
    def needs_second(self) -> bool:
        """Whether the lines need the network B."""
        return self.network == "B" or self.compares or self.beside is not None


class OpenedNetwork(Struct, frozen=True):
    """An open network, the request that loaded it, if that is known, and what was changed in and before it.

    Attributes
    ----------
    averaged
        The keys of the pictures over which a change averages, in their order.
    """

    model: ModelInfo
    loaded: LoadModel | None = None
    recipe: Recipe = NO_CHANGES
    averaged: tuple[str, ...] = ()

    def asked(self, model: ModelInfo) -> LoadModel | None:
        """Return the request if it is the one that loaded a network."""
        return self.loaded if self.loaded is not None and self.loaded.source == model.source else None


class OpenedPicture(Struct, frozen=True):
    """An opened picture, and which frame and bands of its file are shown."""

    listed: ListedPicture
    view: PictureView = WHOLE


Loaded = Callable[[str], OpenedPicture | None]
"""Returns an opened picture by the key of an image, or None if it was closed."""


def script(
    python: PythonLines, first: OpenedNetwork, picture: Loaded, second: OpenedNetwork | None = None
) -> str:
    """Return a whole script: the networks, the pictures, and the lines of a view.

    Parameters
    ----------
    first, second
        The open networks.
    """
    lines = _with_network(python, first, picture, second)
    if python.beside is not None:
        of_b = _with_network(python.beside, first, picture, second)
        lines = [*lines, "a = values", "", *of_b, "b = values", "", python.joined]
    return "\n".join([*_imports(lines), "", *lines]) + "\n"


_IMPORTED = {
    "b85decode(": "from base64 import b85decode",
    "decompress(": "from zlib import decompress",
    "np.": "import numpy as np",
    "Explorer(": "from convnext_studio import Explorer",
    "curtain_of(": "from convnext_studio.comparison import curtain_of",
    "difference_of(": "from convnext_studio.comparison import difference_of",
    "PictureView(": "from convnext_studio.decoding.picture_view import PictureView",
    "read_field(": "from convnext_studio.erf.field_files import read_field",
    "Basis(": "from convnext_studio.explorer import Basis",
    "Change(": "from convnext_studio.explorer import Change",
    "Region(": "from convnext_studio.explorer import Region",
    "Recipe(": "from convnext_studio.explorer import Recipe",
    "Retouch(": "from convnext_studio.explorer import Retouch",
    "Stroke(": "from convnext_studio.explorer import Stroke",
    "Cells(": "from convnext_studio.explorer import Cells",
    "Marked(": "from convnext_studio.explorer import Marked",
    "ConvNeXtConfig(": "from convnext_studio.model import ConvNeXtConfig",
}


def _imports(lines: Sequence[str]) -> list[str]:
    """Return the imports of the names that the lines use; in lines of ours, quoted texts have none of them."""
    return [line for name, line in _IMPORTED.items() if any(name in each for each in lines)]


def _with_network(
    python: PythonLines, first: OpenedNetwork, picture: Loaded, second: OpenedNetwork | None
) -> list[str]:
    """Return the lines of a view after those that open their network and pictures."""
    opened = second if python.network == "B" and second is not None else first
    shown = python.model or opened.model
    lines = [f"explorer = {_explorer(shown, opened)}{_mark(shown)}"]
    if python.opening:
        lines = [f"explorer = {python.opening}"]
    if not opened.recipe.is_empty:
        lines.append(f"explorer = {_changed(opened, picture)}")
    if python.compares and second is not None:
        is_other = second.recipe.is_empty
        other = _Code(_explorer(second.model, second) if is_other else _changed(second, picture))
        lines.append(f"comparison = {call('explorer.compare', other)}{_mark(second.model)}")
    return [*lines, *_opened(python.pictures, picture), *python.lines]


def _mark(model: ModelInfo) -> str:
    return "  # random weights" if model.random_weights else ""


def _explorer(model: ModelInfo, opened: OpenedNetwork) -> str:
    asked = opened.asked(model)
    named: dict[str, object] = {}
    first: tuple[object, ...] = (model.source,)
    if asked is not None:
        if asked.config is not None:
            first = ()
            named["config"] = _Code(_struct("ConvNeXtConfig", asked.config))
            named["input_px"] = asked.input_px
        named |= {
            name: value
            for name in ("seed", "stem_stride", "stem_padding", "part", "untrained", "mean", "std", "offline")
            if (value := getattr(asked, name))
        }
    named["device"] = model.device
    if model.precision != "float32":
        named["precision"] = model.precision
    return call("Explorer", *first, **named)


def _struct(name: str, struct: Struct) -> str:
    """Return the call that makes a struct, with what differs from its defaults."""
    given: dict[str, object] = {
        field.name: getattr(struct, field.name)
        for field in fields(struct)
        if getattr(struct, field.name) != field.default
    }
    inner = {
        key: _Code(_struct(type(each).__name__, each))
        for key, each in given.items()
        if isinstance(each, Struct)
    }
    return call(name, **given | inner)


def _changed(opened: OpenedNetwork, picture: Loaded) -> str:
    """Return the call that changes the network of the explorer."""
    averaged = ""
    if opened.recipe.averages_pictures:
        averaged = f", pictures=[{', '.join(_open(image, picture)[0] for image in opened.averaged)}]"
    return f"explorer.with_interventions({_recipe(opened.recipe, picture)}{averaged})"


def _recipe(recipe: Recipe, picture: Loaded) -> str:
    """Return the code of a recipe; of changes inside the network alone, that of a list."""

    def key(image: str) -> _Code:
        return _Code(f"{_open(image, picture)[0]}.key")

    changes = [_nested(change, key) for change in recipe.changes]
    if not recipe.retouched:
        return f"[{', '.join(changes)}]"
    retouched = [
        f"({key(image)}, {_tuple([_nested(each, key) for each in made])})" for image, made in recipe.retouched
    ]
    return f"Recipe({_tuple(changes)}, {_tuple(retouched)})"


def _tuple(parts: Sequence[str]) -> str:
    return f"({', '.join(parts)},)" if parts else "()"


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
            value = _Code(_tuple([_nested(each, key) for each in value]))
        given[field.name] = value
    return call(type(struct).__name__, **given)


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


class _Code(str):
    """A text that is code, and not a string in it."""

    __slots__ = ()


PICTURE = _Code("picture")
"""The variable of the picture, as an argument."""


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


def _map_value(request: ExplainMapValue, _model: ModelInfo) -> PythonLines:
    value = request.value
    node = () if value.node == INPUT else (value.node,)
    found = call("picture.attribution", value.question.method, *node, **explanation_options(value.question))
    lines = (
        f"made = {found}.value_sum({value.y}, {value.x})",
        "values = made.terms  # they add up to made.value",
    )
    return PythonLines(lines, (request.image,))


def _field(request: ReceptiveField, model: ModelInfo) -> PythonLines:
    (images, named) = _field_inputs(request, USUAL_COUNT)
    defaults = {"unit": None, "target": None}
    named |= {name: getattr(request, name) for name in defaults if getattr(request, name) != defaults[name]}
    node = request.subject.node or request.node
    line = f"values = {call('explorer.receptive_field', node, **named)}.values"
    return PythonLines((line,), images, opening=_subject(request.subject, model))


def _growth(request: FieldGrowth, model: ModelInfo) -> PythonLines:
    (images, named) = _field_inputs(request, FieldGrowth().count)
    lines = (
        f"growth = {call('explorer.field_growth', **named)}",
        "values = [[side for side in point.effective_px.values()] for point in growth.points]",
    )
    return PythonLines(lines, images, opening=_subject(request.subject, model))


def _field_inputs(request: FieldRequest, usual_count: int) -> tuple[tuple[str, ...], dict[str, object]]:
    """Return the pictures that a measurement averages over, and the arguments that say how."""
    images = request.images if request.inputs == "pictures" else ()
    inputs: object = {"noise": "noise", "folder": request.folder}.get(request.inputs)
    if images:
        inputs = _Code("[picture]" if len(images) == 1 else "pictures")
    elif request.inputs == "pictures":
        inputs = _Code("[]")
    named: dict[str, object] = {"inputs": inputs}
    usual = {"count": usual_count, "protocol": "centred", "input_px": 0, "height_px": 0, "seed": 0}
    named |= {name: getattr(request, name) for name in usual if getattr(request, name) != usual[name]}
    if request.inputs == "pictures" and not request.fills_up:
        named["fill_up"] = False
    if request.framing != "squashed":
        named["framing"] = request.framing
    if request.framing == "own" and request.folder_framing != TRAINED:
        named |= {"framing": request.folder_framing.kind, "input_px": request.folder_framing.input_px}
    return images, named


def _subject(subject: FieldNetwork, model: ModelInfo) -> str:
    """Return the call that opens the network of a measurement; empty if it is the open one."""
    if subject.is_current:
        return ""
    named: dict[str, object] = {}
    if subject.config is not None:
        named |= {"config": _Code(_struct("ConvNeXtConfig", subject.config)), "input_px": model.input_px}
    if subject.seed:
        named["seed"] = subject.seed
    if subject.offline:
        named["offline"] = True
    return call(
        "Explorer", *(() if subject.config is not None else (subject.source,)), **named, device=model.device
    )


def _opened_field(request: OpenField, _model: ModelInfo) -> PythonLines:
    return PythonLines((f"values = {call('read_field', request.path)}.field_map",))


def explanation_arguments(request: Explain, model: ModelInfo, node: str = "") -> str:
    """Return the arguments of `Picture.attribution` for one of the maps of a request."""
    places: tuple[object, ...] = ()
    if method_named(request.method).kind == "cam":
        nodes = request.nodes or model.config.stages
        places = (list(nodes),) if request.average else (node or nodes[-1],)
    return call("", request.method, *places, **explanation_options(request))[1:-1]


def explanation_options(request: Explain) -> dict[str, object]:
    """Return the arguments that say what is explained, and the parameters of the method."""
    named: dict[str, object] = {}
    if request.target is not None:
        named["target"] = request.target
    if request.output == "difference":
        named["against"] = request.against
    elif request.output != "logit":
        named["output"] = request.output
    return named | dict(request.parameters)


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


def _components(request: Components, _model: ModelInfo) -> PythonLines:
    """Return the lines for components of the picture, of several, of what was marked in some, or kept ones."""
    images: tuple[str, ...] = (request.image,)
    before: tuple[str, ...] = ()
    named: dict[str, object] = {"count": request.count}
    if request.kept is not None:
        before = (f"basis = {_basis(request.kept)}",)
        named = {"basis": _Code("basis")}
    elif request.marked:
        images = tuple(dict.fromkeys((request.image, *(mark.image for mark in request.marked))))
        before = ("marks = [", *(f"    {_marked(mark, images)}," for mark in request.marked), "]")
        named["basis"] = _Code("marks")
    elif len(request.over) > 1:
        images = request.over if request.image in request.over else (request.image, *request.over)
        named["basis"] = _Code("pictures" if images == request.over else "pictures[1:]")
    made = call(f"{picture_in(images, request.image)}.components", request.node, **named)
    return PythonLines((*before, f"values = {made}.values"), images)


def picture_in(images: Sequence[str], image: str) -> str:
    """Return the variable of one of the pictures of a script."""
    return "picture" if len(images) == 1 else f"pictures[{list(images).index(image)}]"


def _basis(basis: Basis) -> str:
    numbers = _Code(f"b85decode({b85encode(basis.numbers).decode()!r})")
    named = {field.name: getattr(basis, field.name) for field in fields(basis)}
    return call("Basis", **(named | {"numbers": numbers}))


def _marked(mark: Marked, images: Sequence[str]) -> str:
    bits = _Code(f"decompress(b85decode({b85encode(compress(mark.bits)).decode()!r}))")
    image = _Code(f"{picture_in(images, mark.image)}.key")
    return call("Marked", image=image, width=mark.width, height=mark.height, bits=bits)


def likeness_lines(points: Sequence[tuple[str, int, int]], image: str, node: str, measure: str) -> PythonLines:
    """Return the lines for the likeness of a picture's positions to one, or to one minus that to another.

    Parameters
    ----------
    points
        One or two positions: the picture that each is in, and its row and column.
    """
    images = tuple(dict.fromkeys((image, *(of for of, _, _ in points))))
    compared = picture_in(images, image)
    found = []
    for of, y, x in points:
        named: dict[str, object] = {"measure": measure}
        if of != image:
            named["others"] = _Code(f"[{compared}]")
        alike = call(f"{picture_in(images, of)}.similarity", y, x, node, **named)
        found.append(f"{alike}.of({compared}.key)")
    if len(found) == 1:
        return PythonLines((f"values = {found[0]}",), images)
    return PythonLines((f"a = {found[0]}", f"b = {found[1]}", "values = a - b"), images)


def parts_lines(request: FindParts, image: str) -> PythonLines:
    """Return the lines for the parts of one of the pictures that were divided together."""
    named: dict[str, object] = {"count": request.count, "method": request.method, "vectors": request.vectors}
    if len(request.images) > 1:
        named["others"] = _Code("pictures[1:]")
    for name in ("target", "seed"):
        if getattr(request, name):
            named[name] = getattr(request, name)
    found = call(f"{picture_in(request.images, request.images[0])}.parts", request.node, **named)
    return PythonLines((f"values = {found}.of({picture_in(request.images, image)}.key)",), request.images)


_LINES: dict[type[Request], Callable[..., PythonLines | None]] = {
    FeatureMaps: _maps,
    ChannelMap: _channel,
    Kernel: _kernel,
    UnitField: _unit,
    Predict: _predictions,
    ExplainValue: _value,
    ExplainMapValue: _map_value,
    ReceptiveField: _field,
    FieldGrowth: _growth,
    OpenField: _opened_field,
    Explain: _explained,
    ExplainSeveral: _several,
    ExplainEach: _each,
    MeasureFaithfulness: _faithfulness,
    CheckSanity: _sanity,
    CompareMethods: _agreement,
    MeasureNorms: _norms,
    Components: _components,
}
