"""Places where a department's blocks are in force, and hits on these blocks."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from msgspec import Struct

from appliance.core.machine import Facing, Network, Vlan


class Place(Struct, frozen=True):
    """A department's share of an interface. `networks`: empty: all addresses there that no other department claims.

    `vlan`: of the interface.
    """

    department: str
    interface: str
    facing: Facing
    networks: tuple[Network, ...] = ()
    vlan: Vlan | None = None


class Hit(NamedTuple):
    """The number of a host's packets that a block stopped. `mark`: the block's."""

    mark: int
    host: str
    packets: int


def new_hits(hits: Iterable[Hit], before: Mapping[tuple[int, str], int]) -> Sequence[Hit]:
    """Hits since the previous look, most frequent first. `before`: packets by mark, host; lower counts restarted."""
    news = []
    for hit in hits:
        known = before.get((hit.mark, hit.host), 0)
        if hit.packets != known:
            news.append(hit._replace(packets=hit.packets - known if hit.packets > known else hit.packets))
    return sorted(news, key=lambda hit: hit.packets, reverse=True)
