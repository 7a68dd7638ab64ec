"""The server against Node's own socket.io: what a delivery costs, how soon it is there, what a client takes in memory.

Three servers do the same work: ours, python-socketio as it comes (`plain.py`), and Node's (`peer/server.js`).
Each is pinned to one core and the load to the other. Rounds take turns, so that what else the machine does falls on
all; of each figure the median of the rounds is told, and its ratio to Node's. At the end, the whole service's memory.
"""

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory
from time import monotonic

from appliance.server import access
from appliance.server.access import Role
from appliance.simulator import CONFIG
from appliance.system.storage.secret_file import load_secret
from tests.bench.load import Load, PollingClient
from tests.bench.rivals import LOAD_CORE, PEER, SERVERS, Running, Start, resident_bytes, running

ROUNDS = 3
SECONDS = 4
EVENTS_PER_S = 10
CLIENTS_WITH_HINDERED = 100
SECURED_AT_ONCE = 50  # handshakes: more would not all log in before the server's deadline, on a machine that is busy
TURNS = 3
PORT = 5099  # of the whole service
WINDOW = 16  # events under way at once when the server is saturated

# Figure -> the most or the least that its ratio to Node's may be, and the unit.
BOUNDS = {
    "CPU for a delivery, 100 clients, 10 events/s": ("<=", 0.8, "us"),
    "CPU for a delivery, 500 clients, 10 events/s": ("<=", 0.8, "us"),
    "CPU for a delivery, 500 clients, 16 events in one step": ("<=", 0.8, "us"),
    "p99 from emit to receive, 100 clients, 10 events/s": ("<=", 1.0, "ms"),
    "p99 from emit to receive, 500 clients, 10 events/s": ("<=", 1.0, "ms"),
    "deliveries a second, saturated, 100 clients": (">=", 1.2, ""),
    "deliveries a second, saturated, 500 clients": (">=", 1.2, ""),
    "CPU for a delivery, saturated, 100 clients": ("<=", 1.0, "us"),
    "CPU for a delivery, saturated, 500 clients": ("<=", 1.0, "us"),
    "CPU for a delivery by long polling, 100 clients, 10 events/s": ("<=", 1.0, "us"),
    "CPU for a delivery by TLS, 100 clients, 10 events/s": ("<=", 0.8, "us"),
    "CPU for a delivery by TLS, 500 clients, 10 events/s": ("<=", 0.8, "us"),
    "p99 from emit to receive by TLS, 100 clients, 10 events/s": ("<=", 1.0, "ms"),
    "p99 from emit to receive by TLS, 500 clients, 10 events/s": ("<=", 1.0, "ms"),
    "deliveries a second by TLS, saturated, 100 clients": (">=", 1.2, ""),
    "CPU for a delivery by TLS, saturated, 100 clients": ("<=", 1.0, "us"),
    "resident memory for a client by TLS": ("<", 1.0, "kB"),
    "500 clients at once, until all have their snapshot": ("<=", 1.0, "ms"),
    "resident memory for a client": ("<", 1.0, "kB"),
    "resident memory with 500 clients": ("<", 1.0, "MB"),
}
# Figures that are bounded by themselves, whatever Node's are.
OTHERS = "p99 of the others with one stuck and one slow of 100, to without"
HELD = "memory that these two take, the kernel's too"
OWN_BOUNDS = {OTHERS: ("<=", 1.2, ""), HELD: ("<=", 5.0, "MB")}


def _steadily(one: Running, kind: str = "state", at_once: int = 1, seconds: float = SECONDS) -> tuple[float, list[int]]:
    """Emit at the rate for some seconds; microseconds of CPU for a delivery, and every latency in nanoseconds."""
    one.load.run(lambda: False, monotonic() + 0.3)
    one.load.latencies_ns.clear()
    before_s = one.cpu_s()
    due_s = monotonic()
    for _ in range(round(seconds * EVENTS_PER_S)):
        one.emit(kind, at_once)
        due_s += 1 / EVENTS_PER_S
        one.load.run(lambda: False, due_s)
    one.load.run(lambda: False, monotonic() + 0.1)
    used_s = one.cpu_s() - before_s
    return used_s / one.load.deliveries * 1e6, list(one.load.latencies_ns)


def _p99_ms(latencies_ns: list[int]) -> float:
    return quantiles(latencies_ns, n=100)[-1] / 1e6


def _saturated(one: Running, clients: int) -> tuple[float, float]:
    """Deliveries a second when there is always another event, in a step of its own, and the CPU of each in us."""
    one.emit("moment", 1)
    one.load.run(lambda: False, monotonic() + 0.3)
    one.load.flood()
    began_s, before_s = monotonic(), one.cpu_s()
    emitted = 0
    while monotonic() < began_s + SECONDS:
        due = one.load.deliveries // clients + WINDOW - emitted
        for _ in range(due):
            one.emit("moment", 1)
        emitted += due
        before = one.load.deliveries // clients
        one.load.run(lambda before=before: one.load.deliveries // clients > before, began_s + SECONDS)
    used_s = one.cpu_s() - before_s
    return one.load.deliveries / (monotonic() - began_s), used_s / one.load.deliveries * 1e6


def _measure(start: Start) -> dict[str, float]:
    """Every figure of one server, once."""
    found = {}
    for clients in (100, 500):
        with running(start) as one:
            before_bytes = one.resident_bytes()
            connected_s = one.connect(clients)
            found[f"CPU for a delivery, {clients} clients, 10 events/s"], latencies_ns = _steadily(one)
            found[f"p99 from emit to receive, {clients} clients, 10 events/s"] = _p99_ms(latencies_ns)
            if clients == 500:
                found["500 clients at once, until all have their snapshot"] = connected_s * 1000
                found["resident memory for a client"] = (one.resident_bytes() - before_bytes) / clients / 1e3
                found["resident memory with 500 clients"] = one.resident_bytes() / 1e6
                found["CPU for a delivery, 500 clients, 16 events in one step"], _ = _steadily(one, "moment", 16)
            per_s, cpu_us = _saturated(one, clients)
            found[f"deliveries a second, saturated, {clients} clients"] = per_s
            found[f"CPU for a delivery, saturated, {clients} clients"] = cpu_us
            assert one.load.lost == 0
    with running(start) as one:
        one.connect(100, PollingClient)
        found["CPU for a delivery by long polling, 100 clients, 10 events/s"], _ = _steadily(one)
    return found | _secured(start) | _hindered(start)


def _secured(start: Start) -> dict[str, float]:
    """The figures with TLS on both sides."""
    found = {}
    for clients in (100, 500):
        with running(start, tls=True) as one:
            before_bytes = one.resident_bytes()
            for _ in range(clients // SECURED_AT_ONCE):
                one.connect(SECURED_AT_ONCE)
            size = f"{clients} clients, 10 events/s"
            found[f"CPU for a delivery by TLS, {size}"], latencies_ns = _steadily(one)
            found[f"p99 from emit to receive by TLS, {size}"] = _p99_ms(latencies_ns)
            if clients == 500:
                found["resident memory for a client by TLS"] = (one.resident_bytes() - before_bytes) / clients / 1e3
                continue
            per_s, cpu_us = _saturated(one, clients)
            found[f"deliveries a second by TLS, saturated, {clients} clients"] = per_s
            found[f"CPU for a delivery by TLS, saturated, {clients} clients"] = cpu_us
            assert one.load.lost == 0
    return found


def _hindered(start: Start) -> dict[str, float]:
    """Two servers alike, one of them with a client that does not read and one that hardly does; in turns."""
    with running(start) as free, running(start) as one:
        free.connect(CLIENTS_WITH_HINDERED)
        one.connect(CLIENTS_WITH_HINDERED)
        before_bytes = one.resident_bytes()
        one.load.hinder(stuck=1, slow=1)
        without_ns, with_ns = [], []
        for _ in range(TURNS):
            without_ns += _steadily(free, "state", 16, SECONDS / 2)[1]
            with_ns += _steadily(one, "state", 16, SECONDS / 2)[1]
        held_bytes = one.resident_bytes() - before_bytes + one.unsent_bytes()
        return {OTHERS: _p99_ms(with_ns) / _p99_ms(without_ns), HELD: held_bytes / 1e6}


def _whole_service_mb() -> float:
    """Resident memory of the simulated appliance, with all its parts, while 500 clients hear everything."""
    with TemporaryDirectory() as folder:
        config = Path(folder, "appliance.toml")
        config.write_text(f"{CONFIG}\n[server]\nport = {PORT}\n[limits]\nconnections_per_address = 600\n")
        program = "from appliance.cli.main import main; main()"
        options = ["run", "--simulate", "--config", str(config), "--state-dir", folder]
        environment = {**os.environ, "PYTHONWARNINGS": "ignore"}
        with subprocess.Popen(
            [sys.executable, "-c", program, *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
        ) as process:
            assert process.stdout is not None
            while b"Token:" not in process.stdout.readline():
                assert process.poll() is None, "the service did not start"
            load = Load(PORT)
            token = access.issue(load_secret(Path(folder)), Role.VIEWER, None, 600, "bench", datetime.now(UTC))
            load.connect(500, token, 1)
            load.run(lambda: False, monotonic() + SECONDS)
            held_bytes = resident_bytes(process.pid)
            load.close()
            process.terminate()
    return held_bytes / 1e6


def run() -> list[str]:
    """A row for each figure."""
    if not (PEER / "node_modules").exists():
        subprocess.run(["npm", "ci", "--prefix", str(PEER), "--no-audit", "--no-fund", "--silent"], check=True)
    os.sched_setaffinity(0, {LOAD_CORE})
    rounds = {name: [] for name in SERVERS}
    for _ in range(ROUNDS):
        for name, start in SERVERS.items():
            rounds[name].append(_measure(start))
    rows = [f"{'server':72} {'ours':>9} {'Node':>9} {'plain':>9}  ours to Node"]
    for figure, (sense, bound, unit) in {**BOUNDS, **OWN_BOUNDS}.items():
        ours, node, plain = (median(one[figure] for one in rounds[name]) for name in SERVERS)
        judged = f"{ours / node:.2f} ({sense} {bound}); plain {plain / node:.2f}"
        if figure in OWN_BOUNDS:
            judged = f"(ours {sense} {bound})"
        rows.append(f"{figure + (f', {unit}' if unit else ''):72} {ours:9.2f} {node:9.2f} {plain:9.2f}  {judged}")
    whole_mb = _whole_service_mb()
    return [*rows, f"{'the whole service, simulated, with 500 clients, MB':72} {whole_mb:9.2f}  (< 100)"]
