"""Collects the missing parts of an export from the engine, then writes it in the background."""

import itertools
from collections.abc import Callable
from functools import partial
from pathlib import Path
from threading import Event

import msgspec
from msgspec import Struct, field
from PySide6.QtCore import QObject, Signal

from convnext_studio.common.errors import StudioError
from convnext_studio.common.stopping import Stopped
from convnext_studio.export import (
    ExportContents,
    MapContents,
    export_contact_sheet,
    export_labels,
    export_map,
    export_picture,
    save_field,
)
from convnext_studio.protocol.attributions import Explanation, Faithfulness
from convnext_studio.protocol.envelope import Failed, Payload
from convnext_studio.protocol.maps import FeatureMaps, FeatureMapsResult
from convnext_studio.protocol.models import ModelInfo
from convnext_studio.protocol.pictures import ImageInfo, Thumbnail, ThumbnailPixels
from convnext_studio.protocol.predictions import Prediction
from convnext_studio.protocol.receptive_fields import USUAL_COUNT, ReceptiveField, ReceptiveFieldResult
from convnext_studio.protocol.similarity import Parts, PictureParts
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.background import Background
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.widgets.message_bar import Notice

TILE_PX = 320


class SheetPictures:
    """Collects the pictures of some explanations, in the size of a contact sheet's tiles, then calls back.

    Parameters
    ----------
    on_done
        Called with the pictures, in the order of the explanations, once all of them have arrived.
    on_failure, on_cancel
        The first is called with the engine's first failure, the second if a person stops the work. Neither is
        followed by another callback.
    """

    def __init__(
        self,
        state: AppState,
        bridge: EngineBridge,
        explanations: tuple[Explanation, ...],
        on_done: Callable[[tuple[ImageInfo, ...]], None],
        on_failure: Callable[[Failed], None],
        on_cancel: Callable[[], None],
    ) -> None:
        self._state = state
        self._explanations = {
            each.image: each for each in explanations if state.opened.row(each.image) is not None
        }
        self._pictures: dict[str, ImageInfo] = {}
        self._on_done = on_done
        self._on_failure = on_failure
        self._on_cancel = on_cancel
        self._is_over = False
        for key in self._explanations:
            shown = state.opened.preview(key)
            if shown is not None:
                self._pictures[key] = msgspec.structs.replace(shown, key=key)
            else:
                request = Thumbnail(panel="contact_sheet_file", image=key, longest_px=TILE_PX)
                bridge.ask(request, partial(self._receive, key), on_failure=self._fail, on_cancel=self._stop)
        self._finish_if_complete()

    def _receive(self, key: str, payload: Payload) -> None:
        row = self._state.opened.row(key)
        if isinstance(payload, ThumbnailPixels) and row is not None:
            picture = self._state.opened.all[row]
            self._pictures[key] = ImageInfo(
                key=key,
                name=picture.name,
                path=picture.path,
                size=self._explanations[key].geometry.picture_size,
                notes=(),
                preview=payload.pixels,
                thumbnail=payload.pixels,
            )
            self._finish_if_complete()

    def _fail(self, failed: Failed) -> None:
        if not self._is_over:
            self._is_over = True
            self._on_failure(failed)

    def _stop(self) -> None:
        if not self._is_over:
            self._is_over = True
            self._on_cancel()

    def _finish_if_complete(self) -> None:
        if len(self._pictures) == len(self._explanations) and not self._is_over:
            self._on_done(tuple(self._pictures[key] for key in self._explanations))


EXPORT = "export"


class _Job(Struct, eq=False):
    """An export whose parts are being collected."""

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
    asked: list[int] = field(default_factory=list)
    is_over: bool = False
    should_stop: Event = field(default_factory=Event)


class Exporter(QObject):
    """Writes the same files as `convnext-studio export`, for the current picture and selection."""

    noticed = Signal(object)  # Notice

    def __init__(
        self, state: AppState, bridge: EngineBridge, background: Background, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._state = state
        self._bridge = bridge
        self._background = background
        self._numbers = itertools.count(1)
        self._writing: list[_Job] = []

    @property
    def is_possible(self) -> bool:
        """Whether there is something to export, that is, a picture with its prediction."""
        return self._state.prediction is not None

    def export(self, directory: Path) -> None:
        """Collect the parts of the current picture's export, and write them to the directory."""
        state = self._state
        if state.model is None or state.picture is None or state.prediction is None:
            return
        stages = state.model.config.stages
        measured = state.node.partition(".")[0]
        explained = next(iter(state.attributions.explaining.nodes[-1:]), "").partition(".")[0]
        job = _Job(
            directory=directory,
            model=state.model,
            image=state.picture,
            prediction=state.prediction,
            cam_stage=explained if explained in stages else stages[-1],
            explanation=state.attributions.explanation,
            faithfulness=state.attributions.faithfulness,
            nodes=tuple(dict.fromkeys((*stages, state.node))),
        )
        # Every request has its own panel name: those of one panel replace one another, even across exports.
        panel = f"export {next(self._numbers)}"
        for node in job.nodes:
            self._ask(job, FeatureMaps(panel=f"{panel} {node}", image=job.image.key, node=node))
        pictures = tuple(picture.key for picture in state.opened.images)
        field = ReceptiveField(
            panel=panel,
            node=measured if measured in stages else stages[-1],
            images=pictures,
            count=USUAL_COUNT,
            fills_up=True,
            framing="own",
        )
        self._ask(job, field)

    def stop(self) -> None:
        """Stop exports that are being drawn; those still collecting parts end when their requests do."""
        for job in self._writing:
            job.should_stop.set()

    def export_map(self, directory: Path) -> None:
        """Write the attribution shown, with its numbers, to the picture's folder in the directory."""
        state = self._state
        explanation, prediction = state.attributions.explanation, state.prediction
        if state.model is None or state.picture is None or prediction is None or explanation is None:
            self._tell("There is no map to save yet.", "")
            return
        contents = MapContents(
            model=state.model,
            image=state.picture,
            prediction=prediction,
            explanation=explanation,
            faithfulness=state.attributions.faithfulness,
        )
        self._background.run(
            partial(export_map, directory, contents, explanation),
            self._map_written,
            lambda error: self._tell(error.message, error.hint),
            "Writing the map",
        )

    def export_field(self, path: Path, field: ReceptiveFieldResult) -> None:
        """Write a receptive field with its protocol (.npz), or only its array (.npy)."""
        # Compressing a field of 1024 × 1024 takes several frames.
        self._background.run(
            partial(save_field, path, field),
            lambda written: self.noticed.emit(
                Notice(EXPORT, f"The receptive field was saved as {written}.", good=True, path=str(written))
            ),
            lambda error: self._tell(error.message, error.hint),
            "Writing the receptive field",
        )

    def export_sheet(
        self,
        path: Path,
        explanations: tuple[Explanation, ...],
        model: ModelInfo | None = None,
        as_shown: Callable[[ImageInfo], ImageInfo] = lambda picture: picture,
    ) -> None:
        """Write the maps of a wall as one figure.

        Parameters
        ----------
        model
            The network that they are of; the open one if None.
        as_shown
            Returns a picture as it is under its map.
        """
        asked = model or self._state.model
        if asked is not None:
            SheetPictures(
                self._state,
                self._bridge,
                explanations,
                on_done=lambda pictures: self._write_sheet(
                    path, asked, tuple(as_shown(each) for each in pictures), explanations
                ),
                on_failure=lambda failed: self._tell(failed.message, failed.hint),
                on_cancel=lambda: self._tell("The wall of maps was cancelled. Nothing was written.", ""),
            )

    def _write_sheet(
        self,
        path: Path,
        model: ModelInfo,
        pictures: tuple[ImageInfo, ...],
        explanations: tuple[Explanation, ...],
    ) -> None:
        there = {picture.key for picture in pictures}  # One of them may have been closed in the meantime.
        shown = tuple(each for each in explanations if each.image in there)
        self._background.run(
            partial(export_contact_sheet, path, model, pictures, shown),
            lambda written: self.noticed.emit(
                Notice(EXPORT, f"The wall of maps was saved as {written}.", good=True, path=str(written))
            ),
            lambda error: self._tell(error.message, error.hint),
            "Writing the wall of maps",
        )

    def export_labels(
        self,
        path: Path,
        parts: Parts,
        shown: PictureParts,
        names: tuple[str, ...],
        hidden: frozenset[int],
    ) -> None:
        """Write the parts of a picture as a label image."""
        self._background.run(
            partial(export_labels, path, parts, shown, names, hidden),
            lambda written: self.noticed.emit(
                Notice(EXPORT, f"The label image was saved as {written}.", good=True, path=str(written))
            ),
            lambda error: self._tell(error.message, error.hint),
            "Writing the label image",
        )

    def _map_written(self, paths: list[Path]) -> None:
        names = ", ".join(path.name for path in paths)
        self.noticed.emit(
            Notice(EXPORT, f"{names} were written to {paths[0].parent}.", good=True, path=str(paths[0]))
        )

    def _ask(self, job: _Job, request: FeatureMaps | ReceptiveField) -> None:
        identifier = self._bridge.ask(
            request,
            partial(self._collect, job),
            on_failure=lambda failed: self._give_up(job, f"The export failed: {failed.message}", failed.hint),
            on_cancel=lambda: self._give_up(job, _stopped(job)),
        )
        job.asked.append(identifier)

    def _collect(self, job: _Job, answer: Payload) -> None:
        if self._state.model is not job.model:
            why = "another network was opened meanwhile"
            self._give_up(job, f"The export was cancelled: {why}.", "Export again.")
        elif isinstance(answer, FeatureMapsResult):
            job.maps[answer.node] = answer
        elif isinstance(answer, ReceptiveFieldResult):
            job.receptive_field = answer
        if job.receptive_field is None or len(job.maps) < len(job.nodes) or job.is_over:
            return
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
        self._writing.append(job)
        self._background.run(
            partial(_write, job, contents),
            partial(self._written, job),
            partial(self._not_written, job),
            "Writing the export",
        )

    def _written(self, job: _Job, paths: list[Path]) -> None:
        self._writing.remove(job)
        message = f"{len(paths)} files for {job.image.name} were written to {paths[0].parent}."
        self.noticed.emit(Notice(EXPORT, message, good=True, path=str(paths[0])))

    def _not_written(self, job: _Job, error: StudioError) -> None:
        self._writing.remove(job)
        self._tell(error.message, error.hint)

    def _give_up(self, job: _Job, message: str, hint: str = "") -> None:
        """Give up an export that lacks one of its parts, and cancel the requests for the others."""
        if not job.is_over:
            job.is_over = True
            for identifier in job.asked:
                self._bridge.cancel(identifier)
            self._tell(message, hint)

    def _tell(self, message: str, hint: str) -> None:
        self.noticed.emit(Notice(EXPORT, message, hint))


def _write(job: _Job, contents: ExportContents) -> list[Path]:
    try:
        return export_picture(job.directory, contents, should_stop=job.should_stop.is_set)
    except Stopped:
        raise StudioError(_stopped(job)) from None


def _stopped(job: _Job) -> str:
    return f"The export of {job.image.name} was cancelled. Nothing was written."
