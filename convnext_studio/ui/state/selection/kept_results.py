"""What a person keeps while the selection moves on: a pin, and principal components."""

from collections.abc import Collection, Iterable

from msgspec import Struct
from PySide6.QtCore import QObject, Signal

from convnext_studio.model.framing import picture_of
from convnext_studio.protocol.models import ModelInfo
from convnext_studio.protocol.pictures import ImageInfo
from convnext_studio.protocol.similarity import KeptBasis


class Pin(Struct, frozen=True, eq=False):
    """A node of a model on a picture, pinned so that the selection can be compared with it."""

    model: ModelInfo
    picture: ImageInfo
    node: str


class KeptResults(QObject):
    """A pin that the selection is compared with, and components that colour several pictures alike."""

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
