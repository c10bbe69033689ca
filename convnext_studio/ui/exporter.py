"""Asks the engine for what an export lacks, then writes it in the background."""

import itertools
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from convnext_studio.engine.messages import (
    Cancelled,
    Done,
    Explanation,
    Failed,
    Faithfulness,
    FeatureMaps,
    FeatureMapsResult,
    ImageInfo,
    ModelInfo,
    Payload,
    Prediction,
    ReceptiveField,
    ReceptiveFieldResult,
    Request,
)
from convnext_studio.export import (
    ExportContents,
    MapContents,
    export_contact_sheet,
    export_map,
    export_picture,
)
from convnext_studio.ui.background import Background
from convnext_studio.ui.bridge import EngineBridge
from convnext_studio.ui.messagebar import Notice
from convnext_studio.ui.sheet_export import SheetPictures
from convnext_studio.ui.state import AppState

EXPORT = "export"


@dataclass(slots=True, eq=False)
class _Job:
    """One export while its parts arrive."""

    directory: Path
    model: ModelInfo
    image: ImageInfo
    prediction: Prediction
    cam_stage: str
    explanation: Explanation | None
    faithfulness: Faithfulness | None
    nodes: tuple[str, ...]
    maps: dict[str, FeatureMapsResult] = field(default_factory=dict)
    receptive_field: ReceptiveFieldResult | None = None
    requests: set[int] = field(default_factory=set)


class Exporter(QObject):
    """Writes what `convnext-studio export` writes, for the picture and the selection of the moment."""

    noticed = Signal(object)  # Notice

    def __init__(
        self, state: AppState, bridge: EngineBridge, background: Background, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._state = state
        self._bridge = bridge
        self._background = background
        self._numbers = itertools.count(1)
        self._jobs: list[_Job] = []
        bridge.request_finished.connect(self._notice_cancelled)

    @property
    def is_possible(self) -> bool:
        """Whether there is something to export: a picture with its prediction."""
        return self._state.prediction is not None

    def export(self, directory: Path) -> None:
        """Collect the parts of the current picture's export, and write them into the directory."""
        state = self._state
        if state.model is None or state.picture is None or state.prediction is None:
            return
        stages = state.model.config.stages
        stage = state.node.partition(".")[0]
        job = _Job(
            directory=directory,
            model=state.model,
            image=state.picture,
            prediction=replace(state.prediction, attribution=state.attribution or state.prediction.attribution),
            cam_stage=stage if stage in stages else stages[-1],
            explanation=state.explanation,
            faithfulness=state.faithfulness,
            nodes=tuple(dict.fromkeys((*stages, state.node))),
        )
        # A panel of its own each: requests of one panel replace one another, as those of two exports would.
        number = next(self._numbers)
        pictures = tuple(picture.key for picture in state.pictures)
        questions: list[Request] = [
            FeatureMaps(panel=f"export {number} {node}", image=job.image.key, node=node) for node in job.nodes
        ]
        questions.append(ReceptiveField(panel=f"export {number}", node=job.cam_stage, images=pictures))
        for question in questions:
            job.requests.add(
                self._bridge.ask(question, partial(self._collect, job), on_failure=partial(self._fail, job))
            )
        self._jobs.append(job)

    def export_map(self, directory: Path) -> None:
        """Write the attribution that is shown, with its numbers, into the picture's folder in the directory."""
        state = self._state
        explanation, prediction = state.explanation, state.prediction
        if state.model is None or state.picture is None or prediction is None or explanation is None:
            self._tell("There is no map to save yet.", "")
            return
        contents = MapContents(
            model=state.model,
            image=state.picture,
            prediction=prediction,
            explanation=explanation,
            faithfulness=state.faithfulness,
        )
        self._background.run(
            partial(export_map, directory, contents, explanation),
            self._map_written,
            lambda error: self._tell(error.message, error.hint),
            "Writing the map",
        )

    def export_sheet(self, path: Path, explanations: tuple[Explanation, ...]) -> None:
        """Write the maps of several pictures as one picture."""
        model = self._state.model
        if model is not None:
            SheetPictures(
                self._state,
                self._bridge,
                explanations,
                on_done=lambda pictures: self._write_sheet(path, model, pictures, explanations),
                on_failure=lambda failed: self._tell(failed.message, failed.hint),
            )

    def _write_sheet(
        self,
        path: Path,
        model: ModelInfo,
        pictures: tuple[ImageInfo, ...],
        explanations: tuple[Explanation, ...],
    ) -> None:
        there = {picture.key for picture in pictures}  # One of them may have been closed meanwhile.
        shown = tuple(each for each in explanations if each.image in there)
        self._background.run(
            partial(export_contact_sheet, path, model, pictures, shown),
            lambda written: self.noticed.emit(
                Notice(EXPORT, f"The contact sheet was saved as {written}.", good=True)
            ),
            lambda error: self._tell(error.message, error.hint),
            "Writing the contact sheet",
        )

    def _map_written(self, paths: list[Path]) -> None:
        names = ", ".join(path.name for path in paths)
        self.noticed.emit(Notice(EXPORT, f"{names} were written to {paths[0].parent}.", good=True))

    def _collect(self, job: _Job, answer: Payload) -> None:
        if job not in self._jobs:
            return
        if self._state.model is not job.model:
            self._give_up(job, "another network was opened meanwhile.", "Export again.")
            return
        if isinstance(answer, FeatureMapsResult):
            job.maps[answer.node] = answer
        elif isinstance(answer, ReceptiveFieldResult):
            job.receptive_field = answer
        if job.receptive_field is None or len(job.maps) < len(job.nodes):
            return
        self._jobs.remove(job)
        contents = ExportContents(
            model=job.model,
            image=job.image,
            prediction=job.prediction,
            maps={node: job.maps[node] for node in job.nodes},
            receptive_field=job.receptive_field,
            cam_stage=job.cam_stage,
            explanation=job.explanation,
            faithfulness=job.faithfulness,
        )
        self._background.run(
            partial(export_picture, job.directory, contents),
            partial(self._written, job),
            lambda error: self._tell(error.message, error.hint),
            "Writing the export",
        )

    def _written(self, job: _Job, paths: list[Path]) -> None:
        message = f"{len(paths)} files about {job.image.name} were written to {paths[0].parent}."
        self.noticed.emit(Notice(EXPORT, message, good=True))

    def _fail(self, job: _Job, failed: Failed) -> None:
        self._give_up(job, failed.message, failed.hint)

    def _notice_cancelled(self, finished: tuple[Request, Done | Failed | Cancelled]) -> None:
        answer = finished[1]
        if isinstance(answer, Cancelled):
            for job in [job for job in self._jobs if answer.id in job.requests]:
                self._give_up(job, "it was stopped.")

    def _give_up(self, job: _Job, why: str, hint: str = "") -> None:
        if job in self._jobs:
            self._jobs.remove(job)
            self._tell(f"The export was given up: {why}", hint)

    def _tell(self, message: str, hint: str) -> None:
        self.noticed.emit(Notice(EXPORT, message, hint))
