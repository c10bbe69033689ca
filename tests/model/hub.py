"""A hub on this computer: serves one file, chunk by chunk, as slowly as the test wants."""

import hashlib
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

CHUNK_BYTES = 20_000
COMMIT = "1" * 40


class FakeHub:
    """What the server gives and how.

    Attributes
    ----------
    pause_s
        Between two chunks.
    breaks_after
        Bytes after which the connection ends; None to send all.
    stalls_after
        Bytes after which nothing more comes, while the connection stays.
    asked
        Method and path of what was asked.
    """

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.etag = hashlib.sha256(content).hexdigest()
        self.pause_s = 0.0
        self.breaks_after: int | None = None
        self.stalls_after: int | None = None
        self.asked: list[tuple[str, str]] = []
        self.closing = threading.Event()
        self.url = ""


@contextmanager
def serving(hub: FakeHub) -> Iterator[FakeHub]:
    """Serve on a free port of 127.0.0.1 until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Say nothing."""

        def _head(self) -> None:
            hub.asked.append((self.command, self.path))
            self.send_response(200)
            self.send_header("Content-Length", str(len(hub.content)))
            self.send_header("ETag", f'"{hub.etag}"')
            self.send_header("X-Repo-Commit", COMMIT)
            self.end_headers()

        def do_HEAD(self) -> None:
            self._head()

        def do_GET(self) -> None:
            self._head()
            for start in range(0, len(hub.content), CHUNK_BYTES):
                if hub.breaks_after is not None and start >= hub.breaks_after:
                    return
                if hub.stalls_after is not None and start >= hub.stalls_after:
                    hub.closing.wait(30)
                    return
                try:
                    self.wfile.write(hub.content[start : start + CHUNK_BYTES])
                except OSError:
                    return
                time.sleep(hub.pause_s)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    hub.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield hub
    finally:
        hub.closing.set()
        server.shutdown()
        thread.join()
        server.server_close()
