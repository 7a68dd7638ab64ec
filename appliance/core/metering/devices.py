"""Devices and their addresses: which device an address belongs to, by what was seen of both.

Meters and books name a device by its MAC address; people name it by an IP address. An address belongs to the device to
which packets for it were last seen to go, because there the network itself has resolved it. A sender may write any
source it likes, so sources say nothing.
"""

from collections.abc import Sequence
from ipaddress import ip_address

from msgspec.structs import replace

from appliance.core.metering.host_room import MOST_HOSTS
from appliance.core.metering.quota import Ledger

MOST_ADDRESSES = 16  # of a device: IPv4, link-local, and a week of daily privacy addresses in two networks (RFC 8981)
FORGOTTEN_S = 86_400.0  # after which an address may well be another device's; that of a day's DHCP lease


class Devices:
    """The devices of one department, by MAC address, with the addresses of each; `now_s` is monotonic."""

    def __init__(self) -> None:
        self._seen_s: dict[str, dict[str, float]] = {}  # by device and address
        self._owners: dict[str, str] = {}  # by address

    def see(self, mac: str, address: str, now_s: float) -> None:
        """Notes that the device has this address now. Beyond the bounds what was seen first is forgotten."""
        former = self._owners.get(address)
        if former is not None and former != mac:
            if self._seen_s[former][address] > now_s:
                return  # a neighbour table still has what packets have shown to be over
            self._forget(former, address)
        addresses = self._seen_s.pop(mac, {})
        self._seen_s[mac] = addresses  # the latest device last
        addresses[address] = max(now_s, addresses.get(address, now_s))
        self._owners[address] = mac
        if len(addresses) > MOST_ADDRESSES:
            self._forget(mac, min(addresses, key=addresses.__getitem__))
        if len(self._seen_s) > MOST_HOSTS:
            oldest = next(iter(self._seen_s))
            for one in list(self._seen_s[oldest]):
                self._forget(oldest, one)

    def age(self, now_s: float) -> None:
        """Forgets what was not seen for long."""
        for mac, addresses in list(self._seen_s.items()):
            for address in [one for one, seen_s in addresses.items() if seen_s < now_s - FORGOTTEN_S]:
                self._forget(mac, address)

    def owner(self, address: str) -> str | None:
        """The device that has this address; `None`: none is known."""
        return self._owners.get(address)

    def addresses(self, mac: str) -> Sequence[str]:
        """The device's addresses: IPv4 first, link-local ones last, of each kind the newest first."""
        seen_s = self._seen_s.get(mac, {})
        newest = sorted(seen_s, key=lambda address: -seen_s[address])
        return sorted(newest, key=_rank)

    def _forget(self, mac: str, address: str) -> None:
        self._owners.pop(address, None)
        del self._seen_s[mac][address]
        if not self._seen_s[mac]:
            del self._seen_s[mac]


def _rank(address: str) -> tuple[bool, int]:
    parsed = ip_address(address)
    return parsed.is_link_local, parsed.version


def joined(one: Sequence[Ledger], other: Sequence[Ledger]) -> Sequence[Ledger]:
    """The ledgers of two accounts that turned out to be one device's: of the same period together, else the newer."""
    found = {ledger.kind: ledger for ledger in one}
    for ledger in other:
        same = found.get(ledger.kind, ledger)
        if same is ledger or same.start < ledger.start:
            found[ledger.kind] = ledger
        elif same.start == ledger.start:
            found[ledger.kind] = replace(
                same,
                used_bytes=same.used_bytes + ledger.used_bytes,
                raised=same.raised | ledger.raised,
                granted_bytes=same.granted_bytes + ledger.granted_bytes,
            )
    return list(found.values())
