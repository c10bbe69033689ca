"""`convnext-studio` without a command: opens the window."""

import argparse

from convnext_studio import __version__
from convnext_studio.cli.command_table import COMMANDS
from convnext_studio.cli.options import (
    LARGEST,
    Parser,
    add_framing_options,
    add_model_options,
    framing,
    picture_view,
    positive,
    quoted,
    whole,
)
from convnext_studio.common.errors import StudioError
from convnext_studio.common.processes.garbage_collection import collecting_later

EXAMPLES = (
    ("cat.jpg dog.png", "open two pictures with the model that comes with the program"),
    ("--model timm:convnext_tiny.fb_in1k cat.jpg", "use published weights, which are downloaded once"),
    (
        "--model weights.pth --stem-stride 1 --stem-padding 1",
        "open a weights file, and give what it does not state",
    ),
    ("--live film.mp4", "play a film; all panels follow, frame by frame"),
    ("cat.jpg --present", "present the lecture, full screen"),
    (
        "cat.jpg --screenshot window.png --size 1920x1080",
        "save a picture of the window; this needs no display",
    ),
)


def parser() -> argparse.ArgumentParser:
    """Return the parser of the program without a command; its help lists the commands."""
    parser = Parser(
        prog="convnext-studio",
        description="A microscope for ConvNeXt: feature maps, receptive fields and Grad-CAM in one window.",
        epilog=_epilog(),
    )
    parser.add_argument(
        "images",
        nargs="*",
        metavar="IMAGE",
        help="pictures, folders of any number of pictures, or a saved session (.cnxsession)",
    )
    add_model_options(parser)
    add_framing_options(parser)
    parser.add_argument(
        "--screenshot",
        metavar="FILE.png",
        help="save a picture of the window as soon as every panel shows its result, then quit",
    )
    parser.add_argument(
        "--present",
        nargs="?",
        const="",
        metavar="FOLDER",
        help=(
            "present the lecture, or your own lecture in FOLDER, full screen; put pictures before this option"
        ),
    )
    parser.add_argument(
        "--step", type=positive, metavar="N", help="first step of the lecture to show (default: 1)"
    )
    parser.add_argument(
        "--live",
        metavar="camera|screen|FILM",
        help="play a camera, a part of the screen or a film as the picture",
    )
    parser.add_argument("--size", type=_size, metavar="1920x1080", help="size of the window in pixels")
    parser.add_argument("--version", action="version", version=f"ConvNeXt Studio {__version__}")
    return parser


def run(options: argparse.Namespace) -> int:
    """Show the window until it is closed."""
    with collecting_later():
        # Imported here, because --help does not need Qt, which may be missing.
        from convnext_studio.ui.start.app import WindowOptions, run

    if options.step is not None and options.present is None:
        raise StudioError("--step needs a lecture.", "Add --present.")
    values = vars(options) | {
        "images": tuple(options.images),
        "framing": framing(options),
        "view": picture_view(options),
    }
    for name in ("input_px", "frame", "bands", "contrast", "fit_bands"):
        del values[name]
    return run(WindowOptions(**values))


def _epilog() -> str:
    lines = [
        f"  {name:<11} {text}" if len(name) <= 11 else f"  {name}\n{'':14}{text}"
        for name, text in COMMANDS.items()
    ]
    return "\n".join(
        (
            "commands, each with a --help of its own:",
            *lines,
            "",
            "To open a picture that is called like a command, write its folder as well, as in ./export.",
        )
    )


def _size(text: str) -> tuple[int, int]:
    sides = [whole(side) for side in text.lower().split("x", 1)]
    found = tuple(side for side in sides if side is not None and 1 <= side <= LARGEST)
    if len(found) != 2:
        raise argparse.ArgumentTypeError(f"{quoted(text)} is not a size such as 1920x1080")
    return found
