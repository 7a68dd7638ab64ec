"""What the whole service writes to the disk in a day, beside Debian's vnstatd over four interfaces of the same lab.

Ours is by a sped-up clock. Metering's steps are called with a `now` that is a checkpoint later each time, over a sixth
of a day with traffic of every department and host, and what that wrote is multiplied; history as `history.py` does it,
with everybody busy all the time. Each checkpoint is synced before the next, as the kernel would have written it by
then. What is counted is `write_bytes` of `/proc/PID/io`, pages that go to the medium. vnstatd's is by its own clock: it
is told to save every minute and not every five, so that some saves come in a few minutes, and the bytes of one are
multiplied by those of a day.
"""

import os
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

from appliance.core.moment import Moment
from appliance.monitor.metering.departments import CHECKPOINT_S
from appliance.system.storage.store import SqliteStore
from tests.bench.history import MIDNIGHT, SIZES, Run, written_bytes
from tests.bench.metering import built
from tests.lab.network import network
from tests.monitor.kernel import Kernel

DAY_S = 86400
PARTS = 6  # of the day, one of which is run: each is like the other
MOST_BYTES = {4: 25_000_000, 64: 100_000_000}
# Quotas that the day's traffic stays within.
QUOTA = '{ daily = "1 TB", weekly = "1 TB", monthly = "1 TB", hosts = { daily = "1 TB" } }'
SAVES_A_DAY = DAY_S // 300  # vnstatd's default: every five minutes
VNSTAT = """
DatabaseDir "{folder}"
SaveInterval 1
DaemonUser ""
DaemonGroup ""
"""
SAVES = 3  # of vnstatd, that are waited for
INTERFACES = ("eth0", "eth1", "eth2", "eth3")


def run() -> list[str]:
    """A row for each size, and one for vnstatd."""
    rows = []
    for departments, hosts in SIZES:
        with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:  # never in memory, where nothing is written
            books = _books(Path(folder), departments, hosts)
            history = Run(Path(folder), departments, hosts)
            history.run()
            history.history_store.close()
        total = books + history.written_bytes
        rows.append(
            f"disk, {departments} departments, {hosts} hosts: {total / 1e6:.1f} MB a day"
            f" (books, with a quota for each host, {books / 1e6:.1f}; history {history.written_bytes / 1e6:.1f};"
            f" sped-up clock; below {MOST_BYTES[departments] / 1e6:.0f})"
        )
    return [*rows, f"disk, vnstatd, {len(INTERFACES)} interfaces: {_vnstatd() / 1e6:.1f} MB a day (extrapolated)"]


def _books(folder: Path, departments: int, hosts: int) -> int:
    """Bytes that a day of checkpoints writes, where each host has a quota too."""
    kernel, path = Kernel(), folder / "appliance.sqlite3"
    store = SqliteStore(path)
    names = [f"department{number}" for number in range(departments)]
    networks = {name: f"10.{number}.0.0/16" for number, name in enumerate(names)}
    machine = SimpleNamespace(interfaces=kernel, flows=kernel, meters=kernel, neighbours=kernel, upstream=kernel)
    metering = built(machine, store, networks, QUOTA, lambda _: None)
    metering.step(Moment(MIDNIGHT, 0.0, is_trusted=True))
    _sync(path)
    before = written_bytes()
    for number in range(1, int(DAY_S / PARTS / CHECKPOINT_S) + 1):
        for name in names:
            kernel.pass_on(name, 1_000_000, 9_000_000)
        for host in range(hosts):
            kernel.pass_on_host(names[host % departments], f"10.0.{host // 250}.{host % 250}", 1_000_000, 9_000_000)
        seconds = number * CHECKPOINT_S
        metering.step(Moment(MIDNIGHT + timedelta(seconds=seconds), seconds, is_trusted=True))
        _sync(path)
    store.close()
    return (written_bytes() - before) * PARTS


def _sync(path: Path) -> None:
    for part in (path, path.with_name(f"{path.name}-wal")):
        descriptor = os.open(part, os.O_RDWR)
        os.fdatasync(descriptor)
        os.close(descriptor)


def _vnstatd() -> int:
    """Bytes that vnstatd would write in a day."""
    with network("gateway") as lab, tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        for name in INTERFACES[2:]:
            lab.cable(lab.appliance, name, lab.switch, f"to-{name}")
        settings, own = Path(folder, "vnstat.conf"), Path(folder, "database")
        own.mkdir()
        settings.write_text(VNSTAT.format(folder=own))
        lab.hosts[0].spawn(["ping", "-q", "-b", "-i", "0.2", lab.uplink.ipv4])  # all ports of the switch see some of it
        command = ["vnstatd", "--nodaemon", "--config", str(settings)]
        daemon = lab.appliance.spawn(command, ready=f"Monitoring ({len(INTERFACES)})")
        _await_save(own / "vnstat.db")
        before = written_bytes(daemon.process.pid)
        for _ in range(SAVES):
            _await_save(own / "vnstat.db")
        written = written_bytes(daemon.process.pid) - before
        daemon.stop()
    return written // SAVES * SAVES_A_DAY


def _await_save(database: Path) -> None:
    saved_at = database.stat().st_mtime
    while database.stat().st_mtime == saved_at:
        time.sleep(0.5)
    time.sleep(2)  # until the whole of it is done
