"""The command line. Each command imports what it needs when it is asked for, so that --help answers at once."""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pkgutil import resolve_name

from convnext_studio import __version__
from convnext_studio.cli.help_texts import documented
from convnext_studio.common.attribution_methods import METHODS
from convnext_studio.common.errors import StudioError
from convnext_studio.common.garbage_collection import collecting_later
from convnext_studio.common.memory import is_of_computer, is_out_of_memory
from convnext_studio.common.samples import FIRST_SAMPLE
from convnext_studio.model.presets import default_model
from convnext_studio.training.arguments import evaluate_parser, seed, train_parser

EXIT_FAILED = 1
EXIT_CANNOT_START = 2
LARGEST = 16_384  # Steps of a lecture, pixels of a side: more is a slip of the finger.

_EPILOG = """\
commands, each with a --help of its own:
  export      write predictions, maps, Grad-CAM and receptive field of pictures to files, without a window
  erf         measure effective receptive fields over a folder of pictures, and compare networks
  handout     write the lecture with a model and a picture as one PDF or HTML file
  train       train a network on a folder of pictures
  evaluate    measure a trained network on a folder of pictures
  models      list the models that can be opened
  doctor      tell what this machine has and lacks for ConvNeXt Studio
  completion  print what a shell needs to complete all this
  install-desktop-entry
              put the program into the desktop's menu (Linux), or take it away

A picture that is called like a command is opened as ./export.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program and give its exit status: 0 done, 1 something could not be done, 2 cannot start."""
    arguments = sys.argv[1:] if arguments is None else arguments
    command = arguments[0] if arguments else ""
    try:
        if command in _COMMANDS:
            parser, entry = _COMMANDS[command]
            options = documented(parser(), command).parse_args(arguments[1:])
            run: Callable[[argparse.Namespace], int] = resolve_name(entry)
            return run(options)
        return _open_window(documented(_window_parser(), "").parse_args(arguments))
    except StudioError as error:
        print(f"convnext-studio: {error}", file=sys.stderr)
        return EXIT_FAILED
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        whose = "The computer's" if is_of_computer(error) else "The graphics device's"
        print(f"convnext-studio: {whose} memory has run out. Use smaller sizes.", file=sys.stderr)
        return EXIT_FAILED
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader (head, less) has gone; Python would complain once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_FAILED


def _open_window(options: argparse.Namespace) -> int:
    with collecting_later():
        # Not needed for --help, nor where there is no Qt.
        from convnext_studio.ui.start.app import WindowOptions, run

    if options.step is not None and options.present is None:
        raise StudioError("--step is a step of a lecture.", "Give --present, too.")
    return run(WindowOptions(**vars(options) | {"images": tuple(options.images)}))


def _window_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="convnext-studio",
        description="A microscope for ConvNeXt: feature maps, receptive fields and Grad-CAM in one window.",
        epilog=_EPILOG,
    )
    parser.add_argument(
        "images",
        nargs="*",
        metavar="IMAGE",
        help="pictures, folders of pictures (thousands if need be), or a saved session (.cnxsession)",
    )
    _add_model_options(parser)
    parser.add_argument(
        "--screenshot",
        metavar="FILE.png",
        help="save a picture of the window once every panel shows its answer, and quit",
    )
    parser.add_argument(
        "--present",
        nargs="?",
        const="",
        metavar="FOLDER",
        help="present the lecture at once, full screen, or one of your own; pictures go before this option",
    )
    parser.add_argument(
        "--step", type=_positive, metavar="N", help="step of the lecture to begin with (default: 1)"
    )
    parser.add_argument("--size", type=_size, metavar="1920x1080", help="size of the window in pixels")
    parser.add_argument("--version", action="version", version=f"ConvNeXt Studio {__version__}")
    return parser


def _export_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="convnext-studio export",
        description="Write what the window shows of each picture to DIR/<picture's name>/: predictions.json, "
        "each stage, the attribution and erf as .npy and .png, the latter two's .json, report.html.",
    )
    parser.add_argument("images", nargs="+", metavar="IMAGE", help="pictures, or sample:NAME")
    parser.add_argument(
        "--out", required=True, metavar="DIR", help="folder to write into; made where it is missing"
    )
    _add_model_options(parser)
    parser.add_argument(
        "--node",
        help="node for attribution and receptive field: a stage such as stage2, or a block such as "
        "stage3.block5 (default: the last stage)",
    )
    parser.add_argument(
        "--method",
        default="gradcam",
        help="of attribution: " + ", ".join(method.name for method in METHODS) + " (default: %(default)s)",
    )
    parser.add_argument(
        "--faithfulness",
        action="store_true",
        help="measure insertion and deletion by the attribution, too",
    )
    parser.add_argument(
        "--target", metavar="CLASS", help="class to explain, by name or number (default: the prediction)"
    )
    parser.add_argument(
        "--protocol", choices=("centred", "replknet"), default="centred", help="of the receptive field"
    )
    parser.add_argument(
        "--field-count",
        type=int,
        default=8,
        metavar="N",
        help="pictures to average the receptive field over; noise where there are fewer (default: 8)",
    )
    return parser


def _erf_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="convnext-studio erf",
        description="Average the effective receptive field over pictures, and write it to DIR: erf.npy (the "
        "array, as the published scripts save it), erf.npz (with its protocol), erf.json, erf.png, curves.png. "
        "An average that was broken off goes on where it was left; so does one asked for with more pictures.",
    )
    parser.add_argument(
        "--out", required=True, metavar="DIR", help="folder to write into; made where it is missing"
    )
    inputs = parser.add_mutually_exclusive_group()
    inputs.add_argument("--images", metavar="FOLDER", help="pictures, in sub-folders too")
    inputs.add_argument("--noise", action="store_true", help="average over standard normal noise instead")
    _add_model_options(parser, with_precision=False)
    parser.add_argument(
        "--protocol",
        choices=("replknet", "centred", "absolute", "luo"),
        default="replknet",
        help="what is measured (default: %(default)s)",
    )
    parser.add_argument(
        "--count", type=int, default=50, metavar="N", help="pictures to average (default: %(default)s)"
    )
    parser.add_argument(
        "--input-px",
        type=_positive,
        metavar="PX",
        help="side to which they are squashed (default: 1024 for replknet, else the model's own)",
    )
    parser.add_argument("--node", help="a stage or a block such as stage3.block5 (default: the last stage)")
    parser.add_argument("--unit", type=_unit, metavar="Y,X", help="unit of its map (default: the middle one)")
    parser.add_argument(
        "--seed",
        type=seed,
        default=0,
        help="of the sample of pictures, of noise and of random weights (default: 0)",
    )
    parser.add_argument(
        "--subject",
        action="append",
        default=[],
        metavar="MODEL|random|kernel=N|layer-scale=X",
        help="another network to measure beside the model, up to three times: a model as for --model, or "
        "random weights in the model's architecture, as it is or with another kernel size or layer scale",
    )
    return parser


def _handout_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="convnext-studio handout",
        description="Write the whole lecture, computed with one model and one picture, "
        "as one PDF or HTML file.",
    )
    parser.add_argument(
        "image", nargs="?", metavar="IMAGE", help=f"picture, or sample:NAME (default: sample:{FIRST_SAMPLE})"
    )
    parser.add_argument("--out", required=True, metavar="FILE.pdf|FILE.html", help="file to write")
    parser.add_argument("--lecture", metavar="FOLDER", help="a lecture of your own (default: the bundled one)")
    _add_model_options(parser)
    return parser


def _unit(text: str) -> tuple[int, int]:
    row, _, column = text.partition(",")
    if not (row.isdecimal() and column.isdecimal()):
        raise argparse.ArgumentTypeError(f"{text!r} is not a unit such as 16,16 (row, column)")
    return int(row), int(column)


def _positive(text: str) -> int:
    if not (text.isdecimal() and 1 <= int(text) <= LARGEST):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to {LARGEST}")
    return int(text)


def _models_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="convnext-studio models", description="List the models that --model can open."
    )
    parser.add_argument("--json", action="store_true", help="as JSON")
    return parser


def _doctor_parser() -> argparse.ArgumentParser:
    return argparse.ArgumentParser(
        prog="convnext-studio doctor",
        description="Tell versions, devices, what the window needs and lacks, and where files lie. "
        "Exit status 0 where all is there, 1 where something is missing.",
    )


def _completion_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="convnext-studio completion",
        description="Print what a shell needs to complete commands, options and files of this program.",
    )
    parser.add_argument("shell", choices=("bash", "zsh", "fish", "tcsh"), help="which shell")
    parser.set_defaults(window=_window_parser, commands={name: make for name, (make, _) in _COMMANDS.items()})
    return parser


def _desktop_entry_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="convnext-studio install-desktop-entry",
        description="Put ConvNeXt Studio into the desktop's menu for this user: a desktop file and icons below "
        "XDG_DATA_HOME (~/.local/share). For Linux and other systems with freedesktop.org's menus.",
    )
    parser.add_argument("--uninstall", action="store_true", help="take them away again")
    return parser


def _add_model_options(parser: argparse.ArgumentParser, *, with_precision: bool = True) -> None:
    parser.add_argument(
        "--model",
        default=default_model(),
        help="preset:NAME, timm:NAME, timm-random:NAME, road:STEP or a weights file (default: %(default)s)",
    )
    parser.add_argument(
        "--device",
        default="auto",
        metavar="auto|cpu|cuda|mps",
        help="where to compute (default: the fastest there is)",
    )
    if with_precision:
        parser.add_argument(
            "--precision",
            choices=("float32", "bfloat16"),
            default="float32",
            help="of the forward pass; bfloat16 on CUDA only (default: %(default)s)",
        )
    parser.add_argument("--offline", action="store_true", help="open no network connection")
    stem = parser.add_argument_group("what tensors cannot tell of the network")
    stem.add_argument("--stem-stride", type=int, metavar="PX", help="of the first convolution")
    stem.add_argument("--stem-padding", type=int, metavar="PX", help="of the first convolution")


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.lower().partition("x")
    if not all(side.isdecimal() and 1 <= int(side) <= LARGEST for side in (width, height)):
        raise argparse.ArgumentTypeError(f"{text!r} is not a size such as 1920x1080")
    return int(width), int(height)


_COMMANDS: dict[str, tuple[Callable[[], argparse.ArgumentParser], str]] = {
    "export": (_export_parser, "convnext_studio.cli.export_and_models:export"),
    "erf": (_erf_parser, "convnext_studio.cli.erf:run"),
    "handout": (_handout_parser, "convnext_studio.cli.handout:run"),
    "train": (train_parser, "convnext_studio.training.commands:train"),
    "evaluate": (evaluate_parser, "convnext_studio.training.commands:evaluate"),
    "models": (_models_parser, "convnext_studio.cli.export_and_models:models"),
    "doctor": (_doctor_parser, "convnext_studio.cli.doctor:run"),
    "completion": (_completion_parser, "convnext_studio.cli.completion:run"),
    "install-desktop-entry": (_desktop_entry_parser, "convnext_studio.cli.desktop_entry:run"),
}
