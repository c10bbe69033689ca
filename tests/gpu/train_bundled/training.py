"""The recipe: bytes kept on the device, augmented there, bfloat16, a cosine that ends when the time does."""

import json
import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from msgspec import Struct
from msgspec.structs import replace
from torch import Generator, Tensor
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from convnext_studio.model.convnext import ConvNeXt
from convnext_studio.model.preprocessing import IMAGENET_MEAN, IMAGENET_STD, Preprocessing
from convnext_studio.model.presets import bundled_file
from convnext_studio.model.weights.checkpoint import StudioFile, read_studio_file, write_studio_file
from convnext_studio.training.augment import cutmix, jitter_colours, mixup, random_boxes, sample_boxes
from convnext_studio.training.plan import SMALL_CONFIG
from tests.gpu.train_bundled.loads import IMAGENET, Load

Stage = Literal["pretrain", "finetune"]
WARMUP_SHARE = 0.05
FINAL_RATE_SHARE = 0.01


class Recipe(Struct, frozen=True, kw_only=True):
    """How to train.

    Attributes
    ----------
    stage
        ``pretrain`` on the teacher's 1,000 classes; ``finetune`` on photos24's.
    seconds
        Time for all steps.
    depths, dims
        Of the network; the rest is the bundled model's.
    side_px
        Of the crops, and of the validation.
    batch, rate
        Pictures a step, and the highest learning rate.
    soft_weight
        Share of the loss from the teacher, of those pictures that it was asked about.
    """

    stage: Stage
    seconds: float
    depths: tuple[int, ...] = (3, 3, 9, 3)
    dims: tuple[int, ...] = (64, 128, 256, 512)
    side_px: int = 96
    batch: int = 1024
    rate: float = 2e-3
    weight_decay: float = 0.05
    drop_path_rate: float = 0.1
    soft_weight: float = 0.7
    mix_probability: float = 0.5
    ema_decay: float = 0.998
    checkpoint_s: float = 20.0
    seed: int = 0


class Photographs(Struct, frozen=True, kw_only=True):
    """All loads on the device: bytes, targets, and what the teacher thinks as `classes` shares."""

    pixels: Tensor
    targets: Tensor
    soft: Tensor
    has_soft: Tensor
    learn: Tensor
    held: Tensor
    classes: tuple[str, ...]


def photographs(loads: Sequence[Load], stage: Stage, device: torch.device) -> Photographs:
    """Decode all loads, and bring them to the device as they are, in bytes."""
    first = loads[0]
    pixels = torch.from_numpy(np.concatenate([load.pixels() for load in loads])).to(device)
    targets = np.concatenate([load.targets for load in loads]).astype(np.int64)
    held = np.concatenate([load.is_validation for load in loads])
    index = np.concatenate([load.soft_classes for load in loads]).astype(np.int64)
    shares = np.concatenate([load.soft_shares for load in loads]).astype(np.float32)
    count = len(first.classes) if stage == "finetune" else IMAGENET
    soft = np.zeros((len(targets), count + 1), np.float32)  # The last column takes what is in no class.
    column = np.where(first.class_of[index] < 0, count, first.class_of[index]) if stage == "finetune" else index
    np.add.at(soft, (np.arange(len(soft))[:, None], column), shares)
    soft = soft[:, :count] + np.float32(1e-6)
    has_soft = shares.sum(axis=1) > 0
    learnt = (has_soft if stage == "pretrain" else targets >= 0) & ~held
    names = first.classes if stage == "finetune" else tuple(f"class {number}" for number in range(IMAGENET))
    return Photographs(
        pixels=pixels,
        targets=torch.from_numpy(targets).to(device),
        soft=torch.from_numpy(soft / soft.sum(axis=1, keepdims=True)).to(device),
        has_soft=torch.from_numpy(has_soft).to(device),
        learn=torch.from_numpy(np.flatnonzero(learnt)),
        held=torch.from_numpy(np.flatnonzero(held & (targets >= 0))),
        classes=tuple(name.replace("_", " ") for name in names),
    )


def normalised(batch: Tensor) -> Tensor:
    """Colours from 0 to 1 as the network wants them."""
    mean = torch.tensor(IMAGENET_MEAN, device=batch.device).view(1, 3, 1, 1)
    std = torch.tensor(IMAGENET_STD, device=batch.device).view(1, 3, 1, 1)
    return ((batch - mean) / std).contiguous(memory_format=torch.channels_last)


class Trainer:
    """One stage of the training.

    Parameters
    ----------
    init
        Weights to begin with; the head's are taken only where it has as many classes.
    """

    def __init__(self, recipe: Recipe, photos: Photographs, out: Path, init: Path | None = None) -> None:
        self._recipe, self._photos, self._out = recipe, photos, out
        self._device = photos.pixels.device
        torch.manual_seed(recipe.seed)
        self._config = replace(
            SMALL_CONFIG, depths=recipe.depths, dims=recipe.dims, num_classes=len(photos.classes)
        )
        module = ConvNeXt.from_config(replace(self._config, drop_path_rate=recipe.drop_path_rate))
        if init is not None:
            _take_over(module, init)
        self._module = module.to(self._device, memory_format=torch.channels_last).train()
        self._average = AveragedModel(self._module, multi_avg_fn=get_ema_multi_avg_fn(recipe.ema_decay))
        decayed = [weight for weight in self._module.parameters() if weight.ndim > 1]
        others = [weight for weight in self._module.parameters() if weight.ndim <= 1]
        groups = [
            {"params": decayed, "weight_decay": recipe.weight_decay},
            {"params": others, "weight_decay": 0.0},
        ]
        self._optimiser = torch.optim.AdamW(groups, lr=recipe.rate, fused=True)
        self._generator = Generator().manual_seed(recipe.seed)
        self._steps = 0

    def run(self) -> dict[str, object]:
        """Train until the time is up; what came out."""
        begin = time.monotonic()
        saved = begin
        pictures = 0
        losses: list[Tensor] = []
        while (elapsed := time.monotonic() - begin) < self._recipe.seconds:
            chosen = torch.randint(len(self._photos.learn), (self._recipe.batch,), generator=self._generator)
            losses.append(self._step(self._photos.learn[chosen], elapsed / self._recipe.seconds))
            pictures += self._recipe.batch
            if self._device.type == "cuda":
                # Else hundreds of steps are queued, and the clock says nothing of what is done.
                torch.cuda.current_stream().synchronize()
            if time.monotonic() - saved > self._recipe.checkpoint_s:
                self.save()
                saved = time.monotonic()
                loss = float(torch.stack(losses[-20:]).mean())
                print(f"{saved - begin:.0f} s, {self._steps} steps, loss {loss:.3f}", flush=True)
        self.save()
        last = torch.stack(losses[-20:]).mean() if losses else torch.tensor(math.nan)
        report: dict[str, object] = {
            "stage": self._recipe.stage,
            "steps": self._steps,
            "pictures": pictures,
            "pictures a second": round(pictures / (time.monotonic() - begin), 1),
            "epochs": round(pictures / max(len(self._photos.learn), 1), 2),
            "loss": round(float(last), 4),
            "parameters": sum(weight.numel() for weight in self._module.parameters()),
        }
        if self._recipe.stage == "finetune":
            report |= self._judged()
        (self._out / f"{self._recipe.stage}.json").write_text(json.dumps(report, indent=1) + "\n")
        return report

    def _step(self, chosen: Tensor, progress: float) -> Tensor:
        recipe, photos = self._recipe, self._photos
        for group in self._optimiser.param_groups:
            group["lr"] = recipe.rate * rate_share(progress)
        inputs, targets = self._batch(chosen.to(self._device))
        with torch.autocast(self._device.type, torch.bfloat16):
            logits = self._module(inputs)
        loss = functional.cross_entropy(logits.float(), targets)
        self._optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self._module.parameters(), 5.0)
        self._optimiser.step()
        self._average.update_parameters(self._module)
        self._steps += 1
        assert len(photos.classes) == logits.shape[1]
        return loss.detach()

    def _batch(self, chosen: Tensor) -> tuple[Tensor, Tensor]:
        """Crops, flips, changed colours and mixtures, all on the device; and targets that add up to 1."""
        recipe, photos, generator = self._recipe, self._photos, self._generator
        boxes = random_boxes(torch.zeros(len(chosen)), 0.35, generator)
        flip = torch.rand(len(chosen), generator=generator) < 0.5
        batch = jitter_colours(sample_boxes(photos.pixels[chosen], boxes, flip, recipe.side_px), 0.2, generator)
        targets = photos.soft[chosen]
        if recipe.stage == "finetune":
            hard = functional.one_hot(photos.targets[chosen], len(photos.classes)).float()
            weight = recipe.soft_weight * photos.has_soft[chosen].float()[:, None]
            targets = torch.lerp(hard, targets, weight)
        inputs = normalised(batch)
        if torch.rand((), generator=generator) < recipe.mix_probability:
            mix, alpha = ((mixup, 0.2), (cutmix, 1.0))[int(torch.randint(2, (), generator=generator))]
            inputs, targets = mix(inputs, targets, alpha, generator)
        return inputs, targets

    def save(self) -> None:
        """Write the moving average's weights, whole or not at all."""
        weights = {name: tensor.float().cpu() for name, tensor in self._average.module.state_dict().items()}
        file = StudioFile(
            config=self._config,
            labels=self._photos.classes,
            preprocessing=Preprocessing(
                input_px=self._recipe.side_px, crop_fraction=1.0, interpolation="bilinear"
            ),
            title=f"ConvNeXt, {len(self._photos.classes)} classes",
            provenance={
                "trained on": f"{len(self._photos.learn)} photographs of Tiny ImageNet",
                "steps": str(self._steps),
            },
            state_dict=weights,
        )
        write_studio_file(self._out / f"{self._recipe.stage}.safetensors", file)

    def _judged(self) -> dict[str, object]:
        """The accuracy on the validation photographs, beside the bundled model's on the same."""
        bundled = read_studio_file(bundled_file())
        theirs = ConvNeXt.from_config(bundled.config).eval()
        theirs.load_state_dict(bundled.state_dict)
        side_px = bundled.preprocessing.input_px
        ours = accuracy(self._average.module, self._photos, self._recipe.side_px)
        before = accuracy(theirs.to(self._device), self._photos, side_px)
        return {"validation": len(self._photos.held), "accuracy": ours, "accuracy of the bundled": before}


def rate_share(progress: float) -> float:
    """The learning rate over the highest: it rises evenly, then falls as a cosine until the time is up."""
    if progress < WARMUP_SHARE:
        return max(progress / WARMUP_SHARE, 0.01)
    fallen = min((progress - WARMUP_SHARE) / (1 - WARMUP_SHARE), 1.0)
    return FINAL_RATE_SHARE + (1 - FINAL_RATE_SHARE) * 0.5 * (1 + math.cos(math.pi * fallen))


def accuracy(module: torch.nn.Module, photos: Photographs, side_px: int) -> float:
    """Part of the validation photographs that are right, in float32."""
    module.eval()
    right = torch.zeros((), dtype=torch.int64, device=photos.pixels.device)
    with torch.inference_mode():
        for part in photos.held.to(photos.pixels.device).split(256):
            pixels = photos.pixels[part].permute(0, 3, 1, 2).float() / 255
            resized = functional.interpolate(
                pixels, size=(side_px, side_px), mode="bilinear", align_corners=False
            )
            right += (module(normalised(resized)).argmax(1) == photos.targets[part]).sum()
    return round(int(right) / max(len(photos.held), 1), 4)


def _take_over(module: ConvNeXt, init: Path) -> None:
    """Begin with the weights of a file of the same architecture, whatever its classes are."""
    given = read_studio_file(init).state_dict
    own = module.state_dict()
    fitting = {
        name: tensor for name, tensor in given.items() if name in own and tensor.shape == own[name].shape
    }
    left = [name for name in own if name not in fitting]
    if any(not name.startswith("head.") for name in left):
        raise ValueError(f"{init} is of another architecture: {', '.join(left[:3])}")
    module.load_state_dict(fitting, strict=False)
