"""A fake engine whose requests a real dispatcher answers, in the same process, when the test says so."""

from pytestqt.qtbot import QtBot

from convnext_studio.common.errors import StudioError
from convnext_studio.engine.server.dispatch import Dispatcher
from convnext_studio.model.loaded import LoadedModel
from convnext_studio.protocol.envelope import Progress, Request
from convnext_studio.protocol.models import LoadModel, ModelInfo
from convnext_studio.protocol.pictures import ImageInfo, OpenImage
from convnext_studio.protocol.predictions import Predict, Prediction
from convnext_studio.ui.lecture.views.live_view import LectureView
from convnext_studio.ui.state.app_state import AppState
from tests.ui.conftest import FakeEngine


class LiveEngine:
    """A dispatcher with a model and the sample cat, and the state that shows them.

    Attributes
    ----------
    model
        What the dispatcher works on.
    told
        All progress that was sent.
    """

    def __init__(self, engine: FakeEngine, state: AppState, model: LoadedModel) -> None:
        self.engine, self.state, self.model = engine, state, model
        self.dispatcher = Dispatcher()
        self.told: list[Progress] = []
        info = self.dispatcher.run(LoadModel(source="test", device="cpu"))
        picture = self.dispatcher.run(OpenImage(path="sample:cat"))
        assert isinstance(info, ModelInfo)
        assert isinstance(picture, ImageInfo)
        state.set_model(info)
        state.opened.add(picture)
        prediction = self.dispatcher.run(Predict(image=picture.key))
        assert isinstance(prediction, Prediction)
        state.set_prediction(prediction)
        self.picture = picture

    def settle(self, view: LectureView) -> None:
        """Have the view ask, and answer all that it asks."""
        view.prepare()
        while waiting := self.engine.open(Request):
            self._answer(waiting[0])
        assert view.is_settled

    def work_on(self, request: Request) -> Request:
        """What the dispatcher is asked in place of a request: itself."""
        return request

    def _answer(self, request: Request) -> None:
        work = self.dispatcher.answer(self.work_on(request))
        while True:
            try:
                self.told.append(next(work))
            except StopIteration as finished:
                self.engine.answer(request, finished.value)
                return
            except StudioError as error:
                self.engine.refuse(request, error.message, error.hint)
                return
            self.engine.send(self.told[-1])


def shown(qtbot: QtBot, view: LectureView) -> LectureView:
    """The view, shown as the presenter shows it."""
    qtbot.addWidget(view)
    view.set_text_px(20)
    view.resize(800, 500)
    view.show()
    return view
