"""Puts together what decides who gets in: people, tokens, audit trail, pairing and TLS."""

import logging
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path

from eventlet import tpool

from appliance.config import Config, ServerSection
from appliance.config.sections import OWN_FILE, certificate_file
from appliance.core.machine import Link
from appliance.core.moment import Moment
from appliance.server.access import Authenticator
from appliance.server.access.audit_records import AuditRecords
from appliance.server.access.issuers import load_issuers
from appliance.server.access.pairing import Pairing
from appliance.server.access.password_judge import PasswordJudge
from appliance.server.access.people import People
from appliance.server.http.tls import Tls, TlsUnavailable
from appliance.service.access.offline_access import REGISTER_FILE, TRAIL_FILE
from appliance.service.access.own_token import load_secret
from appliance.service.access.password_hashing import GreenPasswordHashing
from appliance.service.machines import CannotStart, Machine
from appliance.system import certificate
from appliance.system.certificate import CertificateUnavailable, time_faults
from appliance.system.device.clock import boot_id
from appliance.system.storage.audit_store import AuditStoreUnavailable, SqliteAuditStore
from appliance.system.storage.files import write_private
from appliance.system.storage.people_store import PeopleStoreUnavailable, SqlitePeopleStore

log = logging.getLogger(__name__)

LOOK_S = 3600.0  # a child process looks, for a second or two


class Authentication:
    """The parts that decide who gets in, and the open files behind them."""

    def __init__(self, config: Config, machine: Machine, state_dir: Path) -> None:
        """Open or create the files. Raises `CannotStart`, `AccessError`."""
        # People are the same in a simulation; what they change in it must never be taken for a change of the real one.
        trail_file = f"simulated-{TRAIL_FILE}" if machine.is_simulated else TRAIL_FILE
        try:
            self._people_store = SqlitePeopleStore(state_dir / REGISTER_FILE)
            self.audit_store = SqliteAuditStore(state_dir / trail_file)
        except (PeopleStoreUnavailable, AuditStoreUnavailable) as error:
            raise CannotStart(str(error)) from None
        issuers = load_issuers(config.issuers)
        self.authenticator = Authenticator(
            load_secret(state_dir), issuers, self._people_store, boot_id(), machine.clock()
        )
        self.audit = AuditRecords(self.audit_store)
        judge = PasswordJudge(self._people_store, GreenPasswordHashing(), self.audit, self.audit.logins())
        self.people = People(self._people_store, self.authenticator, judge, self.audit)
        self.pairing = Pairing(lambda: not self.people.has_administrator(), announce)
        self._certificate = ServerCertificate(config.server, state_dir, machine) if config.server.tls else None
        self.tls = self._certificate.tls if self._certificate else None

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
                self._certificate.tls.load()
                log.warning(
                    "there is a new certificate, because the old one was about to end or named this computer by what "
                    "it was called before; compare its fingerprint once: %s",
                    self._certificate.tls.fingerprint,
                )
            for fault in tpool.execute(self._certificate.faults, now.wall):
                log.warning("%s", fault)
        except CertificateUnavailable as error:
            log.error("%s", error)

    def reload_certificate(self, _: Moment) -> None:
        """Take the certificate and key of the operator where their files have changed."""
        try:
            if self.tls is not None and self.tls.has_changed() and self._certificate is not None:
                self.tls.load()
                log.warning("there is another certificate in its file; its fingerprint is %s", self.tls.fingerprint)
        except TlsUnavailable as error:
            log.error("%s; the former one stays in use", error)

    def close(self) -> None:
        """Close what was opened."""
        self.audit_store.close()
        self._people_store.close()


def announce(text: str) -> None:
    """Print a text for the person at the console, and log it."""
    print(f"\n*** {text} ***\n", flush=True)
    log.warning("%s", text)


def reachable_addresses(links: Iterable[Link]) -> list[str]:
    """The addresses of these links by which clients may reach this computer."""
    return sorted({str(one.ip) for link in links for one in link.addresses if not one.is_link_local})


class ServerCertificate:
    """The server's TLS: with the operator's certificate, or with one of its own."""

    def __init__(self, server: ServerSection, state_dir: Path, machine: Machine) -> None:
        """Make a certificate where the operator has given none and none exists. Raises `CannotStart`."""
        self._interfaces = machine.interfaces
        self._looked_for: Sequence[str] = ()
        self._looked_s = 0.0
        self._own = None if server.certificate else state_dir / OWN_FILE
        try:
            if self._own:
                certificate.ensure(self._own, self.names(), machine.clock().wall, write_private, even_if_old=True)
            self._path = certificate_file(server, state_dir)
            self.tls = Tls(self._path, Path(server.key) if server.key else self._path)
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
        return [] if self._own else time_faults(self._path, certificate.read(self._path), wall)

    def renew(self, names: Sequence[str], wall: datetime) -> bool:
        """Replace a certificate of its own that is no longer good for these names; returns whether it did.

        `wall`: of a clock that is trusted. Takes a second or two; it is run beside the event loop.
        """
        own = self._own
        return own is not None and certificate.ensure(own, names, wall, write_private, even_if_old=False)
