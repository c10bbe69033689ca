"""Run a ConvNeXt on inputs that are too large for it in one piece: layer by layer, each layer in tiles.

A tile is a strip of rows. It is computed from the rows that its units see through this layer, so neighbouring
strips overlap by the theoretical field of the layer's convolution, and nothing is blended: the results are
those of the whole input. A GRN pools over the map; it gets a pass of its own over all strips. Of each layer
only the output is kept whole, and what is inside a block, four times as large, exists for one strip at a time.

Everything here is a generator that yields after each strip, so that other work can be done in between.
"""

import math
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from convnext_studio.model.convnext import GRN, Block, ConvNeXt
from convnext_studio.model.loaded import LoadedModel
from convnext_studio.model.nodes import BYTES_PER_VALUE, Size, convolved_px

STRIP_BYTES = 24 << 20
"""How large the widest tensor of a strip may become."""
KEPT_BYTES = 1 << 28
"""How large the inside of a whole block may be to be kept between the passes that a GRN needs."""

Steps = Generator[None, None, Tensor]


class TiledLayer(Protocol):
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
    layer: TiledLayer
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
    """The logits (classes,) of a pass in tiles, the outputs (C, h, w) of the stages, and what was made of them.

    Attributes
    ----------
    explained
        By stage, the result of `Explain` for its output and the gradient of the target's logit by it.
    """

    logits: Tensor
    target: int
    outputs: dict[str, Tensor]
    explained: dict[str, Tensor]


Explain = Callable[[str, Tensor, Tensor], Tensor]
"""Takes a stage, its output and a gradient (C, h, w) each, and returns what is to be kept of the gradient."""


def tiled_pass(
    model: LoadedModel, tensor: list[Tensor], explain: Explain, target: int | None = None, apart: int = 1
) -> Generator[None, None, TiledPass]:
    """Run an input forward, and the logit of a class back to the output of the first stage.

    Parameters
    ----------
    tensor
        The input (1, C, H, W) float32, normalised, on the model's device; it is taken out of the list, so that
        its memory is free after the stem.
    explain
        Called for each stage, because all gradients together may not fit into memory.
    target
        Index of the class; the one with the highest logit if None.
    apart
        Of how many layers in a row only the first one's input is kept for the way back; the others are computed
        again.
    """
    network = model.module
    assert isinstance(network, ConvNeXt)
    first, *others = _stages_of(network)
    outputs: dict[str, Tensor] = {}
    segments: list[tuple[list[NamedLayer], Tensor]] = []
    with torch.no_grad():
        x = tensor.pop()
        for named in first:
            x = yield from named.layer.forward(x)
        outputs[first[-1].stage] = x
        for stage in others:
            for index, named in enumerate(stage):
                if index % apart == 0:
                    segments.append((stage[index : index + apart], x))
                x = yield from named.layer.forward(x)
            outputs[stage[-1].stage] = x
    with torch.enable_grad():
        features = x.detach().requires_grad_()
        logits = network.forward_head(features)[0]
        highest = int(logits.argmax()) if target is None else target
        (gradient,) = torch.autograd.grad(logits[highest], features)
    explained: dict[str, Tensor] = {}
    with torch.no_grad():
        stages = list(outputs)
        explained[stages[-1]] = explain(stages[-1], outputs[stages[-1]][0], gradient[0])
        while segments:
            layers, x = segments.pop()
            gradient = yield from _back_through(layers, x, gradient)
            ended = next((name for name, output in outputs.items() if output is x), "")
            if ended:
                explained[ended] = explain(ended, outputs[ended][0], gradient[0])
    return TiledPass(
        logits=logits.detach(),
        target=highest,
        outputs={name: output[0] for name, output in outputs.items()},
        explained=explained,
    )


def _stages_of(network: ConvNeXt) -> list[list[NamedLayer]]:
    """Return the layers of each stage with what comes before it: the stem, or the downsampling."""
    stages: list[list[NamedLayer]] = [[]]
    for named in layers_of(network):
        stages[-1].append(named)
        if named.stage:
            stages.append([])
    return stages[:-1]


def _back_through(layers: Sequence[NamedLayer], x: Tensor, gradient: Tensor) -> Steps:
    """Return the gradient by the input of layers in a row; the inputs of all but the first are made again."""
    inputs = [x]
    for named in layers[:-1]:
        inputs.append((yield from named.layer.forward(inputs[-1])))
    for named in reversed(layers):
        gradient = yield from named.layer.backward(inputs.pop(), gradient)
    return gradient


def steps_of(model: LoadedModel, size: Size, until: str = "", apart: int = 1) -> int:
    """Return about how many strips there are for an input of that height and width.

    Parameters
    ----------
    until
        The trunk node at which a forward pass ends; by default it is a pass forward and back.
    apart
        As for `tiled_pass`.
    """
    assert isinstance(model.module, ConvNeXt)
    nodes = {node.name: node for node in model.nodes_at(size)}
    count = 0
    for named in layers_of(model.module):
        channels, height, width = nodes[named.node].shape
        strips = math.ceil(height / max(1, STRIP_BYTES // (4 * channels * width * BYTES_PER_VALUE)))
        goes_back = not until and not named.node.startswith(("stem", "stage1"))
        count += (2 if apart == 1 else 3) * strips if goes_back else strips
        if named.node == until:
            break
    return count


def whole_bytes(model: LoadedModel, size: Size) -> int:
    """Return about how much memory a pass forward and back takes in one piece, over the model."""
    return sum(
        node.activation_bytes for node in model.nodes_at(size) if node.kind in ("stem", "downsample", "block")
    )


def tiled_bytes(model: LoadedModel, size: Size, apart: int = 1) -> int:
    """Return about how much memory `tiled_pass` takes, over the model, by going through what it keeps."""
    assert isinstance(model.module, ConvNeXt)
    nodes = {node.name: node for node in model.nodes_at(size)}

    def output(named: NamedLayer) -> int:
        return BYTES_PER_VALUE * math.prod(nodes[named.node].shape)

    first, *others = _stages_of(model.module)
    picture = BYTES_PER_VALUE * model.config.in_chans * math.prod(size)
    peak = max(picture + output(first[0]), *(2 * output(named) for named in first[1:]), 0)
    kept = output(first[-1])
    segments: list[tuple[list[int], int]] = []  # The inputs of the layers, and how much is free afterwards.
    for stage in others:
        before = output(first[-1]) if stage is others[0] else output(others[others.index(stage) - 1][-1])
        sizes = [before, *(output(named) for named in stage)]
        for index in range(len(stage)):
            if index % apart == 0:
                own = 0 if index == 0 else sizes[index]
                segments.append((sizes[index : index + apart + 1], own))
                kept += own
            peak = max(peak, kept + sizes[index] + sizes[index + 1])
        kept += sizes[-1]
    for inputs, own in reversed(segments):
        # The inputs that are made again, the gradient by the output, and that by the input.
        made_again = sum(inputs[1:-1])
        peak = max(peak, kept + made_again + inputs[-1] + max(inputs))
        kept -= own
    return peak + 8 * STRIP_BYTES


def layers_apart(model: LoadedModel, size: Size, limit_bytes: int) -> int | None:
    """Return how far apart the inputs must be that `tiled_pass` keeps to fit; None if nothing fits."""
    for apart in range(1, max(model.config.depths) + 2):
        if tiled_bytes(model, size, apart) <= limit_bytes:
            return apart
    return None
