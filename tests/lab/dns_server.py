"""A name server for the lab that knows every name: `dns_server.py IPV4 IPV6` answers A and AAAA, over UDP, port 53."""

import socket
import sys

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

TTL_S = 60


def answer(query: bytes, addresses: dict[dns.rdatatype.RdataType, str]) -> bytes:
    """The answer to one query; a name has no records but A and AAAA."""
    message = dns.message.from_wire(query)
    response = dns.message.make_response(message, recursion_available=True)
    for question in message.question:
        if question.rdtype in addresses:
            address = addresses[question.rdtype]
            response.answer.append(dns.rrset.from_text(question.name, TTL_S, "IN", question.rdtype, address))
    return response.to_wire()


def serve(ipv4: str, ipv6: str) -> None:
    """Answer until the process is ended."""
    addresses = {dns.rdatatype.A: ipv4, dns.rdatatype.AAAA: ipv6}
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as listening:
        listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listening.bind(("::", 53))
        print("ready", flush=True)
        while True:
            query, client = listening.recvfrom(4096)
            listening.sendto(answer(query, addresses), client)


if __name__ == "__main__":
    serve(*sys.argv[1:3])
