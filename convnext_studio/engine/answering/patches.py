"""Where pictures move a channel most."""

import math
from collections.abc import Generator

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from convnext_studio.analysis.features import to_array
from convnext_studio.engine.answering.bench import Bench, ShouldStop
from convnext_studio.engine.answering.channels import check_channel
from convnext_studio.engine.answering.outputs import output_alone
from convnext_studio.engine.messages import Patch, Progress, StrongestPatches, StrongestPatchesResult
from convnext_studio.errors import StudioError
from convnext_studio.geometry import Box, FieldGeometry
from convnext_studio.stopping import Stopped

PATCH_PX = 192


def strongest_patches(
    bench: Bench, request: StrongestPatches, should_stop: ShouldStop
) -> Generator[Progress, None, StrongestPatchesResult]:
    """Look at one picture after the other, keeping the strongest units so far."""
    check_channel(bench, request.node, request.channel)
    if request.count < 1:
        raise StudioError(f"{request.count} patches cannot be found.", "Ask for at least one.")
    is_pointless, total = bench.until_another_model(should_stop), len(request.images)
    patches: list[Patch] = []
    skipped: list[str] = []
    result = _result(request, patches, 0, skipped)
    for seen, image in enumerate(request.images, start=1):
        if is_pointless():
            raise Stopped
        try:
            patches = _merged(bench, request, image, patches, should_stop)
        except StudioError:
            skipped.append(image)
        result = _result(request, patches, seen, skipped)
        if seen < total:
            text = f"Strongest patches: {seen} of {total} pictures"
            yield Progress(id=request.id, done=seen, total=total, text=text, partial=result)
    return result


def _result(
    request: StrongestPatches, patches: list[Patch], seen: int, skipped: list[str]
) -> StrongestPatchesResult:
    return StrongestPatchesResult(
        node=request.node,
        channel=request.channel,
        patches=tuple(patches),
        seen=seen,
        total=len(request.images),
        skipped=tuple(skipped),
    )


def _merged(
    bench: Bench, request: StrongestPatches, image: str, patches: list[Patch], should_stop: ShouldStop
) -> list[Patch]:
    """The strongest so far, with those of one more picture."""
    field = bench.model.node(request.node).field
    output = output_alone(bench, image, request.node, should_stop)
    units = strongest_units(to_array(output[request.channel]), field, request.count)
    weakest = patches[-1].value if len(patches) == request.count else -math.inf
    found = [_cut(bench, image, field, *unit) for unit in units if unit[2] > weakest]
    return sorted([*patches, *found], key=lambda patch: -patch.value)[: request.count]


def strongest_units(
    values: NDArray[np.float32], field: FieldGeometry, count: int
) -> list[tuple[int, int, float]]:
    """Rows, columns and values of the highest values of a map, no two of them in one neighbourhood.

    The centres of two units' fields are at least half a field apart along one axis at least; where the field is
    global, or the map is one value, there is one unit. Values that are not finite are left out.
    """
    left = np.where(np.isfinite(values), values, -np.inf)
    near = math.ceil(field.size_px / 2 / field.stride_px)
    found: list[tuple[int, int, float]] = []
    while len(found) < (1 if field.is_global else count):
        y, x = map(int, np.unravel_index(int(left.argmax()), left.shape))
        if left[y, x] == -np.inf:
            break
        found.append((y, x, float(left[y, x])))
        left[max(0, y - near + 1) : y + near, max(0, x - near + 1) : x + near] = -np.inf
    return found


def _cut(bench: Bench, image: str, field: FieldGeometry, y: int, x: int, value: float) -> Patch:
    """Cut what a unit could see out of the photograph."""
    picture, geometry = bench.picture(image), bench.geometry(image)
    width, height = geometry.input_size
    box, is_clipped = field.box_in_input(y, x, height, width)
    box = _within(geometry.box_to_picture(box), picture.size)
    cut = picture.to_pil().crop((round(box[0]), round(box[1]), round(box[0] + box[2]), round(box[1] + box[3])))
    cut.thumbnail((PATCH_PX, PATCH_PX), Image.Resampling.BOX, reducing_gap=None)
    return Patch(
        image=image,
        y=y,
        x=x,
        value=value,
        pixels=np.ascontiguousarray(cut),
        box=box,
        is_clipped=is_clipped,
        is_global=field.is_global,
    )


def _within(box: Box, size: tuple[int, int]) -> Box:
    """What of a box lies in a picture of that width and height: whole pixels, at least one."""
    edges = []
    for start, extent, limit in ((box[0], box[2], size[0]), (box[1], box[3], size[1])):
        first = min(max(math.floor(start), 0), limit - 1)
        edges.append((first, max(min(math.ceil(start + extent), limit), first + 1)))
    (left, right), (top, bottom) = edges
    return float(left), float(top), float(right - left), float(bottom - top)
