"""Which network is open, and on what it runs."""

from convnext_studio.model.presets import PRESETS
from convnext_studio.ui.panels.model.model_panel import DEVICES
from convnext_studio.ui.shell.actions.spec import SEPARATOR, ActionSpec, with_argument
from convnext_studio.ui.shell.commands.commands import Commands

MODEL: tuple[ActionSpec, ...] = (
    ActionSpec(
        "model_bundled",
        "Model",
        "&Bundled model",
        "Open the trained model that comes with the program",
        with_argument(Commands.open_model, "bundled"),
        needs="a version that comes with a model",
    ),
    *(
        ActionSpec(
            f"model_preset:{name}",
            "Model/&Presets",
            name,
            f"Open the architecture “{name}” with random weights",
            with_argument(Commands.open_model, f"preset:{name}"),
        )
        for name in PRESETS
    ),
    ActionSpec(
        "model_pretrained",
        "Model",
        "P&retrained models…",
        "List all pretrained models, with their data and licences, and open one",
        Commands.list_pretrained,
        "Ctrl+M",
    ),
    ActionSpec(
        "model_file", "Model", "Open &weights…", "Open a weights file", Commands.open_weights, "Ctrl+Shift+O"
    ),
    ActionSpec(
        "model_save",
        "Model",
        "&Save weights as…",
        "Save this network as a file of ConvNeXt Studio, or with the tensors' names of its authors",
        Commands.save_weights,
        needs="an open ConvNeXt",
    ),
    ActionSpec(
        "model_build",
        "Model",
        "B&uild a network…",
        "Describe a network field by field, see what it costs, and build it with random weights",
        Commands.build_network,
        "Ctrl+B",
    ),
    ActionSpec(
        "field_lab",
        "Model",
        "Receptive-field &lab…",
        "Compare receptive fields, see their curves and how they grow with depth",
        Commands.open_field_lab,
        "Ctrl+L",
    ),
    ActionSpec("model_1", "Model", SEPARATOR),
    *(
        ActionSpec(
            f"device_{device}",
            "Model/&Device",
            "Automatic" if device == "auto" else device,
            "Run on CUDA, else MPS, else the CPU" if device == "auto" else f"Run on {device}",
            with_argument(Commands.use_device, device),
            checkable=True,
            group="device",
        )
        for device in DEVICES
    ),
    ActionSpec(
        "precision_float32",
        "Model/&Precision",
        "float32",
        "Forward pass in 32 bits",
        Commands.use_float32,
        checkable=True,
        group="precision",
    ),
    ActionSpec(
        "precision_bfloat16",
        "Model/&Precision",
        "bfloat16",
        "Forward pass in 16 bits, on CUDA only; attributions stay in 32",
        Commands.use_bfloat16,
        checkable=True,
        group="precision",
        needs="a model on CUDA",
    ),
)
