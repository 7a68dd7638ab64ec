"""What will change, in sentences."""

from collections.abc import Sequence

import pytest

from appliance.config import parse
from appliance.config.differences import MOST_CHANGES, MOST_NAMED, changes
from appliance.config.values import quantity_text
from appliance.core.metering.quota import QuotaKind

BASE = """
[appliance]
position = "gateway"
[[departments]]
id = "guest"
name = "Guest Wi-Fi"
interface = "eth1"
[departments.quota]
daily = "60 GiB"
on_exceeded = "alert"
[protection]
addresses = ["192.168.1.2"]
[[block_lists]]
name = "bad"
source = "/bad.txt"
"""


def told(before: str, after: str) -> Sequence[str]:
    return changes(parse(before.encode(), "before"), parse(after.encode(), "after"))


def test_another_way_to_write_the_same_is_no_change() -> None:
    other = BASE.replace("60 GiB", "64424509440 B").replace("[protection]", "# protected\n[protection]")
    assert told(BASE, other + "[server]\nport = 5001\n[detection]\nblock_duration = '10m'\n") == []


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("60 GiB", "80 GiB", "Guest Wi-Fi: the daily quota is 80 GiB, was 60 GiB. The books stay."),
        ('daily = "60 GiB"', "", "Guest Wi-Fi: the daily quota ends; it was 60 GiB."),
        ("[protection]", 'weekly = "1 TB"\n[protection]', "Guest Wi-Fi: the weekly quota is 1 TB; there was none."),
        (
            "[protection]",
            'hosts.daily = "1 GB"\n[protection]',
            "Guest Wi-Fi: the daily quota of each host is 1 GB; there was none.",
        ),
        ('"alert"', '"block"', "Guest Wi-Fi is cut off when a quota is used up; it was only reported."),
        (
            "[protection]",
            "thresholds = [50]\n[protection]",
            "Guest Wi-Fi: alerts come at 50 % and 100 %, came at 80 % and 95 % and 100 %.",
        ),
        (
            "[protection]",
            "billing_day = 3\n[protection]",
            "Guest Wi-Fi: the month of its quota begins on day 3, began on day 1.",
        ),
        ('"Guest Wi-Fi"', '"Guests"', "Guest Wi-Fi is called Guests."),
        ('"guest"', '"wifi"', "Guest Wi-Fi has the id wifi, was guest: its books and its history begin empty."),
        ("eth1", "eth0.90", "Guest Wi-Fi is at the interface eth0.90 instead of eth1."),
        ('"eth1"', '"eth1"\nsubnets = ["10.0.0.0/8"]', "Guest Wi-Fi: the list subnets gains 10.0.0.0/8."),
        (
            '"eth1"',
            '"eth1"\nline_rate = "1 Gbit"',
            "Guest Wi-Fi: the line rate is 1 Gbit, was what the link negotiates.",
        ),
        ('"192.168.1.2"', '"192.168.1.3"', "What is never blocked gains 192.168.1.3 and loses 192.168.1.2."),
        ("/bad.txt", "/worse.txt", "The block list bad: source is /worse.txt, was /bad.txt."),
        ("[protection]", "[protection]\nshared = 'spare'", "In [protection], shared is spare, was block."),
        (
            "[protection]",
            "[server]\nport = 8080\n[protection]",
            "The port where dashboards connect is 8080, was 5001; open the page there to confirm.",
        ),
        ("[protection]", "[panel]\nhold = 2.5\n[protection]", "In [panel], hold is 2.5s, was 3s."),
        (
            '"gateway"',
            '"bridge"',
            "The position is bridge, was gateway; what can be metered and blocked depends on it.",
        ),
        (
            "[protection]",
            "[detection]\nblock_from = 'high'\n[protection]",
            "The severity from which sources of incidents are blocked is high, was none.",
        ),
    ],
)
def test_a_change_is_one_sentence(old: str, new: str, sentence: str) -> None:
    assert told(BASE, BASE.replace(old, new, 1)) == [sentence]


def test_a_limit_that_was_set_by_hand_is_no_surprise() -> None:
    after = BASE.replace("60 GiB", "80 GiB")
    by_hand = {("guest", QuotaKind.DAILY, False), ("guest", QuotaKind.WEEKLY, False)}
    [sentence] = changes(parse(BASE.encode(), "before"), parse(after.encode(), "after"), by_hand)
    assert sentence.endswith("was 60 GiB. The books stay. But a limit that was set by hand holds over it.")
    [sentence] = changes(
        parse(BASE.encode(), "before"), parse(after.encode(), "after"), {("guest", QuotaKind.DAILY, True)}
    )
    assert "by hand" not in sentence


def test_what_comes_and_goes_is_told_with_its_consequence() -> None:
    other = (
        BASE.replace("bad", "worse")
        .replace('"guest"', '"lab"')
        .replace('"Guest Wi-Fi"', '"Lab"')
        .replace("eth1", "eth2")
    )
    issuer = "[[issuers]]\niss = 'hr'\nalgorithm = 'EdDSA'\nkey = '/hr.pem'\naudience = 'pi'\n"
    assert told(BASE, other + issuer) == [
        "Lab (lab) is a new department at eth2, with a quota of 60 GiB daily.",
        "Guest Wi-Fi (guest) is removed: it is not metered any more, and no quota or block holds for it.",
        "The block list worse is new: /worse.txt, read each 1h, for all departments.",
        "The block list bad is removed: what only it blocks is let through.",
        "Tokens of the issuer hr are accepted, up to the role viewer.",
    ]
    assert told(BASE + issuer, BASE) == ["Tokens of the issuer hr are not accepted any more."]


def test_many_changes_are_counted_and_long_lists_too() -> None:
    many = "".join(f'[[departments]]\nid = "d{number}"\ninterface = "eth{number}"\n' for number in range(2, 99))
    found = told(BASE, BASE + many)
    assert (len(found), found[-1]) == (MOST_CHANGES, "And 48 more changes.")
    addresses = ", ".join(f'"10.0.0.{number}"' for number in range(100))
    [sentence] = told(BASE, BASE.replace('"192.168.1.2"', f'"192.168.1.2", {addresses}'))
    assert sentence.endswith(f"10.0.0.{MOST_NAMED - 1} and {100 - MOST_NAMED} more.")


@pytest.mark.parametrize(
    ("amount", "unit", "text"),
    [
        (5 * 2**30, "B", "5 GiB"),
        (20 * 10**9, "B", "20 GB"),
        (1_500_000, "B", "1500 kB"),
        (0, "B", "0 B"),
        (128_000, "bit", "128 kbit"),
        (10**9, "bit", "1 Gbit"),
        (2**63 - 1, "B", "9223372036854775807 B"),
    ],
)
def test_a_quantity_is_written_as_people_do(amount: int, unit: str, text: str) -> None:
    assert quantity_text(amount, unit) == text
