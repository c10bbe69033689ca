"""What a drop will do, told while files are dragged over the window."""

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QMimeData

from convnext_studio.erf.field_files import is_field
from convnext_studio.model.weights.beside.class_names import is_names_file
from convnext_studio.model.weights.weights_files import is_weights
from convnext_studio.render import pluralize
from convnext_studio.ui.state.session_document import SUFFIX as SESSION_SUFFIX

_NOT_HERE = "This is not on this computer, and the program downloads nothing"


def describe_drop(mime: QMimeData) -> str:
    """Return what dropping this will do; empty if it cannot be dropped."""
    # Read once: on X11 every call asks the other program, and waits up to 5 s if that has exited.
    urls = mime.urls()
    local = [url.toLocalFile() for url in urls if url.isLocalFile()]
    if local:
        return describe_paths(local)
    if mime.hasImage():
        return "Drop to open the picture"
    return _NOT_HERE if urls else ""


def describe_paths(paths: Sequence[str]) -> str:
    """Return what dropping these files and folders will do."""
    models = [path for path in paths if is_weights(Path(path))]
    fields = [path for path in paths if is_field(path)]
    sessions = [path for path in paths if path.lower().endswith(SESSION_SUFFIX)]
    names = [path for path in paths if is_names_file(path) and path not in models]
    others = [path for path in paths if path not in (*models, *fields, *sessions, *names)]
    folders = [path for path in others if Path(path).is_dir()]
    parts = [
        _counted(len(others) - len(folders), "picture"),
        *(f"the pictures in “{Path(folder).name}”" for folder in folders[:2]),
        _counted(len(folders) - 2, "more folder"),
        *(f"the network “{Path(path).name}”" for path in models[-1:]),  # Only the last one stays open.
        *(f"the receptive field “{Path(path).name}”" for path in fields[-1:]),
        *(f"the session “{Path(path).name}”" for path in sessions[-1:]),
        *(f"the class names in “{Path(path).name}”" for path in names[-1:]),
    ]
    said = [part for part in parts if part]
    if len(said) > 1:
        said = [*said[:-2], f"{said[-2]} and {said[-1]}"]
    return f"Drop to open {', '.join(said)}"


def _counted(count: int, thing: str) -> str:
    return pluralize(count, thing, is_grouped=True) if count > 0 else ""
