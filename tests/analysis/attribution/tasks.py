"""Tasks of attribution methods, and inputs of which a part is padding."""

from collections import deque
from collections.abc import Sequence

from torch import Tensor

from convnext_studio.analysis.attribution import Explained, Outputs, Question, explain, make_question
from convnext_studio.analysis.attribution.task import AttributionTask
from convnext_studio.analysis.capture import never
from convnext_studio.common.attribution_methods import Output, method_named
from convnext_studio.common.geometry import CropGeometry
from convnext_studio.model.framing import Framing, Grid, framed_geometry
from convnext_studio.model.loaded import LoadedModel

TARGET, AGAINST = 3, 2
# Rows 6 to 56 of an input of 64 by 64 show a picture of 100 by 80; or its columns one of 80 by 100.
GRID = Grid(step_px=32, smallest_px=32)
WIDE = framed_geometry(Framing(kind="whole"), (100, 80), 64, GRID)
TALL = framed_geometry(Framing(kind="whole"), (80, 100), 64, GRID)


def outputs_of(model: LoadedModel, output: Output) -> Outputs:
    """The outputs that are explained."""
    against = AGAINST if output == "difference" else None
    return Outputs.of(output, TARGET, against, model.config.num_classes)


def task_of(
    model: LoadedModel, tensor: Tensor, output: Output, geometry: CropGeometry | None = None
) -> AttributionTask:
    """A task without nodes and settings."""
    return AttributionTask(
        model=model,
        tensor=tensor,
        outputs=outputs_of(model, output),
        nodes=(),
        settings={},
        should_stop=never,
        geometry=geometry,
    )


def question_of(model: LoadedModel, method: str, nodes: Sequence[str], output: Output) -> Question:
    """A question about some nodes."""
    return make_question(model, method_named(method), outputs_of(model, output), nodes)


def alone(
    model: LoadedModel, tensor: Tensor, question: Question, geometry: CropGeometry | None = None
) -> Explained:
    """The answer of a method by itself."""
    (last,) = deque(explain(model, tensor, question, geometry=geometry), maxlen=1)
    return last
