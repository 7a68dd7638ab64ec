"""Prefilters: what spares a packet look-ups among the blocks. Sets of pairs that passed, and of regions with prefixes.

Most packets are between two addresses of which a packet has just passed all blocks. Such pairs are remembered, with the
interface and the device, so that a packet costs one look-up, whatever is blocked. A pair is forgotten with the next new
block, at once: from the transaction on that puts it in force, no pairs are in use. There are two sets of pairs, and the
next transaction empties the one that was not in use last, and turns to it. A packet that was judged before the block,
and notes its pair a moment later, notes it in the other. Only packets are remembered whose judgement is a matter of
their addresses alone.

An interval set is a tree: among 100,000 prefixes the search takes 18 levels, and from a third to half of the time of
all rules. A hash set of regions answers nine times as fast that an address is in no blocked prefix; only otherwise the
rules search the tree. Regions have no lifetime: one outlives its last prefix until a change removes it.

Regions have two sizes. Most entries of lists are inside one near region, which they share with few servers. A wider
prefix is known by its far regions. There are 65,536 of these, so that even a /1 touches a bearable number.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from ipaddress import IPv4Network, IPv6Network
from typing import Any, NamedTuple

from appliance.core.blocking.sets import SHAPES, BlockSet, Family
from appliance.core.kernel.nftables import ruleset as nft
from appliance.core.kernel.nftables.elements import Bounds, leading
from appliance.core.kernel.nftables.ruleset import set_name
from appliance.core.kernel.nftables.table import Objects

# The longest prefixes that networks of the internet accept from one another (RFC 7454, section 6.1.3).
NEAR_BITS: Mapping[Family, int] = {Family.PREFIXES4: 24, Family.PREFIXES6: 48}
FAR_BITS = 16

TURNS = ("a", "b")  # the two sets of pairs, of which one at most is in use
# How long a pair passes without being judged anew, which also notes its device: a tenth of a device's time.
PAIR_REMEMBERED_S = 60
# A hundred computers with forty servers each, in half a megabyte; others are judged packet by packet. Emptying a set
# takes the kernel two milliseconds.
MOST_PAIRS = 4096
PROTOCOL_NUMBERS = {4: 0x0800, 6: 0x86DD}  # linux/if_ether.h: ETH_P_IP, ETH_P_IPV6

PAIR_TYPES = ("iface_index", "ether_addr")  # and two addresses, that of the department's host first
HOOKS = {"ingress": "in", "egress": "out"}
INTERFACES = {"ingress": "iif", "egress": "oif"}


class Passage(NamedTuple):
    """Packets of one direction at one hook, of all interfaces."""

    hook: str
    direction: str

    @property
    def turn_name(self) -> str:
        """The name of the map that leads the packets of each IP version to the pairs that are in use."""
        return f"turn_{HOOKS[self.hook]}_{self.direction}"

    @property
    def interface(self) -> Mapping[str, Any]:
        """Selects the interface, by its index, which outlives another name."""
        return {"meta": {"key": INTERFACES[self.hook]}}

    def pairs_name(self, version: int, turn: str) -> str:
        """The name of a set of pairs, and of the chain that looks them up."""
        return f"pairs{version}_{HOOKS[self.hook]}_{self.direction}_{turn}"

    def objects(self) -> Objects:
        """The map and the sets."""
        bounds = {"flags": ["timeout"], "size": MOST_PAIRS, "timeout": PAIR_REMEMBERED_S}
        return {
            self.turn_name: ("map", {"type": "ether_type", "map": "verdict", "size": len(nft.PROTOCOLS)}),
            **{
                self.pairs_name(version, turn): ("set", {"type": [*PAIR_TYPES, address, address], **bounds})
                for version, address in nft.ADDRESS_TYPES.items()
                for turn in TURNS
            },
        }

    def chains(
        self, version: int, judges: Sequence[Mapping[int, str]]
    ) -> Iterator[tuple[str, Sequence[nft.Expression]]]:
        """The chains of both turns, by name: what they accept has no block. Other packets come back, to be judged.

        `judges`: by index of an interface, the chain that judges its packets; they come back from it if they may pass.
        """
        key, known = self._key(version), sorted(set().union(*judges))
        # First the protocol, which nft would else read behind the addresses, where a frame with a tag has another one.
        of_version = nft.is_protocol(nft.PROTOCOLS[version])
        judge = [self._judge(one, known) for one in judges if one]
        for turn in TURNS:
            pairs = f"@{self.pairs_name(version, turn)}"
            note: Mapping[str, Any] = {"set": {"op": "update", "elem": key, "set": pairs}}
            rules: list[nft.Expression] = [
                [of_version, nft.match(key, pairs), nft.ACCEPT],
                [nft.match(self.interface, {"set": known}, "!="), nft.RETURN],
                *judge,
                [of_version, note],
                [nft.ACCEPT],
            ]
            yield self.pairs_name(version, turn), rules if known else []

    def _judge(self, chains: Mapping[int, str], known: Collection[int]) -> nft.Expression:
        """The rule that leads packets of the known interfaces to their chains; of a single one, without a look-up."""
        if len(known) == 1:
            return [nft.jump(*chains.values())]
        return [{"vmap": {"key": self.interface, "data": {"set": [[at, nft.jump(one)] for at, one in chains.items()]}}}]

    def _key(self, version: int) -> Mapping[str, Any]:
        near, far = nft.HOST_ENDS[self.direction], nft.HOST_ENDS["down" if self.direction == "up" else "up"]
        ends = [nft.field("ether", near), *(nft.field(nft.PROTOCOLS[version], end) for end in (near, far))]
        return {"concat": [self.interface, *ends]}


def turned(passages: Iterable[Passage], turn: str) -> Iterator[tuple[str, Sequence[bytes]]]:
    """For each, the name of its map, and the elements that put the pairs of this turn in use."""
    for passage in passages:
        elements = [leading(number, passage.pairs_name(version, turn)) for version, number in PROTOCOL_NUMBERS.items()]
        yield passage.turn_name, elements


class Grid(NamedTuple):
    """The regions of one size for one set of prefixes."""

    block_set: BlockSet
    is_near: bool

    @property
    def name(self) -> str:
        """The name of the kernel's set of regions; an element is a region's first address."""
        return f"{'near' if self.is_near else 'far'}_{set_name(self.block_set)}"

    @property
    def mask(self) -> str:
        """The netmask that turns an address into its region."""
        network = IPv4Network if self.block_set.family is Family.PREFIXES4 else IPv6Network
        return str(network((0, self._bits)).netmask)

    def regions(self, pieces: Iterable[Bounds]) -> Iterator[int]:
        """The regions that these pieces touch, once for each piece; none for pieces of the other grid."""
        width = SHAPES[self.block_set.family].bits
        near, shift = width - NEAR_BITS[self.block_set.family], width - self._bits
        for first, last in pieces:
            if (first >> near == last >> near) is self.is_near:
                for region in range(first >> shift, (last >> shift) + 1):
                    yield region << shift

    @property
    def _bits(self) -> int:
        return NEAR_BITS[self.block_set.family] if self.is_near else FAR_BITS


def grids(block_set: BlockSet) -> Iterator[Grid]:
    """The grids of this set; none for a set of single addresses."""
    if block_set.family in NEAR_BITS:
        yield Grid(block_set, is_near=True)
        yield Grid(block_set, is_near=False)


class Prefilter:
    """The regions of a grid that pieces touch, each by its first address."""

    def __init__(self, grid: Grid, pieces: Iterable[Bounds] = ()) -> None:
        self._grid = grid
        self._pieces = Counter(grid.regions(pieces))  # number of pieces in each region

    def __len__(self) -> int:
        """The number of regions."""
        return len(self._pieces)

    def __iter__(self) -> Iterator[int]:
        """All regions."""
        return iter(self._pieces)

    def apply(self, gone: Iterable[Bounds], new: Iterable[Bounds]) -> tuple[Collection[int], Collection[int]]:
        """Remove some pieces and add others; returns the regions that become empty, and the new ones."""
        moved = Counter(self._grid.regions(new))
        moved.subtract(self._grid.regions(gone))
        before = {region for region in moved if region in self._pieces}
        self._pieces.update(moved)
        left = {region for region in before if self._pieces[region] <= 0}
        entered = {region for region in moved if region not in before and self._pieces[region] > 0}
        for region in moved:
            if self._pieces[region] <= 0:
                del self._pieces[region]
        return left, entered
