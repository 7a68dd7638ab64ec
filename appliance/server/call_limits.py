"""Limits how often a client, and an address, may call."""

from appliance.config import LimitsSection
from appliance.core.access.rate_limit import Rate, RateLimit
from appliance.core.refusal import Code, Refused

# An address may be that of many dashboards behind one NAT: this many times what one client may call.
CALLS_OF_ADDRESS, CALLS_OF_ADDRESS_AT_ONCE = 5, 2.5
MOST_CALLERS = 10_000  # clients or addresses at once, 100 bytes each


class CallLimits:
    """Counts the calls of each client and of each address."""

    def __init__(self, limits: LimitsSection) -> None:
        calls_per_s, at_once = limits.calls_per_second, limits.calls_at_once
        self._of_client = RateLimit(Rate(calls_per_s, at_once), MOST_CALLERS)
        self._of_address = RateLimit(
            Rate(calls_per_s * CALLS_OF_ADDRESS, round(at_once * CALLS_OF_ADDRESS_AT_ONCE)), MOST_CALLERS
        )

    def count_call(self, sid: str, address: str | None, now_s: float) -> None:
        """Count a call of this client. Raises `Refused` where there are too many. `now_s`: of the monotonic clock."""
        wait_s = self._of_client.spend(sid, now_s) or self._of_address.spend(address, now_s)
        if wait_s:
            raise Refused(Code.RATE_LIMITED, f"too many calls; wait {max(0.1, wait_s):.1f} s before the next")
