"""Decoders in processes of their own."""

from collections.abc import Iterator

import pytest

from convnext_studio.decoding.decoder_process import Decoder


@pytest.fixture(scope="module")
def decoder() -> Iterator[Decoder]:
    """A decoder that takes everything that follows; a crash or an overrun only costs it a new process."""
    with Decoder() as decoder:
        decoder.start()
        yield decoder


@pytest.fixture
def own_decoder() -> Iterator[Decoder]:
    """A decoder whose process may have to be ended."""
    with Decoder() as decoder:
        decoder.decode("sample:cat")
        yield decoder
