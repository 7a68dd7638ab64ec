"""Fixtures that start a server and give it orders."""

import json
import os
import signal
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from functools import cache
from multiprocessing import forkserver, get_context
from multiprocessing.context import ForkServerContext
from pathlib import Path
from socket import SHUT_WR, socketpair
from typing import Any

import pytest

from appliance.server import access
from appliance.server.access import Role
from appliance.system.storage.secret_file import load_secret
from tests.client import NodeClient
from tests.server import START, harness

Connect = Callable[..., NodeClient]

STOPPED_S = 20.0


@cache
def forked() -> ForkServerContext:
    """Makes processes that have loaded the harness already: to load it takes longer than most tests."""
    context = get_context("forkserver")
    context.set_forkserver_preload([harness.__name__])
    before, os.environ["EVENTLET_NO_GREENDNS"] = dict(os.environ), "yes"
    forkserver.ensure_running()
    os.environ.clear()
    os.environ.update(before)
    return context


class Running:
    """A harness in a process of its own."""

    def __init__(
        self,
        state_dir: Path,
        position: str = "host",
        simulated: bool = False,
        limits: dict[str, Any] | None = None,
        tls: bool = False,
        port: int = 0,
        server: dict[str, Any] | None = None,
    ) -> None:
        """`limits`: of the server, by default with all connections for one address, from which all tests connect.

        `server`: the keys of its section.
        """
        limits = {"connections_per_address": 1000, **(limits or {})}
        options = {
            "state_dir": str(state_dir),
            "position": position,
            "simulated": simulated,
            "limits": limits,
            "tls": tls,
            "port": port,
            "server": server or {},
        }
        self.log_path = state_dir / "log"
        self._socket, orders = socketpair()
        self._process = forked().Process(target=harness.run, args=(options, orders, self.log_path))
        self._process.start()
        orders.close()
        self._orders = self._socket.makefile("rw")
        self.wall: datetime = START
        facts = self._read()
        self.port: int = facts["port"]
        self.login_deadline_s: float = facts["login_deadline_s"]
        self.state_dir = state_dir
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        self.secret = load_secret(state_dir)

    def token(self, role: Role = Role.ADMIN, departments: Iterable[str] | None = None, ttl_s: int = 3600) -> str:
        return access.issue(self.secret, role, departments, ttl_s, "tester", self.wall)

    def publish(self, name: str, payload: dict[str, Any]) -> None:
        self.publish_all([(name, payload)])

    def publish_all(self, published: Iterable[tuple[str, dict[str, Any]]]) -> None:
        """Publish these in one step."""
        self.order({"publish": list(published)})

    def advance(self, seconds: float) -> None:
        self.order({"advance": seconds})

    def count(self) -> dict[str, int]:
        return self.order({"count": True})

    def order(self, order: dict[str, Any]) -> Any:
        self._orders.write(json.dumps(order) + "\n")
        self._orders.flush()
        return self._read()

    def log(self) -> str:
        return self.log_path.read_text()

    def stop(self) -> None:
        if self._process.is_alive():
            self._socket.shutdown(SHUT_WR)
        self._ended()

    def pause(self) -> None:
        """Suspend the process, as a computer that is too busy."""
        os.kill(self._process.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Resume it."""
        os.kill(self._process.pid, signal.SIGCONT)

    def kill(self) -> None:
        """End it as in a crash."""
        self._process.kill()
        self._ended()

    def _ended(self) -> None:
        self._process.join(STOPPED_S)
        assert self._process.exitcode is not None
        self._orders.close()
        self._socket.close()

    def _read(self) -> Any:
        line = self._orders.readline()
        assert line, f"the server ended: {self.log()}"
        return json.loads(line)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    running = []

    def start(**options: Any) -> Running:
        running.append(Running(tmp_path, **options))
        return running[-1]

    yield start
    for one in running:
        one.stop()


@pytest.fixture
def server(start: Callable[..., Running]) -> Running:
    return start()


@pytest.fixture
def connect(server: Running) -> Iterator[Connect]:
    """Connects a client that is logged in; `claims`: the keywords of `token`."""
    clients = []

    def connect(options: dict[str, Any] | None = None, **claims: Any) -> NodeClient:
        client = NodeClient(server.url, server.token(**claims), options=options)
        clients.append(client)
        client.wait_for("connect")
        return client

    yield connect
    for client in clients:
        client.close()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One server for all tests of a module that change nothing in it."""
    running = Running(tmp_path_factory.mktemp("state"))
    yield running
    running.stop()
