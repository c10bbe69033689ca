"""``convnext-studio handout``. No Qt is imported here before it is known that Qt can run."""

import argparse
import os
import sys
from pathlib import Path

from convnext_studio.common.errors import StudioError
from convnext_studio.engine.client.client import EngineClient
from convnext_studio.ui.start.app import spoken
from convnext_studio.ui.start.platform_check import blocks_window, missing_for_window


def run(options: argparse.Namespace) -> int:
    """Write the hand-out; the program's exit status: 2 where Qt cannot run on this machine, told on stderr.

    Raises
    ------
    StudioError
        Where the file cannot be written or the lecture cannot be read.
    """
    path = Path(options.out)
    if not path.absolute().parent.is_dir():
        raise StudioError(f"There is no folder for the hand-out {path}.")
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")  # Nothing is shown, with a display or without.
    findings = missing_for_window()
    if blocks_window(findings):
        sys.stderr.write(spoken(findings))
        return 2
    # Not before: Qt aborts where it cannot run.
    from convnext_studio.ui.start.handout_run import make_handout

    client = EngineClient()
    client.start()
    try:
        return make_handout(options, client, needs_font=bool(findings))
    finally:
        client.close()
