"""Evidence of two networks: the curves, maps, correlations and agreement of both, or how they differ."""

import math

import numpy as np
from numpy.typing import NDArray

from convnext_studio.comparison import MapPlace, curtain_of, difference_of
from convnext_studio.protocol.attributions import Agreement, CurveName, Faithfulness, Sanity, SanityStep
from convnext_studio.render import format_number
from convnext_studio.ui.plots.curve_data import Curve
from convnext_studio.ui.state.selection.two_answers import TwoAnswers

_CURVES: tuple[CurveName, ...] = ("insertion", "deletion")


def curves_of_two(first: Faithfulness, second: Faithfulness, choice: TwoAnswers) -> list[Curve]:
    """Return the curves of both networks' maps, those of the second dashed, or their differences."""
    if choice.shown == "difference":
        return [
            Curve(
                label=f"{name}, {choice.text()}",
                x=first.shares,
                y=getattr(first.of_map, name) - getattr(second.of_map, name),
                series=series,
            )
            for series, name in enumerate(_CURVES)
            if len(first.shares) == len(second.shares)
        ]
    return [
        Curve(
            label=f"{name}, {network}",
            x=measured.shares,
            y=getattr(measured.of_map, name),
            series=series,
            dashed=measured is second,
        )
        for network, measured in ((choice.first, first), (choice.second, second))
        for series, name in enumerate(_CURVES)
    ]


def verdicts_of_two(first: Faithfulness, second: Faithfulness, choice: TwoAnswers) -> tuple[str, ...]:
    """Compare the areas below the curves of both maps, and return the verdict on each."""
    areas = [
        f"{name} area {format_number(a)} in {choice.first}, {format_number(b)} in {choice.second}"
        for name, a, b in (
            ("Insertion", first.of_map.insertion_area, second.of_map.insertion_area),
            ("deletion", first.of_map.deletion_area, second.of_map.deletion_area),
        )
        if not (math.isnan(a) or math.isnan(b))
    ]
    said = [", ".join(areas)]
    for network, measured in ((choice.first, first), (choice.second, second)):
        ranks = ", ".join(filter(None, (_rank_text(measured, name) for name in _CURVES)))
        if ranks:
            said.append(f"{network}: {ranks}")
    return tuple(said)


def _rank_text(measured: Faithfulness, name: CurveName) -> str:
    """Say in short how a map ranks among the random orders; empty until all of them are measured."""
    if not measured.is_complete:
        return ""
    return f"{name} {measured.verdict(name).words('random orders').replace(', which is', ':')}"


def agreement_of_two(first: Agreement, second: Agreement, choice: TwoAnswers) -> NDArray[np.float64]:
    """Return the first matrix minus the second; or the first above the diagonal, and the second below it."""
    if choice.shown == "difference":
        return first.matrix - second.matrix
    return np.triu(first.matrix) + np.tril(second.matrix, -1)


def sanity_of_two(first: Sanity, second: Sanity, choice: TwoAnswers) -> Sanity:
    """Return the cascade of the first network with the maps minus those of the second, or with both in each.

    The correlations are those of the first.
    """
    steps = tuple(
        SanityStep(
            part=one.part,
            map=_map_of_two(one.map, first, other.map, second, choice),
            correlation=one.correlation,
            correlation_of_sizes=one.correlation_of_sizes,
        )
        for one, other in zip(first.steps, second.steps, strict=False)
    )
    return Sanity(
        image=first.image,
        method=first.method,
        map_name=first.map_name,
        target=first.target,
        seed=first.seed,
        parts=first.parts,
        steps=steps,
        unrelated=first.unrelated,
        field=first.field,
        geometry=first.geometry,
        random_weights=first.random_weights,
        seconds=first.seconds,
    )


def _map_of_two(
    one: NDArray[np.float32], first: Sanity, other: NDArray[np.float32], second: Sanity, choice: TwoAnswers
) -> NDArray[np.float32]:
    at_a, at_b = (MapPlace(each.field, each.geometry) for each in (first, second))
    if choice.shown == "difference":
        return np.asarray(difference_of(one, at_a, other, at_b), np.float32)
    return np.asarray(curtain_of(one, at_a, other, at_b, choice.curtain), np.float32)


def correlations_of_two(first: Sanity, second: Sanity, choice: TwoAnswers) -> list[Curve]:
    """Return the correlations of the absolute values in both networks, or how much they differ."""
    count = min(len(first.steps), len(second.steps))
    places = np.arange(count, dtype=np.float64)
    a, b = (np.array([step.correlation_of_sizes for step in each.steps[:count]]) for each in (first, second))
    if choice.shown == "difference":
        return [Curve(label=f"absolute values, {choice.text()}", x=places, y=a - b, dots=True)]
    return [
        Curve(label=f"absolute values, {choice.first}", x=places, y=a, dots=True),
        Curve(label=f"absolute values, {choice.second}", x=places, y=b, series=1, dots=True, dashed=True),
    ]
