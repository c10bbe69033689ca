"""A process that leaves threads at work ends with its status."""

import subprocess
import sys

import pytest

SCRIPT = """
import sys, threading
import numpy as np
from convnext_studio.common.processes.ending import end_despite_threads

def sort():
    values = np.arange(100_000) % 7
    while {goes_on}:
        np.unique(values)  # Its C++ wants to run Python again when it is done.

for _ in range(3):
    threading.Thread(target=sort, daemon=True).start()
print("said before the end")
end_despite_threads(3)
sys.exit(3)
"""


@pytest.mark.parametrize("goes_on", [True, False])
def test_the_status_is_that_of_the_program(goes_on: bool) -> None:
    for _ in range(3):
        ended = subprocess.run(
            [sys.executable, "-c", SCRIPT.format(goes_on=goes_on)], capture_output=True, text=True, check=False
        )
        assert (ended.returncode, ended.stdout, ended.stderr) == (3, "said before the end\n", "")
