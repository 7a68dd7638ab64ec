"""The support bundle: one file with what somebody elsewhere needs to find out what is wrong, and without secrets.

Everything in it is text, and goes through the redaction: logs, the configuration, the kernel's state, crash reports and
the findings. No database, no key and no secret is read for it, but those that are left out by it.
"""

import json
import subprocess
import tarfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from datetime import UTC, datetime
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import asdict

from appliance.core.access.redaction import redacted
from appliance.service.supervision.crash_reports import CrashFolder
from appliance.service.supervision.known_secrets import known_secrets
from appliance.system.storage.files import write_private

LOG = ("journalctl", "--no-pager", "--lines=3000", "--unit=appliance", "--unit=appliance-restore")
KERNEL_LOG = ("journalctl", "--no-pager", "--lines=500", "--dmesg")
LONGEST_S = 20.0  # for the journal, on a slow card
KERNEL_FILES = ("version", "uptime", "loadavg", "meminfo", "diskstats", "cmdline", "net/dev", "net/softnet_stat")
LARGEST_FILE_BYTES = 1 << 20
NOT_HERE = "not there: "


def write_bundle(target: Path, config_file: Path | None, state_dir: Path, findings: object) -> list[str]:
    """Write the bundle; returns the names of the files in it. `findings`: the doctor's. Raises `OSError`."""
    secrets, when = known_secrets(state_dir), datetime.now(UTC)
    parts: Mapping[str, Callable[[], str]] = {
        "findings.json": lambda: _json(findings),
        "configuration.toml": lambda: _file(config_file) if config_file else f"{NOT_HERE}none was given",
        "log.txt": lambda: _output(LOG),
        "kernel/log.txt": lambda: _output(KERNEL_LOG),
        "kernel/tables.json": _tables,
        "kernel/interfaces.json": _interfaces,
        "kernel/signs.json": lambda: _signs(state_dir),
        "state.txt": lambda: _listing(state_dir),
        **{f"kernel/{one.replace('/', '-')}.txt": partial(_file, Path("/proc", one)) for one in KERNEL_FILES},
        **{f"crashes/{one.name}": partial(_file, one) for one in CrashFolder(state_dir).reports()},
    }
    packed = BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, read in parts.items():
            content = redacted(read(), secrets).encode()
            facts = tarfile.TarInfo(f"appliance-{when:%Y%m%dT%H%M%SZ}/{name}")
            facts.size, facts.mtime, facts.mode = len(content), int(when.timestamp()), 0o600
            archive.addfile(facts, BytesIO(content))
    write_private(target, packed.getvalue())
    return list(parts)


def _json(value: object) -> str:
    return json.dumps(value, indent=1, default=lambda one: asdict(one) if isinstance(one, Struct) else str(one))


def _file(path: Path) -> str:
    """The end of the file."""
    try:
        with path.open("rb") as file:
            if (size := path.stat().st_size) > LARGEST_FILE_BYTES:
                file.seek(size - LARGEST_FILE_BYTES)
            return file.read(LARGEST_FILE_BYTES).decode(errors="replace")
    except OSError as error:
        return f"{NOT_HERE}{error}"


def _output(command: Sequence[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, timeout=LONGEST_S, check=False)  # noqa: S603  fixed words
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{NOT_HERE}{error}"
    return (done.stdout + done.stderr).decode(errors="replace")


def _tables() -> str:
    from appliance.system.nftables.libnftables import FirewallUnavailable, Nftables

    try:
        with closing(Nftables()) as nftables:
            return _json(nftables.own_rules())
    except FirewallUnavailable as error:
        return f"{NOT_HERE}{error}"


def _interfaces() -> str:
    from appliance.system.device.clock import boot_id
    from appliance.system.network.interfaces import RtnetlinkInterfaces

    with closing(RtnetlinkInterfaces(boot_id())) as interfaces:
        return _json([*interfaces.links().values()])


def _signs(state_dir: Path) -> str:
    from appliance.system.device.machine_signs import MachineSignReader

    return _json(MachineSignReader(state_dir).read())


def _listing(state_dir: Path) -> str:
    """The names and sizes of what is in the state directory: not the contents."""
    lines: list[Any] = []
    with suppress(OSError):
        for path in sorted(state_dir.rglob("*"))[:1000]:
            facts = path.lstat()
            lines.append(f"{facts.st_mode:o} {facts.st_size:>12} {int(facts.st_mtime)} {path.relative_to(state_dir)}")
    return "\n".join(lines)
