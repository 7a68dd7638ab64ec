from random import Random

from appliance.core.traffic.flows import tcp_flows
from appliance.core.traffic.flows.contact import Happening, What
from appliance.core.traffic.flows.tcp_flows import HOLD_S, MOST_CONNECTIONS, MOST_OPENINGS, TcpFlows
from appliance.core.traffic.packet import decode
from tests.core import frames, hellos

NAME, CLIENT, SERVER = "www.example.org", "192.168.1.10", "203.0.113.80"
HELLO = hellos.record(NAME, padding=1500)
RST = 0x04


def from_client(flags: int, at: int = 0, data: bytes = b"", port: int = 40_000, heard: int = 0) -> bytes:
    return frames.tcp(CLIENT, port, SERVER, 443, flags, data, numbers=((1001 + at) % 2**32, 9001 + heard))


def from_server(flags: int, at: int = 0, data: bytes = b"", port: int = 40_000, heard: int = 0) -> bytes:
    return frames.tcp(SERVER, 443, CLIENT, port, flags, data, numbers=(9001 + at, (1001 + heard) % 2**32))


def opened(port: int = 40_000) -> list[bytes]:
    return [from_client(frames.SYN, -1, port=port), from_server(frames.SYN_ACK, -1, port=port)]


def happened(flows: TcpFlows, *arriving: bytes, at_s: float = 0.0) -> list[Happening]:
    found: list[Happening] = []
    for one in arriving:
        packet = decode(one)
        assert packet is not None
        found += flows.read("eth1", packet, at_s)
    return found


def kinds(happenings: list[Happening]) -> list[What]:
    return [one.what for one in happenings]


def test_a_hello_and_the_server_s_answer_to_it_make_a_contact() -> None:
    flows = TcpFlows()
    assert kinds(happened(flows, *opened(), from_client(frames.ACK, 0, HELLO))) == [What.HELLO]
    [met] = happened(flows, from_server(frames.ACK, 0, hellos.SERVER_HELLO))
    assert (met.what, met.contact.hello and met.contact.hello.name) == (What.MET, NAME)
    assert [*flows.due(HOLD_S)] == []


def test_the_first_byte_of_the_server_tells_whether_it_goes_on() -> None:
    for first, expected in ((b"\x16", [What.MET]), (b"\x15", []), (b"H", [])):
        flows = TcpFlows()
        happened(flows, *opened(), from_client(frames.ACK, 0, HELLO))
        assert kinds(happened(flows, from_server(frames.ACK, 0, first))) == expected


def test_segments_come_in_any_order_and_repeated() -> None:
    pieces = [(at, HELLO[at : at + 100]) for at in range(0, len(HELLO), 100)] * 2
    Random(1).shuffle(pieces)
    flows = TcpFlows()
    assert kinds(happened(flows, *opened(), *(from_client(frames.ACK, at, one) for at, one in pieces))) == [What.HELLO]


def test_numbers_pass_their_end() -> None:
    flows = TcpFlows()
    begin = 2**32 - 500
    syn = frames.tcp(CLIENT, 1, SERVER, 443, frames.SYN, numbers=(begin - 1, 0))
    parts = [
        frames.tcp(CLIENT, 1, SERVER, 443, frames.ACK, HELLO[at : at + 400], numbers=((begin + at) % 2**32, 1))
        for at in range(0, len(HELLO), 400)
    ]
    assert kinds(happened(flows, syn, *parts)) == [What.HELLO]


def test_a_hello_in_the_syn_itself_is_read() -> None:
    flows = TcpFlows()
    assert kinds(happened(flows, from_client(frames.SYN, -1, hellos.record(NAME)))) == [What.HELLO]


def test_without_a_hello_a_connection_is_a_contact_after_a_while_or_at_its_end() -> None:
    flows = TcpFlows()
    happened(flows, *opened())
    assert [*flows.due(HOLD_S / 2)] == []
    [met] = flows.due(HOLD_S)
    assert (met.what, met.contact.hello) == (What.MET, None)
    assert kinds(happened(flows, *opened(40_001), from_client(RST, port=40_001))) == [What.MET]


def test_an_answer_to_another_number_is_forged() -> None:
    flows = TcpFlows()
    happened(flows, opened()[0], from_server(frames.SYN_ACK, -1, heard=7))
    assert [*flows.due(HOLD_S)] == []


def test_both_ends_tell_the_bytes_once() -> None:
    flows = TcpFlows()
    ends = [
        from_client(frames.FIN_ACK, 700, heard=5000),
        from_client(frames.FIN_ACK, 700, heard=5000),
        from_server(frames.FIN_ACK, 6000, heard=701),
        from_server(frames.FIN_ACK, 6000, heard=701),
    ]
    found = happened(flows, *opened(), *ends)
    assert [one.bytes for one in found if one.what is What.END] == [5700, 1001]


def test_an_end_that_tells_more_than_the_line_carries_tells_nothing() -> None:
    flows = TcpFlows()
    found = happened(flows, *opened(), from_client(RST, -5))
    assert [one.bytes for one in found if one.what is What.END] == []


def test_a_flood_of_openings_pushes_no_answered_connection_out() -> None:
    flows = TcpFlows()
    happened(flows, *opened())
    for number in range(MOST_OPENINGS + 100):
        happened(flows, frames.syn(f"10.{number >> 8}.{number & 255}.1", SERVER, 443))
    assert kinds(happened(flows, from_client(frames.ACK, 0, HELLO), from_server(frames.ACK, 0, b"\x16"))) == [
        What.HELLO,
        What.MET,
    ]


def test_the_oldest_answered_connection_gives_way() -> None:
    flows = TcpFlows()
    for port in range(1, MOST_CONNECTIONS + 2):
        happened(flows, *opened(port))
    assert kinds(happened(flows, from_client(frames.ACK, 0, b"\x16", port=1))) == []
    assert kinds(happened(flows, from_client(RST, 0, port=1))) == []
    assert kinds(happened(flows, from_client(RST, 0, port=2))) == [What.MET]


def test_hellos_that_never_end_push_one_another_out_and_not_the_next_one() -> None:
    flows = TcpFlows()
    begin = hellos.records(hellos.message(NAME, padding=16_000))[:-1]
    hostile = tcp_flows.MOST_HELD_BYTES // len(begin)  # twice of what there is room for
    for port in range(1, hostile + 1):
        assert happened(flows, *opened(port), from_client(frames.ACK, 0, begin, port=port)) == []
    assert kinds(happened(flows, *opened(), from_client(frames.ACK, 0, HELLO))) == [What.HELLO]
    assert kinds(happened(flows, from_client(frames.ACK, len(begin), b"\0", port=1))) == []
    assert kinds(happened(flows, from_client(frames.ACK, len(begin), b"\0", port=hostile))) == [What.HELLO]
