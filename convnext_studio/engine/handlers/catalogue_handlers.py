"""The handler that lists timm's pretrained models."""

from collections.abc import Generator
from typing import TYPE_CHECKING

from convnext_studio.common.stopping import Stopped
from convnext_studio.engine.server.handler_registry import handles
from convnext_studio.engine.server.workspace import ShouldStop, Workspace
from convnext_studio.model.nodes import total_parameters
from convnext_studio.model.timm.known_models import known_models
from convnext_studio.model.timm.provenance import count_trunk, is_noncommercial, trained_on
from convnext_studio.model.timm.timm_names import is_convnext
from convnext_studio.protocol.envelope import Progress
from convnext_studio.protocol.models import Catalogue, ListPretrained, PretrainedInfo

if TYPE_CHECKING:
    from convnext_studio.model.timm.pretrained import Offer

BYTES_PER_PARAMETER = 4
OFFLINE = "Its weights are not on this computer, and the program is offline."


@handles(ListPretrained)
def list_pretrained(
    _workspace: Workspace, request: ListPretrained, should_stop: ShouldStop
) -> Generator[Progress, None, Catalogue]:
    """List timm's pretrained models, or the one requested network, with the facts needed to choose.

    Raises
    ------
    StudioError
        If there is no network of the requested name, or it cannot be opened.
    Stopped
        Between two architectures, once `should_stop()` is true.
    """
    yield Progress(id=request.id, done=0, total=0, text="Reading timm's catalogue")
    # timm takes seconds to import, and only its own models need it.
    from convnext_studio.model.timm.pretrained import catalogue, find_offer

    if request.name:
        offer = find_offer(request.name, request.offline)
        return Catalogue(entries=(_entry(offer, _parameters_of(offer), request.offline),))
    offers = catalogue(request.families)
    known = known_models()
    architectures = sorted({offer.architecture for offer in offers if offer.name not in known})
    trunks: dict[str, tuple[int, int]] = {}
    for done, architecture in enumerate(architectures):
        if should_stop():
            raise Stopped
        yield Progress(
            id=request.id, done=done, total=len(architectures), text="Counting the parameters of timm's models"
        )
        trunks[architecture] = count_trunk(architecture)
    entries = []
    for offer in offers:
        if offer.name in known:
            parameters = known[offer.name].parameters
        else:  # A model of a newer version of timm.
            trunk, channels = trunks[offer.architecture]
            parameters = trunk + offer.num_classes * (channels + 1)
        entries.append(_entry(offer, parameters, request.offline))
    return Catalogue(entries=tuple(entries))


def _parameters_of(offer: "Offer") -> int:
    if is_convnext(offer.architecture):
        trunk, channels = count_trunk(offer.architecture)
        return trunk + offer.num_classes * (channels + 1)
    from convnext_studio.model.timm.timm_network import plan_network

    plan = plan_network(offer.name)
    return total_parameters(plan.nodes, plan.config)


def _entry(offer: "Offer", parameters: int, offline: bool) -> PretrainedInfo:
    from convnext_studio.model.timm.pretrained import is_offline

    known = known_models().get(offer.name)
    return PretrainedInfo(
        name=offer.name,
        parameters=parameters,
        input_px=offer.input_px,
        data=trained_on(offer.tag),
        licence=offer.licence,
        is_noncommercial=is_noncommercial(offer.licence),
        download_bytes=None if offer.is_cached else BYTES_PER_PARAMETER * parameters,
        is_cached=offer.is_cached,
        disk_bytes=offer.file_bytes,
        accuracy=None if known is None else known.accuracy,
        measured_px=None if known is None else known.measured_px,
        is_convnext=is_convnext(offer.architecture),
        why_not=OFFLINE if is_offline(offline) and not offer.is_cached else "",
    )
