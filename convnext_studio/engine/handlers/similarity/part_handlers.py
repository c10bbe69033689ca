"""The handler that divides the positions of pictures into parts, with results while it is at work."""

import math
import time
from collections.abc import Generator, Sequence
from typing import cast

import numpy as np
import torch
from msgspec import Struct, field
from msgspec.structs import replace
from numpy.typing import NDArray
from torch import Tensor

from convnext_studio.analysis.attribution.grids import average_map, interpolate_map
from convnext_studio.analysis.features import without_padding
from convnext_studio.analysis.similarity import PartModel, fit_kmeans, fit_nmf
from convnext_studio.analysis.similarity.parts import counted
from convnext_studio.analysis.similarity.vectors import finite_vectors
from convnext_studio.common.errors import StudioError
from convnext_studio.common.stopping import Stopped
from convnext_studio.engine.handlers.prediction_handlers import predict
from convnext_studio.engine.handlers.similarity.position_patches import cut_around
from convnext_studio.engine.handlers.similarity.position_vectors import spatial_node, vectors_of
from convnext_studio.engine.server.handler_registry import handles
from convnext_studio.engine.server.workspace import ShouldStop, Workspace
from convnext_studio.model.nodes import NodeInfo
from convnext_studio.protocol.channels import Patch
from convnext_studio.protocol.envelope import Progress
from convnext_studio.protocol.predictions import Predict
from convnext_studio.protocol.similarity import (
    FEWEST_PARTS,
    MOST_PARTS,
    FindParts,
    Parts,
    PicturePart,
    PictureParts,
)

PATCHES = 4
_MOST_VALUES = 1 << 25
"""So many values are fitted at most, of evenly spaced positions; all positions are labelled afterwards."""
_BETWEEN_S = 0.7
"""Parts so far are shown this often, at most."""


class _Seen(Struct):
    """What is known of one picture.

    `vectors` are those to fit, `labels` and `strengths` (h, w) belong to the latest fit.
    """

    image: str
    vectors: Tensor
    labels: NDArray[np.int32] = field(default_factory=lambda: np.empty((0, 0), np.int32))
    strengths: NDArray[np.float32] = field(default_factory=lambda: np.empty((0, 0), np.float32))


@handles(FindParts)
def find_parts(
    workspace: Workspace, request: FindParts, should_stop: ShouldStop
) -> Generator[Progress, None, Parts]:
    """Fit parts to the vectors of all pictures, and share out each picture's Grad-CAM among the parts."""
    node = spatial_node(workspace, request.node)
    _check(request)
    is_pointless = workspace.until_another_model(should_stop)
    key = workspace.key("parts", replace(request, id=0, panel="", target=None))
    found = cast("Parts | None", workspace.results.get(key))
    if found is None:
        found = yield from _fitted(workspace, request, node, is_pointless)
        workspace.results.put(key, found)
    return (yield from _with_shares(workspace, request, found, is_pointless))


def _check(request: FindParts) -> None:
    if not FEWEST_PARTS <= request.count <= MOST_PARTS:
        raise StudioError(
            f"{request.count} parts cannot be found.", f"Choose {FEWEST_PARTS} to {MOST_PARTS} parts."
        )
    if not request.images:
        raise StudioError("There is no picture to find parts in.", "Open one.")


def _fitted(
    workspace: Workspace, request: FindParts, node: NodeInfo, is_pointless: ShouldStop
) -> Generator[Progress, None, Parts]:
    """Fit parts to more and more pictures; each fit continues from the one before."""
    seen: list[_Seen] = []
    skipped: list[str] = []
    model: PartModel | None = None
    total, shown_at, next_count = len(request.images), time.monotonic(), 1
    for done, image in enumerate(request.images, start=1):
        if is_pointless():
            raise Stopped
        try:
            seen.append(_collected(workspace, request, image, node, is_pointless))
        except StudioError:
            if total == 1:
                raise
            skipped.append(image)
        partial = None
        is_time = time.monotonic() - shown_at > _BETWEEN_S or done == 1
        if seen and done < total and len(seen) >= next_count and is_time:
            model = _model(request, seen, model, is_pointless)
            _label_all(workspace, node, model, seen, is_pointless)
            partial = _so_far(workspace, request, node, model, seen, skipped)
            shown_at, next_count = time.monotonic(), 2 * len(seen)
        text = f"Parts: {done} of {total} pictures"
        yield Progress(id=request.id, done=done, total=total + 1, text=text, partial=partial)
    if not seen:
        raise StudioError("None of the pictures can be used.", "Open others.")
    model = _model(request, seen, model, is_pointless)
    _label_all(workspace, node, model, seen, is_pointless)
    by_size = np.argsort(-np.array(_areas(seen, len(model.centres))), kind="stable")
    model = model.reordered(torch.from_numpy(by_size))
    _label_all(workspace, node, model, seen, is_pointless)
    found = _so_far(workspace, request, node, model, seen, skipped, with_patches=True)
    return replace(found, was_at=tuple(map(int, by_size)))


def _collected(
    workspace: Workspace, request: FindParts, image: str, node: NodeInfo, should_stop: ShouldStop
) -> _Seen:
    """Return the vectors of a picture that are fitted: all, or evenly spaced ones if there are too many."""
    output = vectors_of(workspace, image, node, should_stop)
    vectors, _ = finite_vectors(output)
    room = max(request.count, _MOST_VALUES // (len(request.images) * output.shape[0]))
    step = -(-len(vectors) // room) if len(vectors) else 1
    return _Seen(image, vectors[::step])


def _model(
    request: FindParts, seen: Sequence[_Seen], before: PartModel | None, should_stop: ShouldStop
) -> PartModel:
    """Fit parts to all vectors so far, in the order of the parts before, or the largest first."""
    vectors = torch.cat([each.vectors for each in seen])
    if not len(vectors):
        raise StudioError("No value at this node is finite.", "Choose another node.")
    if request.method == "nmf":
        model = fit_nmf(vectors, request.count, before=before, should_stop=should_stop)
    else:
        model = fit_kmeans(
            vectors,
            request.count,
            is_unit=request.vectors == "direction",
            seed=request.seed,
            before=before,
            should_stop=should_stop,
        )
    return model.reordered(_order(model, before, vectors))


def _order(model: PartModel, before: PartModel | None, vectors: Tensor) -> Tensor:
    """Return an order of the parts in which each is most like that at the same place before."""
    count = len(model.centres)
    if before is None or len(before.centres) != count:
        labels, _ = model.assign(vectors)
        return counted(labels.clamp(min=0), count).argsort(descending=True, stable=True)
    # Imported here, because it takes a quarter of a second, and the engine is to start at once.
    from scipy.optimize import linear_sum_assignment

    apart = torch.cdist(before.centres, model.centres).cpu().numpy()
    return torch.from_numpy(linear_sum_assignment(apart)[1])


def _so_far(
    workspace: Workspace,
    request: FindParts,
    node: NodeInfo,
    model: PartModel,
    seen: Sequence[_Seen],
    skipped: Sequence[str],
    with_patches: bool = False,
) -> Parts:
    count = len(model.centres)
    areas = _areas(seen, count)
    pictures = [sum(bool((each.labels == part).any()) for each in seen) for part in range(count)]
    parts = [PicturePart(area=area, pictures=among) for area, among in zip(areas, pictures, strict=True)]
    if with_patches:
        parts = [
            replace(part, patches=_patches(workspace, node, index, seen)) for index, part in enumerate(parts)
        ]
    return Parts(
        node=node.name,
        method=request.method,
        vectors=request.vectors,
        parts=tuple(parts),
        pictures=tuple(
            PictureParts(image=each.image, labels=each.labels, geometry=workspace.geometry(each.image))
            for each in seen
        ),
        field=node.field,
        error=model.error,
        seen=len(seen) + len(skipped),
        total=len(request.images),
        has_shares=False,
        skipped=tuple(skipped),
    )


def _label_all(
    workspace: Workspace, node: NodeInfo, model: PartModel, seen: Sequence[_Seen], should_stop: ShouldStop
) -> None:
    """Give every position of all pictures its part."""
    for each in seen:
        output = vectors_of(workspace, each.image, node, should_stop)
        each.labels, each.strengths = _labelled(model, output)


def _areas(seen: Sequence[_Seen], count: int) -> list[float]:
    """Return which share of all positions each part has."""
    positions = max(1, sum(int(np.isfinite(each.strengths).sum()) for each in seen))
    return [sum(int((each.labels == part).sum()) for each in seen) / positions for part in range(count)]


def _labelled(model: PartModel, output: Tensor) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Return part and strength of every position (h, w); -1 and NaN where a value is not finite."""
    vectors, where = finite_vectors(output)
    found, strength = model.assign(vectors)
    shape = output.shape[1:]
    labels = np.full(shape, -1, np.int32)
    strengths = np.full(shape, np.nan, np.float32)
    places = where.cpu().numpy()
    labels.reshape(-1)[places] = found.cpu().numpy()
    strengths.reshape(-1)[places] = strength.cpu().numpy()
    return labels, strengths


def _patches(workspace: Workspace, node: NodeInfo, part: int, seen: Sequence[_Seen]) -> tuple[Patch, ...]:
    """Cut out where a part is clearest: one position of each picture, the best pictures first."""
    best = []
    for each in seen:
        strengths = np.where(each.labels == part, each.strengths, -np.inf)
        y, x = map(int, np.unravel_index(int(strengths.argmax()), strengths.shape))
        if np.isfinite(strengths[y, x]):
            best.append((float(strengths[y, x]), each.image, y, x))
    best.sort(key=lambda found: -found[0])
    return tuple(cut_around(workspace, image, node.field, y, x, value) for value, image, y, x in best[:PATCHES])


def _with_shares(
    workspace: Workspace, request: FindParts, found: Parts, is_pointless: ShouldStop
) -> Generator[Progress, None, Parts]:
    """Add the share of each picture's Grad-CAM that lies in each part, picture by picture."""
    pictures = list(found.pictures)
    total, shown_at = len(pictures), -math.inf
    for done, each in enumerate(found.pictures):
        text = f"Grad-CAM in the parts: {done} of {total} pictures"
        partial = None
        if time.monotonic() - shown_at > _BETWEEN_S:
            partial, shown_at = replace(found, pictures=tuple(pictures)), time.monotonic()
        yield Progress(id=request.id, done=done, total=total, text=text, partial=partial)
        if is_pointless():
            raise Stopped
        try:
            prediction = predict(workspace, Predict(image=each.image, target=request.target), is_pointless)
        except StudioError:
            continue
        last = workspace.model.config.stages[-1]
        node = workspace.model.node(found.node)
        cam = on_grid(prediction.cams[last], workspace.model.node(last), node, each)
        cam = without_padding(cam, node.field, each.geometry)
        shares = cam_shares(cam, each.labels, len(found.parts))
        pictures[done] = replace(each, cam_shares=shares, target=prediction.target)
    return replace(found, pictures=tuple(pictures), has_shares=True)


def on_grid(
    cam: NDArray[np.float32], its_node: NodeInfo, node: NodeInfo, parts: PictureParts
) -> NDArray[np.float32]:
    """Return a map of one node on the grid of another one's labels."""
    height, width = parts.labels.shape
    if its_node.field.stride_px < node.field.stride_px:
        return average_map(cam, its_node.field, (height, width), node.field)
    return interpolate_map(cam, its_node.field, (height, width), node.field)


def cam_shares(cam: NDArray[np.float32], labels: NDArray[np.int32], count: int) -> tuple[float, ...]:
    """Return the share of the positive part of a map that lies in each part; none if nothing is positive."""
    positive = np.where(np.isfinite(cam), np.maximum(cam, 0), 0).astype(np.float64)
    whole = float(positive.sum())
    if whole <= 0:
        return ()
    return tuple(float(positive[labels == part].sum()) / whole for part in range(count))
