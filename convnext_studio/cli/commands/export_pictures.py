"""The work of the command `export`: send the requests of the window's panels, and write the results."""

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

from msgspec.structs import replace

from convnext_studio.cli.options import framing, model_request, picture_view
from convnext_studio.cli.terminal import complain
from convnext_studio.common.attribution_methods import method_named
from convnext_studio.common.errors import StudioError
from convnext_studio.common.files import check_folder_name
from convnext_studio.common.recipe import read_recipe
from convnext_studio.comparison import match_node
from convnext_studio.decoding.decoder_process import Decoder
from convnext_studio.decoding.images import PictureReader
from convnext_studio.decoding.picture_view import WHOLE, PictureView
from convnext_studio.erf import REPLKNET_INPUT_PX
from convnext_studio.export import ExportContents, export_compared, export_picture
from convnext_studio.model.framing import Framing, framed
from convnext_studio.model.labels import find_class, said_of_digits
from convnext_studio.model.nodes import fitting_input_px
from convnext_studio.protocol.attributions import Explain, Explanation, Faithfulness, MeasureFaithfulness
from convnext_studio.protocol.comparison import CompareWeights
from convnext_studio.protocol.counterparts import Pair
from convnext_studio.protocol.envelope import Request
from convnext_studio.protocol.interventions import Intervene
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
    model = cast("ModelInfo", dispatcher.run(model_request(options)))
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
    if options.target is not None and (said := said_of_digits(options.target, model.labels)):
        complain(said)
    images, failures = _opened(dispatcher.run, options.images, framing(options), picture_view(options))
    beside = _second(dispatcher.run, options, images)
    taken: set[str] = set()
    written = 0
    for image in images:
        try:
            contents = _contents(dispatcher.run, model, node, image, images, target, options)
            paths = export_picture(Path(options.out), contents, taken)
            if beside is not None:
                paths += _compared(dispatcher.run, paths[0].parent, contents, beside, images, options)
            for path in paths:
                print(path)
            written += 1
        except StudioError as error:
            failures.append(error)
            complain(error)
        except KeyboardInterrupt:
            complain(f"Interrupted at {image.name}, after {written} of {len(images)} pictures were exported.")
            raise
    return 1 if failures else 0


def _second(run: Any, options: argparse.Namespace, images: list[ImageInfo]) -> ModelInfo | None:
    """Open the network to compare with as B, which may be the first one changed by a recipe."""
    if options.recipe is not None:
        recipe = read_recipe(Path(options.recipe))
        opened = {path: run(OpenImage(path=path)).key for path in recipe.pictures}
        recipe = recipe.renamed(opened.__getitem__)
        keys = tuple(image.key for image in images)
        asked = Intervene(
            network="B",
            changes=recipe.changes,
            retouched=recipe.retouched,
            image="".join(keys[:1]),
            images=keys,
        )
        return cast("ModelInfo", run(asked))
    if options.compare is None:
        return None
    other = LoadModel(
        network="B",
        source=options.compare,
        device=options.device,
        precision=options.precision,
        offline=options.offline,
    )
    return cast("ModelInfo", run(other))


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
            images.append(replace(opened, key=framed(opened.key, shown)))
        except StudioError as error:
            failures.append(error)
            complain(error)
    return images, failures


def _compared(
    run: Any,
    folder: Path,
    of_a: ExportContents,
    beside: ModelInfo,
    images: list[ImageInfo],
    options: argparse.Namespace,
) -> list[Path]:
    """Export the second network and the differences into the folder of a picture."""
    model, explanation = of_a.model, of_a.explanation
    nodes = {
        name: match_node(next(node for node in model.nodes if node.name == name), model.nodes, beside.nodes)
        for name in of_a.maps
    }
    assert explanation is not None  # This command always asks for one.
    target = Pair(model, beside).class_of(explanation.target)

    def run_b(request: Request) -> Any:
        return run(replace(request, network="B"))

    # Fields are compared on inputs of one size, that of A.
    is_squashed = options.protocol == "replknet"
    side = of_a.receptive_field.field_map.shape[0] if is_squashed else model.input_px
    node = nodes[(options.node or model.config.stages[-1])].b
    of_b = _contents(run_b, beside, node, of_a.image, images, target, options, input_px=side)
    matched = {match.b: run_b(FeatureMaps(image=of_a.image.key, node=match.b)) for match in nodes.values()}
    weights = run(CompareWeights())
    return export_compared(folder, of_a, replace(of_b, maps=of_b.maps | matched), nodes, weights)


def _contents(
    run: Any,
    model: ModelInfo,
    node: str,
    image: ImageInfo,
    images: list[ImageInfo],
    target: int | None,
    options: argparse.Namespace,
    input_px: int = 0,
) -> ExportContents:
    """Send the engine the requests that the window's panels send for a picture."""
    if options.protocol == "replknet":
        input_px = input_px or fitting_input_px(model.config, REPLKNET_INPUT_PX)
    field = ReceptiveField(
        node=node,
        images=tuple(opened.key for opened in images),
        count=options.field_count,
        fills_up=True,
        protocol=options.protocol,
        framing="squashed" if options.protocol == "replknet" else "own",
        input_px=input_px,
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
