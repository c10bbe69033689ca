"""Add a teacher's soft targets to pictures that are labelled by their folders."""

from collections.abc import Sequence
from pathlib import Path

import torch
from msgspec import Struct
from msgspec.structs import replace

from convnext_studio.common.errors import StudioError
from convnext_studio.common.foreign.bounded_files import digest
from convnext_studio.training.picture_dataset import Listing, Pictures
from convnext_studio.training.plan import TrainingPlan
from convnext_studio.training.soft_targets import SoftTargets, read_soft_targets


class Lesson(Struct, frozen=True):
    """A file of soft targets that a training run learns from, identified by its contents.

    Attributes
    ----------
    path
        Path of the file.
    sha256
        SHA-256 of its bytes.
    """

    path: Path
    sha256: str

    @classmethod
    def of(cls, path: Path) -> "Lesson":
        """Return the lesson for the file at `path` with its present contents."""
        return cls(path.absolute(), digest(path))


def read_lesson(begun: Lesson | None, path: Path | None) -> tuple[SoftTargets | None, Lesson | None]:
    """Read the soft targets for a new or resumed training run, and return them with their lesson.

    Parameters
    ----------
    begun
        The lesson with which a resumed run was started; None for a new run.
    path
        The file for a new run, or where a resumed run's file has been moved to.

    Raises
    ------
    StudioError
        If the file cannot be used, or is not the one with which the run was started.
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
    """Turn folder names into class names in plain words."""
    return tuple(name.replace("_", " ") for name in names)


def names_below(folder: Path, paths: Sequence[Path]) -> list[str]:
    """Return the names by which files of soft targets identify the pictures."""
    return [path.relative_to(folder).as_posix() for path in paths]


def taught(
    pictures: Pictures, folders: tuple[str, ...], names: list[str], lesson: SoftTargets, plan: TrainingPlan
) -> Pictures:
    """Return the pictures with the teacher's soft targets, and with targets that index the teacher's classes.

    If nothing is learnt from the folders (a distill weight of 1), their names need not be classes of the
    teacher; each picture's target is then the class that the teacher finds most probable.

    Parameters
    ----------
    pictures
        The decoded pictures.
    folders
        The classes of their targets, in plain words.
    names
        The pictures' names in the lesson.
    lesson
        The soft targets.
    plan
        The training plan, with the distill weight and the temperature.

    Raises
    ------
    StudioError
        If the lesson lacks pictures or classes.
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
    """Return the listed pictures that could be read, in order."""
    left_out = set(unreadable)
    return [path for path in listing.paths if path not in left_out]
