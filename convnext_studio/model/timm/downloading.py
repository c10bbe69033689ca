"""Download weights from the Hugging Face hub with progress, and so that it can be cancelled at any time.

The hub's own client reads ten million bytes at a time, retries a silent server again and again, and cannot be
cancelled meanwhile. So this module reads the bytes itself and puts them into the client's cache, where the
client and all programs that use it find them.
"""

import asyncio
import tempfile
from collections.abc import Generator, Iterator
from contextlib import closing
from pathlib import Path
from typing import IO

import huggingface_hub
from huggingface_hub import constants
from huggingface_hub.file_download import repo_folder_name
from msgspec import Struct

from convnext_studio.common.errors import StudioError
from convnext_studio.model.timm.hub_errors import NoAnswerError, broken_off
from convnext_studio.model.timm.pretrained import (
    ATTEMPT_S,
    STEP_S,
    WEIGHTS_FILE,
    ask_hub,
    find,
    is_offline,
)

SILENCE_S = 20.0
"""How long the hub may be silent in the middle of a file."""


class Received(Struct, frozen=True, kw_only=True):
    """The progress of a download; `total_bytes` is 0 until the hub has sent the size."""

    name: str
    done_bytes: int = 0
    total_bytes: int = 0


def download(name: str, offline: bool = False) -> Generator[Received, None, None]:
    """Download the weights of the timm model with that name, unless they are already on this computer.

    The generator yields at least every `STEP_S` seconds. Closing it early cancels the download and leaves
    nothing behind. It must not be used in a thread that runs an asyncio loop.

    Raises
    ------
    StudioError
        If there is no such model, or it cannot be downloaded.
    """
    published = find(name, offline)
    repository, full_name = str(published.hf_hub_id), f"{published.architecture}.{published.tag}"
    if is_offline(offline) or _is_complete(repository):
        return
    yield Received(name=full_name)
    asking = ask_hub(full_name, repository)
    try:
        while True:
            next(asking)
            yield Received(name=full_name)
    except StopIteration as finished:
        metadata: huggingface_hub.HfFileMetadata = finished.value
    if metadata.etag is None or metadata.size is None:
        raise StudioError(
            f"The Hugging Face hub does not state the size of {full_name}.",
            "Try again later, or open weights from a file.",
        )
    url = huggingface_hub.hf_hub_url(repository, WEIGHTS_FILE)
    cache = Path(constants.HF_HUB_CACHE)
    blob = cache / repo_folder_name(repo_id=repository, repo_type="model") / "blobs" / metadata.etag
    try:
        if not blob.exists():
            with closing(_fetch(url, metadata.size, cache, blob)) as fetching:
                for done_bytes in fetching:
                    yield Received(name=full_name, done_bytes=done_bytes, total_bytes=metadata.size)
        # The hub's client finds the blob that it would have downloaded, and only adds the snapshot entry.
        huggingface_hub.hf_hub_download(repository, WEIGHTS_FILE, etag_timeout=ATTEMPT_S)
    except Exception as error:  # Network libraries raise errors of many kinds; the user gets one sentence.
        raise broken_off(full_name, repository, WEIGHTS_FILE, cache, error) from error


def _is_complete(repository: str) -> bool:
    try:
        huggingface_hub.hf_hub_download(repository, WEIGHTS_FILE, local_files_only=True)
    except OSError:  # It is not there, or the folder cannot be read.
        return False
    return True


def _fetch(url: str, total_bytes: int, cache: Path, target: Path) -> Generator[int, None, None]:
    """Download to a temporary file in `cache`, then move it to `target`; yield the number of bytes so far.

    `files.written_whole` does not fit here: it reports every OSError as an error of the disk, but connections
    raise OSErrors as well, and it needs the folder to exist before the first byte arrives.
    """
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(
        dir=cache, prefix="convnext-studio-", suffix=".incomplete", delete=False
    ) as file:
        partial = Path(file.name)
        try:
            yield from _write(url, file)
            if file.tell() != total_bytes:
                raise NoAnswerError(f"only {file.tell()} of {total_bytes} bytes arrived")
            file.close()
            target.parent.mkdir(parents=True, exist_ok=True)
            partial.replace(target)
        finally:
            file.close()
            partial.unlink(missing_ok=True)


def _write(url: str, file: IO[bytes]) -> Iterator[int]:
    token = huggingface_hub.get_token()
    headers = {"Authorization": f"Bearer {token}"} if token else {}

    async def receive() -> None:
        async with (
            huggingface_hub.get_async_session() as client,
            client.stream("GET", url, headers=headers, follow_redirects=True, timeout=SILENCE_S) as response,
        ):
            response.raise_for_status()
            async for chunk in response.aiter_bytes():
                file.write(chunk)

    # The event loop is paused between two steps, and leaving the runner cancels the task.
    with asyncio.Runner() as runner:
        receiving = runner.get_loop().create_task(receive())
        while not receiving.done():
            runner.run(_wait(receiving))
            yield file.tell()
        receiving.result()


async def _wait(receiving: asyncio.Task[None]) -> None:
    await asyncio.wait({receiving}, timeout=STEP_S)
