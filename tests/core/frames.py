"""Crafted Ethernet frames, written from the RFCs and not from our decoder: what the tests put on the wire."""

import struct
from ipaddress import ip_address

import dns.message
import dns.rcode
import dns.rrset

MAC = {"client": "02:00:00:00:00:01", "server": "02:00:00:00:00:02"}
SYN, SYN_ACK, RST_ACK, ACK, FIN_ACK = 0x02, 0x12, 0x14, 0x10, 0x11


def is_of_neighbours(frame: bytes) -> bool:
    """Whether an untagged frame is of ARP or of IPv6's neighbour discovery, which hosts send whenever they like."""
    return frame[12:14] == b"\x08\x06" or (frame[12:14] == b"\x86\xdd" and frame[20] == 58)


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


BROADCAST = "ff:ff:ff:ff:ff:ff"


def dhcp(
    mac: str, *options: tuple[int, bytes], reply_of: str = "", given: str = "0.0.0.0", source_mac: str = ""
) -> bytes:
    """A message of DHCP (RFC 2131): a client's, or `reply_of` this server's address."""
    hardware = bytes.fromhex(mac.replace(":", ""))
    head = struct.pack("!4BIHH", 2 if reply_of else 1, 1, 6, 0, 7, 0, 0) + bytes(4) + ip_address(given).packed
    body = head + bytes(8) + hardware + bytes(10 + 64 + 128) + b"\x63\x82\x53\x63"
    body += b"".join(bytes([kind, len(value)]) + value for kind, value in options) + b"\xff"
    macs = {"source_mac": source_mac or mac, "destination_mac": BROADCAST}
    if reply_of:
        return udp(reply_of, 67, "255.255.255.255", 68, body, **macs)
    return udp("0.0.0.0", 68, "255.255.255.255", 67, body, **macs)


def offer(client_mac: str, server: str, given: str, *, mac: str, kind: int = 2) -> bytes:
    """A DHCP server's offer, or with 5 as `kind` its confirmation."""
    options = (53, bytes([kind])), (54, ip_address(server).packed)
    return dhcp(client_mac, *options, reply_of=server, given=given, source_mac=mac)


def neighbour(kind: int, source: str, body: bytes, options: bytes = b"", *, mac: str) -> bytes:
    """A message of neighbour discovery (RFC 4861)."""
    content = bytes([kind, 0, 0, 0]) + body + options
    packet = struct.pack("!IHBB", 6 << 28, len(content), 58, 255)
    packet += ip_address(source).packed + ip_address("ff02::1").packed + content
    return framed(packet, source_mac=mac, destination_mac="33:33:00:00:00:01")


def link_layer_option(kind: int, mac: str) -> bytes:
    return bytes([kind, 1]) + bytes.fromhex(mac.replace(":", ""))


def router_advertisement(source: str, mac: str, *, lifetime_s: int = 1800, prefix: str = "2001:db8:bad::") -> bytes:
    prefix_option = struct.pack("!BBBBIII16s", 3, 4, 64, 0xC0, 86400, 14400, 0, ip_address(prefix).packed)
    body = struct.pack("!BBHII", 64, 0, lifetime_s, 0, 0)
    return neighbour(134, source, body, link_layer_option(1, mac) + prefix_option, mac=mac)


def neighbour_advertisement(address: str, mac: str) -> bytes:
    return neighbour(136, address, bytes(4) + ip_address(address).packed, link_layer_option(2, mac), mac=mac)


def arp(mac: str, address: str) -> bytes:
    """An announcement of an address (RFC 5227)."""
    own, hardware = ip_address(address).packed, bytes.fromhex(mac.replace(":", ""))
    body = struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1) + hardware + own + bytes(6) + own
    return ethernet(0x0806, body, source_mac=mac, destination_mac=BROADCAST)


def announcement(source: str, name: str, kind: str, address: str, *, mac: str) -> bytes:
    """A device's announcement of a name by multicast DNS (RFC 6762)."""
    message = dns.message.Message(id=0)
    message.flags |= 0x8400
    message.answer.append(dns.rrset.from_text(f"{name}.", 120, "IN", kind, address))
    group = "ff02::fb" if ":" in source else "224.0.0.251"
    return udp(source, 5353, group, 5353, message.to_wire(), source_mac=mac, destination_mac="01:00:5e:00:00:fb")


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
