"""Fetch the small wheels that a machine with PyTorch and timm lacks, to travel along with the checkout.

``python -m tests.gpu.fetch_wheels FOLDER``, where the network is. All that pyproject.toml asks for and such a
machine does not have, without the window's Qt and without what they need in their turn that is there already.
"""

import argparse
import subprocess
import sys
from pathlib import Path

PACKAGES = ("captum", "cmap", "platformdirs", "msgspec", "cachetools", "shtab")
"""What travels: together a few megabytes."""
ARE_THERE = (
    "torch", "timm", "pillow", "safetensors", "numpy", "scikit-image", "tifffile", "matplotlib", "contourpy",
    "scipy",
)  # fmt: skip
OF_THE_WINDOW = ("PySide6-Essentials", "pyqtgraph", "imagecodecs")
"""What no check on a GPU needs; imagecodecs is imported where a picture needs it."""
LARGEST_BYTES = 60 << 20
PYTHON = "3.12"
PLATFORMS = (
    "manylinux_2_28_x86_64",
    "manylinux_2_27_x86_64",
    "manylinux_2_17_x86_64",
    "manylinux2014_x86_64",
    "manylinux1_x86_64",
)


def fetch(folder: Path, packages: tuple[str, ...] = PACKAGES) -> int:
    """Download the wheels into a folder; their size in bytes.

    Raises
    ------
    ValueError
        Where they are more than may travel.
    """
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
    command += ["--python-version", PYTHON, "--implementation", "cp", "-d", str(folder)]
    command += [part for platform in PLATFORMS for part in ("--platform", platform)]
    subprocess.run([*command, *packages], check=True)
    size = sum(path.stat().st_size for path in folder.glob("*.whl"))
    if size > LARGEST_BYTES:
        raise ValueError(f"the wheels have {size >> 20} MiB")
    return size


def main() -> int:
    """Fetch, and say what came."""
    parser = argparse.ArgumentParser(prog="python -m tests.gpu.fetch_wheels", description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    size = fetch(folder)
    print(f"{len(list(folder.glob('*.whl')))} wheels, {size / 2**20:.1f} MiB, in {folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
