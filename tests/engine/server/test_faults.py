"""The texts for errors fit the errors that the real torch raises."""

import pickle

import pytest
import torch

from convnext_studio.common.errors import InputTooLarge
from convnext_studio.engine.server.faults import failure, is_expected, poisons_device
from convnext_studio.protocol.envelope import Failed


def test_the_cpus_memory_runs_out() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**60)
    assert is_expected(caught.value)
    assert not poisons_device(caught.value)
    assert failure(3, caught.value).message == "The computer's memory has run out."


def test_the_graphics_devices_memory_runs_out() -> None:
    error = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
    assert is_expected(error)
    answer = failure(3, error)
    assert answer.message == "The graphics device's memory has run out."
    assert answer.offers_cpu
    assert not failure(3, MemoryError()).offers_cpu


def test_a_device_without_memory_is_not_a_broken_device() -> None:
    error = torch.AcceleratorError("CUDA error: out of memory\nCUDA kernel errors might be reported later.")
    assert is_expected(error)
    assert not poisons_device(error)


def test_a_device_that_still_answers_is_not_poisoned() -> None:
    error = torch.AcceleratorError("CUDA error: no kernel image is available for execution on the device")
    assert not is_expected(error)
    assert not poisons_device(error)
    answer = failure(3, error)
    assert answer.message == (
        "The graphics device reported an error "
        "(CUDA error: no kernel image is available for execution on the device)."
    )


def test_an_input_that_is_too_large_comes_with_a_smaller_one() -> None:
    error = pickle.loads(pickle.dumps(InputTooLarge("1024 px are too many.", "Take 768 px.", 768, True)))
    assert failure(3, error) == Failed(
        id=3, message="1024 px are too many.", hint="Take 768 px.", smaller_px=768, offers_cpu=True
    )


def test_other_errors_are_internal_ones_told_in_a_line() -> None:
    answer = failure(3, KeyError())
    assert (answer.id, answer.message) == (3, "An internal error occurred (KeyError: it does not say why).")
