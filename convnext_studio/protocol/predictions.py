"""The request for a prediction, and its answer."""

from typing import ClassVar

import numpy as np
from msgspec import Struct, field
from numpy.typing import NDArray

from convnext_studio.common.geometry import CropGeometry
from convnext_studio.protocol.attributions import Explanation
from convnext_studio.protocol.envelope import Answer, Request
from convnext_studio.protocol.models import ModelInfo


class Predict(Request, frozen=True, kw_only=True):
    """Run one forward and one backward pass; answered by `Prediction`.

    Attributes
    ----------
    image
        The key of an opened picture.
    target
        The class that `Prediction.cams` explain; the top prediction if None.
    only_last
        Whether the Grad-CAM at the last stage is enough, as for a frame of a live source: the others take
        half of the time. The answer may have all of them nevertheless.
    """

    doing: ClassVar[str] = "Running the network"
    timed_as: ClassVar[str] = "forward + backward"
    priority: ClassVar[int] = 2
    image: str
    target: int | None = None
    only_last: bool = False


class Prediction(Answer, frozen=True, kw_only=True):
    """The result of one forward and one backward pass.

    Attributes
    ----------
    logits
        (classes,) float32.
    probabilities
        (classes,) float64, to distinguish probabilities very close to 1 from 1.
    stage_means
        By stage name, (h, w) float32: the mean over channels of the stage's output.
    target
        The class that `cams` explain: the requested one, or the top prediction.
    cams
        Grad-CAM by stage name, (h, w) float32: the signed weighted sum of the channels, before ReLU, in
        logit units. Stages that were not asked for may be missing.
    geometry
        The position of the network's input in the picture.
    sizes
        By node name, height and width of its map for this input.
    is_kept
        Whether the engine had it already, so that this answer took less time than the passes did.
    """

    image: str
    logits: NDArray[np.float32]
    probabilities: NDArray[np.float64]
    stage_means: dict[str, NDArray[np.float32]]
    target: int
    cams: dict[str, NDArray[np.float32]]
    geometry: CropGeometry
    sizes: dict[str, tuple[int, int]] = field(default_factory=dict)
    is_kept: bool = False

    def top(self, count: int = 5) -> list[int]:
        """Return the classes with the highest probabilities, highest first."""
        return [int(index) for index in np.argsort(-self.logits, kind="stable")[:count]]


def explanation_of(prediction: Prediction, model: ModelInfo, nodes: tuple[str, ...]) -> Explanation:
    """Return the Grad-CAMs that came with a prediction in the form of an answer to `Explain`."""
    return Explanation(
        image=prediction.image,
        method="gradcam",
        nodes=nodes,
        maps={name: prediction.cams[name] for name in nodes if name in prediction.cams},
        target_maps={},
        against_maps={},
        fields={name: model.node(name).field for name in nodes},
        target=prediction.target,
        against=None,
        output="logit",
        score=float(prediction.logits[prediction.target]),
        parameters={},
        delta=None,
        notes=(),
        geometry=prediction.geometry,
        random_weights=model.random_weights,
        seconds=0.0,
    )


class Classify(Request, frozen=True, kw_only=True):
    """Find the top class of several pictures with a forward pass each; answered by `Classes`.

    The partial answers, sent after each picture, hold only what is new since the previous one.

    Attributes
    ----------
    images
        The keys of opened pictures.
    """

    doing: ClassVar[str] = "Classifying the opened pictures"
    priority: ClassVar[int] = 7
    images: tuple[str, ...]


class TopClass(Struct, frozen=True, kw_only=True):
    """The class with the highest probability for a picture."""

    image: str
    target: int
    probability: float


class Classes(Answer, frozen=True, kw_only=True):
    """The top classes of those pictures that could be classified, in the order of the request."""

    classes: tuple[TopClass, ...]
