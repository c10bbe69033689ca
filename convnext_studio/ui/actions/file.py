"""What comes in and goes out."""

from convnext_studio.samples import SAMPLES
from convnext_studio.ui.actions.spec import SEPARATOR, ActionSpec, with_argument
from convnext_studio.ui.commands import Commands

FILE: tuple[ActionSpec, ...] = (
    ActionSpec("open", "File", "&Open pictures…", "Open picture files", Commands.open_pictures, "Ctrl+O"),
    ActionSpec("paste", "File", "&Paste", "Open what is on the clipboard", Commands.paste, "Ctrl+V"),
    *(
        ActionSpec(
            f"sample_{name}",
            "File/&Samples",
            sample.title,
            f"Open the photograph “{sample.title}” ({sample.credit})",
            with_argument(Commands.open_sample, name),
        )
        for name, sample in SAMPLES.items()
    ),
    ActionSpec(
        "close", "File", "&Close picture", "Close the current picture", Commands.close_picture, "Ctrl+W"
    ),
    ActionSpec("file_1", "File", SEPARATOR),
    ActionSpec(
        "open_field",
        "File",
        "Open receptive &field…",
        "Open a saved field, .npy or .npz, in the receptive-field lab: its squares need no model",
        Commands.open_field,
        "Ctrl+Shift+F",
    ),
    ActionSpec(
        "save_field",
        "File",
        "Save receptive fiel&d…",
        "Save the receptive field that is shown, with its protocol (.npz) or alone (.npy)",
        Commands.save_field,
    ),
    ActionSpec("file_3", "File", SEPARATOR),
    ActionSpec(
        "export",
        "File",
        "&Export…",
        "Write feature maps, receptive field, Grad-CAM and a report of this picture into a folder",
        Commands.export,
        "Ctrl+E",
    ),
    ActionSpec(
        "save_map",
        "File",
        "Save &map…",
        "Write the attribution map that is shown, its numbers and its figure into a folder",
        Commands.save_map,
        "Ctrl+Shift+E",
    ),
    ActionSpec(
        "screenshot",
        "File",
        "Sa&ve screenshot…",
        "Save a picture of the window",
        Commands.save_screenshot,
        "Ctrl+Shift+S",
    ),
    ActionSpec(
        "save_handout",
        "File",
        "Save lecture &hand-out…",
        "Write the whole lecture with this model and picture as one PDF or HTML file",
        Commands.save_handout,
    ),
    ActionSpec("file_2", "File", SEPARATOR),
    ActionSpec("quit", "File", "&Quit", "End the program", Commands.quit, "Ctrl+Q"),
)
