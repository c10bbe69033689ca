"""What the network takes the picture for, and which class is to be explained."""

from PySide6.QtCore import QEvent, QRectF, QSize, QStringListModel, Qt, Signal
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import (
    QAbstractButton,
    QCompleter,
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from convnext_studio.engine.messages import ImageInfo, ModelInfo, Prediction
from convnext_studio.export.contents import label_of
from convnext_studio.ui import theme
from convnext_studio.ui.bridge import EngineBridge
from convnext_studio.ui.oneline import OneLine
from convnext_studio.ui.panels.base import NO_MODEL, NO_PICTURE, Panel
from convnext_studio.ui.state import AppState

ROWS = 5
MEANINGLESS = "These percentages mean nothing."


class PredictionsPanel(Panel):
    """The five likeliest classes as bars, and a search over all classes. A click explains that class."""

    title = "Predictions"
    again_asked = Signal()

    def __init__(self, state: AppState, bridge: EngineBridge, parent: QWidget | None = None) -> None:
        super().__init__(state, bridge, parent)
        self.rows = [PredictionRow() for _ in range(ROWS)]
        for row in self.rows:
            row.clicked.connect(lambda _checked, row=row: self._explain(row.target))
        self.explained = OneLine()
        self.explained.setAccessibleName("Class explained")
        self.follow = QPushButton("Follow top")
        self.follow.setToolTip("Explain whatever is predicted first (Ctrl+T)")
        self.follow.setAccessibleName("Follow the top prediction")
        self.follow.clicked.connect(lambda: state.set_target(None))
        self.search = QLineEdit()
        self.search.setPlaceholderText("Another class…")
        self.search.setAccessibleName("Search a class to explain")
        self.search.setToolTip(
            "Type a part of a class's name or its number, and choose the class to explain (Ctrl+F)"
        )
        self.search.setClearButtonEnabled(True)
        self.search.setAcceptDrops(False)
        self.search.returnPressed.connect(self._search_entered)
        self._choices = QStringListModel(self)
        self._completer = QCompleter(self._choices, self)
        self._completer.setFilterMode(Qt.MatchFlag.MatchContains)
        self._completer.setCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        self._completer.setMaxVisibleItems(12)
        self._completer.activated.connect(self._choose)
        self.search.setCompleter(self._completer)
        self.set_body(self._body())
        state.model_loaded.connect(self._model_loaded)
        state.picture_selected.connect(self._show)
        state.prediction_made.connect(self._show)
        state.prediction_failed.connect(self._show)
        state.target_selected.connect(self._show)
        if state.model is not None:
            self._model_loaded(state.model)
        self._show(None)

    @property
    def is_settled(self) -> bool:
        """Whether the prediction is shown, or a sentence that says why there is none."""
        state = self.state
        is_awaited = state.model is not None and state.picture is not None
        return not is_awaited or state.prediction is not None or bool(state.prediction_failure)

    def ask_again(self) -> None:
        """Try once more to predict."""
        self.again_asked.emit()

    def _body(self) -> QWidget:
        body = QWidget()
        layout = QVBoxLayout(body)
        layout.setContentsMargins(2, 2, 2, 2)
        layout.setSpacing(2)
        for row in self.rows:
            layout.addWidget(row)
        layout.addSpacing(4)
        layout.addWidget(self.explained)
        choice = QHBoxLayout()
        choice.setSpacing(4)
        choice.addWidget(self.search, 1)
        choice.addWidget(self.follow)
        layout.addLayout(choice)
        layout.addStretch(1)
        return body

    def _model_loaded(self, model: ModelInfo) -> None:
        # The number makes equal names (ImageNet has two cranes) distinct.
        self._choices.setStringList([f"{label} · {index}" for index, label in enumerate(model.labels)])
        self._show(None)

    def _show(self, _changed: ImageInfo | Prediction | str | int | None) -> None:
        model, prediction = self.state.model, self.state.prediction
        if model is None or prediction is None:
            self.show_notice(self._why_empty(), can_retry=bool(self.state.prediction_failure))
            return
        self.show_body()
        self.set_caption(MEANINGLESS if model.random_weights else "")
        top = prediction.top(ROWS)
        target = top[0] if self.state.target is None else self.state.target
        for row, index in zip(self.rows, top, strict=False):
            row.show_class(index, label_of(model, index), float(prediction.probabilities[index]))
            row.setChecked(index == target)
        for number, row in enumerate(self.rows):
            row.setVisible(number < len(top))
        percent = float(prediction.probabilities[target]) * 100
        self.explained.setText(f"Explained: {label_of(model, target)}, {percent:.1f} %")
        self.explained.setToolTip(self.explained.text())
        self.follow.setEnabled(self.state.target is not None)

    def _why_empty(self) -> str:
        state = self.state
        if state.prediction_failure:
            return state.prediction_failure
        if state.picture is None:
            return NO_PICTURE
        return NO_MODEL if state.model is None else "Computing …"

    def _explain(self, target: int) -> None:
        self.state.set_target(target)
        self._show(None)  # Also where it was the target before: the click unchecked its row.

    def _search_entered(self) -> None:
        text = self.search.text().strip()
        model = self.state.model
        if not text or model is None:
            return
        matches = [
            index
            for index, label in enumerate(model.labels)
            if text.lower() == label.lower() or text in (str(index), f"{label} · {index}")
        ]
        if matches:
            self._explain(matches[0])
            self.search.clear()
        else:
            self.explained.setText(f"No class is called {text!r}; choose one from the list.")

    def _choose(self, text: str) -> None:
        self._explain(int(text.rpartition(" ")[2]))
        # The completer fills the line after this signal.
        self.search.setText("")


class PredictionRow(QAbstractButton):
    """One class: its name, its probability as a number and as a bar. Checked where it is being explained."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.target = 0
        self.label = ""
        self.probability = 0.0
        self.setCheckable(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumHeight(self.sizeHint().height())
        self.setMaximumHeight(2 * self.fontMetrics().height() + 6)
        self.setAccessibleName("Predicted class")

    @property
    def percentage(self) -> str:
        """The probability as it is shown."""
        return f"{self.probability * 100:.1f} %"

    def show_class(self, target: int, label: str, probability: float) -> None:
        """Show another class."""
        self.target, self.label, self.probability = target, label, probability
        self.setAccessibleName(f"{label}, {self.percentage}")
        self.setToolTip(f"{label} (class {target}), {self.percentage}\nClick to explain this class")
        self.update()

    def sizeHint(self) -> QSize:
        """A line of text above a thin bar."""
        return QSize(160, self.fontMetrics().height() + 11)

    def changeEvent(self, event: QEvent) -> None:
        """Repaint in the new colours."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Name on the left, number on the right, the bar below both; the frame says focus or hover."""
        with QPainter(self) as painter:
            self._paint(painter)

    def _paint(self, painter: QPainter) -> None:
        colours = theme.current()
        box = self.rect().adjusted(0, 0, -1, -1)
        if self.isChecked() or self.underMouse():
            painter.fillRect(self.rect(), QColor(colours.raised))
        if self.hasFocus():
            painter.setPen(QColor(colours.accent))
            painter.drawRect(box)
        inner = self.rect().adjusted(6, 2, -6, -7)
        number_width = self.fontMetrics().horizontalAdvance("100.0 %") + 6
        name = self.fontMetrics().elidedText(
            self.label, Qt.TextElideMode.ElideRight, inner.width() - number_width
        )
        painter.setPen(QColor(colours.accent if self.isChecked() else colours.text))
        painter.drawText(inner, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, name)
        painter.drawText(inner, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, self.percentage)
        bar = QRectF(inner.left(), inner.bottom() + 1.5, inner.width(), 3.0)
        painter.fillRect(bar, QColor(colours.border))
        bar.setWidth(bar.width() * self.probability)
        painter.fillRect(bar, QColor(colours.accent if self.isChecked() else colours.muted))
