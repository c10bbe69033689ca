"""What an `Explorer` computes for an open picture."""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import cast

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from convnext_studio.common.attribution_methods import MethodName, Output, Value
from convnext_studio.common.errors import StudioError
from convnext_studio.common.likeness import Measure
from convnext_studio.common.value_terms import ValuePlace, ValueSum
from convnext_studio.engine.server.dispatch import Answers
from convnext_studio.explorer.checked_requests import not_negative
from convnext_studio.explorer.framed_picture import FramedPicture, keys_of
from convnext_studio.explorer.results import AttributionMap, Maps, Predictions, UnitView
from convnext_studio.explorer.similarity_results import ComponentMaps, LikenessMap, NormMap, PartMap
from convnext_studio.export import MapContents
from convnext_studio.model.labels import class_given
from convnext_studio.protocol.attributions import (
    AVERAGE,
    RANDOM_ORDERS,
    Agreement,
    CheckSanity,
    CompareMethods,
    Explain,
    Explanation,
    Faithfulness,
    MeasureFaithfulness,
    RemovalFill,
    Sanity,
)
from convnext_studio.protocol.maps import FeatureMaps, FeatureMapsResult
from convnext_studio.protocol.predictions import Predict, Prediction
from convnext_studio.protocol.receptive_fields import UnitField, UnitFieldResult
from convnext_studio.protocol.similarity import (
    COMPONENTS,
    Basis,
    Components,
    ComponentsResult,
    FindParts,
    Marked,
    MeasureNorms,
    MostAlike,
    MostAlikeResult,
    NormsResult,
    PartMethod,
    Parts,
    Vectors,
)
from convnext_studio.protocol.value_sums import ExplainedValue, ExplainMapValue, ExplainValue, MapValue

Class = str | int
"""A class, by its name or its index."""


class Picture(FramedPicture):
    """An open picture and the results of the network for it; returned by `Explorer.open`."""

    @property
    def predictions(self) -> Predictions:
        """Return the logits and probabilities of all classes."""
        return Predictions(self._model, self._prediction())

    def maps(self, node: str, *, budget_bytes: int = 0) -> Maps:
        """Return all channels of a node; a StudioError if there is no such node.

        Parameters
        ----------
        budget_bytes
            The most memory that the maps may take: where they would take more, they are averaged over boxes, as
            in the window. 0 for no limit.
        """
        asked = FeatureMaps(image=self.key, node=node, budget_bytes=budget_bytes)
        result = cast(FeatureMapsResult, self._dispatcher.run(asked))
        return Maps(self._contents(), result)

    def attribution(
        self,
        method: MethodName = "gradcam",
        node: str | Sequence[str] = (),
        *,
        target: Class | None = None,
        against: Class | None = None,
        output: Output = "logit",
        **parameters: Value,
    ) -> AttributionMap:
        """Explain a prediction by an attribution map.

        Parameters
        ----------
        method
            Name of one of `convnext_studio.common.attribution_methods.METHODS`.
        node
            For class activation maps: a stage or a block, by default the last stage; several are averaged.
        target
            The class; the top prediction if None.
        against
            Another class: explain why `target` and not this one, by the difference of the two logits.
        output
            ``logit`` or ``probability``.
        **parameters
            Parameters of the method, such as ``steps=64``.

        Raises
        ------
        StudioError
            If there is no such method, node, class or parameter.
        """
        options = {"target": target, "against": against, "output": output, **parameters}
        asked = self._question(method, node, options)
        explanation = cast(Explanation, self._dispatcher.run(asked))
        name = AVERAGE if AVERAGE in explanation.maps else next(iter(explanation.maps))
        sum_at = partial(_map_sum, self._dispatcher, asked)
        return AttributionMap(self._contents(explanation.target), explanation, name, sum_at)

    def faithfulness(
        self,
        method: MethodName = "gradcam",
        node: str | Sequence[str] = (),
        *,
        fill: RemovalFill = "blur",
        steps: int = 32,
        orders: int = RANDOM_ORDERS,
        order_seed: int = 0,
        **options: Value | None,
    ) -> Faithfulness:
        """Measure insertion and deletion by an attribution map, and by random orders for comparison.

        Parameters
        ----------
        method, node
            What is measured, as in `attribution`.
        fill, steps, orders, order_seed
            What replaces removed pixels, the number of steps, and the number and the first seed of the orders.
        **options
            All that `attribution` takes by name.
        """
        question = self._question(method, node, options)
        not_negative(order_seed=order_seed)
        asked = MeasureFaithfulness(question=question, fill=fill, steps=steps, orders=orders, seed=order_seed)
        return cast(Faithfulness, self._dispatcher.run(asked))

    def sanity(
        self,
        method: MethodName = "gradcam",
        node: str | Sequence[str] = (),
        *,
        randomisation_seed: int = 0,
        **options: Value | None,
    ) -> Sanity:
        """Randomise the weights from the head down, and watch a map; the options are those of `attribution`."""
        question = self._question(method, node, options)
        not_negative(randomisation_seed=randomisation_seed)
        return cast(Sanity, self._dispatcher.run(CheckSanity(question=question, seed=randomisation_seed)))

    def agreement(self, methods: Sequence[MethodName], node: str = "", **options: Value | None) -> Agreement:
        """Measure how much methods agree, by the rank correlations of their maps on the grid of a node.

        Parameters
        ----------
        methods
            The names of the methods, which have their usual parameters.
        **options
            ``target``, ``against`` and ``output``, as in `attribution`.
        """
        question = self._question("gradcam", node, options)
        if question.parameters:
            raise StudioError(f"There is no option {question.parameters[0][0]!r} of an agreement.")
        asked = CompareMethods(
            image=self.key,
            methods=tuple(methods),
            node=node,
            target=question.target,
            against=question.against,
            output=question.output,
        )
        return cast(Agreement, self._dispatcher.run(asked))

    def _question(
        self, method: MethodName, node: str | Sequence[str], options: Mapping[str, Value | None]
    ) -> Explain:
        """Return the question for a map; `options` are what `attribution` takes by name."""
        named = node if isinstance(node, Iterable) and not isinstance(node, str) else (node,)
        nodes = tuple(named) or (self._model.config.stages[-1],)
        parameters = dict(options)
        target, against = (self._class(parameters.pop(name, None)) for name in ("target", "against"))
        output = cast(Output, parameters.pop("output", "logit"))
        return Explain(
            image=self.key,
            method=method,
            nodes=nodes,
            average=len(nodes) > 1,
            target=target,
            against=against,
            output=output if against is None else "difference",
            parameters=tuple((name, value) for name, value in parameters.items() if value is not None),
        )

    def unit(self, node: str, channel: int, y: int, x: int) -> UnitView:
        """Return the theoretical and the effective field of a unit; a StudioError if there is no such unit."""
        asked = UnitField(image=self.key, node=node, channel=channel, y=y, x=x)
        return UnitView(self._contents(), cast(UnitFieldResult, self._dispatcher.run(asked)))

    def value_sum(self, node: str, channel: int, y: int = 0, x: int = 0) -> ValueSum:
        """Return how one value was made: the operation, its terms, and the places that they come from.

        Parameters
        ----------
        node
            A node, or ``input``, ``head.pool``, ``logits`` or ``probabilities``; the channels of the last two
            are the classes.

        Raises
        ------
        StudioError
            If there is no such value, or the network is not a ConvNeXt.
        """
        asked = ExplainValue(image=self.key, place=ValuePlace(node, channel, y, x))
        return cast(ExplainedValue, self._dispatcher.run(asked)).made

    def components(
        self,
        node: str = "",
        *,
        basis: "Basis | Sequence[Picture] | Sequence[Marked] | NDArray[np.bool_] | None" = None,
        count: int = COMPONENTS,
    ) -> ComponentMaps:
        """Compute the principal components of a node's positions, and this picture's scores.

        Parameters
        ----------
        node
            Any node with positions; the last stage by default.
        basis
            What the components are computed from: this picture by default; several pictures; a mask (H, W) of
            this picture's size, in which the foreground is true, or such a mask of each of several pictures
            (`Marked`); or the `basis` of an earlier result.
        count
            The number of components.

        Raises
        ------
        StudioError
            If there is no such node, it has no positions, or the basis is of another node.
        """
        node = node or self._model.config.stages[-1]
        asked = Components(image=self.key, node=node, count=count)
        if isinstance(basis, Basis):
            asked = replace(asked, node=basis.node, kept=basis, count=len(basis.shares))
        elif isinstance(basis, np.ndarray):
            asked = replace(asked, marked=(Marked.of(self.key, basis.astype(np.bool_)),))
        elif basis is not None:
            every = tuple(basis) if isinstance(basis, Iterable) else (basis,)
            marked = tuple(each for each in every if isinstance(each, Marked))
            over = keys_of(each for each in every if not isinstance(each, Marked))
            asked = replace(asked, marked=marked, over=over)
        result = cast(ComponentsResult, self._dispatcher.run(asked))
        return ComponentMaps(self._model, self.info, result)

    def similarity(
        self,
        y: int,
        x: int,
        node: str = "",
        *,
        others: "Sequence[Picture]" = (),
        measure: Measure = "cosine",
        count: int = 12,
    ) -> LikenessMap:
        """Compare the vector at one position with those at all positions of this picture and of others.

        Parameters
        ----------
        y, x
            Row and column of the position in the map of the node.
        node
            Any node with positions; the last stage by default.
        others
            Other pictures to search for alike positions.
        measure
            ``cosine``, ``centred`` (the cosine after this picture's mean vector was subtracted) or ``dot``.
        count
            The number of patches of the other pictures to return.

        Raises
        ------
        StudioError
            If there is no such node or position.
        """
        images = tuple(dict.fromkeys((self.key, *keys_of(others))))
        asked = MostAlike(
            image=self.key,
            node=node or self._model.config.stages[-1],
            y=y,
            x=x,
            images=images,
            measure=measure,
            count=count,
        )
        return LikenessMap(self._model, self.info, cast(MostAlikeResult, self._dispatcher.run(asked)))

    def parts(
        self,
        node: str = "",
        *,
        others: "Sequence[Picture]" = (),
        count: int = 6,
        method: PartMethod = "kmeans",
        vectors: Vectors = "direction",
        target: Class | None = None,
        seed: int = 0,
    ) -> PartMap:
        """Divide the positions of this picture and of others into parts that they have in common.

        Parameters
        ----------
        node
            Any node with positions; the last stage by default.
        others
            Other pictures.
        count
            The number of parts, from 2 to 12.
        method
            ``kmeans``, or ``nmf``: non-negative matrix factorisation of the positive values.
        vectors
            What k-means compares: the ``direction`` of each vector from the mean, or its ``value``.
        target
            The class whose Grad-CAM is shared out among the parts; each picture's top prediction if None.

        Raises
        ------
        StudioError
            If there is no such node, or the number of parts is not possible.
        """
        asked = FindParts(
            images=tuple(dict.fromkeys((self.key, *keys_of(others)))),
            node=node or self._model.config.stages[-1],
            method=method,
            count=count,
            vectors=vectors,
            seed=seed,
            target=self._class(target),
        )
        return PartMap(self._model, self.info, cast(Parts, self._dispatcher.run(asked)))

    def norms(self, node: str = "") -> NormMap:
        """Measure the length of the vector at each position of a node, by default the last stage."""
        asked = MeasureNorms(image=self.key, node=node or self._model.config.stages[-1])
        return NormMap(self._model, self.info, cast(NormsResult, self._dispatcher.run(asked)))

    def _class(self, given: Value | None) -> int | None:
        return None if given is None else class_given(given, self._model.labels)

    def _prediction(self, target: int | None = None) -> Prediction:
        return cast(Prediction, self._dispatcher.run(Predict(image=self.key, target=target)))

    def _contents(self, target: int | None = None) -> MapContents:
        return MapContents(model=self._model, image=self.info, prediction=self._prediction(target))


def _map_sum(dispatcher: Answers, question: Explain, node: str, y: int, x: int) -> ValueSum:
    """Return which channels a value of an attribution map adds up."""
    asked = ExplainMapValue(image=question.image, value=MapValue(question=question, node=node, y=y, x=x))
    return cast(ExplainedValue, dispatcher.run(asked)).made
