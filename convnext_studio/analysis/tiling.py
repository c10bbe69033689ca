"""Run a ConvNeXt on inputs that are too large for it in one piece: layer by layer, each layer in tiles.

A tile is a strip of rows. It is computed from the rows that its units see through this layer, so neighbouring
strips overlap by the theoretical field of the layer's convolution, and nothing is blended: the results are
those of the whole input. A GRN pools over the map; it gets a pass of its own over all strips. Of each layer
only the output is kept whole, and what is inside a block, four times as large, exists for one strip at a time.

Everything here is a generator that yields after each strip, so that other work can be done in between.
"""

import math
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from convnext_studio.model.convnext import GRN, Block, ConvNeXt
from convnext_studio.model.loaded import LoadedModel
from convnext_studio.model.nodes import BYTES_PER_VALUE, HEAD_NORM, Size, convolved_px

STRIP_BYTES = 24 << 20
"""How large the widest tensor of a strip may become."""
KEPT_BYTES = 1 << 28
"""How large the inside of a whole block may be to be kept between the passes that a GRN needs."""

Steps = Generator[None, None, Tensor]


class Layer(Protocol):
    """A part of the network that is computed in strips."""

    def output_size(self, size: Size) -> Size:
        """Return height and width of the output for an input of that size."""

    def forward(self, x: Tensor) -> Steps:
        """Compute the output (1, C, h, w) of the layer, without gradients."""

    def backward(self, x: Tensor, gradient: Tensor) -> Steps:
        """Compute the gradient by the input `x` from that by the output."""


def _strips(height: int, bytes_per_row: int) -> Iterator[slice]:
    """Yield the rows of an output, strip by strip."""
    rows = max(1, STRIP_BYTES // max(bytes_per_row, 1))
    for first in range(0, height, rows):
        yield slice(first, min(first + rows, height))


@dataclass(frozen=True, slots=True)
class _Rows:
    """Rows of an output, and the rows of the input that they depend on; padding is not among those."""

    wanted: slice
    needed: slice

    @classmethod
    def through(cls, conv: nn.Conv2d, wanted: slice, height: int) -> "_Rows":
        """Return what a convolution needs of an input of that height."""
        kernel, stride, padding = conv.kernel_size[0], conv.stride[0], _padding(conv)[0]
        first, last = wanted.start * stride - padding, (wanted.stop - 1) * stride - padding + kernel
        return cls(wanted, slice(max(first, 0), min(last, height)))


def _padding(conv: nn.Conv2d) -> tuple[int, int]:
    assert not isinstance(conv.padding, str)
    return conv.padding[0], conv.padding[1]


def _convolve(conv: nn.Conv2d, part: Tensor, rows: _Rows, height: int) -> Tensor:
    """Return the wanted rows of a convolution, from the needed rows of its input of that height."""
    kernel, stride = conv.kernel_size[0], conv.stride[0]
    down, across = _padding(conv)
    above = max(0, down - rows.wanted.start * stride)
    below = max(0, (rows.wanted.stop - 1) * stride - down + kernel - height)
    padded = functional.pad(part, (across, across, above, below)) if across or above or below else part
    return functional.conv2d(padded, conv.weight, conv.bias, conv.stride, 0, conv.dilation, conv.groups)


class _Chain:
    """Convolutions with norms and activations between them: a stem, or a downsampling layer."""

    def __init__(self, modules: Sequence[nn.Module]) -> None:
        self._modules = list(modules)
        self._convs = [module for module in modules if isinstance(module, nn.Conv2d)]

    def output_size(self, size: Size) -> Size:
        height, width = size
        for conv in self._convs:
            down, across = _padding(conv)
            height = convolved_px(height, conv.kernel_size[0], conv.stride[0], down)
            width = convolved_px(width, conv.kernel_size[1], conv.stride[1], across)
        return height, width

    def forward(self, x: Tensor) -> Steps:
        height, width = self.output_size((x.shape[2], x.shape[3]))
        output = x.new_empty(1, self._convs[-1].out_channels, height, width)
        for wanted in _strips(height, self._bytes_per_row(x)):
            needed = self._needed(wanted, x.shape[2])[0].needed
            output[:, :, wanted] = self._run(x[:, :, needed], wanted, x.shape[2])
            yield
        return output

    def backward(self, x: Tensor, gradient: Tensor) -> Steps:
        found = torch.zeros_like(x)
        for wanted in _strips(gradient.shape[2], self._bytes_per_row(x)):
            needed = self._needed(wanted, x.shape[2])[0].needed
            with torch.enable_grad():
                part = x[:, :, needed].detach().requires_grad_()
                output = self._run(part, wanted, x.shape[2])
                (passed,) = torch.autograd.grad(output, part, gradient[:, :, wanted])
            found[:, :, needed] += passed
            yield
        return found

    def _bytes_per_row(self, x: Tensor) -> int:
        first = self._convs[0]
        rows = first.stride[0] * x.shape[1] + 4 * first.out_channels // first.stride[1]
        return BYTES_PER_VALUE * rows * x.shape[3]

    def _needed(self, wanted: slice, height: int) -> list[_Rows]:
        heights = [height]
        for conv in self._convs[:-1]:
            down, _ = _padding(conv)
            heights.append(convolved_px(heights[-1], conv.kernel_size[0], conv.stride[0], down))
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
                height = convolved_px(height, module.kernel_size[0], module.stride[0], _padding(module)[0])
            else:
                part = module(part)
        return part


class _TiledBlock:
    """A residual block."""

    def __init__(self, block: Block) -> None:
        self._block = block
        self._hidden = block.pwconv1.out_features

    def output_size(self, size: Size) -> Size:
        conv = self._block.dwconv
        height, width = (
            convolved_px(side, conv.kernel_size[0], conv.stride[0], _padding(conv)[0]) for side in size
        )
        return height, width

    def forward(self, x: Tensor) -> Steps:
        block, (height, width) = self._block, self.output_size((x.shape[2], x.shape[3]))
        output = x.new_empty(1, block.pwconv2.out_features, height, width)
        kept: dict[int, Tensor] = {}
        share = (yield from self._share(x, kept)) if isinstance(block.grn, GRN) else None
        for wanted in _strips(height, self._bytes_per_row(width)):
            hidden = kept.pop(wanted.start, None)
            hidden = self._act(self._expanded(x, wanted)) if hidden is None else hidden
            output[:, :, wanted] = self._finished(x, hidden, wanted, share)
            yield
        return output

    def _bytes_per_row(self, width: int) -> int:
        return BYTES_PER_VALUE * self._hidden * width

    def _needed(self, x: Tensor, wanted: slice) -> _Rows:
        return _Rows.through(self._block.dwconv, wanted, x.shape[2])

    def _normed(self, part: Tensor, rows: _Rows, height: int) -> Tensor:
        """Return the output of the norm, (1, rows, w, C), from what it needs of an input of that height."""
        convolved = _convolve(self._block.dwconv, part, rows, height)
        return cast(Tensor, self._block.norm(convolved.permute(0, 2, 3, 1)))

    def _expanded(self, x: Tensor, wanted: slice) -> Tensor:
        """Return what goes into the activation, (1, rows, w, hidden)."""
        rows = self._needed(x, wanted)
        return cast(Tensor, self._block.pwconv1(self._normed(x[:, :, rows.needed], rows, x.shape[2])))

    def _act(self, expanded: Tensor) -> Tensor:
        return cast(Tensor, self._block.act(expanded))

    def _finished(self, x: Tensor, hidden: Tensor, wanted: slice, share: Tensor | None) -> Tensor:
        """Return the output of the block from that of its activation."""
        block = self._block
        if share is not None and isinstance(block.grn, GRN):
            hidden = block.grn.gamma * (hidden * share) + block.grn.beta + hidden
        branch = block.pwconv2(hidden)
        if block.gamma is not None:
            branch = block.gamma * branch
        return cast(Tensor, self._shortcut(x, wanted) + branch.permute(0, 3, 1, 2))

    def _shortcut(self, x: Tensor, wanted: slice) -> Tensor:
        return cast(Tensor, self._block.shortcut(x[:, :, self._passed_by(wanted)]))

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
            hidden = self._act(self._expanded(x, wanted))
            squares = squares + hidden.double().square().sum(dim=(1, 2), keepdim=True)
            if keeps:
                kept[wanted.start] = hidden
            yield
        assert isinstance(squares, Tensor)
        return self._relative(squares.sqrt().to(x.dtype))

    @staticmethod
    def _relative(response: Tensor) -> Tensor:
        return response / (response.mean(dim=-1, keepdim=True) + GRN.eps)

    def backward(self, x: Tensor, gradient: Tensor) -> Steps:
        found = torch.zeros_like(x)
        width = gradient.shape[3]
        through_grn = None
        if isinstance(self._block.grn, GRN):
            through_grn = yield from self._grn_backward(x, gradient)
        for wanted in _strips(gradient.shape[2], self._bytes_per_row(width)):
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
            found[:, :, rows.needed] += passed
            self._add_shortcut(found, x, gradient, wanted)
            yield
        return found

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
            hidden = self._act(self._expanded(x, wanted)).double()
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
        if isinstance(self._block.shortcut, nn.Identity):
            found[:, :, rows] += gradient[:, :, wanted]
            return
        with torch.enable_grad():
            part = x[:, :, rows].detach().requires_grad_()
            (passed,) = torch.autograd.grad(self._block.shortcut(part), part, gradient[:, :, wanted])
        found[:, :, rows] += passed


@dataclass(frozen=True, slots=True)
class NamedLayer:
    """A layer with the trunk node whose output it gives, and the stage that it ends, if it ends one."""

    node: str
    layer: Layer
    stage: str = ""


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
            ends = f"stage{number}" if index == len(blocks) else ""
            found.append(NamedLayer(f"stage{number}.block{index}", _TiledBlock(block), ends))
    return found


def tiled_outputs(
    model: LoadedModel, tensor: Tensor, nodes: Sequence[str]
) -> Generator[None, None, dict[str, Tensor]]:
    """Compute the outputs (C, h, w) of trunk nodes, as `trunk_nodes` names them, in tiles."""
    assert isinstance(model.module, ConvNeXt)
    left, found, x = set(nodes), {}, tensor
    with torch.no_grad():
        for named in layers_of(model.module):
            x = yield from named.layer.forward(x)
            if named.node in left:
                left.remove(named.node)
                found[named.node] = x[0]
            if not left:
                break
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class TiledPass:
    """The logits (classes,) of a pass in tiles; outputs and gradients of the stages, (C, h, w)."""

    logits: Tensor
    target: int
    outputs: dict[str, Tensor]
    gradients: dict[str, Tensor]


def tiled_pass(
    model: LoadedModel, tensor: Tensor, target: int | None = None
) -> Generator[None, None, TiledPass]:
    """Run an input forward, and the logit of a class back to the output of the first stage.

    Parameters
    ----------
    tensor
        (1, C, H, W) float32, normalised, on the model's device.
    target
        Index of the class; the one with the highest logit if None.
    """
    network = model.module
    assert isinstance(network, ConvNeXt)
    outputs: dict[str, Tensor] = {}
    passed: list[tuple[NamedLayer, Tensor, str]] = []
    x, before = tensor, ""
    with torch.no_grad():
        for named in layers_of(network):
            if outputs:  # The gradients end at the first stage.
                passed.append((named, x, before))
            x = yield from named.layer.forward(x)
            before = named.stage
            if named.stage:
                outputs[named.stage] = x
    with torch.enable_grad():
        features = x.detach().requires_grad_()
        logits = network.forward_head(features)[0]
        highest = int(logits.argmax()) if target is None else target
        (gradient,) = torch.autograd.grad(logits[highest], features)
    gradients = {before: gradient}
    with torch.no_grad():
        while passed:
            named, x, before = passed.pop()
            gradient = yield from named.layer.backward(x, gradient)
            if before:
                gradients[before] = gradient
    return TiledPass(
        logits=logits.detach(),
        target=highest,
        outputs={name: output[0] for name, output in outputs.items()},
        gradients={name: each[0] for name, each in gradients.items()},
    )


def steps_of(model: LoadedModel, size: Size, until: str = "") -> int:
    """Return about how many strips there are for an input of that height and width.

    Parameters
    ----------
    until
        The trunk node at which a forward pass ends; by default it is a pass forward and back.
    """
    assert isinstance(model.module, ConvNeXt)
    nodes = {node.name: node for node in model.nodes_at(size)}
    count = 0
    for named in layers_of(model.module):
        channels, height, width = nodes[named.node].shape
        strips = math.ceil(height / max(1, STRIP_BYTES // (4 * channels * width * BYTES_PER_VALUE)))
        goes_back = not until and not named.node.startswith(("stem", "stage1"))
        count += 2 * strips if goes_back else strips
        if named.node == until:
            break
    return count


def whole_bytes(model: LoadedModel, size: Size) -> int:
    """Return about how much memory a pass forward and back takes in one piece, over the model."""
    return sum(
        node.activation_bytes for node in model.nodes_at(size) if node.kind in ("stem", "downsample", "block")
    )


def tiled_bytes(model: LoadedModel, size: Size) -> int:
    """Return about how much memory `tiled_pass` takes, over the model."""
    kept = BYTES_PER_VALUE * model.config.in_chans * size[0] * size[1]
    at_once = 0
    for node in model.nodes_at(size):
        own = BYTES_PER_VALUE * node.shape[0] * node.shape[1] * node.shape[2]
        if node.name == HEAD_NORM or node.kind not in ("downsample", "block", "stage"):
            continue
        is_first = node.name.startswith("stage1")
        if not is_first or node.kind == "stage":
            # The input of every layer after the first stage, and the output of every stage.
            kept += own if node.kind != "stage" or is_first else 0
        at_once = max(at_once, 2 * own)
    return kept + at_once + 6 * STRIP_BYTES
