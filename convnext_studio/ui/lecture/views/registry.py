"""The views that a lecture can use, and the check of a lecture's views and settings."""

import importlib
import pkgutil
from collections.abc import Iterator, Mapping

from convnext_studio.lecture.script import Lecture, LectureStep, mistake
from convnext_studio.ui.lecture import views as views_package
from convnext_studio.ui.lecture.views.live_view import ViewSpec


def _specs() -> Iterator[ViewSpec]:
    """Find the views: every module below this package that has a `SPEC`."""
    prefix = f"{views_package.__name__}."
    for found in pkgutil.walk_packages(views_package.__path__, prefix):
        if found.name != __name__ and not found.ispkg:
            spec = getattr(importlib.import_module(found.name), "SPEC", None)
            if spec is not None:
                yield spec


VIEWS: dict[str, ViewSpec] = {spec.name: spec for spec in _specs()}


def check_lecture(lecture: Lecture, views: Mapping[str, ViewSpec] = VIEWS) -> None:
    """Raise a StudioError with file and line of the first view or setting that does not exist."""
    for step in lecture.steps:
        _check_step(step, views)


def complete_settings(step: LectureStep, views: Mapping[str, ViewSpec] = VIEWS) -> dict[str, str]:
    """Return the settings of a checked step, with defaults for those that it leaves out."""
    return {
        name: step.settings.get(name, setting.default) for name, setting in views[step.view].settings.items()
    }


def _check_step(step: LectureStep, views: Mapping[str, ViewSpec]) -> None:
    def line_of(name: str) -> int:
        return step.lines.get(name, step.line)

    if step.view not in views:
        names = ", ".join(sorted(views))
        raise mistake(step.file, line_of("view"), f"there is no view “{step.view}”; there are: {names}.")
    settings = views[step.view].settings
    for name, value in step.settings.items():
        if name not in settings:
            known = f"it has: {', '.join(settings)}" if settings else "it has none"
            message = f"the view “{step.view}” has no setting “{name}”; {known}."
            raise mistake(step.file, line_of(name), message)
        if not settings[name].accepts(value):
            message = f"“{name}” is {settings[name].allowed}, not “{value}”."
            raise mistake(step.file, line_of(name), message)
