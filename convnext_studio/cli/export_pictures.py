"""The work of the command `export`: send the requests of the window's panels, and write the results."""

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

import msgspec

from convnext_studio.cli.options import framing, picture_view
from convnext_studio.common.attribution_methods import method_named
from convnext_studio.common.errors import StudioError
from convnext_studio.common.files import check_folder_name
from convnext_studio.decoding.decoder_process import Decoder
from convnext_studio.decoding.images import PictureReader
from convnext_studio.decoding.picture_view import WHOLE, PictureView
from convnext_studio.erf import REPLKNET_INPUT_PX
from convnext_studio.export import ExportContents, export_picture
from convnext_studio.model.framing import Framing, framed
from convnext_studio.model.labels import find_class
from convnext_studio.model.nodes import fitting_input_px
from convnext_studio.protocol.attributions import Explain, Explanation, Faithfulness, MeasureFaithfulness
from convnext_studio.protocol.maps import FeatureMaps, FeatureMapsResult
from convnext_studio.protocol.models import LoadModel, ModelInfo
from convnext_studio.protocol.pictures import ImageInfo, OpenImage, PictureFailure, ShowPicture
from convnext_studio.protocol.predictions import Predict, Prediction
from convnext_studio.protocol.receptive_fields import ReceptiveField, ReceptiveFieldResult


def export(options: argparse.Namespace) -> int:
    """Write the files of every picture, and return the exit status.

    A picture that cannot be exported is reported in one line, and the others are still exported.
    """
    check_folder_name(Path(options.out))
    with Decoder() as decoder:
        decoder.start()  # It starts up while torch is imported.
        return _export(options, decoder)


def _export(options: argparse.Namespace, reader: PictureReader) -> int:
    # Imported after the decoder has been started, because torch takes seconds to import.
    from convnext_studio.engine.server.dispatch import Dispatcher

    dispatcher = Dispatcher(reader=reader)
    load = LoadModel(
        source=options.model,
        device=options.device,
        precision=options.precision,
        offline=options.offline,
        stem_stride=options.stem_stride,
        stem_padding=options.stem_padding,
        part=options.part,
    )
    model = cast("ModelInfo", dispatcher.run(load))
    stages = model.config.stages
    node = stages[-1] if options.node is None else options.node
    explainable = [known for known in model.nodes if known.is_explainable]
    if node == "stem" or node not in {known.name for known in explainable}:
        blocks = [known.name for known in explainable if known.kind == "block"]
        such_as = f", or a block such as {blocks[-1]}" if blocks else ""
        raise StudioError(
            f"There is no node “{node}” to export.", f"Give a stage ({', '.join(stages)}){such_as}."
        )
    # Checked here, so that a wrong name is reported once and not for each picture.
    method_named(options.method)
    target = None if options.target is None else find_class(options.target, model.labels)
    images, failures = _opened(dispatcher.run, options.images, framing(options), picture_view(options))
    taken: set[str] = set()
    written = 0
    for image in images:
        try:
            contents = _contents(dispatcher.run, model, node, image, images, target, options)
            for path in export_picture(Path(options.out), contents, taken):
                print(path)
            written += 1
        except StudioError as error:
            failures.append(error)
            _complain(error)
        except KeyboardInterrupt:
            _complain(f"Interrupted at {image.name}, after {written} of {len(images)} pictures were exported.")
            raise
    return 1 if failures else 0


def _opened(
    run: Any, paths: Iterable[str], shown: Framing, view: PictureView
) -> tuple[list[ImageInfo], list[StudioError]]:
    images, failures = [], []
    for path in paths:
        try:
            opened = run(OpenImage(path=path))
            if view != WHOLE:
                opened = run(ShowPicture(image=opened.key, view=view))
            if isinstance(opened, PictureFailure):
                raise StudioError(opened.message, opened.hint)
            images.append(msgspec.structs.replace(opened, key=framed(opened.key, shown)))
        except StudioError as error:
            failures.append(error)
            _complain(error)
    return images, failures


def _contents(
    run: Any,
    model: ModelInfo,
    node: str,
    image: ImageInfo,
    images: list[ImageInfo],
    target: int | None,
    options: argparse.Namespace,
) -> ExportContents:
    """Send the engine the requests that the window's panels send for a picture."""
    field = ReceptiveField(
        node=node,
        images=tuple(opened.key for opened in images),
        count=options.field_count,
        fills_up=True,
        protocol=options.protocol,
        input_px=fitting_input_px(model.config, REPLKNET_INPUT_PX) if options.protocol == "replknet" else 0,
    )
    prediction: Prediction = run(Predict(image=image.key, target=target))
    maps: dict[str, FeatureMapsResult] = {
        name: run(FeatureMaps(image=image.key, node=name))
        for name in dict.fromkeys((*model.config.stages, node))
    }
    result: ReceptiveFieldResult = run(field)
    question = Explain(image=image.key, method=options.method, nodes=(node,), target=target)
    explanation: Explanation = run(question)
    faithfulness: Faithfulness | None = (
        run(MeasureFaithfulness(question=question)) if options.faithfulness else None
    )
    return ExportContents(
        model=model,
        image=image,
        prediction=prediction,
        maps=maps,
        receptive_field=result,
        cam_stage=node.partition(".")[0],
        explanation=explanation,
        faithfulness=faithfulness,
    )


def _complain(error: StudioError | str) -> None:
    print(f"convnext-studio: {error}", file=sys.stderr)
