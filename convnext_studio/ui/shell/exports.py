"""What the export panel offers beside single views, and the command that opens the panel."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, cast

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication

from convnext_studio.common.attribution_methods import method_named
from convnext_studio.common.errors import StudioError
from convnext_studio.common.files import checked_ending
from convnext_studio.protocol.receptive_fields import ReceptiveFieldResult
from convnext_studio.ui.panels.base import Panel
from convnext_studio.ui.plots.map_view import MapView
from convnext_studio.ui.shell.screenshot import save_picture_of
from convnext_studio.ui.shell.window_part import WindowPart
from convnext_studio.ui.state.python_text import PythonLines
from convnext_studio.ui.widgets.message_bar import Notice
from convnext_studio.ui.widgets.save_dialog import FileKind

if TYPE_CHECKING:  # The panels are imported when they are first shown.
    from convnext_studio.ui.panels.contact_sheet.contact_sheet_panel import ContactSheetPanel
    from convnext_studio.ui.panels.export.export_panel import ExportItem, ExportPanel
    from convnext_studio.ui.panels.similarity.similarity_panel import SimilarityPanel

REPORT, MAP, FIELD, SHEET, LAB, PARTS, WINDOW, HANDOUT, NOTES = (
    "report", "map", "field", "contact_sheet", "field_lab", "parts", "window", "handout", "handout_with_notes",
)  # fmt: skip
TITLES: dict[str, str] = {
    REPORT: "Everything about this picture",
    MAP: "Attribution map: values and figure",
    FIELD: "Receptive field: values and protocol",
    SHEET: "Wall of maps",
    LAB: "Receptive-field lab: the page that is shown",
    PARTS: "Parts of the picture: label image",
    WINDOW: "Screenshot of the window",
    HANDOUT: "Lecture hand-out",
    NOTES: "Lecture hand-out with the speaker's notes",
}
"""What can be exported beside single views, by key."""

_PNG = FileKind("PNG picture", ("png",))
_KINDS: dict[str, tuple[FileKind, ...]] = {
    FIELD: (
        FileKind("With its protocol", ("npz",)),
        FileKind("Only the array, as in the published scripts", ("npy",)),
    ),
    SHEET: (
        _PNG,
        FileKind("PDF page, with real text", ("pdf",)),
        FileKind("SVG drawing, with real text", ("svg",)),
    ),
    LAB: (
        FileKind("PNG picture, at twice the screen resolution", ("png",)),
        FileKind("SVG drawing, scalable lines and text", ("svg",)),
    ),
    PARTS: (_PNG,),
    WINDOW: (_PNG,),
    **dict.fromkeys((HANDOUT, NOTES), (FileKind("PDF", ("pdf",)), FileKind("HTML, one file", ("html", "htm")))),
}
_STEMS = {
    FIELD: "receptive-field",
    SHEET: "wall-of-maps",
    LAB: "receptive-fields",
    PARTS: "parts",
    WINDOW: "convnext-studio",
    HANDOUT: "lecture",
    NOTES: "lecture-with-notes",
}
_HIDDEN_MS = 80  # Until the window has been laid out again without the export panel.


class Exports(WindowPart):
    """Opens the export panel with what is on screen chosen, and writes what it offers beside views."""

    @property
    def panel(self) -> "ExportPanel":
        """The export panel, created on first access."""
        return cast("ExportPanel", self._window.dock_layout.docks["export"].panel)

    def open(self, key: str = "") -> None:
        """Open the export panel with an item chosen; without a key, with what has the keyboard focus."""
        if self._window.live.is_running:  # What is saved is to be what was seen.
            self._window.live.toggle()
        what = key or self._on_screen()
        self._window.dock_layout.show_panel("export")
        self.panel.choose(what)

    def _on_screen(self) -> str | MapView | None:
        """Return the view that has the focus, or else the largest one of the active panel or the window."""
        name = self._window.dock_layout.focus.active
        if name in (SHEET, LAB):
            return str(name)
        if name == "export":
            return None
        focused = QApplication.focusWidget()
        while focused is not None:
            if isinstance(focused, MapView):
                return focused
            focused = focused.parentWidget()
        active = [] if name is None else self._window.dock_layout.docks[name].findChildren(MapView)
        for views in (active, self._window.findChildren(MapView)):
            shown = [view for view in views if view.isVisible() and view.contents is not None]
            if shown:
                return max(shown, key=lambda view: view.width() * view.height())
        return WINDOW

    # ---------------------------------------------------------------------------------------- the table

    def items(self) -> "tuple[ExportItem, ...]":
        """Return what can be exported beside single views."""
        from convnext_studio.ui.panels.export.export_panel import ExportItem

        exporter = self._window.controller.exporter
        writers: dict[str, tuple[Callable[[], str], Callable[[], str], Callable[[Path], None]]] = {
            REPORT: (self._report_files, self._why_no_report, exporter.export),
            MAP: (self._map_files, self._why_no_map, exporter.export_map),
            FIELD: (_field_files, self._why_no_field, self._write_field),
            SHEET: (_sheet_files, self._why_no_sheet, self._write_sheet),
            LAB: (_lab_files, self._why_no_lab, self._write_lab),
            PARTS: (_part_files, self._why_no_parts, self._write_parts),
            WINDOW: (_window_files, str, self._write_window),
            HANDOUT: (_handout_files, str, self._write_handout),
            NOTES: (_handout_files, str, partial(self._write_handout, has_notes=True)),
        }
        return tuple(
            ExportItem(
                key=key,
                title=TITLES[key],
                kinds=_KINDS.get(key, ()),
                stem=partial(self._stem, key),
                files=files,
                why_not=why_not,
                write=write,
                python=partial(self._python_of, key),
            )
            for key, (files, why_not, write) in writers.items()
        )

    def _python_of(self, key: str) -> PythonLines | None:
        """Return the lines of Python of the panel whose numbers an item has."""
        dock = self._window.dock_layout.docks.get({MAP: "attribution", FIELD: "receptive_field"}.get(key, key))
        panel = dock.panel if dock is not None and dock.is_made else None
        return panel.python if isinstance(panel, Panel) else None

    def _stem(self, key: str) -> str:
        picture = self._window.state.picture
        of_picture = "picture" if picture is None else Path(picture.name).stem
        return _STEMS.get(key, of_picture)

    def _why_no_report(self) -> str:
        possible = self._window.controller.exporter.is_possible
        return "" if possible else "There is nothing to export yet: it needs a picture and its prediction."

    def _why_no_map(self) -> str:
        return "" if self._window.state.attributions.explanation is not None else "There is no map to save yet."

    def _report_files(self) -> str:
        model = self._window.state.model
        stages = "the stages" if model is None else ", ".join(model.config.stages)
        return (
            f"In a folder named after the picture: predictions.json; {stages} as .npy and .png; the attribution"
            " and the receptive field as .npy, .png and .json; and report.html, which shows everything."
        )

    def _map_files(self) -> str:
        explanation = self._window.state.attributions.explanation
        name = "gradcam" if explanation is None else method_named(explanation.method).name
        return f"In a folder named after the picture: {name}.npy, {name}.json and {name}.png, for every node."

    # ------------------------------------------------------------------------------- the receptive field

    @property
    def _field(self) -> ReceptiveFieldResult | None:
        view = self._window.panels.receptive_field.measured.view
        return view if isinstance(view, ReceptiveFieldResult) else None

    def _why_no_field(self) -> str:
        return "" if self._field is not None else "There is no receptive field to save yet."

    def _write_field(self, path: Path) -> None:
        if self._field is not None:
            self._window.controller.exporter.export_field(path, self._field)

    def _why_no_lab(self) -> str:
        dock = self._window.dock_layout.docks[LAB]
        return "" if dock.shows_panel else "The receptive-field lab is not open (Ctrl+L opens it)."

    def _write_lab(self, path: Path) -> None:
        self._window.panels.field_lab.write_figure(path)

    # -------------------------------------------------------------------------------------------- parts

    @property
    def _similarity(self) -> "SimilarityPanel | None":
        dock = self._window.dock_layout.docks["similarity"]
        return cast("SimilarityPanel", dock.panel) if dock.is_made else None

    def _why_no_parts(self) -> str:
        has_parts = self._similarity is not None and self._similarity.labelled is not None
        return "" if has_parts else "There are no parts yet (Ctrl+J opens Similarity; choose Parts there)."

    def _write_parts(self, path: Path) -> None:
        panel = self._similarity
        if panel is not None and panel.labelled is not None:
            parts = panel.parts
            self._window.controller.exporter.export_labels(
                path, *panel.labelled, names=parts.part_names, hidden=parts.hidden
            )

    # ------------------------------------------------------------------------- the sheet and the window

    @property
    def _sheet(self) -> "ContactSheetPanel | None":
        dock = self._window.dock_layout.docks[SHEET]
        return cast("ContactSheetPanel", dock.panel) if dock.is_made else None

    def _why_no_sheet(self) -> str:
        has_maps = self._sheet is not None and bool(self._sheet.explanations)
        return "" if has_maps else "There is no wall of maps yet (Ctrl+K opens it)."

    def _write_sheet(self, path: Path) -> None:
        if self._sheet is not None:
            sheet = self._sheet
            exporter = self._window.controller.exporter
            exporter.export_sheet(path, sheet.explanations, sheet.asked_model, sheet.as_shown)

    def _write_window(self, path: Path) -> None:
        """Save a picture of the window without the export panel."""
        try:
            checked_ending(path, (".png",), "A screenshot")
        except StudioError as error:
            self._tell(error)
            return
        dock = self._window.dock_layout.docks["export"]
        if dock.isVisible() and not dock.isFloating():
            dock.hide()
            QTimer.singleShot(_HIDDEN_MS, self, partial(self._grab, path, dock.show))
        else:
            self._grab(path, lambda: None)

    def _grab(self, path: Path, end: Callable[[], None]) -> None:
        try:
            save_picture_of(self._window, path)
        except StudioError as error:
            self._tell(error)
        else:
            message = f"The screenshot was saved as {path}."
            self.noticed.emit(Notice("screenshot", message, good=True, path=str(path)))
        end()

    def _write_handout(self, path: Path, *, has_notes: bool = False) -> None:
        self._window.lecture.save_handout(str(path), has_notes=has_notes)

    def _tell(self, error: StudioError) -> None:
        self.noticed.emit(Notice("screenshot", error.message, error.hint))


def _field_files() -> str:
    return "The averaged field on the network's input. Only an .npz file also says how it was measured."


def _sheet_files() -> str:
    return (
        "All maps of the wall as one figure, whose caption names methods, papers, nodes, classes and geometry."
    )


def _lab_files() -> str:
    return "The page of the receptive-field lab that is shown."


def _part_files() -> str:
    return (
        "The part of every pixel, in the picture's size: 0 is no part, 1 the first. A palette has the parts' "
        "colours, and the file's texts their names; hidden parts are left out."
    )


def _window_files() -> str:
    return "The whole window as it is now, without this panel."


def _handout_files() -> str:
    return "The whole lecture with this model and picture."
