"""Weights from the Hugging Face hub, fetched step by step: to be watched, and stopped at any time.

The hub's own client reads ten million bytes at a time and tries a silent server again and again, in which it
notices no cancelling. So the bytes are read here, and put where that client keeps them: it finds them, and so
do all programs that use it.
"""

import asyncio
import tempfile
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import huggingface_hub
from huggingface_hub import constants
from huggingface_hub.errors import LocalEntryNotFoundError
from huggingface_hub.file_download import repo_folder_name

from convnext_studio.common.errors import StudioError
from convnext_studio.model.timm.pretrained import (
    ATTEMPT_S,
    STEP_S,
    WEIGHTS_FILE,
    ask_hub,
    find,
    is_offline,
    unreachable,
)

SILENCE_S = 20.0
"""How long the hub may say nothing in the middle of a file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """How far a download is; `total_bytes` is 0 while the hub has not told it."""

    name: str
    done_bytes: int = 0
    total_bytes: int = 0


def download(name: str, offline: bool = False) -> Generator[Received, None, None]:
    """Fetch the weights of timm's ConvNeXt of that name, unless they are on this computer.

    It yields every `STEP_S` at the latest. Whoever closes it before its end ends the download with it, and
    nothing of it stays. Not for a thread that runs an asyncio loop.

    Raises
    ------
    StudioError
        Where there is no such model, or it cannot be fetched.
    """
    published = find(name, offline)
    repository, full_name = str(published.hf_hub_id), f"{published.architecture}.{published.tag}"
    if is_offline(offline) or _is_complete(repository):
        return
    yield Received(name=full_name)
    asking = ask_hub(full_name, url := huggingface_hub.hf_hub_url(repository, WEIGHTS_FILE))
    try:
        while True:
            next(asking)
            yield Received(name=full_name)
    except StopIteration as finished:
        metadata: huggingface_hub.HfFileMetadata = finished.value
    if metadata.etag is None or metadata.size is None:
        raise unreachable(full_name, ValueError("it does not tell the size of the file"))
    cache = Path(constants.HF_HUB_CACHE)
    blob = cache / repo_folder_name(repo_id=repository, repo_type="model") / "blobs" / metadata.etag
    try:
        if not blob.exists():
            with closing(_fetch(url, metadata.size, cache, blob)) as fetching:
                for done_bytes in fetching:
                    yield Received(name=full_name, done_bytes=done_bytes, total_bytes=metadata.size)
        # The hub's client finds the file that it would have fetched, and only has to enter it in its books.
        huggingface_hub.hf_hub_download(repository, WEIGHTS_FILE, etag_timeout=ATTEMPT_S)
    except Exception as error:  # Whatever the network's layers raise, it is told in one sentence.
        reason = next(iter(str(error).splitlines()), "") or type(error).__name__
        raise StudioError(
            f"The download of {full_name} broke off ({reason}).", "Try again, or open weights from a file."
        ) from error


def _is_complete(repository: str) -> bool:
    try:
        huggingface_hub.hf_hub_download(repository, WEIGHTS_FILE, local_files_only=True)
    except LocalEntryNotFoundError:
        return False
    return True


def _fetch(url: str, total_bytes: int, cache: Path, target: Path) -> Generator[int, None, None]:
    """Write a file under a temporary name in `cache`, then move it to `target`; yields the bytes so far.

    Not `files.written_whole`, which takes every OSError for the disk's, and those of connections are OSErrors,
    too; and which wants the folder before there is anything to put into it.
    """
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(
        dir=cache, prefix="convnext-studio-", suffix=".incomplete", delete=False
    ) as file:
        partial = Path(file.name)
        try:
            yield from _write(url, file)
            if file.tell() != total_bytes:
                raise EOFError(f"{file.tell()} of {total_bytes} bytes came")
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

    # The loop stands still between two steps, and cancels what it has begun when it is left.
    with asyncio.Runner() as runner:
        receiving = runner.get_loop().create_task(receive())
        while not receiving.done():
            runner.run(_wait(receiving))
            yield file.tell()
        receiving.result()


async def _wait(receiving: asyncio.Task[None]) -> None:
    await asyncio.wait({receiving}, timeout=STEP_S)
