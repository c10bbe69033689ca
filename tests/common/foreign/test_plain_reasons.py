"""Why a file is not read is said in words of people who open files."""

import errno
import os

import pytest

from convnext_studio.common.foreign.plain_reasons import system_reason


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.ELOOP, os.strerror(errno.ELOOP)), "it is a link that leads back to itself"),
        (OSError(errno.EACCES, "Permission denied"), "Permission denied"),
        (OSError(0, "it is not a regular file"), "it is not a regular file"),
        (OSError("seek of a closed file"), "the system does not say why"),
    ],
)
def test_a_reason_is_the_end_of_a_sentence(error: OSError, said: str) -> None:
    assert system_reason(error) == said


@pytest.mark.parametrize("number", [errno.EIO, errno.EINVAL, errno.ENXIO, errno.ENODEV, errno.ENOTDIR])
def test_words_of_programmers_are_replaced(number: int) -> None:
    assert system_reason(OSError(number, os.strerror(number))).startswith(("it ", "the ", "there ", "a file "))
