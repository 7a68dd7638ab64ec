"""Logins: who was refused too often has to wait, twice as long each time.

A slip of the finger costs nothing: the first refusals are free. After them the waiting time doubles with each refusal,
up to a longest, and is forgotten when its origin has been quiet for as long again. Only so many origins are remembered;
the one that was refused longest ago gives way, so that a stranger with many addresses cannot fill the memory. A good
login forgives nothing: it may be the guesser's own, and it has waited already.
"""

from collections import OrderedDict
from dataclasses import dataclass

from appliance.core.access.client_address import client_network


@dataclass(frozen=True, slots=True)
class BackoffRules:
    """`free`: refusals that cost nothing; then `first_s` seconds, doubled each time up to `longest_s`."""

    free: int = 5  # a person who mistypes, or a dashboard whose token was replaced, before somebody looks
    first_s: float = 1.0
    longest_s: float = 300.0  # 300 guesses a day are none; a person who waits for longer thinks that it is broken
    most_origins: int = 1000  # 200 bytes each


@dataclass(frozen=True, slots=True)
class _Record:
    refusals: int
    free_at_s: float
    forgotten_at_s: float


class LoginBackoff:
    """The refused logins of each address. `now_s`: of a clock that never jumps."""

    def __init__(self, patience: BackoffRules) -> None:
        self._patience = patience
        self._records: OrderedDict[str, _Record] = OrderedDict()
        self.refused = 0  # since the start, of all addresses

    def __len__(self) -> int:
        """How many origins are remembered."""
        return len(self._records)

    def wait_s(self, address: str, now_s: float) -> float:
        """Seconds until this address may try again; 0: now."""
        record = self._records.get(client_network(address))
        return max(0.0, record.free_at_s - now_s) if record else 0.0

    def refuse(self, address: str, now_s: float) -> None:
        """A login from this address was refused. While the address has to wait, this changes nothing."""
        self.refused += 1
        if self.wait_s(address, now_s) > 0:
            return  # else a dashboard that tries again by itself would never get out
        origin = client_network(address)
        record = self._records.pop(origin, None)
        refusals = 1 + (record.refusals if record and now_s < record.forgotten_at_s else 0)
        wait_s = self._wait_after(refusals)
        self._records[origin] = _Record(refusals, now_s + wait_s, now_s + 2 * max(wait_s, self._patience.first_s * 60))
        if len(self._records) > self._patience.most_origins:
            self._records.popitem(last=False)

    def _wait_after(self, refusals: int) -> float:
        beyond = refusals - self._patience.free
        if beyond <= 0:
            return 0.0
        return min(self._patience.longest_s, self._patience.first_s * 2.0 ** min(beyond - 1, 64))
