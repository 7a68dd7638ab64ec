"""One computer of the lab: a network namespace, with commands to run on it."""

import ctypes
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

CLONE_NEWNET = 0x40000000  # linux/sched.h
READY_WITHIN_S = 90.0  # the service starts in a second, and in thirty on a machine that does much else

_libc = ctypes.CDLL(None, use_errno=True)


class LabError(Exception):
    """A command of the lab failed."""


@dataclass(eq=False)
class Host:
    """A namespace with a name for people and one for the kernel. `ipv4`, `ipv6`: of its first interface."""

    name: str
    namespace: str
    ipv4: str = ""
    ipv6: str = ""
    _running: list["Program"] = field(default_factory=list)

    def run(
        self, command: Sequence[str], *, check: bool = True, given: str | None = None, timeout_s: float = 60
    ) -> subprocess.CompletedProcess[str]:
        """Run a program to its end here. With `check`, a failure raises with all that it printed."""
        inside = ["ip", "netns", "exec", self.namespace, *command]
        done = subprocess.run(inside, input=given, capture_output=True, text=True, timeout=timeout_s, check=False)
        if check and done.returncode != 0:
            raise LabError(f"{self.name}: {' '.join(command)}: {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def spawn(
        self, command: Sequence[str], *, ready: str | None = None, environment: Mapping[str, str] | None = None
    ) -> "Program":
        """Start a program that ends with the lab, if not before; returns when it has printed `ready`."""
        # No pipe: without a reader a full one would stop the program.
        printed = tempfile.TemporaryFile("w+")  # noqa: SIM115  closed by `Program.stop`
        process = subprocess.Popen(
            ["ip", "netns", "exec", self.namespace, *command],
            stdin=subprocess.DEVNULL,
            stdout=printed,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(environment or {})},
        )
        program = Program(" ".join(command), process, printed)
        self._running.append(program)
        if ready is not None:
            program.wait_for(ready)
        return program

    def stop_all(self) -> None:
        """Stop all programs that still run here."""
        while self._running:
            self._running.pop().stop()

    def ping(self, address: str, *, wait_s: float = 2, count: int = 1) -> bool:
        """Whether the address answers an echo request."""
        command = ["ping", "-n", "-q", "-c", str(count), "-i", "0.1", "-W", str(wait_s), address]
        return self.run(command, check=False).returncode == 0

    def fetch(self, address: str, *, port: int = 80, wait_s: float = 5) -> subprocess.CompletedProcess[str]:
        """Ask a web server for its first page with curl; the exit code is 0 where it answered, 7 where it refused."""
        authority = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
        command = ["curl", "--silent", "--show-error", "--max-time", str(wait_s), f"http://{authority}/"]
        return self.run(command, check=False)

    def resolve(self, name: str, server: str, kind: str = "A") -> str:
        """Ask a name server with dig."""
        return self.run(["dig", "+short", "+tries=1", "+time=3", f"@{server}", name, kind]).stdout.strip()

    def counters(self, interface: str = "eth0") -> tuple[int, int]:
        """Bytes (received, sent) of an interface, as `ip` reads them."""
        stats = json.loads(self.run(["ip", "-s", "-j", "link", "show", interface]).stdout)[0]["stats64"]
        return stats["rx"]["bytes"], stats["tx"]["bytes"]

    def mac(self, interface: str = "eth0") -> str:
        """The hardware address of an interface."""
        return str(json.loads(self.run(["ip", "-j", "link", "show", interface]).stdout)[0]["address"])

    def address(self, interface: str, *addresses: str) -> None:
        """Give an interface addresses (`10.0.0.1/24`, `fd00::1/64`), usable at once."""
        for address in addresses:
            nodad = ["nodad"] if ":" in address else []
            self.run(["ip", "address", "add", address, "dev", interface, *nodad])

    def route_by(self, hops: Sequence[str]) -> None:
        """Set the default routes through these next hops, one of each family."""
        for hop in hops:
            self.run(["ip", "route", "add", "default", "via", hop])

    def sysctl(self, values: Mapping[str, int]) -> None:
        """Set kernel parameters, by their path under `/proc/sys`, in this namespace only."""
        with self.entered():
            for path, value in values.items():
                Path("/proc/sys", path).write_text(str(value))

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Be on this host: sockets that the calling thread opens inside belong here, for as long as they live.

        For the process's main thread only, because `/proc/net` shows the main thread's network.
        """
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        try:
            there = os.open(f"/run/netns/{self.namespace}", os.O_RDONLY)
            try:
                _set_namespace(there)
                yield
            finally:
                os.close(there)
                _set_namespace(home)
        finally:
            os.close(home)


@dataclass(eq=False)
class Program:
    """A program that runs on a host of the lab."""

    command: str
    process: subprocess.Popen[bytes]
    _printed: IO[str]

    @property
    def output(self) -> str:
        """The output until now, with errors."""
        return os.pread(self._printed.fileno(), 1 << 24, 0).decode(errors="replace")

    def wait_for(self, text: str, within_s: float = READY_WITHIN_S) -> None:
        """Wait until it has printed this; raises `LabError` if it ends before, or is too slow."""
        deadline = time.monotonic() + within_s
        while text not in self.output:
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise LabError(f"{self.command}: never printed {text!r}, but:\n{self.output}")
            time.sleep(0.02)

    def stop(self) -> str:
        """End it if it still runs; returns its output."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        printed = self.output if not self._printed.closed else ""
        self._printed.close()
        return printed


def _set_namespace(descriptor: int) -> None:
    if _libc.setns(descriptor, CLONE_NEWNET) != 0:
        raise LabError(f"cannot enter a network namespace: {os.strerror(ctypes.get_errno())}; the lab needs root")
