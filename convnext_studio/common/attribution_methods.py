"""The attribution methods: what each one does, its source, its parameters and its limits. Needs no torch.

Guided backpropagation, deconvolution, DeepLift and layer-wise relevance propagation are not offered. The first
two modify the gradient of ReLU. On a network with GELU and layer norm, captum 0.9 silently returns the plain
gradient under their names. Its DeepLift also falls back to the plain gradient there, which breaks the
completeness that is its purpose, and its relevance propagation refuses such networks.
"""

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from convnext_studio.common.errors import StudioError

MethodName = Literal[
    "gradcam",
    "gradcam++",
    "hirescam",
    "layercam",
    "xgradcam",
    "eigencam",
    "scorecam",
    "ablationcam",
    "saliency",
    "inputxgradient",
    "smoothgrad",
    "integratedgradients",
    "occlusion",
    "superpixels",
]
MethodKind = Literal["cam", "input"]
Output = Literal["logit", "probability", "difference"]
Value = int | float | str

FILLS = ("mean", "blur", "black")
"""Fills for removed parts of a picture: what normalises to 0, which is the mean colour of the data set in most
networks (see `mean_colour`), the blurred picture, or black."""


def mean_colour(mean: tuple[float, ...]) -> str:
    """Return in words the colour that normalises to 0, which is not the data set's mean in all networks."""
    if all(abs(value - 0.5) < 1e-6 for value in mean):
        return "mid-grey (the network's mean of 0.5)"
    return "the mean colour of the data set" if any(mean) else "black (the network's mean of 0)"


class Parameter(Struct, frozen=True, kw_only=True):
    """A parameter of a method.

    Attributes
    ----------
    name, title
        The name in requests and files, and the display name.
    default
        The default value; its type (int, float or str) is the type of the parameter.
    choices
        The allowed values of a text.
    low, high
        The range of a number, including both ends.
    sentence
        A sentence that says what it does, with its unit.
    only_with
        Another parameter and the value that it must have for this one to have an effect; empty if it always
        has.
    """

    name: str
    title: str
    default: Value
    sentence: str
    choices: tuple[str, ...] = ()
    low: float = 0.0
    high: float = 0.0
    only_with: tuple[str, Value] | tuple[()] = ()


class Method(Struct, frozen=True, kw_only=True):
    """A method that attributes an output of the network to positions.

    Attributes
    ----------
    name, title
        The name in requests and files, and the display name.
    sentence
        A sentence that says what it does.
    source
        Authors, venue and identifier of the paper.
    kind
        ``cam``: a map on the grid of a node. ``input``: a map on the pixels of the input, without a node.
    is_signed
        Whether negative values speak against the output; otherwise the map is 0 or more, or its sign has no
        meaning.
    is_linear
        Whether the map of a difference of two logits is the difference of their maps.
    depends_on_target
        Whether the map depends on the class.
    is_long
        Whether it needs many passes, so that there is progress, and partial results if they are meaningful.
    parameters
        The parameters of the method.
    """

    name: MethodName
    title: str
    sentence: str
    source: str
    kind: MethodKind
    is_signed: bool = True
    is_linear: bool = False
    depends_on_target: bool = True
    is_long: bool = False
    parameters: tuple[Parameter, ...] = ()

    def settings(self, given: Mapping[str, Value]) -> dict[str, Value]:
        """Return the values of all parameters: the given ones, and defaults for the others.

        Raises
        ------
        StudioError
            If the method has no such parameter, or a value is not allowed.
        """
        known = {parameter.name: parameter for parameter in self.parameters}
        for name, value in given.items():
            if name not in known:
                there = ", ".join(known) or "none"
                raise StudioError(f"{self.title} has no parameter “{name}”.", f"There are: {there}.")
            _check(known[name], value)
        return {name: given.get(name, parameter.default) for name, parameter in known.items()}

    def in_force(self, settings: Mapping[str, Value]) -> dict[str, Value]:
        """Return those of all parameter values that have an effect."""
        conditions = {parameter.name: parameter.only_with for parameter in self.parameters}
        return {
            name: value
            for name, value in settings.items()
            if not (condition := conditions[name]) or settings.get(condition[0]) == condition[1]
        }


def _check(parameter: Parameter, value: Value) -> None:
    if isinstance(parameter.default, str):
        if value not in parameter.choices:
            raise StudioError(
                f"{parameter.title} cannot be “{value}”.", f"There are: {', '.join(parameter.choices)}."
            )
    elif (
        isinstance(value, str)
        or not parameter.low <= value <= parameter.high
        or (isinstance(parameter.default, int) and value != int(value))
    ):
        kind = "a whole number" if isinstance(parameter.default, int) else "a number"
        raise StudioError(
            f"{parameter.title} cannot be {value}.",
            f"Give {kind} from {parameter.low:g} to {parameter.high:g}.",
        )


_SEED = Parameter(
    name="seed",
    title="Seed",
    default=0,
    low=0,
    high=2**31 - 1,
    sentence="Seed of the noise; equal seeds give equal maps.",
)
_FILL = Parameter(
    name="fill",
    title="Fill",
    default="mean",
    choices=FILLS,
    sentence="What replaces a removed part of the picture.",
)

METHODS: tuple[Method, ...] = (
    Method(
        name="gradcam",
        title="Grad-CAM",
        sentence="Adds up the channels, each weighted by the spatial mean of its gradient.",
        source="Selvaraju et al., ICCV 2017, arXiv:1610.02391",
        kind="cam",
        is_linear=True,
    ),
    Method(
        name="gradcam++",
        title="Grad-CAM++",
        sentence="Like Grad-CAM, with positive gradients weighted so that small and repeated objects count "
        "in full.",
        source="Chattopadhay et al., WACV 2018, arXiv:1710.11063",
        kind="cam",
    ),
    Method(
        name="hirescam",
        title="HiResCAM",
        sentence="Multiplies activation and gradient at every unit, and adds up the channels.",
        source="Draelos and Carin 2020, arXiv:2011.08891",
        kind="cam",
        is_linear=True,
    ),
    Method(
        name="layercam",
        title="LayerCAM",
        sentence="Like HiResCAM, with only the positive part of the gradient: sharper at early stages.",
        source="Jiang et al., IEEE TIP 2021, doi:10.1109/TIP.2021.3089943",
        kind="cam",
    ),
    Method(
        name="xgradcam",
        title="XGrad-CAM",
        sentence="Adds up the channels, each weighted by the mean of its gradient, weighted by the activation.",
        source="Fu et al., BMVC 2020, arXiv:2008.02312",
        kind="cam",
        is_linear=True,
    ),
    Method(
        name="eigencam",
        title="EigenCAM",
        sentence="Projects the units on the first principal direction of the channels.",
        source="Muhammad and Yeasin, IJCNN 2020, arXiv:2008.00299",
        kind="cam",
        is_signed=False,
        is_linear=False,
        depends_on_target=False,
    ),
    Method(
        name="scorecam",
        title="Score-CAM",
        sentence="Weights each channel by the output for the picture masked by it; uses no gradient.",
        source="Wang et al., CVPR Workshops 2020, arXiv:1910.01279",
        kind="cam",
        is_long=True,
    ),
    Method(
        name="ablationcam",
        title="Ablation-CAM",
        sentence="Weights each channel by how much the output falls when it is set to 0; uses no gradient.",
        source="Desai and Ramaswamy, WACV 2020, doi:10.1109/WACV45572.2020.9093360",
        kind="cam",
        is_long=True,
    ),
    Method(
        name="saliency",
        title="Saliency",
        sentence="The absolute gradient by each pixel, the largest of its colours.",
        source="Simonyan et al. 2013, arXiv:1312.6034",
        kind="input",
        is_signed=False,
    ),
    Method(
        name="inputxgradient",
        title="Input × gradient",
        sentence="The gradient by each pixel times the normalised pixel, summed over the colours.",
        source="Shrikumar et al. 2016, arXiv:1605.01713",
        kind="input",
        is_linear=True,
    ),
    Method(
        name="smoothgrad",
        title="SmoothGrad",
        sentence="The absolute value of the gradient averaged over noisy copies, the largest of its colours.",
        source="Smilkov et al. 2017, arXiv:1706.03825",
        kind="input",
        is_signed=False,
        is_long=True,
        parameters=(
            Parameter(
                name="samples",
                title="Copies",
                default=32,
                low=1,
                high=1024,
                sentence="Number of noisy copies to average.",
            ),
            Parameter(
                name="noise",
                title="Noise",
                default=0.15,
                low=0.0,
                high=1.0,
                sentence="Standard deviation of the noise, as a fraction of the picture's range of values.",
            ),
            _SEED,
        ),
    ),
    Method(
        name="integratedgradients",
        title="Integrated gradients",
        sentence="Integrates the gradient along the path from a baseline to the picture; the map adds up to "
        "the change of the output, up to the convergence delta.",
        source="Sundararajan et al., ICML 2017, arXiv:1703.01365",
        kind="input",
        is_linear=True,
        is_long=True,
        parameters=(
            Parameter(
                name="steps",
                title="Steps",
                default=64,
                low=4,
                high=2048,
                sentence="Gradients along the path for each baseline; rounded up to a multiple of 4.",
            ),
            Parameter(
                name="baseline",
                title="Baseline",
                default="black",
                choices=("black", "mean", "blur", "noise"),
                sentence="The start of the path; with noise, the maps for several noise pictures are averaged.",
            ),
            Parameter(
                name="draws",
                title="Noise pictures",
                default=4,
                low=1,
                high=64,
                sentence="Number of baselines to average, if the baseline is noise.",
                only_with=("baseline", "noise"),
            ),
            replace(_SEED, only_with=("baseline", "noise")),
        ),
    ),
    Method(
        name="occlusion",
        title="Occlusion",
        sentence="How much the output falls when a window is covered, averaged over all windows on a pixel.",
        source="Zeiler and Fergus, ECCV 2014, arXiv:1311.2901",
        kind="input",
        is_linear=True,
        is_long=True,
        parameters=(
            Parameter(
                name="window",
                title="Window",
                default=0,
                low=0,
                high=4096,
                sentence="Side of the covered square, in input pixels; 0 means an eighth of the input.",
            ),
            Parameter(
                name="stride",
                title="Stride",
                default=0,
                low=0,
                high=4096,
                sentence="Distance between neighbouring windows, in input pixels; 0 means half the window.",
            ),
            _FILL,
        ),
    ),
    Method(
        name="superpixels",
        title="Superpixel ablation",
        sentence="How much the output falls when a superpixel (SLIC) is covered.",
        source="Achanta et al., IEEE TPAMI 2012, doi:10.1109/TPAMI.2012.120 (superpixels)",
        kind="input",
        is_linear=True,
        is_long=True,
        parameters=(
            Parameter(
                name="count",
                title="Superpixels",
                default=64,
                low=2,
                high=4096,
                sentence="Approximate number of superpixels; the note below the map states the actual number.",
            ),
            Parameter(
                name="compactness",
                title="Compactness",
                default=10.0,
                low=0.01,
                high=100.0,
                sentence="High values give compact squares, low values follow the colours.",
            ),
            _FILL,
        ),
    ),
)

_BY_NAME: dict[str, Method] = {method.name: method for method in METHODS}


def method_named(name: str) -> Method:
    """Return the method with that name.

    Raises
    ------
    StudioError
        If there is none; the hint lists the methods.
    """
    if name not in _BY_NAME:
        raise StudioError(f"There is no attribution method “{name}”.", f"There are: {', '.join(_BY_NAME)}.")
    return _BY_NAME[name]
