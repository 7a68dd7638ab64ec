"""The simulated packet filter, with the kernel's rules: whole transactions, disjoint ranges, elements that expire.

It passes the same contract tests as the real one. It refuses a transaction whole if ranges overlap, or if an interface
does not exist, as older kernels do (a newer one accepts the chain and waits for the interface). A set of single
addresses takes only the first address of a range. An expired element is gone.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from itertools import pairwise

from appliance.core.blocking.block import BlockOrigin
from appliance.core.blocking.cover import Range
from appliance.core.blocking.place import Hit, Place
from appliance.core.blocking.protection import Protected
from appliance.core.blocking.sets import SHAPES, BlockSet, Element, Family, set_and_range
from appliance.core.kernel.nftables.elements import Bounds, Point
from appliance.core.machine import NextHop
from appliance.core.operations.foreign_rules import Listing
from appliance.simulator.frames import Address

Sets = dict[BlockSet, dict[Bounds, tuple[int, float]]]  # by set and bounds: the mark, and the second of its end


class SimulatedUpstream:
    """`ports.Upstream` of a machine without gateway and name server."""

    def __init__(self, uplinks: Sequence[str] = ()) -> None:
        self._uplinks = uplinks

    def essentials(self) -> Sequence[Protected]:
        """None."""
        return []

    def next_hops(self) -> Sequence[NextHop]:
        """None."""
        return []

    def names(self) -> Sequence[str]:
        """None."""
        return []

    def gateways(self) -> Sequence[Address]:
        """None."""
        return []

    def uplinks(self) -> Sequence[str]:
        """Those that it was made with."""
        return self._uplinks


class SimulatedForwarding:
    """`ports.Forwarding` of a machine that forwards everything."""

    def versions(self, _interface: str) -> frozenset[int]:
        """Both, from each interface."""
        return frozenset({4, 6})

    def filters_bridged(self) -> bool:
        """It does not."""
        return False

    def foreign_rules(self) -> Listing:
        """None."""
        return ()

    def offload(self, _departments: Collection[str], _carriers: Mapping[str, int]) -> None:
        """No packet passes here."""


class SimulatedFirewall:
    """`ports.Firewall` of the simulated machine. `elapsed`: seconds since the machine's start."""

    def __init__(self, interfaces: Collection[str], elapsed: Callable[[], float]) -> None:
        self._interfaces = frozenset(interfaces)
        self._elapsed = elapsed
        self._places: Sequence[Place] | None = None
        self._sets: Sets = {}
        self._open_until_s = 0.0

    def install_rules(self, places: Sequence[Place]) -> str | None:
        """Put the rules for these places in force; returns the reason if nothing was changed."""
        absent = next((one.interface for one in places if one.interface not in self._interfaces), None)
        if absent is not None:
            return f"Could not process rule: No such device {absent}"
        self._places = tuple(places)
        self._sets = {
            block_set: found for block_set, found in self._sets.items() if block_set.department in self._departments()
        }
        return None

    def is_intact(self) -> bool:
        """Whether there are rules."""
        return self._places is not None

    def tampered_by(self) -> str | None:
        """`None`: no other program changes a simulation."""
        return None

    def replace_elements(self, pieces: Mapping[BlockSet, Collection[Range]], at_s: float) -> str | None:
        """Put exactly these pieces in force."""
        return self._put({}, pieces, at_s)

    def update_elements(
        self, gone: Mapping[BlockSet, Collection[Bounds]], new: Mapping[BlockSet, Collection[Range]], at_s: float
    ) -> str | None:
        """Remove some pieces and add others."""
        kept = {block_set: dict(found) for block_set, found in self._live().items()}
        for block_set, bounds in gone.items():
            for one in bounds:
                kept.get(block_set, {}).pop(one, None)
        return self._put(kept, new, at_s)

    def let_pass(self, for_s: float) -> str | None:
        """Stop nothing for so long."""
        self._open_until_s = self._elapsed() + for_s
        return None

    def list_elements(self, block_set: BlockSet) -> Iterator[Sequence[Point]]:
        """The elements of a set, one piece at a time."""
        now_s, shape = self._elapsed(), SHAPES[block_set.family]
        for (first, last), (mark, ends_s) in self._live().get(block_set, {}).items():
            begin = first, Element(mark, None if ends_s == float("inf") else ends_s - now_s)
            yield [begin, (last + 1, None)] if shape.is_interval and last + 1 < 1 << shape.bits else [begin]

    def stopped(self) -> Mapping[str, int]:
        """Zeros: the simulation does not count."""
        return dict.fromkeys(BlockOrigin, 0)

    def hit_counts(self) -> Sequence[Hit]:
        """None: the simulation does not count."""
        return []

    def stops(self, interface: str, address: Address, at_s: float) -> bool:
        """Whether a block stops this address at this interface at this second."""
        family, number, _ = set_and_range(str(address))
        families = {family, Family.PREFIXES4 if address.version == 4 else Family.PREFIXES6}
        departments = {None, *(one.department for one in self._places or () if claims(one, interface, address))}
        return at_s >= self._open_until_s and any(
            first <= number <= last and ends_s > at_s
            for block_set, found in self._sets.items()
            if block_set.family in families and block_set.department in departments
            for (first, last), (_, ends_s) in found.items()
        )

    def _departments(self) -> set[str | None]:
        return {None, *(one.department for one in self._places or ())}

    def _live(self) -> Sets:
        now_s = self._elapsed()
        return {
            block_set: {bounds: (mark, ends_s) for bounds, (mark, ends_s) in found.items() if ends_s > now_s}
            for block_set, found in self._sets.items()
        }

    def _put(self, kept: Sets, new: Mapping[BlockSet, Collection[Range]], at_s: float) -> str | None:
        if any(block_set.department not in self._departments() for block_set in new):
            return "No such file or directory (ENOENT)"
        sets = {block_set: dict(kept.get(block_set, {})) for block_set in {*kept, *new}}
        now_s = self._elapsed()
        for block_set, pieces in new.items():
            found, is_interval = sets[block_set], SHAPES[block_set.family].is_interval
            count = len(found) + len(pieces)
            found |= {
                (first, end if is_interval else first): (mark, now_s + ends - at_s)
                for first, end, ends, mark, _ in pieces
            }
            # In order, each has to end before the next begins; single addresses need only differ.
            if len(found) < count or (
                is_interval and any(one[1] >= next_[0] for one, next_ in pairwise(sorted(found)))
            ):
                return "File exists (EEXIST)"
        self._sets = sets
        return None


def claims(place: Place, interface: str, address: Address) -> bool:
    """Whether the place owns the address; a place without networks owns every address at its interface."""
    return place.interface == interface and (not place.networks or any(address in one for one in place.networks))
