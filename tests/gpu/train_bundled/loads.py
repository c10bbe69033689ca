"""Photographs and soft targets in files small enough to travel."""

import io
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray
from PIL import Image
from timm.data import ImageNetInfo

LARGEST_BYTES = 55 << 20
KEPT = 16
"""Of the teacher's 1,000 shares of a picture: the largest, which hold all but some per cent of it."""
_COMPRESSED = 0.75
"""Of the bytes of some photographs, at most, what a load of them has."""
IMAGENET = 1000


class Load(Struct, frozen=True, kw_only=True):
    """Some photographs.

    Attributes
    ----------
    jpegs
        Their files' bytes.
    targets
        (N,) int16: the class of photos24; -1 for others.
    is_validation
        (N,) bool.
    soft_classes, soft_shares
        (N, `KEPT`) uint16 and float16: what the teacher thinks; shares of 0 where it was not asked.
    classes
        The names of photos24's classes.
    class_of
        (1000,) int16: the class of photos24 that each of ImageNet's is part of; -1 for none.
    """

    jpegs: Sequence[bytes]
    targets: NDArray[np.int16]
    is_validation: NDArray[np.bool_]
    soft_classes: NDArray[np.uint16]
    soft_shares: NDArray[np.float16]
    classes: tuple[str, ...]
    class_of: NDArray[np.int16]

    def write(self, path: Path) -> None:
        """As one file, compressed: a third of such small JPEG files are tables, the same in each."""
        np.savez_compressed(
            path,
            bytes=np.frombuffer(b"".join(self.jpegs), np.uint8),
            sizes=np.array([len(jpeg) for jpeg in self.jpegs], np.uint32),
            targets=self.targets,
            is_validation=self.is_validation,
            soft_classes=self.soft_classes,
            soft_shares=self.soft_shares,
            classes=np.array(self.classes),
            class_of=self.class_of,
        )

    def pixels(self) -> NDArray[np.uint8]:
        """(N, 64, 64, 3), decoded by all processors."""
        with ThreadPoolExecutor() as pool:
            return np.stack(list(pool.map(_decoded, self.jpegs)))


def read(path: Path) -> Load:
    """A load that `Load.write` wrote."""
    with np.load(path, allow_pickle=False) as arrays:
        ends = np.cumsum(arrays["sizes"], dtype=np.int64)
        whole = arrays["bytes"].tobytes()
        starts = [0, *ends[:-1].tolist()]
        return Load(
            jpegs=[whole[begin:end] for begin, end in zip(starts, ends.tolist(), strict=True)],
            targets=arrays["targets"],
            is_validation=arrays["is_validation"],
            soft_classes=arrays["soft_classes"],
            soft_shares=arrays["soft_shares"],
            classes=tuple(str(name) for name in arrays["classes"]),
            class_of=arrays["class_of"],
        )


def _decoded(jpeg: bytes) -> NDArray[np.uint8]:
    return np.asarray(Image.open(io.BytesIO(jpeg)).convert("RGB"))


def pack(photographs: Path, classes: Path, soft: Path, out: Path, share: float = 1.0) -> list[Path]:
    """Write the loads: photos24 first, then as many others as there are; `share` of all, evenly.

    Raises
    ------
    ValueError
        Where photos24 alone is larger than a load.
    """
    out.mkdir(parents=True, exist_ok=True)
    table = _table(classes)
    shares = _soft_targets(soft)
    first = sorted(photographs.glob("photos24/*/*/*.JPEG"))
    others = sorted(photographs.glob("others148/*/*/*.JPEG"))
    step = round(1 / share)
    groups = [first[::step], *_in_loads(others[::step])]
    written = []
    for index, paths in enumerate(groups):
        path = out / f"load-{index}.npz"
        _load(photographs, paths, table, shares).write(path)
        if path.stat().st_size > LARGEST_BYTES:
            raise ValueError(f"{path} has {path.stat().st_size >> 20} MiB")
        written.append(path)
    return written


def _in_loads(paths: Sequence[Path]) -> Iterator[list[Path]]:
    """As many as fit into a load beside their soft targets."""
    group: list[Path] = []
    size = 0.0
    for path in paths:
        taken = _COMPRESSED * path.stat().st_size + 4 * KEPT + 16
        if size + taken > LARGEST_BYTES - (1 << 20):
            yield group
            group, size = [], 0.0
        group.append(path)
        size += taken
    if group:
        yield group


def _table(classes: Path) -> dict[str, str]:
    """WordNet ids by the class of photos24 that they belong to; empty for none."""
    lines = classes.read_text().splitlines()[1:]
    return {cells[0]: cells[1] for cells in (line.split("\t") for line in lines)}


def _soft_targets(soft: Path) -> dict[str, NDArray[np.float16]]:
    """By path: (1000,) shares, of those pictures that the teacher was asked about."""
    names = (soft / "soft.txt").read_text().splitlines()
    found: dict[str, NDArray[np.float16]] = {}
    for path in sorted((soft / "soft").glob("[0-9]*[0-9].npy")):
        rows = np.load(path, mmap_mode="r")
        begin = int(path.stem) * 2000
        found |= dict(zip(names[begin : begin + len(rows)], rows, strict=True))
    return found


def _load(
    photographs: Path, paths: Sequence[Path], table: dict[str, str], shares: dict[str, NDArray[np.float16]]
) -> Load:
    classes = tuple(sorted({name for name in table.values() if name}))
    names = [path.relative_to(photographs).as_posix() for path in paths]
    of_soft = np.zeros((len(paths), IMAGENET), np.float32)
    for row, name in enumerate(names):
        if name in shares:
            of_soft[row] = shares[name]
    largest = np.argsort(-of_soft, axis=1)[:, :KEPT]
    class_of = np.full(IMAGENET, -1, np.int16)
    synsets = ImageNetInfo().label_names()
    for synset, name in table.items():
        if name:
            class_of[synsets.index(synset)] = classes.index(name)
    targets = [classes.index(name.split("/")[2]) if name.startswith("photos24") else -1 for name in names]
    return Load(
        jpegs=[path.read_bytes() for path in paths],
        targets=np.array(targets, np.int16),
        is_validation=np.array([name.split("/")[1] == "val" for name in names]),
        soft_classes=largest.astype(np.uint16),
        soft_shares=np.take_along_axis(of_soft, largest, 1).astype(np.float16),
        classes=classes,
        class_of=class_of,
    )
