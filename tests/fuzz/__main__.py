"""The command: run cases, print how they ended, and keep the files of those that must not end so."""

import argparse
import sys
from pathlib import Path

from tests.fuzz.running import run


def main() -> int:
    """Return 1 if any case ended in a way that it must not."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--out", type=Path, default=Path("fuzz"), help="folder for the files of faulty cases")
    parser.add_argument("--kinds", nargs="*", default=(), help="kinds of files (default: all)")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    figures = run(options.count, options.seed, options.out, tuple(options.kinds), options.first)
    print(figures)
    for number, kind, what, said in figures.faults:
        print(f"\n{options.seed}-{number}-{kind}: {what}\n{said}")
    return 1 if figures.faults else 0


if __name__ == "__main__":
    sys.exit(main())
