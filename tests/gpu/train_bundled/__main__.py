"""Command line: pack the photographs, train on them."""

import argparse
import sys
import time
from pathlib import Path

import torch

from tests.gpu.train_bundled.loads import pack, read
from tests.gpu.train_bundled.training import Recipe, Trainer, photographs


def main() -> int:
    """Pack or train."""
    parser = argparse.ArgumentParser(prog="python -m tests.gpu.train_bundled")
    commands = parser.add_subparsers(dest="command", required=True)
    packing = commands.add_parser("pack", help="photographs and soft targets into loads")
    packing.add_argument("photographs", type=Path)
    packing.add_argument("classes", type=Path)
    packing.add_argument("soft", type=Path)
    packing.add_argument("out", type=Path)
    packing.add_argument("--share", type=float, default=1.0, help="part of the photographs; 0.01 rehearses")
    training = commands.add_parser("train", help="train until the time is up")
    training.add_argument("loads", type=Path)
    training.add_argument("out", type=Path)
    training.add_argument("--stage", choices=("pretrain", "finetune"), default="finetune")
    training.add_argument("--seconds", type=float, required=True)
    training.add_argument("--init", type=Path)
    training.add_argument("--batch", type=int, default=1024)
    training.add_argument("--rate", type=float, default=2e-3)
    training.add_argument("--side-px", type=int, default=96)
    training.add_argument("--depths", type=int, nargs=4, default=(3, 3, 9, 3))
    training.add_argument("--dims", type=int, nargs=4, default=(64, 128, 256, 512))
    options = parser.parse_args()
    return _pack(options) if options.command == "pack" else _train(options)


def _pack(options: argparse.Namespace) -> int:
    for path in pack(options.photographs, options.classes, options.soft, options.out, options.share):
        load = read(path)
        taught = (load.soft_shares.sum(axis=1) > 0).sum()
        size = f"{path.stat().st_size / 2**20:.1f} MiB"
        print(f"{path}: {len(load.targets)} photographs, {taught} with soft targets, {size}")
    return 0


def _train(options: argparse.Namespace) -> int:
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    options.out.mkdir(parents=True, exist_ok=True)
    recipe = Recipe(
        stage=options.stage,
        seconds=options.seconds,
        batch=options.batch,
        rate=options.rate,
        side_px=options.side_px,
        depths=tuple(options.depths),
        dims=tuple(options.dims),
    )
    begin = time.monotonic()
    photos = photographs(
        [read(path) for path in sorted(options.loads.glob("load-*.npz"))], recipe.stage, device
    )
    print(
        f"{len(photos.learn)} to learn from, {len(photos.held)} to validate, {time.monotonic() - begin:.1f} s"
    )
    for name, value in Trainer(recipe, photos, options.out, options.init).run().items():
        print(f"{name}: {value}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
