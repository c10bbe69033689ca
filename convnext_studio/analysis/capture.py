"""Context managers that set hooks and always remove them. No other module sets hooks."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

from torch import Tensor, nn

from convnext_studio.common.stopping import Stopped

ShouldStop = Callable[[], bool]


def never() -> bool:
    """Return False: a `should_stop` for work that runs to its end."""
    return False


@contextmanager
def captured(modules: Mapping[str, nn.Module], *, with_gradients: bool = False) -> Iterator[dict[str, Tensor]]:
    """Collect the outputs of modules during the forward passes inside the block.

    Parameters
    ----------
    modules
        The modules, by the names under which their outputs are returned.
    with_gradients
        Whether to make the first output a leaf that requires gradients, so that the graph starts there. With
        frozen parameters this is the cheapest graph that contains all outputs.

    Yields
    ------
    dict
        The outputs by name, filled by the forward pass; the network continues with the same tensors.
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
    """Run the model only up to one of its modules, and return the output of that module."""

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


OutputCrops = Mapping[nn.Module, tuple[slice, slice]]
"""The rows and columns to keep of each module's output (N, C, H, W)."""


@contextmanager
def crop_outputs(crops: OutputCrops) -> Iterator[None]:
    """Crop the outputs of some modules during the passes inside the block."""

    def keep(rows: slice, columns: slice) -> Callable[..., Tensor]:
        return lambda _module, _inputs, output: output[:, :, rows, columns]

    with ExitStack() as stack:
        for module, part in crops.items():
            stack.callback(module.register_forward_hook(keep(*part)).remove)
        yield


@contextmanager
def replace_output(module: nn.Module, output: Tensor) -> Iterator[None]:
    """Replace the output of a module by `output` during the passes inside the block."""
    handle = module.register_forward_hook(lambda _module, _inputs, _output: output)
    try:
        yield
    finally:
        handle.remove()


@contextmanager
def edit_outputs(edits: Mapping[nn.Module, Callable[[Tensor], Tensor]]) -> Iterator[None]:
    """Pass the outputs of modules through functions during the passes inside the block.

    Parameters
    ----------
    edits
        By module, a function from the output of the module to what the network goes on with instead.
    """

    def edited(edit: Callable[[Tensor], Tensor]) -> Callable[..., Tensor]:
        return lambda _module, _inputs, output: edit(output)

    with ExitStack() as stack:
        for module, edit in edits.items():
            stack.callback(module.register_forward_hook(edited(edit)).remove)
        yield


@contextmanager
def timed(
    starts: Iterable[nn.Module], ends: Mapping[str, nn.Module], clock: Callable[[], float]
) -> Iterator[dict[str, float]]:
    """Measure how long modules take during a forward pass inside the block.

    Parameters
    ----------
    starts
        The clock is reset before each of these modules.
    ends
        By name, the modules after which the time since the reset or since the previous end is recorded.
    clock
        Waits for the device, and returns the time in seconds.

    Yields
    ------
    dict
        The seconds by name, filled by the forward pass.
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
def stoppable(blocks: Iterable[nn.Module], should_stop: ShouldStop) -> Iterator[None]:
    """Call `should_stop` before each block, forward and backward, during the passes inside the block.

    Raises
    ------
    Stopped
        From within the pass, as soon as `should_stop` returns true.
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


def has_hooks(module: nn.Module) -> bool:
    """Whether a hook is set on a module or on any module inside it."""
    return any(inside._forward_hooks or inside._forward_pre_hooks for inside in module.modules())
