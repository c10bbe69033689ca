"""The settings of a training run as plain data, without torch, so that the command line starts fast."""

from typing import Any

from msgspec import Struct
from msgspec.structs import asdict

from convnext_studio.common.errors import StudioError
from convnext_studio.model.config import ConvNeXtConfig
from convnext_studio.model.nodes import smallest_input_px

# Small enough for a laptop without a GPU; the final stride is 16, so that small pictures keep fine maps. A
# layer scale of 1e-6 is meant for deep networks and long training, and would waste the first epochs here.
SMALL_CONFIG = ConvNeXtConfig(
    depths=(2, 2, 6, 2),
    dims=(40, 80, 160, 320),
    stem_kernel_size=2,
    stem_stride=2,
    layer_scale_init_value=0.5,
)

_ABOVE_0 = ("epochs", "input_px", "cache_px", "batch_size", "learning_rate", "clip_norm", "temperature")
_NOT_NEGATIVE = ("weight_decay", "warmup_epochs", "mixup_alpha", "cutmix_alpha", "sharpness_jitter")
_BELOW_1 = ("label_smoothing", "drop_path_rate", "colour_jitter", "ema_decay", "holdout")
_UP_TO_1 = ("mix_probability", "distill_weight")


class TrainingPlan(Struct, frozen=True, kw_only=True):
    """Everything that determines the trained weights, apart from the pictures and the hardware.

    Attributes
    ----------
    config
        The architecture; its `num_classes` is replaced by the number of classes trained on.
    epochs
        Number of passes over the pictures.
    sizes_px
        Sides of the training crops, in the order of use, each for an equal share of the epochs ("progressive
        resolution").
    input_px
        Side of the trained model's input.
    cache_px
        Side of the squares to which the pictures in memory are resized; small crops are enlarged from these.
    batch_size
        Pictures per step.
    learning_rate, weight_decay
        Settings of AdamW (Loshchilov and Hutter 2019); biases, norms, GRN and layer scale do not decay.
    warmup_epochs
        Epochs during which the learning rate rises linearly; then it decays as a cosine to a hundredth.
    label_smoothing
        Fraction of the target that is spread over all classes.
    drop_path_rate
        Drop rate of stochastic depth during training.
    crop_area_min
        Smallest fraction of the picture's area that a random resized crop covers.
    colour_jitter
        Largest deviation from 1 of the random factors for brightness, contrast and saturation.
    sharpness_jitter
        Largest multiple of the detail removed by a small blur that is added or subtracted.
    frozen_stages
        Number of stages, from the stem on, that keep their initial weights.
    mixup_alpha, cutmix_alpha
        Parameter of the Beta distribution of mixup (arXiv:1710.09412) and cutmix (arXiv:1905.04899); 0 is off.
    mix_probability
        Fraction of the batches that are mixed; if both are on, one of them is drawn for each batch.
    distill_weight
        Fraction of the loss that comes from soft targets, if there are any; the rest comes from the folders.
    temperature
        Divisor of the logits when learning from soft targets (Hinton, Vinyals and Dean 2015).
    ema_decay
        Decay of the moving average of the weights, which is saved; it rises to this over the first steps.
    clip_norm
        Largest norm of the gradient, to which it is clipped.
    holdout
        Fraction of every class that is held out from training and evaluated after each epoch.
    seed
        Seed of all random numbers.
    """

    config: ConvNeXtConfig = SMALL_CONFIG
    epochs: int = 30
    sizes_px: tuple[int, ...] = (32, 48, 64)
    input_px: int = 64
    cache_px: int = 96
    batch_size: int = 128
    learning_rate: float = 1.5e-3
    weight_decay: float = 0.05
    warmup_epochs: float = 1.0
    label_smoothing: float = 0.1
    drop_path_rate: float = 0.0
    frozen_stages: int = 0
    crop_area_min: float = 0.35
    colour_jitter: float = 0.2
    sharpness_jitter: float = 0.0
    mixup_alpha: float = 0.2
    cutmix_alpha: float = 1.0
    mix_probability: float = 0.3
    distill_weight: float = 0.7
    temperature: float = 2.0
    ema_decay: float = 0.999
    clip_norm: float = 5.0
    holdout: float = 0.05
    seed: int = 0

    def __post_init__(self) -> None:
        for name in _ABOVE_0:
            if not getattr(self, name) > 0:
                raise StudioError(f"{_words(name)} is {getattr(self, name)}, but must be above 0.")
        for name in _NOT_NEGATIVE:
            if not getattr(self, name) >= 0:
                raise StudioError(f"{_words(name)} is {getattr(self, name)}, but must not be negative.")
        for name in _BELOW_1:
            if not 0 <= getattr(self, name) < 1:
                raise StudioError(
                    f"{_words(name)} is {getattr(self, name)}, but must be at least 0 and below 1."
                )
        for name in _UP_TO_1:
            if not 0 <= getattr(self, name) <= 1:
                raise StudioError(f"{_words(name)} is {getattr(self, name)}, but must be between 0 and 1.")
        if not 0 < self.crop_area_min <= 1:
            raise StudioError("The area of the crop must be above 0 and at most 1.")
        self._check_network()

    def _check_network(self) -> None:
        if not self.sizes_px or min(self.sizes_px) < 1:
            raise StudioError("The sizes must be at least one number of pixels above 0.")
        smallest = smallest_input_px(self.config)
        if min(self.sizes_px) < smallest:
            raise StudioError(f"This network needs pictures of at least {smallest} pixels.")
        stages = len(self.config.depths)
        if not 0 <= self.frozen_stages <= stages:
            raise StudioError(f"There are {stages} stages; {self.frozen_stages} cannot be frozen.")

    def size_px(self, epoch: int) -> int:
        """Return the side of the training crops in an epoch, counted from 0."""
        return self.sizes_px[epoch * len(self.sizes_px) // self.epochs]

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON-ready values, which `from_dict` reads back."""
        return {**asdict(self), "config": self.config.to_dict()}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "TrainingPlan":
        """Create a plan from the values that `to_dict` returned."""
        unknown = sorted(set(values) - set(cls.__struct_fields__))
        if unknown:
            raise StudioError(
                f"The checkpoint's plan has fields that are not known here: {', '.join(unknown)}."
            )
        config = ConvNeXtConfig.from_dict(values["config"])
        return cls(**{**values, "config": config, "sizes_px": tuple(values["sizes_px"])})


def _words(name: str) -> str:
    return f"The {name.replace('_', ' ')}"
