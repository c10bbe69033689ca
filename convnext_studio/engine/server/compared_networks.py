"""A small cache of networks that are measured for comparison with the open one."""

from collections import OrderedDict
from collections.abc import Callable, Generator, Hashable

import torch
from msgspec.structs import replace

from convnext_studio.engine.server.hardware.devices import check_memory
from convnext_studio.engine.server.weight_downloads import downloading
from convnext_studio.model.loaded import LoadedModel, build, load
from convnext_studio.protocol.envelope import Progress
from convnext_studio.protocol.models import LoadModel
from convnext_studio.protocol.receptive_fields import FieldNetwork

MOST = 3
"""How many are kept beside the open model, since at most four are compared."""
LARGEST_PARAMETERS = 400_000_000
"""The limit on the parameters of all kept networks together (1.6 GB)."""


class ComparedNetworks:
    """A cache of the few networks that were measured last."""

    def __init__(self) -> None:
        self._models: OrderedDict[Hashable, LoadedModel] = OrderedDict()

    def open(
        self,
        subject: FieldNetwork,
        device: torch.device,
        input_px: int,
        request_id: int,
        should_stop: Callable[[], bool],
    ) -> Generator[Progress, None, LoadedModel]:
        """Load or build the subject's network on a device, unless it is cached.

        Parameters
        ----------
        input_px
            The input side for an architecture with random weights; files specify their own.

        Raises
        ------
        StudioError
            If the network cannot be loaded or built.
        Stopped
            Soon after `should_stop()` is true.
        """
        key = (subject.source, subject.config, subject.seed, str(device), input_px)
        if key in self._models:
            self._models.move_to_end(key)
        else:
            wanted = LoadModel(id=request_id, source=subject.source, offline=subject.offline)
            text = f"Loading {subject.title or subject.source or 'random weights'}"
            yield Progress(id=request_id, done=0, total=0, text=text)
            if subject.config is None:
                yield from downloading(wanted, should_stop)
            self._keep(key, _made(subject, input_px).to(device))
        model = self._models[key]
        return replace(model, title=subject.title) if subject.title else model

    def _keep(self, key: Hashable, model: LoadedModel) -> None:
        self._models[key] = model
        while len(self._models) > 1 and (len(self._models) > MOST or self._parameters() > LARGEST_PARAMETERS):
            self._models.popitem(last=False)

    def _parameters(self) -> int:
        return sum(model.parameters for model in self._models.values())


def _made(subject: FieldNetwork, input_px: int) -> LoadedModel:
    if subject.config is None:
        return load(subject.source, offline=subject.offline, seed=subject.seed)
    check_memory(subject.config)
    return build(subject.config, f"Random weights, seed {subject.seed}", subject.seed, input_px)
