"""Weights from timm's catalogue, read from this computer or downloaded once from the Hugging Face hub."""

import threading
import time
from collections.abc import Generator, Mapping
from glob import escape
from pathlib import Path
from typing import Any

import huggingface_hub
from huggingface_hub import constants
from msgspec import Struct

from convnext_studio.common.errors import StudioError
from convnext_studio.model.preprocessing import Preprocessing
from convnext_studio.model.timm.families import find_family
from convnext_studio.model.timm.hub_errors import NoAnswerError, broken_off, unreachable
from convnext_studio.model.timm.known_models import known_models
from convnext_studio.model.timm.timm_names import (
    PATTERNS,
    complete_from_timm,
    current_name,
    preprocessing_of,
    unknown_name,
)
from convnext_studio.model.weights.names.converting import convert
from convnext_studio.model.weights.reading import (
    Stem,
    Weights,
    check_contents,
    describe_provenance,
    imagenet_labels,
    read_contents,
)

WEIGHTS_FILE = "model.safetensors"
IMAGENET_SUBSETS = {
    1000: "imagenet-1k",
    11221: "imagenet-21k-miil",
    11821: "imagenet-12k",
    21841: "imagenet-22k",
    21843: "imagenet-21k-goog",
}
ATTEMPT_S = 8.0
"""How long to wait for the first answer of the hub; without a network, resolving a name can take long."""
STEP_S = 0.1
"""How often a wait for the network is interrupted to check for cancellation."""


class PublishedWeights(Struct, frozen=True, kw_only=True):
    """Published timm weights on this computer.

    Attributes
    ----------
    name
        The name of the architecture and the tag of the weights.
    tensors
        The tensors by their names in the file.
    file_bytes
        Size of the file.
    labels, preprocessing
        The labels and preprocessing of the training; no labels if there is no classifier with known classes.
    licence
        The licence of the weights, by timm's name for it.
    """

    name: str
    tensors: Mapping[str, Any]
    file_bytes: int
    labels: tuple[str, ...]
    preprocessing: Preprocessing
    licence: str

    @property
    def architecture(self) -> str:
        """The name of the architecture, without the tag."""
        return self.name.partition(".")[0]

    @property
    def provenance(self) -> dict[str, str]:
        """Where the weights come from, as pairs of name and text."""
        return {"licence of the weights": self.licence, "published as": f"{self.name} in timm"}


def read_published(name: str, offline: bool = False) -> PublishedWeights:
    """Read timm weights such as ``convnext_tiny.fb_in1k`` or ``resnet50.a1_in1k``.

    A file that is on this computer is read without opening a connection.

    Raises
    ------
    StudioError
        If timm has no such network that can be opened, or its weights cannot be downloaded: at once if
        `offline` (or ``HF_HUB_OFFLINE``) is set, otherwise after one attempt of `ATTEMPT_S` seconds.
    """
    published = find(name, offline)
    full_name = f"{published.architecture}.{published.tag}"
    path = _weights_file(full_name, published.hf_hub_id, is_offline(offline))
    try:
        tensors = read_contents(path).values
    except StudioError as error:
        raise _unreadable(full_name, error, path) from error
    subset = IMAGENET_SUBSETS.get(published.num_classes)
    return PublishedWeights(
        name=full_name,
        tensors=tensors,
        file_bytes=path.stat().st_size,
        labels=() if subset is None else imagenet_labels(subset),
        preprocessing=preprocessing_of(published.to_dict()),
        licence=str(published.license or "not stated"),
    )


def convnext_weights(published: PublishedWeights, stem: Stem) -> Weights:
    """Convert the published weights of a ConvNeXt for our network.

    Raises
    ------
    StudioError
        If they are not the weights of a whole ConvNeXt.
    """
    found = convert(published.tensors, published.file_bytes)
    inferred = found.config
    config = stem.applied_to(complete_from_timm(published.architecture, inferred))
    return Weights(
        config=config,
        state_dict=found.state_dict,
        labels=published.labels,
        preprocessing=published.preprocessing,
        title=f"{published.name} (timm)",
        notes=(*check_contents(found, config), *describe_provenance(published.provenance), *found.notes[1:]),
        provenance=published.provenance,
    )


def is_offline(offline: bool) -> bool:
    """Return whether connections are forbidden, by the argument or by the environment variable of the hub."""
    return offline or constants.HF_HUB_OFFLINE


def find(name: str, offline: bool) -> Any:
    """Return timm's ``PretrainedCfg`` of the weights with that name, which may be an old name.

    Raises
    ------
    StudioError
        If timm has no weights with that name, or none that can be opened; at once if `offline` is set and the
        weights are not on this computer.
    """
    if is_offline(offline) and not _is_cached(name):
        raise _not_here(name)
    # Imported here because timm takes seconds to import and only its own models need it.
    import timm

    name = current_name(name)
    if find_family(name.partition(".")[0]) is None:
        names = _names()
        if name not in names and not any(known.startswith(f"{name}.") for known in names):
            raise unknown_name(name, names)
    published = timm.get_pretrained_cfg(name) if timm.is_model_pretrained(name) else None
    if published is None:
        raise unknown_name(name, [str(known) for known in timm.list_models(pretrained=True)])
    if not published.hf_hub_id:
        raise StudioError(f"timm's weights of {name} are not on the Hugging Face hub.")
    return published


class Offer(Struct, frozen=True, kw_only=True):
    """An entry of timm's catalogue of pretrained models.

    Attributes
    ----------
    name, architecture, tag
        ``convnext_tiny.fb_in1k`` is ``convnext_tiny`` with the weights ``fb_in1k``.
    num_classes
        Number of outputs of the classifier; 0 if there is none.
    input_px
        Side of the input in pixels.
    licence
        The licence of the weights, by timm's name for it.
    file_bytes
        Size of the file with the weights; None if it is not on this computer.
    """

    name: str
    architecture: str
    tag: str
    num_classes: int
    input_px: int
    licence: str
    file_bytes: int | None

    @property
    def is_cached(self) -> bool:
        """Whether the weights are on this computer."""
        return self.file_bytes is not None


def catalogue(families: bool = False) -> list[Offer]:
    """List timm's pretrained ConvNeXts, and on request the other families that can be opened."""
    import timm  # As above.

    names = _names()
    if families:
        there = {str(name) for name in timm.list_models(pretrained=True)}
        names += [name for name in known_models() if name in there and name not in set(names)]
    return [_offer(timm.get_pretrained_cfg(name)) for name in names]


def find_offer(name: str, offline: bool) -> Offer:
    """Return the catalogue entry with that name, of any family.

    Raises
    ------
    StudioError
        As `find` raises it.
    """
    return _offer(find(name, offline))


def _offer(published: Any) -> Offer:
    name = f"{published.architecture}.{published.tag}"
    return Offer(
        name=name,
        architecture=str(published.architecture),
        tag=str(published.tag),
        num_classes=int(published.num_classes),
        input_px=int(published.input_size[1]),
        licence=str(published.license or "not stated"),
        file_bytes=_cached_bytes(name),
    )


def _names() -> list[str]:
    import timm  # As above.

    return [str(name) for name in timm.list_models(PATTERNS, pretrained=True)]


def _is_cached(name: str) -> bool:
    """Return whether weights with that name are in the hub's cache; cheap, and without importing timm."""
    pattern = f"models--timm--{escape(name)}" if "." in name else f"models--timm--{escape(name)}.*"
    try:
        return any(Path(constants.HF_HUB_CACHE).glob(f"{pattern}/snapshots/*/{WEIGHTS_FILE}"))
    except (OSError, ValueError):  # No folder can have such a name.
        return False


def _cached_bytes(name: str) -> int | None:
    """Return the size of the file with these weights in the hub's cache, or None if it is not there."""
    files = Path(constants.HF_HUB_CACHE).glob(f"models--timm--{name}/snapshots/*/{WEIGHTS_FILE}")
    return next((file.stat().st_size for file in files if file.exists()), None)


def _weights_file(name: str, repository: str, offline: bool) -> Path:
    try:
        return Path(huggingface_hub.hf_hub_download(repository, WEIGHTS_FILE, local_files_only=True))
    except OSError:  # It is not there, or the folder cannot be read.
        if offline:
            raise _not_here(name) from None
    for _ in ask_hub(name, repository):
        pass
    try:
        return Path(huggingface_hub.hf_hub_download(repository, WEIGHTS_FILE, etag_timeout=ATTEMPT_S))
    except Exception as error:  # Network libraries raise errors of many kinds; the user gets one sentence.
        raise broken_off(name, repository, WEIGHTS_FILE, Path(constants.HF_HUB_CACHE), error) from error


def ask_hub(name: str, repository: str) -> Generator[None, None, huggingface_hub.HfFileMetadata]:
    """Ask the hub for the metadata of the file with a network's weights, in a single short attempt.

    The hub's own client would retry for half a minute. The generator yields every `STEP_S` seconds while it
    waits, and returns the metadata.
    """
    url = huggingface_hub.hf_hub_url(repository, WEIGHTS_FILE)
    found: list[huggingface_hub.HfFileMetadata] = []
    problem: list[BaseException] = [NoAnswerError(f"no answer within {ATTEMPT_S:.0f} s")]

    def attempt() -> None:
        try:
            found.append(huggingface_hub.get_hf_file_metadata(url, timeout=ATTEMPT_S))
        except Exception as error:  # Network libraries raise errors of many kinds; the user gets one sentence.
            problem[:] = [error]

    # In a thread, because resolving a host name takes no time limit.
    thread = threading.Thread(target=attempt, daemon=True)
    deadline = time.monotonic() + ATTEMPT_S
    thread.start()
    while thread.is_alive() and time.monotonic() < deadline:
        thread.join(STEP_S)
        yield
    if found:
        return found[0]
    raise unreachable(name, repository, WEIGHTS_FILE, problem[0]) from problem[0]


def _unreadable(name: str, error: StudioError, path: Path) -> StudioError:
    return StudioError(
        f"The weights of {name} cannot be read: {error.message}", f"Delete {path} and try again."
    )


def _not_here(name: str) -> StudioError:
    return StudioError(
        f"The weights of {name} are not on this computer, and the program is offline.",
        "Start it without the option for that, or open weights from a file.",
    )
