"""Judges passwords, wherever one is given: the one way, so that guesses have one queue, one limit and one trail.

A right password shows nothing of how it was found, so a guess costs the same whether the name exists or not, whether it
comes from a stranger or with a good token, and each wrong one is in the audit trail.
"""

import logging
import math
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from appliance.core.access.audit_entry import Actor
from appliance.core.access.client_address import client_network
from appliance.core.access.guess_limits import GuessLimits, Visitor
from appliance.core.access.login_queue import Waiting
from appliance.core.access.person import Person
from appliance.core.moment import Moment
from appliance.core.refusal import Code, MustWait
from appliance.server.access.audit_records import AuditRecords

if TYPE_CHECKING:  # the ports load half of the core, which the command line can do without
    from appliance.ports import PasswordHashing, PeopleStore

log = logging.getLogger(__name__)

# Checked where the name is unknown, so that the answer takes as long. No password is known to match it.
UNKNOWN_PERSON_HASH = (
    "$argon2id$v=19$m=19456,t=2,p=1$iJ4zq0Vt1Ts0cqn0lM1P1w$dQ1h2Jc8gkR0r7oV3Z5mQpXw0bT6uY4eN9aLsKfGhIA"
)


class PasswordJudge:
    """Judges a visitor's password when it is their turn."""

    def __init__(
        self,
        store: "PeopleStore",
        hashing: "PasswordHashing",
        audit: AuditRecords,
        logins: Iterable[tuple[str, str]] = (),
    ) -> None:
        """`logins`: who has logged in from which address before, so that a restart makes nobody a stranger."""
        self._store = store
        self._hashing = hashing
        self._audit = audit
        self._limits = GuessLimits(Visitor(who, client_network(address)) for who, address in logins)

    @property
    def wrong(self) -> int:
        """Wrong passwords since the start."""
        return self._limits.wrong

    def is_known(self, name: str, address: str | None) -> bool:
        """Whether this person has logged in from this address before."""
        return self._limits.is_known(_visitor(name, address))

    def vouch_for(self, name: str, address: str | None) -> None:
        """Let this person's password be judged before those of strangers: they have proved themselves otherwise."""
        self._limits.remember_login(_visitor(name, address))

    def judge(self, name: str, password: str, actor: Actor, action: str, clock: Callable[[], Moment]) -> Person | None:
        """The person whose name and password these are; `None`: they are wrong, which is recorded.

        `actor`: who gives them, from which address. Raises `MustWait`, or `Refused` where nothing can be judged now.
        """
        visitor, known = _visitor(name, actor.address), self._store.person(name)
        self._require_patience(visitor, clock())
        place = Waiting(self._limits.lane(visitor), self._limits.rank(visitor, clock().monotonic_s))
        password_hash = known[1] if known else UNKNOWN_PERSON_HASH
        is_right = self._hashing.matches(password, password_hash, place, lambda: self._begin(visitor, clock()))
        now = clock()
        if known is not None and is_right and self._store.person(name) == known:
            self._limits.remember_login(visitor)
            return known[0]
        self._limits.count_wrong(visitor, now.monotonic_s)
        self._audit.record_refusal(actor, action, now, Code.UNAUTHORIZED, name)
        return None

    def hashed(self, password: str) -> str:
        """The hash of a new password, which a person who is let in already has chosen. Raises `Refused`."""
        return self._hashing.hashed(password)

    def _begin(self, visitor: Visitor, now: Moment) -> None:
        """Begin a visitor's turn: others of their network may have been wrong while they waited. Raises `MustWait`."""
        self._require_patience(visitor, now)
        wait_s = self._limits.spend(visitor, now.monotonic_s)
        if wait_s:
            log.warning("many wrong passwords were tried for one account; %s has to wait", visitor.network)
            text = f"too many wrong passwords for this name, from any address; wait {math.ceil(wait_s)} s"
            raise MustWait(f"{text}, or log in from where you have logged in before", wait_s)

    def _require_patience(self, visitor: Visitor, now: Moment) -> None:
        wait_s = self._limits.wait_s(visitor, now.monotonic_s)
        if wait_s:
            text = f"too many wrong passwords from your address; wait {math.ceil(wait_s)} s before the next"
            raise MustWait(text, wait_s)


def _visitor(name: str, address: str | None) -> Visitor:
    return Visitor(name, client_network(address or ""))
