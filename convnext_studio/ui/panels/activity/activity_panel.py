"""The activity panel: the running and finished activities, and the log."""

from PySide6.QtCore import QSize, Qt, QTimer, Signal
from PySide6.QtGui import QGuiApplication, QHideEvent, QResizeEvent, QShowEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QHeaderView,
    QPlainTextEdit,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from convnext_studio.ui.state.activity import CAPACITY, LOG_CAPACITY, Activity, ActivityLog, LogStore, spoken
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.widgets.elided_label import ElidedLabel, PlainLabel, plain_tip
from convnext_studio.ui.widgets.progress_bar import ProgressBar

# Shorter activities appear only in the list of finished ones.
ANNOUNCE_AFTER_MS = 300
HEADINGS = ("What", "For", "Where", "Time", "Outcome")
_LEAST_CHARACTERS = {1: 70, 2: 52}
"""How wide the table is at least where a column is shown, in characters."""


class ActivityPanel(QWidget):
    """A panel with two tabs: the activities, and the log of window and engine."""

    title = "Activity"
    report_asked = Signal()

    def __init__(
        self,
        activity_log: ActivityLog,
        log_store: LogStore,
        bridge: EngineBridge,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.activities = ActivityList(activity_log, bridge)
        self.log = LogView(log_store)
        self.log.report.clicked.connect(self.report_asked)
        self.tabs = QTabWidget()
        self.tabs.setAccessibleName("Activity and log")
        self.tabs.setAccessibleDescription("Ctrl+Tab or the arrow keys change the page")
        self.tabs.setDocumentMode(True)
        self.tabs.addTab(self.activities, "Activity")
        self.tabs.addTab(self.log, "Log")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.tabs)
        self.setFocusProxy(self.tabs)

    @property
    def is_settled(self) -> bool:
        """Whether the panel is up to date; always true, because it sends no requests."""
        return True

    def sizeHint(self) -> QSize:
        """Make room for most rows."""
        return QSize(self.fontMetrics().averageCharWidth() * 92, 560)

    def minimumSizeHint(self) -> QSize:
        """Keep enough room to tell which activity an outcome belongs to."""
        return QSize(self.fontMetrics().averageCharWidth() * 44, super().minimumSizeHint().height())


class ActivityList(QWidget):
    """The running activities with progress and a Cancel button each, above a table of the finished ones."""

    def __init__(self, log: ActivityLog, bridge: EngineBridge, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._log = log
        self._bridge = bridge
        self.rows: dict[int, ActivityRow] = {}
        self._none = PlainLabel("Nothing is running.")
        self._none.setProperty("muted", True)
        self._under_way = QVBoxLayout()
        self._under_way.setSpacing(2)
        self._under_way.addWidget(self._none)
        self.table = ActivityTable()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 4)
        layout.addLayout(self._under_way)
        layout.addWidget(self.table, 1)
        self._soon = QTimer(self, singleShot=True, interval=ANNOUNCE_AFTER_MS)
        self._soon.timeout.connect(self._announce)
        log.asked.connect(self._ask)
        log.moved.connect(self._move)
        log.finished.connect(self._finish)

    def showEvent(self, event: QShowEvent) -> None:
        """Catch up with the activities that were recorded while the list was hidden."""
        super().showEvent(event)
        self.table.setRowCount(0)
        for activity in reversed(self._log.over):
            self._list(activity)
        self._announce()

    def hideEvent(self, event: QHideEvent) -> None:
        """Stop showing running activities while the list is hidden."""
        super().hideEvent(event)
        self._soon.stop()
        for identifier in list(self.rows):
            self._remove(identifier)

    def _ask(self, _activity: Activity) -> None:
        if self.isVisible() and not self._soon.isActive():
            self._soon.start()

    def _announce(self) -> None:
        for activity in self._log.under_way:
            if activity.id not in self.rows:
                row = ActivityRow(activity)
                row.cancel.clicked.connect(
                    lambda _=False, identifier=activity.id: self._bridge.cancel(identifier)
                )
                self.rows[activity.id] = row
                self._under_way.addWidget(row)
        self._none.setVisible(not self.rows)

    def _move(self, activity: Activity) -> None:
        if activity.id in self.rows:
            self.rows[activity.id].show_activity(activity)

    def _finish(self, activity: Activity) -> None:
        self._remove(activity.id)
        if self.isVisible():
            self._list(activity)

    def _remove(self, identifier: int) -> None:
        row = self.rows.pop(identifier, None)
        if row is not None:
            self._under_way.removeWidget(row)
            row.hide()
            row.deleteLater()
            self._none.setVisible(not self.rows)

    def _list(self, activity: Activity) -> None:
        self.table.add(activity)


class ActivityTable(QTableWidget):
    """The finished activities, the latest first; a narrow table leaves out for whom and where they ran."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(0, len(HEADINGS), parent)
        self.setAccessibleName("Jobs")
        self.setAccessibleDescription("One row for each job, the latest first")
        self.setHorizontalHeaderLabels(HEADINGS)
        self.verticalHeader().hide()
        self.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setTabKeyNavigation(False)
        self.setShowGrid(False)
        self.setWordWrap(False)
        header = self.horizontalHeader()
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        for column in range(1, len(HEADINGS)):
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.ResizeToContents)

    def add(self, activity: Activity) -> None:
        """Add an activity; the tooltip of its row has what does not fit."""
        self.insertRow(0)
        self.setRowCount(min(self.rowCount(), CAPACITY))
        time = spoken(activity.seconds) if activity.outcome == "done" else f"after {spoken(activity.seconds)}"
        texts = (activity.what, activity.asker, activity.device or "–", time, activity.outcome)
        tip = "\n".join(f"{heading}: {text}" for heading, text in zip(HEADINGS, texts, strict=True))
        for column, text in enumerate(texts):
            item = QTableWidgetItem(text)
            item.setToolTip(plain_tip(activity.note or tip))
            self.setItem(0, column, item)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Leave out columns where the first one would be too narrow to read."""
        super().resizeEvent(event)
        character_px = self.fontMetrics().averageCharWidth()
        for column, characters in _LEAST_CHARACTERS.items():
            self.setColumnHidden(column, event.size().width() < characters * character_px)


class ActivityRow(QWidget):
    """A row for one activity that is running or waiting."""

    def __init__(self, activity: Activity, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.text = ElidedLabel()
        self.progress = ProgressBar(f"Progress: {activity.what}")
        self.progress.setFixedSize(120, 12)
        self.cancel = QPushButton("Cancel")
        self.cancel.setAccessibleName(f"Cancel: {activity.what}")
        self.cancel.setToolTip("Stop only this job")
        self.cancel.setVisible(activity.id > 0)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.text, 1)
        layout.addWidget(self.progress)
        layout.addWidget(self.cancel)
        self.show_activity(activity)

    def show_activity(self, activity: Activity) -> None:
        """Update the text and the progress."""
        said = activity.note or ("waits" if activity.outcome == "waiting" else "")
        self.text.setText(" · ".join(part for part in (activity.what, activity.asker, said) if part))
        # A waiting activity has a total of 1, because Qt animates a bar with a total of 0 as if it were busy.
        self.progress.show_progress(activity.done, activity.total if activity.outcome == "running" else 1)


class LogView(QWidget):
    """A read-only view of the log's lines, with buttons to copy them and to report a problem.

    It holds the lines only while it is visible, because Qt's layout takes 7 kB for each.
    """

    def __init__(self, store: LogStore, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._store = store
        self.text = QPlainTextEdit()
        self.text.setReadOnly(True)
        self.text.setMaximumBlockCount(LOG_CAPACITY)
        self.text.setAccessibleName("Log")
        self.text.setAccessibleDescription("What the window and the engine recorded, the latest last")
        self.text.setPlaceholderText("Nothing has been recorded yet.")
        self.copy = QPushButton("Copy")
        self.copy.setToolTip("Copy the whole log as text, including private paths")
        self.copy.clicked.connect(lambda: QGuiApplication.clipboard().setText(self.text.toPlainText()))
        self.report = QPushButton("Report a problem…")
        self.report.setToolTip("Write a text file with versions, device and log, without private paths")
        row = QHBoxLayout()
        row.addStretch()
        row.addWidget(self.copy)
        row.addWidget(self.report)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 4)
        layout.addWidget(self.text, 1)
        layout.addLayout(row)
        store.added.connect(self._add)

    def showEvent(self, event: QShowEvent) -> None:
        """Load the log's lines."""
        super().showEvent(event)
        self.text.clear()  # A minimised window still receives lines, and is shown again.
        # Unlike setPlainText, appending scrolls to the end and follows the lines added later.
        self.text.appendPlainText("\n".join(self._store.lines))

    def hideEvent(self, event: QHideEvent) -> None:
        """Discard the lines while the view is hidden."""
        super().hideEvent(event)
        self.text.clear()

    def _add(self, line: str) -> None:
        if self.isVisible():
            self.text.appendPlainText(line)
