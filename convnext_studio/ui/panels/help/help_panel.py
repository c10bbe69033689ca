"""The help panel: what each panel shows, by which definition, and what it does not mean."""

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QSize, Qt, QUrl
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QTextBrowser, QVBoxLayout, QWidget

from convnext_studio.common.paths import ASSETS
from convnext_studio.ui.panels.base import choice

FOLDER = ASSETS / "help"


class HelpPanel(QWidget):
    """A panel that shows one help page at a time; links to the web open in the user's browser.

    Parameters
    ----------
    names
        The pages to choose from, beginning with the initial one. Each panel's page is named after its dock.
    """

    title = "Help"

    def __init__(self, names: Sequence[str], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._names = names
        self.pages = choice("Help page", "Choose a help page", (), word="Page")
        self.pages.activated.connect(lambda index: self.show_page(self.pages.itemData(index)))
        self.back = QPushButton("Back")
        self.back.setToolTip("Go back to the previous page")
        self.browser = QTextBrowser()
        self.browser.setAccessibleName("Help")
        self.browser.setAccessibleDescription("A page about one panel; Tab moves between its links")
        self.browser.setToolTip("")
        self.browser.setOpenExternalLinks(True)  # In the user's own browser, and only on a click.
        self.browser.sourceChanged.connect(self._follow)
        self.browser.backwardAvailable.connect(self.back.setEnabled)
        self.back.clicked.connect(self.browser.backward)
        self.back.setEnabled(False)
        row = QHBoxLayout()
        row.addWidget(self.pages, 1)
        row.addWidget(self.back)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 4, 6, 4)
        layout.addLayout(row)
        layout.addWidget(self.browser, 1)
        self.setFocusProxy(self.browser)

    @property
    def is_settled(self) -> bool:
        """Whether the panel is up to date; always true, because it sends no requests."""
        return True

    @property
    def page(self) -> str:
        """The name of the current page; empty before the first."""
        return _page_at(self.browser.source())

    def show_page(self, name: str) -> None:
        """Show a page by its name, that of a panel's dock; an unknown name shows the first page."""
        self.browser.setSource(
            QUrl.fromLocalFile(str(page_path(name if name in self._names else self._names[0])))
        )

    def sizeHint(self) -> QSize:
        """Make room for lines of a comfortable length."""
        return QSize(self.fontMetrics().averageCharWidth() * 68, 640)

    def minimumSizeHint(self) -> QSize:
        """Keep the text from becoming a narrow column."""
        return QSize(self.fontMetrics().averageCharWidth() * 44, super().minimumSizeHint().height())

    def showEvent(self, event: QShowEvent) -> None:
        """Read the pages' headings when the panel is first shown."""
        super().showEvent(event)
        if not self.pages.count():
            for name in self._names:
                self.pages.addItem(page_title(name), name)
        if not self.page:
            self.show_page(self._names[0])
        self._follow(self.browser.source())

    def _follow(self, source: QUrl) -> None:
        # Use the signal's argument: while it is emitted, the browser still has the previous source.
        self.pages.setCurrentIndex(self.pages.findData(_page_at(source), Qt.ItemDataRole.UserRole))


def _page_at(source: QUrl) -> str:
    return Path(source.path()).stem


def page_path(name: str) -> Path:
    """Return the path of a page."""
    return FOLDER / f"{name}.md"


def page_title(name: str) -> str:
    """Return a page's heading."""
    with page_path(name).open(encoding="utf-8") as file:
        return file.readline().removeprefix("#").strip()
