"""The views that a lecture can use, and the check of a lecture's views and settings."""

from collections.abc import Mapping

from convnext_studio.lecture.script import Lecture, Step, mistake
from convnext_studio.ui.lecture.views import picture
from convnext_studio.ui.lecture.views.block import (
    block_designs,
    block_walk,
    drop_path,
    dropped_blocks,
    mixing_matrix,
    swapped_part,
)
from convnext_studio.ui.lecture.views.depthwise import kernels, separable_cost, sliding_kernel
from convnext_studio.ui.lecture.views.large_kernels import (
    attention_cost,
    effective_fields,
    field_growth,
    kernel_cost,
    kernel_field,
)
from convnext_studio.ui.lecture.views.live_view import ViewSpec
from convnext_studio.ui.lecture.views.macro_architecture import downsampling, head, stage_costs, stages, stems
from convnext_studio.ui.lecture.views.norm_and_gelu import activation, norm_axes, norm_values
from convnext_studio.ui.lecture.views.road import road

VIEWS: dict[str, ViewSpec] = {
    spec.name: spec
    for spec in (
        picture.SPEC,
        norm_axes.SPEC,
        norm_values.SPEC,
        activation.SPEC,
        swapped_part.SPEC,
        kernels.SPEC,
        sliding_kernel.SPEC,
        separable_cost.SPEC,
        mixing_matrix.SPEC,
        kernel_field.SPEC,
        kernel_cost.SPEC,
        field_growth.SPEC,
        effective_fields.SPEC,
        attention_cost.SPEC,
        block_designs.SPEC,
        block_walk.SPEC,
        drop_path.SPEC,
        dropped_blocks.SPEC,
        stages.SPEC,
        stage_costs.SPEC,
        stems.SPEC,
        downsampling.SPEC,
        head.SPEC,
        road.SPEC,
    )
}  # fmt: skip


def check_lecture(lecture: Lecture, views: Mapping[str, ViewSpec] = VIEWS) -> None:
    """Raise a StudioError with file and line of the first view or setting that does not exist."""
    for step in lecture.steps:
        _check_step(step, views)


def complete_settings(step: Step, views: Mapping[str, ViewSpec] = VIEWS) -> dict[str, str]:
    """Return the settings of a checked step, with defaults for those that it leaves out."""
    return {
        name: step.settings.get(name, setting.default) for name, setting in views[step.view].settings.items()
    }


def _check_step(step: Step, views: Mapping[str, ViewSpec]) -> None:
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
