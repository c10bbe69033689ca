"""The commands that need no window: export and models. No Qt."""

import argparse
import json
import sys
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

from convnext_studio.common.attribution_methods import method_named
from convnext_studio.common.errors import StudioError
from convnext_studio.decoding.images import PictureReader
from convnext_studio.decoding.process import Decoder
from convnext_studio.erf import REPLKNET_INPUT_PX
from convnext_studio.export import ExportContents, export_picture
from convnext_studio.model.labels import find_class
from convnext_studio.model.nodes import fitting_input_px, node_table, total_macs, total_parameters
from convnext_studio.model.preprocessing import Preprocessing
from convnext_studio.model.presets import BUNDLED_RANDOM, PRESETS, bundled_models
from convnext_studio.model.road.steps import ROAD
from convnext_studio.protocol.attributions import Explain, Explanation, Faithfulness, MeasureFaithfulness
from convnext_studio.protocol.maps import FeatureMaps, FeatureMapsResult
from convnext_studio.protocol.models import LoadModel, ModelInfo
from convnext_studio.protocol.pictures import ImageInfo, OpenImage
from convnext_studio.protocol.predictions import Predict, Prediction
from convnext_studio.protocol.receptive_fields import ReceptiveField, ReceptiveFieldResult


def export(options: argparse.Namespace) -> int:
    """Write the files of every picture; a picture that cannot be done costs one line, and the others go on."""
    with Decoder() as decoder:
        decoder.start()  # It gets ready while torch is imported.
        return _export(options, decoder)


def _export(options: argparse.Namespace, reader: PictureReader) -> int:
    # torch takes seconds to import, and listing models needs none of it.
    from convnext_studio.engine.server.dispatch import Session

    session = Session(reader=reader)
    load = LoadModel(
        source=options.model,
        device=options.device,
        precision=options.precision,
        offline=options.offline,
        stem_stride=options.stem_stride,
        stem_padding=options.stem_padding,
    )
    model = cast("ModelInfo", session.run(load))
    stages = model.config.stages
    node = stages[-1] if options.node is None else options.node
    explainable = [known for known in model.nodes if known.is_explainable]
    if node == "stem" or node not in {known.name for known in explainable}:
        blocks = [known.name for known in explainable if known.kind == "block"]
        such_as = f", or a block such as {blocks[-1]}" if blocks else ""
        raise StudioError(
            f"There is no node “{node}” to export.", f"Give a stage ({', '.join(stages)}){such_as}."
        )
    method_named(options.method)  # Told now, and not once for each picture.
    target = None if options.target is None else find_class(options.target, model.labels)
    images, failures = _opened(session.run, options.images)
    taken: set[str] = set()
    written = 0
    for image in images:
        try:
            contents = _contents(session.run, model, node, image, images, target, options)
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


def _opened(run: Any, paths: Iterable[str]) -> tuple[list[ImageInfo], list[StudioError]]:
    images, failures = [], []
    for path in paths:
        try:
            images.append(run(OpenImage(path=path)))
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
    """Ask the questions that the window's panels ask."""
    field = ReceptiveField(
        node=node,
        images=tuple(opened.key for opened in images),
        count=options.field_count,
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


def models(options: argparse.Namespace) -> int:
    """List what ``--model`` opens."""
    rows = [*_own_models(), *_steps_on_the_road(), *_timm_models()]
    if options.json:
        print(json.dumps(rows, indent=1))
        return 0
    for row in rows:
        print(f"{row['model']:<56} {_size_text(row)}  {row['weights']}{_published_text(row)}".rstrip())
    return 0


def _size_text(row: dict[str, Any]) -> str:
    if not row["macs"]:
        return ""
    return f"{row['parameters'] / 1e6:6.1f} M parameters, {row['macs'] / 1e9:6.2f} GMACs"


def _published_text(row: dict[str, Any]) -> str:
    published = row.get("published")
    if published is None:
        return ""
    parameters = "" if published["parameters"] is None else f"{published['parameters'] / 1e6:g} M, "
    return (
        f"; published: {parameters}{published['macs'] / 1e9:g} GMACs,"
        f" {published['accuracy']:.1f} % top-1 ({published['training']})"
    )


def _own_models() -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for name in bundled_models():
        weights = "random weights" if name == BUNDLED_RANDOM else "trained, comes with the program"
        rows.append({"model": name, "parameters": None, "macs": None, "weights": weights})
    input_px = Preprocessing().input_px
    for name, known in PRESETS.items():
        nodes = node_table(known.config, input_px)
        rows.append(
            {
                "model": f"preset:{name}",
                "parameters": total_parameters(nodes, known.config),
                "macs": total_macs(nodes, known.config),
                "weights": "random weights",
                "published": None if known.published is None else asdict(known.published),
            }
        )
    return rows


def _steps_on_the_road() -> list[dict[str, Any]]:
    return [
        {
            "model": step.source,
            "parameters": step.parameters,
            "macs": step.macs,
            "weights": "random weights",
            "published": {
                "parameters": None,
                "macs": round(step.gmacs * 1e9),
                "accuracy": step.accuracy,
                "training": "ImageNet-1k",
            },
        }
        for step in ROAD.values()
    ]


def _timm_models() -> list[dict[str, Any]]:
    # The catalogue takes timm, and with it torch, to read.
    from convnext_studio.model.timm.pretrained import catalogue

    return [
        {
            "model": f"timm:{entry.name}",
            "parameters": None,
            "macs": None,
            "weights": f"{entry.licence}, " + ("on this computer" if entry.is_cached else "to be downloaded"),
        }
        for entry in catalogue()
    ]
