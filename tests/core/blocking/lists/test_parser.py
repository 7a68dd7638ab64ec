import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.core.blocking.lists.forms.line_reader import LONGEST_LINE
from appliance.core.blocking.lists.list_contents import MOST_REPORTED
from appliance.core.blocking.lists.parser import MOST_ENTRIES, parse_list


def targets(text: str) -> list[str]:
    contents = parse_list(text.encode())
    assert contents.faults == ()
    return list(contents.targets)


def test_a_plain_list_has_one_entry_on_a_line_and_comments() -> None:
    text = "\ufeff# a list\r\n10.0.0.5\r\n\r\n10.1.0.0/16 # a network\n; by hand\n2001:DB8::1\n10.2.0.0/16 ; SBL1\n"
    assert targets(text) == ["10.0.0.5", "10.1.0.0/16", "2001:db8::1", "10.2.0.0/16"]


def test_an_entry_counts_once() -> None:
    assert targets("10.0.0.5\n10.0.0.5/32\n10.0.0.5") == ["10.0.0.5"]


def test_a_range_becomes_the_prefixes_that_cover_it() -> None:
    assert targets("10.0.0.0-10.0.0.2\n2001:db8::-2001:db8::1") == ["10.0.0.0/31", "10.0.0.2", "2001:db8::/127"]


def test_the_first_field_of_a_csv_line_is_the_entry_and_a_heading_is_not() -> None:
    assert targets('ip,first_seen,why\n"10.0.0.5",2024-12-15,"a, b"\n10.1.0.0/16,,') == ["10.0.0.5", "10.1.0.0/16"]


def test_the_value_of_a_json_object_is_the_entry() -> None:
    lines = [{"ip": "10.0.0.5", "note": "# none"}, {"id": 1, "value": "10.1.0.0/16", "type": "ip"}]
    assert targets("\n".join(map(json.dumps, lines))) == ["10.0.0.5", "10.1.0.0/16"]


NFTABLES = """
table inet filter {
    set bad {
        type ipv4_addr; flags interval
        auto-merge
        elements = { 10.0.0.5 timeout 1h expires 59m, 10.1.0.0/16,
                     10.2.0.0-10.2.0.1 counter packets 0 bytes 0 }
    }
    set worse { type ipv6_addr; elements = { 2001:db8::1 } }
}
add element inet filter bad { 10.3.0.1, 10.3.0.2 }
10.4.0.1
"""


def test_nftables_own_lists_are_read() -> None:
    expected = ["10.0.0.5", "10.1.0.0/16", "10.2.0.0/31", "2001:db8::1", "10.3.0.1", "10.3.0.2", "10.4.0.1"]
    assert targets(NFTABLES) == expected


@pytest.mark.parametrize("line", ["192.168.1.1 router", "10.0.0.1 10.0.0.9 24", "10.0.0.5 malware"])
def test_an_address_with_another_word_behind_it_is_not_blocked(line: str) -> None:
    assert parse_list(line.encode()).targets == ()
    assert parse_list(line.encode()).fault_count == 1


def test_the_names_of_a_hosts_file_are_meant_alone() -> None:
    assert targets("0.0.0.0 Bad.example worse.example\n127.0.0.1\tads.example # shop") == [
        "=bad.example",
        "=worse.example",
        "=ads.example",
    ]


def test_hardware_addresses_and_names_are_entries() -> None:
    assert targets("02-00-5E-10-00-01\n*.bad.example\nmy-bad.example") == [
        "02:00:5e:10:00:01",
        "*.bad.example",
        "my-bad.example",
    ]


def test_local_names_of_a_hosts_file_are_passed_over() -> None:
    assert targets("127.0.0.1 localhost\n::1 localhost ip6-localhost\n0.0.0.0 0.0.0.0") == []


def test_garbage_is_reported_with_its_line_and_other_lines_are_used() -> None:
    garbage = ["10.0.0.256", "\x1b[31mred", "{not json", '{"n": 1}', "10.0.0.5/33", "x" * (LONGEST_LINE + 1), "é" * 100]
    content = "\n".join(["10.0.0.1", *garbage, "10.0.0.2"]).encode() + b"\n\xff\xfe\n10.0.0.3"
    contents = parse_list(content)
    assert contents.targets == ("10.0.0.1", "10.0.0.2", "10.0.0.3")
    assert [fault.line for fault in contents.faults] == [*range(2, 2 + len(garbage)), 3 + len(garbage)]
    assert contents.fault_count == len(garbage) + 1
    assert all(fault.why and fault.text.isprintable() and len(fault.text) <= 60 for fault in contents.faults)


def test_only_the_first_faults_are_reported_and_all_are_counted() -> None:
    contents = parse_list(b"bad bad\n" * 1000 + b"10.0.0.1")
    assert (len(contents.faults), contents.fault_count, contents.targets) == (MOST_REPORTED, 1000, ("10.0.0.1",))


def test_a_list_with_too_many_entries_is_used_up_to_the_bound() -> None:
    content = "\n".join(f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}" for n in range(MOST_ENTRIES + 5))
    contents = parse_list(content.encode())
    assert len(contents.targets) == MOST_ENTRIES
    assert contents.fault_count == 1
    assert contents.faults[0].line == MOST_ENTRIES + 1


@given(st.lists(st.sampled_from([b"{", b"}", b"elements", b"=", b",", b" ", b"\n", b"10.0.0.1", b"-", b'"', b"#"])))
def test_no_order_of_pieces_raises(pieces) -> None:
    contents = parse_list(b"".join(pieces))
    assert len(contents.faults) <= contents.fault_count


@given(st.binary(max_size=300))
def test_no_bytes_raise(content) -> None:
    parse_list(content)
