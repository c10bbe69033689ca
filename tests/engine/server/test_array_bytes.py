"""What counts as the size of an answer."""

import numpy as np
import torch

from convnext_studio.engine.server.array_bytes import array_bytes


def test_array_bytes_counts_nested_arrays() -> None:
    assert array_bytes({"a": np.zeros(3, np.float32), "b": [np.zeros(2, np.uint8), "text"], "c": b"1234"}) == 18


def test_tensors_count_as_arrays_do() -> None:
    assert array_bytes({"a": torch.zeros(3, 4), "b": (torch.zeros(2, dtype=torch.bfloat16),)}) == 48 + 4
