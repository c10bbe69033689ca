"""`convnext-studio export`: writes what the window shows for pictures to files."""

import argparse

from convnext_studio.cli.options import Parser, add_framing_options, add_model_options, integer
from convnext_studio.common.attribution_methods import METHODS

EXAMPLES = (
    ("cat.jpg --out results", "write all figures and arrays for a picture to results/cat"),
    (
        "cat.jpg dog.jpg --out results --node stage3 --target cat",
        "explain “cat” at stage 3, for two pictures",
    ),
    (
        "cat.jpg --out results --model my.pth --compare timm:convnext_tiny",
        "write the same for a second network, and the differences of the two",
    ),
    (
        "panorama.jpg --out results --framing whole --input-px 512",
        "show the network the whole picture, 512 pixels long",
    ),
    (
        "cat.jpg --out results --method integratedgradients --faithfulness",
        "use another method, and measure insertion and deletion",
    ),
)


def parser() -> argparse.ArgumentParser:
    """Return the parser of `convnext-studio export`."""
    parser = Parser(
        prog="convnext-studio export",
        description=(
            "Write what the window shows for each picture to DIR/NAME, where NAME is the name of "
            "the picture: predictions.json; every stage, the attribution and the receptive field "
            "as .npy and .png, the last two also as .json; and report.html, which shows everything."
        ),
    )
    parser.add_argument("images", nargs="+", metavar="IMAGE", help="pictures, or sample:NAME")
    parser.add_argument(
        "--out", required=True, metavar="DIR", help="folder to write to; it is created if it does not exist"
    )
    add_model_options(parser)
    add_framing_options(parser)
    second = parser.add_mutually_exclusive_group()
    second.add_argument(
        "--compare",
        metavar="MODEL",
        help="second network, as in --model: its files are written to DIR/NAME/b, and what the first one minus "
        "the second one gives to DIR/NAME/difference",
    )
    second.add_argument(
        "--recipe",
        metavar="FILE",
        help="changes inside the network, as a recipe that was saved: files of the changed network are written "
        "to DIR/NAME/b, and without the changes minus with them to DIR/NAME/difference",
    )
    parser.add_argument(
        "--node",
        help="node for attribution and receptive field: a stage such as stage2, or a block such as "
        "stage3.block5 (default: the last stage)",
    )
    parser.add_argument(
        "--method",
        default="gradcam",
        help="attribution method: " + ", ".join(method.name for method in METHODS) + " (default: %(default)s)",
    )
    parser.add_argument(
        "--faithfulness",
        action="store_true",
        help="also measure the faithfulness of the attribution by insertion and deletion",
    )
    parser.add_argument(
        "--target", metavar="CLASS", help="class to explain, by name or number (default: the prediction)"
    )
    parser.add_argument(
        "--protocol",
        choices=("centred", "replknet"),
        default="centred",
        help="protocol of the receptive field (default: %(default)s)",
    )
    parser.add_argument(
        "--field-count",
        type=integer,
        default=16,
        metavar="N",
        help=(
            "number of inputs to average the receptive field over: the pictures, and noise for what they lack "
            "(default: %(default)s)"
        ),
    )
    return parser


def run(options: argparse.Namespace) -> int:
    """Write the files of every picture."""
    # Imported here, because it needs numpy and Pillow, and later torch, which take long to import.
    from convnext_studio.cli.commands.export_pictures import export

    return export(options)
