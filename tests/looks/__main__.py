"""Take a picture of every view of the program, in a real window: ``python -m tests.looks OUT``.

The window runs on an X server of its own with a window manager (Xvfb and openbox have to be installed), once
for each size. Everything is driven through the program's own actions, and each picture is taken when all that
can be seen has its answer.
"""

import argparse
import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

SIZES = ("1024x768", "1280x720", "1366x768", "1920x1080", "2560x1440@2")
_READY_S = 10.0


def main() -> int:
    """Run one photographer for each size that was asked for; 1 where one of them failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.looks", description=__doc__)
    parser.add_argument("out", type=Path, help="folder for the pictures")
    parser.add_argument("--sizes", nargs="*", default=SIZES, metavar="WxH[@SCALE]", help="of the screen")
    parser.add_argument("--themes", nargs="*", default=("dark",), choices=("dark", "light"))
    parser.add_argument("--display", type=int, default=80, help="number of the first X server")
    parser.add_argument("--text-pt", type=int, default=9, help="text size in points")
    parser.add_argument("--views", default="", help="only views in whose name this pattern is found")
    parser.add_argument("--faults", action="store_true", help="also write what is cut off or overlaps")
    options = parser.parse_args()
    failed = False
    for number, size in enumerate(options.sizes):
        pixels, _, scale = size.partition("@")
        for theme in options.themes:
            folder = options.out / f"{size.replace('@', '_at_')}_{theme}_{options.text_pt}pt"
            folder.mkdir(parents=True, exist_ok=True)
            with _screen(f":{options.display + number}", pixels) as variables:
                command = [sys.executable, "-m", "tests.looks.photographer", str(folder.resolve())]
                command += ["--theme", theme, "--text-pt", str(options.text_pt), "--views", options.views]
                command += ["--faults"] if options.faults else []
                variables["QT_SCALE_FACTOR"] = scale or "1"
                code = subprocess.run(command, env=variables, check=False).returncode
                if code:
                    sys.stderr.write(f"{folder}: the photographer ended with {code}\n")
                failed |= code != 0
    return int(failed)


@contextlib.contextmanager
def _screen(display: str, pixels: str) -> Iterator[dict[str, str]]:
    """An X server with a window manager, and the environment that a program needs to appear on it."""
    server = subprocess.Popen(["Xvfb", display, "-screen", "0", f"{pixels}x24", "-nolisten", "tcp"])
    with tempfile.TemporaryDirectory() as settings:
        variables = {**os.environ, "DISPLAY": display, "CONVNEXT_STUDIO_CONFIG_DIR": settings}
        variables.pop("QT_QPA_PLATFORM", None)
        manager = None
        try:
            deadline = time.monotonic() + _READY_S
            while not Path(f"/tmp/.X11-unix/X{display[1:]}").exists() and time.monotonic() < deadline:
                time.sleep(0.05)
            manager = subprocess.Popen(["openbox"], env=variables, stderr=subprocess.DEVNULL)
            yield variables
        finally:
            for process in (manager, server):
                if process is not None:
                    process.terminate()
                    process.wait()


if __name__ == "__main__":
    sys.exit(main())
