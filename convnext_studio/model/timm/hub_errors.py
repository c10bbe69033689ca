"""Say why the Hugging Face hub did not give what it was asked for, in words for people who want a network.

The hub's client and the libraries below it explain themselves to programmers, in several lines with addresses
and numbers of requests. What went wrong is known by the kind of the error, and by those that caused it.
"""

import errno
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from huggingface_hub.errors import (
    DisabledRepoError,
    EntryNotFoundError,
    GatedRepoError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from convnext_studio.common.errors import StudioError

_OF_DISK = frozenset(
    {
        *(errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR),
        *(errno.EISDIR, errno.EEXIST, errno.ENAMETOOLONG, errno.EIO, errno.EMFILE, errno.ENFILE),
    }
)
_TRY_AGAIN = "Try again later, or open weights from a file."
_FROM_FILE = "Check the network, or open weights from a file."


class NoAnswerError(Exception):
    """Nothing came, or too little; the text says so as a part of a sentence."""


def unreachable(name: str, repository: str, file: str, error: BaseException) -> StudioError:
    """Return the error to raise if the hub did not answer the question for a file, or refused it."""
    return _refused(name, repository, file, error) or StudioError(
        f"{name} is not on this computer, and the Hugging Face hub cannot be reached ({_reason(error)}).",
        _FROM_FILE,
    )


def broken_off(name: str, repository: str, file: str, cache: Path, error: BaseException) -> StudioError:
    """Return the error to raise if a download has ended before the file was there.

    Parameters
    ----------
    cache
        The folder that is written to.
    """
    if isinstance(error, OSError) and error.errno in _OF_DISK:
        return StudioError(
            f"The download of {name} failed ({cache} cannot be written: {error.strerror}).",
            "Make room on the disk, or name another folder with the environment variable HF_HUB_CACHE.",
        )
    return _refused(name, repository, file, error) or StudioError(
        f"The download of {name} failed ({_reason(error)}).", "Try again, or open weights from a file."
    )


def _refused(name: str, repository: str, file: str, error: BaseException) -> StudioError | None:
    """Return what the hub itself answered in place of the file; None if it did not answer."""
    page = f"https://huggingface.co/{repository}"
    status = _status(error)
    if isinstance(error, EntryNotFoundError):
        return StudioError(f"The Hugging Face hub has no {file} for {name}.", _TRY_AGAIN)
    if isinstance(error, GatedRepoError) or status == 403:
        return StudioError(
            f"The Hugging Face hub gives the weights of {name} only to people who have agreed to their terms.",
            f"Agree to them on {page}, log in with “hf auth login”, and try again.",
        )
    if isinstance(error, DisabledRepoError):
        return StudioError(f"The Hugging Face hub has closed the weights of {name}.", f"See {page}.")
    if isinstance(error, RepositoryNotFoundError | RevisionNotFoundError) or status == 404:
        return StudioError(
            f"The Hugging Face hub has no weights of {name}, or does not show them to everybody.",
            f"See {page}, or open weights from a file.",
        )
    if status == 401:
        return StudioError(
            "The Hugging Face hub does not accept the login that is stored on this computer.",
            "Log in anew with “hf auth login”, or log out with “hf auth logout”.",
        )
    if status == 429:
        return StudioError("The Hugging Face hub was asked too often from here.", "Try again in a few minutes.")
    if status >= 500:
        return StudioError(f"The Hugging Face hub does not work at the moment (it says {status}).", _TRY_AGAIN)
    if status:
        return StudioError(f"The Hugging Face hub refuses to send {name} (it says {status}).", _TRY_AGAIN)
    return None


def _reason(error: BaseException) -> str:
    """Return why there was no answer, as a part of a sentence."""
    causes = list(_causes(error))
    kinds = " ".join(parent.__name__ for cause in causes for parent in type(cause).__mro__)
    if isinstance(error, NoAnswerError):
        return str(error)
    if isinstance(error, OfflineModeIsEnabled):
        return "the program is offline"
    if any(isinstance(cause, socket.gaierror) for cause in causes):
        return "its name is not found: there is no network, or no name server"
    if any(isinstance(cause, ssl.SSLError) for cause in causes):
        return "the connection is not secure: see the computer's clock, its certificates and its proxy"
    if "UnsupportedProtocol" in kinds or "InvalidURL" in kinds:
        return "its address is none: see the environment variable HF_ENDPOINT"
    if "ProxyError" in kinds:
        return "the proxy refuses the connection"
    if "Timeout" in kinds:
        return "there was no answer in time"
    if any(isinstance(cause, ConnectionRefusedError) for cause in causes) or "ConnectError" in kinds:
        return "the connection is refused"
    return "the connection broke off"


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: BaseException | None = error
    for _ in range(20):
        if seen is None:
            return
        yield seen
        seen = seen.__cause__ or seen.__context__


def _status(error: BaseException) -> int:
    """Return the number that the hub answered with; 0 if it did not answer."""
    response: Any = getattr(error, "response", None)
    status = getattr(response, "status_code", 0)
    return status if isinstance(status, int) and status >= 400 else 0
