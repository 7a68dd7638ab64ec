"""Limits guesses of passwords: by the visitor's network, and by the account whoever tries it.

A network from which a person has logged in before is known for this person. There their guesses are counted apart from
all others, so that no stranger elsewhere, and no other account behind the same address, can make them wait. Strangers
share a limit for each account, so that many addresses guess no more than one. When it is used up, only networks that
have hardly been refused are judged, up to a second limit: a person on a new desk still gets in.

In the worst case, with any number of addresses, strangers have 2,830 guesses at an account on the first day and 1,730
on each later one, and a known address 1,440. A year of that is 1.2 million: a password of ten random letters has
10^14 others, and one that is guessed by it is among the first that anyone would try.
"""

from collections import OrderedDict
from collections.abc import Iterable

from msgspec import Struct

from appliance.core.access.login_backoff import BackoffRules, LoginBackoff
from appliance.core.access.rate_limit import Rate, RateLimit

# Remembered for half a day, else a guesser with many addresses is soon a newcomer with each again; 0.8 MB at most.
STRANGERS = BackoffRules(quiet_s=43_200.0, most_networks=4000)
KNOWN = BackoffRules(longest_s=60.0)  # the person's own address: they wait for a fault of theirs a minute at most
OF_ACCOUNT = Rate(rate_per_s=1 / 300, burst=100)  # NIST SP 800-63B, 5.2.2: no more than 100 failures in a row
OF_NEWCOMERS = Rate(rate_per_s=1 / 60, burst=1000)  # a department has at most a few hundred addresses to try from
NEWCOMER = 3  # refusals below which a network is one: two for mistyping
MOST_ACCOUNTS = 10_000  # names that are tried at once, 100 bytes each; each costs the guesser a judgement
MOST_KNOWN = 20  # networks of one person: home, desk, phone; the one that was used longest ago is forgotten first


class Visitor(Struct, frozen=True):
    """A visitor who gives a name and a password. `network`: of `client_network`."""

    name: str
    network: str


class GuessLimits:
    """Counts the wrong passwords; `now_s`: of a clock that never jumps."""

    def __init__(self, known: Iterable[Visitor] = ()) -> None:
        """`known`: who has logged in from where before, the latest last."""
        self._known: dict[str, OrderedDict[str, None]] = {}
        self._of_network = LoginBackoff(STRANGERS)
        self._of_known = LoginBackoff(KNOWN)
        self._of_account = RateLimit(OF_ACCOUNT, MOST_ACCOUNTS)
        self._of_newcomers = RateLimit(OF_NEWCOMERS, MOST_ACCOUNTS)
        for visitor in known:
            self.remember_login(visitor)

    @property
    def wrong(self) -> int:
        """Wrong passwords since the start."""
        return self._of_network.refused + self._of_known.refused

    def is_known(self, visitor: Visitor) -> bool:
        """Whether this person has logged in from this network before."""
        return visitor.network in self._known.get(visitor.name, ())

    def remember_login(self, visitor: Visitor) -> None:
        """Remember a good login."""
        networks = self._known.setdefault(visitor.name, OrderedDict())
        networks[visitor.network] = None
        networks.move_to_end(visitor.network)
        if len(networks) > MOST_KNOWN:
            networks.popitem(last=False)

    def lane(self, visitor: Visitor) -> str:
        """The lane of the queue: a known visitor has their own."""
        return f"{visitor.name} {visitor.network}" if self.is_known(visitor) else visitor.network

    def rank(self, visitor: Visitor, now_s: float) -> int:
        """The rank in the queue: 0 for a known visitor, else the more, the more its network was refused."""
        return 0 if self.is_known(visitor) else 1 + self._of_network.refusals(visitor.network, now_s)

    def wait_s(self, visitor: Visitor, now_s: float) -> float:
        """Seconds until this visitor may guess again, for their own wrong passwords; 0: now."""
        return self._backoff(visitor).wait_s(self.lane(visitor), now_s)

    def spend(self, visitor: Visitor, now_s: float) -> float:
        """Use up one guess at the account. Returns 0, or the seconds to wait; a known visitor never waits for it."""
        if self.is_known(visitor):
            return 0.0
        wait_s = self._of_account.spend(visitor.name, now_s)
        if wait_s and self._of_network.refusals(visitor.network, now_s) < NEWCOMER:
            return self._of_newcomers.spend(visitor.name, now_s)
        return wait_s

    def count_wrong(self, visitor: Visitor, now_s: float) -> None:
        """Count a wrong password."""
        self._backoff(visitor).count_refusal(self.lane(visitor), now_s)

    def _backoff(self, visitor: Visitor) -> LoginBackoff:
        return self._of_known if self.is_known(visitor) else self._of_network
