"""The heap of a child, and freed memory that goes back to the system."""

import subprocess
import sys

import numpy as np
import psutil
import pytest

from convnext_studio.common.processes.heap import hand_back_freed_memory, with_huge_pages

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the C library is GNU's on Linux only")
PARTS, PART_BYTES = 300, 100_000
"""Less than what the library takes from the system piece by piece."""
KEPT_AFTER_A_LARGE_BLOCK = f"""
import sys
import psutil
from convnext_studio.common.processes.heap import return_large_blocks_at_once
if sys.argv[1:]:
    return_large_blocks_at_once()
bytearray(30_000_000)
before = psutil.Process().memory_info().rss
parts = [bytearray({PART_BYTES}) for _ in range({PARTS})]
del parts
print(psutil.Process().memory_info().rss - before)
"""


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        ({}, "glibc.malloc.hugetlb=1"),
        ({"GLIBC_TUNABLES": ""}, "glibc.malloc.hugetlb=1"),
        ({"GLIBC_TUNABLES": "glibc.malloc.check=3"}, "glibc.malloc.check=3:glibc.malloc.hugetlb=1"),
        ({"GLIBC_TUNABLES": "glibc.malloc.hugetlb=0"}, "glibc.malloc.hugetlb=0"),
    ],
)
def test_a_childs_environment_asks_for_huge_pages(chosen: dict[str, str], expected: str) -> None:
    given = {"HOME": "/somewhere", **chosen}
    assert with_huge_pages(given) == {"HOME": "/somewhere", "GLIBC_TUNABLES": expected}
    assert "GLIBC_TUNABLES" not in given or given["GLIBC_TUNABLES"] == chosen["GLIBC_TUNABLES"]


def test_freed_memory_that_something_small_keeps_goes_back() -> None:
    hand_back_freed_memory()
    parts = [(np.ones(PART_BYTES, np.uint8), bytearray(1000)) for _ in range(PARTS)]
    small = [kept for _, kept in parts]
    held = psutil.Process().memory_info().rss
    del parts
    hand_back_freed_memory()
    assert psutil.Process().memory_info().rss < held - PARTS * PART_BYTES / 2
    assert len(small) == PARTS


def test_after_a_large_block_freed_memory_goes_back_by_itself() -> None:
    def kept(*argument: str) -> int:
        command = [sys.executable, "-c", KEPT_AFTER_A_LARGE_BLOCK, *argument]
        return int(subprocess.check_output(command, text=True))

    assert kept("returned") < 5_000_000 < PARTS * PART_BYTES / 2 < kept()
