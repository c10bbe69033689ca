"""Folders of small generated pictures whose class is plain to see."""

from pathlib import Path

import numpy as np
from PIL import Image

from convnext_studio.model.config import ConvNeXtConfig
from convnext_studio.training.plan import TrainingPlan

COLOURS = {"blue_disc": (30, 60, 220), "green_disc": (40, 200, 60), "red_disc": (220, 50, 40)}

TINY = ConvNeXtConfig(
    depths=(1, 1, 1, 1),
    dims=(8, 8, 12, 16),
    kernel_size=3,
    stem_kernel_size=2,
    stem_stride=2,
    layer_scale_init_value=0.5,
)
PLAN = TrainingPlan(
    config=TINY,
    epochs=4,
    sizes_px=(16, 24),
    input_px=24,
    cache_px=24,
    batch_size=12,
    learning_rate=5e-3,
    warmup_epochs=0.5,
    ema_decay=0.9,
    drop_path_rate=0.1,
    crop_area_min=0.5,
    holdout=0.1,
)


def disc(colour: tuple[int, int, int], generator: np.random.Generator, size: tuple[int, int]) -> Image.Image:
    """A disc of about that colour somewhere on grey noise."""
    width, height = size
    pixels = generator.integers(90, 150, (height, width, 3))
    y, x = np.mgrid[:height, :width]
    centre = generator.uniform(0.35, 0.65, 2) * (height, width)
    inside = np.hypot(y - centre[0], x - centre[1]) < 0.4 * min(size)
    pixels[inside] = np.array(colour) + generator.integers(-25, 25, (int(inside.sum()), 3))
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def draw_folder(folder: Path, count: int, seed: int = 0, size: tuple[int, int] = (32, 24)) -> Path:
    """Write so many pictures of each colour, one folder a class."""
    generator = np.random.default_rng(seed)
    for name, colour in COLOURS.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        for index in range(count):
            disc(colour, generator, size).save(folder / name / f"{index:03}.png")
    return folder
