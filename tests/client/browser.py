"""A `socket.io-client` in Debian's Chromium, without a screen, as a Python object."""

import json
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.client.recorder import PATIENCE_S, Recorder

HERE = Path(__file__).parent
FILES = {
    "/": ("text/html", HERE / "page.html"),
    "/socket.io.js": ("text/javascript", HERE / "node_modules/socket.io-client/dist/socket.io.min.js"),
}
CHROMIUM = "/usr/bin/chromium-headless-shell"  # without windows, which cost as much again as the pages in them
# No sandbox: the tests are root in a container. The debugging port keeps a browser without a screen open.
OPTIONS = ("--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--remote-debugging-port=0")


class BrowserClient(Recorder):
    """One page with one client; the page has an origin of its own, as any dashboard may have.

    `login`: a name and a password that the page logs in with first, to connect with the token that it gets. `port`: of
    its own origin; 0: any.
    """

    def __init__(
        self,
        url: str,
        token: str | None,
        *,
        since: int | None = None,
        options: dict[str, Any] | None = None,
        login: dict[str, str] | None = None,
        port: int = 0,
    ) -> None:
        super().__init__()
        start = json.dumps({"url": url, "auth": {"token": token}, "since": since, "options": options, "login": login})
        recorder = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                kind, content = "application/json", start.encode()
                if self.path in FILES:
                    kind, content = FILES[self.path][0], FILES[self.path][1].read_bytes()
                self._answer(kind, content)

            def do_POST(self) -> None:
                recorder.record(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self._answer("text/plain", b"")

            def _answer(self, kind: str, content: bytes) -> None:
                self.send_response(200)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        threading.Thread(target=self._server.serve_forever).start()
        self._profile = TemporaryDirectory(ignore_cleanup_errors=True)
        self._process = subprocess.Popen(
            [
                CHROMIUM,
                *OPTIONS,
                f"--user-data-dir={self._profile.name}",
                f"http://127.0.0.1:{self._server.server_port}/",
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def __enter__(self) -> "BrowserClient":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the browser."""
        self._process.terminate()
        self._process.wait(PATIENCE_S)
        self._server.shutdown()
        self._server.server_close()
        self._profile.cleanup()
