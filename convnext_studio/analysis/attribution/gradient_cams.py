"""Class activation maps from the output A of a node and its gradient g: sums over channels without a ReLU.

The papers end with a ReLU; without it, evidence against a class can be seen as well. They were written for
networks whose activations are 0 or more. In ConvNeXt activations have both signs, which matters for methods
that divide by a sum of activations: see `grad_cam_plus_plus` and `x_grad_cam`.
"""

from collections.abc import Callable, Iterable, Iterator

import torch
from torch import Tensor

from convnext_studio.analysis.attribution.task import AttributionTask, MethodResult
from convnext_studio.analysis.capture import captured
from convnext_studio.analysis.features import to_arrays
from convnext_studio.common.attribution_methods import MethodName

Cam = Callable[[Tensor, Tensor], Tensor]
_SPACE = (1, 2)
_CANCELLED_SHARE = 1e-4
_CHUNK_VALUES = 1 << 23


def grad_cam(activation: Tensor, gradient: Tensor) -> Tensor:
    """Grad-CAM: weight by the spatial mean of the gradient (Selvaraju et al., ICCV 2017, arXiv:1610.02391).

    With the standard head (pool, norm, linear), the map of a logit at the last stage adds up to 0, because the
    norm removes any scaling of the pooled features. Evidence for and against a class balance.

    Parameters
    ----------
    activation, gradient
        The output of a node and the derivative of the explained output with respect to it, (C, h, w). The same
        holds for all functions here.

    Returns
    -------
    (h, w), signed, on the device; the same for all functions here.
    """
    return _weighted(_mean_gradient(activation, gradient), activation)


def _mean_gradient(_activation: Tensor, gradient: Tensor) -> Tensor:
    return gradient.mean(dim=_SPACE)


def grad_cam_plus_plus(activation: Tensor, gradient: Tensor) -> Tensor:
    """Grad-CAM++: weight by sum(alpha ReLU(g)), alpha = g^2 / (2 g^2 + g^3 sum(A)) (arXiv:1710.11063, eq. 19).

    As in the paper, this explains exp(logit), without its constant factor. Alpha is 0 if the denominator is 0.
    """
    return _weighted(_positive_gradient(activation, gradient), activation)


def _positive_gradient(activation: Tensor, gradient: Tensor) -> Tensor:
    denominator = 2 * gradient**2 + gradient**3 * activation.sum(dim=_SPACE, keepdim=True)
    alpha = torch.where(denominator == 0, 0, gradient**2 / denominator)
    return (alpha * torch.relu(gradient)).sum(dim=_SPACE)


def hires_cam(activation: Tensor, gradient: Tensor) -> Tensor:
    """HiResCAM: weight every unit by its gradient g (Draelos and Carin 2020, arXiv:2011.08891).

    If the network sees a unit only through a norm over its channels, as at the end of a stage before a
    downsampling layer, scaling the unit has no effect. Its gradient is then orthogonal to it, and the sum is 0.
    Rounding errors would look like a map, so 0 is returned instead.
    """
    terms = gradient * activation
    return torch.where(_is_cancelled(terms), 0, terms.sum(dim=0))


def _is_cancelled(terms: Tensor) -> Tensor:
    """Return whether the sums of terms (C, h, w) over channels are only rounding and the epsilon of a norm."""
    return terms.sum(dim=0).abs().max() < _CANCELLED_SHARE * terms.abs().sum(dim=0).max()


def layer_cam(activation: Tensor, gradient: Tensor) -> Tensor:
    """LayerCAM: weight every unit by ReLU(g) (Jiang et al. 2021, doi:10.1109/TIP.2021.3089943)."""
    return (torch.relu(gradient) * activation).sum(dim=0)


def x_grad_cam(activation: Tensor, gradient: Tensor) -> Tensor:
    """XGrad-CAM: weight by sum(A g) / sum(A), or 0 if sum(A) is 0 (Fu et al., BMVC 2020, arXiv:2008.02312)."""
    return _weighted(_share_of_gradient(activation, gradient), activation)


def _share_of_gradient(activation: Tensor, gradient: Tensor) -> Tensor:
    total = activation.sum(dim=_SPACE)
    return torch.where(total == 0, 0, (activation * gradient).sum(dim=_SPACE) / total)


def eigen_cam(activation: Tensor) -> Tensor:
    """EigenCAM: project the units on the first right singular vector of the channels (arXiv:2008.00299).

    As published, the activations are not centred. The sign of a singular vector is arbitrary; it is chosen so
    that the sum of the map is not negative.
    """
    is_finite = activation.isfinite().all()
    # Chosen by `where`, because reading a value would wait for the device.
    units = torch.where(is_finite, activation, 0).flatten(1).T
    projected = (units @ eigen_direction(activation)).view(activation.shape[1:])
    return torch.where(is_finite, projected, torch.nan)


def eigen_direction(activation: Tensor) -> Tensor:
    """Return the direction (C,) on which EigenCAM projects, with its sign."""
    units = torch.where(activation.isfinite().all(), activation, 0).flatten(1).T
    _, _, directions = torch.linalg.svd(units, full_matrices=False)
    return torch.where((units @ directions[0]).sum() < 0, -directions[0], directions[0])


def _weighted(weights: Tensor, activation: Tensor) -> Tensor:
    return torch.einsum("c,chw->hw", weights, activation)


GRADIENT_CAMS: dict[MethodName, Cam] = {
    "gradcam": grad_cam,
    "gradcam++": grad_cam_plus_plus,
    "hirescam": hires_cam,
    "layercam": layer_cam,
    "xgradcam": x_grad_cam,
}


def weights_at(method: MethodName, activation: Tensor, gradient: Tensor, y: int, x: int) -> Tensor:
    """Return by what a method multiplies the channels (C,) at a unit; the products add up to its map there."""
    if method == "hirescam":
        return gradient[:, y, x]
    if method == "layercam":
        return torch.relu(gradient[:, y, x])
    return _CHANNEL_WEIGHTS[method](activation, gradient)


_CHANNEL_WEIGHTS: dict[MethodName, Cam] = {
    "gradcam": _mean_gradient,
    "gradcam++": _positive_gradient,
    "xgradcam": _share_of_gradient,
}
SAME_FOR_EVERY_CLASS = "EigenCAM is the same for every class."
_DIVIDES = (
    "The activations of this network have both signs. If those of a channel add up to nearly 0, this method "
    "divides by nearly 0, and that channel alone may dominate the map."
)


def cam_by_channels(
    method: MethodName, activation: Tensor, gradient: Tensor
) -> tuple[Tensor, tuple[bool, bool]]:
    """Return the map of a method and the results of `checks_of`, in little memory: some channels at a time."""
    step = max(1, _CHUNK_VALUES // activation[0].numel())
    cam, products, magnitudes = (activation.new_zeros(activation.shape[1:]) for _ in range(3))
    for first in range(0, len(activation), step):
        some, slopes = activation[first : first + step], gradient[first : first + step]
        terms = some * slopes
        products += terms.sum(dim=0)
        magnitudes += terms.abs_().sum(dim=0)
        if method != "hirescam":
            cam += GRADIENT_CAMS[method](some, slopes)
    is_cancelled = bool(products.abs().max() < _CANCELLED_SHARE * magnitudes.max())
    if method == "hirescam" and not is_cancelled:
        cam = products
    return cam, (bool(gradient.any()), is_cancelled)


def checks_of(activation: Tensor, gradient: Tensor) -> Tensor:
    """Return (2,) bool: whether any gradient is not 0, and whether a norm cancels activation x gradient."""
    return torch.stack([gradient.any(), _is_cancelled(activation * gradient)])


def caveats(method: MethodName, nodes: Iterable[str], checks: Iterable[tuple[bool, bool]]) -> Iterator[str]:
    """Yield caveats about the maps of a method at nodes, from the results of `checks_of`."""
    if method in ("gradcam++", "xgradcam"):
        yield _DIVIDES
    for node, (has_gradient, is_cancelled) in zip(nodes, checks, strict=True):
        if not has_gradient:
            yield f"The gradient at {node} is 0 everywhere: the explained output does not depend on it."
        elif method == "hirescam" and is_cancelled:
            yield (
                f"HiResCAM at {node} is 0 by construction, because a norm follows it. "
                "Choose a block before it, or another method."
            )


def gradient_cams(task: AttributionTask, method: MethodName) -> Iterator[MethodResult]:
    """Compute the maps at all nodes from one forward pass and one backward pass for each output."""
    cam = GRADIENT_CAMS[method]
    modules = {node: task.model.module_at(node) for node in task.nodes}
    found: dict[tuple[int, str], Tensor] = {}
    checks: list[Tensor] = []
    with task.passes(with_gradients=True):
        with captured(modules, with_gradients=True) as activations:
            scores = task.outputs(task.model.module(task.tensor))[0]
        leaves = [activations[node] for node in task.nodes]
        for index, score in enumerate(scores):
            gradients = torch.autograd.grad(score, leaves, retain_graph=True)
            for node, leaf, whole in zip(task.nodes, leaves, gradients, strict=True):
                activation, gradient = task.seen(node, leaf.detach()[0]), task.seen(node, whole[0])
                found[index, node] = task.placed(node, cam(activation, gradient), leaf)
                checks.append(checks_of(activation, gradient))
    # The code waits for the device only here: once for all maps, and once for the caveats.
    arrays, said = to_arrays(found), torch.stack(checks).tolist()
    maps = tuple({node: arrays[index, node] for node in task.nodes} for index in range(len(scores)))
    nodes = task.nodes * len(scores)
    yield MethodResult(maps=maps, notes=tuple(dict.fromkeys(caveats(method, nodes, said))))


def eigen_cams(task: AttributionTask) -> Iterator[MethodResult]:
    """Compute EigenCAM at all nodes from one forward pass; the maps are the same for every output."""
    modules = {node: task.model.module_at(node) for node in task.nodes}
    with task.passes(), captured(modules) as activations:
        task.model.module(task.tensor)
    maps = to_arrays(
        {
            node: task.placed(node, eigen_cam(task.seen(node, activations[node][0])), activations[node])
            for node in task.nodes
        }
    )
    yield MethodResult(maps=(maps,) * len(task.outputs.classes), notes=(SAME_FOR_EVERY_CLASS,))
