"""A request is a class and a function: none is without the other."""

import pytest

from convnext_studio.engine.server import dispatch
from convnext_studio.engine.server.handler_registry import HANDLERS, handles
from convnext_studio.protocol.connection.message_codec import requests
from convnext_studio.protocol.envelope import Request
from convnext_studio.protocol.maps import FeatureMaps

CONCRETE = [kind for kind in requests().values() if not kind.__subclasses__()]


def test_every_request_has_one_handler() -> None:
    assert dispatch.HANDLERS is HANDLERS
    assert set(HANDLERS) == set(CONCRETE)
    assert len(set(HANDLERS.values())) == len(HANDLERS)


@pytest.mark.parametrize("kind", CONCRETE, ids=lambda kind: kind.__name__)
def test_every_request_has_words_for_the_status_bar(kind: type[Request]) -> None:
    assert kind.doing
    assert kind.doing[0].isupper()
    assert not kind.doing.endswith((".", "…"))


def test_a_second_handler_is_refused() -> None:
    with pytest.raises(ValueError, match="FeatureMaps has two handlers"):
        handles(FeatureMaps)(lambda *_: None)
