"""Downloads from a local hub report progress, can be stopped, and are found by the hub's own client."""

import errno
import os
import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import huggingface_hub
import pytest
import timm
import torch
from huggingface_hub.errors import OfflineModeIsEnabled
from safetensors.torch import save
from tqdm import tqdm

from convnext_studio.common.errors import StudioError
from convnext_studio.common.stopping import Stopped
from convnext_studio.engine.server.dispatch import Dispatcher
from convnext_studio.model import load
from convnext_studio.model.timm import downloading
from convnext_studio.model.timm.downloading import Received, download
from convnext_studio.protocol.envelope import Progress
from convnext_studio.protocol.models import LoadModel, ModelInfo
from tests.end_to_end.waiting import AT_ONCE_S
from tests.model.timm.hub import FakeHub, serving

NAME = "test_convnext.r160_in1k"
REPOSITORY = f"timm/{NAME}"
FILE = "model.safetensors"


@pytest.fixture
def network() -> torch.nn.Module:
    torch.manual_seed(0)
    return timm.create_model(NAME).eval()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    return tmp_path


@pytest.fixture
def hub(network: torch.nn.Module, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    """A local hub that the client uses, with an empty cache."""
    monkeypatch.setattr(tqdm, "monitor_interval", 0)  # Its client's own progress bars leave a thread.
    with serving(FakeHub(save(network.state_dict()))) as hub:
        template = hub.url + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", hub.url)
        monkeypatch.setattr(huggingface_hub.constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        yield hub
        # Its client keeps connections open for the next request.
        huggingface_hub.close_session()


def files_in(folder: Path) -> list[Path]:
    """Return the files and links in a folder, without the lock files of the hub's client."""
    return [path for path in folder.rglob("*") if not path.is_dir() and ".locks" not in path.parts]


@pytest.mark.parametrize("redirects", [False, True])
def test_a_download_reports_its_bytes_and_is_found_by_the_hubs_client(hub: FakeHub, redirects: bool) -> None:
    hub.pause_s, hub.redirects = 0.01, redirects
    received = list(download(NAME))
    assert [entry.name for entry in received] == [NAME] * len(received)
    assert {entry.total_bytes for entry in received} == {0, len(hub.content)}
    done = [entry.done_bytes for entry in received]
    assert done == sorted(done)
    assert done[-1] == len(hub.content)
    assert any(0 < count < len(hub.content) for count in done)
    assert hub.asked.count(("GET", "/elsewhere")) == int(redirects)
    assert [method for method, path in hub.asked if "/resolve/" in path].count("GET") == 1
    found = huggingface_hub.hf_hub_download(REPOSITORY, FILE, local_files_only=True)
    assert Path(found).read_bytes() == hub.content


def test_files_that_are_here_are_not_requested(hub: FakeHub) -> None:
    list(download(NAME))
    hub.asked.clear()
    assert list(download(NAME)) == []
    assert hub.asked == []


@pytest.mark.usefixtures("hub")
def test_a_download_leaves_nothing_but_what_the_hubs_client_leaves(cache: Path) -> None:
    list(download(NAME))
    ours = {path.relative_to(cache) for path in files_in(cache)}
    for path in files_in(cache):
        path.unlink()
    huggingface_hub.hf_hub_download(REPOSITORY, FILE)
    assert {path.relative_to(cache) for path in files_in(cache)} == ours


def test_a_downloaded_blob_without_a_snapshot_is_not_downloaded_again(hub: FakeHub, cache: Path) -> None:
    list(download(NAME))
    (entered,) = cache.glob("*/snapshots/*/*")
    entered.unlink()
    hub.asked.clear()
    list(download(NAME))
    assert all(method == "HEAD" for method, path in hub.asked if "/resolve/" in path)
    assert Path(huggingface_hub.hf_hub_download(REPOSITORY, FILE, local_files_only=True)).exists()


def receive_some(work: Iterator[Received]) -> None:
    next(entry for entry in work if entry.done_bytes > 0)


@pytest.mark.parametrize("stalls", [False, True])
def test_closing_ends_a_download_at_once_and_leaves_nothing(hub: FakeHub, cache: Path, stalls: bool) -> None:
    hub.pause_s, hub.stalls_after = 0.05, 400_000 if stalls else None
    work = download(NAME)
    receive_some(work)
    assert len(files_in(cache)) == 1
    if stalls:
        for _ in range(30):  # The hub is silent by now.
            next(work)
    start = time.perf_counter()
    next(work)
    work.close()
    assert time.perf_counter() - start < AT_ONCE_S
    assert files_in(cache) == []


def test_a_broken_connection_gives_one_sentence_and_leaves_nothing(hub: FakeHub, cache: Path) -> None:
    hub.breaks_after = 100_000
    with pytest.raises(StudioError, match=rf"The download of {NAME} failed \(.+\)\."):
        list(download(NAME))
    assert files_in(cache) == []
    hub.breaks_after = None
    assert list(download(NAME))[-1].done_bytes == len(hub.content)


@pytest.mark.usefixtures("hub")
def test_a_full_disk_gives_one_sentence(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(StudioError, match="No space left on device"):
        list(download(NAME))
    assert files_in(cache) == []


@pytest.mark.parametrize(
    ("status", "error_code", "said", "advice"),
    [
        (401, "GatedRepo", "only to people who have agreed to their terms", "hf auth login"),
        (403, "GatedRepo", "only to people who have agreed to their terms", REPOSITORY),
        (403, "", "only to people who have agreed to their terms", REPOSITORY),
        (401, "RepoNotFound", f"has no weights of {NAME}", REPOSITORY),
        (401, "", "does not accept the login", "hf auth logout"),
        (404, "RepoNotFound", f"has no weights of {NAME}", REPOSITORY),
        (404, "RevisionNotFound", f"has no weights of {NAME}", REPOSITORY),
        (404, "EntryNotFound", f"has no {FILE} for {NAME}", "open weights from a file"),
        (404, "", f"has no weights of {NAME}", REPOSITORY),
        (429, "", "asked too often", "in a few minutes"),
        (500, "", "does not work at the moment (it says 500)", "Try again later"),
        (503, "", "does not work at the moment (it says 503)", "Try again later"),
        (418, "", f"refuses to send {NAME} (it says 418)", "Try again later"),
    ],
)
@pytest.mark.parametrize("with_progress", [False, True])
def test_what_the_hub_refuses_is_said_in_plain_words(
    hub: FakeHub, status: int, error_code: str, said: str, advice: str, with_progress: bool
) -> None:
    hub.status, hub.error_code = status, error_code
    with pytest.raises(StudioError) as caught:
        list(download(NAME)) if with_progress else load(f"timm:{NAME}")
    assert said in caught.value.message
    assert advice in caught.value.hint
    for word in ("http", "Client Error", "Request", "url", "\n"):
        assert word not in caught.value.message


def test_weights_that_are_closed_in_the_middle_of_a_download(
    hub: FakeHub, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hub has told the size, and refuses the file after that."""

    def close(*arguments: Any) -> Any:
        hub.status, hub.error_code = 403, "GatedRepo"
        return fetch(*arguments)

    fetch = downloading._fetch
    monkeypatch.setattr(downloading, "_fetch", close)
    with pytest.raises(StudioError, match="agreed to their terms"):
        list(download(NAME))
    assert files_in(cache) == []


def cause(text: str, error: BaseException) -> Exception:
    """Return an error of the transport that another one has caused."""
    made = httpx2.ConnectError(text)
    made.__cause__ = error
    return made


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (
            cause("[Errno -3]", socket.gaierror(-3, "Temporary failure in name resolution")),
            "there is no network",
        ),
        (cause("[Errno 111]", ConnectionRefusedError(111, "Connection refused")), "the connection is refused"),
        (cause("all attempts failed", OSError("Multiple exceptions")), "the connection is refused"),
        (cause("[SSL]", ssl.SSLCertVerificationError("certificate verify failed")), "is not secure"),
        (httpx2.ConnectTimeout("timed out"), "there was no answer in time"),
        (httpx2.ReadTimeout("timed out"), "there was no answer in time"),
        (
            httpx2.UnsupportedProtocol("Request URL is missing an 'http://' or 'https://' protocol."),
            "HF_ENDPOINT",
        ),
        (httpx2.ProxyError("502 Bad Gateway"), "the proxy refuses the connection"),
        (httpx2.RemoteProtocolError("peer closed connection"), "the connection broke off"),
        (httpx2.ReadError(""), "the connection broke off"),
        (RuntimeError("an error of a library\nwith two lines"), "the connection broke off"),
        (OfflineModeIsEnabled("offline mode is enabled. To disable it, unset HF_HUB_OFFLINE"), "is offline"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_why_the_hub_is_not_reached_is_said_in_plain_words(
    monkeypatch: pytest.MonkeyPatch, error: Exception, why: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(huggingface_hub, "get_hf_file_metadata", fail)
    with pytest.raises(StudioError) as caught:
        load(f"timm:{NAME}")
    start, end = caught.value.message.split("(")
    assert start == f"{NAME} is not on this computer, and the Hugging Face hub cannot be reached "
    assert why in end
    assert str(error).splitlines()[:1] != [end]


@pytest.mark.usefixtures("hub")
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES, errno.EROFS])
def test_a_folder_that_cannot_be_written_is_named(
    cache: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number), "some/file")

    monkeypatch.setattr(downloading.tempfile, "NamedTemporaryFile", refuse)
    with pytest.raises(StudioError) as caught:
        list(download(NAME))
    assert f"({cache} cannot be written: {os.strerror(number)})" in caught.value.message
    assert "HF_HUB_CACHE" in caught.value.hint


@pytest.mark.usefixtures("hub")
def test_a_cache_that_is_a_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "file" / "hub"))
    for attempt in (lambda: list(download(NAME)), lambda: load(f"timm:{NAME}")):
        with pytest.raises(StudioError, match="cannot be written"):
            attempt()


@pytest.mark.parametrize("name", ["a**b", "**", "../../etc", "a/b", "[", "x" * 5000, "", ".", "a\0b", "\ud800"])
def test_names_that_no_network_has_are_refused_when_offline(name: str) -> None:
    with pytest.raises(StudioError):
        load(f"timm:{name}", offline=True)


def test_offline_nothing_is_requested(hub: FakeHub) -> None:
    with pytest.raises(StudioError, match="offline"):
        list(download(NAME, offline=True))
    assert hub.asked == []


def test_the_session_downloads_with_progress_and_opens(hub: FakeHub, network: torch.nn.Module) -> None:
    hub.pause_s = 0.01
    session = Dispatcher()
    work = session.answer(LoadModel(source=f"timm:{NAME}", device="cpu"))
    texts = []
    try:
        while True:
            progress = next(work)
            assert isinstance(progress, Progress)
            texts.append(progress.text)
    except StopIteration as finished:
        info = finished.value
    assert isinstance(info, ModelInfo)
    assert f"Asking the Hugging Face hub for {NAME}" in texts
    assert f"Downloading {NAME}: 1 of 1 MB" in texts
    x = torch.randn(1, 3, 96, 96, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(load(f"timm:{NAME}").module(x), network(x), rtol=1e-4, atol=1e-4)


def test_the_session_stops_a_download_within_a_second(hub: FakeHub, cache: Path) -> None:
    hub.stalls_after = 400_000
    is_unwanted = False
    work = Dispatcher().answer(LoadModel(source=f"timm:{NAME}", device="cpu"), lambda: is_unwanted)
    while next(work).done < 400_000:
        pass
    is_unwanted = True
    start = time.perf_counter()
    with pytest.raises(Stopped):
        next(work)
    assert time.perf_counter() - start < AT_ONCE_S
    assert files_in(cache) == []
