"""For what: the likeliest classes one click away, any other by search, and a second class to set against."""

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QButtonGroup,
    QHBoxLayout,
    QScrollArea,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from convnext_studio.engine.messages import ModelInfo, Output, Prediction
from convnext_studio.export.contents import label_of
from convnext_studio.ui.classsearch import ClassSearch
from convnext_studio.ui.panels.base import choice
from convnext_studio.ui.panels.prediction_row import PredictionRow
from convnext_studio.ui.textsize import follow_text

ROWS = 5


class TargetColumn(QWidget):
    """Rows of classes; a click explains one, or, with “And not” pressed, sets one against it."""

    target_chosen = Signal(int)
    against_chosen = Signal(object)  # int | None
    output_chosen = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.this = _mode("Why", "A click on a class explains it")
        self.this.setAccessibleName("Choose the class to explain")
        self.this.setChecked(True)
        self.that = _mode("And not", "A click on a class sets it against the one explained; again, to end that")
        self.that.setAccessibleName("Choose the class to set against it")
        self._modes = QButtonGroup(self)
        for button in (self.this, self.that):
            self._modes.addButton(button)
        self.output = choice(
            "Output",
            "Explain the class's logit, or its probability",
            [("Logit", "logit"), ("Prob.", "probability")],
        )
        self.output.currentIndexChanged.connect(self.output_chosen)
        self.rows = [PredictionRow(compact=True) for _ in range(ROWS)]
        for row in self.rows:
            row.hide()  # Until there is a prediction.
            row.clicked.connect(lambda _checked, row=row: self._choose(row.target))
        self.search = ClassSearch(
            "Search a class",
            "Type a part of a class's name or its number: for the class to explain, or against",
        )
        self.search.chosen.connect(self._choose)
        self._against: int | None = None
        self._lay_out()

    @property
    def chosen_output(self) -> Output:
        """The logit or the probability."""
        return "probability" if self.output.currentData() == "probability" else "logit"

    def show_output(self, output: Output) -> None:
        """The logit or the probability was chosen elsewhere."""
        was_blocked = self.output.blockSignals(True)
        self.output.setCurrentIndex(self.output.findData(output))
        self.output.blockSignals(was_blocked)

    def show_classes(self, model: ModelInfo, prediction: Prediction, target: int, against: int | None) -> None:
        """The likeliest classes; where another one is explained or set against it, in the last rows' place."""
        self._against = against
        chosen = [index for index in (target, against) if index is not None]
        top = list(prediction.top(ROWS))
        others = [index for index in chosen if index not in top]
        shown = top[: ROWS - len(others)] + others
        for row, index in zip(self.rows, shown, strict=False):
            row.show_class(index, label_of(model, index), float(prediction.probabilities[index]))
            row.setChecked(index == target)
            row.set_contrast(index == against)
        for number, row in enumerate(self.rows):
            row.setVisible(number < len(shown))
        self.output.setEnabled(against is None)
        self.output.setToolTip(
            "Explain the class's logit, or its probability"
            if against is None
            else "What is explained is the difference of the two logits"
        )

    def hide_classes(self) -> None:
        """There is nothing whose classes could be explained."""
        for row in self.rows:
            row.hide()

    def _choose(self, index: int) -> None:
        if self.this.isChecked():
            self.target_chosen.emit(index)
        else:
            self.against_chosen.emit(None if index == self._against else index)

    def _lay_out(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 0, 0, 0)
        layout.setSpacing(1)
        head = QHBoxLayout()
        head.setSpacing(2)
        for part in (self.this, self.that):
            head.addWidget(part)
        head.addStretch()
        head.addWidget(self.output)
        layout.addLayout(head)
        layout.addWidget(self._list_of_rows(), 1)
        layout.addWidget(self.search)
        layout.addStretch()
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)
        follow_text(self, lambda: self.setMinimumWidth(self.fontMetrics().averageCharWidth() * 26))

    def _list_of_rows(self) -> QScrollArea:
        """All rows where there is room for them; where a long caption takes it, they scroll."""
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(1)
        for row in self.rows:
            column.addWidget(row)
        area = QScrollArea()
        area.setWidget(inside)
        area.setWidgetResizable(True)
        area.setFrameShape(QScrollArea.Shape.NoFrame)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        area.viewport().setAutoFillBackground(False)
        inside.setAutoFillBackground(False)

        def limit_height() -> None:
            row_px = self.rows[0].sizeHint().height() + 1
            area.setMinimumHeight(3 * row_px)
            area.setMaximumHeight(len(self.rows) * row_px + 8)

        follow_text(area, limit_height)
        return area


def _mode(text: str, tip: str) -> QToolButton:
    button = QToolButton()
    button.setText(text)
    button.setToolTip(tip)
    button.setCheckable(True)
    button.setAutoRaise(True)
    return button
