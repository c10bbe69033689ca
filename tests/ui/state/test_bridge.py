"""The bridge asks nothing more once it is closed."""

from convnext_studio.protocol.pictures import CloseImage
from convnext_studio.ui.state.bridge import EngineBridge
from tests.ui.conftest import FakeEngine


def test_what_is_asked_while_the_window_closes_is_neither_sent_nor_an_error(
    bridge: EngineBridge, engine: FakeEngine
) -> None:
    answers: list[object] = []
    first = bridge.ask(CloseImage(images=("one",)), answers.append)
    bridge.close()
    assert engine.is_closed
    asked = len(engine.asked)
    bridge.ask(CloseImage(images=("two",)), answers.append)
    bridge.cancel(first)
    bridge.cancel_all()
    assert len(engine.asked) == asked
    assert answers == []
