"""Saving the open model, pictures and selection as a session file, and opening one again."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from msgspec.structs import replace
from PySide6.QtCore import QObject, Signal

from convnext_studio.common.attribution_methods import Output
from convnext_studio.common.errors import StudioError
from convnext_studio.common.files import checked_ending
from convnext_studio.decoding.picture_view import WHOLE
from convnext_studio.export.safe_files import write_file
from convnext_studio.model.config import ConvNeXtConfig
from convnext_studio.model.framing import TRAINED
from convnext_studio.protocol.envelope import Failed, Payload
from convnext_studio.protocol.models import LoadModel, ModelInfo, Precision
from convnext_studio.protocol.pictures import (
    CheckedPictures,
    CheckPictures,
    ImageInfo,
    ListedPictures,
    ListPictures,
    ShowPicture,
)
from convnext_studio.render import pluralize
from convnext_studio.ui.shell.changing_menus import is_file
from convnext_studio.ui.shell.docks.layout import DockLayout
from convnext_studio.ui.shell.panel_controls import controls_of, measures_of, restore_panels
from convnext_studio.ui.shell.recipe_files import with_keys, with_paths
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.state.controller import Controller
from convnext_studio.ui.state.opening.picture_opener import MOST_DECODED, PictureOpener
from convnext_studio.ui.state.opening.session_document import (
    SUFFIX,
    SavedSession,
    SessionModel,
    SessionPicture,
    read_session,
    to_text,
)
from convnext_studio.ui.state.settings import SettingsFile, latest_first
from convnext_studio.ui.widgets.message_bar import Notice

SESSION = "session"
MOST_NAMED = 5


class SessionFiles(QObject):
    """Saves sessions to files and opens them again.

    Pictures that are missing or have changed since a session was saved are reported by name; the rest of the
    session is opened.
    """

    noticed = Signal(object)  # Notice

    def __init__(
        self,
        state: AppState,
        bridge: EngineBridge,
        controller: Controller,
        layout: DockLayout,
        settings: SettingsFile,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._state = state
        self._bridge = bridge
        self._controller = controller
        self._layout = layout
        self._settings = settings
        self._selection: SavedSession | None = None  # Applied once its model is loaded.
        state.model_loaded.connect(self._select)
        controller.models.refused.connect(self._forget_selection)

    # ---------------------------------------------------------------------------------------------- saving

    def save(self, path: Path) -> None:
        """Save the session to a file, after the engine has computed the digests of the pictures."""
        try:
            checked_ending(path, (SUFFIX,), "A session")
        except StudioError as error:
            self._tell(error.message, error.hint)
            return
        keys = tuple(
            picture.key for picture in self._state.opened.all if picture.path and is_file(picture.path)
        )
        if keys:
            self._bridge.ask(
                CheckPictures(panel=SESSION, images=keys, with_sha256=True),
                partial(self._write, path),
                on_failure=self._refuse,
                on_cancel=lambda: self._tell("Saving the session was cancelled. Nothing was written.", ""),
            )
        else:
            self._write(path, CheckedPictures(failures=()))

    def _write(self, path: Path, checked: Payload) -> None:
        if not isinstance(checked, CheckedPictures):
            return
        session = self._session(checked.sha256)
        made = self._controller.retouched.entries
        left_out = sum(not each.path and each.key not in made for each in self._state.opened.all)
        text = to_text(session, path.absolute().parent)
        self._controller.background.run(
            lambda: write_file(path, lambda file: file.write(text.encode())),
            partial(self._written, left_out),
            lambda error: self._tell(error.message, error.hint),
            "Writing the session",
        )

    def _session(self, sha256: dict[str, str]) -> SavedSession:
        state = self._state
        kept = [picture for picture in state.opened.all if picture.path]
        shown = [row for row, picture in enumerate(kept) if picture == state.opened.chosen]
        second = self._controller.second.loaded_second
        return SavedSession(
            model=None
            if self._controller.models.loaded is None
            else _saved_model(self._controller.models.loaded),
            second=None if second is None else _saved_model(second),
            shown=state.second.shown,
            pictures=tuple(
                SessionPicture(
                    path=_whole(picture.path),
                    sha256=sha256.get(picture.key, ""),
                    box=state.opened.framings.box_of(picture.key),
                    view=state.opened.framings.view_of(picture.key),
                )
                for picture in kept
            ),
            picture=shown[0] if shown else None,
            framing=replace(state.framing, box=None),
            node=state.node,
            channel=state.channel,
            unit=state.unit,
            target=state.target,
            against=state.attributions.explaining.against,
            panels=controls_of(self._layout.docks),
            measures=measures_of(self._layout.docks),
            bases=state.kept.bases,
            recipe=with_paths(state.interventions.recipe, state.opened.all),
            layout=self._layout.save(),
        )

    def _written(self, left_out: int, path: Path) -> None:
        self._remember(path)
        pictures = pluralize(left_out, "picture", is_grouped=True)
        hint = f"{pictures} from the clipboard have no file and are not included." if left_out else ""
        self.noticed.emit(Notice(SESSION, f"The session was saved as {path}.", hint, good=True, path=str(path)))

    # --------------------------------------------------------------------------------------------- opening

    def open(self, path: str) -> None:
        """Open a session file in place of what is open now."""
        self._controller.background.read(
            partial(read_session, Path(path)),
            partial(self._follow, Path(path)),
            lambda error: self._tell(error.message, error.hint),
            "Reading the session",
        )

    def _follow(self, path: Path, session: SavedSession) -> None:
        self._controller.succeeded.emit(SESSION)
        self._remember(path)
        if session.layout and not self._layout.restore(session.layout):
            self._tell("The layout of the panels is from another version and was not restored.", "")
        self._selection = session
        self._state.interventions.put_recipe(with_keys(session.recipe, ()))
        self._state.set_framing(session.framing)
        if session.model is not None:
            self._open_model(session.model)
        elif self._state.model is not None:
            self._select(self._state.model)
        self._open_second(session)
        self._controller.close_all_pictures()
        if session.pictures:
            opener = self._controller.pictures
            pictures = _SessionPictures(path, session, self._state, self._bridge, opener, self)
            pictures.noticed.connect(self.noticed)
            pictures.open()

    def _open_model(self, model: SessionModel) -> None:
        precision: Precision | None = model.precision or None
        now = self._state.model
        if precision == "bfloat16" and (now is None or not now.device.startswith("cuda")):
            precision = "float32"
            self._tell("The session was saved with bfloat16, but float32 is used here.", "")
        if model.config is not None:
            try:
                config = ConvNeXtConfig.from_dict(model.config)
            except (StudioError, TypeError, ValueError, KeyError):
                self._forget_selection()
                self._tell("The network that the session describes cannot be built.", "Open a model yourself.")
                return
            self._controller.models.build(config, model.seed, model.input_px, precision, labels=model.labels)
        else:
            self._controller.models.reopen(
                model.source,
                model.stem_stride,
                model.stem_padding,
                precision,
                part=model.part,
                mean=model.mean,
                std=model.std,
                labels=model.labels,
            )

    def _usable(self, precision: Precision) -> Precision:
        """Return the precision of a session, or float32 where that is not offered."""
        now = self._state.model
        return precision if now is not None and now.device.startswith("cuda") else "float32"

    def _open_second(self, session: SavedSession) -> None:
        """Open the network that was open beside the first, or close the one that is open now."""
        opener, second = self._controller.second, session.second
        if second is None:
            if self._state.second.model is not None and not self._state.second.is_changed_first:
                opener.close()
            if not session.recipe.is_empty:
                self._state.second.choice.choose(session.shown)
            return
        config: ConvNeXtConfig | None = None
        if second.config is not None:
            try:
                config = ConvNeXtConfig.from_dict(second.config)
            except (StudioError, TypeError, ValueError, KeyError):
                self._tell("The second network of the session cannot be built.", "Open one yourself.")
                return
        now = self._controller.models.loaded
        opener.open(
            LoadModel(
                source=second.source,
                config=config,
                seed=second.seed,
                input_px=second.input_px,
                device="auto" if now is None else now.device,
                precision=self._usable(second.precision or "float32"),
                offline=self._controller.models.is_offline,
                stem_stride=second.stem_stride,
                stem_padding=second.stem_padding,
                part=second.part,
                mean=second.mean,
                std=second.std,
                untrained=second.untrained,
            )
        )
        self._state.second.choice.choose(session.shown)

    def _select(self, model: ModelInfo) -> None:
        """Restore the selection of the session, as far as the model that was loaded has it."""
        if self._controller.models.awaited is not None:  # This is the one that was asked for before.
            return
        session, self._selection = self._selection, None
        if session is None:
            return
        self._state.kept.set_bases(session.bases)
        names = {node.name for node in model.nodes}
        if session.node in names:
            self._state.set_node(session.node)
        self._state.set_channel(session.channel)
        shape = model.node(self._state.node).shape
        # The sizes of maps in another framing are known only with the prediction.
        fits = session.unit is not None and session.unit[0] < shape[1] and session.unit[1] < shape[2]
        if session.unit is not None and (fits or session.framing != TRAINED):
            self._state.set_unit(*session.unit)
        self._state.set_target(session.target if (session.target or 0) < len(model.labels) else None)
        against = session.against if (session.against or 0) < len(model.labels) else None
        # The controls of the session may set “probability” after this.
        output: Output = "logit" if against is None else "difference"
        self._state.attributions.set_explaining(
            replace(self._state.attributions.explaining, against=against, output=output)
        )
        restore_panels(self._layout.docks, session.panels, session.measures)

    def _forget_selection(self) -> None:
        self._selection = None

    def _remember(self, path: Path) -> None:
        recent = latest_first(str(path.absolute()), self._settings.values.recent_sessions)
        self._settings.update(recent_sessions=recent)

    def _refuse(self, failed: Failed) -> None:
        self._tell(failed.message, failed.hint)

    def _tell(self, message: str, hint: str) -> None:
        self.noticed.emit(Notice(SESSION, message, hint))


class _SessionPictures(QObject):
    """Opens the pictures of a session, and tells which are missing or have changed since it was saved."""

    noticed = Signal(object)  # Notice

    def __init__(
        self,
        path: Path,
        session: SavedSession,
        state: AppState,
        bridge: EngineBridge,
        opener: PictureOpener,
        parent: QObject,
    ) -> None:
        super().__init__(parent)
        self._path = path
        self._session = session
        self._state = state
        self._bridge = bridge
        self._opener = opener
        self._missing: tuple[str, ...] = ()

    def open(self) -> None:
        """Have the engine list the pictures, then open and compare them."""
        self._bridge.ask(
            ListPictures(panel=SESSION, paths=tuple(picture.path for picture in self._session.pictures)),
            self._listed,
            on_failure=self._fail,
        )

    def _listed(self, answer: Payload) -> None:
        if not isinstance(answer, ListedPictures):
            return
        self._missing = tuple(failure.path for failure in answer.failures)
        self._tell_missing(())
        if answer.pictures:
            boxes = {picture.path: picture.box for picture in self._session.pictures}
            for picture in answer.pictures:
                self._state.opened.framings.put_box(picture.key, boxes.get(picture.path))
            chosen = self._session.picture
            path = None if chosen is None else self._session.pictures[chosen].path
            shown = [picture for picture in answer.pictures if picture.path == path]
            self._opener.add(answer.pictures, (shown or list(answer.pictures))[0])
            self._state.interventions.put_recipe(with_keys(self._session.recipe, answer.pictures))
            self._show_views(answer)
            self._bridge.ask(
                CheckPictures(
                    panel=SESSION,
                    images=tuple(picture.key for picture in answer.pictures),
                    decodes=len(answer.pictures) <= MOST_DECODED,
                    with_sha256=any(picture.sha256 for picture in self._session.pictures),
                ),
                partial(self._compare, {picture.key: picture.path for picture in answer.pictures}),
                on_failure=self._fail,
            )

    def _show_views(self, answer: ListedPictures) -> None:
        """Show the frames and bands of pictures that were shown when the session was saved."""
        views = {picture.path: picture.view for picture in self._session.pictures}
        for number, picture in enumerate(answer.pictures):
            view = views.get(picture.path, WHOLE)
            if view != WHOLE:
                request = ShowPicture(panel=f"{SESSION} view {number}", image=picture.key, view=view)
                self._bridge.ask(request, partial(self._viewed, picture.key), on_failure=lambda _: None)

    def _viewed(self, key: str, answer: Payload) -> None:
        if isinstance(answer, ImageInfo):
            self._state.opened.replace(key, answer)

    def _compare(self, paths: dict[str, str], answer: Payload) -> None:
        """Report which picture files have changed since the session was saved."""
        if not isinstance(answer, CheckedPictures):
            return
        self._missing += tuple(failure.path for failure in answer.failures)
        self._opener.close([failure.key for failure in answer.failures])
        before = {picture.path: picture.sha256 for picture in self._session.pictures}
        changed = tuple(
            paths[key]
            for key, sha256 in answer.sha256.items()
            if before.get(paths[key]) not in ("", None, sha256)
        )
        self._tell_missing(changed)

    def _tell_missing(self, changed: Sequence[str]) -> None:
        said = [
            f"{pluralize(len(paths), 'picture', is_grouped=True)} {what}: {_named(paths)}."
            for paths, what in (
                (self._missing, "could not be opened"),
                (changed, "changed since it was saved"),
            )
            if paths
        ]
        if said:
            details = (*self._missing, *changed)
            message = f"The session {self._path.name} was opened, but {' '.join(said)}"
            self.noticed.emit(Notice(SESSION, message, "Everything else was restored.", details))

    def _fail(self, failed: Failed) -> None:
        self.noticed.emit(Notice(SESSION, failed.message, failed.hint))


def _saved_model(asked: LoadModel) -> SessionModel:
    return SessionModel(
        source=_whole(asked.source),
        stem_stride=asked.stem_stride,
        stem_padding=asked.stem_padding,
        part=asked.part,
        labels=asked.labels,
        config=None if asked.config is None else asked.config.to_dict(),
        seed=asked.seed,
        input_px=asked.input_px,
        precision=asked.precision,
        mean=asked.mean,
        std=asked.std,
        untrained=asked.untrained,
    )


def _whole(path: str) -> str:
    return str(Path(path).absolute()) if is_file(path) else path


def _named(paths: Sequence[str]) -> str:
    names = [Path(path).name for path in paths[:MOST_NAMED]]
    return ", ".join([*names, "…"] if len(paths) > MOST_NAMED else names)
