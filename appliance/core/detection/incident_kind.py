"""The kinds of incidents."""

from enum import StrEnum


class IncidentKind(StrEnum):
    """What a source does."""

    PORT_SCAN = "port_scan"  # it looks for open ports of one host
    HOST_SWEEP = "host_sweep"  # it looks for hosts
    ARP_SPOOFING = "arp_spoofing"  # it takes addresses of others
    ADDRESS_CONFLICT = "address_conflict"  # it has the address of another
    SYN_FLOOD = "syn_flood"  # it begins connections that it does not complete
    UDP_FLOOD = "udp_flood"  # it sends to a host that never answers
    DNS_TUNNEL = "dns_tunnel"  # it carries data in the names that it looks up
    ROGUE_DHCP = "rogue_dhcp"  # it gives out addresses, and is none of the department's servers
    ROGUE_ROUTER = "rogue_router"  # it advertises itself as a router, and is none of the department's
    BRUTE_FORCE = "brute_force"  # it tries passwords
    OUTBOUND_VOLUME = "outbound_volume"  # it sends far more than it ever has, and than others do
    LISTED_CONTACT = "listed_contact"  # it connects to an address on an imported list
