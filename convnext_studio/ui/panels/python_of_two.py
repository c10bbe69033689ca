"""The lines of Python that give what a view shows of two networks: B, a difference, or both at a curtain."""

from collections.abc import Callable

from msgspec.structs import replace

from convnext_studio.common.attribution_methods import method_named
from convnext_studio.common.errors import StudioError
from convnext_studio.protocol.attributions import CheckSanity, CompareMethods, Explain, MeasureFaithfulness
from convnext_studio.protocol.channels import ChannelMap
from convnext_studio.protocol.counterparts import Pair, counterpart
from convnext_studio.protocol.envelope import Request
from convnext_studio.protocol.maps import FeatureMaps
from convnext_studio.protocol.predictions import Predict
from convnext_studio.protocol.receptive_fields import ReceptiveField, UnitField
from convnext_studio.ui.state.python_text import (
    PICTURE,
    PythonLines,
    call,
    explanation_options,
    lines_of,
)
from convnext_studio.ui.state.selection.two_answers import Shown


def lines_of_two(request: Request, pair: Pair, shown: Shown, share: float = 0.5) -> PythonLines | None:
    """Return the lines that give what is shown of two networks' answers; None if scripts cannot.

    Parameters
    ----------
    request
        What A was asked.
    shown
        Which of the answers is shown, or how both are.
    share
        Where the line of the curtain is in the map, as a share of its width.
    """
    if shown == "first":
        return lines_of(request, pair.a)
    if shown == "second":
        return lines_in_b(request, pair)
    made = _COMPARED.get(type(request))
    return None if made is None else made(request, pair, shown, share)


def lines_in_b(request: Request, pair: Pair) -> PythonLines | None:
    """Return the lines that ask B what corresponds to a request to A; None if B cannot be asked that."""
    try:
        asked = counterpart(request, pair).request
    except StudioError:
        return None
    lines = lines_of(asked, pair.b)
    return None if lines is None else replace(lines, network="B")


def _part(found: str, shown: Shown, share: float) -> str:
    """Return what gives the difference of a comparison, or both sides of a curtain."""
    return f"{found}.difference" if shown == "difference" else f"{found}.{call('curtain', share)}"


def _chosen(pair: Pair, *nodes: str) -> dict[str, object]:
    """Return the argument that names the nodes of B if they were chosen by hand."""
    chosen = dict(pair.chosen)
    if not any(node in chosen for node in nodes):
        return {}
    in_b = [pair.node(node, []) for node in nodes]
    return {"node_b": in_b[0] if len(in_b) == 1 else in_b}


def _compared(code: str, image: str) -> PythonLines:
    return PythonLines((f"values = {code}",), (image,), compares=True)


def _maps(request: FeatureMaps, pair: Pair, shown: Shown, share: float) -> PythonLines:
    named = _chosen(pair, request.node)
    if request.budget_bytes:
        named["budget_bytes"] = request.budget_bytes
    found = call("comparison.maps", PICTURE, request.node, **named)
    return _compared(_part(found, shown, share), request.image)


def _channel(request: ChannelMap, pair: Pair, shown: Shown, share: float) -> PythonLines:
    found = call("comparison.maps", PICTURE, request.node, **_chosen(pair, request.node))
    return _compared(f"{_part(found, shown, share)}[{request.channel}]", request.image)


def _unit(request: UnitField, pair: Pair, shown: Shown, share: float) -> PythonLines:
    place = {"channel": request.channel, "y": request.y, "x": request.x}
    found = call("comparison.unit", PICTURE, request.node, **place, **_chosen(pair, request.node))
    return _compared(_part(found, shown, share), request.image)


def _explained(request: Explain, pair: Pair, shown: Shown, share: float) -> PythonLines:
    return explained_by_two(request, pair, shown, share)


def explained_by_two(
    request: Explain, pair: Pair, shown: Shown, share: float, node: str = "", part: str = ""
) -> PythonLines:
    """Return the lines for one map of an explanation of both networks.

    Parameters
    ----------
    node
        Which of several maps; the last one if empty.
    part
        ``target_maps`` or ``against_maps`` for one of the maps that a difference of two classes subtracts.
    """
    nodes: list[str] = []
    if method_named(request.method).kind == "cam":
        asked = request.nodes or pair.a.config.stages
        nodes = list(asked) if request.average else [node or asked[-1]]
    places = () if not nodes else (nodes if request.average else nodes[0],)
    named = _chosen(pair, *nodes) | explanation_options(request)
    found = call("comparison.attribution", PICTURE, request.method, *places, **named)
    if not part:
        return _compared(_part(found, shown, share), request.image)
    lines = (
        f"found = {found}",
        f"[a] = found.a.result.{part}.values()",
        f"[b] = found.b.result.{part}.values()",
        "at_a, at_b = found.places",
        "values = difference_of(a, at_a, b, at_b)"
        if shown == "difference"
        else f"values = curtain_of(a, at_a, b, at_b, {share!r})",
    )
    return PythonLines(lines, (request.image,), compares=True)


def _predictions(request: Predict, _pair: Pair, shown: Shown, _share: float) -> PythonLines:
    found = call("comparison.predictions", PICTURE)
    if shown == "difference":
        return _compared(f"{found}.difference", request.image)
    lines = (f"found = {found}", "values = [found.a.probabilities, found.b.probabilities]")
    return PythonLines(lines, (request.image,), compares=True)


# ------------------------------------------------------------------------- networks that are asked one by one


def beside_each_other(
    request: Request,
    pair: Pair,
    shown: Shown,
    difference: str = "values = a - b",
    both: str = "values = [a, b]",
) -> PythonLines | None:
    """Return the lines that ask A and then B, and make the values of both answers, ``a`` and ``b``."""
    first, second = lines_of(request, pair.a), lines_in_b(request, pair)
    if first is None or second is None:
        return None
    return replace(first, beside=second, joined=difference if shown == "difference" else both)


def _one_by_one(request: Request, pair: Pair, shown: Shown, _share: float) -> PythonLines | None:
    return beside_each_other(request, pair, shown)


def _fields(request: ReceptiveField, pair: Pair, shown: Shown, share: float) -> PythonLines | None:
    return beside_each_other(
        request,
        pair,
        shown,
        "values = a / a.sum() - b / b.sum()",
        f"values = np.where(np.arange(a.shape[1]) < round({share!r} * a.shape[1]), a, b)",
    )


def _cascades(request: CheckSanity, pair: Pair, shown: Shown, _share: float) -> PythonLines | None:
    difference = "values = [one - other for one, other in zip(a, b)]"
    return beside_each_other(request, pair, shown, difference, "values = [*a, *b]")


_COMPARED: dict[type[Request], Callable[..., PythonLines | None]] = {
    FeatureMaps: _maps,
    ChannelMap: _channel,
    UnitField: _unit,
    Explain: _explained,
    Predict: _predictions,
    ReceptiveField: _fields,
    MeasureFaithfulness: _one_by_one,
    CheckSanity: _cascades,
    CompareMethods: _one_by_one,
}
