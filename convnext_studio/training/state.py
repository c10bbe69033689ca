"""The state of a training run, and its checkpoint on disk."""

import math
from pathlib import Path
from typing import Any

import torch
from msgspec import Struct
from msgspec.structs import replace
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from convnext_studio.common.errors import StudioError
from convnext_studio.common.files import written_whole
from convnext_studio.model.config import ConvNeXtConfig
from convnext_studio.model.convnext import ConvNeXt
from convnext_studio.model.weights.checkpoint import StudioFile, read_studio_file
from convnext_studio.training.plan import TrainingPlan
from convnext_studio.training.taught import Lesson

FINAL_LEARNING_RATE = 0.01


class TrainingState(Struct):
    """The network being trained, its moving average, the optimiser, and the progress.

    Attributes
    ----------
    epoch
        Number of epochs done.
    """

    module: ConvNeXt
    average: AveragedModel
    optimizer: torch.optim.AdamW
    epoch: int = 0

    def learn(self, loss: Tensor, learning_rate: float, clip_norm: float) -> None:
        """Take one optimiser step, and update the moving average."""
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate
        self.optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(self.module.parameters(), clip_norm)
        self.optimizer.step()
        self.average.update_parameters(self.module)

    def averaged_weights(self) -> dict[str, Tensor]:
        """Return the moving average's tensors by the network's parameter names."""
        return dict(self.average.module.state_dict())


def new_state(plan: TrainingPlan, device: torch.device) -> TrainingState:
    """Return the state of a network with random weights from the plan's seed."""
    with torch.random.fork_rng():
        torch.manual_seed(plan.seed)
        module = ConvNeXt.from_config(replace(plan.config, drop_path_rate=plan.drop_path_rate)).to(device)
    if device.type == "cuda":
        # On the CPU this is no faster: everything between the permutes of a block is channels-last anyway.
        module = module.to(memory_format=torch.channels_last)
    for parts in (module.downsample_layers, module.stages):
        parts[: plan.frozen_stages].requires_grad_(False)

    def multi_average(averaged: Any, current: Any, count: Any) -> None:
        # A fixed decay would keep the random initial weights in the average for thousands of steps.
        decay = min(plan.ema_decay, (1 + int(count)) / (10 + int(count)))
        for mean, value in zip(averaged, current, strict=True):
            mean.lerp_(value, 1 - decay)

    decayed = [parameter for name, parameter in module.named_parameters() if _decays(name, parameter)]
    others = [parameter for name, parameter in module.named_parameters() if not _decays(name, parameter)]
    optimizer = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": plan.weight_decay}, {"params": others, "weight_decay": 0.0}],
        lr=plan.learning_rate,
        fused=True,
    )
    return TrainingState(module, AveragedModel(module, multi_avg_fn=multi_average), optimizer)


def _decays(name: str, parameter: nn.Parameter) -> bool:
    """Whether weight decay applies: to kernels and matrices, but not to GRN's multi-axis scale and shift."""
    return parameter.ndim > 1 and ".grn." not in name


def learning_rate(plan: TrainingPlan, epoch: float) -> float:
    """Return the learning rate after `epoch` (fractional) epochs: a linear warm-up, then a cosine decay."""
    if epoch < plan.warmup_epochs:
        return plan.learning_rate * epoch / plan.warmup_epochs
    progress = (epoch - plan.warmup_epochs) / max(plan.epochs - plan.warmup_epochs, 1e-9)
    cosine = (1 + math.cos(math.pi * min(progress, 1))) / 2
    return plan.learning_rate * (FINAL_LEARNING_RATE + (1 - FINAL_LEARNING_RATE) * cosine)


def start_from(module: ConvNeXt, labels: tuple[str, ...], path: Path) -> None:
    """Copy a trained model's weights; of the head, only the rows of classes that both have.

    Raises
    ------
    StudioError
        If the file is not a weights file of this program, or has another architecture.
    """
    source = read_studio_file(path)
    if _body(source.config) != _body(module.config):
        raise StudioError(
            f"{path.name} contains another architecture than the one to train.",
            f"It has depths {source.config.depths}, dims {source.config.dims}.",
        )
    weights = {name: tensor for name, tensor in source.state_dict.items() if not name.startswith("head.")}
    module.load_state_dict(weights, strict=False)
    _copy_head(module.head, labels, source)


def _copy_head(head: nn.Linear, labels: tuple[str, ...], source: StudioFile) -> None:
    with torch.no_grad():
        for row, label in enumerate(labels):
            if label in source.labels:
                index = source.labels.index(label)
                head.weight[row] = source.state_dict["head.weight"][index]
                head.bias[row] = source.state_dict["head.bias"][index]


def _body(config: ConvNeXtConfig) -> ConvNeXtConfig:
    """Return the config with every setting neutralised that may differ when a model is trained further."""
    return replace(config, num_classes=1, drop_path_rate=0.0, layer_scale_init_value=1.0, head_init_scale=1.0)


class Checkpoint(Struct, frozen=True, kw_only=True):
    """A training run as saved on disk: its settings, and its state after an epoch.

    Attributes
    ----------
    plan
        The plan with which the run was started.
    labels
        The classes, in order.
    pictures
        Number of pictures with which the run was started, including the held-out ones.
    tensors
        State dicts of the network, its moving average and the optimiser.
    epoch
        Number of epochs done.
    lesson
        The soft targets that the run learns from; None if there are none.
    """

    plan: TrainingPlan
    labels: tuple[str, ...]
    pictures: int
    tensors: dict[str, Any]
    epoch: int
    lesson: Lesson | None = None

    def restore(self, state: TrainingState) -> None:
        """Load the checkpoint into a state."""
        state.module.load_state_dict(self.tensors["module"])
        state.average.load_state_dict(self.tensors["average"])
        state.optimizer.load_state_dict(self.tensors["optimizer"])
        state.epoch = self.epoch


def write_checkpoint(
    path: Path,
    plan: TrainingPlan,
    labels: tuple[str, ...],
    pictures: int,
    state: TrainingState,
    lesson: Lesson | None = None,
) -> None:
    """Write the run's state to `path` atomically."""
    values = {
        "plan": plan.to_dict(),
        "labels": list(labels),
        "pictures": pictures,
        "epoch": state.epoch,
        "lesson": [str(lesson.path), lesson.sha256] if lesson else None,
        "tensors": {
            "module": state.module.state_dict(),
            "average": state.average.state_dict(),
            "optimizer": state.optimizer.state_dict(),
        },
    }
    with written_whole(path) as stream:
        torch.save(values, stream)


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint of `write_checkpoint`; StudioError if there is none, or it is damaged."""
    if not path.is_file():
        raise StudioError(f"There is no {path.name} to resume from.", "Start the training without --resume.")
    try:
        values = torch.load(path, map_location="cpu", weights_only=True)
        place = values.get("lesson")
        return Checkpoint(
            plan=TrainingPlan.from_dict(values["plan"]),
            labels=tuple(values["labels"]),
            pictures=values["pictures"],
            tensors=values["tensors"],
            epoch=values["epoch"],
            lesson=Lesson(Path(place[0]), place[1]) if place else None,
        )
    except Exception as error:  # What is no checkpoint makes torch raise errors of every kind.
        raise StudioError(f"{path.name} is not a checkpoint of a training, or is damaged.") from error
