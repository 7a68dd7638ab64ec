"""Lists the devices that the kernel has heard of, by pyroute2: neighbour tables of both families, and bridge ports.

A gateway knows its devices by ARP and neighbour discovery; a bridge forwards those without keeping them, and knows a
device by the frames that came in at a port. Ages are the kernel's own. Configured entries, the machine's own, groups,
and addresses that do not answer are no devices.
"""

import os
import socket
from collections.abc import Iterable, Mapping, Sequence
from ipaddress import ip_address
from typing import Any

from pyroute2.iproute.linux import IPRoute

from appliance.core.machine import Sighting

# linux/neighbour.h: the NUD states in which a device has answered (REACHABLE, STALE, DELAY, PROBE). Left out are
# INCOMPLETE and FAILED, without an answer, and NOARP and PERMANENT, which need none.
HEARD_STATES = 0x02 | 0x04 | 0x08 | 0x10

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")  # the kernel gives ages in USER_HZ


class RtnetlinkNeighbours:
    """`ports.Neighbours` of the network namespace in which it was made."""

    def __init__(self) -> None:
        self._rtnetlink = IPRoute()

    def sightings(self) -> Sequence[Sighting]:
        """Every device in the neighbour tables and on bridge ports; one device may appear more than once."""
        names = {answer["index"]: answer.get_attr("IFLA_IFNAME") for answer in self._rtnetlink.get_links()}
        neighbours = self._rtnetlink.get_neighbours(family=socket.AF_UNSPEC)
        # A neighbour was confirmed when it answered, a port's entry was updated when a frame came from the device;
        # packets sent to it change neither.
        return (
            *_sightings(neighbours, names, "ndm_confirmed"),
            *_sightings(self._rtnetlink.fdb("dump"), names, "ndm_updated"),
        )

    def close(self) -> None:
        self._rtnetlink.close()


def _sightings(answers: Iterable[Any], names: Mapping[int, str], age: str) -> list[Sighting]:
    found = []
    for answer in answers:
        mac, ages = answer.get_attr("NDA_LLADDR"), answer.get_attr("NDA_CACHEINFO")
        name = names.get(answer["ifindex"])  # absent: the interface came or went between the dumps
        if not answer["state"] & HEARD_STATES or not mac or not ages or name is None:
            continue
        address = answer.get_attr("NDA_DST")
        found.append(
            Sighting(
                interface=name,
                mac=mac,
                age_s=ages[age] / TICKS_PER_SECOND,
                address=ip_address(address) if address else None,
            )
        )
    return found
