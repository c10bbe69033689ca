"""A table of the stem and stages of a described network: shapes, costs and theoretical receptive fields."""

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QGridLayout, QLabel, QWidget

from convnext_studio.model.nodes import NodeInfo
from convnext_studio.render import format_count
from convnext_studio.ui.panels.build.config_form import MOST_STAGES
from convnext_studio.ui.panels.build.draft import Account
from convnext_studio.ui.widgets.elided_label import PlainLabel, plain_tip

_COLUMNS = {
    "": "The node in the network",
    "Shape": "Channels × height × width of the output",
    "Parameters": "Number of parameters",
    "MACs": "Multiply-accumulate operations for one picture",
    "TRF": (
        "Side of the theoretical receptive field in input pixels. With GRN, which pools over the "
        "whole map, every unit sees the whole picture, and this number counts convolutions only"
    ),
}


class StageTable(QWidget):
    """A table of numbers, with text that can be selected and copied."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName("Stages")
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 4, 0)
        grid.setHorizontalSpacing(10)
        grid.setVerticalSpacing(1)
        self._rows = [[_cell(tip) for tip in _COLUMNS.values()] for _ in range(MOST_STAGES + 1)]
        for column, (title, tip) in enumerate(_COLUMNS.items()):
            heading = _cell(tip)
            heading.setText(title)
            heading.setProperty("muted", True)
            grid.addWidget(heading, 0, column)
            grid.setColumnStretch(column, int(column > 0))
            for row, cells in enumerate(self._rows, start=1):
                cells[column].setAlignment(_side(column))
                grid.addWidget(cells[column], row, column)
            heading.setAlignment(_side(column))

    @property
    def texts(self) -> list[list[str]]:
        """The texts of the visible rows."""
        return [[cell.text() for cell in cells] for cells in self._rows if not cells[0].isHidden()]

    def show_account(self, account: Account | None) -> None:
        """Show a network's numbers; without one, keep the rows but clear the numbers."""
        if account is None:
            for cells in self._rows:
                for cell in cells[1:]:
                    cell.setText("–")
            return
        for index, cells in enumerate(self._rows):
            is_there = index < len(account.stages)
            texts = _texts(account.stages[index]) if is_there else [""] * len(cells)
            for cell, text in zip(cells, texts, strict=True):
                cell.setText(text)
                cell.setVisible(is_there)


def _texts(node: NodeInfo) -> list[str]:
    channels, height, width = node.shape
    field = f"{node.field.size_px} px"
    return [
        node.title,
        f"{channels} × {height} × {width}",
        format_count(node.parameters),
        format_count(node.macs),
        f"all ({field})" if node.field.is_global else field,
    ]


def _cell(tip: str) -> QLabel:
    label = PlainLabel()
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    label.setToolTip(plain_tip(tip))
    return label


def _side(column: int) -> Qt.AlignmentFlag:
    return Qt.AlignmentFlag.AlignRight if column else Qt.AlignmentFlag.AlignLeft
