"""A client of the running service, for the command line."""

import json
import logging
import queue
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import time
from typing import Any
from uuid import uuid4

from socketio.client import Client as SocketIOClient
from socketio.exceptions import ConnectionError as NoConnection
from socketio.exceptions import TimeoutError as NoAnswer

from appliance.server.http.pinning import PinnedContext, pinned_context

CONNECT_S = 20.0  # a Pi that starts is busy for seconds; where no service listens, the kernel refuses at once
ANSWER_S = 30.0  # the slowest call, a block of 5,000 addresses, takes a second here and several on a Pi
# Else the library asks the proxy of `http_proxy`, for this machine too; it reads the exceptions only beside a proxy.
NO_PROXY: dict[str, Any] = {"http_proxy_host": "none", "http_proxy_port": 9, "http_no_proxy": ["*"]}
START = "Start it with: appliance run; if it is installed, with: sudo systemctl start appliance"
JITTER = 0.5  # share of each delay before reconnecting: clients that lost a server do not all return at once
# Names each call, so that a verb that is run again is another call, though the first one left before its last packets
# (python-engineio closes the WebSocket without waiting for its queue).
KEY_NAME = "idempotencyKey"
SETTLE_S = 0.3  # the snapshot follows the connection in one burst; a gap this long ends it


_SILENT = logging.getLogger(f"{__name__}.socket")  # what the library logs is an exception or a refusal here, too
_SILENT.addHandler(logging.NullHandler())
_SILENT.propagate = False


class CallFailed(Exception):
    """The service is not reachable, or refused; the text is for a person. `code`: the contract's, of a refusal."""

    def __init__(self, message: str, code: str | None = None) -> None:
        super().__init__(message)
        self.code = code


class Client:
    """One connection to the service."""

    def __init__(self, url: str, token: Callable[[], str], certificate: Path | None) -> None:
        """`token`: makes one for each connection. `certificate`: the only one that is accepted; `None` for HTTP."""
        self._url = url
        self._token = token
        self._events: queue.SimpleQueue[tuple[str, dict[str, Any]]] = queue.SimpleQueue()
        self._pinned = _pinned(certificate) if certificate else None
        self._socket = SocketIOClient(
            logger=_SILENT,
            engineio_logger=_SILENT,
            request_timeout=CONNECT_S,
            reconnection_delay=1,
            reconnection_delay_max=5,
            randomization_factor=JITTER,
            websocket_extra_options=NO_PROXY | ({"sslopt": {"context": self._pinned}} if self._pinned else {}),
        )
        self._socket.on("*", self._receive)
        self._socket.on("connect_error", self._refused)
        self._refusal: tuple[str, str | None] | None = None  # its message and code
        # The latest alert's number, which is a time in microseconds: alerts before this start are not wanted.
        self._seen = round(time() * 1e6)

    def connect(self) -> None:
        """Log in as an administrator. Raises `CallFailed`."""
        try:
            self._socket.connect(self._url, auth=self._credentials, transports=["websocket"], wait_timeout=CONNECT_S)
        except NoConnection as error:
            if self._refusal is not None:
                message, code = self._refusal
                raise CallFailed(f"the service at {self._url} refuses: {message}", code) from None
            mismatch = self._pinned.mismatch if self._pinned else ""
            why = mismatch or f"{error}; is it running? {START}"
            raise CallFailed(f"no service at {self._url}: {why}") from None

    def call(self, event: str, argument: object = None) -> dict[str, Any]:
        """Make a call and wait for its acknowledgement. Raises `CallFailed` with the service's own words."""
        if argument is None or isinstance(argument, dict):
            argument = {KEY_NAME: str(uuid4()), **(argument or {})}
        try:
            json.dumps(argument, ensure_ascii=False).encode()
        except UnicodeEncodeError:  # bytes on the command line that are no text in the terminal's encoding
            raise CallFailed("an argument is no text; write it in this terminal's encoding") from None
        try:
            answer: dict[str, Any] = self._socket.call(event, argument, timeout=ANSWER_S)
        except NoAnswer:
            raise CallFailed(f"the service has not answered within {ANSWER_S:.0f} s") from None
        if not answer["success"]:
            raise CallFailed(answer["error"], answer["code"])
        return answer

    def events(self, gap_s: float | None = None) -> Iterator[tuple[str, dict[str, Any]]]:
        """Events as they arrive, across reconnections. `gap_s`: end after this time without one."""
        while True:
            try:
                yield self._events.get(timeout=gap_s)
            except queue.Empty:
                return

    def on_connect(self, act: Callable[[], None]) -> None:
        """Run `act` after every connection, the first one included."""
        self._socket.on("connect", act)

    def close(self) -> None:
        """Disconnect."""
        self._socket.disconnect()

    def emit(self, event: str, argument: object) -> None:
        """Make a call without waiting for its acknowledgement; a refusal arrives as an `error` event."""
        self._socket.emit(event, argument)

    def _credentials(self) -> dict[str, object]:
        return {"token": self._token(), "since": self._seen}

    def _receive(self, event: str, payload: dict[str, Any]) -> None:
        self._seen = max(self._seen, payload.get("alertId", 0))
        self._events.put((event, payload))

    def _refused(self, reason: object) -> None:
        if isinstance(reason, dict) and isinstance(reason.get("message"), str):
            data = reason.get("data")
            self._refusal = reason["message"], data.get("code") if isinstance(data, dict) else None


@contextmanager
def connected(url: str, token: Callable[[], str], certificate: Path | None) -> Iterator[Client]:
    """A connected client, for the length of a `with`. Raises `CallFailed`."""
    client = Client(url, token, certificate)
    client.connect()
    try:
        yield client
    finally:
        client.close()


def _pinned(certificate: Path) -> PinnedContext:
    try:
        return pinned_context(certificate)
    except (OSError, ValueError) as error:
        raise CallFailed(f"the service's certificate cannot be read: {error}; run this as its user") from None
