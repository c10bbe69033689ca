"""The process that reads changed files: ``python -m tests.fuzz.child SEED FIRST LAST FOLDER [NAMES]``.

It writes a line before each case and one after it, so that its parent knows which one ended it.
"""

import json
import random
import resource
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path

from tests.fuzz.targets import REFUSALS, targets

_LIMIT_BYTES = 12 << 30
"""Of address space, so that no case takes the whole machine; torch alone maps some GB."""


def main(seed: int, first: int, last: int, folder: Path, names: list[str]) -> None:
    """Read the cases from `first` to `last`."""
    resource.setrlimit(resource.RLIMIT_AS, (_LIMIT_BYTES, _LIMIT_BYTES))
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as made:
        kinds = targets(Path(made))
    chosen = [name for name in kinds if not names or name in names]
    shares = [kinds[name].share for name in chosen]
    for number in range(first, last):
        # Each case has its own dice, so that it can be made again alone.
        dice = random.Random(seed * 1_000_003 + number)
        name = dice.choices(chosen, shares)[0]
        target = kinds[name]
        data = target.change(dice.choice(target.examples), dice.choice(target.examples), dice)
        (folder / "case").write_bytes(data)
        print(json.dumps({"begin": number, "kind": name}), flush=True)
        before, memory = time.process_time(), _most_bytes()
        outcome = _outcome(target.read, data, folder)
        took = {"seconds": time.process_time() - before, "bytes": _most_bytes() - memory}
        print(json.dumps({"end": number} | took | outcome), flush=True)


def _outcome(read: Callable[[bytes, Path], object], data: bytes, folder: Path) -> dict[str, str]:
    try:
        read(data, folder)
    except REFUSALS as error:
        said = str(error)
        if "\n" in said or len(said) > 1100:
            return {"outcome": "long", "said": said[:500]}
        return {"outcome": "refused"}
    except Exception:
        return {"outcome": "traceback", "said": traceback.format_exc()[-3000:]}
    return {"outcome": "read"}


def _most_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4]), sys.argv[5:])
