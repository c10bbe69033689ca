"""The vectorised changes against torchvision's and timm's, which do one picture or batch at a time."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from timm.data.mixup import mixup_target, rand_bbox
from torch.nn import functional
from torchvision.transforms import RandomResizedCrop
from torchvision.transforms import functional as reference

from convnext_studio.training.augment import (
    augment,
    cutmix,
    jitter_colours,
    jitter_sharpness,
    mixup,
    random_boxes,
    sample_boxes,
    smoothed_targets,
)
from convnext_studio.training.picture_dataset import Pictures

WHOLE = torch.tensor([[0.0, 0.0, 1.0, 1.0]])


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def noise(count: int, height: int, width: int) -> torch.Tensor:
    return torch.randint(0, 256, (count, height, width, 3), generator=seeded(9)).to(torch.uint8)


@given(log_aspect=st.floats(-3, 3), area_min=st.floats(0.01, 1), seed=st.integers(0, 1000))
@settings(deadline=None)
def test_boxes_lie_inside_with_permitted_area_and_proportions(
    log_aspect: float, area_min: float, seed: int
) -> None:
    boxes = random_boxes(torch.full((50,), log_aspect), area_min, seeded(seed)).double()
    left, top, width, height = boxes.T
    assert (left >= 0).all()
    assert (top >= 0).all()
    assert (left + width <= 1 + 1e-6).all()
    assert (top + height <= 1 + 1e-6).all()
    ratio = width / height * math.exp(log_aspect)
    assert ((ratio > 3 / 4 - 1e-4) & (ratio < 4 / 3 + 1e-4)).all()
    largest = min(1, 4 / 3 / math.exp(log_aspect), math.exp(log_aspect) / (3 / 4))
    assert (width * height >= min(area_min, largest) - 1e-4).all()


@pytest.mark.parametrize("size", [(100, 100), (100, 160), (300, 60)])
def test_boxes_are_distributed_as_torchvisions(size: tuple[int, int]) -> None:
    width, height = size
    picture = torch.zeros(3, height, width)
    torch.manual_seed(0)
    drawn = [RandomResizedCrop.get_params(picture, [0.3, 1.0], [3 / 4, 4 / 3]) for _ in range(4000)]
    theirs = torch.tensor([[x / width, y / height, w / width, h / height] for y, x, h, w in drawn])
    ours = random_boxes(torch.full((4000,), math.log(width / height)), 0.3, seeded())
    for measure in (lambda b: b[:, 2] * b[:, 3], lambda b: b[:, 2], lambda b: b[:, 0] + b[:, 2] / 2):
        # Whole pixels and chance: a hundredth each.
        assert abs(measure(ours).mean() - measure(theirs).mean()) < 0.015
        assert abs(measure(ours).std() - measure(theirs).std()) < 0.015


@pytest.mark.parametrize("size", [8, 13, 20])
def test_whole_box_is_bilinear_interpolation(size: int) -> None:
    pixels = noise(1, 16, 12)
    expected = functional.interpolate(
        pixels.permute(0, 3, 1, 2) / 255, (size, size), mode="bilinear", align_corners=False
    )
    found = sample_boxes(pixels, WHOLE, torch.tensor([False]), size)
    torch.testing.assert_close(found, expected, atol=2e-6, rtol=0)
    flipped = sample_boxes(pixels, WHOLE, torch.tensor([True]), size)
    torch.testing.assert_close(flipped, expected.flip(3), atol=2e-6, rtol=0)


def test_box_of_whole_pixels_is_a_slice_of_each_picture() -> None:
    pixels = noise(2, 16, 16)
    boxes = torch.tensor([[2 / 16, 5 / 16, 8 / 16, 8 / 16], [0, 8 / 16, 8 / 16, 8 / 16]])
    found = sample_boxes(pixels, boxes, torch.tensor([False, True]), 8)
    first = pixels[0, 5:13, 2:10].permute(2, 0, 1) / 255
    second = pixels[1, 8:16, 0:8].permute(2, 0, 1).flip(2) / 255
    torch.testing.assert_close(found, torch.stack([first, second]), atol=2e-6, rtol=0)


def test_colours_change_as_torchvisions() -> None:
    batch = noise(3, 6, 5).permute(0, 3, 1, 2) / 255
    factors = torch.empty(3, 3, 1, 1, 1).uniform_(0.6, 1.4, generator=seeded(4)).flatten(1)
    expected = []
    for index, picture in enumerate(batch):
        brightness, contrast, saturation = factors[:, index].tolist()
        changed = reference.adjust_brightness(picture, brightness)
        changed = reference.adjust_contrast(changed, contrast)
        expected.append(reference.adjust_saturation(changed, saturation))
    found = jitter_colours(batch, 0.4, seeded(4))
    torch.testing.assert_close(found, torch.stack(expected), atol=1e-3, rtol=0)
    assert (found - batch).abs().max() > 0.05
    assert jitter_colours(batch, 0, seeded()) is batch


def test_smoothed_targets_are_timms() -> None:
    targets = torch.tensor([2, 0, 1])
    expected = mixup_target(targets, 4, lam=1.0, smoothing=0.1)
    torch.testing.assert_close(smoothed_targets(targets, 4, 0.1), expected)


def test_mixup_blends_pictures_and_targets_alike() -> None:
    batch, indices = torch.rand(4, 3, 5, 5), torch.tensor([0, 1, 2, 3])
    mixed, targets = mixup(batch, smoothed_targets(indices, 4, 0.1), 0.5, seeded(1))
    weight = float((targets[0, 0] - targets[0, 3]) / 0.9 + 1) / 2
    assert 0.05 < weight < 0.95
    torch.testing.assert_close(targets, mixup_target(indices, 4, lam=weight, smoothing=0.1))
    torch.testing.assert_close(mixed, batch * weight + batch.flip(0) * (1 - weight))


def test_mixup_weight_is_distributed_as_beta() -> None:
    batch, targets = torch.zeros(2, 3, 1, 1), torch.eye(2)
    generator = seeded(3)
    weights = torch.stack([mixup(batch, targets, 0.4, generator)[1][0, 0] for _ in range(3000)])
    theirs = torch.distributions.Beta(0.4, 0.4)
    assert abs(weights.mean() - theirs.mean) < 0.03
    assert abs(weights.var() - theirs.variance) < 0.01


def test_cutmix_pastes_a_box_and_counts_its_pixels() -> None:
    batch = torch.arange(2.0).view(2, 1, 1, 1).expand(2, 3, 20, 30)
    generator = seeded(5)
    areas = []
    for _ in range(300):
        mixed, targets = cutmix(batch, torch.eye(2), 1.0, generator)
        pasted = mixed[0, 0] == 1
        assert torch.equal(mixed[1], 1 - mixed[0])
        assert float(targets[0, 1]) == pytest.approx(float(pasted.float().mean()), abs=1e-6)
        rows, columns = pasted.any(1), pasted.any(0)
        assert torch.equal(pasted, rows[:, None] & columns[None])
        areas.append(float(targets[0, 1]))
    theirs = []
    for weight in torch.distributions.Beta(1.0, 1.0).sample((2000,)).tolist():
        top, bottom, left, right = rand_bbox((2, 3, 20, 30), weight)
        theirs.append((bottom - top) * (right - left) / 600)
    assert sum(areas) / len(areas) == pytest.approx(sum(theirs) / len(theirs), abs=0.05)


def test_the_generator_decides_everything() -> None:
    batch = Pictures(noise(6, 12, 12), torch.zeros(6), torch.zeros(6, dtype=torch.int64))
    torch.manual_seed(1)
    first = augment(batch, 10, 0.4, 0.3, 0.5, seeded(7))
    torch.manual_seed(2)
    assert torch.equal(first, augment(batch, 10, 0.4, 0.3, 0.5, seeded(7)))
    assert not torch.equal(first, augment(batch, 10, 0.4, 0.3, 0.5, seeded(8)))
    assert first.shape == (6, 3, 10, 10)


def test_sharpness_adds_or_takes_away_what_a_blur_takes() -> None:
    torch.manual_seed(0)
    batch = torch.rand(64, 3, 9, 9) * 0.2 + 0.4
    changed = jitter_sharpness(batch, 0.5, seeded(2))
    assert jitter_sharpness(batch, 0, seeded(2)) is batch
    blurred = functional.avg_pool2d(functional.avg_pool2d(batch, 2, 1), 2, 1)  # 1 2 1 twice, of the inside.
    detail = batch[:, :, 1:-1, 1:-1] - blurred
    factors = (changed - batch)[:, :, 1:-1, 1:-1] / detail
    each = factors.flatten(1).median(1).values
    assert -0.5 <= each.min() < -0.3
    assert 0.3 < each.max() <= 0.5
    torch.testing.assert_close(
        changed[:, :, 1:-1, 1:-1], batch[:, :, 1:-1, 1:-1] + each.view(-1, 1, 1, 1) * detail, atol=1e-5, rtol=0
    )
    flat = torch.full((1, 3, 5, 5), 0.3)
    torch.testing.assert_close(jitter_sharpness(flat, 0.5, seeded(2)), flat)
