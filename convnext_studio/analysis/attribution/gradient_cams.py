"""Class activation maps from a node's output A and its gradient g: sums over channels, before any ReLU.

The papers end with a ReLU; without it, what speaks against a class can be seen, too. They were written for
networks whose activations are 0 or more. ConvNeXt's take both signs, which matters where a sum of activations
is divided by: see `grad_cam_plus_plus` and `x_grad_cam`.
"""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from convnext_studio.analysis.attribution.case import Case, Found, Map
from convnext_studio.analysis.capture import captured
from convnext_studio.analysis.features import to_array
from convnext_studio.common.attribution_methods import MethodName

Cam = Callable[[Tensor, Tensor], Map]
_SPACE = (1, 2)
_CANCELLED_SHARE = 1e-4


def grad_cam(activation: Tensor, gradient: Tensor) -> Map:
    """Weights: the spatial means of the gradients (Selvaraju et al., ICCV 2017, arXiv:1610.02391).

    At the last stage of the standard head (pool, norm, linear) the map of a logit adds up to 0: scaling the
    pooled features changes nothing behind their norm. What speaks for a class and what against it balance.

    Parameters
    ----------
    activation, gradient
        (C, h, w): a node's output and the derivative of what is explained by it; for all functions here.

    Returns
    -------
    (h, w) float32, signed; for all functions here.
    """
    return _weighted(gradient.mean(dim=_SPACE), activation)


def grad_cam_plus_plus(activation: Tensor, gradient: Tensor) -> Map:
    """Weights: sums of alpha * ReLU(g), alpha = g^2 / (2 g^2 + g^3 sum(A)) (arXiv:1710.11063, equation 19).

    As in the paper, for exp(logit), whose constant factor is left out. Where the denominator is 0, so is alpha.
    """
    denominator = 2 * gradient**2 + gradient**3 * activation.sum(dim=_SPACE, keepdim=True)
    alpha = torch.where(denominator == 0, 0, gradient**2 / denominator)
    return _weighted((alpha * torch.relu(gradient)).sum(dim=_SPACE), activation)


def hires_cam(activation: Tensor, gradient: Tensor) -> Map:
    """Weights of their own for every unit: g (Draelos and Carin 2020, arXiv:2011.08891).

    A unit that the network sees only through a norm of its own channels, as at the end of a stage before a
    downsampling, can be scaled without effect, so that its gradient is at right angles to it and the sum is 0.
    What rounding leaves of it would look like a map; it is given as 0.
    """
    terms = gradient * activation
    total = terms.sum(dim=0)
    return to_array(torch.zeros_like(total) if _is_cancelled(terms) else total)


def _is_cancelled(terms: Tensor) -> bool:
    """Whether sums over channels are what rounding, and a norm's epsilon, leave of their terms (C, h, w)."""
    return bool(terms.sum(dim=0).abs().max() < _CANCELLED_SHARE * terms.abs().sum(dim=0).max())


def layer_cam(activation: Tensor, gradient: Tensor) -> Map:
    """Weights of their own for every unit: ReLU(g) (Jiang et al. 2021, doi:10.1109/TIP.2021.3089943)."""
    return to_array((torch.relu(gradient) * activation).sum(dim=0))


def x_grad_cam(activation: Tensor, gradient: Tensor) -> Map:
    """Weights: sum(A g) / sum(A) (Fu et al., BMVC 2020, arXiv:2008.02312); 0 where sum(A) is 0."""
    total = activation.sum(dim=_SPACE)
    return _weighted(torch.where(total == 0, 0, (activation * gradient).sum(dim=_SPACE) / total), activation)


def eigen_cam(activation: Tensor) -> Map:
    """The units on the channels' first right singular vector (arXiv:2008.00299), not centred, as published.

    The sign of a singular vector means nothing: it is chosen so that the map's sum is not negative.
    """
    units = activation.flatten(1).T
    if not torch.isfinite(units).all():
        return to_array(torch.full(activation.shape[1:], torch.nan))
    _, _, directions = torch.linalg.svd(units, full_matrices=False)
    projected = (units @ directions[0]).view(activation.shape[1:])
    return to_array(-projected if projected.sum() < 0 else projected)


def _weighted(weights: Tensor, activation: Tensor) -> Map:
    return to_array(torch.einsum("c,chw->hw", weights, activation))


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


def _caveats(method: MethodName, at_nodes: dict[str, tuple[Tensor, Tensor]]) -> Iterator[str]:
    """What people should know of a method's maps at these activations and gradients."""
    if method in ("gradcam++", "xgradcam"):
        yield _DIVIDES
    for node, (activation, gradient) in at_nodes.items():
        if not gradient.any():
            yield f"The gradient at {node} is 0 everywhere: what is explained does not change with it."
        elif method == "hirescam" and _is_cancelled(activation * gradient):
            yield (
                f"A norm follows {node}, behind which HiResCAM is 0 by construction. "
                "Choose a block before it, or another method."
            )


def gradient_cams(case: Case, method: MethodName) -> Iterator[Found]:
    """The maps at all nodes from one forward pass, and one backward pass for each output."""
    cam = GRADIENT_CAMS[method]
    modules = {node: case.model.module_at(node) for node in case.nodes}
    maps: list[dict[str, Map]] = []
    notes: dict[str, None] = {}  # In order, each once.
    with case.passes(with_gradients=True):
        with captured(modules, with_gradients=True) as activations:
            scores = case.outputs(case.model.module(case.tensor))[0]
        leaves = [activations[node] for node in case.nodes]
        for score in scores:
            gradients = torch.autograd.grad(score, leaves, retain_graph=True)
            at_nodes = {
                node: (activation.detach()[0], gradient[0])
                for node, activation, gradient in zip(case.nodes, leaves, gradients, strict=True)
            }
            maps.append({node: cam(*there) for node, there in at_nodes.items()})
            notes |= dict.fromkeys(_caveats(method, at_nodes))
    yield Found(maps=tuple(maps), notes=tuple(notes))


def eigen_cams(case: Case) -> Iterator[Found]:
    """EigenCAM at all nodes from one forward pass; the same for every output."""
    modules = {node: case.model.module_at(node) for node in case.nodes}
    with case.passes(), captured(modules) as activations:
        case.model.module(case.tensor)
    maps = {node: eigen_cam(activations[node][0]) for node in case.nodes}
    yield Found(maps=(maps,) * len(case.outputs.classes), notes=("EigenCAM is the same for every class.",))
