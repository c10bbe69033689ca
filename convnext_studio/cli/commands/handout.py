"""`convnext-studio handout`: writes the lecture as one file."""

import argparse
import os
import sys
from pathlib import Path

from convnext_studio.cli import exit_status
from convnext_studio.cli.options import Parser, add_model_options
from convnext_studio.common.errors import StudioError
from convnext_studio.common.samples import FIRST_SAMPLE

EXAMPLES = (
    ("--out lecture.pdf", "write the lecture that comes with the program"),
    ("--out speaker.pdf --notes", "write it with the speaker's notes"),
    ("cat.jpg --out lecture.html --lecture my-lecture", "write a lecture of your own, on your own picture"),
)


def parser() -> argparse.ArgumentParser:
    """Return the parser of `convnext-studio handout`."""
    parser = Parser(
        prog="convnext-studio handout",
        description="Write the whole lecture, computed with one model and one picture, "
        "as one PDF or HTML file.",
    )
    parser.add_argument(
        "image", nargs="?", metavar="IMAGE", help=f"picture, or sample:NAME (default: sample:{FIRST_SAMPLE})"
    )
    parser.add_argument("--out", required=True, metavar="FILE.pdf|FILE.html", help="file to write")
    parser.add_argument("--lecture", metavar="FOLDER", help="a lecture of your own (default: the bundled one)")
    parser.add_argument("--notes", action="store_true", help="print the speaker's notes, too")
    add_model_options(parser)
    return parser


def run(options: argparse.Namespace) -> int:
    """Write the hand-out or, if Qt cannot run on this machine, say why on standard error.

    Raises
    ------
    StudioError
        If the file cannot be written or the lecture cannot be read.
    """
    # Imported here, because they need numpy and --help does not.
    from convnext_studio.engine.client.client import EngineClient
    from convnext_studio.ui.start.app import spoken
    from convnext_studio.ui.start.platform_check import blocks_window, missing_for_window

    path = Path(options.out)
    if not path.absolute().parent.is_dir():
        raise StudioError(f"There is no folder for the hand-out {path}.")
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")  # Nothing is shown, even if there is a display.
    findings = missing_for_window()
    if blocks_window(findings):
        sys.stderr.write(spoken(findings))
        return exit_status.CANNOT_START
    # Imported after the check, because Qt aborts the whole program where it cannot run.
    from convnext_studio.ui.start.handout_run import make_handout

    client = EngineClient()
    client.start()
    try:
        return make_handout(options, client, needs_font=bool(findings))
    finally:
        client.close()
