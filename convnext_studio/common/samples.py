"""Freely usable photographs that come with scikit-image and matplotlib, found without importing either."""

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from convnext_studio.common.errors import StudioError

SAMPLE_PREFIX = "sample:"
FIRST_SAMPLE = "coffee"


@dataclass(frozen=True, slots=True)
class Sample:
    """A photograph in an installed package.

    Attributes
    ----------
    title
        What is to be seen.
    package
        Top-level package that installs it.
    relative_path
        Where it lies in that package.
    credit
        Who took it and what may be done with it.
    """

    title: str
    package: str
    relative_path: str
    credit: str


SAMPLES: dict[str, Sample] = {
    "cat": Sample("Cat", "skimage", "data/chelsea.png", "Stéfan van der Walt, CC0"),
    "coffee": Sample("Coffee cup", "skimage", "data/coffee.png", "Rachel Michetti, CC0"),
    "rocket": Sample("Rocket", "skimage", "data/rocket.jpg", "SpaceX, CC0"),
    "astronaut": Sample("Astronaut", "skimage", "data/astronaut.png", "NASA, public domain"),
    "hopper": Sample(
        "Grace Hopper",
        "matplotlib",
        "mpl-data/sample_data/grace_hopper.jpg",
        "James S. Davis, US Navy, public domain",
    ),
}


def sample_path(name: str) -> Path:
    """Where a sample lies on this machine.

    Raises
    ------
    StudioError
        Where no sample has that name (the hint lists them), or its package does not bring the file.
    """
    if name not in SAMPLES:
        raise StudioError(f"There is no sample {name!r}.", f"There are: {', '.join(SAMPLES)}.")
    sample = SAMPLES[name]
    spec = find_spec(sample.package)
    for folder in (spec.submodule_search_locations or ()) if spec is not None else ():
        path = Path(folder, sample.relative_path)
        if path.is_file():
            return path
    raise StudioError(
        f"The sample {name!r} is not on this machine: {sample.package} did not bring {sample.relative_path}.",
        f"Reinstall {sample.package}, or open a picture of your own.",
    )
