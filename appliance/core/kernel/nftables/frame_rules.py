"""Compiles the rules for frames that are no plain IP packets, whose addresses the rules cannot read.

What links need to work (ARP, spanning tree, LLDP, 802.1X) passes uncounted. Everything else that is no IP is counted as
its port's, by kind, and held with it: a packet in PPPoE, MPLS or a second VLAN tag, and each kind that is unknown here.
Configuration may block it. The kernel takes the outermost tag off, also tag 0, which is none (IEEE 802.1Q). No device
sends a tag behind tag 0, but the kernel would deliver it like a packet without tags, so it is dropped.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from appliance.core.kernel.nftables import ruleset as nft
from appliance.core.kernel.nftables.table import Objects

ANOTHER = "frames of an unknown kind"
# By kind, the EtherTypes, as linux/if_ether.h has them.
KINDS: Mapping[str, Sequence[str | int]] = {
    "stacked VLAN tags": ("8021q", "8021ad"),
    "PPPoE": (0x8863, 0x8864),
    "MPLS": (0x8847, 0x8848),
}
BEHIND_TAG_0 = "VLAN tags behind tag 0"
ARP, REVERSE_ARP = "arp", 0x8035
# IEEE 802.1Q, table 8-1: 01-80-C2-00-00-00 to -0F stay on their link, no bridge forwards them.
LINK_GROUP, LINK_GROUP_MASK = "01:80:c2:00:00:00", "ff:ff:ff:ff:ff:f0"

PROTOCOL = {"meta": {"key": "protocol"}}


def frame_objects(interface: str) -> Objects:
    """The counters of an interface, one for each kind."""
    return {_counter(kind, interface): ("counter", {}) for kind in (*KINDS, BEHIND_TAG_0, ANOTHER)}


def link_rules() -> Iterator[nft.Expression]:
    """The rules that let pass what the link needs to work."""
    yield [nft.match(PROTOCOL, {"set": [ARP, REVERSE_ARP]}), nft.ACCEPT]
    yield link_group_rule()


def link_group_rule() -> nft.Expression:
    """The rule that lets pass what never leaves its link."""
    destination: dict[str, Any] = {"&": [nft.field("ether", "daddr"), LINK_GROUP_MASK]}
    return [nft.match(destination, LINK_GROUP), nft.ACCEPT]


def frame_rules(interface: str, *, blocks: bool) -> Iterator[nft.Expression]:
    """The rules for what is no IP packet, and not what the link needs. `blocks`: it is dropped; else it passes on."""
    stacked = {"set": [*KINDS["stacked VLAN tags"]]}
    yield [
        nft.match(nft.field("vlan", "id"), 0),
        nft.match(PROTOCOL, stacked),
        _count(BEHIND_TAG_0, interface),
        nft.DROP,
    ]
    for kind, types in KINDS.items():
        yield [nft.match(PROTOCOL, {"set": [*types]}), _count(kind, interface)]
    known = [one for types in KINDS.values() for one in types]
    yield [nft.match(PROTOCOL, {"set": known}, "!="), _count(ANOTHER, interface)]
    if blocks:
        yield [nft.DROP]


def frames_by_kind(counters: Mapping[str, tuple[int, int, int]], interface: str) -> Mapping[str, int]:
    """The bytes of each kind that passed or were dropped at the interface. `counters`: handle, bytes, packets."""
    kinds = (*KINDS, BEHIND_TAG_0, ANOTHER)
    return {kind: counters[name][1] for kind in kinds if (name := _counter(kind, interface)) in counters}


def _count(kind: str, interface: str) -> Mapping[str, Any]:
    return {"counter": _counter(kind, interface)}


def _counter(kind: str, interface: str) -> str:
    return nft.identifier("frames", kind, interface)
