"""`convnext-studio erf`: measures receptive fields over a folder of pictures, resuming interrupted runs."""

import argparse

from convnext_studio.cli.options import (
    LARGEST,
    Parser,
    add_model_options,
    integer,
    positive,
    quoted,
    seed,
    whole,
)

EXAMPLES = (
    ("--images photos --out field", "follow RepLKNet's protocol with fifty pictures of a folder"),
    ("--noise --protocol centred --out field --subject random", "compare with random weights, on noise"),
    ("--images photos --out field --count 500", "continue from an average of fifty pictures"),
)


def parser() -> argparse.ArgumentParser:
    """Return the parser of `convnext-studio erf`."""
    parser = Parser(
        prog="convnext-studio erf",
        description=(
            "Average the effective receptive field over pictures, and write it to DIR: erf.npy "
            "(the array, as the published scripts save it), erf.npz (with its protocol), erf.json, "
            "erf.png, curves.png. An interrupted measurement continues where it stopped, and so "
            "does one that is run again with more pictures."
        ),
    )
    parser.add_argument(
        "--out", required=True, metavar="DIR", help="folder to write to; it is created if it does not exist"
    )
    inputs = parser.add_mutually_exclusive_group()
    inputs.add_argument("--images", metavar="FOLDER", help="folder of pictures, including its subfolders")
    inputs.add_argument("--noise", action="store_true", help="average over standard normal noise instead")
    add_model_options(parser, with_precision=False)
    parser.add_argument(
        "--protocol",
        choices=("replknet", "centred", "absolute", "luo"),
        default="replknet",
        help="protocol of the measurement (default: %(default)s)",
    )
    parser.add_argument(
        "--count",
        type=integer,
        default=50,
        metavar="N",
        help="number of pictures to average (default: %(default)s)",
    )
    parser.add_argument(
        "--input-px",
        type=positive,
        metavar="PX",
        help=(
            "width to which pictures are resized (default: 1024 for replknet, otherwise the model's input size)"
        ),
    )
    parser.add_argument(
        "--height-px",
        type=positive,
        default=0,
        metavar="PX",
        help="height to which pictures are resized (default: as wide)",
    )
    parser.add_argument("--node", help="a stage, or a block such as stage3.block5 (default: the last stage)")
    parser.add_argument(
        "--unit",
        type=_unit,
        metavar="Y,X",
        help="row and column of the unit in its map (default: the middle one)",
    )
    parser.add_argument(
        "--seed",
        type=seed,
        default=0,
        help="seed for choosing pictures, for noise and for random weights (default: 0)",
    )
    parser.add_argument(
        "--subject",
        action="append",
        default=[],
        metavar="MODEL|random|kernel=N|layer-scale=X",
        help=(
            "another network to measure for comparison; may be given three times. Either a model "
            "as for --model, or random weights in the model's architecture, unchanged or with "
            "another kernel size or layer scale"
        ),
    )
    return parser


def run(options: argparse.Namespace) -> int:
    """Measure, and write fields, numbers and figures."""
    # Imported here, because it needs torch, which takes seconds to import.
    from convnext_studio.cli.commands.erf_measuring import measure

    return measure(options)


def _unit(text: str) -> tuple[int, int]:
    places = [whole(place) for place in text.split(",", 1)]
    found = tuple(place for place in places if place is not None and 0 <= place <= LARGEST)
    if len(found) != 2:
        raise argparse.ArgumentTypeError(f"{quoted(text)} is not a unit such as 16,16 (row, column)")
    return found
