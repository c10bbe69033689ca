"""What the tests of the dispatcher and of the client start from."""

from collections.abc import Iterator

import pytest

from convnext_studio.engine.client.client import EngineClient
from convnext_studio.engine.handlers import model_handlers as models
from convnext_studio.engine.server.dispatch import Dispatcher
from convnext_studio.model.loaded import LoadedModel
from convnext_studio.protocol.models import LoadModel
from tests.engine.client import fake_engine
from tests.engine.client.recorder import Recorder
from tests.engine.opening import Opener, open_picture
from tests.networks import small_model


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> LoadedModel:
    """A small model, which every dispatcher of the test loads whatever it asks for."""
    small = small_model()
    monkeypatch.setattr(models, "load", lambda *_, **__: small)
    return small


@pytest.fixture
def opened(model: LoadedModel) -> Dispatcher:
    """A dispatcher with the model loaded."""
    dispatcher = Dispatcher()
    dispatcher.run(LoadModel(source=model.source, device="cpu"))
    return dispatcher


@pytest.fixture
def engine_of(monkeypatch: pytest.MonkeyPatch) -> Opener:
    """Make a dispatcher with a small model of the given kind loaded and the sample cat open."""

    def make(**changes: object) -> tuple[Dispatcher, LoadedModel, str]:
        model = small_model(**changes)
        monkeypatch.setattr(models, "load", lambda *_, **__: model)
        engine = Dispatcher()
        engine.run(LoadModel(source="test", device="cpu"))
        return engine, model, open_picture(engine, "sample:cat")

    return make


@pytest.fixture
def heard() -> Recorder:
    """What the client has told its listener."""
    return Recorder()


@pytest.fixture
def client(heard: Recorder) -> Iterator[EngineClient]:
    """A client whose engines compute nothing, and so start in a moment."""
    client = EngineClient(fake_engine.ENTRY)
    client.listen(heard)
    client.start()
    yield client
    client.close()
