"""The actions of the File menu."""

from convnext_studio.common.samples import SAMPLES
from convnext_studio.ui.shell.actions.spec import SEPARATOR, ActionSpec, Run
from convnext_studio.ui.shell.docks.panel_specs import panel_actions


def _opens_sample(name: str) -> Run:
    return lambda window: window.controller.open_sample(name)


FILE: tuple[ActionSpec, ...] = (
    ActionSpec(
        "open",
        "File",
        "&Open pictures…",
        "Open picture files",
        lambda window: window.dialogs.open_pictures(),
        "Ctrl+O",
    ),
    ActionSpec(
        "open_folder",
        "File",
        "Open fol&der…",
        "Open all pictures in a folder and its subfolders, even thousands",
        lambda window: window.dialogs.open_folder(),
        "Ctrl+D",
    ),
    *(
        ActionSpec(
            f"sample_{name}",
            "File/&Samples",
            sample.title,
            f"Open the photograph “{sample.title}” ({sample.credit})",
            _opens_sample(name),
        )
        for name, sample in SAMPLES.items()
    ),
    ActionSpec(
        "watch_folder",
        "File",
        "&Watch folder…",
        "Open new pictures in a folder as a microscope or camera writes them; choose again to stop",
        lambda window: window.dialogs.toggle_watching(),
        "Ctrl+Shift+W",
        checked=lambda window: bool(window.folder_watch.folder),
    ),
    ActionSpec(
        "show_newest",
        "File",
        "Show the &newest picture of the watched folder",
        "Select each new picture in the watched folder; otherwise it is only added",
        lambda window: window.settings.update(shows_newest=not window.settings.values.shows_newest),
        checked=lambda window: window.settings.values.shows_newest,
    ),
    ActionSpec("file_4", "File", SEPARATOR),
    ActionSpec(
        "open_session",
        "File",
        "Open sess&ion…",
        "Open a session: the model, the pictures, the selection and the layout of the panels",
        lambda window: window.dialogs.open_session(),
        "Ctrl+Alt+O",
    ),
    ActionSpec(
        "save_session",
        "File",
        "Save session…",
        "Save which model and pictures are open, what is selected, and the layout of the panels",
        lambda window: window.dialogs.save_session(),
        "Ctrl+Alt+S",
    ),
    ActionSpec("file_5", "File", SEPARATOR),
    ActionSpec(
        "close",
        "File",
        "&Close picture",
        "Close the current picture",
        lambda window: window.controller.close_picture(),
        "Ctrl+W",
        needs="a picture",
        enabled=lambda window: window.state.picture is not None,
    ),
    ActionSpec(
        "close_all",
        "File",
        "Close &all pictures",
        "Close all pictures; the files are not changed",
        lambda window: window.controller.close_all_pictures(),
        needs="a picture",
        enabled=lambda window: window.state.picture is not None,
    ),
    ActionSpec("file_1", "File", SEPARATOR),
    ActionSpec(
        "open_field",
        "File",
        "Open receptive &field…",
        "Open a saved field (.npy or .npz) in the receptive-field lab; it needs no model",
        lambda window: window.choose_field(),
        "Ctrl+Shift+F",
    ),
    ActionSpec("file_3", "File", SEPARATOR),
    *panel_actions("File"),
    ActionSpec("file_2", "File", SEPARATOR),
    ActionSpec("quit", "File", "&Quit", "Quit the program", lambda window: window.close(), "Ctrl+Q"),
)
