"""Decides whether a token is valid now, and whether a client that is connected may stay.

The token itself names its issuer. That name is not trusted yet: it only selects the key, and this key then verifies the
whole token with the one algorithm that belongs to it.
"""

import base64
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from appliance.core.access.person import TokenOrigin, TokenRecord
from appliance.core.holdover import latest
from appliance.core.moment import Moment
from appliance.core.refusal import Code, Refused
from appliance.server.access.last_seen import LastSeen
from appliance.server.access.tokens import Grant, bounded, verify

if TYPE_CHECKING:  # the command line has no issuers and can do without the ports
    from appliance.ports import PeopleStore
    from appliance.server.access.issuers import Issuer

FLOOR_PERIOD_S = 3600.0  # between two writes of the time that has certainly passed: 24 small writes a day
FORGET_AFTER = timedelta(days=31)  # after its expiry; a clock that went wrong by less brings no revoked token back
CONSOLE, CONSOLE_LASTS = "cli:", timedelta(hours=1)  # of the tokens that `own_token` makes
LEEWAY = timedelta(seconds=60)  # by which two machines' clocks may differ, for `nbf` of an issuer's token


class _IssuerClaim(Struct, frozen=True):
    """The claim that names the issuer."""

    iss: str = ""


class Authenticator:
    """Judges tokens; `step` keeps it up to date."""

    def __init__(
        self, secret: bytes, issuers: "Mapping[str, Issuer]", store: "PeopleStore", boot: str | None, now: Moment
    ) -> None:
        """`issuers`: the organisation's own, by their `iss`; `boot`: of this machine, `None` where it is unknown."""
        self.secret = secret
        self.boot = boot
        self._issuers = issuers
        self._store = store
        self.closed_because: str | None = None  # people and tokens cannot be read
        self._version, self._revoked, floor = 0, frozenset[str](), None
        try:
            self._version, self._revoked, floor = store.version(), store.revoked(), store.floor()
        except Refused as refused:
            self.closed_because = refused.message
        self.last_seen = LastSeen(_last_seen(store))
        self._holdover = latest(now, floor)
        self._floor_due_s = now.monotonic_s

    def authenticate(self, token: object, now: Moment) -> Grant:
        """What this token allows now. Raises `Refused`: `E_TOKEN_EXPIRED` for one that was good, else another code."""
        text = bounded(token)
        issuer = self._issuers.get(_claimed_issuer(text))
        grant = issuer.verify(text) if issuer else verify(self.secret, text)
        self.require_valid(grant, now)
        self.last_seen.note(grant, now.wall)
        if grant.origin is TokenOrigin.ISSUER:
            subject, expires_at = grant.subject, grant.lifetime.expires_at
            with suppress(Refused):  # on a full disk it is not listed, but can be revoked all the same
                self._store.remember(
                    TokenRecord(grant.id, subject, grant.role, grant.departments, grant.origin, now.wall, expires_at)
                )
        return grant

    def require_valid(self, grant: Grant, now: Moment) -> None:
        """Raise `Refused` for a grant that is not valid now."""
        if self.closed_because is not None and not _is_console(grant):
            raise Refused(Code.MAINTENANCE, self.closed_because)
        if grant.id in self._revoked:
            raise Refused(Code.UNAUTHORIZED, "The token has been revoked; ask the appliance's administrator")
        if self.remaining_s(grant, now) <= 0:
            raise Refused(
                Code.TOKEN_EXPIRED, "The token has expired; log in again, or ask the appliance's administrator for one"
            )
        if grant.not_before is not None and self._holdover.moment(now).wall + LEEWAY < grant.not_before:
            raise Refused(Code.UNAUTHORIZED, "The token is not valid yet; is the appliance's clock right?")

    def remaining_s(self, grant: Grant, now: Moment) -> float:
        """Seconds until the grant expires."""
        return grant.lifetime.remaining_s(self.boot, self._holdover.moment(now))

    def refresh(self) -> None:
        """Read the revoked tokens again where the store has changed, by this process or by the command line."""
        try:
            version = self._store.version()
            if version != self._version or self.closed_because is not None:
                self._version, self._revoked = version, self._store.revoked()
            self.closed_because = None
        except Refused as refused:
            self.closed_because = refused.message

    def step(self, now: Moment) -> None:
        """Follow the clock and what others have revoked."""
        self.refresh()
        self._holdover = self._holdover.follow(now)
        if now.is_trusted and now.monotonic_s >= self._floor_due_s:
            self._floor_due_s = now.monotonic_s + FLOOR_PERIOD_S
            self._store.save_floor(now.wall)
            self._store.forget(now.wall - FORGET_AFTER)
            self.save_last_seen(now)

    def save_last_seen(self, now: Moment) -> None:
        """Save when tokens and people were last seen, unless the clock may be wrong."""
        if now.is_trusted:
            self._store.save_last_seen(self.last_seen.take_unsaved(now.wall))


def _last_seen(store: "PeopleStore") -> Mapping[str, datetime]:
    with suppress(Refused):  # it keeps nobody out
        return store.last_seen()
    return {}


def _is_console(grant: Grant) -> bool:
    """Whether this is the command line's own short token, which no register has: it is made where the secret is."""
    lasts = grant.lifetime.expires_at - grant.lifetime.issued_at
    return grant.subject.startswith(CONSOLE) and grant.origin is TokenOrigin.ISSUED and lasts <= CONSOLE_LASTS


def _claimed_issuer(token: str) -> str:
    try:
        payload = token.split(".")[1]
        return msgspec.json.decode(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)), type=_IssuerClaim).iss
    except (ValueError, IndexError, msgspec.MsgspecError, RecursionError):
        return ""  # not an issuer's token; our own verification says what is wrong with it
