"""Weights from timm's catalogue: found on this computer, or fetched once from the Hugging Face hub."""

import difflib
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import huggingface_hub
from huggingface_hub import constants
from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, LocalEntryNotFoundError
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from convnext_studio.errors import StudioError
from convnext_studio.model.config import ConvNeXtConfig, Four
from convnext_studio.model.preprocessing import Preprocessing

WEIGHTS_FILE = "model.safetensors"
ATTEMPT_S = 8.0
"""How long to wait for the hub to answer at all; names can take long to resolve without a network."""

# timm's architectures that are the paper's network with other depths and dims. Its other variants differ in
# ways that tensors do not always show (epsilon of the norms, order of the head).
_PLAIN = re.compile(r"convnext_(atto|femto|pico|nano|tiny|small|base|large|xlarge)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pretrained:
    """What timm publishes for one name, in our module's terms.

    Attributes
    ----------
    state_dict
        For `ConvNeXt.from_config(config)`.
    labels
        Class names in plain words; empty where the classes are not ImageNet's 1000.
    """

    name: str
    config: ConvNeXtConfig
    state_dict: dict[str, Tensor]
    preprocessing: Preprocessing
    labels: tuple[str, ...]
    licence: str


def read_timm(name: str, offline: bool = False) -> Pretrained:
    """Read a pretrained ConvNeXt of timm, such as ``convnext_tiny.fb_in1k``.

    A file that is on this computer is used without opening a connection.

    Raises
    ------
    StudioError
        Where timm has no such model, it is none that our network expresses, or it cannot be fetched:
        at once where `offline` (or ``HF_HUB_OFFLINE``), else after one attempt of `ATTEMPT_S` seconds.
    """
    offline = offline or constants.HF_HUB_OFFLINE
    if offline and not _is_cached(name):
        raise _not_here(name)
    # timm takes seconds to import, and only its own models need it.
    import timm

    if not timm.is_model(name) or not timm.models.is_model_pretrained(name):
        raise _unknown(name, timm.list_models("convnext*", pretrained=True))
    published: Any = timm.get_pretrained_cfg(name)
    if not _is_plain_classifier(published):
        raise StudioError(
            f"timm's {name} is not a ConvNeXt that can be opened yet.",
            "The plain V1 classifiers can: convnext_atto to convnext_xlarge.",
        )
    full_name = f"{published.architecture}.{published.tag}"
    weights = _weights_file(full_name, published.hf_hub_id, offline)
    try:
        state_dict = from_timm_keys(load_file(weights))
    except (OSError, SafetensorError) as error:
        raise StudioError(
            f"The weights of {full_name} are damaged ({error}).", f"Delete {weights} and try again."
        ) from error
    config = infer_config(state_dict)
    return Pretrained(
        name=full_name,
        config=config,
        state_dict=state_dict,
        preprocessing=_preprocessing(published.to_dict()),
        labels=_imagenet_labels() if config.num_classes == 1000 else (),
        licence=str(published.license or "not stated"),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A pretrained model that `read_timm` opens."""

    name: str
    licence: str
    is_cached: bool


def catalogue() -> list[Offer]:
    """List timm's pretrained models that our network expresses."""
    import timm  # As above.

    found: dict[str, Any] = {
        name: timm.get_pretrained_cfg(name) for name in timm.list_models("convnext_*", pretrained=True)
    }
    return [
        Offer(name=name, licence=str(published.license or "not stated"), is_cached=_is_cached(name))
        for name, published in found.items()
        if _is_plain_classifier(published)
    ]


def _is_plain_classifier(published: Any) -> bool:
    # Trunks of CLIP and DINO have no classes, or an embedding where the classes would be.
    return bool(_PLAIN.fullmatch(published.architecture)) and published.num_classes >= 1000


def from_timm_keys(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename timm's tensors to ours, and turn its 1x1 convolutions (``conv_mlp``) into linear layers."""
    renamed = {}
    for key, tensor in state_dict.items():
        for pattern, ours in _TIMM_KEYS:
            key, count = re.subn(pattern, ours, key)
            if count:
                break
        renamed[key] = tensor.flatten(1) if ".pwconv" in key and tensor.ndim == 4 else tensor
    return renamed


_TIMM_KEYS = (
    (r"^stem\.(\d)", r"downsample_layers.0.\1"),
    (r"^stages\.(\d+)\.downsample\.(\d)", r"downsample_layers.\1.\2"),
    (r"^stages\.(\d+)\.blocks\.(\d+)\.conv_dw", r"stages.\1.\2.dwconv"),
    (r"^stages\.(\d+)\.blocks\.(\d+)\.mlp\.fc(\d)", r"stages.\1.\2.pwconv\3"),
    (r"^stages\.(\d+)\.blocks\.(\d+)", r"stages.\1.\2"),
    (r"^head\.norm", "norm"),
    (r"^head\.fc", "head"),
)


def infer_config(state_dict: Mapping[str, Tensor]) -> ConvNeXtConfig:
    """Read the architecture off the tensors (our keys); the stem is taken for a patchify stem.

    Raises
    ------
    StudioError
        Where the tensors that tell it are missing.
    """
    try:
        stem = state_dict["downsample_layers.0.0.weight"]
        depths = tuple(
            1 + max(int(key.split(".")[2]) for key in state_dict if key.startswith(f"stages.{stage}."))
            for stage in range(4)
        )
        return ConvNeXtConfig(
            in_chans=stem.shape[1],
            num_classes=state_dict["head.weight"].shape[0],
            depths=_four(depths),
            dims=_four(tuple(state_dict[f"stages.{stage}.0.dwconv.weight"].shape[0] for stage in range(4))),
            kernel_size=state_dict["stages.0.0.dwconv.weight"].shape[-1],
            stem_kernel_size=stem.shape[-1],
            stem_stride=stem.shape[-1],
            layer_scale_init_value=1e-6 if "stages.0.0.gamma" in state_dict else 0.0,
        )
    except (KeyError, ValueError, IndexError) as error:
        raise StudioError(
            f"These are not the weights of a classifying ConvNeXt ({error} is missing)."
        ) from error


def _four(values: tuple[int, ...]) -> Four:
    first, second, third, fourth = values
    return first, second, third, fourth


def _preprocessing(published: dict[str, Any]) -> Preprocessing:
    return Preprocessing(
        input_px=int(published["input_size"][1]),
        crop_fraction=float(published["crop_pct"]),
        interpolation=str(published["interpolation"]),
        mean=tuple(published["mean"]),
        std=tuple(published["std"]),
        squash=published["crop_mode"] == "squash",
    )


def _imagenet_labels() -> tuple[str, ...]:
    from timm.data.imagenet_info import ImageNetInfo  # With timm itself: only its models need it.

    names = ImageNetInfo().label_descriptions()
    return tuple(str(name) for name in names)


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
    _ask_hub(name, huggingface_hub.hf_hub_url(repository, WEIGHTS_FILE))
    try:
        return Path(huggingface_hub.hf_hub_download(repository, WEIGHTS_FILE, etag_timeout=ATTEMPT_S))
    except (OSError, HfHubHTTPError) as error:
        raise _unreachable(name, error) from error


def _ask_hub(name: str, url: str) -> None:
    """Make one short attempt, because the hub's own client tries again and again for half a minute."""
    problem: list[BaseException] = [TimeoutError(f"no answer within {ATTEMPT_S:.0f} s")]

    def attempt() -> None:
        try:
            huggingface_hub.get_hf_file_metadata(url, timeout=ATTEMPT_S)
            problem.clear()
        except Exception as error:  # Whatever the network's layers raise, it is told in one sentence.
            problem[:] = [error]

    # A thread, because resolving a name cannot be given a time limit.
    thread = threading.Thread(target=attempt, daemon=True)
    thread.start()
    thread.join(ATTEMPT_S)
    if not problem:
        return
    if isinstance(problem[0], EntryNotFoundError):
        raise StudioError(f"The Hugging Face hub has no {WEIGHTS_FILE} for {name}.") from problem[0]
    raise _unreachable(name, problem[0])


def _unknown(name: str, known: list[str]) -> StudioError:
    closest = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    hint = f"Did you mean {', '.join(closest)}?" if closest else f"There are {', '.join(known[:5])} and more."
    return StudioError(f"timm has no pretrained model “{name}”.", hint)


def _not_here(name: str) -> StudioError:
    return StudioError(
        f"The weights of {name} are not on this computer, and the program is offline.",
        "Start it without --offline, or open weights from a file.",
    )


def _unreachable(name: str, error: BaseException) -> StudioError:
    return StudioError(
        f"{name} is not on this computer, and the Hugging Face hub cannot be reached ({error}).",
        "Check the network, or open weights from a file.",
    )
