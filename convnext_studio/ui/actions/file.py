"""What comes in and goes out."""

from convnext_studio.samples import SAMPLES
from convnext_studio.ui.actions.spec import SEPARATOR, ActionSpec, of_files, with_argument
from convnext_studio.ui.commands import Commands
from convnext_studio.ui.filecommands import FileCommands

FILE: tuple[ActionSpec, ...] = (
    ActionSpec("open", "File", "&Open pictures…", "Open picture files", Commands.open_pictures, "Ctrl+O"),
    ActionSpec(
        "open_folder",
        "File",
        "Open fol&der…",
        "Open all pictures in a folder and its sub-folders, thousands if need be",
        of_files(FileCommands.open_folder),
        "Ctrl+D",
    ),
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
        "watch_folder",
        "File",
        "&Watch folder…",
        "Open the pictures that a microscope or a camera writes into a folder, as they come; or stop that",
        of_files(FileCommands.toggle_watching),
        "Ctrl+Shift+W",
        checkable=True,
    ),
    ActionSpec(
        "show_newest",
        "File",
        "Show the &newest of the watched folder",
        "Select a picture that came into the watched folder; otherwise it is only added",
        of_files(FileCommands.toggle_newest),
        checkable=True,
    ),
    ActionSpec("file_4", "File", SEPARATOR),
    ActionSpec(
        "open_session",
        "File",
        "Open sess&ion…",
        "Open the model, the pictures, the selection and the arrangement that were saved as a session",
        of_files(FileCommands.open_session),
        "Ctrl+Alt+O",
    ),
    ActionSpec(
        "save_session",
        "File",
        "Save session…",
        "Save which model and pictures are open, what is selected, and how the panels are set and arranged",
        of_files(FileCommands.save_session),
        "Ctrl+Alt+S",
    ),
    ActionSpec("file_5", "File", SEPARATOR),
    ActionSpec(
        "close",
        "File",
        "&Close picture",
        "Close the current picture",
        Commands.close_picture,
        "Ctrl+W",
        needs="a picture",
    ),
    ActionSpec(
        "close_all",
        "File",
        "Close &all pictures",
        "Close every picture; the files stay where they are",
        of_files(FileCommands.close_all),
        needs="a picture",
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
        "Save recep&tive field…",
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
        needs="a picture and its prediction",
    ),
    ActionSpec(
        "export_view",
        "File",
        "E&xport a view…",
        "Choose a view and a format (PNG, SVG, PDF, npy, CSV, JSON), look at it, and save or copy it",
        of_files(FileCommands.show_export),
        "Ctrl+Alt+E",
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
    ActionSpec("file_2", "File", SEPARATOR),
    ActionSpec("quit", "File", "&Quit", "End the program", Commands.quit, "Ctrl+Q"),
)
