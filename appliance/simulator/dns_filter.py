"""The simulated DNS filter, with the kernel's rules: a denial covers names by its scope, and ends by itself.

It passes the same contract tests as the real one.
"""

from collections.abc import Callable, Collection, Mapping, Sequence

from appliance.core.blocking.block import BlockOrigin
from appliance.core.blocking.denials import Denial, Question
from appliance.core.blocking.place import Hit, Place
from appliance.core.blocking.targets import Scope
from appliance.simulator.firewall import claims
from appliance.simulator.frames import Address


class SimulatedDnsFilter:
    """`ports.DnsFilter` of the simulated machine. `elapsed`: seconds since the machine's start."""

    def __init__(self, interfaces: Collection[str], elapsed: Callable[[], float]) -> None:
        self._interfaces = frozenset(interfaces)
        self._elapsed = elapsed
        self._places: Sequence[Place] = ()
        self._denied: dict[Question, tuple[float, Scope]] = {}
        self._open_until_s = 0.0

    def replace_denials(self, places: Sequence[Place], denials: Collection[Denial], at_s: float) -> str | None:
        """Deny exactly these names at these places."""
        self._places = [one for one in places if one.interface in self._interfaces] if denials else []
        self._denied = {}
        self._put(denials, at_s)
        return None

    def update_denials(self, gone: Collection[Question], new: Collection[Denial], at_s: float) -> str | None:
        """Withdraw some denials and add others."""
        if not self._places:
            return "there is no filter yet"
        for question in gone:
            self._denied.pop(question, None)
        self._put(new, at_s)
        return None

    def let_pass(self, for_s: float) -> str | None:
        """Refuse nothing for so long."""
        self._open_until_s = self._elapsed() + for_s
        return None

    def is_intact(self) -> bool:
        """Always: no other program changes a simulation."""
        return True

    def refused(self) -> Mapping[str, int]:
        """Zeros: the simulation does not count."""
        return dict.fromkeys(BlockOrigin, 0)

    def unreadable(self) -> int:
        """None: simulated hosts ask nothing that cannot be read."""
        return 0

    def hit_counts(self) -> Sequence[Hit]:
        """None: the simulation does not count."""
        return []

    def denies(self, interface: str, address: Address, name: str, at_s: float) -> bool:
        """Whether a look-up of this name, from this address at this interface, is refused at this second."""
        if at_s < self._open_until_s:
            return False
        departments = {None, *(one.department for one in self._places if claims(one, interface, address))}
        return len(departments) > 1 and any(
            ends_s > at_s and question.department in departments and scope.covers(question.name, name)
            for question, (ends_s, scope) in self._denied.items()
        )

    def _put(self, denials: Collection[Denial], at_s: float) -> None:
        now_s = self._elapsed()
        self._denied.update({one.question: (now_s + one.ends - at_s, one.scope) for one in denials})
