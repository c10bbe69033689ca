"""What the menus and shortcuts do: each a method that the action table names."""

from pathlib import Path

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QFileDialog, QMainWindow, QMessageBox

from convnext_studio import __version__
from convnext_studio.common.errors import StudioError
from convnext_studio.model.architecture import WeightsLayout
from convnext_studio.protocol.attributions import Explanation
from convnext_studio.ui.shell.commands.file_commands import FileCommands
from convnext_studio.ui.shell.commands.help_commands import HelpCommands
from convnext_studio.ui.shell.commands.view_commands import ViewCommands
from convnext_studio.ui.shell.docks.layout import DockLayout
from convnext_studio.ui.shell.screenshot import save_picture_of
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.state.controller import Controller
from convnext_studio.ui.state.node_texts import CostKind
from convnext_studio.ui.state.settings import SettingsFile
from convnext_studio.ui.widgets.message_bar import Notice
from convnext_studio.ui.widgets.save_dialog import ask_file, ask_path

ABOUT = f"""<p><b>ConvNeXt Studio {__version__}</b></p>
<p>A desktop microscope for ConvNeXt: what every stage makes of a picture, what each unit can see, and why
the network decided.</p>
<p>Liu, Mao, Wu, Feichtenhofer, Darrell and Xie, “A ConvNet for the 2020s”, CVPR 2022.</p>
<p>MIT licence.</p>"""


_LAYOUTS: dict[str, WeightsLayout] = {
    "ConvNeXt Studio, keeps everything (*.safetensors)": "studio",
    "Names of facebookresearch, tensors only (*.pth *.pt *.bin)": "facebookresearch",
}


class Commands(QObject):
    """The verbs of the window. Those that only a person can complete open a dialog.

    Attributes
    ----------
    view, help, files
        Those of the View menu, of the Edit and Help menus, and about folders and sessions.
    """

    noticed = Signal(object)  # Notice
    search_asked = Signal()  # the class search wants the keyboard
    node_step_asked = Signal(int)  # so many nodes on, in the network strip
    open_node_asked = Signal()
    go_up_asked = Signal()
    costs_asked = Signal(str)  # CostKind
    field_open_asked = Signal()
    field_save_asked = Signal()
    present_asked = Signal()
    handout_asked = Signal(str)  # path of the file
    stop_asked = Signal()  # whatever is under way

    def __init__(
        self,
        window: QMainWindow,
        layout: DockLayout,
        state: AppState,
        bridge: EngineBridge,
        controller: Controller,
        settings: SettingsFile,
    ) -> None:
        super().__init__(window)
        self._window = window
        self._layout = layout
        self._state = state
        self._bridge = bridge
        self._controller = controller
        self._settings = settings
        self.view = ViewCommands(window, layout, state, settings)
        self.help = HelpCommands(window, layout, state)
        self.files = FileCommands(window, layout, state, bridge, controller, settings)
        self.files.noticed.connect(self.noticed)

    # ------------------------------------------------------------------------------------------------- file

    def open_pictures(self) -> None:
        """Choose picture files."""
        paths, _ = QFileDialog.getOpenFileNames(self._window, "Open pictures", self._recent_folder())
        self._controller.open_paths(paths)

    def open_path(self, path: str) -> None:
        """Open a recent picture."""
        self._controller.open_paths([path])

    def open_sample(self, name: str) -> None:
        """Open a photograph that an installed package brings."""
        self._controller.open_sample(name)

    def paste(self) -> None:
        """Open the picture, or the picture files, on the clipboard."""
        self._controller.open_mime(QGuiApplication.clipboard().mimeData())

    def close_picture(self) -> None:
        """Close the current picture."""
        self._controller.close_picture()

    def export(self) -> None:
        """Choose a folder and write all figures and numbers about the current picture."""
        if not self._controller.exporter.is_possible:
            message = "There is nothing to export yet: a picture and its prediction have to be there."
            self.noticed.emit(Notice("export", message))
            return
        folder = QFileDialog.getExistingDirectory(self._window, "Export into the folder", self._recent_folder())
        if folder:
            self._controller.exporter.export(Path(folder))

    def open_field(self) -> None:
        """Choose saved receptive fields, which the lab shows."""
        self.open_field_lab()
        self.field_open_asked.emit()

    def save_field(self) -> None:
        """Save the receptive field that its panel shows."""
        self.field_save_asked.emit()

    def save_map(self) -> None:
        """Choose a folder and write the attribution that is shown, with its numbers."""
        if self._state.explanation is None:
            self.noticed.emit(Notice("export", "There is no map to save yet."))
            return
        folder = QFileDialog.getExistingDirectory(
            self._window, "Save the map into the folder", self._recent_folder()
        )
        if folder:
            self._controller.exporter.export_map(Path(folder))

    def save_contact_sheet(self, explanations: tuple[Explanation, ...]) -> None:
        """Choose a file and write the maps of all pictures into it."""
        suggested = Path(self._recent_folder(), "contact-sheet.png")
        path = ask_path(self._window, "Save the contact sheet", suggested, "PNG (*.png)")
        if path is not None:
            self._controller.exporter.export_sheet(path, explanations)

    def save_screenshot(self) -> None:
        """Choose a file and write a picture of the window."""
        suggested = Path(self._recent_folder(), "convnext-studio.png")
        path = ask_path(self._window, "Save screenshot", suggested, "PNG (*.png)")
        if path is None:
            return
        try:
            save_picture_of(self._window, path)
        except StudioError as error:
            self.noticed.emit(Notice("screenshot", error.message, error.hint))
        else:
            self.noticed.emit(Notice("screenshot", f"The screenshot was saved as {path}.", good=True))

    def save_handout(self) -> None:
        """Choose a file and write the whole lecture into it, with the current model and picture."""
        suggested = Path(self._recent_folder(), "lecture.pdf")
        kinds = "PDF (*.pdf);;HTML, one file (*.html *.htm)"
        path = ask_path(self._window, "Save the lecture's hand-out", suggested, kinds)
        if path is not None:
            self.handout_asked.emit(str(path))

    def quit(self) -> None:
        """End the program."""
        self._window.close()

    # ------------------------------------------------------------------------------------------------ model

    def open_field_lab(self) -> None:
        """Compare receptive fields."""
        self._layout.show_panel("field_lab")

    def present(self) -> None:
        """Show the lecture, full screen."""
        self.present_asked.emit()

    def open_model(self, source: str) -> None:
        """Open a model by its source."""
        self._controller.change_model(source=source)

    def open_weights(self) -> None:
        """Choose a weights file."""
        kinds = "Weights (*.safetensors *.pth *.pt *.bin *.ckpt);;All files (*)"
        path, _ = QFileDialog.getOpenFileName(self._window, "Open weights", self._recent_folder(), kinds)
        if path:
            self._controller.change_model(source=path)

    def save_weights(self) -> None:
        """Choose a file and its kind, and write the weights of the model that is open."""
        model = self._state.model
        if model is None:
            return
        name = "".join(sign if sign.isalnum() or sign in "._-" else "_" for sign in model.title)
        suggested = Path(self._recent_folder(), f"{name}.safetensors")
        chosen = ask_file(self._window, "Save weights as", suggested, ";;".join(_LAYOUTS))
        if chosen is not None:
            path, kind = chosen
            self._controller.save_model(str(path), _LAYOUTS[kind])

    def build_network(self) -> None:
        """Describe a network, field by field."""
        self._layout.show_panel("build")

    def list_pretrained(self) -> None:
        """Choose among all pretrained models."""
        self._layout.show_panel("catalogue")

    def show_evidence(self) -> None:
        """Measure whether the map can be believed."""
        self._layout.show_panel("evidence")

    def show_contact_sheet(self) -> None:
        """Explain all opened pictures beside each other."""
        self._layout.show_panel("contact_sheet")

    def use_device(self, device: str) -> None:
        """Load the model again, on another device."""
        self._controller.change_model(device=device)

    def use_float32(self) -> None:
        """Load the model again, in full precision."""
        self._controller.change_model(precision="float32")

    def use_bfloat16(self) -> None:
        """Load the model again, with a forward pass in half precision."""
        self._controller.change_model(precision="bfloat16")

    # --------------------------------------------------------------------------------------------- navigate

    def select_stage(self, number: int) -> None:
        """Look at the output of a stage, counted from 1; nothing where there are fewer."""
        if number <= len(self._stages):
            self._state.set_node(self._stages[number - 1])

    def step_stage(self, step: int) -> None:
        """Look at the stage before or behind."""
        stages, stage = self._stages, self._state.node.partition(".")[0]
        if stages:
            # The stem lies before the first, the head behind the last.
            ends = {"stem": -1, "head": len(stages)}
            index = (ends[stage] if stage in ends else stages.index(stage)) + step
            self._state.set_node(stages[min(max(index, 0), len(stages) - 1)])

    @property
    def _stages(self) -> tuple[str, ...]:
        """Of the model that is open."""
        return () if self._state.model is None else self._state.model.config.stages

    def step_node(self, step: int) -> None:
        """Look at the node before or behind, on the level that the network strip shows."""
        self.node_step_asked.emit(step)

    def open_node(self) -> None:
        """Show what is inside the selected node in the network strip."""
        self.open_node_asked.emit()

    def go_up(self) -> None:
        """Show the level above in the network strip."""
        self.go_up_asked.emit()

    def show_costs(self, kind: CostKind) -> None:
        """Let the bars in the network strip count this."""
        self.costs_asked.emit(kind)

    def clear_unit(self) -> None:
        """Select no unit."""
        self._state.clear_unit()

    def toggle_pin(self) -> None:
        """Pin what is selected, or compare with nothing any more."""
        if self._state.pin is None:
            self._state.pin_selection()
        else:
            self._state.unpin()

    def step_picture(self, step: int) -> None:
        """Show the picture before or behind."""
        self._state.step_picture(step)

    def follow_top(self) -> None:
        """Explain whatever is predicted first."""
        self._state.set_target(None)

    def search_class(self) -> None:
        """Go to the search over all classes."""
        self.search_asked.emit()

    def cancel(self) -> None:
        """Put all panels back, where one fills the window; or else stop what is being computed."""
        if self._layout.maximised is not None:
            self._layout.leave_maximised()
        else:
            self.stop_asked.emit()
            self._bridge.cancel_all()

    # ------------------------------------------------------------------------------------------------- help

    def show_about(self) -> None:
        """Say what this is."""
        self._show_text("About ConvNeXt Studio", ABOUT)

    def _show_text(self, title: str, text: str) -> None:
        box = QMessageBox(QMessageBox.Icon.NoIcon, title, text, QMessageBox.StandardButton.Close, self._window)
        box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        box.setTextFormat(Qt.TextFormat.RichText)
        box.open()

    def _recent_folder(self) -> str:
        recent = self._settings.values.recent_pictures
        return str(Path(recent[0]).parent) if recent else str(Path.home())
