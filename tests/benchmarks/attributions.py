"""Attributions against what other libraries take for the same maps of the same network, in one process."""

import copy
from collections import deque
from collections.abc import Callable
from importlib.util import find_spec

import torch
from captum.attr import FeatureAblation, LayerGradCam, Occlusion
from msgspec.structs import replace
from torch import Tensor, nn

from convnext_studio import analysis
from convnext_studio.analysis.attribution import Outputs, explain, grad_cam, make_question
from convnext_studio.analysis.attribution.ablations import segmented
from convnext_studio.common.attribution_methods import Value, method_named
from convnext_studio.model import load
from convnext_studio.model.loaded import LoadedModel
from tests.benchmarks.table import Row
from tests.benchmarks.timing import medians, timed

TARGET = 5
BATCH = 8


def _open() -> tuple[LoadedModel, Tensor]:
    """ConvNeXt-T and the sample cat, 224 x 224."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = load("preset:convnext_tiny").to(device)
    return model, model.preprocess(analysis.decode("sample:cat").to_pil())


def grad_cams(runs: int) -> list[Row]:
    """Grad-CAM at all four stages against every library that is there (extra ``bench``).

    Their network's parameters require gradients, as those of anyone's network do; ours are frozen by `load`.
    """
    model, x = _open()
    others = replace(model, module=copy.deepcopy(model.module).requires_grad_())
    stages = [others.module_at(name) for name in model.config.stages]

    def ours() -> None:
        found = analysis.stage_pass(model, x, TARGET)
        for name in model.config.stages:
            grad_cam(found.activations[name], found.gradients[name])

    rows = [
        _row(
            runs,
            "Grad-CAM at four stages",
            ours,
            "4 x captum's LayerGradCam",
            _captum(others, stages, x),
            1 / 3,
        )
    ]
    if find_spec("pytorch_grad_cam"):
        theirs = _pytorch_grad_cam(others, stages, x)
        rows.append(_row(runs, "", ours, "4 x pytorch-grad-cam's GradCAM", theirs, 1 / 6))
    if find_spec("torchcam"):
        rows.append(_row(runs, "", ours, "torch-cam, four layers at once", _torch_cam(others, stages, x), 1.0))
    return rows


def _captum(model: LoadedModel, stages: list[nn.Module], x: Tensor) -> Callable[[], None]:
    def call() -> None:
        for stage in stages:
            leaf = x.clone().requires_grad_()
            LayerGradCam(model.module, stage).attribute(leaf, TARGET)[0, 0].detach().cpu().numpy()

    return call


def _pytorch_grad_cam(model: LoadedModel, stages: list[nn.Module], x: Tensor) -> Callable[[], None]:
    from pytorch_grad_cam import GradCAM  # May not be installed.
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    def call() -> None:
        for stage in stages:
            leaf = x.clone().requires_grad_()
            with GradCAM(model=model.module, target_layers=[stage]) as cam:
                cam(input_tensor=leaf, targets=[ClassifierOutputTarget(TARGET)])

    return call


def _torch_cam(model: LoadedModel, stages: list[nn.Module], x: Tensor) -> Callable[[], None]:
    from torchcam.methods import GradCAM  # May not be installed.

    def call() -> None:
        leaf = x.clone().requires_grad_()
        with GradCAM(model.module, target_layer=list(stages)) as cam:
            for found in cam(TARGET, model.module(leaf)):
                found[0].detach().cpu().numpy()

    return call


def batched(runs: int) -> list[Row]:
    """Occlusion and superpixels against captum's, with the same regions and batches."""
    model, x = _open()

    def ours(method: str, **given: Value) -> Callable[[], None]:
        outputs = Outputs.of("logit", TARGET, None, model.config.num_classes)
        question = make_question(model, method_named(method), outputs, given=given)
        return lambda: deque(explain(model, x, question), maxlen=0).clear()

    def occlusion() -> None:
        with torch.no_grad():
            Occlusion(model.module).attribute(
                x, (3, 112, 112), (3, 28, 28), 0, TARGET, perturbations_per_eval=BATCH
            ).cpu()

    def superpixels() -> None:
        labels = torch.from_numpy(segmented(x, model.preprocessing, 24, 10.0))[None, None].to(x.device)
        with torch.no_grad():
            FeatureAblation(model.module).attribute(
                x, 0, TARGET, feature_mask=labels, perturbations_per_eval=BATCH
            ).cpu()

    return [
        _row(runs, "occlusion", ours("occlusion", window=112, stride=28), "captum's Occlusion", occlusion, 1.0),
        _row(runs, "superpixels", ours("superpixels", count=24), "captum's FeatureAblation", superpixels, 1.0),
    ]


def _row(
    runs: int, name: str, ours: Callable[[], None], reference: str, theirs: Callable[[], None], goal: float
) -> Row:
    ours_s, reference_s = medians(runs, lambda: timed(ours), lambda: timed(theirs))
    return Row(name=name, ours=ours_s, theirs=reference_s, reference=reference, goal=goal)
