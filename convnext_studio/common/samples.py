"""Free sample photographs from scikit-image and matplotlib, found without importing these packages."""

from importlib.util import find_spec
from pathlib import Path

from msgspec import Struct

from convnext_studio.common.errors import StudioError

SAMPLE_PREFIX = "sample:"
FIRST_SAMPLE = "coffee"


class Sample(Struct, frozen=True):
    """A sample photograph in an installed package.

    Attributes
    ----------
    title
        The subject of the photograph.
    package
        The top-level package that contains it.
    relative_path
        Its path in that package.
    credit
        The photographer and the licence.
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
    """Return the path of a sample on this computer.

    Raises
    ------
    StudioError
        If no sample has that name (the hint lists them), or its package does not contain the file.
    """
    if name not in SAMPLES:
        raise StudioError(f"There is no sample “{name}”.", f"There are: {', '.join(SAMPLES)}.")
    sample = SAMPLES[name]
    spec = find_spec(sample.package)
    for folder in (spec.submodule_search_locations or ()) if spec is not None else ():
        path = Path(folder, sample.relative_path)
        if path.is_file():
            return path
    raise StudioError(
        f"The sample “{name}” is missing: {sample.package} does not contain {sample.relative_path}.",
        f"Reinstall {sample.package}, or open a picture of your own.",
    )
