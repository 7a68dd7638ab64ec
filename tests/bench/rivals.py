"""The servers that the bench compares, each a process of its own, pinned to a core, with its load."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from appliance.server import access
from appliance.server.access import Role
from appliance.system import certificate
from appliance.system.storage.secret_file import load_secret
from tests.bench.load import Client, Load
from tests.contract.schema import examples
from tests.server import START

SERVER_CORE, LOAD_CORE = 0, 1
DEPARTMENTS = ["dept123", "dept456"]  # of the harness
EVENT_BYTES = 400
PEER = Path(__file__).with_name("peer")


def _states() -> list[tuple[str, dict[str, object]]]:
    shown = examples()
    of_departments = [
        (name, {**shown[name], "departmentId": department})
        for department in DEPARTMENTS
        for name in ("usage:update", "department:status")
    ]
    return [*of_departments, ("system:health", shown["system:health"])]


STATES = _states()
OPTIONS = {"departments": DEPARTMENTS, "states": STATES, "padding": "x" * (EVENT_BYTES - 190)}


class Running:
    """One of the servers, with its load."""

    def __init__(self, program: list[str], *, tls: bool = False) -> None:
        self._folder = TemporaryDirectory()
        pem = Path(self._folder.name, "bench.pem")
        if tls:
            pem.write_bytes(certificate.made(["localhost"], datetime.now(UTC)))
        secret = load_secret(Path(self._folder.name))
        self._token = access.issue(secret, Role.VIEWER, None, 3600, "bench", START)
        of_this = {
            "folder": self._folder.name,
            "secret": secret.hex(),
            "at": START.timestamp(),
            "pem": str(pem) if tls else None,
        }
        given = json.dumps({**OPTIONS, **of_this})
        self._process = subprocess.Popen(
            ["taskset", "-c", str(SERVER_CORE), *program, given],
            env={**os.environ, "EVENTLET_NO_GREENDNS": "yes", "PYTHONWARNINGS": "ignore"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self.port = json.loads(self._out.readline())["port"]
        self.load = Load(self.port, tls=tls)

    def close(self) -> None:
        self.load.close()
        self._in.close()
        self._process.kill()  # one that has still much to emit would not notice the end of its orders for long
        self._process.wait(20)
        self._out.close()
        self._folder.cleanup()

    def connect(self, count: int, kind: type[Client] = Client) -> float:
        return self.load.connect(count, self._token, len(STATES), kind)

    def emit(self, kind: str, count: int) -> None:
        self._in.write(f"{kind} {count}\n".encode())
        self._in.flush()

    def cpu_s(self) -> float:
        """What all its threads have used of the processor."""
        tasks = Path(f"/proc/{self._process.pid}/task").iterdir()
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9

    def resident_bytes(self) -> int:
        return resident_bytes(self._process.pid)

    def unsent_bytes(self) -> int:
        """What the kernel holds for clients that have not acknowledged it."""
        rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        return sum(int(row[4].partition(":")[0], 16) for row in rows if int(row[1][9:], 16) == self.port)

    @property
    def _in(self):
        assert self._process.stdin is not None
        return self._process.stdin

    @property
    def _out(self):
        assert self._process.stdout is not None
        return self._process.stdout


Start = Callable[..., Running]  # takes `tls`
SERVERS: Mapping[str, Start] = {
    "ours": partial(Running, [sys.executable, "-m", "tests.bench.served"]),
    "Node": partial(Running, ["node", str(PEER / "server.js")]),
    "plain": partial(Running, [sys.executable, "-m", "tests.bench.plain"]),
}


@contextmanager
def running(start: Start, *, tls: bool = False) -> Iterator[Running]:
    one = start(tls=tls)
    try:
        yield one
    finally:
        one.close()


def resident_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")
