"""Handlers for what positions have in common: components, the likeness to one position, and norms."""

from collections.abc import Generator, Iterable, Sequence
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from convnext_studio.analysis.features import to_array
from convnext_studio.analysis.similarity import Spread, norms_of, scores_of
from convnext_studio.analysis.similarity.vectors import finite_vectors
from convnext_studio.common.errors import StudioError
from convnext_studio.common.likeness import centre_of, directions, likeness
from convnext_studio.common.stopping import Stopped
from convnext_studio.engine.handlers.similarity.position_patches import cut_around, spread_positions
from convnext_studio.engine.handlers.similarity.position_vectors import shown_vectors, spatial_node, vectors_of
from convnext_studio.engine.server.handler_registry import handles
from convnext_studio.engine.server.workspace import ShouldStop, Workspace
from convnext_studio.model.nodes import NodeInfo
from convnext_studio.protocol.channels import Patch
from convnext_studio.protocol.envelope import Progress
from convnext_studio.protocol.similarity import (
    END_PERCENTILES,
    Basis,
    Components,
    ComponentsResult,
    Marked,
    MeasureNorms,
    MostAlike,
    MostAlikeResult,
    NormsResult,
    Outlier,
    PlacedMaps,
    PositionVectors,
    PositionVectorsResult,
    ScoreMaps,
    ScoreMapsResult,
)

_MOST_COMPONENTS = 64


# ------------------------------------------------------------------------------------------- components


@handles(Components)
def components_of(
    workspace: Workspace, request: Components, should_stop: ShouldStop
) -> Generator[Progress, None, ComponentsResult]:
    """Compute principal components, or take those that were kept, and the scores of one picture."""
    node = spatial_node(workspace, request.node if request.kept is None else request.kept.node)
    if not 1 <= request.count <= _MOST_COMPONENTS:
        raise StudioError(
            f"{request.count} components cannot be computed.", f"Ask for 1 to {_MOST_COMPONENTS}."
        )
    skipped: list[str] = []
    if request.kept is None:
        basis = yield from _new_basis(workspace, request, node, skipped, should_stop)
    else:
        basis = request.kept
    output = yield from shown_vectors(workspace, request.id, request.image, node, should_stop)
    scores = _scores(workspace, request.image, basis, output)
    return ComponentsResult(
        node=node.name, basis=basis, scores=scores, field=node.field, skipped=tuple(skipped)
    )


def _new_basis(
    workspace: Workspace, request: Components, node: NodeInfo, skipped: list[str], should_stop: ShouldStop
) -> Generator[Progress, None, Basis]:
    """Collect the positions that are asked for, picture by picture, and compute their components."""
    is_pointless = workspace.until_another_model(should_stop)
    marks = {each.image: each for each in request.marked}
    images = tuple(marks) if marks else request.over or (request.image,)
    spread = Spread()
    for done, image in enumerate(images):
        if done:
            text = f"Components: {done} of {len(images)} pictures"
            yield Progress(id=request.id, done=done, total=len(images), text=text)
        if is_pointless():
            raise Stopped
        try:
            spread.add(_chosen_vectors(workspace, image, node, marks.get(image), is_pointless))
        except StudioError:
            if len(images) == 1:
                raise
            skipped.append(image)
    if spread.positions < 2:
        raise _too_few(node, spread.positions, is_marked=bool(marks))
    found = spread.components(request.count)
    mean, vectors = found.mean.astype(np.float32), found.vectors.astype(np.float32)
    used = [image for image in images if image not in skipped]
    return Basis(
        node=node.name,
        network=workspace.model.title,
        origin=_origin(workspace, used, is_marked=bool(marks)),
        numbers=np.concatenate((mean[None], vectors)).astype("<f4").tobytes(),
        shares=tuple(found.shares.tolist()),
        ends=_ends(workspace, used, node, marks, (mean, vectors), is_pointless),
        positions=found.positions,
    )


def _chosen_vectors(
    workspace: Workspace, image: str, node: NodeInfo, marks: Marked | None, should_stop: ShouldStop
) -> Tensor:
    """Return the vectors (n, C) of the finite positions of a picture, or of those that are marked."""
    output = vectors_of(workspace, image, node, should_stop)
    vectors, where = finite_vectors(output)
    if marks is None:
        return vectors
    is_marked = marked_positions(workspace, marks, node, (output.shape[1], output.shape[2]))
    return vectors[torch.from_numpy(is_marked.reshape(-1)).to(where.device)[where]]


def marked_positions(
    workspace: Workspace, marks: Marked, node: NodeInfo, shape: tuple[int, int]
) -> NDArray[np.bool_]:
    """Return which positions of a map of that shape have their centres where the brush has marked."""
    geometry, mask = workspace.geometry(marks.image), marks.mask
    width, height = geometry.picture_size
    places = []
    for axis, (count, side, extent) in enumerate(zip(shape, mask.shape, (height, width), strict=True)):
        centres = np.array([node.field.centre_px(index) for index in range(count)])
        at = [geometry.to_picture(centre, centre)[1 - axis] for centre in centres.tolist()]
        points = np.floor(np.array(at) / extent * side).astype(np.intp)
        places.append((np.clip(points, 0, side - 1), (points >= 0) & (points < side)))
    (rows, has_row), (columns, has_column) = places
    marked: NDArray[np.bool_] = mask[np.ix_(rows, columns)] & has_row[:, None] & has_column[None]
    return marked


def _too_few(node: NodeInfo, positions: int, *, is_marked: bool) -> StudioError:
    if is_marked:
        return StudioError(
            f"The brush marks the centres of {positions} positions of {node.name}, whose positions are "
            f"{node.field.stride_px} pixels of the input apart.",
            "Mark a larger part of the picture, or choose an earlier node.",
        )
    return StudioError(
        f"{node.title} has {positions} position on this picture: there is nothing that varies.",
        "Choose an earlier node, or a larger input.",
    )


def _origin(workspace: Workspace, images: Sequence[str], *, is_marked: bool) -> str:
    name = workspace.pictures.source(images[0]).name if len(images) == 1 else f"{len(images)} pictures"
    return f"the marked foreground of {name}" if is_marked else name


def _ends(
    workspace: Workspace,
    images: Iterable[str],
    node: NodeInfo,
    marks: dict[str, Marked],
    basis: tuple[NDArray[np.float32], NDArray[np.float32]],
    should_stop: ShouldStop,
) -> tuple[tuple[float, float], ...]:
    """Return where the colour scales of the components end, from the positions that they are computed from."""
    mean, vectors = basis
    found = []
    for image in images:
        positions = _chosen_vectors(workspace, image, node, marks.get(image), should_stop)
        if len(positions):
            found.append(scores_of(positions.T[:, None], mean, vectors)[:, 0])
    ends = np.percentile(np.concatenate(found, axis=1).astype(np.float64), END_PERCENTILES, axis=1)
    return tuple((float(low), float(high)) for low, high in ends.T)


def _scores(workspace: Workspace, image: str, basis: Basis, output: Tensor) -> PlacedMaps:
    _check_basis(basis, len(output))
    maps = scores_of(output, basis.mean, basis.vectors)
    return PlacedMaps(image=image, maps=maps, geometry=workspace.geometry(image))


def _check_basis(basis: Basis, channels: int) -> None:
    if basis.channels != channels:
        raise StudioError(
            f"The kept components are of {basis.channels} channels at {basis.node} of {basis.network}; "
            f"here, that node has {channels}.",
            "Open the network that they were computed with, or compute new ones.",
        )


@handles(ScoreMaps)
def score_maps(
    workspace: Workspace, request: ScoreMaps, should_stop: ShouldStop
) -> Generator[Progress, None, ScoreMapsResult]:
    """Compute the scores of one picture after another."""
    node = spatial_node(workspace, request.basis.node)
    is_pointless = workspace.until_another_model(should_stop)
    scores: list[PlacedMaps] = []
    skipped: list[str] = []
    for done, image in enumerate(request.images, start=1):
        if is_pointless():
            raise Stopped
        new: tuple[PlacedMaps, ...] = ()
        try:
            output = vectors_of(workspace, image, node, is_pointless)
            new = (_scores(workspace, image, request.basis, output),)
        except StudioError:
            skipped.append(image)
        scores.extend(new)
        yield Progress(
            id=request.id,
            done=done,
            total=len(request.images),
            text=f"Components: {done} of {len(request.images)} pictures",
            partial=ScoreMapsResult(scores=new, field=node.field, skipped=tuple(skipped)),
        )
    return ScoreMapsResult(scores=tuple(scores), field=node.field, skipped=tuple(skipped))


# --------------------------------------------------------------------------------------------- likeness


@handles(PositionVectors)
def position_vectors(
    workspace: Workspace, request: PositionVectors, should_stop: ShouldStop
) -> Generator[Progress, None, PositionVectorsResult]:
    """Send the vectors of one picture after another, as long as there is room."""
    node = spatial_node(workspace, request.node)
    is_pointless = workspace.until_another_model(should_stop)
    left_out: list[str] = []
    skipped: list[str] = []
    size = 0
    for done, image in enumerate(request.images, start=1):
        if is_pointless():
            raise Stopped
        new: tuple[PlacedMaps, ...] = ()
        try:
            maps = to_array(vectors_of(workspace, image, node, is_pointless))
        except StudioError:
            if done == 1:  # The picture that is shown.
                raise
            skipped.append(image)
        else:
            size += maps.nbytes
            if done > 1 and size > request.most_bytes:
                left_out.extend(request.images[done - 1 :])
                break
            new = (PlacedMaps(image=image, maps=maps, geometry=workspace.geometry(image)),)
        yield Progress(
            id=request.id,
            done=done,
            total=len(request.images),
            text=f"Vectors: {done} of {len(request.images)} pictures",
            partial=PositionVectorsResult(node=node.name, vectors=new, field=node.field),
        )
    return PositionVectorsResult(
        node=node.name,
        vectors=(),
        field=node.field,
        left_out=tuple(left_out),
        skipped=tuple(skipped),
    )


@handles(MostAlike)
def most_alike(
    workspace: Workspace, request: MostAlike, should_stop: ShouldStop
) -> Generator[Progress, None, MostAlikeResult]:
    """Compare a position with those of one picture after another, keeping the most alike so far."""
    node = spatial_node(workspace, request.node)
    if request.count < 1:
        raise StudioError(f"{request.count} patches cannot be found.", "Ask for at least one.")
    is_pointless = workspace.until_another_model(should_stop)
    own = to_array((yield from shown_vectors(workspace, request.id, request.image, node, is_pointless)))
    height, width = own.shape[1:]
    if not (0 <= request.y < height and 0 <= request.x < width):
        raise StudioError(
            f"{node.name} has no position in row {request.y}, column {request.x} on this picture.",
            f"It has {height} rows and {width} columns, counted from 0.",
        )
    centre = centre_of(own)
    one = directions(own, request.measure, centre)[:, request.y * width + request.x]
    maps: list[PlacedMaps] = []
    patches: list[Patch] = []
    skipped: list[str] = []
    total = len(request.images)

    def result(seen: int) -> MostAlikeResult:
        return MostAlikeResult(
            image=request.image,
            node=node.name,
            y=request.y,
            x=request.x,
            measure=request.measure,
            likeness=tuple(maps),
            field=node.field,
            patches=tuple(patches),
            seen=seen,
            total=total,
            skipped=tuple(skipped),
        )

    for seen, image in enumerate(request.images, start=1):
        if is_pointless():
            raise Stopped
        try:
            other = (
                own if image == request.image else to_array(vectors_of(workspace, image, node, is_pointless))
            )
            found = likeness(directions(other, request.measure, centre), one).reshape(other.shape[1:])
            maps.append(PlacedMaps(image=image, maps=found[None], geometry=workspace.geometry(image)))
            if image != request.image:
                patches = _best(workspace, image, node, found, patches, request.count)
        except StudioError:
            skipped.append(image)
        if seen < total:
            text = f"Likeness: {seen} of {total} pictures"
            yield Progress(id=request.id, done=seen, total=total, text=text, partial=result(seen))
    return result(total)


def _best(
    workspace: Workspace,
    image: str,
    node: NodeInfo,
    values: NDArray[np.float32],
    patches: list[Patch],
    count: int,
) -> list[Patch]:
    """Return the patches with the highest values so far, including those of one more picture."""
    least = patches[-1].value if len(patches) == count else -np.inf
    found = [
        cut_around(workspace, image, node.field, y, x, value)
        for y, x, value in spread_positions(values, count)
        if value > least
    ]
    return sorted([*patches, *found], key=lambda patch: -patch.value)[:count]


# ------------------------------------------------------------------------------------------------ norms


@handles(MeasureNorms)
def measure_norms(
    workspace: Workspace, request: MeasureNorms, should_stop: ShouldStop
) -> Generator[Progress, None, NormsResult]:
    """Measure the lengths of a picture's vectors."""
    node = spatial_node(workspace, request.node)
    key = workspace.key("norms", request.image, node.name)
    kept = workspace.results.get(key)
    if kept is not None:
        return cast("NormsResult", kept)
    output = yield from shown_vectors(workspace, request.id, request.image, node, should_stop)
    found = norms_of(output)
    result = NormsResult(
        image=request.image,
        node=node.name,
        norms=found.norms,
        median=found.median,
        deviation=found.deviation,
        outliers=tuple(
            Outlier(
                y=each.y,
                x=each.x,
                norm=each.norm,
                channels=each.channels,
                values=each.values,
                shares=each.shares,
            )
            for each in found.outliers
        ),
        field=node.field,
        geometry=workspace.geometry(request.image),
    )
    workspace.results.put(key, result)
    return result
