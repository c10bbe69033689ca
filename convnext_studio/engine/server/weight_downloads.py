"""Downloads the published weights that a request needs, step by step."""

from collections.abc import Generator
from contextlib import closing

from convnext_studio.analysis.capture import ShouldStop
from convnext_studio.common.stopping import Stopped
from convnext_studio.model.loaded import TIMM_PREFIX
from convnext_studio.protocol.envelope import Progress
from convnext_studio.protocol.models import LoadModel


def downloading(request: LoadModel, should_stop: ShouldStop) -> Generator[Progress, None, None]:
    """Download the weights that a request names, if they are timm's and not on this computer yet.

    Raises
    ------
    StudioError
        If they cannot be downloaded.
    Stopped
        Soon after `should_stop()` is true; the partial download is removed.
    """
    if not request.source.startswith(TIMM_PREFIX):
        return
    from convnext_studio.model.timm.downloading import download

    with closing(download(request.source.removeprefix(TIMM_PREFIX), request.offline)) as steps:
        for received in steps:
            if should_stop():
                raise Stopped
            done, total = received.done_bytes, received.total_bytes
            text = f"Downloading {received.name}: {done / 1e6:.0f} of {total / 1e6:.0f} MB"
            if total == 0:
                text = f"Asking the Hugging Face hub for {received.name}"
            yield Progress(id=request.id, done=done, total=total, text=text, gives_way=True)
    # Reading the file is quick again, and the person has waited long enough.
    yield Progress(id=request.id, done=0, total=0, text=f"Loading {request.name}")
