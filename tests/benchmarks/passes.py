"""What the dispatcher adds to the network's own passes, in one process."""

from collections.abc import Sequence

import torch

from convnext_studio.engine.server.dispatch import Dispatcher
from convnext_studio.model.convnext import ConvNeXt
from convnext_studio.protocol.models import LoadModel
from convnext_studio.protocol.pictures import ImageInfo, OpenImage
from convnext_studio.protocol.predictions import Predict
from convnext_studio.protocol.receptive_fields import ReceptiveField
from tests.benchmarks.table import Row
from tests.benchmarks.timing import medians, timed

MODEL = "preset:convnext_tiny"
ERF_COUNT = 4


def _open() -> tuple[Dispatcher, ImageInfo, ConvNeXt, torch.device]:
    """A dispatcher that keeps no result, the sample cat in it, and the same network bare on the same device."""
    dispatcher = Dispatcher(cache_bytes=0)
    dispatcher.run(LoadModel(source=MODEL))
    picture = dispatcher.run(OpenImage(path="sample:cat"))
    assert isinstance(picture, ImageInfo)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return dispatcher, picture, ConvNeXt().eval().to(device), device


def bare_passes(module: ConvNeXt, x: torch.Tensor) -> None:
    """One forward pass, and one backward pass from the highest logit to the input."""
    leaf = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(module(leaf).max(), leaf)
    gradient.cpu()


def published_loop(module: ConvNeXt, pictures: Sequence[torch.Tensor]) -> None:
    """The ERF average of Ding et al. 2022, as they publish it.

    Batches of one, the whole network run, the gradient of the rectified central unit by the input.
    """
    outputs: list[torch.Tensor] = []
    hook = module.stages[3].register_forward_hook(lambda _module, _inputs, output: outputs.append(output))
    for picture in pictures:
        outputs.clear()
        leaf = picture.clone().requires_grad_()
        module(leaf)
        height, width = outputs[0].shape[2:]
        central = torch.relu(outputs[0][:, :, height // 2, width // 2]).sum()
        (gradient,) = torch.autograd.grad(central, leaf)
        torch.relu(gradient).sum((0, 1)).cpu().numpy()
    hook.remove()


def predict(runs: int) -> list[Row]:
    """Predictions, four stages' maps and four Grad-CAMs against one forward and one backward pass."""
    dispatcher, picture, module, device = _open()
    module.requires_grad_(False)
    x = torch.randn(1, 3, 224, 224, device=device)
    request = Predict(image=picture.key)
    ours, theirs = medians(
        runs, lambda: timed(lambda: dispatcher.run(request)), lambda: timed(lambda: bare_passes(module, x))
    )
    return [
        Row(
            name="predictions, maps and CAMs",
            ours=ours,
            theirs=theirs,
            reference="forward + backward to the input",
            goal=1.15,
        )
    ]


def predict_both(runs: int) -> list[Row]:
    """The predictions of two networks that are open together, against those of two dispatchers."""
    other = "preset:convnextv2_atto"
    together, picture, _, _ = _open()
    together.run(LoadModel(source=other, network="B"))
    alone, same, _, _ = _open()
    second = Dispatcher(cache_bytes=0)
    second.run(LoadModel(source=other))
    second.run(OpenImage(path="sample:cat"))

    def both() -> None:
        together.run(Predict(image=picture.key))
        together.run(Predict(image=picture.key, network="B"))

    def each() -> None:
        alone.run(Predict(image=same.key))
        second.run(Predict(image=same.key))

    ours, theirs = medians(runs, lambda: timed(both), lambda: timed(each))
    what = "both predictions on their own"
    return [Row(name="predictions of A and B", ours=ours, theirs=theirs, reference=what, goal=1.05)]


def receptive_field(runs: int) -> list[Row]:
    """Seconds a picture of an ERF average against the published loop, whose parameters require gradients."""
    dispatcher, _, module, device = _open()
    pictures = [torch.randn(1, 3, 224, 224, device=device) for _ in range(ERF_COUNT)]
    request = ReceptiveField(node="stage4", inputs="noise", count=ERF_COUNT)
    ours, theirs = medians(
        runs,
        lambda: timed(lambda: dispatcher.run(request)),
        lambda: timed(lambda: published_loop(module, pictures)),
    )
    return [
        Row(
            name="ERF, a picture",
            ours=ours / ERF_COUNT,
            theirs=theirs / ERF_COUNT,
            reference="the published loop",
            goal=1 / 4 if torch.cuda.is_available() else 1 / 1.1,
        )
    ]
