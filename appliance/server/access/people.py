"""Manages people and tokens: logging in with a password, renewing a login, adding, removing and revoking.

A login is a token for half an hour that its holder renews while the page is open, for half a day at most. So a copied
token is worth little, and a removed person is out at once. Hashing a password takes a moment in which other greenlets
run: what was read before it is read again after it.
"""

import secrets
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING

from appliance.core.access.audit_entry import Actor, value_text
from appliance.core.access.person import Person, Role, TokenOrigin, TokenRecord, departments_text
from appliance.core.access.token_lifetime import Issuance
from appliance.core.moment import Moment, timestamp
from appliance.core.refusal import Code, Refused
from appliance.core.text import clipped, unknown_text
from appliance.server.access.audit_records import AuditRecords
from appliance.server.access.authenticator import Authenticator
from appliance.server.access.password_judge import PasswordJudge
from appliance.server.access.tokens import LONGEST_TTL_S, Grant, issue

if TYPE_CHECKING:  # the ports load half of the core, which the command line can do without
    from appliance.ports import PeopleStore

LOGIN_S = 1800  # a renewal is due every quarter of an hour; a copied token is worth half an hour
SESSION_S = 12 * 3600  # a working day with its overtime; a screen on a wall has a token of its own instead
SHORTEST_PASSWORD, LONGEST_PASSWORD = 10, 200  # NIST SP 800-63B asks for 8 and takes 64; guessing is slow here anyway


class People:
    """Keeps people and tokens, and records every change in the audit trail."""

    def __init__(
        self, store: "PeopleStore", authenticator: Authenticator, passwords: PasswordJudge, audit: AuditRecords
    ) -> None:
        """`authenticator`: its secret signs the tokens, and it learns at once what was revoked."""
        self._store = store
        self._authenticator = authenticator
        self.passwords = passwords
        self._audit = audit

    def has_administrator(self) -> bool:
        """Whether there is a person who may add others."""
        return any(one.role is Role.ADMIN and one.departments is None for one in self._store.people())

    def log_in(self, name: str, password: str, address: str | None, clock: Callable[[], Moment]) -> str:
        """Make a token for this person. Raises `Refused`."""
        person = self.passwords.judge(name, password, Actor("", address=address), "login", clock)
        if person is None:
            raise Refused(Code.UNAUTHORIZED, "the name or the password is wrong")
        known = self._store.person(name)
        token_id, now = secrets.token_hex(8), clock()
        end = now.wall + timedelta(seconds=SESSION_S)
        self._store.remember(
            TokenRecord(token_id, name, person.role, person.departments, TokenOrigin.LOGIN, now.wall, end, name)
        )
        if self._store.person(name) != known:  # while the medium took the token
            self.revoke_token(token_id, Actor(name, person.role, address), now)
            raise Refused(Code.UNAUTHORIZED, "the name or the password is wrong")
        self._audit.record_change(Actor(name, person.role, address), "login", now, {"id": token_id})
        return self._login_token(person, token_id, SESSION_S, now)

    def renew(self, grant: Grant, now: Moment) -> str:
        """Make another token for the same login. Raises `Refused` for another kind of token or after `SESSION_S`."""
        known = self._store.person(grant.subject) if grant.origin is TokenOrigin.LOGIN else None
        if known is None:
            raise Refused(Code.BAD_REQUEST, "only a login can be renewed; this token was made in another way")
        lasts_s = (grant.lifetime.expires_at - grant.lifetime.issued_at).total_seconds()
        session_s = grant.session_s - (lasts_s - self._authenticator.remaining_s(grant, now))
        if session_s < 1:
            raise Refused(Code.TOKEN_EXPIRED, f"after {SESSION_S // 3600} hours the password is needed again: log in")
        return self._login_token(known[0], grant.id, session_s, now)

    def add_person(self, person: Person, password: str, actor: Actor, clock: Callable[[], Moment]) -> None:
        """Let this person log in from now on. Raises `Refused`."""
        _require_password(password)
        if self._store.person(person.name) is not None:
            raise self._taken(person.name)
        password_hash = self.passwords.hashed(password)
        now = clock()
        if not self._store.add_person(person, password_hash, now.wall):
            raise self._taken(person.name)
        self._authenticator.last_seen.forget_person(person.name)
        self._audit.record_change(actor, "user:add", now, {"name": person.name}, None, person_facts(person))

    def set_password(
        self, name: str, password: str, actor: Actor, clock: Callable[[], Moment], *, seen: Person | None = None
    ) -> None:
        """Give this person another password and revoke their logins. Raises `Refused`.

        `seen`: the person as the caller saw them; `E_CONFLICT` where they are not so any more; `None`: as they are.
        """
        _require_password(password)
        self._require_as_seen(name, seen)
        password_hash = self.passwords.hashed(password)
        self._require_as_seen(name, seen)
        now = clock()
        self._store.set_password(name, password_hash, now.wall)
        self._authenticator.refresh()
        self._audit.record_change(actor, "user:password", now, {"name": name})

    def require_current_password(self, name: str, password: str, actor: Actor, clock: Callable[[], Moment]) -> None:
        """Raise `Refused` where this is not the person's password. `actor`: the holder of a token with that name."""
        if self._store.person(name) is None or not self.passwords.judge(name, password, actor, "user:password", clock):
            raise Refused(Code.FORBIDDEN, "current: that is not your password")

    def remove_person(self, name: str, actor: Actor, now: Moment, *, seen: Person | None = None) -> None:
        """Remove this person and revoke their logins. Raises `Refused`. `seen`: as in `set_password`."""
        before = person_facts(self._require_as_seen(name, seen))
        self._store.remove_person(name, now.wall)
        self._authenticator.refresh()
        self._audit.record_change(actor, "user:remove", now, {"name": name}, before)

    def people(self) -> Sequence[Person]:
        """Every person who can log in."""
        return self._store.people()

    def tokens(self, now: Moment) -> Sequence[TokenRecord]:
        """The tokens that have not expired, the newest first."""
        return [token for token in self._store.tokens() if token.expires_at > now.wall]

    def make_token(
        self, role: Role, departments: frozenset[str] | None, ttl_s: int, subject: str, actor: Actor, now: Moment
    ) -> str:
        """Make a token for a program or a screen. Raises `ValueError` where it could not be used."""
        token_id = secrets.token_hex(8)
        secret, birth = self._authenticator.secret, self._issuance(now)
        token = issue(secret, role, departments, ttl_s, subject, now.wall, birth, token_id=token_id)
        end = now.wall + timedelta(seconds=ttl_s)
        record = TokenRecord(token_id, subject, role, departments, TokenOrigin.ISSUED, now.wall, end)
        self._store.remember(record)
        self._audit.record_change(actor, "token:make", now, {"id": token_id}, None, token_facts(record))
        return token

    def revoke_token(self, token_id: str, actor: Actor, now: Moment, *, is_shown: bool = False) -> None:
        """Revoke a token. Raises `Refused` for an id that no token has.

        `is_shown`: the token itself was seen, so that there is one, even if it was made before the list was kept.
        """
        known = next((token for token in self._store.tokens() if token.id == token_id), None)
        if known is None and not is_shown:
            raise Refused(
                Code.BAD_REQUEST, f'there is no token "{clipped(token_id)}"; token:list shows which there are'
            )
        end = now.wall + timedelta(seconds=LONGEST_TTL_S)
        unknown = TokenRecord(token_id, "unknown", Role.VIEWER, frozenset(), TokenOrigin.ISSUED, now.wall, end)
        self._store.revoke(known or unknown, now.wall)
        self._authenticator.refresh()
        self._audit.record_change(actor, "token:revoke", now, {"id": token_id}, known and token_facts(known))

    def _require_as_seen(self, name: str, seen: Person | None) -> Person:
        """Look this person up. Raises `Refused`, `E_CONFLICT` where they are not as the caller saw them."""
        known = self._store.person(name)
        if seen is None or (known is not None and known[0] == seen):
            return self._person(name)
        if known is None:
            text = f"{name} was removed meanwhile{self._latest_change(name)}"
        else:
            departments = departments_text(known[0].departments)
            text = f"{name} is {known[0].role} of {departments} by now{self._latest_change(name)}; look again"
        raise Refused(Code.CONFLICT, text)

    def _taken(self, name: str) -> Refused:
        return Refused(
            Code.CONFLICT, f'there is a "{name}" already{self._latest_change(name)}; choose another name, or look again'
        )

    def _latest_change(self, name: str) -> str:
        """Who changed this person last, and when, for the end of a sentence; empty where nothing tells it."""
        what = value_text({"name": name})
        with suppress(Refused):
            found = self._audit.entries(1, before=None, who=None, action=None, contains=what)
            return "".join(f" (by {one.entry.who}, {one.entry.at})" for one in found if one.entry.what == what)
        return ""

    def _person(self, name: str) -> Person:
        known = self._store.person(name)
        if known is None:
            raise Refused(
                Code.BAD_REQUEST, unknown_text("person called", name, (one.name for one in self._store.people()))
            )
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
    """A person as clients and the audit trail see it."""
    return {"name": person.name, "role": person.role, "departments": departments_text(person.departments)}


def token_facts(token: TokenRecord) -> dict[str, object]:
    """A token as clients and the audit trail see it."""
    return {
        "id": token.id,
        "subject": token.subject,
        "role": token.role,
        "departments": departments_text(token.departments),
        "origin": token.origin,
        "issuedAt": timestamp(token.issued_at),
        "expiresAt": timestamp(token.expires_at),
        "revokedAt": token.revoked_at and timestamp(token.revoked_at),
    }


def _require_password(password: str) -> None:
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        raise Refused(Code.BAD_REQUEST, f"password: must have {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters")
