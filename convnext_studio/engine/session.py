"""The loaded model, the opened pictures, and one method per request; runs in any process."""

from collections.abc import Callable, Generator, Hashable, Iterator
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from convnext_studio.analysis.attribution import grad_cam
from convnext_studio.analysis.capture import never
from convnext_studio.analysis.features import StagePass, feature_maps, stage_pass, to_array
from convnext_studio.analysis.images import PREVIEW_PX, THUMBNAIL_PX, DecodedImage, decode
from convnext_studio.analysis.receptive_field import FieldSoFar, check_protocol, running_average, squares
from convnext_studio.engine.cache import ByteCache
from convnext_studio.engine.devices import (
    computer_memory_bytes,
    device_name,
    resolve_device,
    use_exact_float32,
)
from convnext_studio.engine.messages import (
    THRESHOLDS,
    Attribute,
    Attribution,
    CloseImage,
    FeatureMaps,
    FeatureMapsResult,
    ImageInfo,
    ListPretrained,
    LoadModel,
    ModelInfo,
    OpenImage,
    Payload,
    Precision,
    Predict,
    Prediction,
    Progress,
    ReceptiveField,
    ReceptiveFieldResult,
    Request,
    Scale,
    Square,
)
from convnext_studio.engine.pretrained import downloading, list_pretrained
from convnext_studio.errors import StudioError
from convnext_studio.geometry import CropGeometry
from convnext_studio.model.config import ConvNeXtConfig
from convnext_studio.model.labels import check_class
from convnext_studio.model.loaded import LoadedModel, build, load
from convnext_studio.model.nodes import node_table, smallest_input_px, total_parameters
from convnext_studio.stopping import Stopped

CACHE_BYTES = 1 << 30
PICTURE_BYTES = 1 << 29
SCALES: tuple[Scale, Scale] = ("linear", "log")

ShouldStop = Callable[[], bool]
Work = Generator[Progress, None, Payload]


@dataclass(frozen=True, slots=True)
class _Source:
    """Where a picture came from, to decode it again when its pixels were let go."""

    source: str | bytes
    name: str


class Session:
    """Answers requests about one model and several pictures.

    Results are kept, bounded in bytes, by (model, picture, question): the model's number changes whenever
    another is loaded, and a picture's key is the digest of its pixels.

    Parameters
    ----------
    cache_bytes, picture_bytes
        Bounds on the results and on the decoded pictures that are kept.
    """

    def __init__(self, cache_bytes: int = CACHE_BYTES, picture_bytes: int = PICTURE_BYTES) -> None:
        self._model: LoadedModel | None = None
        self._model_number = 0
        self._precision: Precision = "float32"
        self._sources: dict[str, _Source] = {}
        self._pictures: ByteCache[DecodedImage] = ByteCache(picture_bytes)
        self._results: ByteCache[Payload] = ByteCache(cache_bytes)

    def answer(self, request: Request, should_stop: ShouldStop = never) -> Work:
        """Work on a request: a generator of progress that returns the answer.

        Raises
        ------
        StudioError
            Where the request cannot be met, in plain words.
        Stopped
            Once `should_stop()` is true.
        """
        match request:
            case LoadModel():
                return (yield from self._load_model(request, should_stop))
            case ListPretrained():
                return (yield from list_pretrained(request, should_stop))
            case OpenImage():
                return self._open_image(request)
            case CloseImage():
                self._sources.pop(request.image, None)
                self._pictures.forget(request.image)
                return None
            case Predict():
                return self._predict(request, should_stop)
            case Attribute():
                return self._attribute(request, should_stop)
            case FeatureMaps():
                return self._feature_maps(request, should_stop)
            case ReceptiveField():
                return (yield from self._receptive_field(request, should_stop))
        raise TypeError(f"no answer to {type(request).__name__}")

    def run(self, request: Request) -> Payload:
        """Answer a request at once, without its progress."""
        work = self.answer(request)
        while True:
            try:
                next(work)
            except StopIteration as finished:
                return cast("Payload", finished.value)

    # ------------------------------------------------------------------------------------------- the model

    def _load_model(self, request: LoadModel, should_stop: ShouldStop) -> Work:
        device = resolve_device(request.device)
        if request.precision == "bfloat16" and device.type != "cuda":
            raise StudioError("bfloat16 is offered on CUDA only.", "Choose float32.")
        yield Progress(id=request.id, done=0, total=2, text=f"Loading {request.source}")
        yield from downloading(request, should_stop)
        model = _opened(request).to(device)
        use_exact_float32()
        if device.type != "cpu":
            # Kernels are chosen at the first call, which would make the first picture slow.
            yield Progress(id=request.id, done=1, total=2, text=f"Warming up {device_name(device)}")
            side = model.preprocessing.input_px
            stage_pass(
                model, torch.zeros(1, model.config.in_chans, side, side, device=device), 0, request.precision
            )
        if should_stop():
            raise Stopped
        self._model, self._precision = model, request.precision
        self._model_number += 1
        self._results.clear()
        return self._model_info(model, device)

    def _model_info(self, model: LoadedModel, device: torch.device) -> ModelInfo:
        return ModelInfo(
            source=model.source,
            title=model.title,
            random_weights=model.random_weights,
            notes=model.notes,
            config=model.config,
            nodes=model.nodes,
            labels=model.labels,
            parameters=model.parameters,
            macs=model.macs,
            input_px=model.preprocessing.input_px,
            device=str(device),
            device_name=device_name(device),
            precision=self._precision,
        )

    def _current_model(self) -> LoadedModel:
        if self._model is None:
            raise StudioError("No model is open.", "Choose one first.")
        return self._model

    # ---------------------------------------------------------------------------------------- the pictures

    def _open_image(self, request: OpenImage) -> ImageInfo:
        source = _Source(request.data or request.path, request.name)
        picture = decode(source.source, source.name)
        self._check_size(picture)
        self._sources[picture.key] = source
        self._pictures.put(picture.key, picture)
        return ImageInfo(
            key=picture.key,
            name=picture.name,
            path=picture.path,
            size=picture.size,
            notes=picture.notes,
            preview=picture.reduced(PREVIEW_PX),
            thumbnail=picture.reduced(THUMBNAIL_PX),
        )

    def _check_size(self, picture: DecodedImage) -> None:
        smallest = smallest_input_px(self._model.config) if self._model else 2
        if min(picture.size) < smallest:
            raise StudioError(
                f"“{picture.name}” has {picture.size[0]} × {picture.size[1]} pixels, which is too small.",
                f"The smallest picture for this network is {smallest} × {smallest} pixels.",
            )

    def _picture(self, key: str) -> DecodedImage:
        kept = self._pictures.get(key)
        if kept is not None:
            return kept
        if key not in self._sources:
            raise StudioError("This picture is not open any more.", "Open it again.")
        source = self._sources[key]
        picture = decode(source.source, source.name)
        if picture.key != key:
            raise StudioError(f"“{picture.name}” has changed since it was opened.", "Open it again.")
        self._pictures.put(key, picture)
        return picture

    def _input(self, model: LoadedModel, key: str) -> tuple[Tensor, CropGeometry]:
        picture = self._picture(key)
        self._check_size(picture)
        array, geometry = model.preprocessing(picture.to_pil())
        return model.to_tensor(array), geometry

    # --------------------------------------------------------------------------------------- the questions

    def _predict(self, request: Predict, should_stop: ShouldStop) -> Prediction:
        model = self._current_model()
        key = self._key("prediction", request.image)
        prediction = cast("Prediction | None", self._results.get(key))
        if prediction is None:
            prediction = self._first_pass(model, request, should_stop)
            self._results.put(key, prediction)
        target = prediction.top(1)[0] if request.target is None else request.target
        if target == prediction.attribution.target:
            return prediction
        explained = Attribute(image=request.image, target=target)
        return replace(prediction, attribution=self._attribute(explained, should_stop))

    def _first_pass(self, model: LoadedModel, request: Predict, should_stop: ShouldStop) -> Prediction:
        """One forward and one backward pass give the prediction, all stages' maps and their CAMs."""
        if request.target is not None:
            check_class(request.target, model.config.num_classes)
        tensor, geometry = self._input(model, request.image)
        result = stage_pass(model, tensor, request.target, self._precision, should_stop)
        maps = {name: to_array(activation) for name, activation in result.activations.items()}
        for name, stage in maps.items():
            self._keep_maps(model, request.image, name, stage, geometry)
        return Prediction(
            image=request.image,
            logits=result.logits,
            probabilities=_softmax(result.logits),
            stage_means={name: stage.mean(axis=0) for name, stage in maps.items()},
            attribution=self._keep_attribution(request.image, result, geometry),
            geometry=geometry,
        )

    def _attribute(self, request: Attribute, should_stop: ShouldStop) -> Attribution:
        model = self._current_model()
        check_class(request.target, model.config.num_classes)
        kept = self._results.get(self._key("attribution", request.image, request.target))
        if kept is not None:
            return cast("Attribution", kept)
        tensor, geometry = self._input(model, request.image)
        result = stage_pass(model, tensor, request.target, should_stop=should_stop)
        return self._keep_attribution(request.image, result, geometry)

    def _keep_attribution(self, image: str, result: StagePass, geometry: CropGeometry) -> Attribution:
        attribution = Attribution(
            image=image,
            target=result.target,
            cams={name: grad_cam(maps, result.gradients[name]) for name, maps in result.activations.items()},
            geometry=geometry,
        )
        self._results.put(self._key("attribution", image, result.target), attribution)
        return attribution

    def _feature_maps(self, request: FeatureMaps, should_stop: ShouldStop) -> FeatureMapsResult:
        model = self._current_model()
        kept = self._results.get(self._key("maps", request.image, request.node))
        if kept is not None:
            return cast("FeatureMapsResult", kept)
        tensor, geometry = self._input(model, request.image)
        maps = feature_maps(model, tensor, request.node, self._precision, should_stop)
        return self._keep_maps(model, request.image, request.node, maps, geometry)

    def _keep_maps(
        self, model: LoadedModel, image: str, node: str, maps: NDArray[np.float32], geometry: CropGeometry
    ) -> FeatureMapsResult:
        field = model.node(node).field
        result = FeatureMapsResult(image=image, node=node, maps=maps, field=field, geometry=geometry)
        self._results.put(self._key("maps", image, node), result)
        return result

    def _key(self, *question: Hashable) -> Hashable:
        return self._model_number, self._precision, *question

    # --------------------------------------------------------------------------------- the receptive field

    def _receptive_field(self, request: ReceptiveField, should_stop: ShouldStop) -> Work:
        model = self._current_model()
        check_protocol(request.protocol)
        if request.count < 1:
            raise StudioError(f"{request.count} pictures cannot be averaged.", "Ask for at least one.")
        input_px = request.input_px or model.preprocessing.input_px
        smallest = smallest_input_px(model.config)
        if input_px < smallest:
            raise StudioError(
                f"An input of {input_px} pixels is too small for this network.", f"The smallest is {smallest}."
            )
        images = request.images[: request.count]
        key = self._key("erf", replace(request, id=0, panel="", images=images))
        result = cast("ReceptiveFieldResult | None", self._results.get(key))
        if result is not None:
            return result
        inputs = self._field_inputs(model, images, request, input_px)
        number = self._model_number

        def is_pointless() -> bool:
            # While this average stood aside, another model may have been loaded.
            return should_stop() or number != self._model_number

        for average in running_average(model, inputs, request.node, is_pointless):
            result = _field_result(model, request, average, len(images))
            done = average.used + len(average.skipped)
            if done < request.count:
                text = f"Receptive field: {done} of {request.count}"
                yield Progress(id=request.id, done=done, total=request.count, text=text, partial=result)
        self._results.put(key, result)
        return result

    def _field_inputs(
        self, model: LoadedModel, images: tuple[str, ...], request: ReceptiveField, input_px: int
    ) -> Iterator[Tensor]:
        """Squash the pictures, then draw noise for those that are missing."""
        preprocessing = model.preprocessing.squashed(input_px)
        for image in images:
            array, _ = preprocessing(self._picture(image).to_pil())
            yield model.to_tensor(array)
        # Normalised pictures have mean 0 and standard deviation 1, roughly; so has the noise.
        noise = np.random.default_rng(request.seed)
        shape = (model.config.in_chans, input_px, input_px)
        for _ in range(request.count - len(images)):
            yield model.to_tensor(noise.standard_normal(shape, dtype=np.float32))


def _opened(request: LoadModel) -> LoadedModel:
    if request.config is None:
        return load(
            request.source,
            stem_stride=request.stem_stride,
            stem_padding=request.stem_padding,
            offline=request.offline,
        )
    _check_memory(request.config)
    return build(request.config, f"Built network, seed {request.seed}", request.seed, request.input_px)


def _check_memory(config: ConvNeXtConfig) -> None:
    """Refuse what can never fit: filling memory to its end would take other programs down before this one."""
    there = computer_memory_bytes()
    needed = 4 * total_parameters(node_table(config, smallest_input_px(config)), config)
    if there is not None and needed > there:
        raise StudioError(
            f"The weights of this network take {needed / 2**30:,.0f} GiB, and this computer has "
            f"{there / 2**30:,.0f} GiB of memory.",
            "Take fewer channels or blocks, smaller kernels, or depthwise convolutions.",
        )


def _field_result(
    model: LoadedModel, request: ReceptiveField, average: FieldSoFar, images: int
) -> ReceptiveFieldResult:
    if len(average.skipped) == request.count:
        raise StudioError(
            "No picture gave a finite gradient.", "The weights or the pictures hold extreme values."
        )
    theoretical = model.node(request.node).field
    row, column = average.unit
    height, width = average.field.shape
    if request.protocol == "replknet":
        centre = (width // 2 + 0.5, height // 2 + 0.5)
    else:
        centre = (theoretical.centre_px(column), theoretical.centre_px(row))
    around = "replknet" if request.protocol == "replknet" else centre
    found: dict[Scale, tuple[Square, ...]] = {
        scale: tuple(
            Square(threshold=square.threshold, side_px=square.side_px, area_ratio=square.area_ratio)
            for square in squares(average.field, THRESHOLDS, scale, around)
        )
        for scale in SCALES
    }
    done = range(average.used + len(average.skipped))
    return ReceptiveFieldResult(
        node=request.node,
        protocol=request.protocol,
        field_map=average.field,
        squares=found,
        centre_px=centre,
        theoretical=theoretical,
        unit=average.unit,
        pictures=len(set(done[:images]) - set(average.skipped)),
        noises=len(set(done[images:]) - set(average.skipped)),
        skipped=len(average.skipped),
        count=request.count,
        random_weights=model.random_weights,
    )


def _softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    exponentials = np.exp(logits - logits.max())
    shares: NDArray[np.float32] = exponentials / exponentials.sum()
    return shares
