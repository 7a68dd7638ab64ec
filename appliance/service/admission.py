"""Admission: all that decides who gets in, put together: register, trail, tokens, people, pairing and TLS."""

import logging
from pathlib import Path

from eventlet import tpool

from appliance.config import Config
from appliance.core.moment import Moment
from appliance.server.access import Keeper, load_secret, this_boot
from appliance.server.access.audit_records import Records
from appliance.server.access.issuers import load_issuers
from appliance.server.access.pairing import Pairing
from appliance.server.access.people import People
from appliance.server.access.services import Reception
from appliance.service.hashing import GreenHashing
from appliance.service.keeping import REGISTER_FILE, TRAIL_FILE
from appliance.service.machines import CannotStart, Machine, clock
from appliance.service.securing import Security
from appliance.system.certificate import CertificateUnavailable
from appliance.system.storage.audit_store import SqliteTrail, TrailUnavailable
from appliance.system.storage.people_store import RegisterUnavailable, SqliteRegister

log = logging.getLogger(__name__)


class Admission:
    """Who gets in, and what is kept of it."""

    def __init__(self, config: Config, machine: Machine, state_dir: Path) -> None:
        """Open or make everything. Raises `CannotStart`, `AccessError`."""
        self._is_clock_trusted = machine.is_clock_trusted
        # People are the same in a simulation; what they change in it must never be taken for a change of the real one.
        trail_file = f"simulated-{TRAIL_FILE}" if machine.is_simulated else TRAIL_FILE
        try:
            self._register = SqliteRegister(state_dir / REGISTER_FILE)
            self.trail = SqliteTrail(state_dir / trail_file)
        except (RegisterUnavailable, TrailUnavailable) as error:
            raise CannotStart(str(error)) from None
        issuers = load_issuers(config.issuers)
        keeper = Keeper(load_secret(state_dir), issuers, self._register, this_boot(), machine.is_clock_trusted, clock())
        records = Records(self.trail)
        people = People(self._register, keeper, GreenHashing(), records)
        pairing = Pairing(lambda: not people.has_administrator(), announce)
        self.reception = Reception(keeper, people, pairing, records)
        self._security = None
        if config.server.tls:
            self._security = Security(config.server, state_dir, machine.interfaces.links(), clock().wall)
        self.tls = self._security.tls if self._security else None

    def renew_certificate(self, now: Moment) -> None:
        """Make another certificate in time, and serve it to whoever connects from then on."""
        if self._security is None or not self._is_clock_trusted(now):
            return  # by a wrong clock a good certificate would be thrown away
        try:
            if tpool.execute(self._security.renew, now.wall):
                self._security.tls.load()
                log.warning("there is a new certificate; its fingerprint is %s", self._security.tls.fingerprint)
        except CertificateUnavailable as error:
            log.error("%s", error)

    def close(self) -> None:
        """Close what was opened."""
        self.trail.close()
        self._register.close()


def announce(text: str) -> None:
    """Show this to the person at the console, and keep it in the log for whoever reads that."""
    print(f"\n*** {text} ***\n", flush=True)
    log.warning("%s", text)
