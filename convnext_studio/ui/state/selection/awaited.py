"""What is being opened, and so what is said in the place of a picture or a model that is not there yet."""

from pathlib import PurePath

from PySide6.QtCore import QObject, Signal

from convnext_studio.common.foreign.foreign_text import one_line
from convnext_studio.common.samples import SAMPLE_PREFIX
from convnext_studio.protocol.envelope import Request
from convnext_studio.protocol.models import LoadModel
from convnext_studio.protocol.pictures import ListPictures, OpenImage
from convnext_studio.ui.state.selection.open_pictures import OpenPictures

NO_PICTURE = "Drop a picture here, or open one."
NOTHING_OPEN = "No picture is open."
NO_MODEL = "No model is open yet."


class Awaited(QObject):
    """Knows which pictures, live source and model are being opened.

    A panel without a picture must not say that none is open while one is on its way: it may take long to start
    the engine, to look through a folder, or to decode a large file.

    Parameters
    ----------
    opened
        The opened pictures, of which one may have been chosen but not decoded.
    """

    changed = Signal()  # one of the sentences

    def __init__(self, opened: OpenPictures, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._opened = opened
        self._pictures: dict[int, str] = {}  # Their names, by the id of the request that opens them.
        self._models: dict[int, str] = {}
        self._source = ""
        opened.picture_chosen.connect(lambda _picture: self.changed.emit())

    def begin(self, request: Request) -> None:
        """Take note of a request if it opens something."""
        if isinstance(request, ListPictures):
            self._pictures[request.id] = _names_of(request.paths)
        elif isinstance(request, OpenImage):
            self._pictures[request.id] = request.name
        elif isinstance(request, LoadModel) and request.network == "A":
            self._models[request.id] = request.name
        else:
            return
        self.changed.emit()

    def end(self, request: Request) -> None:
        """Take note that a request was answered, has failed, or was cancelled."""
        known = [names for names in (self._pictures, self._models) if names.pop(request.id, None) is not None]
        if known:
            self.changed.emit()

    def follow_source(self, name: str) -> None:
        """Take note that a live source is being opened; an empty name says that its first frame has come."""
        if name != self._source:
            self._source = name
            self.changed.emit()

    @property
    def picture(self) -> str:
        """What is said of the picture that is on its way, such as "Opening cat.jpg …"; empty if none is."""
        chosen = self._opened.chosen
        names = (self._source, *([] if chosen is None else [chosen.name]), *self._pictures.values())
        name = next((each for each in names if each), "")
        return _opening(name) if name else ""

    @property
    def why_no_picture(self) -> str:
        """What panels say that need a picture, while there is none."""
        return self.picture or NOTHING_OPEN

    @property
    def invitation(self) -> str:
        """What is said where people may drop a picture, while there is none."""
        return self.picture or NO_PICTURE

    @property
    def why_no_model(self) -> str:
        """What is said while there is no model."""
        name = next(reversed(self._models.values()), "")
        return _opening(name) if name else NO_MODEL


def _opening(name: str) -> str:
    return f"Opening {name} …"


def _names_of(paths: tuple[str, ...]) -> str:
    """Return the name of the first file or folder, and how many there are besides."""
    first = one_line(PurePath(paths[0].removeprefix(SAMPLE_PREFIX)).name or paths[0])
    return first if len(paths) == 1 else f"{first} and {len(paths) - 1:,} more"
