"""Messages of every kind, with something in every sort of field."""

import numpy as np
from msgspec import Struct

from convnext_studio.common.geometry import CropGeometry, FieldGeometry
from convnext_studio.decoding.picture_view import PictureView
from convnext_studio.model.config import ConvNeXtConfig
from convnext_studio.model.nodes import node_table
from convnext_studio.model.road.road_config import RoadConfig
from convnext_studio.protocol.attributions import Explain, ExplainSeveral
from convnext_studio.protocol.envelope import Cancel, Done, Failed, Logged, Progress, Shutdown, Started
from convnext_studio.protocol.lecture import StemMaps, StemMapsResult
from convnext_studio.protocol.maps import FeatureMapsResult
from convnext_studio.protocol.models import LoadModel, ModelInfo
from convnext_studio.protocol.pictures import (
    CheckedPictures,
    ListedPicture,
    ListedPictures,
    OpenImage,
    PictureSource,
    RestorePictures,
    ShowPicture,
)
from convnext_studio.protocol.receptive_fields import FieldNetwork, ReceptiveField

NUMBERS = np.random.default_rng(0)

ORDERS: tuple[Struct, ...] = (
    LoadModel(id=3, source="bundled", config=ConvNeXtConfig(kernel_size=(3, 5, 7, 9)), stem_stride=2),
    OpenImage(id=4, data=bytes(range(256)), name="pasted"),
    RestorePictures(sources={"a": PictureSource("/a.png", "a.png"), "b": PictureSource("", "b", b"PNG")}),
    ShowPicture(image="a", view=PictureView(frame=3, bands=(4, 2, 0), contrast=(1.5, 99))),
    ReceptiveField(
        node="last", unit=(3, 4), subject=FieldNetwork(source="preset:x", title="Ñ 漢"), images=("a", "b")
    ),
    ExplainSeveral(
        images=("a",), question=Explain(image="", parameters=(("steps", 8), ("fill", "blur"), ("s", 0.5)))
    ),
    StemMaps(image="a", moves=((4, 0), (2, 1))),
    Cancel(id=7),
    Shutdown(),
)

SMALL = ConvNeXtConfig(depths=(1, 1, 1, 1), dims=(8, 8, 8, 8))


def model_info(config: ConvNeXtConfig | RoadConfig) -> ModelInfo:
    return ModelInfo(
        source="x",
        title="X",
        random_weights=True,
        notes=("a note",),
        config=config,
        nodes=tuple(node_table(SMALL, 64)),
        labels=("cat", "dog"),
        parameters=12,
        macs=1 << 40,
        input_px=64,
        device="cpu",
        device_name="CPU",
        precision="float32",
    )


def maps(values: np.ndarray) -> FeatureMapsResult:
    return FeatureMapsResult(
        image="a",
        node="stage1",
        maps=values,
        field=FieldGeometry(7, 4, 2.0),
        geometry=CropGeometry((9, 8), (5, 4), (-1, 0), (4, 4)),
    )


MESSAGES: tuple[Struct, ...] = (
    Started(id=1),
    Done(id=1, payload=None, seconds=0.25),
    Done(id=1, payload=None, seconds=0.25, free_bytes=9_100_000_000),
    Done(id=2, payload=maps(NUMBERS.normal(size=(3, 4, 5)).astype(np.float32)), seconds=float("inf")),
    Progress(id=3, done=1, total=9, text="…", partial=maps(np.zeros((0, 4, 5), np.float32))),
    Progress(id=3, done=2, total=9, text=""),
    Progress(id=3, done=3, total=9, text="", gives_way=True),
    Done(id=4, payload=model_info(SMALL), seconds=1),
    Done(id=5, payload=model_info(RoadConfig(depths=(1, 1, 1, 1))), seconds=1),
    Done(
        id=6,
        payload=StemMapsResult(image="a", channel=None, maps={(4, 0): np.ones((2, 2), np.float32)}),
        seconds=1,
    ),
    Done(id=7, payload=CheckedPictures(failures=(), sha256={"a": "00"}), seconds=1),
    Done(id=8, payload=ListedPictures(pictures=(ListedPicture("k", "n", "/n"),) * 3, checked=3), seconds=1),
    Failed(id=9, message="No.", hint="Less."),
    Logged(level=30, source="a", text="b\nc"),
)
