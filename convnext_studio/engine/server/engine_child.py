"""The engine's process: ``python -m convnext_studio.engine.server.engine_child MODULE:FUNCTION``.

The function is called with the channel to the window, which is standard input and output. The process gives way
to the window, ends with it, and leaves Ctrl+C to it.
"""

import ctypes
import os
import pkgutil
import signal
import sys

from convnext_studio.common.child_processes import take_streams
from convnext_studio.protocol.message_codec import decode_order
from convnext_studio.protocol.transport import Channel

_NICENESS = 5
_PR_SET_PDEATHSIG = 1  # from linux/prctl.h


def main(entry: str) -> None:
    """Call the function of that name, ``module:function``."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform != "win32":
        # torch takes every processor there is; a window that wants one for a moment gets it first.
        os.nice(_NICENESS)
    if sys.platform == "linux":
        # The end of the stream tells the same, but not while a library computes without letting Python run.
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    source, sink = take_streams("terminal")
    pkgutil.resolve_name(entry)(Channel(source, sink, decode_order))


if __name__ == "__main__":
    main(sys.argv[1])
