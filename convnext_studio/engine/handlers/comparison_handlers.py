"""Handlers that compare the two open networks: the CKA of their nodes, and the distances of their weights."""

from collections.abc import Generator, Sequence
from typing import cast

from convnext_studio.analysis.features import trunk_nodes
from convnext_studio.analysis.node_similarity import GramBuilder, Matrix, SimilaritySum, grams_of
from convnext_studio.analysis.weight_distances import same_tensors, tensor_distances
from convnext_studio.common.errors import StudioError
from convnext_studio.common.stopping import Stopped
from convnext_studio.comparison.tensors import TensorDistance
from convnext_studio.engine.server.handler_registry import handles
from convnext_studio.engine.server.node_outputs import outputs_of
from convnext_studio.engine.server.workspace import ShouldStop, Workspace
from convnext_studio.protocol.comparison import (
    LEAST_PICTURES,
    CompareNodes,
    CompareWeights,
    NodeSimilarity,
    WeightDistances,
)
from convnext_studio.protocol.envelope import Progress


def second(workspace: Workspace) -> Workspace:
    """Return the workspace of the network that is open beside this one.

    Raises
    ------
    StudioError
        If there is none.
    """
    other = workspace.other
    if other is None or not other.has_model:
        raise StudioError("There is no second network to compare with.", "Open one beside the first.")
    return other


@handles(CompareNodes)
def compare_nodes(
    workspace: Workspace, request: CompareNodes, should_stop: ShouldStop
) -> Generator[Progress, None, NodeSimilarity]:
    """Compute the CKA of all pairs of nodes, with a partial answer after every batch."""
    other = second(workspace)
    nodes_a = request.nodes_a or tuple(trunk_nodes(workspace.model))
    nodes_b = request.nodes_b or tuple(trunk_nodes(other.model))
    for own, nodes in ((workspace, nodes_a), (other, nodes_b)):
        for node in nodes:
            own.model.node(node)
    batches = _batches(request)
    until_a = workspace.until_another_model(should_stop)
    is_pointless = other.until_another_model(until_a)
    sums, unreadable = SimilaritySum(len(nodes_a), len(nodes_b)), list[str]()
    pictures, used = 0, 0
    result: NodeSimilarity | None = None
    total = sum(map(len, batches))
    for batch in batches:
        grams = _Grams(workspace, other, nodes_a, nodes_b)
        for image in batch:
            text = f"CKA: {pictures} of {total} pictures"
            yield Progress(id=request.id, done=pictures, total=total, text=text, partial=result)
            if is_pointless():
                raise Stopped
            pictures += 1
            try:
                grams.add(image, is_pointless)
            except StudioError as error:
                unreadable.append(str(error))
        if grams.pictures >= LEAST_PICTURES:
            sums.add(*grams.matrices())
            used += grams.pictures
            result = NodeSimilarity(
                nodes_a=nodes_a,
                nodes_b=nodes_b,
                matrix=sums.cka,
                pictures=used,
                batches=1 if result is None else result.batches + 1,
                unreadable=tuple(unreadable),
            )
    if result is None:
        raise _too_few(pictures - len(unreadable), unreadable)
    return result


class _Grams:
    """The Gram matrices of the nodes of both networks on the pictures of a batch."""

    def __init__(self, a: Workspace, b: Workspace, nodes_a: Sequence[str], nodes_b: Sequence[str]) -> None:
        self._sides = tuple(
            (own, {node: GramBuilder() for node in nodes}) for own, nodes in ((a, nodes_a), (b, nodes_b))
        )
        self.pictures = 0

    def add(self, image: str, should_stop: ShouldStop) -> None:
        """Add a picture; raise StudioError if it cannot be read by both networks."""
        found = [(builders, outputs_of(own, image, builders, should_stop)) for own, builders in self._sides]
        for builders, outputs in found:
            for node, builder in builders.items():
                builder.add(outputs[node])
        self.pictures += 1

    def matrices(self) -> tuple[list[Matrix], list[Matrix]]:
        """Return the Gram matrices of A's and of B's nodes."""
        (_, of_a), (_, of_b) = self._sides
        return grams_of(of_a), grams_of(of_b)


def _batches(request: CompareNodes) -> list[tuple[str, ...]]:
    """Return the pictures in batches; a last batch that is too small for an estimate is left out.

    Raises
    ------
    StudioError
        If there are too few pictures, or batches would be too small.
    """
    if request.batch < LEAST_PICTURES:
        raise StudioError(
            f"A batch of {request.batch} pictures is too small.", f"Take at least {LEAST_PICTURES}."
        )
    if len(request.images) < LEAST_PICTURES:
        raise _too_few(len(request.images), ())
    starts = range(0, len(request.images), request.batch)
    batches = [request.images[start : start + request.batch] for start in starts]
    return [batch for batch in batches if len(batch) >= LEAST_PICTURES]


def _too_few(count: int, unreadable: Sequence[str]) -> StudioError:
    return StudioError(
        f"CKA needs at least {LEAST_PICTURES} pictures, and there {'is' if count == 1 else 'are'} {count}.",
        " ".join(["Open more pictures.", *unreadable[:1]]),
    )


@handles(CompareWeights)
def compare_weights(
    workspace: Workspace, request: CompareWeights, should_stop: ShouldStop
) -> Generator[Progress, None, WeightDistances]:
    """Compute the distances of all tensors that both networks have."""
    other = second(workspace)
    key = workspace.key("weights", other.key())
    kept = workspace.results.get(key)
    if kept is not None:
        return cast("WeightDistances", kept)
    a, b = workspace.model.module, other.model.module
    shared, tensors = same_tensors(a, b), list[TensorDistance]()
    for tensor in tensor_distances(a, b):
        tensors.append(tensor)
        yield Progress(
            id=request.id, done=len(tensors), total=len(shared), text=f"{len(tensors)} of {len(shared)} tensors"
        )
        if should_stop():
            raise Stopped
    names_a, names_b = a.state_dict().keys(), b.state_dict().keys()
    result = WeightDistances(
        tensors=tuple(tensors),
        only_a=tuple(name for name in names_a if name not in names_b),
        only_b=tuple(name for name in names_b if name not in names_a),
        other_shapes=tuple(name for name in names_a if name in names_b and name not in set(shared)),
    )
    workspace.results.put(key, result)
    return result
