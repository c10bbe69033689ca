"""How the chosen class is explained, the maps that explain it, and how faithful they are."""

from msgspec.structs import replace
from PySide6.QtCore import QObject, Signal

from convnext_studio.protocol.attributions import Explain, Explanation, Faithfulness


class Attributions(QObject):
    """How the chosen class is explained, and the latest answer to that."""

    explaining_changed = Signal(object)  # Explain
    faithfulness_measured = Signal(object)  # Faithfulness

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._explaining = Explain(image="")
        self._explained: tuple[Explain, Explanation] | None = None
        self._measured: tuple[Explain, Faithfulness] | None = None

    @property
    def explaining(self) -> Explain:
        """How the class is explained (method, nodes, output), without the picture and the class."""
        return self._explaining

    def set_explaining(self, explaining: Explain) -> None:
        """Choose how the class is explained."""
        if explaining != self._explaining:
            self._explaining = explaining
            self.explaining_changed.emit(explaining)

    @property
    def explanation(self) -> Explanation | None:
        """The attribution maps for the selection, or None until they are complete."""
        return None if self._explained is None else self._explained[1]

    def set_explanation(self, question: Explain, explanation: Explanation) -> None:
        """Set the attribution maps for the selection, with the question they answer."""
        self._explained = replace(question, id=0, panel=""), explanation

    def drop_explanation(self) -> None:
        """Discard the attribution maps, because something else was selected."""
        self._explained = None

    @property
    def faithfulness(self) -> Faithfulness | None:
        """The faithfulness of one of the attribution maps, or None if it was not measured."""
        if self._explained is None or self._measured is None or self._measured[0] != self._explained[0]:
            return None
        return self._measured[1]

    def set_faithfulness(self, question: Explain, measured: Faithfulness) -> None:
        """Set the completed faithfulness measurement of one of the maps that answer a question."""
        self._measured = replace(question, id=0, panel=""), measured
        self.faithfulness_measured.emit(measured)

    def begin_model(self) -> None:
        """Discard what belongs to the previous network: its maps, and the nodes that were chosen in it."""
        self._explained = self._measured = None
        self._explaining = replace(self._explaining, nodes=())
