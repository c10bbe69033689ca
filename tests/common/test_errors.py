"""Messages for the user stay on one line, whatever names a file contains."""

import pickle

from convnext_studio import errors
from convnext_studio.common.errors import StudioError
from convnext_studio.common.foreign.foreign_text import LONGEST_MESSAGE


def test_a_sentence_stays_as_it_was_written() -> None:
    error = StudioError("“Käse\N{NARROW NO-BREAK SPACE}1.png” is damaged.", "Copy it again.")
    assert str(error) == "“Käse\N{NARROW NO-BREAK SPACE}1.png” is damaged. Copy it again."
    copied = pickle.loads(pickle.dumps(error))
    assert (copied.message, copied.hint) == (error.message, error.hint)


def test_what_is_quoted_is_kept_to_a_line_and_a_length() -> None:
    told = StudioError(f"{'x' * 10_000} is missing.").message
    assert told.startswith("xxx")
    assert told.endswith("x is missing.")
    assert len(told) <= LONGEST_MESSAGE + len(" … ")
    odd = "a\nb\x1b[31m\udcff.pth is damaged."
    told = StudioError(odd).message
    assert (
        told
        == "a\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}[31m\N{REPLACEMENT CHARACTER}.pth is damaged."
    )
    told.encode()


def test_scripts_catch_errors_by_their_public_name() -> None:
    assert errors.StudioError is StudioError
    assert issubclass(errors.InputTooLarge, errors.StudioError)
