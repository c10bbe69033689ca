"""Command-line options that several commands share."""

import argparse

from convnext_studio.common.errors import StudioError
from convnext_studio.model.framing import FRAMING_KINDS, Framing
from convnext_studio.model.presets import default_model

LARGEST = 16_384  # For steps of a lecture or pixels of a side; a larger number is a typing error.
LARGEST_SEED = 2**31 - 1


def add_model_options(parser: argparse.ArgumentParser, *, with_precision: bool = True) -> None:
    """Add the options that say which model to open, and how."""
    parser.add_argument(
        "--model",
        default=default_model(),
        help="preset:NAME, timm:NAME, timm-random:NAME, road:STEP or a weights file (default: %(default)s)",
    )
    add_device_option(parser)
    if with_precision:
        parser.add_argument(
            "--precision",
            choices=("float32", "bfloat16"),
            default="float32",
            help="precision of the forward pass; bfloat16 needs CUDA (default: %(default)s)",
        )
    parser.add_argument("--offline", action="store_true", help="do not open any network connection")
    stem = parser.add_argument_group("options for what a weights file does not state")
    stem.add_argument(
        "--part",
        default="",
        metavar="PREFIX",
        help="network to open in a file that holds several, such as student.backbone, or head to use",
    )
    stem.add_argument("--stem-stride", type=int, metavar="PX", help="stride of the first convolution")
    stem.add_argument("--stem-padding", type=int, metavar="PX", help="padding of the first convolution")


def add_device_option(parser: argparse.ArgumentParser) -> None:
    """Add the option for the device to compute on."""
    parser.add_argument(
        "--device",
        default="auto",
        metavar="auto|cpu|cuda|mps",
        help="device to compute on (default: auto, the fastest available one)",
    )


def add_framing_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say what networks are shown of pictures."""
    parser.add_argument(
        "--framing",
        choices=FRAMING_KINDS,
        default="trained",
        help=(
            "what the network is shown: the crop that it was trained on, the whole picture, padded to the "
            "network's stride, or the picture at its native size (default: %(default)s)"
        ),
    )
    parser.add_argument(
        "--input-px",
        type=positive,
        default=0,
        metavar="PX",
        help="side of the crop, or longer side of the whole picture (default: the network's own)",
    )


def framing(options: argparse.Namespace) -> Framing:
    """Return the framing that the options ask for; raise a StudioError if they contradict each other."""
    if options.framing == "native" and options.input_px:
        raise StudioError("--input-px has no meaning at native size.", "Leave it out, or give --framing whole.")
    return Framing(kind=options.framing, input_px=options.input_px)


def positive(text: str) -> int:
    """Read a whole number from 1 to `LARGEST`."""
    if not (text.isdecimal() and 1 <= int(text) <= LARGEST):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to {LARGEST}")
    return int(text)


def seed(text: str) -> int:
    """Read the seed of a random number generator."""
    if not text.isdecimal() or int(text) > LARGEST_SEED:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 to {LARGEST_SEED}")
    return int(text)
