"""A local Hugging Face hub that serves one file as slowly as the test wants, and a fake cache of the hub."""

import hashlib
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import timm
import torch
from safetensors.torch import save_file

CHUNK_BYTES = 20_000
COMMIT = "1" * 40


class FakeHub:
    """The behaviour of the server.

    Attributes
    ----------
    pause_s
        Between two chunks.
    breaks_after
        Bytes after which the connection ends; None to send all.
    stalls_after
        Bytes after which nothing more comes, while the connection stays.
    redirects
        Whether it sends people elsewhere for the file, as the real one does.
    status, error_code
        What it answers with in place of the file, and the hub's word for why; 0 if it sends the file.
    asked
        Method and path of what was asked.
    """

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.etag = hashlib.sha256(content).hexdigest()
        self.pause_s = 0.0
        self.breaks_after: int | None = None
        self.stalls_after: int | None = None
        self.redirects = False
        self.status = 0
        self.error_code = ""
        self.asked: list[tuple[str, str]] = []
        self.closing = threading.Event()
        self.url = ""


class _Handler(BaseHTTPRequestHandler):
    hub: FakeHub

    def log_message(self, *_: object) -> None:
        """Suppress the log."""

    def do_HEAD(self) -> None:
        """Send the size and etag of the file, or redirect to it."""
        self.hub.asked.append((self.command, self.path))
        if self.hub.status:
            self.send_response(self.hub.status)
            self.send_header("Content-Length", "0")
            if self.hub.error_code:
                self.send_header("X-Error-Code", self.hub.error_code)
            self.end_headers()
            return
        size, etag = str(len(self.hub.content)), f'"{self.hub.etag}"'
        if self._is_elsewhere:
            headers = {"Location": f"{self.hub.url}/elsewhere", "X-Linked-Size": size, "X-Linked-ETag": etag}
            headers["Content-Length"] = "0"
        else:
            headers = {"Content-Length": size, "ETag": etag}
        self.send_response(302 if self._is_elsewhere else 200)
        for name, value in {**headers, "X-Repo-Commit": COMMIT}.items():
            self.send_header(name, value)
        self.end_headers()

    def do_GET(self) -> None:
        """Send the file."""
        self.do_HEAD()
        if self._is_elsewhere or self.hub.status:
            return
        hub = self.hub
        for start in range(0, len(hub.content), CHUNK_BYTES):
            if hub.breaks_after is not None and start >= hub.breaks_after:
                return
            if hub.stalls_after is not None and start >= hub.stalls_after:
                hub.closing.wait(30)
                return
            try:
                self.wfile.write(hub.content[start : start + CHUNK_BYTES])
            except OSError:
                return  # The client went away.
            time.sleep(hub.pause_s)

    @property
    def _is_elsewhere(self) -> bool:
        return self.hub.redirects and "/resolve/" in self.path


@contextmanager
def serving(hub: FakeHub) -> Iterator[FakeHub]:
    """Serve on a free port of 127.0.0.1 until the block ends."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": hub}))
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


def cached_weights(cache: Path, name: str, **changes: Any) -> torch.nn.Module:
    """Put random weights with that name into the hub's cache, and return timm's model with them."""
    network = timm.create_model(name.partition(".")[0], **changes).eval()
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.05)
    revision = "0" * 40
    repository = cache / f"models--timm--{name}"
    snapshot = repository / "snapshots" / revision
    snapshot.mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(revision)
    save_file(network.state_dict(), snapshot / "model.safetensors")
    return network
