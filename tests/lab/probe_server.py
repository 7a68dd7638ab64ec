"""Prints for which of its addresses datagrams arrived, when a marker arrives: `probe_server.py MARKER...`."""

import socket
import sys
from ipaddress import IPv6Address
from select import select

PORT = 9999
IPV6_RECVPKTINFO = 49  # linux/in6.h


def main(markers: set[str]) -> None:
    """Listen until the process is ended."""
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as listening:
        listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listening.setsockopt(socket.IPPROTO_IPV6, IPV6_RECVPKTINFO, 1)
        listening.bind(("::", PORT))
        print("ready", flush=True)
        arrived: set[str] = set()
        while True:
            select([listening], [], [])
            _, [(_, _, information)], _, _ = listening.recvmsg(64, 256)
            to = IPv6Address(information[:16])
            address = str(to.ipv4_mapped or to)
            if address in markers:
                print("arrived", address, *sorted(arrived), flush=True)
                arrived.clear()
            else:
                arrived.add(address)


if __name__ == "__main__":
    main(set(sys.argv[1:]))
