"""`convnext-studio evaluate`: measures the accuracy of a trained network."""

import argparse
from pathlib import Path

from convnext_studio.cli.options import Parser, add_device_option, integer
from convnext_studio.cli.progress_bars import draw_bar

EXAMPLES = (("pets.safetensors pictures/val", "print the accuracy with its interval, and the confusions"),)


def parser() -> argparse.ArgumentParser:
    """Return the parser of `convnext-studio evaluate`."""
    parser = Parser(
        prog="convnext-studio evaluate",
        description="Measure a trained model on a folder that holds one folder of pictures for each class: its "
        "accuracy with a 95 % interval, a table of the classes, and the most frequent confusions.",
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="weights file of ConvNeXt Studio")
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="one folder of pictures for each class")
    parser.add_argument(
        "--input-px", type=integer, metavar="N", help="side of the input (default: the model's)"
    )
    add_device_option(parser)
    return parser


def run(options: argparse.Namespace) -> int:
    """Measure, and print the results."""
    # Imported here, because it needs torch, which takes seconds to import.
    from convnext_studio.training.accuracy import evaluate

    measured = evaluate(
        options.file,
        options.folder,
        input_px=options.input_px,
        device=options.device,
        advance=lambda done, total: draw_bar("Evaluating", done, total),
    )
    print(measured.to_text())
    return 0
