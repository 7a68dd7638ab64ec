"""Crafted Ethernet frames, written from the RFCs and not from our decoder: what the tests put on the wire."""

import struct
from ipaddress import ip_address

import dns.message
import dns.rcode
import dns.rrset

MAC = {"client": "02:00:00:00:00:01", "server": "02:00:00:00:00:02"}
SYN, SYN_ACK, RST_ACK, ACK, FIN_ACK = 0x02, 0x12, 0x14, 0x10, 0x11


def is_arp(frame: bytes) -> bool:
    """Whether an untagged frame is of ARP, which hosts send whenever they like."""
    return frame[12:14] == b"\x08\x06"


def ethernet(
    ether_type: int, body: bytes, source_mac: str = MAC["client"], destination_mac: str = MAC["server"]
) -> bytes:
    return bytes.fromhex((destination_mac + source_mac).replace(":", "")) + struct.pack("!H", ether_type) + body


def tagged(frame: bytes, tpid: int = 0x8100, vlan: int = 20) -> bytes:
    return frame[:12] + struct.pack("!HH", tpid, vlan) + frame[12:]


def ip(source: str, destination: str, protocol: int, body: bytes, fragment: int = 0, options: bytes = b"") -> bytes:
    """An IP packet of the addresses' version; `fragment`: the IPv4 flags and offset field."""
    one, other = ip_address(source), ip_address(destination)
    if one.version == 6:
        return struct.pack("!IHBB", 6 << 28, len(body), protocol, 64) + one.packed + other.packed + body
    header_bytes = 20 + len(options)
    first = 0x40 | header_bytes // 4
    head = struct.pack("!BBHHHBBH", first, 0, header_bytes + len(body), 1, fragment, 64, protocol, 0)
    return head + one.packed + other.packed + options + body


def udp_body(source_port: int, destination_port: int, payload: bytes) -> bytes:
    return struct.pack("!HHHH", source_port, destination_port, 8 + len(payload), 0) + payload


def tcp_body(
    source_port: int,
    destination_port: int,
    flags: int,
    payload: bytes = b"",
    options: bytes = b"",
    numbers: tuple[int, int] | None = None,
) -> bytes:
    """`numbers`: sequence and acknowledgement; without, both ends begin with 1 and have sent nothing yet."""
    offset = (20 + len(options)) // 4 << 4
    sequence, acknowledged = numbers or (1 if flags & 0x02 else 2, 2 if flags & ACK else 0)
    head = struct.pack("!HHIIBBHHH", source_port, destination_port, sequence, acknowledged, offset, flags, 1024, 0, 0)
    return head + options + payload


def framed(packet: bytes, **macs: str) -> bytes:
    return ethernet(0x86DD if packet[0] >> 4 == 6 else 0x0800, packet, **macs)


def udp(source: str, source_port: int, destination: str, destination_port: int, payload: bytes, **macs: str) -> bytes:
    return framed(ip(source, destination, 17, udp_body(source_port, destination_port, payload)), **macs)


def tcp(
    source: str,
    source_port: int,
    destination: str,
    destination_port: int,
    flags: int,
    payload: bytes = b"",
    numbers: tuple[int, int] | None = None,
    **macs: str,
) -> bytes:
    body = tcp_body(source_port, destination_port, flags, payload, numbers=numbers)
    return framed(ip(source, destination, 6, body), **macs)


def syn(source: str, destination: str, port: int, **macs: str) -> bytes:
    return tcp(source, 40000, destination, port, SYN, **macs)


def syn_ack(source: str, destination: str, port: int, **macs: str) -> bytes:
    """The grant of what `source` asked of `destination`: the arguments are those of the SYN that it answers."""
    return tcp(destination, port, source, 40000, SYN_ACK, **macs)


def rst(source: str, destination: str, port: int, **macs: str) -> bytes:
    """The refusal of what `source` asked of `destination`."""
    return tcp(destination, port, source, 40000, RST_ACK, **macs)


def dns_answer(name: str, kind: str = "A", *records: str, rcode: dns.rcode.Rcode = dns.rcode.NOERROR) -> bytes:
    """A message that answers the question with these records (`www.example.org. A 192.0.2.1`)."""
    message = dns.message.make_response(dns.message.make_query(name, kind))
    message.set_rcode(rcode)
    for record in records:
        owner, kind_of_record, data = record.split(" ", 2)
        message.answer.append(dns.rrset.from_text(owner, 60, "IN", kind_of_record, data))
    return message.to_wire()


def lookup(client: str, name: str, kind: str = "A", *records: str, resolver: str = "192.0.2.53") -> tuple[bytes, bytes]:
    """The frames of a client's question and of the answer that it receives."""
    answer = dns_answer(name, kind, *records)
    answering = udp(resolver, 53, client, 50000, answer, source_mac=MAC["server"], destination_mac=MAC["client"])
    return udp(client, 50000, resolver, 53, question_of(answer)), answering


def question_of(answer: bytes) -> bytes:
    """The message that this one answers."""
    asked = dns.message.from_wire(answer).question[0]
    return dns.message.make_query(asked.name, asked.rdtype, id=int.from_bytes(answer[:2], "big")).to_wire()


def visited(client: str, name: str, address: str = "203.0.113.80", *, port: int = 80, **macs: str) -> list[bytes]:
    """The frames of a client that looks a name up and connects to the address that it is given."""
    question, answer = lookup(client, name, "A", f"{name}. A {address}")
    if "source_mac" in macs:
        own = bytes.fromhex(macs["source_mac"].replace(":", ""))
        question, answer = question[:6] + own + question[12:], own + answer[6:]
    return [question, answer, syn(client, address, port, **macs), syn_ack(client, address, port)]
