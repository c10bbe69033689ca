"""Dispatchers with a model and pictures open, and what they answer."""

from collections.abc import Callable

import torch

from convnext_studio import analysis
from convnext_studio.engine.server.dispatch import Dispatcher
from convnext_studio.engine.server.workspace import Work
from convnext_studio.model.loaded import LoadedModel
from convnext_studio.protocol.envelope import Payload, Progress
from convnext_studio.protocol.pictures import ImageInfo, OpenImage

Opener = Callable[..., tuple[Dispatcher, LoadedModel, str]]


def open_picture(engine: Dispatcher, path: str) -> str:
    info = engine.run(OpenImage(path=path))
    assert isinstance(info, ImageInfo)
    return info.key


def input_of(model: LoadedModel, path: str = "sample:cat") -> torch.Tensor:
    return model.preprocess(analysis.decode(path).to_pil())


def all_steps(work: Work) -> tuple[list[Progress], Payload]:
    """What an answer tells on its way, and the answer."""
    steps: list[Progress] = []
    while True:
        try:
            steps.append(next(work))
        except StopIteration as finished:
            return steps, finished.value
