"""Command-line options that several commands share."""

import argparse
from typing import TYPE_CHECKING

from convnext_studio.common.errors import StudioError
from convnext_studio.decoding.picture_view import PictureView
from convnext_studio.model.framing import FRAMING_KINDS, Framing
from convnext_studio.model.presets import default_model

if TYPE_CHECKING:
    from convnext_studio.protocol.models import LoadModel

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
    for name, what in (("mean", "mean"), ("std", "deviation")):
        parser.add_argument(
            f"--{name}",
            type=_numbers,
            default=(),
            metavar="X,X,X",
            help=f"{what} of each band, by which pictures are normalised (default: the network's own)",
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


def model_request(options: argparse.Namespace) -> "LoadModel":
    """Return the request for the model that the options of `add_model_options` name."""
    from convnext_studio.protocol.models import LoadModel  # NumPy comes with it, which --help does without.

    return LoadModel(
        source=options.model,
        device=options.device,
        precision=getattr(options, "precision", "float32"),
        offline=options.offline,
        stem_stride=options.stem_stride,
        stem_padding=options.stem_padding,
        part=options.part,
        mean=options.mean,
        std=options.std,
    )


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

    parser.add_argument(
        "--frame", type=positive, default=1, metavar="N", help="page or frame of the files (default: 1)"
    )
    parser.add_argument(
        "--bands",
        type=_bands,
        default=(),
        metavar="R,G,B",
        help="bands that are shown as red, green and blue, counted from 1, or one, in grey (default: 1,2,3)",
    )
    parser.add_argument(
        "--contrast",
        type=_percentiles,
        metavar="LOW,HIGH",
        help="percentiles of each band's values that become black and white, such as 2,98",
    )


def picture_view(options: argparse.Namespace) -> PictureView:
    """Return the view of files that the options ask for."""
    return PictureView(frame=options.frame - 1, bands=options.bands, contrast=options.contrast)


def _numbers(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(number) for number in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not numbers such as 0.5,0.5,0.5") from None


def _bands(text: str) -> tuple[int, ...]:
    bands = text.split(",")
    if len(bands) not in (1, 3) or not all(band.isdecimal() and 1 <= int(band) <= LARGEST for band in bands):
        raise argparse.ArgumentTypeError(f"{text!r} is not three bands such as 4,3,2, nor one")
    return tuple(int(band) - 1 for band in bands)


def _percentiles(text: str) -> tuple[float, float]:
    try:
        low, high = (float(number) for number in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not two percentiles such as 2,98") from None
    return low, high


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
