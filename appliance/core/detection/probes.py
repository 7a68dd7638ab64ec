"""Probes: packets that look for what is there without asking to connect.

A segment without SYN, ACK or RST belongs to no connection (RFC 9293): scanners send them because a closed port answers
and an open one does not. One with an ACK may belong to a connection that began before the appliance; so it counts only
toward a port that a client would not use by itself, and from one that no service has.
"""

from appliance.core.traffic.packet import ACK, FIN, RST, SYN, Packet

CLIENT_PORTS = 32_768  # from here on, Linux gives ports to clients; Windows and macOS from 49,152 on
SERVICE_PORTS = 1024  # below it are services
TRACES = range(33_434, 33_535)  # traceroute's, one for each packet
_CHECKED = FIN | SYN | RST | ACK


def is_probe(packet: Packet) -> bool:
    """Whether a TCP segment without SYN looks like a probe."""
    if packet.payload:
        return False
    if is_segment_probe_of_hosts(packet):
        return True
    is_end = packet.flags & (SYN | RST | ACK) == ACK
    return is_end and packet.source_port >= SERVICE_PORTS and packet.destination_port < CLIENT_PORTS


def is_segment_probe_of_hosts(packet: Packet) -> bool:
    """Whether no system sends such a segment, so that one to each of many hosts is a sweep."""
    return packet.flags & _CHECKED in {0, FIN} and not packet.payload


def is_datagram_to_a_host(packet: Packet) -> bool:
    """Whether a datagram is for one host, which may answer: neither a broadcast nor a multicast."""
    to = packet.destination
    if ":" in to:
        return not to.startswith("ff")
    return not to.endswith(".255") and int(to.partition(".")[0]) < 224


def is_probing_datagram(packet: Packet) -> bool:
    """Whether an unanswered datagram may be a probe: neither a late answer of a service, nor one that traces a path."""
    is_answer = packet.source_port < SERVICE_PORTS <= packet.destination_port
    return not is_answer and packet.destination_port not in TRACES
