"""What the network makes of a picture with pixels removed, kept so that it is given no such picture twice."""

from collections.abc import Hashable, Iterator
from hashlib import blake2b

import torch
from torch import Tensor

from convnext_studio.analysis.attribution.fills import fill_picture
from convnext_studio.analysis.capture import ShouldStop, stoppable
from convnext_studio.analysis.evidence.faithfulness import (
    InsertionDeletion,
    PixelOrder,
    curves_of,
    end_pictures,
    masked_outputs,
    on_picture,
)
from convnext_studio.analysis.features import probabilities_of
from convnext_studio.common.stopping import Stopped
from convnext_studio.engine.server.workspace import Workspace
from convnext_studio.protocol.attributions import RemovalFill


def key_of_order(order: PixelOrder) -> Hashable:
    """Return a key for an order that follows from the values of a map."""
    return blake2b(order.tobytes(), digest_size=16).digest()


class MaskedPictures:
    """Measures insertion and deletion on one picture, for any order of its pixels and any class.

    The outputs are kept for all classes at once, and order by order as far as they are known. So another class
    costs nothing, work that was stopped goes on where it was, and what two measurements have in common is
    computed once.
    """

    def __init__(
        self, workspace: Workspace, image: str, fill: RemovalFill, steps: int, should_stop: ShouldStop
    ) -> None:
        self._workspace = workspace
        self._model = workspace.model
        self._asked = image, fill
        self._steps = steps
        self._should_stop = should_stop
        self._tensor, self._geometry = workspace.input(image)
        self._fill = fill_picture(self._tensor, self._model.preprocessing, fill)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the input."""
        return self._tensor.shape[-2], self._tensor.shape[-1]

    def whole(self, target: int) -> float:
        """Return the probability of a class on the whole picture."""
        return float(self._of_class(self._ends, target)[1])

    def curves(self, order: PixelOrder, key: Hashable, target: int) -> Iterator[InsertionDeletion]:
        """Measure the curves of a class for an order of the pixels; the last result is complete.

        Parameters
        ----------
        key
            What the order depends on.
        """
        if self._should_stop():  # What is known of another network must not be taken for what is known of this.
            raise Stopped
        ends = self._of_class(self._ends, target)
        yield curves_of(ends, ends[:0], self._steps)
        kept_as = self._workspace.key("masked", *self._asked, self._steps, key)
        known = self._workspace.masked_outputs.get(kept_as)
        seen = on_picture(order, self._geometry) if self._geometry.is_padded else order
        for outputs in masked_outputs(self._outputs, self._tensor, self._fill, seen, self._steps, known):
            self._workspace.masked_outputs.put(kept_as, outputs)
            yield curves_of(ends, self._of_class(outputs, target), self._steps)

    @property
    def _ends(self) -> Tensor:
        """The outputs for the picture without its pixels and for the whole one, which no order changes."""
        kept_as = self._workspace.key("masked", *self._asked, "ends")
        known = self._workspace.masked_outputs.get(kept_as)
        if known is None:
            known = self._outputs(end_pictures(self._tensor, self._fill, self._geometry))
            self._workspace.masked_outputs.put(kept_as, known)
        return known

    def _outputs(self, pictures: Tensor) -> Tensor:
        """Return the logits of pictures, (N, classes)."""
        with torch.no_grad(), stoppable(self._model.blocks, self._should_stop):
            logits: Tensor = self._model.module(pictures)
        return logits.detach().cpu()

    def _of_class(self, outputs: Tensor, target: int) -> Tensor:
        return probabilities_of(self._model, outputs)[:, target]
