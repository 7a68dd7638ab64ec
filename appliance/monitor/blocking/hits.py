"""Hits: which host runs into which block, counted by the kernel and logged in a few lines."""

import logging
from collections import Counter, deque
from collections.abc import Mapping, Sequence

from appliance.core.blocking.block import Block
from appliance.core.blocking.block_index import BlockIndex
from appliance.core.blocking.place import Hit, new_hits
from appliance.core.blocking.sets import number_in
from appliance.ports import DnsFilter, Firewall

log = logging.getLogger(__name__)

KEPT_LOOKS = 60  # one a minute: the last hour
MOST_COUNTED = 2000  # blocks of a look, the busiest: of more, a minute's flood would take a megabyte an hour
MOST_LOGGED = 20  # lines for one request, or for one minute's hits; the rest is one line with their number


class HitCounters:
    """Adds up the packets that the firewall stopped and the look-ups that the DNS filter refused."""

    def __init__(self, index: BlockIndex, firewall: Firewall, dns_filter: DnsFilter) -> None:
        self._index = index
        self._firewall = firewall
        self._dns_filter = dns_filter
        self._before: Mapping[tuple[int, str], int] = {}  # packets by mark and host
        self._looks: deque[Mapping[int, int]] = deque(maxlen=KEPT_LOOKS)  # packets by the block's number

    def stopped(self) -> Mapping[str, int]:
        """By origin, the packets stopped since the rules were first installed, refused look-ups among them."""
        refused = self._dns_filter.refused()
        return {origin: packets + refused[origin] for origin, packets in self._firewall.stopped().items()}

    def last_hour(self) -> Mapping[int, int]:
        """By number of a block, the packets that it stopped in the last hour, as far as that was looked at."""
        total: Counter[int] = Counter()
        for look in self._looks:
            total.update(look)
        return total

    def log_news(self) -> Sequence[tuple[Block, Hit]]:
        """Log which block stopped which host how often since the previous call, the busiest first; once a minute.

        Returns the same.
        """
        counted: Counter[tuple[int, str]] = Counter()
        for hit in (*self._firewall.hit_counts(), *self._dns_filter.hit_counts()):
            counted[hit.mark, hit.host] += hit.packets
        news = new_hits([Hit(*of, packets) for of, packets in counted.items()], self._before)
        self._before = counted
        packets: Counter[int] = Counter()
        for hit in news:
            packets[number_in(hit.mark)] += hit.packets
        self._looks.append(dict(packets.most_common(MOST_COUNTED)))
        found = [(self._index.numbered(number_in(hit.mark)), hit) for hit in news]
        known = [(one, hit) for one, hit in found if one is not None]
        stopped = [(hit.host, str(hit.packets), one.target, one.reason) for one, hit in known]
        log_some(log, "%s was stopped %s times by the block of %s: %s", stopped)
        return known


def log_some(logger: logging.Logger, text: str, values: Sequence[tuple[str, ...]]) -> None:
    """Log one line for each of the first `MOST_LOGGED` values, and how many more there are."""
    for value in values[:MOST_LOGGED]:
        logger.info(text, *value)
    if len(values) > MOST_LOGGED:
        logger.info("and %d more", len(values) - MOST_LOGGED)
