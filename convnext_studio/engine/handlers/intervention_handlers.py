"""Handlers that change a network inside, and that try which of its parts matter."""

from collections.abc import Callable, Generator, Sequence

import numpy as np
from msgspec.structs import replace
from torch import Tensor

from convnext_studio.analysis.attribution.ablations import segmented
from convnext_studio.analysis.features import probabilities_of
from convnext_studio.analysis.intervening.ablation_parts import block_parts, channel_parts, place_parts
from convnext_studio.analysis.intervening.changed_outputs import (
    Donors,
    changed_logits,
    changed_network,
    donors_for,
    interventions,
    logits_under,
    logits_under_each,
)
from convnext_studio.common.errors import StudioError
from convnext_studio.common.interventions import Change
from convnext_studio.engine.handlers.model_handlers import model_info
from convnext_studio.engine.server.handler_registry import handles
from convnext_studio.engine.server.node_outputs import outputs_of
from convnext_studio.engine.server.workspace import ShouldStop, Workspace
from convnext_studio.model.framing import framed, framing_of, picture_of
from convnext_studio.model.labels import check_class
from convnext_studio.protocol.envelope import Progress
from convnext_studio.protocol.interventions import (
    ChangedLogits,
    ChangedLogitsResult,
    FindSuperpixels,
    Intervene,
    RankedParts,
    RankParts,
    Superpixels,
)
from convnext_studio.protocol.models import ModelInfo
from convnext_studio.render import pluralize

_COLOURS = (1, 3)


@handles(Intervene)
def intervene(workspace: Workspace, request: Intervene, should_stop: ShouldStop) -> ModelInfo:
    """Open the other network with changes, beside the unchanged one."""
    other = workspace.other
    if other is None or not other.has_model:
        raise StudioError("There is no network to change.", "Open one first.")
    original = other.model
    size = other.input_size(request.image) if request.image else None
    donors = _donors(other, request.changes, request.image, request.images, should_stop)
    applied = [change for change in request.changes if change.enabled]
    retouches = [each for _, made in request.retouched for each in made if each.enabled]
    said = pluralize(len(applied) + len(retouches), "change")
    model = replace(changed_network(original), title=f"{original.title}, {said}")
    changes = interventions(model, applied, donors, size) if applied else None
    workspace.open_model(model, other.precision, changes, dict(request.retouched))
    return model_info(model, other.precision)


@handles(ChangedLogits)
def logits_with_changes(
    workspace: Workspace, request: ChangedLogits, should_stop: ShouldStop
) -> ChangedLogitsResult:
    """Compute the logits without and with changes."""
    model, precision = workspace.model, workspace.precision
    donors = _donors(workspace, request.changes, request.image, request.images, should_stop)
    output_of = _outputs(workspace, request.image, should_stop)
    before = changed_logits(model, (), donors, output_of, precision, should_stop)
    retouches = dict(request.retouched).get(picture_of(request.image), ())
    if retouches:
        x = workspace.retouched_input(request.image, retouches)
        after = logits_under(model, request.changes, donors, x, precision, should_stop)
    else:
        after = changed_logits(model, request.changes, donors, output_of, precision, should_stop)
    return ChangedLogitsResult(
        image=request.image,
        before=before.cpu().numpy(),
        after=after.cpu().numpy(),
        probabilities_before=probabilities_of(model, before).numpy(),
        probabilities=probabilities_of(model, after).numpy(),
    )


@handles(FindSuperpixels)
def find_superpixels(workspace: Workspace, request: FindSuperpixels, _should_stop: ShouldStop) -> Superpixels:
    """Divide the network's input into patches of similar colour, as the attribution by superpixels does."""
    tensor, geometry = workspace.input(request.image)
    if tensor.shape[1] not in _COLOURS:
        raise StudioError("Only pictures in colours or grey are divided into superpixels.")
    preprocessing = workspace.model.preprocessing
    labels = segmented(tensor, preprocessing, request.count, request.compactness).astype(np.int32)
    return Superpixels(image=request.image, labels=labels, geometry=geometry)


@handles(RankParts)
def rank_parts(
    workspace: Workspace, request: RankParts, should_stop: ShouldStop
) -> Generator[Progress, None, RankedParts]:
    """Try one part after the other, with a partial answer after every batch."""
    model, is_pointless = workspace.model, workspace.until_another_model(should_stop)
    parts = _parts(workspace, request)
    donors = _donors(workspace, parts, request.image, request.images, is_pointless)
    output_of = _outputs(workspace, request.image, is_pointless)
    before = changed_logits(model, (), {}, output_of, workspace.precision, is_pointless)
    target = int(before.argmax()) if request.target is None else request.target
    check_class(target, len(before))
    score = float(before[target])
    differences = np.full(len(parts), np.nan, np.float32)

    def answer() -> RankedParts:
        return RankedParts(
            image=request.image,
            changes=tuple(parts),
            differences=differences.copy(),
            target=target,
            score=score,
        )

    work = logits_under_each(model, parts, donors, output_of, workspace.precision, is_pointless)
    for positions, logits in work:
        differences[positions.start : positions.stop] = logits[:, target].cpu().numpy() - score
        text = f"{positions.stop} of {pluralize(len(parts), 'part')} tried"
        yield Progress(id=request.id, done=positions.stop, total=len(parts), text=text, partial=answer())
    return answer()


def _parts(workspace: Workspace, request: RankParts) -> Sequence[Change]:
    model = workspace.model
    if request.parts == "blocks":
        return block_parts(model, request.effect)
    if request.parts == "channels":
        return channel_parts(model, request.node, request.effect)
    size = workspace.input_size(request.image)
    return place_parts(model, request.node, request.rows, request.columns, request.effect, size)


def _outputs(workspace: Workspace, image: str, should_stop: ShouldStop) -> Callable[[str], Tensor]:
    """Return a function from the name of a trunk node to its output on a picture; the input for no name."""

    def output_of(node: str) -> Tensor:
        if node:
            return outputs_of(workspace, image, (node,), should_stop)[node]
        return workspace.input(image)[0][0]

    return output_of


def _donors(
    workspace: Workspace,
    changes: Sequence[Change],
    image: str,
    images: Sequence[str],
    should_stop: ShouldStop,
) -> Donors:
    """Return the values of other passes that changes need; other pictures are framed as the one looked at."""
    framing = framing_of(image)

    def input_of(picture: str) -> Tensor:
        return workspace.input(framed(picture, framing))[0]

    return donors_for(workspace.model, changes, input_of, images, workspace.precision, should_stop)
