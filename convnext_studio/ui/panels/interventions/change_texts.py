"""What a change is called, for people."""

from collections.abc import Sequence

from convnext_studio.common.interventions import Change, Effect, Region
from convnext_studio.model.framing import picture_of
from convnext_studio.protocol.models import ModelInfo
from convnext_studio.protocol.pictures import ListedPicture

EFFECTS: dict[Effect, str] = {
    "off": "Off",
    "mean": "Mean",
    "picture mean": "Mean of the open pictures",
    "factor": "× a factor",
    "patch": "From another picture",
}
"""The texts of a choice of effects."""
EFFECT_TIPS: dict[Effect, str] = {
    "off": "Set the values to 0",
    "mean": "Set the values to the mean over the positions of their channel",
    "picture mean": "Set the values to the mean over the positions of their channel on all open pictures",
    "factor": "Multiply the values by a factor from -2 to 2",
    "patch": "Take the values from the same node on another picture",
}
_MOST_NAMED = 4


def channels_text(channels: Sequence[int]) -> str:
    """Return which channels, with runs joined: "channels 3, 7–9"."""
    runs: list[list[int]] = []
    for channel in sorted(set(channels)):
        if runs and channel == runs[-1][1] + 1:
            runs[-1][1] = channel
        else:
            runs.append([channel, channel])
    if len(runs) > _MOST_NAMED:
        return f"{len(set(channels))} channels"
    said = ", ".join(str(first) if first == last else f"{first}–{last}" for first, last in runs)
    return f"channel {said}" if len(channels) == 1 else f"channels {said}"


def region_text(region: Region) -> str:
    """Return which positions, such as "position (y 2, x 5)" or "rows 0–3, columns 4–7"."""
    if (region.bottom - region.top, region.right - region.left) == (1, 1):
        return f"position (y {region.top}, x {region.left})"
    rows, columns = f"rows {region.top}–{region.bottom - 1}", f"columns {region.left}–{region.right - 1}"
    return f"{rows}, {columns}"


def node_title(change: Change, model: ModelInfo | None) -> str:
    """Return what the node of a change is called."""
    known = model is not None and any(node.name == change.node for node in model.nodes)
    return model.node(change.node).title if model is not None and known else change.node


def part_text(change: Change, model: ModelInfo | None, *, names_node: bool = True) -> str:
    """Return which part of the network a change concerns, with its node or as a part of that."""
    parts = [node_title(change, model)] if names_node else []
    if change.branch:
        parts.append("branch")
    if change.channels:
        parts.append(channels_text(change.channels))
    if change.region is not None:
        parts.append(region_text(change.region))
    return " · ".join(parts)


def effect_text(change: Change, pictures: Sequence[ListedPicture]) -> str:
    """Return what a change does."""
    if change.effect == "factor":
        return f"× {change.factor:.2f}".replace("-", "−")
    if change.effect == "patch":
        names = {each.key: each.name for each in pictures}
        return f"from {names.get(picture_of(change.picture), 'a closed picture')}"
    return {"off": "off", "mean": "mean", "picture mean": "mean of the pictures"}[change.effect]
