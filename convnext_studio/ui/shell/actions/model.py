"""The actions of the Model menu."""

from typing import TYPE_CHECKING, Literal

from convnext_studio.model.config import ConvNeXtConfig
from convnext_studio.model.presets import PRESETS, bundled_is_there
from convnext_studio.ui.panels.model.model_panel import DEVICES
from convnext_studio.ui.shell.actions.spec import SEPARATOR, ActionSpec, Ask, Run
from convnext_studio.ui.shell.docks.panel_specs import panel_actions

if TYPE_CHECKING:  # The window imports this table.
    from convnext_studio.ui.shell.window import StudioWindow


def _has_convnext(window: "StudioWindow") -> bool:
    return window.state.model is not None and isinstance(window.state.model.config, ConvNeXtConfig)


def _loaded(window: "StudioWindow", what: Literal["device", "precision"]) -> str:
    """Return the requested device or precision of the open model; empty before there is one."""
    loaded = window.controller.loaded
    return "" if loaded is None else str(getattr(loaded, what))


def _opens_model(source: str) -> Run:
    return lambda window: window.controller.change_model(source=source)


def _uses_device(device: str) -> Run:
    return lambda window: window.controller.change_model(device=device)


def _is_device(device: str) -> Ask:
    return lambda window: _loaded(window, "device") == device


MODEL: tuple[ActionSpec, ...] = (
    ActionSpec(
        "model_bundled",
        "Model",
        "&Bundled model",
        "Open the trained model that comes with the program",
        _opens_model("bundled"),
        needs="a version with a bundled model",
        enabled=lambda _window: bundled_is_there(),
    ),
    *(
        ActionSpec(
            f"model_preset:{name}",
            "Model/&Presets",
            name,
            f"Open the architecture “{name}” with random weights",
            _opens_model(f"preset:{name}"),
        )
        for name in PRESETS
    ),
    *panel_actions("Model"),
    ActionSpec(
        "model_file",
        "Model",
        "Open &weights…",
        "Open a weights file",
        lambda window: window.dialogs.open_weights(),
        "Ctrl+Shift+O",
    ),
    ActionSpec(
        "model_save",
        "Model",
        "&Save weights as…",
        "Save this network in ConvNeXt Studio's format, or with the tensor names of its authors",
        lambda window: window.dialogs.save_weights(),
        needs="an open ConvNeXt",
        enabled=_has_convnext,
    ),
    ActionSpec("model_1", "Model", SEPARATOR),
    *(
        ActionSpec(
            f"device_{device}",
            "Model/&Device",
            "Automatic" if device == "auto" else device,
            "Run on a GPU if there is one, otherwise on the CPU" if device == "auto" else f"Run on {device}",
            _uses_device(device),
            group="device",
            checked=_is_device(device),
        )
        for device in DEVICES
    ),
    ActionSpec(
        "precision_float32",
        "Model/&Precision",
        "float32",
        "Use 32 bits for the forward pass",
        lambda window: window.controller.change_model(precision="float32"),
        group="precision",
        checked=lambda window: _loaded(window, "precision") == "float32",
    ),
    ActionSpec(
        "precision_bfloat16",
        "Model/&Precision",
        "bfloat16",
        "Use 16 bits for the forward pass, on CUDA only; attributions still use 32 bits",
        lambda window: window.controller.change_model(precision="bfloat16"),
        group="precision",
        checked=lambda window: _loaded(window, "precision") == "bfloat16",
        needs="a model on CUDA",
        enabled=lambda window: window.state.model is not None and window.state.model.device.startswith("cuda"),
    ),
)
