"""`convnext-studio models`: lists the models that can be opened."""

import argparse
import json
from typing import Any

from msgspec.structs import asdict

from convnext_studio.cli.options import Parser
from convnext_studio.model.nodes import node_table, total_macs, total_parameters
from convnext_studio.model.presets import BUNDLED_RANDOM, PRESETS, bundled_models
from convnext_studio.model.road.steps import ROAD

EXAMPLES = (("", "list all models that --model opens"), ("--json", "print the same list for other programs"))


def parser() -> argparse.ArgumentParser:
    """Return the parser of `convnext-studio models`."""
    parser = Parser(prog="convnext-studio models", description="List the models that --model can open.")
    parser.add_argument("--json", action="store_true", help="print the list as JSON")
    return parser


def run(options: argparse.Namespace) -> int:
    """Print one line for each model, or all of them as JSON."""
    rows = [*_own_models(), *_steps_on_the_road(), *_timm_models()]
    if options.json:
        print(json.dumps(rows, indent=1))
        return 0
    for row in rows:
        print(f"{row['model']:<56} {_size_text(row)}  {row['weights']}{_published_text(row)}".rstrip())
    return 0


def _size_text(row: dict[str, Any]) -> str:
    if not row["macs"]:
        return ""
    return f"{row['parameters'] / 1e6:6.1f} M parameters, {row['macs'] / 1e9:6.2f} GMACs"


def _published_text(row: dict[str, Any]) -> str:
    published = row.get("published")
    if published is None:
        return ""
    parameters = "" if published["parameters"] is None else f"{published['parameters'] / 1e6:g} M, "
    return (
        f"; published: {parameters}{published['macs'] / 1e9:g} GMACs,"
        f" {published['accuracy']:.1f} % top-1 ({published['training']})"
    )


def _own_models() -> list[dict[str, Any]]:
    # Imported here, because it needs numpy and --help does not.
    from convnext_studio.model.preprocessing import Preprocessing

    rows: list[dict[str, Any]] = []
    for name in bundled_models():
        weights = "random weights" if name == BUNDLED_RANDOM else "trained, comes with the program"
        rows.append({"model": name, "parameters": None, "macs": None, "weights": weights})
    input_px = Preprocessing().input_px
    for name, known in PRESETS.items():
        nodes = node_table(known.config, input_px)
        rows.append(
            {
                "model": f"preset:{name}",
                "parameters": total_parameters(nodes, known.config),
                "macs": total_macs(nodes, known.config),
                "weights": "random weights",
                "published": None if known.published is None else asdict(known.published),
            }
        )
    return rows


def _steps_on_the_road() -> list[dict[str, Any]]:
    return [
        {
            "model": step.source,
            "parameters": step.parameters,
            "macs": step.macs,
            "weights": "random weights",
            "published": {
                "parameters": None,
                "macs": round(step.gmacs * 1e9),
                "accuracy": step.accuracy,
                "training": "ImageNet-1k",
            },
        }
        for step in ROAD.values()
    ]


def _timm_models() -> list[dict[str, Any]]:
    # Reading the catalogue needs timm, and with it torch, which takes seconds to import.
    from convnext_studio.model.timm.pretrained import catalogue

    return [
        {
            "model": f"timm:{entry.name}",
            "parameters": None,
            "macs": None,
            "weights": f"{entry.licence}, " + ("on this computer" if entry.is_cached else "to be downloaded"),
        }
        for entry in catalogue()
    ]
