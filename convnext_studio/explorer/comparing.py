"""Compare two networks, A and B, on the same pictures."""

from collections.abc import Sequence
from functools import cached_property
from typing import Generic, Protocol, TypeVar, cast

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from convnext_studio.common.attribution_methods import MethodName, Output, Value
from convnext_studio.common.errors import StudioError
from convnext_studio.common.geometry import FieldGeometry
from convnext_studio.comparison import (
    ClassMatch,
    Map,
    MapPlace,
    NodeMatch,
    curtain_of,
    difference_of,
    match_classes,
    match_node,
    shares_of,
)
from convnext_studio.engine.server.dispatch import Dispatcher
from convnext_studio.explorer.checked_requests import checked
from convnext_studio.explorer.explored_picture import Class, Picture
from convnext_studio.explorer.framed_picture import keys_of
from convnext_studio.explorer.results import AttributionMap, FieldAverage, Maps, Predictions, UnitView
from convnext_studio.explorer.tables import html_table
from convnext_studio.model.labels import class_given
from convnext_studio.protocol.comparison import (
    USUAL_BATCH,
    CompareNodes,
    CompareWeights,
    NodeSimilarity,
    WeightDistances,
)
from convnext_studio.protocol.counterparts import Pair, counterpart, sized_model
from convnext_studio.protocol.envelope import Payload
from convnext_studio.protocol.models import CloseModel, ModelInfo
from convnext_studio.protocol.receptive_fields import (
    USUAL_COUNT,
    FieldFraming,
    ReceptiveField,
    ReceptiveFieldResult,
    UnitField,
    UnitFieldResult,
)
from convnext_studio.protocol.receptive_fields import Protocol as FieldProtocol
from convnext_studio.render import format_percent

PIXELS = FieldGeometry()


class _HasValues(Protocol):
    @property
    def values(self) -> Map:
        """The numbers."""


Result = TypeVar("Result", bound=_HasValues)


class Compared(Struct, Generic[Result], frozen=True, eq=False):
    """The results of A and of B for one question.

    Attributes
    ----------
    a, b
        The results.
    difference
        A minus B, at the units of A; NaN where B has none.
    notes
        What is not the same in both, such as another node.
    places
        Where the units of both are in the picture; None if they are at the same places of the input.
    """

    a: Result
    b: Result
    difference: Map
    notes: tuple[str, ...] = ()
    places: tuple[MapPlace, MapPlace] | None = None

    def curtain(self, share: float = 0.5) -> Map:
        """Return A left of a line and B right of it, at the units of A, as the window shows them.

        Parameters
        ----------
        share
            Where the line is, as a share of the width of A's map from the left.
        """
        if self.places is None:
            width = self.a.values.shape[-1]
            return np.where(np.arange(width) < round(share * width), self.a.values, self.b.values)
        return curtain_of(self.a.values, self.places[0], self.b.values, self.places[1], share)

    def __repr__(self) -> str:
        notes = "".join(f"; {note}" for note in self.notes)
        return f"<Compared: A {self.a!r}, B {self.b!r}{notes}>"


class ComparedPredictions(Struct, frozen=True, eq=False, dict=True):
    """The predictions of A and B, with the classes matched by name.

    Attributes
    ----------
    a, b
        The predictions.
    classes
        Which class of A is which class of B.
    """

    a: Predictions
    b: Predictions
    classes: ClassMatch

    @cached_property
    def difference(self) -> NDArray[np.float64]:
        """The probability in A minus that in B, of each pair of `classes`."""
        pairs = np.array(self.classes.pairs, dtype=int).reshape(-1, 2)
        return np.asarray(self.a.probabilities[pairs[:, 0]] - self.b.probabilities[pairs[:, 1]])

    def rows(self, count: int = 5) -> list[tuple[str, float, float | None]]:
        """Return names and probabilities in A and in B of the classes that A finds most probable."""
        return [
            (self.a.model.labels[index], float(self.a.probabilities[index]), self._in_b(index))
            for index in self.a.result.top(count)
        ]

    def _in_b(self, index: int) -> float | None:
        matched = self.classes.b_of(index)
        return None if matched is None else float(self.b.probabilities[matched])

    def __repr__(self) -> str:
        told = ", ".join(f"{label} {format_percent(a)} and {_percent(b)}" for label, a, b in self.rows())
        return f"<ComparedPredictions, A and B: {told}>"

    def _repr_html_(self) -> str:
        rows = [(label, format_percent(a), _percent(b)) for label, a, b in self.rows()]
        return html_table("Predictions", ("class", "A", "B"), rows)


def _percent(share: float | None) -> str:
    return "not in B" if share is None else format_percent(share)


class Comparison:
    """Two networks on the same pictures; returned by `Explorer.compare`.

    Attributes
    ----------
    a, b
        The networks.
    """

    def __init__(self, engine: Dispatcher, a: ModelInfo, b: ModelInfo) -> None:
        self._engine = engine
        self._of_b = engine.for_b()
        self.a = a
        self.b = b

    @cached_property
    def classes(self) -> ClassMatch:
        """Which class of A is which class of B."""
        return match_classes(self.a.labels, self.b.labels)

    @property
    def nodes(self) -> tuple[NodeMatch, ...]:
        """For each node of A, the node of B that it is compared with."""
        return tuple(match_node(node, self.a.nodes, self.b.nodes) for node in self.a.nodes)

    def predictions(self, picture: Picture) -> ComparedPredictions:
        """Return the predictions of both networks."""
        return ComparedPredictions(picture.predictions, self.in_b(picture).predictions, self.classes)

    def in_b(self, picture: Picture) -> Picture:
        """Return a picture as B sees it, with everything that an `Explorer` of B could say of it."""
        return Picture(self._of_b, self.b, picture.info)

    def maps(self, picture: Picture, node: str, *, node_b: str = "", budget_bytes: int = 0) -> Compared[Maps]:
        """Return all channels of a node in both networks; a StudioError if A has no such node.

        Parameters
        ----------
        node_b
            The node of B to compare with; by default the one of the same name, or else the nearest.
        budget_bytes
            As in `Picture.maps`, for each of the two.
        """
        notes: list[str] = []
        a = picture.maps(node, budget_bytes=budget_bytes)
        b = self.in_b(picture).maps(self._node_of_b(node, node_b, notes), budget_bytes=budget_bytes)
        places = (
            MapPlace(each.result.field.of_boxes(each.result.reduction), each.result.geometry) for each in (a, b)
        )
        return _compared(a, b, tuple(notes), *places)

    def attribution(
        self,
        picture: Picture,
        method: MethodName = "gradcam",
        node: str | Sequence[str] = "",
        *,
        node_b: str | Sequence[str] = "",
        target: Class | None = None,
        against: Class | None = None,
        output: Output = "logit",
        **parameters: Value,
    ) -> Compared[AttributionMap]:
        """Explain one class by an attribution map in both networks.

        Parameters
        ----------
        node
            For class activation maps: a stage or a block of A, by default the last stage; several are averaged.
        node_b
            As many nodes of B to compare with; by default those of the same names, or else the nearest.
        target
            The class, which both networks must have; the top prediction of A if None.
        against
            Another class, which both must have: explain the difference of the two logits.
        method, output, **parameters
            As in `Picture.attribution`.

        Raises
        ------
        StudioError
            If there is no such method, node, class or parameter, or B has no such class.
        """
        nodes, chosen = ((each,) if isinstance(each, str) else tuple(each) for each in (node, node_b))
        nodes = nodes if any(nodes) else (self.a.config.stages[-1],)
        chosen = chosen if any(chosen) else ("",) * len(nodes)
        if len(chosen) != len(nodes):
            raise StudioError(
                f"{len(nodes)} nodes of A cannot be compared with {len(chosen)} of B.", "Name as many of B."
            )
        notes: list[str] = []
        matched = tuple(self._node_of_b(name, other, notes) for name, other in zip(nodes, chosen, strict=True))
        index = picture.predictions.result.top(1)[0] if target is None else class_given(target, self.a.labels)
        other = None if against is None else class_given(against, self.a.labels)
        pair = Pair(self.a, self.b)
        in_b = pair.class_of(index), pair.class_of(other)
        a = picture.attribution(method, nodes, target=index, against=other, output=output, **parameters)
        b = self.in_b(picture).attribution(
            method, matched, target=in_b[0], against=in_b[1], output=output, **parameters
        )
        places = (MapPlace(each.field, each.result.geometry) for each in (a, b))
        return _compared(a, b, tuple(notes), *places)

    def unit(
        self, picture: Picture, node: str, channel: int, y: int, x: int, *, node_b: str = ""
    ) -> Compared[UnitView]:
        """Return the field of a unit of A, and of the unit of B whose centre in the picture is nearest.

        Parameters
        ----------
        node_b
            The node of B; by default the one of the same name, or else the nearest.
        """
        in_b = self.in_b(picture)
        theirs = in_b.predictions.result
        crops = (picture.predictions.result.geometry, theirs.geometry)
        a = picture.unit(node, channel, y, x)
        asked = UnitField(image=picture.key, node=node, channel=channel, y=y, x=x)
        chosen = ((node, node_b),) if node_b else ()
        other = counterpart(asked, Pair(self.a, sized_model(self.b, theirs), crops, chosen))
        result = cast(UnitFieldResult, self._engine.run(other.request))
        b = UnitView(in_b._contents(), result)
        places = (MapPlace(PIXELS, each.result.geometry) for each in (a, b))
        return _compared(a, b, other.notes, *places)

    def receptive_field(
        self,
        node: str = "last",
        *,
        pictures: Sequence[Picture] = (),
        count: int = USUAL_COUNT,
        protocol: FieldProtocol = "centred",
        framing: FieldFraming = "squashed",
        input_px: int = 0,
        seed: int = 0,
    ) -> Compared[FieldAverage]:
        """Average the effective receptive field of the middle unit of both, on the same inputs of one size.

        The difference is that of the fields as shares of their sums, because the scales of two networks differ.

        Parameters
        ----------
        pictures
            The pictures to average over; noise if there are none, and for what they lack of `count`.
        input_px
            The side of the inputs; 0 for that of A.
        node, count, protocol, framing, seed
            As in `Explorer.receptive_field`.
        """
        asked = ReceptiveField(
            node=node,
            inputs="pictures" if pictures else "noise",
            images=keys_of(pictures),
            count=count,
            fills_up=True,
            protocol=protocol,
            framing=framing,
            input_px=input_px,
            seed=seed,
        )
        other = counterpart(asked, Pair(self.a, self.b))
        a, b = (FieldAverage(cast(ReceptiveFieldResult, self._run(each))) for each in (asked, other.request))
        return Compared(a, b, shares_of(a.values) - shares_of(b.values), other.notes)

    def cka(
        self,
        pictures: Sequence[Picture],
        nodes_a: Sequence[str] = (),
        nodes_b: Sequence[str] = (),
        batch: int = USUAL_BATCH,
    ) -> NodeSimilarity:
        """Return the CKA of nodes of A with nodes of B on at least four pictures.

        Parameters
        ----------
        nodes_a, nodes_b
            The nodes; by default the stem, all downsampling layers and all blocks.
        batch
            The number of pictures in a batch.
        """
        asked = CompareNodes(
            images=keys_of(pictures),
            nodes_a=tuple(nodes_a),
            nodes_b=tuple(nodes_b),
            batch=batch,
        )
        return cast(NodeSimilarity, self._run(asked))

    def weights(self) -> WeightDistances:
        """Return how far each tensor of A is from the one of the same name and shape in B."""
        return cast(WeightDistances, self._run(CompareWeights()))

    def close(self) -> None:
        """Close B, and free its memory."""
        self._run(CloseModel(network="B"))

    def __repr__(self) -> str:
        return f"<Comparison: A {self.a.title}, B {self.b.title}>"

    def _node_of_b(self, node: str, chosen: str, notes: list[str]) -> str:
        """Return the node of B to compare with one of A, which may have been chosen."""
        if node not in {info.name for info in self.a.nodes}:  # The engine says which nodes there are.
            return node
        return Pair(self.a, self.b, chosen=((node, chosen),) if chosen else ()).node(node, notes)

    def _run(self, request: CompareNodes | CompareWeights | CloseModel | ReceptiveField) -> Payload:
        return self._engine.run(checked(request))


def _compared(a: Result, b: Result, notes: tuple[str, ...], at_a: MapPlace, at_b: MapPlace) -> Compared[Result]:
    return Compared(a, b, difference_of(a.values, at_a, b.values, at_b), notes, (at_a, at_b))
