"""Looks for what would keep the appliance from its work, and says how to repair each finding.

It changes nothing. A finding is fatal where the service would not start, a warning where it would do less than it
could or soon will, and unknown where nobody can say: that is not good.
"""

import os
import socket
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from appliance import config as configuration
from appliance.config import Config, ConfigError, ServerSection
from appliance.config.sections import certificate_file
from appliance.core.moment import strays, timestamp
from appliance.core.operations.issues.checks import CHECKS, Signs
from appliance.core.operations.setup import Effect
from appliance.core.text import AS_ITS_USER
from appliance.server.access import AccessError
from appliance.server.http.pinning import fingerprint
from appliance.service.access.authentication import reachable_addresses
from appliance.service.access.own_token import load_secret, own_token
from appliance.service.updating.order_folder import order_folder
from appliance.system.certificate import CertificateUnavailable

CLOCK_CHECKS = frozenset({"clock_wrong", "clock_alone"})  # which the check of the clock makes with more words


class Verdict(StrEnum):
    """How serious a finding is."""

    GOOD = "good"
    WARNING = "warning"
    FATAL = "fatal"
    UNKNOWN = "unknown"


class Finding(Struct, frozen=True):
    """The result of one check. `advice`: what a person can do, empty where all is well."""

    subject: str
    verdict: Verdict
    found: str
    advice: str = ""


def examine(config_file: Path | None, state_dir: Path) -> list[Finding]:
    """Check everything, whatever the earlier checks found."""
    config, finding = _configuration(config_file)
    server = config.server if config else ServerSection()
    return [
        finding,
        *_kernel(),
        *_interfaces(config),
        *_setup(config),
        *_clock(),
        *_state(state_dir),
        *_certificate(server, state_dir),
        *_panel(),
        *_service(server, state_dir),
    ]


def report(findings: list[Finding]) -> str:
    """The findings as lines for a person."""
    advised = [(one, f"; {one.advice}" if one.advice else "") for one in findings]
    return "\n".join(f"{one.verdict:<8} {one.subject}: {one.found}{advice}" for one, advice in advised)


def _configuration(config_file: Path | None) -> tuple[Config | None, Finding]:
    subject = "configuration"
    if config_file is None:
        return None, Finding(subject, Verdict.GOOD, "none given; defaults are chosen for a first look")
    try:
        config = configuration.load(config_file)
    except ConfigError as error:
        return None, Finding(subject, Verdict.FATAL, str(error), "mend the file; appliance check-config checks it")
    return config, Finding(subject, Verdict.GOOD, str(config_file))


def _kernel() -> Iterator[Finding]:
    if sys.platform != "linux":
        yield Finding("kernel", Verdict.FATAL, sys.platform, "only Linux can meter and enforce; use --simulate")
        return
    from appliance.system.network.bpf import Bpf
    from appliance.system.network.dns_filter import obstacle
    from appliance.system.nftables.libnftables import FirewallUnavailable, Nftables

    try:
        Nftables().close()
        yield Finding("packet filter", Verdict.GOOD, "nftables answers")
    except FirewallUnavailable as error:
        yield Finding("packet filter", Verdict.FATAL, str(error), "without it, only --simulate runs")
    try:
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0).close()
        yield Finding("capture", Verdict.GOOD, "permitted")
    except PermissionError:
        yield Finding("capture", Verdict.FATAL, "not permitted", "run as root, or with CAP_NET_RAW")
    reason = obstacle(Bpf())
    if reason is None:
        yield Finding("look-ups", Verdict.GOOD, "those of blocked names can be refused")
    else:
        advice = "those of blocked names are answered, and only the addresses that they resolve to are blocked"
        yield Finding("look-ups", Verdict.WARNING, reason, advice)


def _interfaces(config: Config | None) -> Iterator[Finding]:
    present = {name for _, name in socket.if_nameindex()}
    for department in config.departments if config else ():
        subject = f"interface of {department.id}"
        if department.interface in present:
            yield Finding(subject, Verdict.GOOD, department.interface)
        else:
            advice = f"plug it in or name another; there are {', '.join(sorted(present))}"
            yield Finding(subject, Verdict.WARNING, f"{department.interface} does not exist", advice)


def _setup(config: Config | None) -> Iterator[Finding]:
    if config is None:
        return
    from appliance.service.setup_check import check_setup

    report = check_setup(config)
    for department, fault in report.faults:
        verdict = Verdict.FATAL if fault.effect is Effect.STOPS else Verdict.WARNING
        yield Finding(f"setup of {department}", verdict, fault.text, fault.advice)
    for sentence in report.unchecked:
        yield Finding("setup", Verdict.WARNING, sentence)
    if not report.faults and not report.unchecked:
        yield Finding("setup", Verdict.GOOD, "the network lets each department be metered and held")


def _clock() -> Iterator[Finding]:
    from appliance.system.device.clock import KernelClock

    clock = KernelClock()
    now, advice = clock.now(), "connect a time server (timedatectl status), else quota periods and tokens are wrong"
    if strays(now.wall):
        yield Finding("clock", Verdict.FATAL, f"it says {timestamp(now.wall)}, which cannot be", advice)
    elif clock.is_synchronised():
        yield Finding("clock", Verdict.GOOD, "a time server keeps it right")
    else:
        yield Finding("clock", Verdict.WARNING, f"nothing keeps it right; it says {timestamp(now.wall)}", advice)


def _state(state_dir: Path) -> Iterator[Finding]:
    try:
        existing = next(folder for folder in (state_dir, *state_dir.parents) if folder.exists())
    except PermissionError as error:
        yield Finding("state", Verdict.FATAL, f"{error.filename}: {error.strerror}", AS_ITS_USER)
        return
    if not os.access(existing, os.R_OK | os.X_OK):
        yield Finding("state", Verdict.FATAL, f"{existing}: not permitted", AS_ITS_USER)
    elif existing is state_dir and not os.access(existing, os.W_OK):
        advice = "replace the medium; until then all that changes is kept in memory"
        yield Finding("state", Verdict.WARNING, f"{existing} is not writable", advice)
    elif not os.access(existing, os.W_OK):
        yield Finding("state", Verdict.FATAL, f"{existing} is not writable", "choose another with --state-dir")
    elif existing is not state_dir:
        yield Finding("state", Verdict.GOOD, f"{state_dir} will be made")
    else:
        try:
            load_secret(state_dir)
            yield Finding("state", Verdict.GOOD, f"{state_dir} is writable and its secret is private")
        except AccessError as error:
            yield Finding("state", Verdict.WARNING, str(error), "until then no token that was made before is accepted")
        yield from _people(state_dir)
        yield from _trail(state_dir)


def _people(state_dir: Path) -> Iterator[Finding]:
    from appliance.service.access.offline_access import REGISTER_FILE
    from appliance.system.storage.people_store import PeopleStoreUnavailable, SqlitePeopleStore

    try:
        SqlitePeopleStore.in_memory(state_dir / REGISTER_FILE, "it is only read").close()
    except PeopleStoreUnavailable as error:
        yield Finding("people", Verdict.WARNING, str(error), "until then nobody is let in")


def _trail(state_dir: Path) -> Iterator[Finding]:
    from appliance.service.access.offline_access import TRAIL_FILE
    from appliance.system.storage.audit_store import AuditStoreUnavailable, altered_at

    path, subject = state_dir / TRAIL_FILE, "audit trail"
    if not path.exists():
        return
    try:
        number = altered_at(path)
    except AuditStoreUnavailable as error:
        yield Finding(subject, Verdict.WARNING, str(error), "the next start moves a damaged file aside")
        return
    if number is None:
        yield Finding(subject, Verdict.GOOD, "each entry follows from the one before")
    else:
        advice = "somebody with access to the file has altered it, or taken what was before it away"
        yield Finding(subject, Verdict.WARNING, f"entry {number} does not follow from the one before", advice)


def _certificate(server: ServerSection, state_dir: Path) -> Iterator[Finding]:
    if not server.tls:
        advice = "tokens and passwords can be read on the way; set tls = true in [server]"
        yield Finding("certificate", Verdict.WARNING, "none: dashboards connect without TLS", advice)
        return
    path = certificate_file(server, state_dir)
    try:
        yield Finding("certificate", Verdict.GOOD, f"{path}, SHA-256 {fingerprint(path)}")
        yield from _certificate_faults(path, is_own=not server.certificate)
    except FileNotFoundError as error:
        verdict, advice = (Verdict.FATAL, "name another in [server]") if server.certificate else (Verdict.GOOD, "")
        yield Finding("certificate", verdict, "will be made at the first start" if not advice else str(error), advice)
    except (OSError, ValueError) as error:
        yield Finding("certificate", Verdict.FATAL, str(error), "run this as the service's user, or delete the file")


def _certificate_faults(path: Path, *, is_own: bool) -> Iterator[Finding]:
    """What is wrong with the certificate's time, and with the names and addresses for which it stands."""
    from appliance.system import certificate

    subject, wall = "certificate", datetime.now(UTC)
    try:
        contents = certificate.read(path)
    except CertificateUnavailable as error:
        yield Finding(subject, Verdict.WARNING, str(error))
        return
    for fault in certificate.time_faults(path, contents, wall):
        yield Finding(subject, Verdict.WARNING, fault, "the service renews it while it runs" if is_own else "")
    named, names = ", ".join(contents.names) or "nothing", [*certificate.host_names(), *_addresses()]
    if is_own and not certificate.names_fit(contents.names, names):
        advice = "the service renews it within a minute; compare its new fingerprint then"
        yield Finding(subject, Verdict.WARNING, f"names {named}, by which this computer was reached before", advice)
    elif not is_own and not any(_leads_here(name, names) for name in contents.names):
        advice = f"have one made for the name that clients use; this computer has {', '.join(names)}"
        yield Finding(subject, Verdict.WARNING, f"names {named}, and none of it leads to this computer", advice)


def _addresses() -> list[str]:
    """The addresses by which a certificate of the appliance's own names this computer."""
    from appliance.system.network.interfaces import RtnetlinkInterfaces

    with closing(RtnetlinkInterfaces("")) as interfaces:
        return reachable_addresses(interfaces.links().values())


def _leads_here(name: str, names: list[str]) -> bool:
    """Whether clients that ask for this name of a certificate come to this computer."""
    host = names[0] + name.removeprefix("*") if name.startswith("*.") else name
    if host in names:
        return True
    try:
        return any(found[4][0] in names for found in socket.getaddrinfo(host, None))
    except OSError:
        return False


def _service(server: ServerSection, state_dir: Path) -> Iterator[Finding]:
    """Its port, and the issues: those of the computer are looked for here too, in case it does not run."""
    port = _port_finding(server)
    status = _status_of_service(server, state_dir) if port.verdict is not Verdict.GOOD else None
    if status is not None:
        port = Finding("port", Verdict.GOOD, f"{server.port} on {server.host}: the running service has it")
    return iter([port, *_issues(state_dir, status)])


def _issues(state_dir: Path, status: dict[str, Any] | None) -> Iterator[Finding]:
    """The issues of the computer, and those that the running service has. `status`: its gauges; `None`: none runs."""
    signs, told = _signs(state_dir), status.get("issues", []) if status else []
    watched = replace(signs, ports={}, frames_lost=0, written_a_day_bytes=0.0)  # as the service sees it after an hour
    unchecked = {one.id for one in CHECKS} if status is None else {*status.get("unchecked", [])}
    for check in [one for one in CHECKS if one.id not in CLOCK_CHECKS]:
        subject, found = check.id.replace("_", " "), check.find(signs)
        if found:
            yield from (Finding(subject, Verdict.WARNING, one.cause, check.suggestion) for one in found)
            told = [one for one in told if one["id"] != check.id]
        elif found is None and check.id in unchecked:
            why = "this computer does not tell" if check.find(watched) is None else "only the service sees it, in time"
            yield Finding(subject, Verdict.UNKNOWN, why)
        elif not any(one["id"] == check.id for one in told):
            yield Finding(subject, Verdict.GOOD, "looked for, and not found")
    for one in [one for one in told if one["id"] not in CLOCK_CHECKS]:
        yield Finding(one["id"].replace("_", " "), Verdict.WARNING, one["cause"], one["suggestion"])


def _signs(state_dir: Path) -> Signs:
    from appliance.system.device.clock import KernelClock, boot_id
    from appliance.system.device.machine_signs import MachineSignReader
    from appliance.system.update.image_root import running_root
    from appliance.system.update.image_updates import ImageUpdates

    now, updates = KernelClock().now(), ImageUpdates(order_folder(state_dir), running_root(), boot_id())
    machine = MachineSignReader(state_dir).read()
    return Signs(wall=now.wall, uptime_s=now.monotonic_s, machine=machine, update=updates.latest())


def _port_finding(server: ServerSection) -> Finding:
    family = socket.AF_INET6 if ":" in server.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((server.host, server.port))
            return Finding("port", Verdict.GOOD, f"{server.port} on {server.host} is free")
        except OSError as error:
            advice = "another program has it, or a service with another state directory: ss -ltnp shows which"
            return Finding("port", Verdict.WARNING, f"{server.port} on {server.host}: {error.strerror}", advice)


def _status_of_service(server: ServerSection, state_dir: Path) -> dict[str, Any] | None:
    """The gauges of the service of this state directory; `None`: it does not run. No other accepts its token."""
    from appliance.client import SETTLE_S, CallFailed, connected
    from appliance.server.http.address import reachable_url

    url = reachable_url(server.host, server.port, tls=server.tls)
    try:
        pinned = certificate_file(server, state_dir) if server.tls else None
        with connected(url, lambda: own_token(state_dir), pinned) as client:
            health = [payload for event, payload in client.events(gap_s=SETTLE_S) if event == "system:health"]
            return dict(health[-1]["status"]) if health else {"unchecked": [one.id for one in CHECKS]}
    except (CallFailed, AccessError):
        return None


def _panel() -> Iterator[Finding]:
    from appliance.system.device.panel import MODEL_FILE

    if MODEL_FILE.exists():
        yield Finding("panel", Verdict.GOOD, MODEL_FILE.read_text(errors="replace").rstrip("\0"))
    else:
        yield Finding("panel", Verdict.WARNING, "this is no Raspberry Pi", "LEDs and button are mocked")
