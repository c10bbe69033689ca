"""Attribution: what speaks for a class, and whether that can be believed."""

from typing import ClassVar, Literal

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from convnext_studio.common.attribution_methods import MethodName, Output, Value
from convnext_studio.common.geometry import CropGeometry, FieldGeometry
from convnext_studio.protocol.envelope import Answer, Request

Map = NDArray[np.float32]
Curve = NDArray[np.float64]
RemovalFill = Literal["blur", "mean"]

INPUT = "input"
"""Name of a map on the input's pixels."""

AVERAGE = "average"
"""Name of the map that averages several nodes."""


class Explain(Request, frozen=True, kw_only=True):
    """Explain an output by any method; answered by `Explanation`, with partial ones before where it is long.

    Attributes
    ----------
    image
        Key of an opened picture.
    method
        One of `METHODS`.
    nodes
        Where, for a method of kind ``cam``: one map each; all stages where empty. Without meaning for others.
    average
        Give one map, `AVERAGE`, instead of one for each node: each is divided by its largest absolute value,
        resampled linearly to the finest grid, and their mean taken.
    target
        Class; the first prediction where None.
    output
        Of that class: its ``logit``, its ``probability``, or the ``difference`` of its logit and `against`'s.
    against
        The other class of a difference; must be given for it, and is of no meaning otherwise.
    parameters
        Name and value of the method's parameters; defaults for those left out.
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
    """The maps of one method, whole or so far.

    Attributes
    ----------
    nodes
        Where the method was applied; empty for one on the input.
    maps
        (h, w) float32, signed where the method is, before any ReLU, by node name; by `INPUT` for a map on the
        input's pixels, by `AVERAGE` for an average. Of a difference: the target's map minus the other's.
    target_maps, against_maps
        Of a difference: the two maps that were subtracted. Empty otherwise.
    fields
        By the same names: places each map on the network's input (`FieldGeometry.map_box`).
    target, against, output
        What was explained.
    score
        Its value: the logit, the probability, the difference of the logits.
    parameters
        All that the method was told, defaults included.
    delta
        Integrated gradients only: the sum of the map minus the change of the output from baseline to picture,
        the largest in size where several baselines were averaged.
    notes
        What people should know of these maps, a sentence each.
    seconds
        Spent on it.
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
    """Ask one question of several pictures; answered by `Explanations`.

    The partial ones, after each picture, hold what is new since the one before, and not all over again.

    Attributes
    ----------
    images
        Keys of opened pictures.
    question
        Its `image` is of no meaning here; its `target` None explains each picture's own first prediction.
    """

    doing: ClassVar[str] = "Explaining all pictures"
    priority: ClassVar[int] = 6
    images: tuple[str, ...]
    question: Explain


class Explanations(Answer, frozen=True, kw_only=True):
    """What was found on several pictures, in the order asked for.

    Attributes
    ----------
    explanations
        Of the pictures that could be explained.
    failures
        Key of each other picture, and why not, in plain words.
    """

    explanations: tuple[Explanation, ...]
    failures: tuple[tuple[str, str], ...] = ()


class MeasureFaithfulness(Request, frozen=True, kw_only=True):
    """Measure whether a map finds what the network uses; answered by `Faithfulness`, with partial ones before.

    Attributes
    ----------
    question
        What made the map.
    map_name
        Which of its maps: a node, `INPUT` or `AVERAGE`; the last of them where empty.
    fill
        What removed pixels become: the picture blurred, or the data set's mean colour.
    steps
        Shares of the pixels between none and all.
    seed
        Of the random map.
    """

    doing: ClassVar[str] = "Measuring insertion and deletion"
    priority: ClassVar[int] = 6
    question: Explain
    map_name: str = ""
    fill: RemovalFill = "blur"
    steps: int = 32
    seed: int = 0


class Curves(Struct, frozen=True, kw_only=True):
    """What insertion and deletion in the order of one map give (Petsiuk et al. 2018, arXiv:1806.07421).

    Attributes
    ----------
    insertion, deletion
        (n,) float64, probability of the target after each share; NaN where not measured yet.
    insertion_area, deletion_area
        Under the curves, by the trapezoidal rule over shares from 0 to 1; NaN until they are whole. A map that
        finds what the network uses has a large insertion area and a small deletion area.
    kept, removed
        Probability of the target when the top share is all that is left, and when it is taken away.
    """

    insertion: Curve
    deletion: Curve
    insertion_area: float
    deletion_area: float
    kept: float
    removed: float


class Faithfulness(Answer, frozen=True, kw_only=True):
    """Insertion and deletion by a map, and by a random one for scale; whole or so far.

    Attributes
    ----------
    shares
        (n,) float64, of the pixels inserted or deleted, from 0 to 1: the curves' abscissa.
    of_map, of_random
        The curves of the map and of a random order of its units.
    probability
        Of the target on the whole picture.
    top_share
        What counts as the top in `Curves.kept` and `Curves.removed`.
    """

    image: str
    method: MethodName
    map_name: str
    target: int
    fill: RemovalFill
    steps: int
    seed: int
    shares: Curve
    of_map: Curves
    of_random: Curves
    probability: float
    top_share: float
    random_weights: bool
    seconds: float


class CheckSanity(Request, frozen=True, kw_only=True):
    """Randomise the weights from the head down, watch the map; answered by `Sanity`, with partial ones before.

    Adebayo et al., "Sanity Checks for Saliency Maps", NeurIPS 2018, arXiv:1810.03292: the cascading test. A map
    that does not change does not show what the network has learnt.

    Attributes
    ----------
    question, map_name
        As in `MeasureFaithfulness`.
    seed
        Of the randomisation.
    """

    doing: ClassVar[str] = "Randomising the weights"
    priority: ClassVar[int] = 6
    question: Explain
    map_name: str = ""
    seed: int = 0


class SanityStep(Struct, frozen=True, kw_only=True):
    """The map after one more part of the network was randomised.

    Attributes
    ----------
    part
        What was randomised last: ``head``, ``stage4`` .. ``stage1`` (with its downsampling), ``stem``; empty
        for the network as it is.
    map
        (h, w) float32.
    correlation, correlation_of_sizes
        Spearman's rank correlation with the map of the network as it is: of the signed values, and of their
        absolute values. NaN where one of the maps is constant.
    """

    part: str
    map: Map
    correlation: float
    correlation_of_sizes: float


class Sanity(Answer, frozen=True, kw_only=True):
    """The cascade, whole or so far; the first step is the network as it is, with correlation 1.

    Attributes
    ----------
    parts
        All parts in the order in which they are randomised, also those still to come.
    """

    image: str
    method: MethodName
    map_name: str
    target: int
    seed: int
    parts: tuple[str, ...]
    steps: tuple[SanityStep, ...]
    field: FieldGeometry
    geometry: CropGeometry
    random_weights: bool
    seconds: float


class CompareMethods(Request, frozen=True, kw_only=True):
    """How much methods agree; answered by `Agreement`, with partial ones after each method.

    Attributes
    ----------
    methods
        At least two; each with its default parameters.
    node
        Where, for class activation maps; the last stage where empty.
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
    """Rank correlations among methods.

    Attributes
    ----------
    methods
        Those asked for, in order.
    matrix
        (n, n) float64: Spearman's rank correlation of the signed maps on the node's grid, where maps on the
        input's pixels are averaged over each unit's square. NaN where not known yet, or a map is constant.
    explanations
        Of the methods done so far, in order.
    """

    image: str
    methods: tuple[MethodName, ...]
    node: str
    matrix: NDArray[np.float64]
    explanations: tuple[Explanation, ...]
    random_weights: bool
    seconds: float
