"""Look-ups of blocked names on the wire, in each position that can refuse them: with a real client of a real server."""

import socket
import struct
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import dns.message
import dns.rcode
import pytest
from msgspec.structs import replace

from appliance.core.machine import Facing
from appliance.core.metering.meter import Plan
from tests.core import frames
from tests.lab.blocks import place
from tests.lab.lookups import FOUND, NONE, RESET, SILENCE, ask, denials, dns_filter
from tests.lab.network import WEB_V4, Network
from tests.lab.test_blocks import CABLINGS, standing
from tests.lab.test_meters import at_rest, meters_of, silence
from tests.lab.test_vlan import PLAIN, TAGGED, VLANS
from tests.lab.test_vlan import lab as vlan

__all__ = ["vlan"]

SOL_PACKET, PACKET_AUXDATA, ETH_P_ALL = 263, 8, 3  # linux/if_packet.h, linux/if_ether.h

NAMES = ("blocked.test", "www.blocked.test", "WWW.Blocked.TEST")


@pytest.fixture(params=list(CABLINGS))
def lab(request: pytest.FixtureRequest) -> Iterator[Network]:
    with standing(request.param) as lab:
        lab.start_dns()
        yield lab


def answers(lab: Network, *names: str, host: int = 0, options: tuple[str, ...] = ()) -> set[str]:
    servers = (lab.uplink.ipv4, lab.uplink.ipv6)
    return {ask(lab.hosts[host], name, server, *options) for name in names for server in servers}


def test_a_denied_name_is_refused_and_others_are_answered_in_both_families(lab: Network) -> None:
    with dns_filter(lab) as made:
        assert answers(lab, *NAMES) == {FOUND}
        assert made.replace_denials([place()], denials("blocked.test"), 0.0) is None
        for options in ((), ("+noedns",), ("AAAA",)):
            assert answers(lab, *NAMES, options=options) == {NONE}
            assert answers(lab, "test", "unblocked.test", "example.org", options=options) == {FOUND}
        assert made.update_denials([denials("blocked.test")[0].question], denials("example.org"), 0.0) is None
        assert answers(lab, *NAMES) == {FOUND}
        assert answers(lab, "example.org") == {NONE}
        assert made.replace_denials([place()], [], 0.0) is None
        assert answers(lab, *NAMES, "example.org") == {FOUND}


def test_a_client_gets_the_reason_and_a_connection_over_tcp_is_reset(lab: Network) -> None:
    with dns_filter(lab) as made:
        assert made.replace_denials([place()], denials("blocked.test"), 0.0) is None
        told = lab.hosts[0].run(["dig", f"@{lab.uplink.ipv4}", "blocked.test"]).stdout
        assert "EDE: 15 (Blocked)" in told
        assert "WARNING" not in told
        assert answers(lab, "example.org", options=("+tcp",)) == {FOUND}
        assert answers(lab, "blocked.test", options=("+tcp",)) == {RESET}


# Asks for a name in the form that its first argument says; prints the answer's code, or how there was none.
STUB = """
import socket, sys
import dns.message, dns.rcode
form, server, name = sys.argv[1:]
query = dns.message.make_query(name, "A").to_wire()
family = socket.AF_INET6 if ":" in server else socket.AF_INET
kind = socket.SOCK_STREAM if form == "segments" else socket.SOCK_DGRAM
with socket.socket(family, kind) as stub:
    stub.settimeout(5 if form == "segments" else 1)
    try:
        stub.connect((server, 53))
        if form == "segments":
            stub.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            whole = len(query).to_bytes(2, "big") + query
            for part in (whole[:2], whole[2:20], whole[20:]):
                stub.send(part)
            answer = stub.recv(4096)[2:]
        else:
            stub.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_DSTOPTS, bytes([0, 0, 1, 4, 0, 0, 0, 0]))
            stub.send(query)
            answer = stub.recv(4096)
        print(dns.rcode.to_text(dns.message.from_wire(answer).rcode()))
    except ConnectionResetError:
        print("reset")
    except TimeoutError:
        print("silence")
"""


def asked_by_stub(lab: Network, form: str, server: str, name: str) -> str:
    return lab.hosts[0].run([sys.executable, "-c", STUB, form, server, name]).stdout.strip()


def test_a_question_in_several_segments_is_refused_and_another_is_answered_once_it_is_sent_in_one(
    gateway: Network,
) -> None:
    gateway.start_dns()
    with dns_filter(gateway) as made:
        assert made.replace_denials([place()], denials("blocked.test"), 0.0) is None
        for server in (gateway.uplink.ipv4, gateway.uplink.ipv6):
            assert asked_by_stub(gateway, "segments", server, "www.blocked.test") == RESET
            assert asked_by_stub(gateway, "segments", server, "example.org") == FOUND
        assert made.unreadable() > 0  # the client's kernel sends the dropped segments again, as one


def test_a_question_behind_an_extension_header_is_refused_and_another_is_answered(gateway: Network) -> None:
    gateway.start_dns()
    with dns_filter(gateway) as made:
        assert made.replace_denials([place()], denials("blocked.test"), 0.0) is None
        assert asked_by_stub(gateway, "options", gateway.uplink.ipv6, "example.org") == FOUND
        assert asked_by_stub(gateway, "options", gateway.uplink.ipv6, "www.blocked.test") == SILENCE


def test_a_question_in_a_vlan_tag_is_refused_in_the_same_tag(gateway: Network) -> None:
    host, answer = gateway.hosts[0], frames.dns_answer("www.blocked.test")
    asked = frames.udp(host.ipv4, 50000, gateway.uplink.ipv4, 53, frames.question_of(answer), source_mac=host.mac())
    with dns_filter(gateway) as made, host.entered(), socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as line:
        assert made.replace_denials([place()], denials("blocked.test"), 0.0) is None
        line.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
        line.settimeout(5)
        line.bind(("eth0", ETH_P_ALL))
        for vlan in (0, 20):
            line.send(frames.tagged(asked, vlan=vlan))
            frame, vlan_of_answer = b"", None
            while frame[34:36] != b"\0\x35":  # the source port
                frame, [(_, _, found)], *_ = line.recvmsg(2000, 100)
                vlan_of_answer = struct.unpack_from("=H", found, 16)[0]  # linux/if_packet.h: tpacket_auxdata
            assert dns.message.from_wire(frame[42:]).rcode() == dns.rcode.NXDOMAIN
            assert vlan_of_answer == vlan


def test_departments_that_share_an_interface_have_their_own_denied_names(lab: Network) -> None:
    first, second, _ = lab.hosts
    places = [
        place("eth1", "first", f"{first.ipv4}/32", f"{first.ipv6}/128"),
        place("eth1", "second", f"{second.ipv4}/32", f"{second.ipv6}/128"),
    ]
    wanted = [*denials("one.test", department="first"), *denials("two.test", department="second"), *denials("all.test")]
    with dns_filter(lab) as made:
        assert made.replace_denials(places, wanted, 0.0) is None
        for at, refused in enumerate(({"one", "all"}, {"two", "all"}, {"all"})):
            assert {one for one in ("one", "two", "all") if answers(lab, f"{one}.test", host=at) == {NONE}} == refused


def test_checksums_are_right_where_the_kernel_makes_them_itself(lab: Network) -> None:
    # Between namespaces a checksum is mostly left to a card that does not exist, and a wrong one is not noticed.
    host = lab.hosts[0]
    host.run(["ethtool", "--offload", "eth0", "rx", "off", "tx", "off"])
    lab.appliance.run(["ethtool", "--offload", "eth1", "rx", "off", "tx", "off"])
    with dns_filter(lab) as made:
        assert made.replace_denials([place()], denials("blocked.test"), 0.0) is None
        assert answers(lab, *NAMES) == {NONE}
        assert answers(lab, "odd.blocked.test", options=("+noedns",)) == {NONE}
        assert answers(lab, "blocked.test", options=("+tcp",)) == {RESET}


def test_denials_work_and_end_without_this_program(gateway: Network, until) -> None:
    gateway.start_dns()
    with dns_filter(gateway) as made:
        wanted = [*denials("long.test"), *denials("short.test", seconds=102.0)]
        assert made.replace_denials([place()], wanted, 100.0) is None
    assert answers(gateway, "long.test", "short.test") == {NONE}
    until(lambda: answers(gateway, "short.test") == {FOUND})
    assert answers(gateway, "long.test") == {NONE}
    with dns_filter(gateway) as made:  # a restart finds the filter of the former run
        assert made.replace_denials([place()], denials("other.test"), 0.0) is None
        assert made.is_intact()
        assert answers(gateway, "long.test") == {FOUND}
        assert answers(gateway, "other.test") == {NONE}
        assert made.replace_denials([place()], [], 0.0) is None
    assert "clsact" not in gateway.appliance.run(["tc", "qdisc", "show"]).stdout


def test_a_removed_filter_is_noticed_and_filters_of_others_stay(gateway: Network) -> None:
    gateway.start_dns()
    eth1 = ["dev", gateway.department_interface]
    gateway.appliance.run(["tc", "qdisc", "add", *eth1, "clsact"])
    other = ["tc", "filter", "add", *eth1, "ingress", "pref", "7", "protocol", "arp", "u32", "match", "u32", "0", "0"]
    gateway.appliance.run(other)
    with dns_filter(gateway) as made:
        for deed in (["filter", "del", *eth1, "ingress"], ["qdisc", "del", *eth1, "clsact"]):
            assert made.replace_denials([place()], denials("blocked.test"), 0.0) is None
            assert made.is_intact()
            gateway.appliance.run(["tc", *deed])
            assert not made.is_intact()
            assert answers(gateway, "blocked.test") == {FOUND}
        gateway.appliance.run(["tc", "qdisc", "add", *eth1, "clsact"])
        gateway.appliance.run(other)
        assert made.replace_denials([place()], denials("blocked.test"), 0.0) is None
        assert made.replace_denials([place()], [], 0.0) is None
        assert "pref 7" in gateway.appliance.run(["tc", "filter", "show", *eth1, "ingress"]).stdout


def test_an_existing_queue_is_used_and_left_in_place(gateway: Network) -> None:
    gateway.start_dns()
    eth1 = ["dev", gateway.department_interface]
    gateway.appliance.run(["tc", "qdisc", "add", *eth1, "ingress"])
    with dns_filter(gateway) as made:
        assert made.replace_denials([place()], denials("blocked.test"), 0.0) is None
        assert made.is_intact()
        assert answers(gateway, "blocked.test") == {NONE}
        assert made.replace_denials([place()], [], 0.0) is None
        refusal = made.replace_denials([place(facing="self")], denials("blocked.test"), 0.0)
        assert refusal is not None
        assert "takes only what comes in" in refusal
    assert "ingress" in gateway.appliance.run(["tc", "qdisc", "show", *eth1]).stdout


def test_an_interface_that_comes_back_or_is_missing_is_noticed(gateway: Network) -> None:
    gateway.start_dns()
    with dns_filter(gateway) as made:
        assert made.replace_denials([place(), place("eth7", "absent")], denials("blocked.test"), 0.0) is None
        assert made.is_intact()
        gateway.appliance.run(["ip", "link", "del", "eth1"])
        assert made.is_intact()
        gateway.cable_department()
        assert not made.is_intact()
        assert made.replace_denials([place(), place("eth7", "absent")], denials("blocked.test"), 0.0) is None
        assert answers(gateway, "blocked.test") == {NONE}


def test_names_beyond_the_room_are_refused_and_fit_when_all_are_replaced(gateway: Network) -> None:
    gateway.start_dns()
    many = denials(*[f"n{number}.test" for number in range(5000)])
    with dns_filter(gateway) as made:
        assert made.update_denials([], many[:1], 0.0) is not None
        assert made.replace_denials([place()], many[:1], 0.0) is None
        assert made.update_denials([], many, 0.0) is not None
        assert made.replace_denials([place()], many, 0.0) is None
        assert answers(gateway, "n0.test", "n4999.test") == {NONE}
        assert made.replace_denials([place()], many[:10], 0.0) is None
        assert answers(gateway, "n9.test") == {NONE}
        assert answers(gateway, "n10.test") == {FOUND}


def test_refused_hosts_are_counted_and_counts_go_on_when_the_filter_is_replaced(gateway: Network) -> None:
    gateway.start_dns()
    with dns_filter(gateway) as made:
        assert made.replace_denials([place()], denials("blocked.test"), 0.0) is None
        answers(gateway, "blocked.test")
        answers(gateway, "www.blocked.test", host=1)
        assert made.refused() == {"manual": 4, "detection": 0, "list": 0, "schedule": 0}
        found = {hit.host: hit.packets for hit in made.hit_counts()}
        assert found == {one: 1 for host in gateway.hosts[:2] for one in (host.ipv4, host.ipv6)}
        assert made.replace_denials([place()], [], 0.0) is None
        assert made.refused()["manual"] == 4


def test_refused_look_ups_are_charged_to_no_department(lab: Network) -> None:
    meters = meters_of(lab)
    assert meters.apply([Plan("dept", "eth1", Facing.DEPARTMENT)]) is None
    assert answers(lab, "blocked.test") == {FOUND}
    silence(lab)
    before = at_rest(meters)
    assert before["dept"].total_bytes > 0
    with dns_filter(lab) as made:
        assert made.replace_denials([place()], denials("blocked.test"), 0.0) is None
        assert answers(lab, "blocked.test") == {NONE}
        assert at_rest(meters) == before


@contextmanager
def laptop(gateway: Network) -> Iterator[Network]:
    """Position `host` on a computer of the lab: its only interface faces the world."""
    made = Network("host", gateway.prefix, gateway.closing)
    made.appliance, made.uplink, made.hosts = gateway.hosts[0], gateway.uplink, gateway.hosts[:1]
    yield made


def test_in_host_position_the_computer_s_own_look_ups_are_refused(gateway: Network) -> None:
    gateway.start_dns()
    with laptop(gateway) as lab, dns_filter(lab) as made:
        assert made.replace_denials([place("eth0", "local", facing="self")], denials("blocked.test"), 0.0) is None
        for options in ((), ("+noedns",)):
            assert answers(lab, *NAMES, options=options) == {NONE}
        assert answers(lab, "example.org") == {FOUND}
        assert answers(lab, "blocked.test", options=("+tcp",)) == {RESET}
        assert lab.hosts[0].resolve("example.org", lab.uplink.ipv4) == WEB_V4[0]


def test_a_subinterface_s_names_are_denied_there_and_not_on_its_trunk(vlan: Network) -> None:
    vlan.start_dns()
    places = [replace(place(TAGGED, "tagged"), vlan=VLANS[TAGGED]), place(PLAIN, "plain")]
    with dns_filter(vlan) as made:
        assert made.replace_denials(places, denials("blocked.test", department="plain"), 0.0) is None
        assert answers(vlan, "blocked.test") == {FOUND}
        assert made.replace_denials(places, denials("blocked.test", department="tagged"), 0.0) is None
        assert answers(vlan, "blocked.test") == {NONE}


@pytest.mark.parametrize("options", [(), ("+tcp",)], ids=["udp", "tcp"])
def test_the_refusal_of_a_look_up_is_not_charged_to_the_department(lab: Network, options: tuple[str, ...]) -> None:
    with dns_filter(lab) as made:
        assert made.replace_denials([place()], denials("blocked.test"), 0.0) is None
        silence(lab)
        meters = meters_of(lab)
        assert meters.apply([Plan("radiology", "eth1", Facing.DEPARTMENT)]) is None
        before = at_rest(meters)["radiology"]
        assert answers(lab, "blocked.test", options=options) <= {NONE, RESET}
        after = at_rest(meters)["radiology"]
    # Of a connection the handshake has passed, and is counted.
    assert after.down_packets - before.down_packets <= (2 * 2 if options else 0)
