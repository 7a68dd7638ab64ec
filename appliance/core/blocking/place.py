"""Where a department's blocks hold, and who was hit there."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from appliance.core.machine import Facing, Network


@dataclass(frozen=True, slots=True)
class Place:
    """Where a department's blocks hold. `networks`: empty: everything at the interface that no other there claims."""

    department: str
    interface: str
    facing: Facing
    networks: tuple[Network, ...] = ()


class Hit(NamedTuple):
    """How many packets of a host were stopped by a block. `mark`: the block's."""

    mark: int
    host: str
    packets: int


def new_hits(hits: Iterable[Hit], before: Mapping[tuple[int, str], int]) -> Sequence[Hit]:
    """What has come since, the most first. `before`: packets by mark and host; less than that, and it began anew."""
    news = []
    for hit in hits:
        known = before.get((hit.mark, hit.host), 0)
        if hit.packets != known:
            news.append(hit._replace(packets=hit.packets - known if hit.packets > known else hit.packets))
    return sorted(news, key=lambda hit: hit.packets, reverse=True)
