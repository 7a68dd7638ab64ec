"""Reads and corrects what the table of meters has of hosts: a counter, and where hosts are limited a quota, of each.

A host is named by its MAC address, behind a router by its IP address, and `NEWCOMERS` are all together that the sets
have no room for.
"""

from collections import Counter
from collections.abc import Mapping
from ipaddress import ip_address
from socket import AF_INET, AF_INET6, inet_ntop, inet_pton

from appliance.core.kernel.nftables.host_rules import (
    BEHIND_ROUTERS,
    BY_MAC,
    HostKey,
    beyond_name,
    counter_kind,
    host_keys,
)
from appliance.core.kernel.nftables.meter_change import TABLE
from appliance.core.kernel.nftables.meter_names import CHAINS, is_held, object_name, reading
from appliance.core.kernel.nftables.ruleset import add
from appliance.core.metering.host_room import CROWDED, Left, due, is_due, leaving
from appliance.core.metering.meter import NEWCOMERS, Plan, Reading, is_mac
from appliance.system.nftables.libnftables import Nftables
from appliance.system.nftables.nfnetlink import Nfnetlink
from appliance.system.nftables.set_elements import SetElements

NETDEV = {"family": "netdev", "table": TABLE}
UNCOUNTED = (0, 0)
FAMILIES = {4: AF_INET, 16: AF_INET6}  # by an address's length in bytes
MAPPED = bytes(10)  # the beginning of IPv6 addresses whose end inet_ntop writes with dots

Counted = tuple[int, int]  # bytes and packets, as the kernel counts them


class HostMeters:
    """The hosts' part of `ports.Meters`. `stopped`: departments with a host that had no byte left at the latest look.

    Only `refused` tells whether a packet of it was refused; it takes the department off again.
    """

    def __init__(self, nftables: Nftables, shown: Nfnetlink, elements: SetElements) -> None:
        self._nftables = nftables
        self._shown = shown
        self._elements = elements
        self._left: dict[str, Left] = {}  # by set, at the latest look
        self._newcomers_left: dict[str, int] = {}  # by quota, at the latest look
        self._sizes: dict[str, int] = {}  # by set, at the latest look; a missing one was not read
        self.stopped: set[str] = set()

    def readings(self, plan: Plan, identity: str) -> dict[str, Reading]:
        """By host, its meter. `identity`: the department's."""
        found = {}
        for key in host_keys(plan):
            counted = {direction: self.counted(plan, key, direction) for direction in CHAINS}
            for host in counted["up"] | counted["down"]:
                up, down = (counted[direction].get(host, UNCOUNTED) for direction in ("up", "down"))
                found[_name(key, host)] = reading(identity, plan.facing, up, down)
        return found

    def counted(self, plan: Plan, key: HostKey, direction: str) -> dict[bytes, Counted]:
        """By the hosts' keys, the bytes and packets of one direction."""
        name = key.name(counter_kind(direction), plan)
        found = {host: (size, packets) for host, size, packets in self._shown.element_counters(name)}
        self._sizes[name] = len(found)
        return found

    def hold(self, plan: Plan, left: Mapping[str, int]) -> str | None:
        """Hold these hosts of a department to the bytes that each has left; returns why the kernel refused."""
        if not is_held(plan) or plan.host_limit_bytes is None:
            return None
        by_key: dict[HostKey, dict[bytes, int]] = {key: {} for key in host_keys(plan)}
        for host, left_bytes in left.items():
            if host != NEWCOMERS:
                key, packed = _key(host)
                if key in by_key:
                    by_key[key][packed] = left_bytes
        refusals = [self._hold_set(plan, plan.host_limit_bytes, key, own) for key, own in by_key.items()]
        refusals.append(self._hold_newcomers(plan, left.get(NEWCOMERS)))
        return next((refusal for refusal in refusals if refusal is not None), None)

    def make_room(self, plan: Plan, used: Mapping[str, int]) -> list[str]:
        """Remove the hosts that have used least from sets that are nearly full; returns the names of those removed.

        `used`: bytes in the running periods, by host; of one that is not in it, what its meter shows.
        """
        removed: list[str] = []
        for key in host_keys(plan):
            counters, left = _counters(plan, key), key.name("left", plan)
            if any(self._size(name) > CROWDED for name in (*counters, left)):
                present = {name: self._shown.element_keys(name) for name in (*counters, left)}
                shown = Counter(
                    {host: size for name in counters for host, size, _ in self._shown.element_counters(name)}
                )
                known = {host: used.get(_name(key, host), shown[host]) for host in set().union(*present.values())}
                leavers = leaving(present.values(), known)
                present[beyond_name(key, plan)] = self._beyond(plan, key)
                self._elements.remove(TABLE, {name: keys & leavers for name, keys in present.items()})
                self.stopped.add(plan.department)  # of which some may have left
                removed += [_name(key, host) for host in leavers]
        return removed

    def _hold_set(self, plan: Plan, limit_bytes: int, key: HostKey, left: Left) -> str | None:
        name = key.name("left", plan)
        former, self._left[name] = self._left.get(name, {}), left
        if not left:  # no host with this kind of key has books: there is nothing to correct
            self._sizes.pop(name, None)
            return None
        shown = self._shown.element_quotas(name)
        self._sizes[name] = len(shown)
        if any(used_bytes >= most_bytes for used_bytes, most_bytes in shown.values()):
            self.stopped.add(plan.department)
        wanted = due(left, former, shown, limit_bytes)
        if not wanted:
            return None
        there = {name: shown.keys(), beyond_name(key, plan): self._beyond(plan, key)}
        return self._elements.replace_quotas(TABLE, name, wanted, there)

    def refused(self, plan: Plan) -> frozenset[str]:
        """The hosts of which a packet was refused because it did not fit in what they had left."""
        self.stopped.discard(plan.department)
        if plan.host_limit_bytes is None or plan.host_bytes_s is not None or not is_held(plan):
            return frozenset()
        keys = host_keys(plan)
        return frozenset(_name(key, host) for key in keys for host in self._beyond(plan, key))

    def _size(self, name: str) -> int:
        if name not in self._sizes:
            self._sizes[name] = len(self._shown.element_keys(name))
        return self._sizes[name]

    def _beyond(self, plan: Plan, key: HostKey) -> set[bytes]:
        return self._shown.element_keys(beyond_name(key, plan))

    def _hold_newcomers(self, plan: Plan, left_bytes: int | None) -> str | None:
        """Correct the newcomers' allowance; `None`: none of it was ever used."""
        if left_bytes is None:
            return None
        name = object_name(NEWCOMERS, plan)
        shown = self._shown.quotas().get(name)
        if shown is None:
            return None
        before = self._newcomers_left.get(name, left_bytes)
        self._newcomers_left[name] = left_bytes
        if not is_due(left_bytes, before, *shown):
            return None
        limit = add("quota", NETDEV, name, bytes=max(0, left_bytes), used=0, inv=True)
        # A quota takes another limit in place, and goes on from what it has seen, until that is reset.
        _, refusal = self._nftables.run([limit, {"reset": {"quota": {**NETDEV, "name": name}}}])
        return refusal


def _counters(plan: Plan, key: HostKey) -> list[str]:
    return [key.name(counter_kind(direction), plan) for direction in CHAINS]


def _name(key: HostKey, host: bytes) -> str:
    if key is BY_MAC:
        return host.hex(":")
    # inet_ntop takes a tenth of the time, and writes all but those of IPv4 in IPv6 alike.
    return str(ip_address(host)) if host.startswith(MAPPED) else inet_ntop(FAMILIES[len(host)], host)


def _key(host: str) -> tuple[HostKey, bytes]:
    if is_mac(host):
        return BY_MAC, bytes.fromhex(host.replace(":", ""))
    version = 6 if ":" in host else 4
    return BEHIND_ROUTERS[version], inet_pton(AF_INET6 if version == 6 else AF_INET, host)
