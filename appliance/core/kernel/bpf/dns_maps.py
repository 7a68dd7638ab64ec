"""The maps of the DNS filter: their layout, shared by the program in the kernel and the one that fills them.

A denied name is kept as a digest of 64 bits: FNV-1a over the name's bytes as in a packet, in lower case, from the last
to the first. So the digests of all names above it come up on the way to its own. The seed is secret and changes with
each start, so that an attacker cannot find two names with one digest.
"""

from collections.abc import Iterator, Mapping
from ipaddress import IPv6Address
from struct import Struct

from appliance.core.blocking.place import Hit
from appliance.core.blocking.sets import ORIGIN_SHIFT
from appliance.core.kernel.bpf.ebpf import MapKind, MapShape
from appliance.core.kernel.nftables.block_rules import MOST_HITS
from appliance.core.machine import Network

FNV_PRIME = 0x100_0000_01B3  # of 64 bits (draft-eastlake-fnv)
MASK_64 = (1 << 64) - 1

# The maps: their names, keys and values.
DENIED = "denied"  # digest and department -> its end on the boot clock (0: never), the mark of the block, its `Scope`
SCOPES = "scopes"  # longest prefix of interface and sender's address -> department, as a number
TRUNKS = "trunks"  # interfaces and tags of VLANs whose frames belong to places of their own
ORIGINS = "origins"  # origin of a block, as in its mark -> number of refused look-ups; `UNREADABLE` -> of others
HITS = "hits"  # mark of a block and host -> number of refused look-ups
OPEN = "open"  # one number: until when, on the boot clock, nothing is refused or dropped
SCRATCH = "scratch"  # memory for one packet's look-up
KEY, VALUE = Struct("=QII"), Struct("=QII")
SCOPE, INDEX_BITS = Struct("=II16s"), 32
TRUNK = Struct("=II")
HIT, COUNT, NUMBER = Struct("=I16s"), Struct("=Q"), Struct("=I")
FOREVER = 0
UNREADABLE = 0  # no origin has this mark
EVERYBODY = 0  # the department's number where a name is denied to all
MAPPED = bytes(10) + b"\xff\xff"  # before an address of IPv4 (RFC 4291 section 2.5.5.2)

SCRATCH_BYTES = 1296  # laid out by `dns_memory.Scratch`

MAPS = {
    DENIED: MapShape(MapKind.HASH, KEY.size, VALUE.size, 1024),  # a filter with more names has a larger one
    SCOPES: MapShape(MapKind.PREFIXES, SCOPE.size, NUMBER.size, 4096),  # networks of all departments
    TRUNKS: MapShape(MapKind.HASH, TRUNK.size, NUMBER.size, 4096),
    ORIGINS: MapShape(MapKind.ARRAY, NUMBER.size, COUNT.size, 1 << 32 - ORIGIN_SHIFT),
    HITS: MapShape(MapKind.LATEST, HIT.size, COUNT.size, MOST_HITS),
    OPEN: MapShape(MapKind.ARRAY, NUMBER.size, COUNT.size, 1),
    SCRATCH: MapShape(MapKind.ARRAY_OF_CORES, NUMBER.size, SCRATCH_BYTES, 1),
}


def digest(name: str, seed: int) -> int:
    """The digest by which the kernel knows this name. `name`: as `core.blocking.targets.parse_target` writes it."""
    wire = b"".join(len(label).to_bytes(1, "big") + label for label in name.encode().split(b"."))
    found = seed
    for one in reversed(wire):
        found = (found ^ one) * FNV_PRIME & MASK_64
    return found


def hits_in(counted: Mapping[bytes, bytes]) -> Iterator[Hit]:
    """The hits in `HITS`."""
    for key, value in counted.items():
        mark, packed = HIT.unpack(key)
        address = IPv6Address(packed)
        yield Hit(mark, str(address.ipv4_mapped or address), COUNT.unpack(value)[0])


def scope_key(interface: int, network: Network | None) -> bytes:
    """A key of `SCOPES`. `interface`: its index; `network`: of the senders; `None`: every other address there."""
    if network is None:
        return SCOPE.pack(INDEX_BITS, interface, bytes(16))
    packed = network.network_address.packed
    mapped = packed if len(packed) == 16 else MAPPED + packed
    return SCOPE.pack(INDEX_BITS + 128 - network.max_prefixlen + network.prefixlen, interface, mapped)


FILTER_NAME = "appliance_dns"  # tells ours from the filters of other programs
