"""Delays logins from addresses that were refused too often, twice as long each time.

The first refusals are free, since people mistype. After them the delay doubles with each refusal, up to a longest, and
is forgotten when its network has been quiet for a while, at least for as long again. Only so many networks are
remembered; the one that was refused longest ago is forgotten first, so that a stranger with many addresses cannot fill
the memory. A good login resets nothing: it may be the guesser's own, and it has waited already.
"""

from collections import OrderedDict

from msgspec import Struct

from appliance.core.access.client_address import client_network


class BackoffRules(Struct, frozen=True):
    """`free`: refusals that cost nothing; then `first_s` seconds, doubled each time up to `longest_s`.

    `quiet_s`: until they are forgotten.
    """

    free: int = 5  # a person who mistypes, or a dashboard whose token was replaced until a person looks
    first_s: float = 1.0
    longest_s: float = 300.0  # 300 guesses a day find nothing; a person takes a longer wait for a fault
    quiet_s: float = 120.0
    most_networks: int = 1000  # 200 bytes each


class _Refusals(Struct, frozen=True):
    """The refused logins of a network."""

    count: int
    free_at_s: float
    forgotten_at_s: float


class LoginBackoff:
    """Counts the refused logins of each network. `now_s`: of a clock that never jumps."""

    def __init__(self, rules: BackoffRules) -> None:
        self._rules = rules
        self._records: OrderedDict[str, _Refusals] = OrderedDict()
        self.refused = 0  # logins since the start, of all addresses

    def __len__(self) -> int:
        """The number of networks that are remembered."""
        return len(self._records)

    def refusals(self, address: str, now_s: float) -> int:
        """The refusals of this address that are not forgotten yet."""
        record = self._records.get(client_network(address))
        return record.count if record and now_s < record.forgotten_at_s else 0

    def wait_s(self, address: str, now_s: float) -> float:
        """Seconds until this address may try again; 0: now."""
        record = self._records.get(client_network(address))
        return max(0.0, record.free_at_s - now_s) if record else 0.0

    def count_refusal(self, address: str, now_s: float) -> None:
        """Count a refused login from this address. While the address has to wait, its wait stays as it is."""
        self.refused += 1
        if self.wait_s(address, now_s) > 0:
            return  # else the wait of a dashboard that keeps trying would never end
        network, refusals = client_network(address), 1 + self.refusals(address, now_s)
        self._records.pop(network, None)
        beyond = min(refusals - self._rules.free, 64)  # doubled so often, it is longer than any longest wait
        wait_s = min(self._rules.longest_s, self._rules.first_s * 2.0 ** (beyond - 1)) if beyond > 0 else 0.0
        self._records[network] = _Refusals(refusals, now_s + wait_s, now_s + max(2 * wait_s, self._rules.quiet_s))
        if len(self._records) > self._rules.most_networks:
            self._records.popitem(last=False)
