"""Sizes and codes in the packets that the programs read."""

import sys

IPV4, IPV6, ARP = 0x0800, 0x86DD, 0x0806  # linux/if_ether.h: ETH_P_IP, ETH_P_IPV6, ETH_P_ARP
ETHERNET = 14
NETWORK_BYTES = {4: 20, 6: 40}  # the header's, by IP version
PLAIN_IPV4 = 0x45  # the first byte of a header of version 4 and five words, without options
VLAN_TYPES = (0x8100, 0x88A8, 0x9100)  # IEEE 802.1Q, 802.1ad, and the stacked tags before it
TAG_BITS = 0xFFF  # of the 16 bits, the number of the VLAN
VLAN_BYTES, MOST_INNER_TAGS = 4, 2  # the kernel has taken the outermost tag off the frame; no switch stacks more
TCP, UDP, ICMPV6, DNS_PORT = 6, 17, 58, 53
DHCP_PORT, MDNS_PORT = 67, 5353  # of a DHCP server
FROM_PORTS = (DHCP_PORT, MDNS_PORT)  # what comes from there passes: servers' answers, and what devices announce
NEIGHBOUR_TYPES = (134, 135, 136)  # of ICMPv6: a router's advertisement, and a neighbour's question and answer
# IANA, IPv6 extension header types: those whose length counts 8 bytes, the fragment's, and the authentication's.
OPTIONS_LIKE, FRAGMENT, AUTHENTICATION = (0, 43, 60, 135, 139, 140), 44, 51
MOST_EXTENSIONS = 8  # RFC 8200 lists seven, each at most once, destination options twice
MOST_MESSAGES = 2  # of one segment: glibc asks for A and AAAA in one; each takes the kernel 40 ms to verify
UDP_BYTES, TCP_BYTES, DNS_BYTES = 8, 20, 12
PORTS_BYTES = 4  # where UDP and TCP begin
SHORTEST_QUERY = DNS_BYTES + 1 + 4  # the root's name, type and class
LONGEST_QUERY = 512  # what any server takes (RFC 1035 section 4.2.1); what is longer has padding or many options
LONGEST_NAME, MOST_LABELS, LONGEST_LABEL = 255, 127, 63  # RFC 1035 section 2.3.4
LAST = DNS_BYTES + LONGEST_NAME - 1  # the last byte of the longest name


QUIC_VERSIONS = {0x0000_0001: 0x00, 0x6B33_43CF: 0x10}  # the bits of an Initial's type (RFC 9000, RFC 9369)


def half(value: int) -> int:
    """A 16-bit number of the packet as a load shows it, in the machine's byte order."""
    return int.from_bytes(value.to_bytes(2, "big"), sys.byteorder)
