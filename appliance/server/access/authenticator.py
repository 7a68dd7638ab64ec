"""The keeper: whether a token lets its holder in now, and whether who came in may stay.

An issuer is looked up by the word of the token itself, which is not believed yet; the key found so then judges the
whole token, with the one algorithm that belongs to the key.
"""

import base64
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Protocol

import msgspec
from msgspec import Struct

from appliance.core.access.person import TokenOrigin, TokenRecord
from appliance.core.holdover import latest
from appliance.core.moment import Moment
from appliance.core.refusal import Code, Refused
from appliance.server.access.tokens import Grant, bounded, read

FLOOR_PERIOD_S = 3600.0  # how often the time is noted that has certainly come: 24 small writes a day
FORGET_AFTER = timedelta(days=31)  # after its expiry; a clock that went wrong by less brings no revoked token back
LEEWAY = timedelta(seconds=60)  # by which two machines' clocks may differ, for `nbf` of an issuer's token


class TokenIssuer(Protocol):
    """What the keeper needs of an issuer."""

    def read(self, token: str) -> Grant:
        """What a token of this issuer's allows. Raises `Refused`."""


class TokenRegistry(Protocol):
    """What the keeper needs to remember."""

    def revoked(self) -> frozenset[str]:
        """The ids of the tokens that are not to be let in."""

    def version(self) -> int:
        """Another number after anybody, another process too, has changed something."""

    def remember(self, ticket: TokenRecord) -> None:
        """Keep a token of an issuer's for the list."""

    def forget(self, before: datetime) -> None:
        """Forget the tokens that expired before this moment."""

    def floor(self) -> datetime | None:
        """The latest moment that is known to have passed."""

    def save_floor(self, wall: datetime) -> None:
        """Note that this moment has certainly come."""


class _Named(Struct, frozen=True):
    """Who says that he made a token."""

    iss: str = ""


class Authenticator:
    """Judges tokens; `step` keeps it up to date."""

    def __init__(
        self,
        secret: bytes,
        issuers: Mapping[str, TokenIssuer],
        rolls: TokenRegistry,
        boot: str | None,
        now: Moment,
    ) -> None:
        """`issuers`: the organisation's own, by their `iss`; `boot`: of this machine."""
        self.secret = secret
        self.boot = boot
        self._issuers = issuers
        self._rolls = rolls
        self._holdover = latest(now, rolls.floor())
        self._floor_due_s = now.monotonic_s
        self._version = rolls.version()
        self._revoked = rolls.revoked()
        self.when_revoked: Callable[[], object] = lambda: None  # called as soon as a token is let in no more

    def check(self, token: object, now: Moment) -> Grant:
        """What this token allows now. Raises `Refused`: `E_TOKEN_EXPIRED` for one that was good, else another."""
        text = bounded(token)
        issuer = self._issuers.get(_claimed_issuer(text))
        grant = issuer.read(text) if issuer else read(self.secret, text)
        fault = self.fault(grant, now)
        if fault is not None:
            raise fault
        if grant.origin is TokenOrigin.ISSUER:
            self._remember(grant, now)
        return grant

    def fault(self, grant: Grant, now: Moment) -> Refused | None:
        """Why the holder of this grant may not be here now; `None`: he may."""
        if grant.id in self._revoked:
            return Refused(Code.UNAUTHORIZED, "The token has been revoked; ask the appliance's administrator")
        if self.remaining_s(grant, now) <= 0:
            return Refused(
                Code.TOKEN_EXPIRED, "The token has expired; log in again, or ask the appliance's administrator for one"
            )
        if grant.not_before is not None and self._holdover.moment(now).wall + LEEWAY < grant.not_before:
            return Refused(Code.UNAUTHORIZED, "The token is not valid yet; is the appliance's clock right?")
        return None

    def remaining_s(self, grant: Grant, now: Moment) -> float:
        """Seconds for which the grant still holds."""
        return grant.lifetime.remaining_s(self.boot, self._holdover.moment(now))

    def refresh(self) -> None:
        """Take in what was revoked, here or by the command line."""
        version = self._rolls.version()
        if version == self._version:
            return
        before, self._revoked = self._revoked, self._rolls.revoked()
        self._version = version
        if self._revoked - before:
            self.when_revoked()

    def step(self, now: Moment) -> None:
        """Follow the clock and what others have revoked."""
        self.refresh()
        self._holdover = self._holdover.follow(now)
        if now.is_trusted and now.monotonic_s >= self._floor_due_s:
            self._floor_due_s = now.monotonic_s + FLOOR_PERIOD_S
            self._rolls.save_floor(now.wall)
            self._rolls.forget(now.wall - FORGET_AFTER)

    def _remember(self, grant: Grant, now: Moment) -> None:
        ticket = TokenRecord(
            grant.id, grant.subject, grant.role, grant.departments, grant.origin, now.wall, grant.lifetime.expires_at
        )
        with suppress(Refused):  # on a full disk it is not listed, and can be revoked all the same
            self._rolls.remember(ticket)


def _claimed_issuer(token: str) -> str:
    try:
        payload = token.split(".")[1]
        return msgspec.json.decode(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)), type=_Named).iss
    except (ValueError, IndexError, msgspec.MsgspecError, RecursionError):
        return ""  # no token of an issuer's; what it is, the one way of judging our own will say
