"""The classes of many pictures are those that a prediction of each gives."""

import pytest

from convnext_studio.engine.handlers import model_handlers as models
from convnext_studio.engine.server.dispatch import Dispatcher
from convnext_studio.model import load
from convnext_studio.protocol.envelope import Progress
from convnext_studio.protocol.models import LoadModel
from convnext_studio.protocol.pictures import ImageInfo, OpenImage
from convnext_studio.protocol.predictions import Classes, Classify, Predict, Prediction


def test_each_picture_has_the_class_of_its_prediction(monkeypatch: pytest.MonkeyPatch) -> None:
    model = load("bundled")
    monkeypatch.setattr(models, "load", lambda *_, **__: model)
    dispatcher = Dispatcher()
    dispatcher.run(LoadModel(source="test", device="cpu"))
    opened = [dispatcher.run(OpenImage(path=f"sample:{name}")) for name in ("cat", "coffee", "rocket")]
    keys = tuple(picture.key for picture in opened if isinstance(picture, ImageInfo))
    dispatcher.run(Predict(image=keys[1]))  # One is known already.

    work, told = dispatcher.answer(Classify(images=(keys[0], "gone", *keys[1:]))), []
    while True:
        try:
            told.append(next(work))
        except StopIteration as finished:
            answer = finished.value
            break
    assert isinstance(answer, Classes)
    partial = [each for progress in told if isinstance(progress, Progress) for each in progress.partial.classes]
    assert partial == list(answer.classes[:-1])
    assert [each.image for each in answer.classes] == list(keys)
    for each in answer.classes:
        prediction = dispatcher.run(Predict(image=each.image))
        assert isinstance(prediction, Prediction)
        assert each.target == prediction.top(1)[0]
        assert each.probability == pytest.approx(prediction.probabilities.max(), rel=1e-5)
