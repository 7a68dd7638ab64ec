"""Decides how long a token is still valid, on a computer whose wall clock may be wrong.

A token that was issued in this very boot is judged by the monotonic clock, which never jumps: it is valid for as many
seconds as it was made for, whatever the wall clock does. Any other token is judged by `core.holdover.latest`: an
untrusted clock is not followed when it jumps, and time never goes back before the latest moment that has
certainly passed.
"""

from datetime import datetime

from msgspec import Struct

from appliance.core.moment import Moment


class Issuance(Struct, frozen=True):
    """When a token was made, by the monotonic clock of one boot of one machine."""

    boot: str
    monotonic_s: float


class Lifetime(Struct, frozen=True):
    """The time from issue to expiry. `issuance`: `None` where it is unknown."""

    issued_at: datetime
    expires_at: datetime
    issuance: Issuance | None = None

    def remaining_s(self, boot: str | None, now: Moment) -> float:
        """Seconds until the token expires; it does at the very instant of its end (RFC 7519, section 4.1.4).

        `boot`: of this machine; `None`: unknown. `now`: by the holdover.
        """
        if self.issuance is not None and self.issuance.boot == boot:
            lasts_s = (self.expires_at - self.issued_at).total_seconds()
            return lasts_s - (now.monotonic_s - self.issuance.monotonic_s)
        return (self.expires_at - now.wall).total_seconds()
