"""A name server for the lab that knows every name: `dns_server.py IPV4 IPV6` answers A and AAAA, on port 53.

`NAME.aliased` is an alias of NAME. A name with the label `hinted` has an HTTPS record with the addresses as hints.
"""

import socket
import struct
import sys
from threading import Thread

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

TTL_S = 60
PATIENCE_S = 2.0  # with a client that connects and sends nothing

Addresses = dict[dns.rdatatype.RdataType, str]


def answer(query: bytes, addresses: Addresses) -> bytes:
    """The answer to one query."""
    message = dns.message.from_wire(query)
    response = dns.message.make_response(message, recursion_available=True)
    for question in message.question:
        name = question.name
        if name.labels[-2:] == (b"aliased", b""):
            target = dns.name.Name((*name.labels[:-2], b""))
            response.answer.append(dns.rrset.from_text(name, TTL_S, "IN", "CNAME", target.to_text()))
            name = target
        if question.rdtype in addresses:
            response.answer.append(dns.rrset.from_text(name, TTL_S, "IN", question.rdtype, addresses[question.rdtype]))
        elif question.rdtype == dns.rdatatype.HTTPS and b"hinted" in name.labels:
            hints = f"1 . ipv4hint={addresses[dns.rdatatype.A]} ipv6hint={addresses[dns.rdatatype.AAAA]}"
            response.answer.append(dns.rrset.from_text(name, TTL_S, "IN", "HTTPS", hints))
    return response.to_wire()


def listening(kind: socket.SocketKind) -> socket.socket:
    """A socket on port 53 of every address."""
    made = socket.socket(socket.AF_INET6, kind)
    made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    made.bind(("::", 53))
    return made


def serve_datagrams(port: socket.socket, addresses: Addresses) -> None:
    """Answer until the process is ended."""
    while True:
        query, client = port.recvfrom(4096)
        port.sendto(answer(query, addresses), client)


def serve_streams(port: socket.socket, addresses: Addresses) -> None:
    """Answer one question of each connection, one connection after the other."""
    while True:
        connection, _ = port.accept()
        with connection:
            connection.settimeout(PATIENCE_S)
            try:
                [length] = struct.unpack("!H", connection.recv(2, socket.MSG_WAITALL))
                told = answer(connection.recv(length, socket.MSG_WAITALL), addresses)
                connection.sendall(struct.pack("!H", len(told)) + told)
            except (OSError, struct.error):
                continue


def serve(ipv4: str, ipv6: str) -> None:
    """Answer until the process is ended."""
    addresses = {dns.rdatatype.A: ipv4, dns.rdatatype.AAAA: ipv6}
    datagrams, streams = listening(socket.SOCK_DGRAM), listening(socket.SOCK_STREAM)
    streams.listen()
    Thread(target=serve_streams, args=(streams, addresses), daemon=True).start()
    print("ready", flush=True)
    serve_datagrams(datagrams, addresses)


if __name__ == "__main__":
    serve(*sys.argv[1:3])
