"""Pictures with what a teacher thinks of them beside what their folders say."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from convnext_studio.common.errors import StudioError
from convnext_studio.training.pictures import Listing, Pictures
from convnext_studio.training.plan import TrainingPlan
from convnext_studio.training.soft_targets import SoftTargets, digest, read_soft_targets


@dataclass(frozen=True, slots=True)
class Lesson:
    """A file of soft targets that a training learns from, known again by its contents.

    Attributes
    ----------
    path
        Where it lies.
    sha256
        Of its bytes.
    """

    path: Path
    sha256: str

    @classmethod
    def of(cls, path: Path) -> "Lesson":
        """The lesson that the file at `path` is now."""
        return cls(path.absolute(), digest(path))


def read_lesson(begun: Lesson | None, path: Path | None) -> tuple[SoftTargets | None, Lesson | None]:
    """The soft targets that a training was begun with, or that it shall begin with.

    Parameters
    ----------
    begun
        What a resumed training was begun with.
    path
        The file, for a new training; for a resumed one where the file has been moved to.

    Raises
    ------
    StudioError
        Where the file cannot be used, or is another than the training was begun with.
    """
    place = path or (begun.path if begun else None)
    if place is None:
        return None, None
    targets = read_soft_targets(place)
    lesson = Lesson.of(place)
    if begun is not None and begun.sha256 != lesson.sha256:
        raise StudioError(f"{place.name} is not the file of soft targets with which the training was started.")
    return targets, lesson


def words(names: Sequence[str]) -> tuple[str, ...]:
    """Folder names as class names in plain words."""
    return tuple(name.replace("_", " ") for name in names)


def names_below(folder: Path, paths: Sequence[Path]) -> list[str]:
    """What files of soft targets call the pictures."""
    return [path.relative_to(folder).as_posix() for path in paths]


def taught(
    pictures: Pictures, folders: tuple[str, ...], names: list[str], lesson: SoftTargets, plan: TrainingPlan
) -> Pictures:
    """The same pictures with the teacher's targets; their own become indices into the teacher's classes.

    Where nothing is learnt from the folders (a distill weight of 1), they may be named as they like; then a
    picture counts as what the teacher holds most probable.

    Parameters
    ----------
    pictures
        Decoded.
    folders
        The classes of their targets, in plain words.
    names
        What the lesson calls them.
    lesson
        Soft targets.
    plan
        How much is learnt from them, and at which temperature.

    Raises
    ------
    StudioError
        Where the lesson lacks pictures or classes.
    """
    soft = torch.from_numpy(lesson.rows(names, plan.temperature))
    unknown = [name for name in folders if name not in lesson.classes]
    if not unknown:
        places = torch.tensor([lesson.classes.index(name) for name in folders])
        targets = places[pictures.targets]
    elif plan.distill_weight == 1:
        targets = soft.argmax(1)
    else:
        raise StudioError(
            f"The soft targets have no class {', '.join(unknown[:5])}.",
            "Learn only from them, with --distill-weight 1, or make them for the classes of the folders.",
        )
    return replace(pictures, targets=targets, soft=soft)


def present(listing: Listing, unreadable: Sequence[Path]) -> list[Path]:
    """The listed pictures that could be read, in order."""
    left_out = set(unreadable)
    return [path for path in listing.paths if path not in left_out]
