"""Requests and answers for attribution maps, one or many, and for tests of whether they can be trusted."""

from math import isfinite, nan
from typing import Annotated, ClassVar, Literal

import numpy as np
from msgspec import Meta, Struct
from numpy.typing import NDArray

from convnext_studio.common.attribution_methods import MethodName, Output, Value
from convnext_studio.common.geometry import CropGeometry, FieldGeometry
from convnext_studio.common.verdicts import Verdict
from convnext_studio.protocol.envelope import Answer, Request

Map = NDArray[np.float32]
Curve = NDArray[np.float64]
RemovalFill = Literal["blur", "mean"]
CurveName = Literal["insertion", "deletion"]
Seed = Annotated[int, Meta(ge=0)]

INPUT = "input"
"""The name of a map over the input's pixels."""

AVERAGE = "average"
"""The name of the map that averages several nodes."""


class Explain(Request, frozen=True, kw_only=True):
    """Explain an output with any method; answered by `Explanation`, after partial ones if it takes long.

    Attributes
    ----------
    image
        The key of an opened picture.
    method
        One of `METHODS`.
    nodes
        The nodes to explain, for a method of kind ``cam``: one map for each; all stages if empty. Other methods
        ignore it.
    average
        Whether to return one map, `AVERAGE`, instead of one for each node: each map is divided by its largest
        absolute value and resampled linearly to the finest grid, then they are averaged.
    target
        The class to explain; the top prediction if None.
    output
        What to explain of that class: its ``logit``, its ``probability``, or the ``difference`` between its
        logit and that of `against`.
    against
        The other class of a difference; required for a difference, ignored otherwise.
    parameters
        The names and values of the method's parameters; those left out have their defaults.
    """

    doing: ClassVar[str] = "Computing the attribution"
    timed_as: ClassVar[str] = "attribution"
    priority: ClassVar[int] = 4
    image: str
    method: MethodName = "gradcam"
    nodes: tuple[str, ...] = ()
    average: bool = False
    target: int | None = None
    output: Output = "logit"
    against: int | None = None
    parameters: tuple[tuple[str, Value], ...] = ()


class Explanation(Answer, frozen=True, kw_only=True):
    """The maps of one method, complete or so far.

    Attributes
    ----------
    nodes
        The nodes that the method was applied to; empty for a method on the input.
    maps
        (h, w) float32, signed if the method is, before any ReLU, by node name; by `INPUT` for a map over the
        input's pixels, by `AVERAGE` for an average. For a difference: the target's map minus the other's.
    target_maps, against_maps
        The two maps that were subtracted, for a difference; empty otherwise.
    fields
        The geometry, by the same names, that places each map on the network's input (`FieldGeometry.map_box`).
    target, against, output
        What was explained.
    score
        The value of what was explained: the logit, the probability, or the difference of the logits.
    parameters
        All of the method's parameters, including defaults.
    delta
        Integrated gradients only: the sum of the map minus the change of the output from baseline to picture;
        the one with the largest magnitude if several baselines were averaged.
    notes
        What users should know about these maps, one sentence each.
    seconds
        The computing time.
    """

    image: str
    method: MethodName
    nodes: tuple[str, ...]
    maps: dict[str, Map]
    target_maps: dict[str, Map]
    against_maps: dict[str, Map]
    fields: dict[str, FieldGeometry]
    target: int
    against: int | None
    output: Output
    score: float
    parameters: dict[str, Value]
    delta: float | None
    notes: tuple[str, ...]
    geometry: CropGeometry
    random_weights: bool
    seconds: float


class ExplainSeveral(Request, frozen=True, kw_only=True):
    """Explain several pictures in the same way; answered by `Explanations`.

    The partial answers, sent after each picture, hold only what is new since the previous one.

    Attributes
    ----------
    images
        Keys of opened pictures.
    question
        What to ask about each picture. Its `image` is ignored; if its `target` is None, each picture's own top
        prediction is explained.
    """

    doing: ClassVar[str] = "Explaining all pictures"
    priority: ClassVar[int] = 6
    images: tuple[str, ...]
    question: Explain


class Explanations(Answer, frozen=True, kw_only=True):
    """The explanations of several pictures, in the order of the request.

    Attributes
    ----------
    explanations
        One for each picture that could be explained.
    failures
        The key of every other picture, and the reason in plain words.
    """

    explanations: tuple[Explanation, ...]
    failures: tuple[tuple[str, str], ...] = ()


RANDOM_ORDERS = 20
"""A map without meaning does better than all of them in 1 of 21 cases, which is the usual limit of 5 %."""


class MeasureFaithfulness(Request, frozen=True, kw_only=True):
    """Measure whether a map finds what the network uses; answered by `Faithfulness`, after partial ones.

    Attributes
    ----------
    question
        The request that the map answers.
    map_name
        Which of its maps to measure: a node, `INPUT` or `AVERAGE`; the last one if empty.
    fill
        What replaces removed pixels: the blurred picture, or the data set's mean colour.
    steps
        The number of equal steps from no pixels to all of them.
    orders, seed
        The number of random orders to compare with, and the seed of the first; each has the next seed.
    """

    doing: ClassVar[str] = "Measuring insertion and deletion"
    priority: ClassVar[int] = 6
    question: Explain
    map_name: str = ""
    fill: RemovalFill = "blur"
    steps: int = 32
    orders: int = RANDOM_ORDERS
    seed: Seed = 0


class Curves(Struct, frozen=True, kw_only=True):
    """The insertion and deletion curves in the order of one map (Petsiuk et al. 2018, arXiv:1806.07421).

    Attributes
    ----------
    insertion, deletion
        (n,) float64, the probability of the target after each share; NaN where not measured yet.
    insertion_area, deletion_area
        The areas under the curves, by the trapezoidal rule over shares from 0 to 1; NaN until the curves are
        complete. A map that finds what the network uses has a large insertion area and a small deletion area.
    kept, removed
        The probability of the target when only the top share is kept, and when it is removed.
    """

    insertion: Curve
    deletion: Curve
    insertion_area: float
    deletion_area: float
    kept: float
    removed: float

    def area(self, curve: CurveName) -> float:
        """Return the area under a curve."""
        return self.insertion_area if curve == "insertion" else self.deletion_area


class Faithfulness(Answer, frozen=True, kw_only=True):
    """Insertion and deletion by a map, and by orders that know nothing, for comparison; complete or so far.

    Attributes
    ----------
    orders
        The number of random orders that are measured in all.
    shares
        (n,) float64, the share of the pixels inserted or deleted, from 0 to 1: the curves' abscissa.
    of_map, of_centre
        The curves of the map, and of taking the pixels from the centre outwards.
    of_random
        The curves of random orders of the map's units, as far as they are measured.
    probability
        The probability of the target on the whole picture.
    top_share
        The share that `Curves.kept` and `Curves.removed` keep and remove.
    """

    image: str
    method: MethodName
    map_name: str
    target: int
    fill: RemovalFill
    steps: int
    seed: int
    shares: Curve
    orders: int
    of_map: Curves
    of_centre: Curves
    of_random: tuple[Curves, ...]
    probability: float
    top_share: float
    random_weights: bool
    seconds: float

    @property
    def is_complete(self) -> bool:
        """Whether the map and all orders that it is compared with are measured."""
        measured = (self.of_map, self.of_centre, *self.of_random)
        return len(self.of_random) == self.orders and all(isfinite(each.deletion_area) for each in measured)

    def verdict(self, curve: CurveName) -> Verdict:
        """Return the rank of the map's area among those of the random orders."""
        ours, *others = (each.area(curve) for each in (self.of_map, *self.of_random))
        return Verdict.of_value(ours, others, larger_is_better=curve == "insertion")

    def beats_centre(self, curve: CurveName) -> bool:
        """Return whether the map's area is better than that of the order from the centre outwards."""
        ours, theirs = self.of_map.area(curve), self.of_centre.area(curve)
        return ours > theirs if curve == "insertion" else ours < theirs

    def _verdict_so_far(self, curve: CurveName) -> str:
        """Return how the map ranks among the orders that are measured; empty before there is one."""
        ours, *others = (each.area(curve) for each in (self.of_map, *self.of_random))
        known = [each for each in others if isfinite(each)]
        if not isfinite(ours) or not known:
            return ""
        rank = Verdict.of_value(ours, known, larger_is_better=curve == "insertion")
        said = f"so far better than {rank.beaten} of {rank.of} random orders"
        return f"{curve.capitalize()}: {said}; {self.orders} are measured in all."

    def verdict_text(self, curve: CurveName) -> str:
        """Return what the area of a curve says about the map, or so far; empty before anything is known."""
        if not self.is_complete:
            return self._verdict_so_far(curve)
        than = "better" if self.beats_centre(curve) else "not better"
        return (
            f"{curve.capitalize()}: {self.verdict(curve).words('random orders')}; "
            f"{than} than the order from the centre outwards."
        )


class CheckSanity(Request, frozen=True, kw_only=True):
    """Randomise the weights from the head down and watch the map; answered by `Sanity`, after partial ones.

    This is the cascading test of Adebayo et al., "Sanity Checks for Saliency Maps", NeurIPS 2018,
    arXiv:1810.03292. A map that does not change does not show what the network has learnt.

    Attributes
    ----------
    question, map_name
        As in `MeasureFaithfulness`.
    seed
        The seed of the randomisation.
    """

    doing: ClassVar[str] = "Randomising the weights"
    priority: ClassVar[int] = 6
    question: Explain
    map_name: str = ""
    seed: Seed = 0


class SanityStep(Struct, frozen=True, kw_only=True):
    """The map after one more part of the network was randomised.

    Attributes
    ----------
    part
        The part that was randomised last: ``head``, ``stage4`` .. ``stage1`` (with its downsampling) or
        ``stem``; empty for the unchanged network.
    map
        (h, w) float32.
    correlation, correlation_of_sizes
        Spearman's rank correlation with the map of the unchanged network: of the signed values, and of their
        absolute values. NaN if one of the maps is constant.
    """

    part: str
    map: Map
    correlation: float
    correlation_of_sizes: float


class Sanity(Answer, frozen=True, kw_only=True):
    """The cascade, complete or so far; the first step is the unchanged network, with correlation 1.

    Attributes
    ----------
    parts
        All parts in the order in which they are randomised, including those still to come.
    unrelated
        Rank correlations of the sizes of the original map with those of unrelated maps of the same smoothness:
        what a map reaches that has nothing to do with the original one.
    """

    image: str
    method: MethodName
    map_name: str
    target: int
    seed: int
    parts: tuple[str, ...]
    steps: tuple[SanityStep, ...]
    unrelated: tuple[float, ...]
    field: FieldGeometry
    geometry: CropGeometry
    random_weights: bool
    seconds: float

    @property
    def verdict_text(self) -> str:
        """Return what is left of the map once everything is randomised; empty until that is known."""
        last = self.steps[-1].correlation_of_sizes if len(self.steps) > len(self.parts) else nan
        if not isfinite(last) or not all(map(isfinite, self.unrelated)):
            return ""
        rank = Verdict.of_value(last, self.unrelated, larger_is_better=True)
        said = (
            f"With everything randomised, the rank correlation of the absolute values is {last:.2f}; "
            f"{rank.of} unrelated maps reach {min(self.unrelated):.2f} to {max(self.unrelated):.2f}."
        )
        if rank.is_better_than_chance:
            return f"{said} So a part of the map does not depend on what the network has learnt."
        return f"{said} So nothing is left of the map: it depends on what the network has learnt."


class CompareMethods(Request, frozen=True, kw_only=True):
    """Measure how much methods agree; answered by `Agreement`, with a partial one after each method.

    Attributes
    ----------
    methods
        At least two methods; each has its default parameters.
    node
        The node for class activation maps; the last stage if empty.
    target, output, against
        As in `Explain`.
    """

    doing: ClassVar[str] = "Comparing the methods"
    priority: ClassVar[int] = 6
    image: str
    methods: tuple[MethodName, ...]
    node: str = ""
    target: int | None = None
    output: Output = "logit"
    against: int | None = None


class Agreement(Answer, frozen=True, kw_only=True):
    """Rank correlations between methods.

    Attributes
    ----------
    methods
        The requested methods, in order.
    matrix
        (n, n) float64: Spearman's rank correlation of the signed maps on the node's grid, where maps over the
        input's pixels are averaged over each unit's square. NaN if it is not known yet or a map is constant.
    explanations
        Those of the methods done so far, in order.
    """

    image: str
    methods: tuple[MethodName, ...]
    node: str
    matrix: NDArray[np.float64]
    explanations: tuple[Explanation, ...]
    random_weights: bool
    seconds: float


RankBy = Literal["insertion", "deletion", "agreement"]


class ExplainEach(Request, frozen=True, kw_only=True):
    """Answer several questions, the cheapest first; answered by `ExplainedEach`.

    Questions about the same output that need only one forward and one backward pass take it together. The
    partial answers hold only what is new since the previous one.
    """

    doing: ClassVar[str] = "Computing a wall of maps"
    priority: ClassVar[int] = 6
    questions: tuple[Explain, ...]


class ExplainedEach(Answer, frozen=True, kw_only=True):
    """The answers to the questions, or those that are new.

    Attributes
    ----------
    explanations
        The index of each question that was answered, and the answer.
    unfinished
        Indices of questions whose map is only what a long method has found so far.
    failures
        The index of each question that has no answer, and the reason in plain words.
    """

    explanations: tuple[tuple[int, Explanation], ...] = ()
    unfinished: tuple[int, ...] = ()
    failures: tuple[tuple[int, str], ...] = ()


class RankMaps(Request, frozen=True, kw_only=True):
    """Measure several maps of one picture, so that they can be ranked; answered by `RankedMaps`.

    Attributes
    ----------
    questions
        The questions that the maps answer, each about one node.
    by
        The area under the insertion or the deletion curve of each map, or the mean rank correlation of each
        map with all others on the coarsest grid among them.
    fill, steps
        As in `MeasureFaithfulness`.
    """

    doing: ClassVar[str] = "Ranking the maps"
    priority: ClassVar[int] = 6
    questions: tuple[Explain, ...]
    by: RankBy
    fill: RemovalFill = "blur"
    steps: int = 16


class RankedMaps(Answer, frozen=True, kw_only=True):
    """What was measured of each map, complete or so far.

    Attributes
    ----------
    scores
        In the order of the questions; NaN where it is not known, or does not exist.
    """

    by: RankBy
    scores: tuple[float, ...]

    @property
    def order(self) -> tuple[int, ...]:
        """The indices of the questions, the best map first and those without a score last."""
        sign = 1.0 if self.by == "deletion" else -1.0
        known = [index for index, score in enumerate(self.scores) if isfinite(score)]
        unknown = [index for index, score in enumerate(self.scores) if not isfinite(score)]
        return (*sorted(known, key=lambda index: sign * self.scores[index]), *unknown)
