"""Hits: who runs into which block, counted by the kernel and told in a few lines."""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence

from appliance.core.blocking.block_index import BlockIndex
from appliance.core.blocking.place import Hit, news_of
from appliance.core.blocking.sets import number_in
from appliance.ports import DnsFilter, Firewall

log = logging.getLogger(__name__)

MOST_LOGGED = 20  # of one request, or of one minute's hits; of more, how many there were


class HitCounters:
    """What the packet filter has stopped, and the look-ups that were refused."""

    def __init__(self, register: BlockIndex, firewall: Firewall, dns_filter: DnsFilter) -> None:
        self._register = register
        self._firewall = firewall
        self._dns_filter = dns_filter
        self._before: Mapping[tuple[int, str], int] = {}  # packets by mark and host

    def stopped(self) -> Mapping[str, int]:
        """By origin, the packets that were stopped since the kernel was first told, refused look-ups among them."""
        refused = self._dns_filter.refused()
        return {origin: packets + refused[origin] for origin, packets in self._firewall.stopped().items()}

    def log_news(self) -> None:
        """Log which block has stopped which host how often since the previous call, the busiest first."""
        counted: Counter[tuple[int, str]] = Counter()
        for hit in (*self._firewall.hit_counts(), *self._dns_filter.hit_counts()):
            counted[hit.mark, hit.host] += hit.packets
        news = news_of([Hit(*of, packets) for of, packets in counted.items()], self._before)
        self._before = counted
        blocks = [(self._register.numbered(number_in(hit.mark)), hit) for hit in news]
        stopped = [(hit.host, str(hit.packets), one.target, one.reason) for one, hit in blocks if one is not None]
        log_some(log, "%s was stopped %s times by the block of %s: %s", stopped)


def log_some(logger: logging.Logger, text: str, values: Sequence[tuple[str, ...]]) -> None:
    """A line for each, but not for thousands."""
    for value in values[:MOST_LOGGED]:
        logger.info(text, *value)
    if len(values) > MOST_LOGGED:
        logger.info("and %d more", len(values) - MOST_LOGGED)
