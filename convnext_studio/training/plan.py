"""What a training run is: plain data, no torch, so that the command line answers at once."""

from dataclasses import asdict, dataclass, fields
from typing import Any

from convnext_studio.common.errors import StudioError
from convnext_studio.model.config import ConvNeXtConfig
from convnext_studio.model.nodes import smallest_input_px

# Small enough for a laptop without a GPU; final stride 16, so that a small picture keeps fine maps. A layer
# scale of 1e-6 is meant for deep networks and long training: here it would waste the first epochs.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingPlan:
    """Everything that decides the weights that come out, pictures and hardware aside.

    Attributes
    ----------
    config
        The architecture; its `num_classes` is replaced by the folder's.
    epochs
        Passes over the pictures.
    sizes_px
        Sides of the training crops; the epochs are shared out evenly, in this order ("progressive resolution").
    input_px
        Side of the input that the trained model asks for.
    cache_px
        Side of the squares in which the pictures are kept in memory; small crops are enlarged from these.
    batch_size
        Pictures per step.
    learning_rate, weight_decay
        Of AdamW (Loshchilov and Hutter 2019); no decay on biases, norms, GRN and layer scale.
    warmup_epochs
        Epochs in which the learning rate rises linearly; then it falls as a cosine to a hundredth.
    label_smoothing
        Share of the target that is spread over all classes.
    drop_path_rate
        Stochastic depth while training.
    crop_area_min
        Smallest part of the picture's area that a random resized crop takes.
    colour_jitter
        Brightness, contrast and saturation are multiplied by 1 plus or minus up to this.
    sharpness_jitter
        What a small blur takes away is added or taken away once more, times up to this.
    frozen_stages
        So many stages, from the stem on, keep the weights that they began with.
    mixup_alpha, cutmix_alpha
        Beta distribution's parameter of mixup (arXiv:1710.09412) and cutmix (arXiv:1905.04899); 0 is off.
    mix_probability
        Share of the batches that are mixed; where both are on, one is drawn for each batch.
    distill_weight
        Share of the loss that comes from soft targets, where there are any; the rest comes from the folders.
    temperature
        By which logits are divided where soft targets are learnt from (Hinton, Vinyals and Dean 2015).
    ema_decay
        Of the moving average of the weights that is saved; it rises to this over the first steps.
    clip_norm
        Longest gradient; longer ones are scaled down.
    holdout
        Share of every class that is kept from training, and measured after each epoch.
    seed
        Of everything random.
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
        """Side of the training crops in an epoch, counted from 0."""
        return self.sizes_px[epoch * len(self.sizes_px) // self.epochs]

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON-ready values, which `from_dict` reads back."""
        return {**asdict(self), "config": self.config.to_dict()}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "TrainingPlan":
        """Read what `to_dict` wrote."""
        unknown = sorted(set(values) - {entry.name for entry in fields(cls)})
        if unknown:
            raise StudioError(
                f"The checkpoint's plan has fields that are not known here: {', '.join(unknown)}."
            )
        config = ConvNeXtConfig.from_dict(values["config"])
        return cls(**{**values, "config": config, "sizes_px": tuple(values["sizes_px"])})


def _words(name: str) -> str:
    return f"The {name.replace('_', ' ')}"
