"""A wall of maps against its methods one by one, each from an empty cache, in one process."""

from convnext_studio.common.attribution_methods import METHODS
from convnext_studio.engine.server.dispatch import Dispatcher
from convnext_studio.protocol.attributions import Explain, ExplainEach
from convnext_studio.protocol.models import LoadModel, ModelInfo
from convnext_studio.protocol.pictures import ImageInfo, OpenImage
from tests.benchmarks.table import Row
from tests.benchmarks.timing import medians, timed

_TARGET = 3
_GOAL = 1.1
_SHARED = ("gradcam", "gradcam++", "hirescam", "layercam", "xgradcam", "eigencam")


def wall(runs: int) -> list[Row]:
    """All methods with their usual parameters, and the class activation maps of all stages.

    The network is the bundled one: with its usual parameters, the wall takes more than a thousand passes.
    """
    engine = Dispatcher()
    model = engine.run(LoadModel(source="bundled"))
    picture = engine.run(OpenImage(path="sample:cat"))
    assert isinstance(model, ModelInfo)
    assert isinstance(picture, ImageInfo)
    last = model.config.stages[-1]
    all_methods = tuple(
        Explain(image=picture.key, method=method.name, nodes=(last,), target=_TARGET) for method in METHODS
    )
    cams = tuple(
        Explain(image=picture.key, method=method.name, nodes=(stage,), target=_TARGET)
        for stage in model.config.stages
        for method in METHODS
        if method.name in _SHARED
    )
    return [
        _row(engine, runs, f"Wall of {len(all_methods)} methods", all_methods, "its methods one by one", _GOAL),
        _row(engine, runs, f"{len(cams)} class activation maps", cams, "one by one", 0.5),
    ]


def _row(
    engine: Dispatcher, runs: int, name: str, questions: tuple[Explain, ...], reference: str, goal: float
) -> Row:
    def together() -> None:
        engine._workspace.results.clear()
        for _ in engine.answer(ExplainEach(questions=questions)):
            pass  # The partial results are made, as for the window.

    def one_by_one() -> None:
        engine._workspace.results.clear()
        for question in questions:
            engine.run(question)

    ours, theirs = medians(runs, lambda: timed(together), lambda: timed(one_by_one))
    return Row(name=name, ours=ours, theirs=theirs, reference=reference, goal=goal)
