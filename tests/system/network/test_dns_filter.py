"""The DNS filter's program in the real kernel, which tries it on frames: what it refuses, and what it answers."""

import ctypes
import struct
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Any

import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.core.blocking.sets import mark_of
from appliance.core.blocking.targets import WHOLE_NAME, Scope
from appliance.core.kernel.bpf import dns_maps as maps
from appliance.system.network.bpf import Bpf
from appliance.system.network.dns_filter import Loaded, obstacle
from tests.core import frames

NEXT, DROPPED, SENT_BACK = -1, 2, 7
TEST_RUN, RUN = 10, struct.Struct("=IIIIQQIIIIQQ")  # linux/bpf.h: BPF_PROG_TEST_RUN
LOOPBACK = 1  # the interface that the kernel lets a tried program see
SEED = 0x0123_4567_89AB_CDEF
CLIENTS = {4: ("10.0.0.7", "192.0.2.53"), 6: ("fd00::7", "2001:db8::53")}
TRANSPORTS = {17: 6, 6: 16}  # where the checksum stands
SALES = 1
MARK = mark_of("list:bad", 7)
EXTENDED_ERROR_BLOCKED = dns.edns.EDECode.BLOCKED


@dataclass
class Program:
    """The program with its maps."""

    kernel: Bpf
    loaded: Loaded

    def deny(
        self, name: str, department: int = maps.EVERYBODY, until_ns: int = maps.FOREVER, *, exact: bool = False
    ) -> None:
        key = maps.KEY.pack(maps.digest(name, SEED), department, 0)
        self.loaded[maps.DENIED].put({key: maps.VALUE.pack(until_ns, MARK, Scope.ITSELF if exact else WHOLE_NAME)})

    def allow_all(self) -> None:
        for key in self.loaded[maps.DENIED].elements():
            self.loaded[maps.DENIED].delete(key)

    def run(self, frame: bytes) -> tuple[int, bytes]:
        """What it does with a frame that comes in, and what becomes of the frame."""
        given_, made = ctypes.create_string_buffer(frame, len(frame)), ctypes.create_string_buffer(4096)
        places = [ctypes.addressof(one) for one in (given_, made)]
        asked = bytearray(RUN.pack(self.loaded.program, 0, len(frame), 4096, *places, 0, 0, 0, 0, 0, 0))
        self.kernel.call(TEST_RUN, asked)
        _, result, _, size, *_ = RUN.unpack(asked)
        return ctypes.c_int32(result).value, made.raw[:size]


@pytest.fixture(scope="module")
def filter_() -> Iterator[Program]:
    kernel = Bpf()
    with closing(Loaded(kernel, SEED, 10, is_own=False)) as loaded:
        loaded[maps.SCOPES].put(
            {
                maps.scope_key(LOOPBACK, ip_network(network)): maps.NUMBER.pack(SALES)
                for network in ("10.0.0.0/24", "fd00::/64")
            }
        )
        yield Program(kernel, loaded)


@pytest.fixture
def denying(filter_: Program) -> Iterator[Program]:
    filter_.deny("blocked.example")
    yield filter_
    filter_.allow_all()


def query(name: str, kind: str = "A", **options: Any) -> bytes:
    return dns.message.make_query(name, kind, **{"use_edns": False, "id": 0x1234, **options}).to_wire()


DENIED_QUERY = query("blocked.example")
ONE_QUESTION, TWO_QUESTIONS = b"\x12\x34\1\0\0\1" + bytes(6), b"\x12\x34\1\0\0\2" + bytes(6)
MORE_FRAGMENTS = 0x2000
SECOND = b"\4\xb0" + query("second.example").ljust(1200, b"\0")
LENGTH = len(DENIED_QUERY).to_bytes(2, "big")
SEGMENT = frames.tcp_body(50000, 53, frames.ACK, LENGTH + DENIED_QUERY)


UDP_QUERY = frames.udp_body(50000, 53, DENIED_QUERY)
PADDING = b"\0" + bytes(6)  # an extension header of 8 bytes, without its first


def chained(chain: list[tuple[int, bytes]], protocol: int, body: bytes) -> bytes:
    """An IPv6 frame with these extension headers, each by its type and what follows its first byte."""
    for kind, rest in reversed(chain):
        body, protocol = bytes([protocol]) + rest + body, kind
    return frames.framed(frames.ip(*CLIENTS[6], protocol, body))


def fragment(offset: int, *, more: bool) -> bytes:
    return struct.pack("!BHI", 0, offset << 3 | more, 7)


def stream(*messages: bytes, cut: int | None = None, client: str = "10.0.0.7") -> bytes:
    """A segment with these messages, or with a part of them."""
    content = b"".join(len(one).to_bytes(2, "big") + one for one in messages)[:cut]
    return frames.tcp(client, 50000, "192.0.2.53", 53, frames.ACK, content)


def total(content: bytes) -> int:
    """The Internet checksum's sum (RFC 1071); 0xFFFF over what has a right one in it."""
    words = sum(struct.unpack(f"!{(len(content) + 1) // 2}H", content + bytes(len(content) % 2)))
    while words >> 16:
        words = (words & 0xFFFF) + (words >> 16)
    return words


def parts(frame: bytes) -> tuple[bytes, bytes, bytes]:
    """The network's header, what of it the transport's checksum covers too, and the transport's packet."""
    if frame[12:14] == b"\x86\xdd":
        header, rest = frame[14:54], frame[54:]
        return header, header[8:40] + struct.pack("!IHBB", len(rest), 0, 0, header[6]), rest
    length = (frame[14] & 0x0F) * 4
    end = 14 + int.from_bytes(frame[16:18], "big")
    header, rest = frame[14 : 14 + length], frame[14 + length : end]
    return header, header[12:20] + struct.pack("!BBH", 0, header[9], len(rest)), rest


def summed(frame: bytes) -> bytes:
    """The frame with right checksums."""
    header, pseudo, rest = parts(frame)
    if len(header) != 40:
        header = header[:10] + struct.pack("!H", 0xFFFF - total(header)) + header[12:]
        protocol = header[9]
    else:
        protocol = header[6]
    at = TRANSPORTS[protocol]
    right = 0xFFFF - total(pseudo + rest) or 0xFFFF
    return frame[:14] + header + rest[:at] + struct.pack("!H", right) + rest[at + 2 :]


def is_summed(frame: bytes) -> bool:
    header, pseudo, rest = parts(frame)
    return (len(header) == 40 or total(header) == 0xFFFF) and total(pseudo + rest) == 0xFFFF


def asked(message: bytes, version: int = 4, client: str | None = None) -> bytes:
    source, server = CLIENTS[version]
    return summed(frames.udp(client or source, 50000, server, 53, message))


def ends(frame: bytes) -> tuple[tuple[bytes, bytes], tuple[bytes, bytes]]:
    """Address and port of who sends and of who receives."""
    header, _, rest = parts(frame)
    addresses = header[8:] if len(header) == 40 else header[12:20]
    half = len(addresses) // 2
    return (addresses[:half], rest[:2]), (addresses[half:], rest[2:4])


def answered(frame: bytes) -> dns.message.Message:
    return dns.message.from_wire(parts(frame)[2][8:])


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("kind", ["A", "AAAA", "HTTPS", "ANY"])
def test_whoever_asks_for_a_denied_name_or_one_below_it_is_told_that_there_is_none(
    denying: Program, version: int, kind: str
) -> None:
    for name in ("blocked.example", "www.blocked.example", "WwW.bLocked.EXAMPLE", "a.b.c.d.e.blocked.example"):
        message = query(name, kind)
        frame = asked(message, version)
        result, answer = denying.run(frame)
        assert result == SENT_BACK
        assert is_summed(answer)
        assert (answer[:6], answer[6:12]) == (frame[6:12], frame[:6])
        assert ends(answer) == tuple(reversed(ends(frame)))
        told = answered(answer)
        assert told.rcode() == dns.rcode.NXDOMAIN
        assert told.id == 0x1234
        assert told.question == dns.message.from_wire(message).question
        assert told.flags & (dns.flags.QR | dns.flags.RD | dns.flags.RA) == dns.flags.QR | dns.flags.RD | dns.flags.RA
        assert told.answer == told.authority == told.additional == []


@pytest.mark.parametrize("version", [4, 6])
def test_who_understands_options_is_told_why(denying: Program, version: int) -> None:
    cookie = dns.edns.GenericOption(dns.edns.OptionType.COOKIE, bytes(8))
    for options in ({"use_edns": 0}, {"use_edns": 0, "options": [cookie], "want_dnssec": True}):
        _, answer = denying.run(asked(query("blocked.example", **options), version))
        assert is_summed(answer)
        told = answered(answer)
        assert [(one.otype, one.code) for one in told.options] == [(dns.edns.OptionType.EDE, EXTENDED_ERROR_BLOCKED)]


@pytest.mark.parametrize(
    "name",
    ["example", "unblocked.example", "blocked.example.org", "blocked", "xblocked.example", "blocked-example.com"],
)
def test_other_names_pass(denying: Program, name: str) -> None:
    frame = asked(query(name))
    assert denying.run(frame) == (NEXT, frame)


def test_a_name_that_is_denied_by_itself_leaves_names_below_it(filter_: Program) -> None:
    filter_.deny("alias.example", exact=True)
    for name, result in (("alias.example", SENT_BACK), ("www.alias.example", NEXT), ("example", NEXT)):
        assert filter_.run(asked(query(name)))[0] == result
    filter_.deny("www.alias.example")
    assert filter_.run(asked(query("a.www.alias.example")))[0] == SENT_BACK
    filter_.allow_all()


def test_a_department_s_names_are_denied_to_its_own_addresses_only(filter_: Program) -> None:
    filter_.deny("sales.example", SALES)
    for version, client, result in (
        (4, "10.0.0.7", SENT_BACK),
        (4, "10.0.1.7", NEXT),
        (6, "fd00::9", SENT_BACK),
        (6, "fd00:0:0:1::9", NEXT),
    ):
        assert filter_.run(asked(query("x.sales.example"), version, client))[0] == result
    filter_.allow_all()


def test_a_denial_that_is_over_is_none_and_a_wider_one_still_is(filter_: Program) -> None:
    filter_.deny("www.old.example", until_ns=1)
    assert filter_.run(asked(query("www.old.example")))[0] == NEXT
    filter_.deny("old.example", until_ns=1 << 62)
    assert filter_.run(asked(query("www.old.example")))[0] == SENT_BACK
    filter_.allow_all()


@pytest.mark.parametrize(
    "frame",
    [
        frames.framed(frames.ip("10.0.0.7", "192.0.2.53", 6, SEGMENT, MORE_FRAGMENTS)),
        frames.tcp("10.0.0.7", 50000, "192.0.2.53", 53, frames.SYN, LENGTH + DENIED_QUERY),
        asked(query("blocked.example", use_edns=0, pad=600)),
        frames.framed(frames.ip("10.0.0.7", "192.0.2.53", 17, frames.udp_body(5, 53, DENIED_QUERY), MORE_FRAGMENTS)),
        frames.udp("10.0.0.7", 5, "224.0.0.1", 53, query("blocked.example"), destination_mac="01:00:5e:00:00:01"),
    ],
    ids=["a segment in fragments", "a segment that opens", "padded beyond what is copied", "in fragments", "to many"],
)
def test_what_cannot_be_answered_is_dropped(denying: Program, frame: bytes) -> None:
    assert denying.run(frame)[0] == DROPPED


@pytest.mark.parametrize(
    "frame",
    [
        frames.udp("10.0.0.7", 50000, "192.0.2.53", 5353, query("blocked.example")),
        frames.udp("10.0.0.7", 53, "192.0.2.53", 50000, query("blocked.example")),
        frames.udp("10.0.0.7", 50000, "192.0.2.53", 53, frames.dns_answer("blocked.example")),
        frames.udp("10.0.0.7", 50000, "192.0.2.53", 53, query(".")),
        frames.udp("10.0.0.7", 50000, "192.0.2.53", 53, b"\0" * 11),
        frames.ethernet(0x0806, bytes(28)),
        frames.syn("10.0.0.7", "192.0.2.53", 53),
        frames.framed(frames.ip("10.0.0.7", "192.0.2.53", 17, b"\0" * 30, 0x00FF)),
        chained([(44, fragment(9, more=True))], 17, UDP_QUERY),
        chained([(50, bytes(7))], 17, UDP_QUERY),
        frames.framed(frames.ip("10.0.0.7", "192.0.2.53", 17, frames.udp_body(5, 54, DENIED_QUERY), MORE_FRAGMENTS)),
        frames.framed(
            frames.ip("10.0.0.7", "192.0.2.53", 17, frames.udp_body(5, 53, query("allowed.example")), MORE_FRAGMENTS)
        ),
        frames.udp("10.0.0.7", 50000, "192.0.2.53", 53, b"\x12\x34\1\0" + bytes(8)),
        stream(b"\x12\x34\x30\0" + bytes(20)),
    ],
    ids=[
        "another port",
        "from the port",
        "an answer",
        "the root",
        "no header",
        "ARP",
        "no payload",
        "a later fragment",
        "a later fragment of IPv6",
        "an encrypted packet",
        "another port in fragments",
        "an allowed name in the first fragment",
        "no question",
        "another operation over TCP",
    ],
)
def test_what_is_no_query_passes_as_it_is(denying: Program, frame: bytes) -> None:
    assert denying.run(frame) == (NEXT, frame)


ALLOWED_QUERY = query("allowed.example")
UNREADABLE = {
    "cut within the name": frames.udp("10.0.0.7", 5, "192.0.2.53", 53, DENIED_QUERY[:20]),
    "cut after the name": frames.udp("10.0.0.7", 5, "192.0.2.53", 53, DENIED_QUERY[:-3]),
    "a pointer": frames.udp("10.0.0.7", 5, "192.0.2.53", 53, ONE_QUESTION + b"\xc0\x12\0\1\0\1" + DENIED_QUERY[12:]),
    "a pointer behind a label": frames.udp("10.0.0.7", 5, "192.0.2.53", 53, ONE_QUESTION + b"\3www\xc0\x16\0\1\0\1"),
    "too long a name": frames.udp("10.0.0.7", 5, "192.0.2.53", 53, ONE_QUESTION + b"\1a" * 200 + b"\0\0\1\0\1"),
    "two questions": frames.udp(
        "10.0.0.7", 5, "192.0.2.53", 53, TWO_QUESTIONS + ALLOWED_QUERY[12:] + DENIED_QUERY[12:]
    ),
    "a length of 0": frames.framed(frames.ip(*CLIENTS[6], 17, struct.pack("!HHHH", 5, 53, 0, 0) + DENIED_QUERY)),
    "a length beyond the packet": frames.framed(
        frames.ip("10.0.0.7", "192.0.2.53", 17, struct.pack("!HHHH", 5, 53, 400, 0) + ALLOWED_QUERY)
    ),
    "the header alone, in fragments": frames.framed(
        frames.ip("10.0.0.7", "192.0.2.53", 17, UDP_QUERY[:8], MORE_FRAGMENTS)
    ),
    "half of the name, in fragments": frames.framed(
        frames.ip("10.0.0.7", "192.0.2.53", 17, UDP_QUERY[:32], MORE_FRAGMENTS)
    ),
    "half of the name, in fragments of IPv6": chained([(44, fragment(0, more=True))], 17, UDP_QUERY[:32]),
    "no ports in the first fragment": chained([(44, fragment(0, more=True))], 60, PADDING),
    "a segment in fragments": frames.framed(frames.ip("10.0.0.7", "192.0.2.53", 6, SEGMENT[:24], MORE_FRAGMENTS)),
    "headers without end": chained([(60, PADDING)] * 9, 17, UDP_QUERY),
    "headers that are cut": chained([(60, b"\xff" + bytes(6))], 17, UDP_QUERY),
    "the length alone in the segment": stream(DENIED_QUERY, cut=2),
    "half of the length in the segment": stream(DENIED_QUERY, cut=1),
    "half of the name in the segment": stream(DENIED_QUERY, cut=20),
    "all but the class in the segment": stream(DENIED_QUERY, cut=-1),
    "the second half of the segment": frames.tcp("10.0.0.7", 5, "192.0.2.53", 53, frames.ACK, DENIED_QUERY),
    "a message and half of another": stream(ALLOWED_QUERY, DENIED_QUERY, cut=-4),
    "more messages than are read": stream(*[ALLOWED_QUERY] * 3),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_what_goes_to_the_port_and_cannot_be_read_is_dropped_and_counted(denying: Program, name: str) -> None:
    def count() -> int:
        return int(maps.COUNT.unpack(denying.loaded[maps.ORIGINS].value(maps.NUMBER.pack(maps.UNREADABLE)))[0])

    before = count()
    assert denying.run(UNREADABLE[name])[0] == DROPPED
    assert count() == before + 1


@pytest.mark.parametrize("chain", [[(0, PADDING)], [(60, PADDING), (43, b"\1" + bytes(14)), (51, b"\4" + bytes(22))]])
@pytest.mark.parametrize("fragmented", [[], [(44, fragment(0, more=False))]])
def test_a_query_behind_extension_headers_is_dropped_if_and_only_if_its_name_is_denied(
    denying: Program, chain: list[tuple[int, bytes]], fragmented: list[tuple[int, bytes]]
) -> None:
    assert denying.run(chained([*chain, *fragmented], 17, UDP_QUERY))[0] == DROPPED
    assert denying.run(chained([*chain, *fragmented], 6, SEGMENT))[0] == DROPPED
    for body in (frames.udp_body(5, 53, ALLOWED_QUERY), frames.udp_body(5, 54, DENIED_QUERY)):
        frame = chained([*chain, *fragmented], 17, body)
        assert denying.run(frame) == (NEXT, frame)


@pytest.mark.parametrize("tags", [1, 2])
def test_a_query_in_further_vlan_tags_is_dropped_if_and_only_if_its_name_is_denied(denying: Program, tags: int) -> None:
    for name, result in (("blocked.example", DROPPED), ("allowed.example", NEXT)):
        for body in (frames.udp_body(5, 53, query(name)), frames.tcp_body(5, 53, frames.ACK, stream(query(name))[54:])):
            frame = frames.framed(frames.ip("10.0.0.7", "192.0.2.53", 17 if len(body) < 50 else 6, body))
            for number in range(tags):
                frame = frames.tagged(frame, tpid=0x88A8 if number else 0x8100, vlan=0)
            assert denying.run(frame)[0] == result


def test_both_messages_of_a_segment_are_judged(denying: Program) -> None:
    allowed = stream(ALLOWED_QUERY, query("allowed.example", "AAAA"))
    assert denying.run(allowed) == (NEXT, allowed)
    for pair in ((ALLOWED_QUERY, DENIED_QUERY), (DENIED_QUERY, ALLOWED_QUERY)):
        assert denying.run(summed(stream(*pair)))[0] == SENT_BACK


def test_a_segment_without_content_passes_with_the_padding_of_a_short_frame(denying: Program) -> None:
    frame = frames.tcp("10.0.0.7", 50000, "192.0.2.53", 53, frames.ACK) + bytes(6)
    assert denying.run(frame) == (NEXT, frame)


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("options", [b"", b"\1\1\x08\x0a" + bytes(8)], ids=["plain", "with options"])
@pytest.mark.parametrize("more", [b"", SECOND], ids=["alone", "with more behind it"])
def test_a_connection_that_asks_for_a_denied_name_is_reset(
    denying: Program, version: int, options: bytes, more: bytes
) -> None:
    source, server = CLIENTS[version]
    segment = bytearray(frames.tcp_body(50000, 53, frames.ACK, LENGTH + DENIED_QUERY + more, options))
    segment[4:12] = struct.pack("!II", 1000, 0xFEDC_BA98)
    frame = summed(frames.framed(frames.ip(source, server, 6, bytes(segment))))
    result, answer = denying.run(frame)
    assert result == SENT_BACK
    assert is_summed(answer)
    assert ends(answer) == tuple(reversed(ends(frame)))
    assert (answer[:6], answer[6:12]) == (frame[6:12], frame[:6])
    _, _, rest = parts(answer)
    assert len(rest) == 20
    sequence, acknowledged, offset, flags, window = struct.unpack("!IIBBH", rest[4:16])
    assert (sequence, acknowledged, offset, flags, window) == (0xFEDC_BA98, 0, 0x50, 0x04, 0)
    other = bytes(segment).replace(b"blocked", b"allowed")
    assert denying.run(frames.framed(frames.ip(source, server, 6, other)))[0] == NEXT


def test_options_of_ipv4_and_padding_of_short_frames_are_understood(denying: Program) -> None:
    denying.deny("b.io")
    body = frames.udp_body(50000, 53, query("b.io"))
    for options, padding in ((b"\x01" * 8, b""), (b"", bytes(18))):
        frame = summed(frames.framed(frames.ip("10.0.0.7", "192.0.2.53", 17, body, options=options))) + padding
        result, answer = denying.run(frame)
        assert result == SENT_BACK
        assert is_summed(answer)
        assert answered(answer).rcode() == dns.rcode.NXDOMAIN


def test_a_query_without_a_checksum_is_answered_without_one(denying: Program) -> None:
    _, answer = denying.run(frames.udp("10.0.0.7", 50000, "192.0.2.53", 53, query("blocked.example")))
    assert parts(answer)[2][6:8] == b"\0\0"


def test_it_is_counted_by_origin_and_by_block_and_host(filter_: Program) -> None:
    filter_.deny("counted.example")
    listed = maps.NUMBER.pack(MARK >> 28)

    def count() -> int:
        return maps.COUNT.unpack(filter_.loaded[maps.ORIGINS].value(listed))[0]

    before = count()
    for client in ("10.0.7.1", "10.0.7.1", "10.0.7.2"):
        filter_.run(asked(query("counted.example"), 4, client))
    filter_.run(asked(query("counted.example"), 6, "fd07::1"))
    assert count() == before + 4
    hits = {hit.host: (hit.mark, hit.packets) for hit in maps.hits_in(filter_.loaded[maps.HITS].elements())}
    assert [hits[host] for host in ("10.0.7.1", "10.0.7.2", "fd07::1")] == [(MARK, 2), (MARK, 1), (MARK, 1)]
    filter_.allow_all()


SHORTEST_TRIED = 54  # the kernel does not try a program on a frame without the header of its network
LABELS = st.sampled_from(["a", "B", "c-d", "x" * 63, "_tcp", "xn--bcher-kva", "A1"])
NAMES = st.lists(LABELS, min_size=1, max_size=3).map(".".join)
ASKED = st.lists(LABELS, min_size=1, max_size=6).map(".".join).filter(lambda name: len(name) < 254)


@settings(max_examples=300, deadline=None)
@given(
    denied=st.dictionaries(NAMES.map(str.lower), st.sampled_from([maps.EVERYBODY, SALES]), max_size=4),
    name=ASKED,
    version=st.sampled_from([4, 6]),
    is_sales=st.booleans(),
    edns=st.booleans(),
)
def test_a_name_is_refused_if_and_only_if_it_or_one_above_it_is_denied_to_who_asks(
    filter_: Program, denied: Mapping[str, int], name: str, version: int, is_sales: bool, edns: bool
) -> None:
    filter_.allow_all()
    for one, department in denied.items():
        filter_.deny(one, department)
    own = {maps.EVERYBODY, SALES} if is_sales else {maps.EVERYBODY}
    whole = dns.name.from_text(name.lower())
    is_refused = any(
        department in own and whole.is_subdomain(dns.name.from_text(one)) for one, department in denied.items()
    )
    client = None if is_sales else {4: "10.9.9.9", 6: "fd99::9"}[version]
    frame = asked(query(name, use_edns=0 if edns else False), version, client)
    result, answer = filter_.run(frame)
    assert result == (SENT_BACK if is_refused else NEXT)
    assert is_summed(answer)
    if is_refused:
        assert answered(answer).rcode() == dns.rcode.NXDOMAIN
        assert answered(answer).question == dns.message.from_wire(parts(frame)[2][8:]).question
    else:
        assert answer == frame


@settings(max_examples=1000, deadline=None)
@given(
    version=st.sampled_from([4, 6]),
    is_tcp=st.booleans(),
    edns=st.booleans(),
    changes=st.lists(st.tuples(st.integers(12, 120), st.integers(0, 255)), max_size=4),
    length=st.integers(SHORTEST_TRIED, 120),
)
def test_whatever_comes_it_passes_is_dropped_or_is_answered_with_a_message_that_can_be_read(
    filter_: Program, version: int, is_tcp: bool, edns: bool, changes: list[tuple[int, int]], length: int
) -> None:
    filter_.deny("blocked.example")
    message = query("www.blocked.example", use_edns=0 if edns else False)
    segment = frames.tcp_body(50000, 53, frames.ACK, len(message).to_bytes(2, "big") + message)
    over_tcp = summed(frames.framed(frames.ip(*CLIENTS[version], 6, segment)))
    frame = bytearray(over_tcp if is_tcp else asked(message, version))
    for at, value in changes:
        if at < len(frame):
            frame[at] = value
    cut = bytes(frame[:length])
    result, answer = filter_.run(cut)
    assert result in {NEXT, DROPPED, SENT_BACK}
    if result == NEXT:
        assert answer == cut
    elif result == SENT_BACK:
        header, _, rest = parts(answer)
        if header[6 if len(header) == 40 else 9] == 6:
            assert (len(rest), rest[13]) == (20, 0x04)
        else:
            told = dns.message.from_wire(rest[8:], ignore_trailing=False)
            assert told.rcode() == dns.rcode.NXDOMAIN


def test_where_the_kernel_takes_no_program_that_is_told_and_nothing_is_left_open(
    run_unprivileged: Callable[[str], str],
) -> None:
    line = (
        "import os, sys; from appliance.system.network.bpf import Bpf;"
        "from appliance.system.network.dns_filter import obstacle;"
        "kernel = Bpf(); before = len(os.listdir('/proc/self/fd')); reason = obstacle(kernel);"
        "sys.exit(f'{reason}; {len(os.listdir(\"/proc/self/fd\")) - before} left')"
    )
    assert run_unprivileged(line) == "the kernel takes no eBPF program (Operation not permitted); 0 left\n"
    assert obstacle(Bpf()) is None
