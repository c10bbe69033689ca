"""The handler that measures the effective receptive field of a node's unit."""

from collections.abc import Generator, Iterator, Sequence
from typing import cast

from msgspec.structs import replace

from convnext_studio.analysis.attribution.grids import PIXELS
from convnext_studio.analysis.features import without_padding
from convnext_studio.analysis.receptive_field import FieldSoFar, Signal, running_average
from convnext_studio.common.errors import StudioError
from convnext_studio.common.geometry import FieldGeometry
from convnext_studio.common.stopping import Stopped
from convnext_studio.engine.handlers.receptive_fields.field_inputs import (
    FieldInputs,
    inputs_of,
)
from convnext_studio.engine.server.handler_registry import handles
from convnext_studio.engine.server.hardware.devices import resolve_device
from convnext_studio.engine.server.workspace import ShouldStop, Workspace
from convnext_studio.erf import (
    SQUASHED,
    Field,
    MeasurementSettings,
    Protocol,
    curves_of,
    definition,
    field_notes,
    fit_gaussian,
    protocol_text,
    squares,
)
from convnext_studio.model.frame_keys import number_of
from convnext_studio.model.loaded import LoadedModel
from convnext_studio.protocol.envelope import Progress
from convnext_studio.protocol.receptive_fields import (
    THRESHOLDS,
    FieldRequest,
    ReceptiveField,
    ReceptiveFieldResult,
    Scale,
    Square,
)

SCALES: tuple[Scale, Scale] = ("linear", "log")
DEFAULT_INPUT_PX = 224
LAST = "last"


@handles(ReceptiveField)
def receptive_field(
    workspace: Workspace, request: ReceptiveField, should_stop: ShouldStop
) -> Generator[Progress, None, ReceptiveFieldResult]:
    """Average the field over its inputs, with partial answers as it sharpens."""
    model = yield from subject_of(workspace, request, should_stop)
    measurement = Measurement.of(workspace, model, request)
    request = measurement.request
    # Results for a folder are not cached, because its contents may change.
    key = None if request.inputs == "folder" else workspace.key("erf", replace(request, id=0, panel=""))
    kept = workspace.results.get(key)
    if kept is not None:
        return cast("ReceptiveFieldResult", kept)
    is_pointless = until_another_model(workspace, request, should_stop)
    inputs = measurement.inputs
    yield from sizes_found(inputs, request, is_pointless)
    average: FieldSoFar | None = None
    if measurement.is_of_frames:
        averages = average_of_frames(workspace, measurement, is_pointless)
    else:
        averages = running_average(model, inputs.tensors(), measurement.signal, is_pointless)
    for average in averages:
        if average.done < inputs.total:
            text = f"Receptive field: {average.done} of {inputs.total}"
            partial = measurement.result(average) if average.used else None
            yield Progress(id=request.id, done=average.done, total=inputs.total, text=text, partial=partial)
    result = measurement.final(average)
    if key is not None:
        workspace.results.put(key, result)
    return result


def average_of_frames(
    workspace: Workspace, measurement: "Measurement", should_stop: ShouldStop
) -> Iterator[FieldSoFar]:
    """Average over frames of a live source; each of them is measured once, whatever it is averaged with.

    Yields
    ------
    FieldSoFar
        The average over all frames; while several are new, also that over the frames before each of them.
    """
    model, inputs, request = measurement.model, measurement.inputs, measurement.request
    alone = [replace(request, id=0, panel="", images=(image,), count=1) for image in request.images]
    keys = [workspace.key("erf of a frame", each) for each in alone]
    is_first_time = sum(workspace.frame_fields.get(key) is None for key in keys) > 1
    known: list[FieldSoFar] = []
    for one, key in zip(alone, keys, strict=True):
        field = workspace.frame_fields.get(key)
        if field is None:
            if known and is_first_time:
                yield joined(known)
            new = Measurement.of(workspace, model, one)
            for field in running_average(model, new.inputs.tensors(), new.signal, should_stop):
                workspace.frame_fields.put(key, field)
            inputs.unreadable += new.inputs.unreadable
        if field is not None:
            known.append(field)
            frame = one.images[0]
            inputs.geometry = inputs.geometry_of(frame, workspace.picture(frame))
    if known:
        yield joined(known)


def joined(averages: Sequence[FieldSoFar]) -> FieldSoFar:
    """Return the average over the inputs of several averages for the same unit."""
    lost: list[int] = []
    done = 0
    for each in averages:
        lost += [done + index for index in each.skipped]
        done += each.done
    return FieldSoFar(
        total=sum((each.total for each in averages[1:]), start=averages[0].total),
        used=sum(each.used for each in averages),
        skipped=tuple(lost),
        unit=averages[0].unit,
    )


def subject_of(
    workspace: Workspace, request: FieldRequest, should_stop: ShouldStop
) -> Generator[Progress, None, LoadedModel]:
    """Return the network that a request is about, opening it beside the current one if it is another.

    Raises
    ------
    StudioError
        If it cannot be loaded or built.
    """
    subject = request.subject
    if subject.is_current:
        model = workspace.model
        return replace(model, title=subject.title) if subject.title else model
    device = workspace.model.device if workspace.has_model else resolve_device("auto")
    input_px = workspace.model.preprocessing.input_px if workspace.has_model else DEFAULT_INPUT_PX
    return (yield from workspace.compared.open(subject, device, input_px, request.id, should_stop))


def until_another_model(workspace: Workspace, request: FieldRequest, should_stop: ShouldStop) -> ShouldStop:
    """Return a `should_stop` that is also true once the open model, if it is the one measured, was replaced."""
    return workspace.until_another_model(should_stop) if request.subject.is_current else should_stop


def sizes_found(
    inputs: FieldInputs, request: FieldRequest, should_stop: ShouldStop
) -> Generator[Progress, None, None]:
    """Look at the pictures until it is known to which size they are cropped.

    Raises
    ------
    StudioError
        If they have no part in common.
    Stopped
        Once `should_stop()` is true.
    """
    for done in inputs.find_size():
        if should_stop():
            raise Stopped
        text = f"Size of the pictures: {done} of {inputs.total}"
        yield Progress(id=request.id, done=0, total=inputs.total, text=text)


class Measurement:
    """A field that is being measured: its network, its request with all defaults filled in, and its inputs."""

    def __init__(self, model: LoadedModel, request: ReceptiveField, inputs: FieldInputs) -> None:
        self.model, self.request, self.inputs = model, request, inputs
        self.signal = Signal(
            node=request.node, unit=request.unit, target=request.target, protocol=request.protocol
        )

    @classmethod
    def of(cls, workspace: Workspace, model: LoadedModel, request: ReceptiveField) -> "Measurement":
        """Fill in what a request leaves open, and find its inputs.

        Raises
        ------
        StudioError
            If the request cannot be met.
        """
        node = request.subject.node or request.node
        if node == LAST or request.target is not None:
            node = model.config.stages[-1]
        if not model.node(node).has_positions:
            raise StudioError("The head is pooled over the whole picture.", "Measure a stage, or a block.")
        settled, inputs = inputs_of(workspace, model, replace(request, node=node))
        return cls(model, settled, inputs)

    @property
    def is_of_frames(self) -> bool:
        """Whether the open model is measured on frames of a live source, all of them of one size."""
        request = self.request
        are_frames = all(number_of(image) is not None for image in request.images)
        is_usual = request.subject.is_current and request.framing == "squashed" and not self.inputs.fills_up
        return bool(request.images) and are_frames and is_usual

    def final(self, average: FieldSoFar | None) -> ReceptiveFieldResult:
        """Return the final result.

        Raises
        ------
        StudioError
            If no picture could be read, or all were skipped.
        """
        if average is None:
            raise self.inputs.nothing_read()
        if average.used == 0:
            raise no_gradient()
        result = self.result(average)
        return replace(result, notes=(*self.inputs.notes(), *result.notes))

    def result(self, average: FieldSoFar) -> ReceptiveFieldResult:
        """Return the result for the inputs averaged so far."""
        request, model = self.request, self.model
        field_map = average.field
        if self.inputs.geometry is not None:
            field_map = without_padding(field_map, PIXELS, self.inputs.geometry)
        size = (field_map.shape[1], field_map.shape[0])
        theoretical, centre = self._geometry(average.unit, size)
        found = squares_of(field_map, request.protocol, centre)
        scale = definition(request.protocol).scale
        is_noise, has_one = self.inputs.is_noise, average.used == 1 and self.inputs.total == 1
        pictures, noises = self.inputs.averaged(average.used, average.skipped)
        measured = MeasurementSettings(
            protocol=request.protocol,
            node=request.node,
            unit=average.unit,
            target=request.target,
            is_last_map=request.node in last_map(model),
            input_size=size,
            fitted=self.inputs.fitted or SQUASHED,
            pictures=pictures,
            noises=noises,
        )
        return ReceptiveFieldResult(
            node=request.node,
            protocol=request.protocol,
            protocol_text=protocol_text(measured),
            field_map=field_map,
            squares=found,
            curves=curves_of(field_map, centre),
            gaussian=fit_gaussian(field_map, centre),
            centre_px=centre,
            theoretical=theoretical,
            unit=average.unit,
            pictures=pictures,
            noises=noises,
            skipped=len(average.skipped),
            count=request.count,
            target=request.target,
            unreadable=tuple(self.inputs.unreadable),
            notes=(*field_notes(field_map, scale, found[scale]), *self._notes(average, theoretical)),
            title=model.title,
            source=model.source,
            fitted=self.inputs.fitted,
            geometry=self.inputs.geometry if has_one and not is_noise else None,
            random_weights=model.random_weights,
        )

    def _geometry(
        self, unit: tuple[int, int], size: tuple[int, int]
    ) -> tuple[FieldGeometry, tuple[float, float]]:
        """Return the theoretical field, and x and y of the point around which squares grow."""
        width, height = size
        field = self.model.node(self.request.node).field
        if definition(self.request.protocol).published_centre:
            centre = (width // 2 + 0.5, height // 2 + 0.5)
        elif self.request.target is not None:
            centre = (width / 2, height / 2)
        else:
            centre = (field.centre_px(unit[1]), field.centre_px(unit[0]))
        # A class score pools over the whole map.
        return (field if self.request.target is None else replace(field, is_global=True)), centre

    def _notes(self, average: FieldSoFar, theoretical: FieldGeometry) -> list[str]:
        said = self.inputs.shape_notes()
        if average.skipped:
            lost = len(average.skipped)
            said.append(
                f"{lost} input{' was' if lost == 1 else 's were'} skipped, because the gradient was not finite."
            )
        if theoretical.is_global and self.request.target is None:
            said.append("The theoretical field is the whole input, because the network pools over its maps.")
        return said


def no_gradient() -> StudioError:
    """Return the error to raise if every picture was skipped."""
    return StudioError(
        "No picture gave a finite gradient.", "The weights or the pictures contain extreme values."
    )


def last_map(model: LoadedModel) -> tuple[str, str]:
    """Return the names of the last map before the head: the last stage, and its last block."""
    stage = model.config.stages[-1]
    inside = [node.name for node in model.nodes if node.name.startswith(f"{stage}.") and node.kind == "block"]
    return stage, inside[-1] if inside else stage


def squares_of(
    field_map: Field, protocol: Protocol, centre: tuple[float, float]
) -> dict[Scale, tuple[Square, ...]]:
    """Return the squares of a field by scale, around the centre that its protocol defines."""
    around = "replknet" if definition(protocol).published_centre else centre
    return {scale: tuple(squares(field_map, THRESHOLDS, scale, around)) for scale in SCALES}
