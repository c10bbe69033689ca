"""What the tests of most panels begin with."""

import pytest
from pytestqt.qtbot import QtBot

from tests.ui.desk import Desk, model


@pytest.fixture
def desk(qtbot: QtBot) -> Desk:
    """A panel's surroundings in which a small network is open."""
    desk = Desk(qtbot)
    desk.state.set_model(model())
    return desk
