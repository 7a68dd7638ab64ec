from ipaddress import ip_address, ip_network

import pytest

from appliance.core.blocking.protection import EVERYTHING, NOBODYS, Protected, Protections, protected_host

PROTECTIONS = Protections(
    [
        Protected(ip_network("192.168.1.2"), "the administrator's machine"),
        Protected(ip_network("10.5.0.0/16"), "the servers"),
        protected_host(ip_address("fe80::1"), "the gateway"),
    ],
    ["02:00:00:00:00:01"],
    own=[Protected(ip_network("10.1.0.0/16"), "it is all of the department")],
)


@pytest.mark.parametrize(
    ("target", "rule"),
    [
        ("192.168.1.2", "the administrator's machine"),
        ("192.168.1.0/24", "the administrator's machine"),
        ("10.5.7.0/24", "the servers"),
        ("10.0.0.0/8", "the servers"),
        ("10.1.0.0/16", "it is all of the department"),
        ("10.0.0.0/14", "it is all of the department"),
        ("fe80::/10", "the gateway"),
        ("fe80::1", "the gateway"),
        ("fe80::/64", "the gateway"),
        ("02:00:00:00:00:01", "it is the appliance's own hardware address"),
        ("0.0.0.0/0", EVERYTHING),
        ("::/0", EVERYTHING),
        ("2000::/3", EVERYTHING),
        ("0.0.0.0/1", NOBODYS),
        ("128.0.0.0/1", NOBODYS),
        ("::1", NOBODYS),
        ("255.255.255.255", NOBODYS),
        ("ff02::1", NOBODYS),
    ],
)
def test_a_protected_target_is_refused_with_its_rule(target: str, rule: str) -> None:
    assert PROTECTIONS.rule_for(target) == rule


@pytest.mark.parametrize(
    "target",
    [
        "192.168.1.3",
        "10.1.0.0/17",
        "10.1.2.3",
        "192.168.1.4/30",
        "10.6.0.0/16",
        "fe80::2",
        "02:00:00:00:00:02",
        "example.com",
        "2001::/16",
    ],
)
def test_other_targets_may_be_blocked(target: str) -> None:
    assert PROTECTIONS.rule_for(target) is None


def test_a_list_is_taken_without_what_is_protected() -> None:
    judged = PROTECTIONS.judge_list(
        [
            "192.168.1.0/24",
            "10.5.7.0/24",
            "10.0.0.0/8",
            "127.0.0.0/8",
            "0.0.0.0/8",
            "203.0.113.9",
            "::/0",
            "fe80::/10",
            "fe80::/9",
        ]
    )
    assert set(judged.left_out) == {"10.5.7.0/24", "127.0.0.0/8", "::/0", "fe80::/10"}
    assert set(judged.partly) == {"192.168.1.0/24", "10.0.0.0/8", "0.0.0.0/8", "fe80::/9"}
    assert all(judged.left_out.values())
    assert all(judged.partly.values())


def test_a_departments_halves_are_left_out_together_and_a_half_alone_is_not() -> None:
    assert set(PROTECTIONS.judge_list(["10.1.0.0/17", "10.1.128.0/17"]).left_out) == {"10.1.0.0/17", "10.1.128.0/17"}
    assert PROTECTIONS.judge_list(["10.1.0.0/17", "10.1.128.0/18"]).left_out == {}
