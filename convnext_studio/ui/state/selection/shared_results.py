"""Results of one panel that others use: the maps of a class, a pin, and principal components."""

from collections.abc import Collection, Iterable

from msgspec import Struct
from msgspec.structs import replace
from PySide6.QtCore import QObject, Signal

from convnext_studio.model.framing import picture_of
from convnext_studio.protocol.attributions import Explain, Explanation, Faithfulness
from convnext_studio.protocol.models import ModelInfo
from convnext_studio.protocol.pictures import ImageInfo
from convnext_studio.protocol.similarity import KeptBasis


class Attributions(QObject):
    """How the chosen class is explained, the maps that explain it, and how faithful they are."""

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


class Pin(Struct, frozen=True, eq=False):
    """A node of a model on a picture, pinned so that the selection can be compared with it."""

    model: ModelInfo
    picture: ImageInfo
    node: str


class KeptResults(QObject):
    """What a person keeps while the selection moves on: a pin, and components that colour pictures alike."""

    pinned = Signal(object)  # Pin | None
    bases_changed = Signal(object)  # tuple[KeptBasis, ...]

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._pin: Pin | None = None
        self._bases: tuple[KeptBasis, ...] = ()

    @property
    def pin(self) -> Pin | None:
        """The pin that the selection is compared with, or None."""
        return self._pin

    def set_pin(self, pin: Pin | None) -> None:
        """Compare the selection with a pin, or with nothing."""
        if pin is not self._pin:
            self._pin = pin
            self.pinned.emit(pin)

    def unpin(self) -> None:
        """Remove the pin."""
        self.set_pin(None)

    def forget_pictures(self, keys: Collection[str]) -> None:
        """Remove the pin if its picture is one of those that were closed."""
        if self._pin is not None and picture_of(self._pin.picture.key) in keys:
            self.unpin()

    @property
    def bases(self) -> tuple[KeptBasis, ...]:
        """The principal components that were kept, so that several pictures are coloured alike."""
        return self._bases

    def set_bases(self, bases: Iterable[KeptBasis]) -> None:
        """Keep these principal components, and no others; of two with one name, the later is kept."""
        by_name = {kept.name: kept for kept in bases}
        if tuple(by_name.values()) != self._bases:
            self._bases = tuple(by_name.values())
            self.bases_changed.emit(self._bases)
