"""A whole export made by hand: the cat, smooth random maps, a Gaussian receptive field."""

import numpy as np
import pytest
from msgspec.structs import replace
from numpy.typing import NDArray
from PIL import Image
from skimage import data

from convnext_studio.erf import MeasurementSettings, curves_of, fit_gaussian, protocol_text
from convnext_studio.export import ExportContents
from convnext_studio.model.config import ConvNeXtConfig
from convnext_studio.model.nodes import node_table, total_macs, total_parameters
from convnext_studio.model.preprocessing import Preprocessing
from convnext_studio.protocol.maps import FeatureMapsResult
from convnext_studio.protocol.models import ModelInfo
from convnext_studio.protocol.pictures import ImageInfo
from convnext_studio.protocol.predictions import Prediction
from convnext_studio.protocol.receptive_fields import ReceptiveFieldResult, Square

INPUT_PX = 64
CONFIG = ConvNeXtConfig(num_classes=7, depths=(1, 1, 2, 1), dims=(6, 8, 12, 20))
LABELS = ("tabby cat", "<b>Egyptian</b> cat", "lynx", "espresso", "rocket", "teapot", "jay")


def smooth_maps(rng: np.random.Generator, shape: tuple[int, int, int]) -> NDArray[np.float32]:
    """Low-frequency waves of random direction, both signs, another size in every channel."""
    channels, height, width = shape
    y, x = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    waves = [
        rng.exponential() * np.sin(6 * (rng.normal() * x + rng.normal() * y) + rng.uniform(0, 6)) + rng.normal()
        for _ in range(channels)
    ]
    return np.array(waves, dtype=np.float32)


def gaussian_field(side: int, sigma_px: float) -> NDArray[np.float64]:
    """A bell around the centre, as receptive fields are; its peak is 1000."""
    offset = np.arange(side) + 0.5 - side / 2
    bell = np.exp(-(offset**2) / (2 * sigma_px**2))
    return np.asarray(1000 * bell[:, None] * bell[None, :])


def squares_of(*sides_px: int) -> tuple[Square, ...]:
    """Squares of those sides for 20, 30 and 50 %; none reaches 99 %."""
    return tuple(
        Square(threshold=share, side_px=side, area_ratio=side**2 / INPUT_PX**2)
        for share, side in zip((0.2, 0.3, 0.5), sides_px, strict=True)
    )


@pytest.fixture(scope="session")
def contents() -> ExportContents:
    """A model with random weights looking at the cat."""
    rng = np.random.default_rng(0)
    nodes = {node.name: node for node in node_table(CONFIG, INPUT_PX)}
    model = ModelInfo(
        source="preset:small",
        title="ConvNeXt small",
        random_weights=True,
        notes=("The weights are random: nothing was learnt.",),
        config=CONFIG,
        nodes=tuple(nodes.values()),
        labels=LABELS,
        parameters=total_parameters(tuple(nodes.values()), CONFIG),
        macs=total_macs(tuple(nodes.values()), CONFIG),
        input_px=INPUT_PX,
        device="cpu",
        device_name="CPU",
        precision="float32",
    )
    cat = np.asarray(Image.fromarray(data.chelsea()))
    image = ImageInfo(
        key="cat",
        name="chelsea.png",
        path="/pictures/chelsea.png",
        size=(cat.shape[1], cat.shape[0]),
        notes=("Turned as its EXIF orientation says.",),
        preview=cat,
        thumbnail=cat[:96, :96],
    )
    geometry = Preprocessing(input_px=INPUT_PX).geometry(image.size)
    logits = np.array([2.5, 1.0, 0.5, -1.0, -2.0, 0.0, 0.25], np.float32)
    exponentials = np.exp(logits - logits.max())
    cams = {stage: smooth_maps(rng, (1, *nodes[stage].shape[1:]))[0] for stage in CONFIG.stages}
    prediction = Prediction(
        image=image.key,
        logits=logits,
        probabilities=exponentials / exponentials.sum(),
        stage_means=cams,
        target=1,
        cams=cams,
        geometry=geometry,
    )
    maps = {
        stage: FeatureMapsResult(
            image=image.key,
            node=stage,
            maps=smooth_maps(rng, nodes[stage].shape),
            field=nodes[stage].field,
            geometry=geometry,
        )
        for stage in CONFIG.stages
    }
    field_map = gaussian_field(INPUT_PX, 9)
    measured = MeasurementSettings(
        protocol="centred",
        node="stage3",
        unit=(2, 2),
        target=None,
        is_last_map=False,
        input_size=(INPUT_PX, INPUT_PX),
        pictures=3,
        noises=5,
    )
    receptive_field = ReceptiveFieldResult(
        node="stage3",
        protocol_text=protocol_text(measured),
        curves=curves_of(field_map, (INPUT_PX / 2, INPUT_PX / 2)),
        gaussian=fit_gaussian(field_map, (INPUT_PX / 2, INPUT_PX / 2)),
        title=model.title,
        source=model.source,
        protocol="centred",
        field_map=field_map,
        squares={"linear": squares_of(8, 10, 14), "log": squares_of(16, 20, 28)},
        centre_px=(INPUT_PX / 2, INPUT_PX / 2),
        theoretical=nodes["stage3"].field,
        unit=(2, 2),
        pictures=3,
        noises=5,
        skipped=0,
        count=8,
        random_weights=True,
    )
    return ExportContents(
        model=model,
        image=image,
        prediction=prediction,
        maps=maps,
        receptive_field=receptive_field,
        cam_stage="stage4",
    )


def renamed(contents: ExportContents, name: str) -> ExportContents:
    """The same export of a picture of another name."""
    return replace(contents, image=replace(contents.image, name=name))
