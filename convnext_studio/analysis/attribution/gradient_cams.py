"""Class activation maps from a node's output A and its gradient g: sums over channels, before any ReLU.

The papers end with a ReLU; without it, what speaks against a class can be seen, too. They were written for
networks whose activations are 0 or more. ConvNeXt's take both signs, which matters where a sum of activations
is divided by: see `grad_cam_plus_plus` and `x_grad_cam`.
"""

from collections.abc import Callable, Iterable, Iterator

import torch
from torch import Tensor

from convnext_studio.analysis.attribution.case import Case, Found
from convnext_studio.analysis.capture import captured
from convnext_studio.analysis.features import to_arrays
from convnext_studio.common.attribution_methods import MethodName

Cam = Callable[[Tensor, Tensor], Tensor]
_SPACE = (1, 2)
_CANCELLED_SHARE = 1e-4


def grad_cam(activation: Tensor, gradient: Tensor) -> Tensor:
    """Weights: the spatial means of the gradients (Selvaraju et al., ICCV 2017, arXiv:1610.02391).

    At the last stage of the standard head (pool, norm, linear) the map of a logit adds up to 0: scaling the
    pooled features changes nothing behind their norm. What speaks for a class and what against it balance.

    Parameters
    ----------
    activation, gradient
        (C, h, w): a node's output and the derivative of what is explained by it; for all functions here.

    Returns
    -------
    (h, w), signed, on the device; for all functions here.
    """
    return _weighted(gradient.mean(dim=_SPACE), activation)


def grad_cam_plus_plus(activation: Tensor, gradient: Tensor) -> Tensor:
    """Weights: sums of alpha * ReLU(g), alpha = g^2 / (2 g^2 + g^3 sum(A)) (arXiv:1710.11063, equation 19).

    As in the paper, for exp(logit), whose constant factor is left out. Where the denominator is 0, so is alpha.
    """
    denominator = 2 * gradient**2 + gradient**3 * activation.sum(dim=_SPACE, keepdim=True)
    alpha = torch.where(denominator == 0, 0, gradient**2 / denominator)
    return _weighted((alpha * torch.relu(gradient)).sum(dim=_SPACE), activation)


def hires_cam(activation: Tensor, gradient: Tensor) -> Tensor:
    """Weights of their own for every unit: g (Draelos and Carin 2020, arXiv:2011.08891).

    A unit that the network sees only through a norm of its own channels, as at the end of a stage before a
    downsampling, can be scaled without effect, so that its gradient is at right angles to it and the sum is 0.
    What rounding leaves of it would look like a map; it is given as 0.
    """
    terms = gradient * activation
    return torch.where(_is_cancelled(terms), 0, terms.sum(dim=0))


def _is_cancelled(terms: Tensor) -> Tensor:
    """Whether sums over channels are what rounding, and a norm's epsilon, leave of their terms (C, h, w)."""
    return terms.sum(dim=0).abs().max() < _CANCELLED_SHARE * terms.abs().sum(dim=0).max()


def layer_cam(activation: Tensor, gradient: Tensor) -> Tensor:
    """Weights of their own for every unit: ReLU(g) (Jiang et al. 2021, doi:10.1109/TIP.2021.3089943)."""
    return (torch.relu(gradient) * activation).sum(dim=0)


def x_grad_cam(activation: Tensor, gradient: Tensor) -> Tensor:
    """Weights: sum(A g) / sum(A) (Fu et al., BMVC 2020, arXiv:2008.02312); 0 where sum(A) is 0."""
    total = activation.sum(dim=_SPACE)
    return _weighted(torch.where(total == 0, 0, (activation * gradient).sum(dim=_SPACE) / total), activation)


def eigen_cam(activation: Tensor) -> Tensor:
    """The units on the channels' first right singular vector (arXiv:2008.00299), not centred, as published.

    The sign of a singular vector means nothing: it is chosen so that the map's sum is not negative.
    """
    is_finite = activation.isfinite().all()
    # Decided by `where`, because reading a value would wait for the device.
    units = torch.where(is_finite, activation, 0).flatten(1).T
    _, _, directions = torch.linalg.svd(units, full_matrices=False)
    projected = (units @ directions[0]).view(activation.shape[1:])
    projected = torch.where(projected.sum() < 0, -projected, projected)
    return torch.where(is_finite, projected, torch.nan)


def _weighted(weights: Tensor, activation: Tensor) -> Tensor:
    return torch.einsum("c,chw->hw", weights, activation)


GRADIENT_CAMS: dict[MethodName, Cam] = {
    "gradcam": grad_cam,
    "gradcam++": grad_cam_plus_plus,
    "hirescam": hires_cam,
    "layercam": layer_cam,
    "xgradcam": x_grad_cam,
}

_DIVIDES = (
    "The channels of this network take both signs: where one sums to nearly 0, this method divides by "
    "nearly 0, and a single channel may make the map."
)


def _checks(activation: Tensor, gradient: Tensor) -> Tensor:
    """(2,) bool: whether there is any gradient, and whether a norm cancels its products with the values."""
    return torch.stack([gradient.any(), _is_cancelled(activation * gradient)])


def _caveats(method: MethodName, nodes: Iterable[str], checks: Iterable[tuple[bool, bool]]) -> Iterator[str]:
    """What people should know of a method's maps at nodes where `_checks` gave that."""
    if method in ("gradcam++", "xgradcam"):
        yield _DIVIDES
    for node, (has_gradient, is_cancelled) in zip(nodes, checks, strict=True):
        if not has_gradient:
            yield f"The gradient at {node} is 0 everywhere: what is explained does not change with it."
        elif method == "hirescam" and is_cancelled:
            yield (
                f"A norm follows {node}, behind which HiResCAM is 0 by construction. "
                "Choose a block before it, or another method."
            )


def gradient_cams(case: Case, method: MethodName) -> Iterator[Found]:
    """The maps at all nodes from one forward pass, and one backward pass for each output."""
    cam = GRADIENT_CAMS[method]
    modules = {node: case.model.module_at(node) for node in case.nodes}
    found: dict[tuple[int, str], Tensor] = {}
    checks: list[Tensor] = []
    with case.passes(with_gradients=True):
        with captured(modules, with_gradients=True) as activations:
            scores = case.outputs(case.model.module(case.tensor))[0]
        leaves = [activations[node] for node in case.nodes]
        for index, score in enumerate(scores):
            gradients = torch.autograd.grad(score, leaves, retain_graph=True)
            for node, activation, gradient in zip(case.nodes, leaves, gradients, strict=True):
                found[index, node] = cam(activation.detach()[0], gradient[0])
                checks.append(_checks(activation.detach()[0], gradient[0]))
    # Only here the device is waited for: once for all maps, and once for what is to be said of them.
    arrays, said = to_arrays(found), torch.stack(checks).tolist()
    maps = tuple({node: arrays[index, node] for node in case.nodes} for index in range(len(scores)))
    nodes = case.nodes * len(scores)
    yield Found(maps=maps, notes=tuple(dict.fromkeys(_caveats(method, nodes, said))))


def eigen_cams(case: Case) -> Iterator[Found]:
    """EigenCAM at all nodes from one forward pass; the same for every output."""
    modules = {node: case.model.module_at(node) for node in case.nodes}
    with case.passes(), captured(modules) as activations:
        case.model.module(case.tensor)
    maps = to_arrays({node: eigen_cam(activations[node][0]) for node in case.nodes})
    yield Found(maps=(maps,) * len(case.outputs.classes), notes=("EigenCAM is the same for every class.",))
