"""The layers of a ConvNeXt, computed in strips of rows, for inputs that are too large for it in one piece.

A tile is a strip of rows. It is computed from the rows that its units see through this layer, so neighbouring
strips overlap by the theoretical field of the layer's convolution, and nothing is blended: the results are
those of the whole input. A GRN pools over the map; it gets a pass of its own over all strips. Of each layer
only the output is kept whole, and what is inside a block, four times as large, exists for one strip at a time.

Everything here is a generator that yields after each strip, so that other work can be done in between.
"""

from collections import deque
from collections.abc import Generator, Iterator, Sequence
from typing import Protocol, cast

import torch
from msgspec import Struct
from torch import Tensor, nn
from torch.nn import functional

from convnext_studio.model.config import same_padding
from convnext_studio.model.convnext import GRN, Block, ConvNeXt, SameConv2d
from convnext_studio.model.nodes import BYTES_PER_VALUE, Size

STRIP_BYTES = 12 << 20
"""How large the widest tensor of a strip may become."""
_FREED_BYTES = 40 << 20
KEPT_BYTES = 1 << 28
"""How large the inside of a whole block may be to be kept between the passes that a GRN needs."""

Steps = Generator[None, None, Tensor]


class TiledLayer(Protocol):
    """A part of the network that is computed in strips."""

    @property
    def overwrites(self) -> bool:
        """Whether `forward` can make its output in the memory of its input."""

    def output_size(self, size: Size) -> Size:
        """Return height and width of the output for an input of that size."""

    def forward(self, x: Tensor, in_place: bool = False) -> Steps:
        """Compute the output (1, C, h, w) of the layer, without gradients.

        Parameters
        ----------
        in_place
            Whether the input is not needed any more, so that its memory may be used for the output.
        """

    def backward(self, x: Tensor, gradients: list[Tensor]) -> Steps:
        """Compute the gradient by the input `x`, without overwriting it.

        Parameters
        ----------
        gradients
            The gradient by the output, which is taken out of the list, so that its memory is free as soon as it
            has been read.
        """

    def backward_bytes(self, before: int, after: int) -> int:
        """Return how much memory the gradients by an input and by an output of so many bytes take together."""


def _strips(height: int, bytes_per_row: int) -> Iterator[slice]:
    """Yield the rows of an output, strip by strip."""
    rows = max(1, STRIP_BYTES // max(bytes_per_row, 1))
    for first in range(0, height, rows):
        yield slice(first, min(first + rows, height))


class _Rows(Struct, frozen=True):
    """Rows of an output, and the rows of the input that they depend on; padding is not among those."""

    wanted: slice
    needed: slice

    @classmethod
    def through(cls, conv: nn.Conv2d, wanted: slice, height: int) -> "_Rows":
        """Return what a convolution needs of an input of that height."""
        stride, (above, _) = conv.stride[0], _padding(conv, 0)
        first, last = wanted.start * stride - above, (wanted.stop - 1) * stride - above + _extent(conv, 0)
        return cls(wanted, slice(max(first, 0), min(last, height)))


def _padding(conv: nn.Conv2d, axis: int) -> tuple[int, int]:
    """Return what a convolution adds before and after its input, along the rows (0) or the columns (1)."""
    if isinstance(conv, SameConv2d):
        return same_padding(conv.kernel_size[axis], conv.dilation[axis])
    assert not isinstance(conv.padding, str)
    return conv.padding[axis], conv.padding[axis]


def _extent(conv: nn.Conv2d, axis: int) -> int:
    """Return how many rows (0) or columns (1) of the padded input a kernel spans."""
    return conv.dilation[axis] * (conv.kernel_size[axis] - 1) + 1


def _convolved(conv: nn.Conv2d, size: Size) -> Size:
    """Return height and width of the output of a convolution."""
    height, width = (_side_after(conv, axis, side) for axis, side in enumerate(size))
    return height, width


def _side_after(conv: nn.Conv2d, axis: int, side: int) -> int:
    """Return the height (0) or width (1) of the output of a convolution, from that of its input."""
    return (side + sum(_padding(conv, axis)) - _extent(conv, axis)) // conv.stride[axis] + 1


def _convolve(conv: nn.Conv2d, part: Tensor, rows: _Rows, height: int) -> Tensor:
    """Return the wanted rows of a convolution, from the needed rows of its input of that height."""
    stride, (down, _), across = conv.stride[0], _padding(conv, 0), _padding(conv, 1)
    above = max(0, down - rows.wanted.start * stride)
    below = max(0, (rows.wanted.stop - 1) * stride - down + _extent(conv, 0) - height)
    padded = functional.pad(part, (*across, above, below)) if any((*across, above, below)) else part
    return functional.conv2d(padded, conv.weight, conv.bias, conv.stride, 0, conv.dilation, conv.groups)


class _ReadOnce:
    """A tensor (1, C, h, w) whose rows are read from the first to the last, and freed behind the reader."""

    def __init__(self, tensors: list[Tensor]) -> None:
        """Take the last tensor out of a list that nobody else has."""
        tensor = tensors.pop()
        _, channels, height, width = tensor.shape
        # Memory of this size goes back to the system at once.
        rows = max(1, _FREED_BYTES // (channels * width * tensor.element_size()))
        self._parts = deque(tensor[:, :, first : first + rows].clone() for first in range(0, height, rows))
        self._first = 0

    def read(self, wanted: slice) -> Tensor:
        """Return rows; those before them are gone."""
        while self._first + self._parts[0].shape[2] <= wanted.start:
            self._first += self._parts.popleft().shape[2]
        found, first = [], self._first
        for part in self._parts:
            if first >= wanted.stop:
                break
            found.append(part[:, :, max(wanted.start - first, 0) : wanted.stop - first])
            first += part.shape[2]
        return found[0] if len(found) == 1 else torch.cat(found, dim=2)


class _Overlapping:
    """A sum of strips that come in order and overlap; no row is touched before it is needed.

    Memory that nobody has written to is not taken from the system.
    """

    def __init__(self, like: Tensor) -> None:
        self._sums = torch.empty_like(like)
        self._filled = 0

    def add(self, passed: Tensor, rows: slice) -> None:
        """Add a strip."""
        again = max(0, self._filled - rows.start)
        self._sums[:, :, self._filled : rows.start] = 0
        self._sums[:, :, rows.start : rows.start + again] += passed[:, :, :again]
        self._sums[:, :, rows.start + again : rows.stop] = passed[:, :, again:]
        self._filled = max(self._filled, rows.stop)

    def whole(self) -> Tensor:
        """Return the sum, with zeros where no strip was."""
        self._sums[:, :, self._filled :] = 0
        return self._sums


class _Chain:
    """Convolutions with norms and activations between them: a stem, or a downsampling layer."""

    def __init__(self, modules: Sequence[nn.Module]) -> None:
        self._modules = list(modules)
        self._convs = [module for module in modules if isinstance(module, nn.Conv2d)]
        self.overwrites = False

    def output_size(self, size: Size) -> Size:
        for conv in self._convs:
            size = _convolved(conv, size)
        return size

    def forward(self, x: Tensor, in_place: bool = False) -> Steps:
        del in_place  # Inputs and outputs have different sizes.
        height, width = self.output_size((x.shape[2], x.shape[3]))
        output = x.new_empty(1, self._convs[-1].out_channels, height, width)
        for wanted in _strips(height, self._bytes_per_row(x)):
            needed = self._needed(wanted, x.shape[2])[0].needed
            output[:, :, wanted] = self._run(x[:, :, needed], wanted, x.shape[2])
            yield
        return output

    def backward_bytes(self, before: int, after: int) -> int:
        # One is read, and copied before, while the other is made.
        return max(before, 2 * after)

    def backward(self, x: Tensor, gradients: list[Tensor]) -> Steps:
        height = gradients[-1].shape[2]
        gradient, found = _ReadOnce(gradients), _Overlapping(x)
        for wanted in _strips(height, self._bytes_per_row(x)):
            needed = self._needed(wanted, x.shape[2])[0].needed
            with torch.enable_grad():
                part = x[:, :, needed].detach().requires_grad_()
                output = self._run(part, wanted, x.shape[2])
                (passed,) = torch.autograd.grad(output, part, gradient.read(wanted))
            found.add(passed, needed)
            yield
        return found.whole()

    def _bytes_per_row(self, x: Tensor) -> int:
        first = self._convs[0]
        rows = first.stride[0] * x.shape[1] + 4 * first.out_channels // first.stride[1]
        return BYTES_PER_VALUE * rows * x.shape[3]

    def _needed(self, wanted: slice, height: int) -> list[_Rows]:
        heights = [height]
        for conv in self._convs[:-1]:
            heights.append(_side_after(conv, 0, heights[-1]))
        found: list[_Rows] = []
        for conv, own in zip(reversed(self._convs), reversed(heights), strict=True):
            found.insert(0, _Rows.through(conv, wanted, own))
            wanted = found[0].needed
        return found

    def _run(self, part: Tensor, wanted: slice, height: int) -> Tensor:
        """Return the wanted rows of the output, from what they need of an input of that height."""
        rows = iter(self._needed(wanted, height))
        for module in self._modules:
            if isinstance(module, nn.Conv2d):
                part = _convolve(module, part, next(rows), height)
                height = _side_after(module, 0, height)
            else:
                part = module(part)
        return part


class _Summed:
    """The gradient by the input of a layer, as a sum over the strips of its output."""

    def __init__(self, x: Tensor) -> None:
        self.sums = torch.zeros_like(x)

    def add(self, passed: Tensor, rows: _Rows) -> None:
        """Add what the wanted rows of the output pass on to the needed rows of the input."""
        self.sums[:, :, rows.needed] += passed


class _Added:
    """The same for a layer whose shortcut is its input: the sum is made where the gradient by its output was.

    A strip passes something on to rows of later strips, whose own gradient is still to be read; that waits.
    """

    def __init__(self, gradient: Tensor) -> None:
        self.sums = gradient
        self._waiting = gradient[:, :, :0]

    def add(self, passed: Tensor, rows: _Rows) -> None:
        """Add what the wanted rows of the output pass on; the strips come in order."""
        wanted, first = rows.wanted, rows.needed.start
        self.sums[:, :, first : wanted.stop] += passed[:, :, : wanted.stop - first]
        due = self._waiting[:, :, : wanted.stop - wanted.start]
        self.sums[:, :, wanted.start : wanted.start + due.shape[2]] += due
        later = passed[:, :, wanted.stop - first :].clone()
        left = self._waiting[:, :, wanted.stop - wanted.start :]
        later[:, :, : left.shape[2]] += left
        self._waiting = later


class _InputRows:
    """Reads the rows of an input that strips need, also where the output is made in the same memory.

    What a strip needs of the rows that were overwritten is kept from the strip before.
    """

    def __init__(self, x: Tensor, in_place: bool) -> None:
        self._x, self._in_place = x, in_place
        self._before, self._first, self._written = x[:, :, :0], 0, 0

    def read(self, rows: _Rows) -> Tensor:
        """Return what the next strip needs, before it is written."""
        if not self._in_place:
            return self._x[:, :, rows.needed]
        left = self._before[:, :, rows.needed.start - self._first : self._written - self._first]
        part = torch.cat([left, self._x[:, :, self._written : rows.needed.stop]], dim=2)
        self._before, self._first, self._written = part, rows.needed.start, rows.wanted.stop
        return part


class _TiledBlock:
    """A residual block."""

    def __init__(self, block: Block) -> None:
        self._block = block
        self._hidden = block.pwconv1.out_features
        self.overwrites = isinstance(block.shortcut, nn.Identity)

    def output_size(self, size: Size) -> Size:
        return _convolved(self._block.dwconv, size)

    def forward(self, x: Tensor, in_place: bool = False) -> Steps:
        block, (height, width) = self._block, self.output_size((x.shape[2], x.shape[3]))
        in_place = in_place and self.overwrites
        output = x if in_place else x.new_empty(1, block.pwconv2.out_features, height, width)
        reader = _InputRows(x, in_place)
        kept: dict[int, Tensor] = {}
        share = (yield from self._share(x, kept)) if isinstance(block.grn, GRN) else None
        for wanted in _strips(height, self._bytes_per_row(width)):
            rows, hidden = self._needed(x, wanted), kept.pop(wanted.start, None)
            part = reader.read(rows)
            hidden = self._act(self._expanded(part, rows, x.shape[2])) if hidden is None else hidden
            output[:, :, wanted] = self._finished(part, hidden, rows, share)
            yield
        return output

    def backward_bytes(self, before: int, after: int) -> int:
        return after if self.overwrites else before + after

    def _bytes_per_row(self, width: int) -> int:
        return BYTES_PER_VALUE * self._hidden * width

    def _needed(self, x: Tensor, wanted: slice) -> _Rows:
        return _Rows.through(self._block.dwconv, wanted, x.shape[2])

    def _normed(self, part: Tensor, rows: _Rows, height: int) -> Tensor:
        """Return the output of the norm, (1, rows, w, C), from what it needs of an input of that height."""
        convolved = _convolve(self._block.dwconv, part, rows, height)
        return cast(Tensor, self._block.norm(convolved.permute(0, 2, 3, 1)))

    def _expanded(self, part: Tensor, rows: _Rows, height: int) -> Tensor:
        """Return what goes into the activation, (1, rows, w, hidden)."""
        return cast(Tensor, self._block.pwconv1(self._normed(part, rows, height)))

    def _hidden_of(self, x: Tensor, wanted: slice) -> Tensor:
        """Return the output of the activation for a strip of an input that is there as a whole."""
        rows = self._needed(x, wanted)
        return self._act(self._expanded(x[:, :, rows.needed], rows, x.shape[2]))

    def _act(self, expanded: Tensor) -> Tensor:
        return cast(Tensor, self._block.act(expanded))

    def _finished(self, part: Tensor, hidden: Tensor, rows: _Rows, share: Tensor | None) -> Tensor:
        """Return the output of the block from that of its activation, and the rows of its input."""
        block = self._block
        if share is not None and isinstance(block.grn, GRN):
            hidden = block.grn.gamma * (hidden * share) + block.grn.beta + hidden
        branch = block.pwconv2(hidden)
        if block.gamma is not None:
            branch = block.gamma * branch
        passed, first = self._passed_by(rows.wanted), rows.needed.start
        shortcut = block.shortcut(part[:, :, passed.start - first : passed.stop - first])
        return cast(Tensor, shortcut + branch.permute(0, 3, 1, 2))

    def _passed_by(self, wanted: slice) -> slice:
        """Return the rows of the input that the shortcut of these rows of the output takes."""
        stride = self._block.dwconv.stride[0]
        return slice(wanted.start * stride, (wanted.stop - 1) * stride + 1)

    def _share(self, x: Tensor, kept: dict[int, Tensor]) -> Steps:
        """Compute what a GRN scales its channels by, and keep the strips if they are small together."""
        height, width = self.output_size((x.shape[2], x.shape[3]))
        keeps = height * self._bytes_per_row(width) <= KEPT_BYTES
        squares: Tensor | float = 0.0
        for wanted in _strips(height, self._bytes_per_row(width)):
            hidden = self._hidden_of(x, wanted)
            squares = squares + hidden.double().square().sum(dim=(1, 2), keepdim=True)
            if keeps:
                kept[wanted.start] = hidden
            yield
        assert isinstance(squares, Tensor)
        return self._relative(squares.sqrt().to(x.dtype))

    @staticmethod
    def _relative(response: Tensor) -> Tensor:
        return response / (response.mean(dim=-1, keepdim=True) + GRN.eps)

    def backward(self, x: Tensor, gradients: list[Tensor]) -> Steps:
        gradient, through_grn = gradients.pop(), None
        if isinstance(self._block.grn, GRN):
            through_grn = yield from self._grn_backward(x, gradient)
        found = _Added(gradient) if self.overwrites else _Summed(x)
        for wanted in _strips(gradient.shape[2], self._bytes_per_row(gradient.shape[3])):
            rows = self._needed(x, wanted)
            with torch.enable_grad():
                part = x[:, :, rows.needed].detach().requires_grad_()
                normed = self._normed(part, rows, x.shape[2])
            expanded = self._block.pwconv1(normed.detach())
            at_hidden = self._at_hidden(gradient[:, :, wanted])
            if through_grn is not None:
                scale, slope = through_grn
                at_hidden = at_hidden * scale + self._act(expanded) * slope
            with torch.enable_grad():
                leaf = expanded.requires_grad_()
                (at_expanded,) = torch.autograd.grad(self._act(leaf), leaf, at_hidden)
            at_normed = functional.linear(at_expanded, self._block.pwconv1.weight.T)
            (passed,) = torch.autograd.grad(normed, part, at_normed)
            found.add(passed, rows)
            if not self.overwrites:
                self._add_shortcut(found.sums, x, gradient, wanted)
            yield
        return found.sums

    def _at_hidden(self, gradient: Tensor) -> Tensor:
        """Return the gradient by the input of the projection, from that by the block's output."""
        at_branch = gradient.permute(0, 2, 3, 1)
        if self._block.gamma is not None:
            at_branch = at_branch * self._block.gamma
        return functional.linear(at_branch, self._block.pwconv2.weight.T)

    def _grn_backward(self, x: Tensor, gradient: Tensor) -> Generator[None, None, tuple[Tensor, Tensor]]:
        """Return by which factors the gradient after a GRN and its input add up to the gradient before it."""
        grn = self._block.grn
        assert isinstance(grn, GRN)
        squares: Tensor | float = 0.0
        products: Tensor | float = 0.0
        for wanted in _strips(gradient.shape[2], self._bytes_per_row(gradient.shape[3])):
            hidden = self._hidden_of(x, wanted).double()
            squares = squares + hidden.square().sum(dim=(1, 2), keepdim=True)
            after = self._at_hidden(gradient[:, :, wanted])
            products = products + (hidden * after).sum(dim=(1, 2), keepdim=True)
            yield
        assert isinstance(squares, Tensor)
        assert isinstance(products, Tensor)
        with torch.enable_grad():
            response = squares.sqrt().requires_grad_()
            share = self._relative(response)
            (by_response,) = torch.autograd.grad(share, response, products * grn.gamma.double())
        slope = torch.where(response > 0, by_response / response, 0.0).detach()
        return (1 + grn.gamma * share.detach()).to(x.dtype), slope.to(x.dtype)

    def _add_shortcut(self, found: Tensor, x: Tensor, gradient: Tensor, wanted: slice) -> None:
        rows = self._passed_by(wanted)
        with torch.enable_grad():
            part = x[:, :, rows].detach().requires_grad_()
            (passed,) = torch.autograd.grad(self._block.shortcut(part), part, gradient[:, :, wanted])
        found[:, :, rows] += passed


class NamedLayer(Struct, frozen=True):
    """A layer with the trunk node whose output it gives, and whether it ends a stage."""

    node: str
    layer: TiledLayer
    ends_stage: bool = False


def layers_of(network: ConvNeXt) -> list[NamedLayer]:
    """Return the layers of a network in order, without its head."""
    found: list[NamedLayer] = []
    for number, (before, stage) in enumerate(
        zip(network.downsample_layers, network.stages, strict=True), start=1
    ):
        if isinstance(before, nn.Sequential):
            name = "stem" if number == 1 else f"stage{number}.downsample"
            found.append(NamedLayer(name, _Chain(list(before))))
        blocks = list(cast(nn.Sequential, stage))
        for index, block in enumerate(blocks, start=1):
            assert isinstance(block, Block)
            found.append(NamedLayer(f"stage{number}.block{index}", _TiledBlock(block), index == len(blocks)))
    return found
