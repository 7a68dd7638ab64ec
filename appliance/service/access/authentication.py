"""Puts together what decides who gets in: people, tokens, audit trail, pairing and TLS."""

import logging
import secrets
import ssl
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from eventlet import tpool
from eventlet.semaphore import Semaphore

from appliance.config import Config, ServerSection
from appliance.config.sections import OWN_FILE, certificate_file
from appliance.core.machine import Link
from appliance.core.moment import Moment
from appliance.core.refusal import Code, Refused
from appliance.server.access import AccessError, Authenticator
from appliance.server.access.audit_records import AuditRecords
from appliance.server.access.issuers import load_issuers
from appliance.server.access.pairing import Pairing
from appliance.server.access.password_judge import PasswordJudge
from appliance.server.access.people import People
from appliance.server.http.tls import CertificateFacts, Tls, TlsUnavailable
from appliance.service.access.offline_access import REGISTER_FILE, TRAIL_FILE
from appliance.service.access.own_token import load_secret
from appliance.service.access.password_hashing import GreenPasswordHashing
from appliance.service.machines import CannotStart, Machine
from appliance.system import certificate
from appliance.system.certificate import CertificateUnavailable, time_faults
from appliance.system.device.clock import boot_id
from appliance.system.storage.audit_store import AuditStoreUnavailable, SqliteAuditStore
from appliance.system.storage.files import passing_file, write_private
from appliance.system.storage.people_store import ClosedPeopleStore, PeopleStoreUnavailable, SqlitePeopleStore
from appliance.system.storage.secret_file import SECRET_BYTES
from appliance.system.storage.sqlite import Aside

log = logging.getLogger(__name__)

LOOK_S = 3600.0  # a child process looks, for a second or two


class Authentication:
    """The parts that decide who gets in, and the open files behind them.

    What cannot be opened is replaced by something that lets in less, and is told: metering and blocks need none of it.
    """

    def __init__(self, config: Config, machine: Machine, state_dir: Path) -> None:
        """Open or create the files. Raises `AccessError`."""
        # People are the same in a simulation; what they change in it must never be taken for a change of the real one.
        trail_file = f"simulated-{TRAIL_FILE}" if machine.is_simulated else TRAIL_FILE
        secret, self._secret_trouble = secret_or_another(state_dir)
        self._people_store = open_people(state_dir / REGISTER_FILE)
        self.audit_store = open_trail(state_dir / trail_file)
        self._clock = machine.clock
        issuers = load_issuers(config.issuers)
        self.authenticator = Authenticator(secret, issuers, self._people_store, boot_id(), machine.clock())
        self.audit = AuditRecords(self.audit_store)
        judge = PasswordJudge(self._people_store, GreenPasswordHashing(), self.audit, self.audit.logins())
        self.people = People(self._people_store, self.authenticator, judge, self.audit)
        self.pairing = Pairing(lambda: not self.people.has_administrator(), announce)
        self._certificate = ServerCertificate(config.server, state_dir, machine) if config.server.tls else None
        self.tls = self._certificate.tls if self._certificate else None

    @property
    def files(self) -> tuple[SqliteAuditStore, SqlitePeopleStore | ClosedPeopleStore]:
        """What is written to the state directory."""
        return self.audit_store, self._people_store

    def troubles(self, _: Moment) -> Sequence[str]:
        """Sentences for people: who cannot get in, and what is not recorded."""
        memory = "people.sqlite3 takes no changes: people can log in, and nothing about them can be changed"
        trail = "the audit trail takes no entries, and the program's log has them"
        found = {
            "nobody is let in": self.authenticator.closed_because,
            memory: self._people_store.obstacle,
            trail: self.audit_store.obstacle,
            "tokens that were made before are not accepted": self._secret_trouble,
            "TLS uses a certificate that lasts until the service ends": self._certificate and self._certificate.trouble,
        }
        damaged = [
            f"the audit trail was damaged and has begun anew; look at {path}, then take it away"
            for path in self.audit_store.moved
            if path.exists()
        ]
        return [*(f"{what}: {why}" for what, why in found.items() if why), *damaged]

    def certificate_troubles(self, _: Moment) -> Sequence[str]:
        """Sentences about the time of the operator's certificate, as at the latest look."""
        return self._certificate.time_troubles if self._certificate else ()

    def renew_certificate(self, now: Moment) -> None:
        """Replace the appliance's own certificate before it expires, or when it names this computer wrongly.

        Later connections get the new one.
        """
        if self._certificate is None or not now.is_trusted:
            return  # a wrong clock would replace a good certificate
        try:
            names = self._certificate.names()  # of the kernel, which is asked by the loop's own thread only
            if not self._certificate.is_due(names, now.monotonic_s):
                return
            if tpool.execute(self._certificate.renew, names, now.wall):
                log.warning(
                    "there is a new certificate, because the old one was about to end, could not be used or named "
                    "this computer by what it was called before; compare its fingerprint once: %s",
                    self._certificate.tls.fingerprint,
                )
            self._certificate.time_troubles = tpool.execute(self._certificate.faults, now.wall)
            for fault in self._certificate.time_troubles:
                log.warning("%s", fault)
        except (CertificateUnavailable, TlsUnavailable) as error:
            log.error("%s", error)

    def reload_certificate(self, _: Moment) -> None:
        """Take the certificate and key of the operator where their files have changed."""
        try:
            if self._certificate is not None and self._certificate.reload():
                fingerprint = self._certificate.tls.fingerprint
                log.warning("there is another certificate in its file; its fingerprint is %s", fingerprint)
        except TlsUnavailable as error:
            log.error("%s; the former one stays in use", error)

    def certificate_facts(self) -> CertificateFacts | None:
        """What the certificate in use says; `None` without TLS. Raises `Refused` where it cannot be read."""
        return self._certificate.facts() if self._certificate else None

    def close(self) -> None:
        """Save who was here, and close what was opened."""
        self.authenticator.save_last_seen(self._clock())
        self.audit_store.close()
        self._people_store.close()


def aside_in_turn() -> Aside:
    """Runs work beside the event loop, one after the other: a medium that hangs keeps one thread of the pool.

    SQLite would make them wait for each other anyway.
    """
    turn = Semaphore()

    def run(work: Callable[..., Any], *arguments: Any) -> Any:
        with turn:
            return tpool.execute(work, *arguments)

    return run


def announce(text: str) -> None:
    """Print a text for the person at the console, and log it."""
    print(f"\n*** {text} ***\n", flush=True)
    log.warning("%s", text)


def open_people(path: Path) -> SqlitePeopleStore | ClosedPeopleStore:
    """People and tokens: in the file, in memory where the file takes no changes, or closed where it is damaged."""
    try:
        return SqlitePeopleStore(path, aside_in_turn())
    except PeopleStoreUnavailable as error:
        reason = str(error)
    try:
        store = SqlitePeopleStore.in_memory(path, reason)
    except PeopleStoreUnavailable as error:
        log.error("nobody is let in: %s", error)
        return ClosedPeopleStore(str(error))
    log.error("people and tokens are read, and cannot be changed: %s", reason)
    return store


def open_trail(path: Path) -> SqliteAuditStore:
    """The audit trail: in the file, or as it was, with new entries in the program's log."""
    try:
        return SqliteAuditStore(path, aside_in_turn())
    except AuditStoreUnavailable as error:
        log.error("%s", error)
        return SqliteAuditStore.in_memory(path, str(error))


def reachable_addresses(links: Iterable[Link]) -> list[str]:
    """The addresses of these links by which clients may reach this computer."""
    return sorted({str(one.ip) for link in links for one in link.addresses if not one.is_link_local})


class ServerCertificate:
    """The server's TLS: with the operator's certificate, or with one of its own."""

    def __init__(self, server: ServerSection, state_dir: Path, machine: Machine) -> None:
        """Make a certificate where the operator has given none and none exists.

        `time_troubles`: of the operator's, as at the latest look. `trouble`: why the files cannot be used, and another
        certificate is; `None`: they are. Raises `CannotStart`.
        """
        self._interfaces = machine.interfaces
        self._looked_for: Sequence[str] = ()
        self._looked_s = 0.0
        self._reading = Semaphore()
        self._facts: CertificateFacts | None = None
        self._own = None if server.certificate else state_dir / OWN_FILE
        self.trouble: str | None = None
        self.time_troubles: Sequence[str] = ()
        path = certificate_file(server, state_dir)
        self._paths = path, Path(server.key) if server.key else path
        self.tls = self._load(machine.clock().wall)

    def _load(self, wall: datetime) -> Tls:
        """TLS with the files, or with a certificate in memory: never without."""
        try:
            if self._own:
                certificate.ensure(self._own, self.names(), wall, write_private, even_if_old=True)
            return Tls(*self._paths)
        except (CertificateUnavailable, TlsUnavailable) as error:
            self.trouble = str(error)
        log.error("%s; another certificate is made", self.trouble)
        try:
            with passing_file(certificate.made(self.names(), wall)) as path:
                return Tls(path, path)
        except (CertificateUnavailable, TlsUnavailable) as error:
            raise CannotStart(str(error)) from None

    def names(self) -> list[str]:
        """The names and addresses by which clients reach this computer now."""
        return [*certificate.host_names(), *reachable_addresses(self._interfaces.links().values())]

    def is_due(self, names: Sequence[str], now_s: float) -> bool:
        """Whether the certificate is to be looked at: there are other names, or an hour has passed."""
        if names == self._looked_for and now_s - self._looked_s < LOOK_S:
            return False
        self._looked_for, self._looked_s = names, now_s
        return True

    def faults(self, wall: datetime) -> list[str]:
        """A sentence for each fault in the time of the operator's certificate. Raises `CertificateUnavailable`."""
        return [] if self._own else time_faults(self._paths[0], certificate.read(self._paths[0]), wall)

    def facts(self) -> CertificateFacts:
        """What the certificate in use says, read once, beside the loop. Raises `Refused`."""
        with self._reading:
            der, fingerprint = self.tls.certificate, self.tls.fingerprint
            if self._facts is None or self._facts.fingerprint != fingerprint:
                try:
                    found = tpool.execute(certificate.read_text, ssl.DER_cert_to_PEM_cert(der))
                except CertificateUnavailable as error:
                    log.error("%s", error)
                    raise Refused(Code.INTERNAL, f"the certificate cannot be read: {error}") from None
                self._facts = CertificateFacts(found.names, found.ends, fingerprint, found.is_self_signed)
            return self._facts

    def renew(self, names: Sequence[str], wall: datetime) -> bool:
        """Replace a certificate of its own that is no longer good for these names; returns whether there is another.

        One in memory gives way to the files once these can be used. `wall`: of a clock that is trusted. Takes a second
        or two; it is run beside the event loop. Raises `CertificateUnavailable`, `TlsUnavailable`.
        """
        own = self._own
        is_new = own is not None and certificate.ensure(own, names, wall, write_private, even_if_old=False)
        if is_new or self.trouble is not None:
            self._use_files()
            return True
        return False

    def reload(self) -> bool:
        """Use the files where they have changed; returns whether they have. Raises `TlsUnavailable`."""
        if not self.tls.has_changed(*self._paths):
            return False
        self._use_files()
        return True

    def _use_files(self) -> None:
        self.tls.load(*self._paths)
        self.trouble, self.time_troubles = None, ()
        self._looked_s = float("-inf")  # the new one's time is looked at within a minute


def secret_or_another(state_dir: Path) -> tuple[bytes, str | None]:
    """The secret that signs tokens; or one that lasts until the service ends, and why."""
    try:
        return load_secret(state_dir), None
    except AccessError as error:
        log.error("tokens that were made before are not accepted: %s", error)
        return secrets.token_bytes(SECRET_BYTES), str(error)
