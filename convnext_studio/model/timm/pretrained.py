"""Weights from timm's catalogue: found on this computer, or fetched once from the Hugging Face hub."""

import threading
import time
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import huggingface_hub
from huggingface_hub import constants
from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, LocalEntryNotFoundError

from convnext_studio.common.errors import StudioError
from convnext_studio.model.preprocessing import Preprocessing
from convnext_studio.model.timm.families import family_of
from convnext_studio.model.timm.registry import (
    PATTERNS,
    as_timm_defines,
    current_name,
    preprocessing_of,
    unknown,
)
from convnext_studio.model.weights.formats import converted
from convnext_studio.model.weights.inference import infer_config, shapes_of
from convnext_studio.model.weights.reading import Stem, Weights, checked, imagenet_labels, read_contents, told

WEIGHTS_FILE = "model.safetensors"
IMAGENET_SUBSETS = {
    1000: "imagenet-1k",
    11221: "imagenet-21k-miil",
    11821: "imagenet-12k",
    21841: "imagenet-22k",
    21843: "imagenet-21k-goog",
}
ATTEMPT_S = 8.0
"""How long to wait for the hub to answer at all; names can take long to resolve without a network."""
STEP_S = 0.1
"""How often work that waits for the network gives way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """Weights of timm's, as they were published, on this computer.

    Attributes
    ----------
    name
        Of architecture and tag.
    tensors
        By their names in the file.
    file_bytes
        Size of the file.
    labels, preprocessing
        As they were trained; no labels where there is no classifier of known classes.
    licence
        Of the weights, as timm names it.
    """

    name: str
    tensors: Mapping[str, Any]
    file_bytes: int
    labels: tuple[str, ...]
    preprocessing: Preprocessing
    licence: str

    @property
    def architecture(self) -> str:
        """The name without the tag."""
        return self.name.partition(".")[0]

    @property
    def provenance(self) -> dict[str, str]:
        """Where the weights come from."""
        return {"licence of the weights": self.licence, "published as": f"{self.name} in timm"}


def read_published(name: str, offline: bool = False) -> Published:
    """Read weights of timm's, such as ``convnext_tiny.fb_in1k`` or ``resnet50.a1_in1k``.

    A file that is on this computer is used without opening a connection.

    Raises
    ------
    StudioError
        Where timm has no such network that can be opened, or its weights cannot be fetched: at once where
        `offline` (or ``HF_HUB_OFFLINE``), else after one attempt of `ATTEMPT_S` seconds.
    """
    published = find(name, offline)
    full_name = f"{published.architecture}.{published.tag}"
    path = _weights_file(full_name, published.hf_hub_id, is_offline(offline))
    try:
        tensors = read_contents(path)
    except StudioError as error:
        raise _unreadable(full_name, error, path) from error
    subset = IMAGENET_SUBSETS.get(published.num_classes)
    return Published(
        name=full_name,
        tensors=tensors,
        file_bytes=path.stat().st_size,
        labels=() if subset is None else imagenet_labels(subset),
        preprocessing=preprocessing_of(published.to_dict()),
        licence=str(published.license or "not stated"),
    )


def convnext_weights(published: Published, stem: Stem) -> Weights:
    """Give published weights of a ConvNeXt to our network.

    Raises
    ------
    StudioError
        Where they are not those of a whole ConvNeXt.
    """
    found = converted(published.tensors, published.file_bytes)
    inferred = infer_config(shapes_of(found.state_dict), found.head_norm_first)
    config = stem.applied(as_timm_defines(published.architecture, inferred))
    return Weights(
        config=config,
        state_dict=found.state_dict,
        labels=published.labels,
        preprocessing=published.preprocessing,
        title=f"{published.name} (timm)",
        notes=(*checked(found, config), *told(published.provenance), *found.notes[1:]),
        provenance=published.provenance,
    )


def is_offline(offline: bool) -> bool:
    """Whether a person forbade connections: here, or to all programs that use the hub."""
    return offline or constants.HF_HUB_OFFLINE


def find(name: str, offline: bool) -> Any:
    """What timm says of pretrained weights (a ``PretrainedCfg``); an old name of theirs finds them too.

    Raises
    ------
    StudioError
        Where timm has none of that name, or none that can be opened; at once where `offline` and its weights
        are not on this computer.
    """
    if is_offline(offline) and not _is_cached(name):
        raise _not_here(name)
    # timm takes seconds to import, and only its own models need it.
    import timm

    name = current_name(name)
    if family_of(name.partition(".")[0]) is None:
        names = _names()
        if name not in names and not any(known.startswith(f"{name}.") for known in names):
            raise unknown(name, names)
    published = timm.get_pretrained_cfg(name) if timm.is_model_pretrained(name) else None
    if published is None:
        raise unknown(name, [str(known) for known in timm.list_models(pretrained=True)])
    if not published.hf_hub_id:
        raise StudioError(f"timm offers the weights of {name} nowhere on the Hugging Face hub.")
    return published


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A pretrained model that `read_timm` opens.

    Attributes
    ----------
    name, architecture, tag
        ``convnext_tiny.fb_in1k`` is ``convnext_tiny`` with the weights ``fb_in1k``.
    num_classes
        Outputs of its classifier; 0 where it has none.
    input_px
        Side of its pictures.
    licence
        Of the weights, as timm names it.
    is_cached
        They lie on this computer.
    """

    name: str
    architecture: str
    tag: str
    num_classes: int
    input_px: int
    licence: str
    is_cached: bool


def catalogue() -> list[Offer]:
    """List timm's pretrained ConvNeXts."""
    import timm  # As above.

    return [_offer(timm.get_pretrained_cfg(name)) for name in _names()]


def offer_of(name: str, offline: bool) -> Offer:
    """What timm offers under a name, of whatever family.

    Raises
    ------
    StudioError
        As `find` does.
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
        is_cached=_is_cached(name),
    )


def _names() -> list[str]:
    import timm  # As above.

    return [str(name) for name in timm.list_models(PATTERNS, pretrained=True)]


def _is_cached(name: str) -> bool:
    """Whether any weights of that name lie in the hub's cache; cheap, and without timm."""
    pattern = f"models--timm--{name}" if "." in name else f"models--timm--{name}.*"
    return any(Path(constants.HF_HUB_CACHE).glob(f"{pattern}/snapshots/*/{WEIGHTS_FILE}"))


def _weights_file(name: str, repository: str, offline: bool) -> Path:
    try:
        return Path(huggingface_hub.hf_hub_download(repository, WEIGHTS_FILE, local_files_only=True))
    except LocalEntryNotFoundError:
        if offline:
            raise _not_here(name) from None
    for _ in ask_hub(name, huggingface_hub.hf_hub_url(repository, WEIGHTS_FILE)):
        pass
    try:
        return Path(huggingface_hub.hf_hub_download(repository, WEIGHTS_FILE, etag_timeout=ATTEMPT_S))
    except (OSError, HfHubHTTPError) as error:
        raise unreachable(name, error) from error


def ask_hub(name: str, url: str) -> Generator[None, None, huggingface_hub.HfFileMetadata]:
    """Make one short attempt, because the hub's own client tries again and again for half a minute.

    It yields every `STEP_S` while it waits, and returns what the hub says of the file.
    """
    found: list[huggingface_hub.HfFileMetadata] = []
    problem: list[BaseException] = [TimeoutError(f"no answer within {ATTEMPT_S:.0f} s")]

    def attempt() -> None:
        try:
            found.append(huggingface_hub.get_hf_file_metadata(url, timeout=ATTEMPT_S))
        except Exception as error:  # Whatever the network's layers raise, it is told in one sentence.
            problem[:] = [error]

    # A thread, because resolving a name cannot be given a time limit.
    thread = threading.Thread(target=attempt, daemon=True)
    deadline = time.monotonic() + ATTEMPT_S
    thread.start()
    while thread.is_alive() and time.monotonic() < deadline:
        thread.join(STEP_S)
        yield
    if found:
        return found[0]
    if isinstance(problem[0], EntryNotFoundError):
        raise StudioError(f"The Hugging Face hub has no {WEIGHTS_FILE} for {name}.") from problem[0]
    raise unreachable(name, problem[0])


def _unreadable(name: str, error: StudioError, path: Path) -> StudioError:
    return StudioError(
        f"The weights of {name} cannot be read: {error.message}", f"Delete {path} and try again."
    )


def _not_here(name: str) -> StudioError:
    return StudioError(
        f"The weights of {name} are not on this computer, and the program is offline.",
        "Start it without --offline, or open weights from a file.",
    )


def unreachable(name: str, error: BaseException) -> StudioError:
    """What to tell where the hub does not answer."""
    return StudioError(
        f"{name} is not on this computer, and the Hugging Face hub cannot be reached ({error}).",
        "Check the network, or open weights from a file.",
    )
