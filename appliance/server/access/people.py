"""People: logging in with a password, staying in, and who may.

A login is a token for half an hour that its holder renews while the page is open, for half a day at most; so a token
that somebody copied is worth little, and who was removed is out at once. To hash a password takes a moment in which
others have their turn: what was read before is read again after it.
"""

import secrets
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from appliance.core.access.audit_entry import Actor
from appliance.core.access.person import Person, Role, TokenOrigin, TokenRecord, departments_text
from appliance.core.access.token_lifetime import Issuance
from appliance.core.moment import Moment, timestamp
from appliance.core.refusal import Code, Refused
from appliance.server.access.audit_records import AuditRecords
from appliance.server.access.authenticator import Authenticator
from appliance.server.access.tokens import LONGEST_TTL_S, Grant, issue

LOGIN_S = 1800  # a renewal is due every quarter of an hour; what is copied is worth half an hour
SESSION_S = 12 * 3600  # a working day with its overtime; a screen on a wall has a token of its own instead
SHORTEST_PASSWORD, LONGEST_PASSWORD = 10, 200  # NIST SP 800-63B asks for 8 and takes 64; guessing is slow here anyway

# Judged where there is no such person, so that the answer takes as long. Nobody knows a password for it.
NOBODYS_HASH = "$argon2id$v=19$m=19456,t=2,p=1$iJ4zq0Vt1Ts0cqn0lM1P1w$dQ1h2Jc8gkR0r7oV3Z5mQpXw0bT6uY4eN9aLsKfGhIA"


class PeopleStore(Protocol):
    """Where people and tokens are remembered."""

    def people(self) -> Sequence[Person]:
        """Everybody who has a password."""

    def person(self, name: str) -> tuple[Person, str] | None:
        """Somebody with the hash of the password."""

    def add_person(self, person: Person, password_hash: str, wall: datetime) -> bool:
        """Add somebody; false where the name is taken."""

    def set_password(self, name: str, password_hash: str, wall: datetime) -> None:
        """Give somebody another password and revoke the logins made with the old one."""

    def remove_person(self, name: str, wall: datetime) -> None:
        """Remove somebody and revoke the logins."""

    def tickets(self) -> Sequence[TokenRecord]:
        """Every token that is remembered."""

    def remember(self, ticket: TokenRecord) -> None:
        """Keep a token for the list."""

    def revoke(self, ticket: TokenRecord, wall: datetime) -> None:
        """Let this token in no more."""


class Hashing(Protocol):
    """How passwords are hashed and judged; either may take a second."""

    def hashed(self, password: str) -> str:
        """The hash of a new password."""

    def matches(self, password: str, password_hash: str) -> bool:
        """Whether this is the password."""


class People:
    """Everything that concerns who may come in. Every method tells the audit trail what it has changed."""

    def __init__(
        self, register: PeopleStore, authenticator: Authenticator, hashing: Hashing, records: AuditRecords
    ) -> None:
        """`authenticator`: whose secret signs, and who has to know what was revoked."""
        self._register = register
        self._authenticator = authenticator
        self._hashing = hashing
        self._records = records

    def has_administrator(self) -> bool:
        """Whether somebody can log in who may add others."""
        return any(one.role is Role.ADMIN and one.departments is None for one in self._register.people())

    def log_in(self, name: str, password: str, address: str | None, clock: Callable[[], Moment]) -> str:
        """A token for this person. Raises `Refused`."""
        known = self._register.person(name)
        is_right = self._hashing.matches(password, known[1] if known else NOBODYS_HASH)
        now = clock()
        if not is_right or known is None or self._register.person(name) != known:
            self._records.refused(Actor("", address=address), "login", now, Code.UNAUTHORIZED, name)
            raise Refused(Code.UNAUTHORIZED, "the name or the password is wrong")
        person, token_id = known[0], secrets.token_hex(8)
        expires_at = now.wall + timedelta(seconds=SESSION_S)
        self._register.remember(
            TokenRecord(token_id, name, person.role, person.departments, TokenOrigin.LOGIN, now.wall, expires_at, name)
        )
        self._records.done(Actor(name, person.role, address), "login", now, {"id": token_id})
        return self._login_token(person, token_id, SESSION_S, now)

    def renew(self, grant: Grant, now: Moment) -> str:
        """Another token for the same login. Raises `Refused` where it is none, or has lasted long enough."""
        known = self._register.person(grant.subject) if grant.origin is TokenOrigin.LOGIN else None
        if known is None:
            raise Refused(Code.BAD_REQUEST, "only a login can be renewed; this token was made in another way")
        lasts_s = (grant.lifetime.expires_at - grant.lifetime.issued_at).total_seconds()
        session_s = grant.session_s - (lasts_s - self._authenticator.remaining_s(grant, now))
        if session_s < 1:
            raise Refused(Code.TOKEN_EXPIRED, f"after {SESSION_S // 3600} hours the password is needed again: log in")
        return self._login_token(known[0], grant.id, session_s, now)

    def add(self, person: Person, password: str, actor: Actor, clock: Callable[[], Moment]) -> None:
        """Let somebody in from now on. Raises `Refused`."""
        _require_password(password)
        if self._register.person(person.name) is not None:
            raise Refused(Code.BAD_REQUEST, f'there is a "{person.name}" already; choose another name')
        password_hash = self._hashing.hashed(password)
        now = clock()
        if not self._register.add_person(person, password_hash, now.wall):
            raise Refused(Code.BAD_REQUEST, f'there is a "{person.name}" already; choose another name')
        self._records.done(actor, "user:add", now, {"name": person.name}, None, person_facts(person))

    def set_password(self, name: str, password: str, actor: Actor, clock: Callable[[], Moment]) -> None:
        """Give somebody another password; his logins end. Raises `Refused`."""
        _require_password(password)
        self._person(name)
        password_hash = self._hashing.hashed(password)
        now = clock()
        self._register.set_password(name, password_hash, now.wall)
        self._authenticator.refresh()
        self._records.done(actor, "user:password", now, {"name": name})

    def require_current(self, name: str, password: str) -> None:
        """Refuse where this is not the person's password."""
        known = self._register.person(name)
        if known is None or not self._hashing.matches(password, known[1]):
            raise Refused(Code.FORBIDDEN, "current: that is not your password")

    def remove(self, name: str, actor: Actor, now: Moment) -> None:
        """Let somebody in no more; his logins end. Raises `Refused`."""
        before = person_facts(self._person(name))
        self._register.remove_person(name, now.wall)
        self._authenticator.refresh()
        self._records.done(actor, "user:remove", now, {"name": name}, before)

    def listed(self) -> Sequence[Person]:
        """Everybody who can log in."""
        return self._register.people()

    def tickets(self, now: Moment) -> Sequence[TokenRecord]:
        """The tokens that are not over."""
        return [ticket for ticket in self._register.tickets() if ticket.expires_at > now.wall]

    def make_token(
        self, role: Role, departments: frozenset[str] | None, ttl_s: int, subject: str, actor: Actor, now: Moment
    ) -> str:
        """A token for a program or a screen. Raises `ValueError` where it could not be used."""
        token_id = secrets.token_hex(8)
        token = issue(
            self._authenticator.secret,
            role,
            departments,
            ttl_s,
            subject,
            now.wall,
            self._issuance(now),
            token_id=token_id,
        )
        expires_at = now.wall + timedelta(seconds=ttl_s)
        ticket = TokenRecord(token_id, subject, role, departments, TokenOrigin.ISSUED, now.wall, expires_at)
        self._register.remember(ticket)
        self._records.done(actor, "token:make", now, {"id": token_id}, None, ticket_facts(ticket))
        return token

    def revoke(self, token_id: str, actor: Actor, now: Moment) -> None:
        """Let a token in no more, be it known here or not: it may have been made before the list was kept."""
        known = next((ticket for ticket in self._register.tickets() if ticket.id == token_id), None)
        ticket = known or TokenRecord(
            token_id,
            "unknown",
            Role.VIEWER,
            frozenset(),
            TokenOrigin.ISSUED,
            now.wall,
            now.wall + timedelta(seconds=LONGEST_TTL_S),
        )
        self._register.revoke(ticket, now.wall)
        self._authenticator.refresh()
        self._records.done(actor, "token:revoke", now, {"id": token_id}, known and ticket_facts(known))

    def _person(self, name: str) -> Person:
        known = self._register.person(name)
        if known is None:
            raise Refused(Code.BAD_REQUEST, f'there is nobody called "{name}"')
        return known[0]

    def _login_token(self, person: Person, token_id: str, session_s: float, now: Moment) -> str:
        return issue(
            self._authenticator.secret,
            person.role,
            person.departments,
            min(LOGIN_S, int(session_s)),
            person.name,
            now.wall,
            self._issuance(now),
            token_id=token_id,
            session_s=session_s,
        )

    def _issuance(self, now: Moment) -> Issuance | None:
        return Issuance(self._authenticator.boot, now.monotonic_s) if self._authenticator.boot else None


def person_facts(person: Person) -> dict[str, object]:
    """A person as clients and the audit trail read it."""
    return {"name": person.name, "role": person.role, "departments": departments_text(person.departments)}


def ticket_facts(ticket: TokenRecord) -> dict[str, object]:
    """A token as clients and the audit trail read it."""
    return {
        "id": ticket.id,
        "subject": ticket.subject,
        "role": ticket.role,
        "departments": departments_text(ticket.departments),
        "origin": ticket.origin,
        "issuedAt": timestamp(ticket.issued_at),
        "expiresAt": timestamp(ticket.expires_at),
        "revokedAt": ticket.revoked_at and timestamp(ticket.revoked_at),
    }


def _require_password(password: str) -> None:
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        raise Refused(
            Code.BAD_REQUEST,
            f"password: must have {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters",
        )
