"""The engine's process: ``python -m convnext_studio.engine.server.engine_child MODULE:FUNCTION``.

The function is called with the channel to the window, over standard input and output. The process runs at a
lower priority than the window, ends with it, and leaves Ctrl+C to it.
"""

import ctypes
import os
import pkgutil
import signal
import sys

from convnext_studio.common.processes.child_processes import take_streams
from convnext_studio.protocol.connection.message_codec import decode_order
from convnext_studio.protocol.connection.transport import Channel

_NICENESS = 5
_PR_SET_PDEATHSIG = 1  # from linux/prctl.h


def main(entry: str) -> None:
    """Call the function named by ``module:function``."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform != "win32":
        # torch uses every CPU core; the window must still get one at once when it needs it.
        os.nice(_NICENESS)
    if sys.platform == "linux":
        # The end of the stream also ends the process, but not while a library computes with Python blocked.
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    source, sink = take_streams("terminal")
    pkgutil.resolve_name(entry)(Channel(source, sink, decode_order))


if __name__ == "__main__":
    main(sys.argv[1])
