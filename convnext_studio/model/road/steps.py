"""The steps of the road from ResNet-50 to ConvNeXt-T, with the figures that the paper gives for them.

Liu, Mao, Wu, Feichtenhofer, Darrell and Xie, "A ConvNet for the 2020s", CVPR 2022, arXiv:2201.03545. Section 2
describes the steps. Table 10 gives the accuracy (ImageNet-1k top-1, mean and standard deviation of three
trainings) and the operations, which the paper calls FLOPs and which are multiply-accumulates. Appendix A.1 says
that all steps after the first are trained by one recipe, which includes layer scale.
"""

from msgspec import Struct
from msgspec.structs import replace

from convnext_studio.common.errors import StudioError
from convnext_studio.model.nodes import total_macs, total_parameters
from convnext_studio.model.road.road_config import RoadConfig
from convnext_studio.model.road.road_nodes import node_table

ROAD_PREFIX = "road:"
PRINTED_AT_PX = 224
"""Side of the input for which the paper counts operations."""


class RoadStep(Struct, frozen=True, kw_only=True):
    """One step on the road: a network and its published figures.

    Attributes
    ----------
    key
        The name of the step in ``road:KEY``.
    title
        The display name.
    change
        A sentence that says what differs from the network that this step builds on.
    builds_on
        The key of that network; empty for the first step.
    config
        The architecture.
    accuracy, deviation
        Published accuracy and standard deviation in per cent; no deviation if a single training is quoted.
    gmacs
        Published operations, in 10^9 multiply-accumulates.
    remark
        Why our count differs from the published one; empty if it does not.
    """

    key: str
    title: str
    change: str
    builds_on: str = ""
    config: RoadConfig
    accuracy: float
    deviation: float | None = None
    gmacs: float
    remark: str = ""

    @property
    def source(self) -> str:
        """The source that opens the step as a model."""
        return f"{ROAD_PREFIX}{self.key}"

    @property
    def number(self) -> int:
        """The position on the road, counted from 1."""
        return 1 + list(ROAD).index(self.key)

    @property
    def full_title(self) -> str:
        """The position and the title, such as "Road to ConvNeXt, step 5: Depthwise convolution"."""
        return f"Road to ConvNeXt, step {self.number}: {self.title}"

    @property
    def is_adopted(self) -> bool:
        """Whether later steps build on this one; kernels of 9 and 11 were tried and not kept."""
        return self is _STEPS[-1] or any(step.builds_on == self.key for step in _STEPS)

    @property
    def parameters(self) -> int:
        """The number of parameters of the whole network, as counted by this program."""
        return total_parameters(node_table(self.config, PRINTED_AT_PX), self.config)

    @property
    def macs(self) -> int:
        """The multiply-accumulates of one pass at 224 x 224 as counted here: convolutions and classifier."""
        return total_macs(node_table(self.config, PRINTED_AT_PX), self.config)

    @property
    def changed(self) -> frozenset[str]:
        """The names of the config fields that differ from the network that this step builds on."""
        if not self.builds_on:
            return frozenset()
        before = ROAD[self.builds_on].config
        return frozenset(
            name for name in RoadConfig.__struct_fields__ if getattr(before, name) != getattr(self.config, name)
        )


_RESNET_50 = RoadConfig()
_RECIPE = replace(_RESNET_50, layer_scale_init_value=1e-6)
_RATIO = replace(_RECIPE, depths=(3, 3, 9, 3))
_PATCHES = replace(_RATIO, stem="patch")
_DEPTHWISE = replace(_PATCHES, depthwise=True)
_WIDE = replace(_DEPTHWISE, widths=(96, 192, 384, 768))
_INVERTED = replace(_WIDE, inverted=True)
_FIRST = replace(_INVERTED, spatial_first=True)
_KERNEL_7 = replace(_FIRST, kernel_size=7)
_GELU = replace(_KERNEL_7, act="gelu")
_ONE_ACT = replace(_GELU, acts_per_block=1)
_ONE_NORM = replace(_ONE_ACT, norms_per_block=1)
_LAYER_NORM = replace(_ONE_NORM, norm="layer")
_CONVNEXT = replace(_LAYER_NORM, separate_downsampling=True)

_STEPS = (
    RoadStep(
        key="resnet50",
        title="ResNet-50",
        change="The start, as trained by torchvision. Inside a block there is a quarter of its channels.",
        config=_RESNET_50,
        accuracy=76.13,
        gmacs=4.09,
    ),
    RoadStep(
        key="recipe",
        title="Modern recipe",
        change="Training only: 300 epochs, AdamW, Mixup, CutMix, RandAugment, random erasing, stochastic "
        "depth, label smoothing; layer scale on every branch.",
        builds_on="resnet50",
        config=_RECIPE,
        accuracy=78.82,
        deviation=0.07,
        gmacs=4.09,
    ),
    RoadStep(
        key="stage_ratio",
        title="Stage ratio",
        change="The stages have 3, 3, 9 and 3 blocks instead of 3, 4, 6 and 3, the ratio of Swin-T.",
        builds_on="recipe",
        config=_RATIO,
        accuracy=79.36,
        deviation=0.07,
        gmacs=4.53,
    ),
    RoadStep(
        key="patchify",
        title="“Patchify” stem",
        change="A 4 × 4 convolution with stride 4 replaces the 7 × 7 convolution and max pooling.",
        builds_on="stage_ratio",
        config=_PATCHES,
        accuracy=79.51,
        deviation=0.18,
        gmacs=4.42,
    ),
    RoadStep(
        key="depthwise",
        title="Depthwise convolution",
        change="Each channel has its own 3 × 3 kernel; other layers mix the channels.",
        builds_on="patchify",
        config=_DEPTHWISE,
        accuracy=78.28,
        deviation=0.08,
        gmacs=2.35,
    ),
    RoadStep(
        key="width",
        title="Width",
        change="The first stage has 96 channels instead of 64, as in Swin-T; others in proportion.",
        builds_on="depthwise",
        config=_WIDE,
        accuracy=80.50,
        deviation=0.02,
        gmacs=5.27,
    ),
    RoadStep(
        key="inverted",
        title="Inverted bottleneck",
        change="Blocks are wide inside and narrow outside, as in MobileNetV2 and in Transformers.",
        builds_on="width",
        config=_INVERTED,
        accuracy=80.64,
        deviation=0.03,
        gmacs=4.64,
    ),
    RoadStep(
        key="depthwise_up",
        title="Depthwise first",
        change="The depthwise convolution moves before both 1 × 1 convolutions, where channels are few.",
        builds_on="inverted",
        config=_FIRST,
        accuracy=79.92,
        deviation=0.08,
        gmacs=4.07,
    ),
    RoadStep(
        key="kernel5",
        title="Kernels 5 × 5",
        change="The depthwise kernels grow from 3 × 3 to 5 × 5.",
        builds_on="depthwise_up",
        config=replace(_FIRST, kernel_size=5),
        accuracy=80.35,
        deviation=0.08,
        gmacs=4.10,
    ),
    RoadStep(
        key="kernel7",
        title="Kernels 7 × 7",
        change="The depthwise kernels grow to 7 × 7, where the gain ends.",
        builds_on="kernel5",
        config=_KERNEL_7,
        accuracy=80.57,
        deviation=0.14,
        gmacs=4.15,
    ),
    RoadStep(
        key="kernel9",
        title="Kernels 9 × 9",
        change="Tried and not kept: 9 × 9 kernels gain nothing over 7 × 7.",
        builds_on="kernel7",
        config=replace(_FIRST, kernel_size=9),
        accuracy=80.57,
        deviation=0.06,
        gmacs=4.21,
    ),
    RoadStep(
        key="kernel11",
        title="Kernels 11 × 11",
        change="Tried and not kept: 11 × 11 kernels gain nothing over 7 × 7.",
        builds_on="kernel7",
        config=replace(_FIRST, kernel_size=11),
        accuracy=80.47,
        deviation=0.11,
        gmacs=4.29,
    ),
    RoadStep(
        key="gelu",
        title="ReLU → GELU",
        change="GELU replaces ReLU.",
        builds_on="kernel7",
        config=_GELU,
        accuracy=80.62,
        deviation=0.14,
        gmacs=4.15,
    ),
    RoadStep(
        key="fewer_acts",
        title="Fewer activations",
        change="Each block keeps a single activation, between the two 1 × 1 convolutions.",
        builds_on="gelu",
        config=_ONE_ACT,
        accuracy=81.27,
        deviation=0.06,
        gmacs=4.15,
    ),
    RoadStep(
        key="fewer_norms",
        title="Fewer norms",
        change="Each branch keeps a single norm, before the first 1 × 1 convolution.",
        builds_on="fewer_acts",
        config=_ONE_NORM,
        accuracy=81.41,
        deviation=0.09,
        gmacs=4.15,
    ),
    RoadStep(
        key="layer_norm",
        title="Layer norm",
        change="Layer norm replaces batch norm; convolutions in blocks get biases.",
        builds_on="fewer_norms",
        config=_LAYER_NORM,
        accuracy=81.47,
        deviation=0.09,
        gmacs=4.46,
        remark="The printed 4.46 is the cost of the next step, 4.146 + 0.310 = 4.456. A norm adds no "
        "convolution: Table 11 prints 14.81 before and after.",
    ),
    RoadStep(
        key="convnext",
        title="Separate downsampling",
        change="2 × 2 convolutions with stride 2 between the stages halve the maps, with layer norms before "
        "them, after the stem and after the last pooling. This is ConvNeXt-T.",
        builds_on="layer_norm",
        config=_CONVNEXT,
        accuracy=81.97,
        deviation=0.06,
        gmacs=4.49,
    ),
)

ROAD = {step.key: step for step in _STEPS}
"""All steps by key, in the order of Table 10 in the paper."""

SWIN_T_ACCURACY, SWIN_T_GMACS = 81.30, 4.50
"""The target of the road: Swin-T (Liu et al. 2021, arXiv:2103.14030), as printed in Table 10."""


def road_step(key: str) -> RoadStep:
    """Return the step with that key.

    Raises
    ------
    StudioError
        If there is none; the hint lists the keys.
    """
    try:
        return ROAD[key]
    except KeyError:
        raise StudioError(
            f"There is no step “{key}” on the road to ConvNeXt.", f"There are: {', '.join(ROAD)}."
        ) from None
