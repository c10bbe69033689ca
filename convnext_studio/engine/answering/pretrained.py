"""Work on timm's catalogue: what there is, and bringing it here."""

from collections.abc import Generator
from contextlib import closing
from typing import TYPE_CHECKING

from convnext_studio.analysis.capture import ShouldStop
from convnext_studio.engine.messages import Catalogue, ListPretrained, LoadModel, PretrainedInfo, Progress
from convnext_studio.model.loaded import TIMM_PREFIX
from convnext_studio.model.nodes import total_parameters
from convnext_studio.model.provenance import count_trunk, is_noncommercial, trained_on
from convnext_studio.model.timm_registry import is_convnext
from convnext_studio.stopping import Stopped

if TYPE_CHECKING:
    from convnext_studio.model.pretrained import Offer

BYTES_PER_PARAMETER = 4
OFFLINE = "Its weights are not on this computer, and the program is offline."


def list_pretrained(request: ListPretrained, should_stop: ShouldStop) -> Generator[Progress, None, Catalogue]:
    """Say of every pretrained ConvNeXt of timm, or of the one network asked for, what people choose by.

    Raises
    ------
    StudioError
        Where there is none of the name asked for, or it cannot be opened.
    Stopped
        Between two architectures, once `should_stop()` is true.
    """
    yield Progress(id=request.id, done=0, total=0, text="Reading timm's catalogue")
    # timm takes seconds to import, and only its own models need it.
    from convnext_studio.model.pretrained import catalogue, offer_of

    if request.name:
        offer = offer_of(request.name, request.offline)
        return Catalogue(entries=(_entry(offer, _parameters_of(offer), request.offline),))
    offers = catalogue()
    architectures = sorted({offer.architecture for offer in offers})
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
        trunk, channels = trunks[offer.architecture]
        entries.append(_entry(offer, trunk + offer.num_classes * (channels + 1), request.offline))
    return Catalogue(entries=tuple(entries))


def _parameters_of(offer: "Offer") -> int:
    if is_convnext(offer.architecture):
        trunk, channels = count_trunk(offer.architecture)
        return trunk + offer.num_classes * (channels + 1)
    from convnext_studio.model.timm_network import plan_of

    plan = plan_of(offer.name)
    return total_parameters(plan.nodes, plan.config)


def _entry(offer: "Offer", parameters: int, offline: bool) -> PretrainedInfo:
    from convnext_studio.model.pretrained import is_offline  # As above.

    return PretrainedInfo(
        name=offer.name,
        parameters=parameters,
        input_px=offer.input_px,
        data=trained_on(offer.tag),
        licence=offer.licence,
        is_noncommercial=is_noncommercial(offer.licence),
        download_bytes=None if offer.is_cached else BYTES_PER_PARAMETER * parameters,
        is_cached=offer.is_cached,
        why_not=OFFLINE if is_offline(offline) and not offer.is_cached else "",
    )


def downloading(request: LoadModel, should_stop: ShouldStop) -> Generator[Progress, None, None]:
    """Bring the weights that a request names onto this computer, where they are timm's and not there yet.

    Raises
    ------
    StudioError
        Where they cannot be fetched.
    Stopped
        Soon after `should_stop()` is true; nothing of the download stays.
    """
    if not request.source.startswith(TIMM_PREFIX):
        return
    from convnext_studio.model.downloading import download  # The hub's client takes long to import.

    with closing(download(request.source.removeprefix(TIMM_PREFIX), request.offline)) as steps:
        for received in steps:
            if should_stop():
                raise Stopped
            done, total = received.done_bytes, received.total_bytes
            text = f"Downloading {received.name}: {done / 1e6:.0f} of {total / 1e6:.0f} MB"
            if total == 0:
                text = f"Asking the Hugging Face hub for {received.name}"
            yield Progress(id=request.id, done=done, total=total, text=text)
