"""Nothing opens a network connection unless the person asks for a download."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from convnext_studio.cli import main as cli
from convnext_studio.engine.server.dispatch import Dispatcher
from convnext_studio.model.weights.checkpoint import StudioFile, write_studio_file
from convnext_studio.protocol.maps import FeatureMaps
from convnext_studio.protocol.models import Catalogue, ListPretrained, LoadModel
from convnext_studio.protocol.pictures import ImageInfo, OpenImage
from convnext_studio.protocol.predictions import Predict
from convnext_studio.protocol.receptive_fields import ReceptiveField
from tests.networks import SMALL, lively


class Refused(Exception):
    """Somebody wanted to speak with the world."""


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Refuses connections and questions for addresses, and remembers them: code may swallow the errors."""
    wanted: list[str] = []

    def refuse(*asked: object, **_: object) -> None:
        wanted.append(repr(asked))
        raise Refused(asked)

    for name in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, name, refuse)
    for name in ("getaddrinfo", "gethostbyname", "create_connection"):
        monkeypatch.setattr(socket, name, refuse)
    yield wanted
    assert wanted == []


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """A weights file."""
    path = tmp_path / "small.safetensors"
    write_studio_file(path, StudioFile(config=SMALL, state_dict=lively(SMALL).state_dict(), labels=()))
    return path


def test_the_refusal_is_noticed(no_network: list[str]) -> None:
    with pytest.raises(Refused):
        socket.create_connection(("192.0.2.1", 80))
    assert len(no_network) == 1
    no_network.clear()


def test_looking_at_a_picture(weights: Path) -> None:
    session = Dispatcher()
    session.run(LoadModel(source=str(weights), device="cpu"))
    image = session.run(OpenImage(path="sample:cat"))
    assert isinstance(image, ImageInfo)
    for question in (
        Predict(image=image.key),
        Predict(image=image.key, target=1),
        FeatureMaps(image=image.key, node="stage2"),
        ReceptiveField(node="stage2", inputs="noise", count=1),
    ):
        assert session.run(question) is not None


def test_a_preset_and_the_list_of_pretrained_models() -> None:
    session = Dispatcher()
    session.run(LoadModel(source="preset:convnextv2_atto", device="cpu"))
    assert isinstance(session.run(ListPretrained()), Catalogue)


def test_exporting(weights: Path, tmp_path: Path) -> None:
    assert cli.main(["export", "sample:cat", "--model", str(weights), "--out", str(tmp_path / "out")]) == 0


@pytest.mark.parametrize("command", ["models", "doctor"])
def test_the_commands_that_tell(command: str) -> None:
    assert cli.main([command]) == 0
