"""The service on the simulated machine in a process of its own, and its cost: memory, descriptors, log."""

import json
import os
import resource
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from appliance.server import access
from appliance.server.access import Role
from appliance.simulator import CONFIG
from appliance.system.storage.secret_file import load_secret
from tests.ports import reserve_port
from tests.server.wire import WebSocket

COMMAND = str(Path(sys.executable).with_name("appliance"))
HOME, STRANGER = "127.0.0.1", "127.0.0.66"  # loopback addresses of the honest client and of the attacker
LONG_DEADLINES = {"request_deadline": 600, "login_deadline": 600}  # `limits` where no deadline is to free a place
TRIES = 10  # of a client that is hung up on: until the service has read that its address's other connections ended
PATIENCE_S = 40.0  # until an attack's resources are free: a session's ping, 25 s, is the longest wait


@dataclass(frozen=True)
class Cost:
    """The resources of the process."""

    memory_bytes: int
    descriptors: int
    log_bytes: int


# An attack may leave so much: the allocator keeps some pages, a connection may be closing, and a flood may have used up
# its allowance of log lines. The first crowds that take all places leave 18 MB in the allocator, which all later crowds
# use again: so the fixture lets some in before anything is measured.
SLACK = Cost(memory_bytes=8 << 20, descriptors=6, log_bytes=30_000)


class Service:
    """A started service. `limits`: its table; the deadlines are short by default, so that a test can wait for them.

    `prefix`: what to start it with, such as `("prlimit", "--nofile=256")`; `tls`: it speaks HTTPS.
    """

    def __init__(
        self,
        folder: Path,
        limits: Mapping[str, Any] | None = None,
        environment: Mapping[str, str] | None = None,
        *,
        prefix: Sequence[str] = (),
        tls: bool = False,
    ) -> None:
        self._tls = ssl._create_unverified_context() if tls else None
        self._reserved = reserve_port(HOME)
        self.port = self._reserved.getsockname()[1]
        limits = {"request_deadline": 2, "login_deadline": 2, **(limits or {})}
        table = "".join(f"{name} = {json.dumps(value)}\n" for name, value in limits.items())
        config = folder / "appliance.toml"
        config.write_text(
            f'{CONFIG}\n[server]\nhost = "{HOME}"\nport = {self.port}\ntls = {str(tls).lower()}\n[limits]\n{table}'
        )
        self._log = folder / "log"
        self._state = folder / "state"
        words = [*prefix, COMMAND, "run", "--simulate", "--config", str(config), "--state-dir", str(self._state)]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                words, stdout=log, stderr=log, env={**os.environ, **(environment or {})}, cwd=folder
            )
        self._wait_until_it_answers()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def url(self) -> str:
        return f"http://{HOME}:{self.port}"

    def token(
        self, role: Role = Role.VIEWER, departments: list[str] | None = None, wall: datetime | None = None
    ) -> str:
        return access.issue(self.secret, role, departments, 3600, "honest", wall or datetime.now(UTC))

    @property
    def secret(self) -> bytes:
        return load_secret(self._state)

    def connect(self, origin: str = STRANGER, timeout_s: float = 20) -> socket.socket:
        """A bare connection from this address."""
        return socket.create_connection((HOME, self.port), timeout=timeout_s, source_address=(origin, 0))

    def websocket(self, origin: str = STRANGER, timeout_s: float = 20, **options: Any) -> WebSocket:
        return WebSocket(self.secured(self.connect(origin, timeout_s)), **options)

    def secured(self, connection: socket.socket) -> socket.socket:
        """The connection as the service's protocol wants it: with a TLS handshake, or as it is."""
        return self._tls.wrap_socket(connection) if self._tls else connection

    def client(self, origin: str = STRANGER, timeout_s: float = 20) -> WebSocket:
        """A WebSocket that is logged in."""
        client = self.websocket(origin, timeout_s)
        client.log_in(self.token())
        return client

    @contextmanager
    def crowd(self, count: int, first_bytes: bytes = b"", origins: int = 1) -> Iterator[list[socket.socket]]:
        """Open `count` connections from `origins` addresses, each of which sends `first_bytes`."""
        with ExitStack() as stack:
            sockets = []
            for number in range(count):
                sockets.append(stack.enter_context(self.connect(f"127.0.1.{1 + number % origins}")))
                with suppress(OSError):  # evicted already
                    sockets[-1].sendall(first_bytes)
            yield sockets

    def cost(self) -> Cost:
        status = Path(f"/proc/{self.pid}/status").read_text()
        resident = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
        descriptors = len(list(Path(f"/proc/{self.pid}/fd").iterdir()))
        return Cost(int(resident.split()[1]) << 10, descriptors, self._log.stat().st_size)

    def log(self) -> str:
        return self._log.read_text()

    def limit_descriptors(self, soft: int | None = None) -> None:
        """Set the soft limit of the process's descriptors; `None`: to the hard limit."""
        hard = resource.prlimit(self.pid, resource.RLIMIT_NOFILE)[1]
        resource.prlimit(self.pid, resource.RLIMIT_NOFILE, (hard if soft is None else soft, hard))

    @contextmanager
    def unharmed(self, origin: str = HOME) -> Iterator[None]:
        """After the block, an honest client of this address must be served and the cost be as before."""
        before = self.cost()
        yield
        self.serves_an_honest_client(origin)
        self.is_as_before(before)

    def serves_an_honest_client(self, origin: str = HOME) -> None:
        """A client connects, logs in, has its snapshot and an answer; it tries again where it is hung up on."""
        for _ in range(TRIES - 1):
            try:
                self._serve_one(origin)
            except (OSError, AssertionError):
                time.sleep(0.5)
            else:
                return
        self._serve_one(origin)

    def is_as_before(self, before: Cost) -> None:
        end = time.monotonic() + PATIENCE_S
        while (found := self._beyond(before)) and time.monotonic() < end:
            time.sleep(0.2)
        assert not found, f"before: {before}; beyond it: {found}\n{self.log()[-2000:]}"

    def stop(self) -> None:
        self._reserved.close()
        self._process.terminate()
        assert self._process.wait(20) == 0, self.log()[-4000:]

    def _serve_one(self, origin: str) -> None:
        with self.client(origin) as client:
            client.send('421["ip:list",{}]')
            while not (text := client.read()).startswith("431"):  # the snapshot comes before it
                assert text.startswith("42["), text
            assert '"success":true' in text

    def _beyond(self, before: Cost) -> str:
        now = self.cost()
        held = [
            f"{name} {getattr(now, name) - getattr(before, name)}"
            for name in ("memory_bytes", "descriptors", "log_bytes")
            if getattr(now, name) - getattr(before, name) > getattr(SLACK, name)
        ]
        return ", ".join(held)

    def _wait_until_it_answers(self) -> None:
        for _ in range(200):
            try:
                with self.secured(self.connect(HOME)) as connection:
                    connection.sendall(b"GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n")
                    assert connection.recv(65536).startswith(b"HTTP/1.1 200")
                    return
            except OSError:
                assert self._process.poll() is None, self.log()
                time.sleep(0.1)
        raise AssertionError(f"the service does not answer: {self.log()}")
