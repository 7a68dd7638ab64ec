"""Puts together what decides who gets in: people, tokens, audit trail, pairing and TLS."""

import logging
from datetime import datetime
from pathlib import Path

from eventlet import tpool

from appliance.config import Config, ServerSection
from appliance.config.sections import OWN_FILE, certificate_file
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
from appliance.system.certificate import CertificateUnavailable
from appliance.system.device.clock import boot_id
from appliance.system.storage.audit_store import AuditStoreUnavailable, SqliteAuditStore
from appliance.system.storage.files import write_private
from appliance.system.storage.people_store import PeopleStoreUnavailable, SqlitePeopleStore

log = logging.getLogger(__name__)


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
        """Replace the appliance's own certificate before it expires; later connections get the new one."""
        if self._certificate is None or not now.is_trusted:
            return  # a wrong clock would replace a good certificate
        try:
            if tpool.execute(self._certificate.renew, now.wall):
                self._certificate.tls.load()
                log.warning("there is a new certificate; its fingerprint is %s", self._certificate.tls.fingerprint)
        except CertificateUnavailable as error:
            log.error("%s", error)

    def close(self) -> None:
        """Close what was opened."""
        self.audit_store.close()
        self._people_store.close()


def announce(text: str) -> None:
    """Print a text for the person at the console, and log it."""
    print(f"\n*** {text} ***\n", flush=True)
    log.warning("%s", text)


class ServerCertificate:
    """The server's TLS: with the operator's certificate, or with one of its own."""

    def __init__(self, server: ServerSection, state_dir: Path, machine: Machine) -> None:
        """Make a certificate where the operator has given none and none exists. Raises `CannotStart`."""
        links = machine.interfaces.links().values()
        addresses = {str(one.ip) for link in links for one in link.addresses if not one.is_link_local}
        self._names = [*certificate.host_names(), *sorted(addresses)]  # by which clients reach this computer
        self._own = None if server.certificate else state_dir / OWN_FILE
        try:
            if self._own:
                certificate.ensure(self._own, self._names, machine.clock().wall, write_private, even_if_old=True)
            path = certificate_file(server, state_dir)
            self.tls = Tls(path, Path(server.key) if server.key else path)
        except (CertificateUnavailable, TlsUnavailable) as error:
            raise CannotStart(str(error)) from None

    def renew(self, wall: datetime) -> bool:
        """Replace a certificate of its own that is about to expire, or not valid yet; returns whether it did.

        `wall`: of a clock that is trusted. Takes a second or two; it is run beside the event loop.
        """
        own, names = self._own, self._names
        return own is not None and certificate.ensure(own, names, wall, write_private, even_if_old=False)
