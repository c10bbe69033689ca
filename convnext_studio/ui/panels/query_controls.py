"""The button that stops the work on a panel's request, and the bar that shows how far it is."""

from PySide6.QtWidgets import QPushButton

from convnext_studio.ui.panels.base import PanelQuery
from convnext_studio.ui.widgets.progress_bar import ProgressBar


class StopButton(QPushButton):
    """A button that stops the work on a panel's request and keeps the partial answer, or starts it again."""

    def __init__(self, query: PanelQuery, tip: str) -> None:
        super().__init__("Stop")
        self._query = query
        self.setToolTip(tip)
        self.setEnabled(False)
        self.clicked.connect(lambda: query.stop() if query.is_running else query.ask_again())
        query.changed.connect(self._follow)

    def _follow(self) -> None:
        self.setText("Stop" if self._query.is_running else "Measure again")
        self.setEnabled(self._query.is_running or self._query.panel.shows_body)


class QueryProgressBar(ProgressBar):
    """A progress bar for a panel's request, hidden while none is in progress."""

    def __init__(self, query: PanelQuery, name: str) -> None:
        super().__init__(name)
        self._query = query
        self.hide()
        query.changed.connect(self._follow)

    def _follow(self) -> None:
        progress = self._query.progress if self._query.is_running else None
        if progress is None:
            self.show_waiting()
        else:
            self.show_progress(progress.done, progress.total)
        self.setVisible(self._query.is_running)
