"""The only place that touches hooks. Each is a context manager that removes what it set, whatever happens."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

from torch import Tensor, nn

from convnext_studio.common.stopping import Stopped

ShouldStop = Callable[[], bool]


def never() -> bool:
    """Go on to the end."""
    return False


@contextmanager
def captured(modules: Mapping[str, nn.Module], *, with_gradients: bool = False) -> Iterator[dict[str, Tensor]]:
    """Collect the outputs of modules during the forward passes inside the ``with``.

    Parameters
    ----------
    modules
        By the names under which their outputs are wanted.
    with_gradients
        Make the first of the outputs a leaf that requires gradients, so that a graph is built from there on
        and no further back: with frozen parameters this is the cheapest graph that reaches all outputs.

    Yields
    ------
    dict
        Filled by the forward pass; the tensors are those that the network itself goes on with.
    """
    outputs: dict[str, Tensor] = {}

    def keep(name: str) -> Callable[..., Tensor]:
        def hook(_module: nn.Module, _inputs: Any, output: Tensor) -> Tensor:
            if with_gradients and not output.requires_grad:
                output = output.detach().requires_grad_()
            outputs[name] = output
            return output

        return hook

    with ExitStack() as stack:
        for name, module in modules.items():
            stack.callback(module.register_forward_hook(keep(name)).remove)
        yield outputs


class _Reached(Exception):
    def __init__(self, output: Tensor) -> None:
        self.output = output


def output_of(model: nn.Module, module: nn.Module, x: Tensor) -> Tensor:
    """Run the model only as far as one of its modules, and give that module's output."""

    def leave(_module: nn.Module, _inputs: Any, output: Tensor) -> None:
        raise _Reached(output)

    handle = module.register_forward_hook(leave)
    try:
        model(x)
    except _Reached as reached:
        return reached.output
    finally:
        handle.remove()
    raise LookupError("the module is not part of the model's forward pass")


Cuts = Mapping[nn.Module, tuple[slice, slice]]
"""By module: rows and columns of its output (N, C, H, W) to go on with."""


@contextmanager
def cut(cuts: Cuts) -> Iterator[None]:
    """Let the passes inside the ``with`` go on with a part of what some modules give."""

    def keep(rows: slice, columns: slice) -> Callable[..., Tensor]:
        return lambda _module, _inputs, output: output[:, :, rows, columns]

    with ExitStack() as stack:
        for module, part in cuts.items():
            stack.callback(module.register_forward_hook(keep(*part)).remove)
        yield


@contextmanager
def replaced(module: nn.Module, output: Tensor) -> Iterator[None]:
    """Have the network go on with `output` in the place of what a module gives, inside the ``with``."""
    handle = module.register_forward_hook(lambda _module, _inputs, _output: output)
    try:
        yield
    finally:
        handle.remove()


@contextmanager
def timed(
    starts: Iterable[nn.Module], ends: Mapping[str, nn.Module], clock: Callable[[], float]
) -> Iterator[dict[str, float]]:
    """Measure how long modules take during a forward pass inside the ``with``.

    Parameters
    ----------
    starts
        Where such a module begins, the clock is set back.
    ends
        By name: where such a module ends, the time since the clock was set back or the last end before.
    clock
        Gives the time in seconds, after waiting for the device.

    Yields
    ------
    dict
        Seconds by name, filled by the forward pass.
    """
    seconds: dict[str, float] = {}
    since = 0.0

    def begin(*_: Any) -> None:
        nonlocal since
        since = clock()

    def finish(name: str) -> Callable[..., None]:
        def hook(*_: Any) -> None:
            nonlocal since
            now = clock()
            seconds[name], since = now - since, now

        return hook

    with ExitStack() as stack:
        for module in starts:
            stack.callback(module.register_forward_pre_hook(begin).remove)
        for name, module in ends.items():
            stack.callback(module.register_forward_hook(finish(name)).remove)
        yield seconds


@contextmanager
def stoppable(blocks: list[nn.Module], should_stop: ShouldStop) -> Iterator[None]:
    """Make the passes inside the ``with`` end early: asked before each block, forward and backward.

    Raises
    ------
    Stopped
        From within the pass, as soon as `should_stop` says so.
    """

    def check(*_: Any) -> None:
        if should_stop():
            raise Stopped

    def check_backward(_module: nn.Module, _inputs: Any, output: Tensor) -> None:
        if output.grad_fn is not None:
            output.grad_fn.register_prehook(check)

    with ExitStack() as stack:
        for block in blocks:
            stack.callback(block.register_forward_pre_hook(check).remove)
            stack.callback(block.register_forward_hook(check_backward).remove)
        yield
