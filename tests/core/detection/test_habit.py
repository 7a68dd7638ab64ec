"""What is usual of a source, day by day."""

import pytest
from msgspec.structs import replace

from appliance.core.detection.evidence import TOO_MUCH, Evidence
from appliance.core.detection.habits.habit import MOST_TRAITS, REMEMBERED_DAYS, Habit, sender_of
from appliance.core.detection.incident_kind import IncidentKind
from appliance.core.detection.scan_evidence import scan_evidence
from appliance.core.detection.scans import ANY_PORT, Failure, Key, Suspicion

MAC, SOURCE = "02:00:00:00:00:05", "192.168.1.5"
TODAY = 20_000


def found(*traits: str, count: int = 30, kind: IncidentKind = IncidentKind.HOST_SWEEP) -> Evidence:
    return Evidence(kind, SOURCE, count, "many", 1.0, 2.0, "fewer", senders={MAC: count}, traits=frozenset(traits))


SSH, RDP = "22 in 192.168.1.0/24", "3389 in 192.168.1.0/24"


def after(*days: Evidence, every: int = 1) -> Habit:
    """The habit of whoever did this on the days before today."""
    first = TODAY - len(days) * every
    habit = Habit(id="h", department="a", kind=IncidentKind.HOST_SWEEP, source=SOURCE, mac=MAC, day=first)
    for number, one in enumerate(days):
        habit.meet(one, first + number * every)
    return habit


def is_usual(habit: Habit, today: Evidence) -> bool:
    habit.meet(today, TODAY)
    return habit.is_usual(today)


def test_what_was_so_on_three_earlier_days_is_usual() -> None:
    assert not is_usual(after(found(SSH), found(SSH)), found(SSH))
    assert is_usual(after(found(SSH), found(SSH), found(SSH)), found(SSH))


def test_what_is_done_all_day_long_is_one_day() -> None:
    habit = after(found(SSH))
    for _ in range(1000):
        assert not is_usual(habit, found(SSH))


def test_what_happens_each_week_is_usual_in_the_fourth_and_not_if_weeks_are_left_out() -> None:
    assert is_usual(after(*[found(SSH)] * 3, every=7), found(SSH))
    assert not is_usual(after(*[found(SSH)] * 3, every=14), found(SSH))


@pytest.mark.parametrize(
    ("today", "words"),
    [
        (found(SSH, RDP), f"on 3 earlier days it did so elsewhere, and new are {RDP}"),
        (found("22 in 10.0.0.0/24"), None),
        (found(SSH, count=46), "on 3 earlier days it was at most 30"),
    ],
)
def test_another_port_another_network_and_much_more_are_told_and_compared(today: Evidence, words: str | None) -> None:
    habit = after(*[found(SSH)] * 3)
    assert not is_usual(habit, today)
    assert habit.compared(today).expected == (f"fewer; {words}" if words else "fewer")
    assert is_usual(habit, found(SSH))  # which goes on beside it


def test_what_comes_again_is_told_with_the_days_before() -> None:
    habit = after(found(SSH), found(SSH))
    habit.meet(found(SSH), TODAY)
    assert habit.compared(found(SSH)).expected == "fewer; on 2 earlier days it did the same"


def test_what_a_person_wants_to_be_told_is_never_usual() -> None:
    habit = after(*[found(SSH)] * 5)
    habit.is_refused = True
    assert not is_usual(habit, found(SSH))
    assert habit.compared(found(SSH)).expected == "fewer"


def test_a_clock_that_is_set_back_or_far_ahead_teaches_nothing_wrong() -> None:
    habit = after(*[found(SSH)] * 3)
    assert not habit.meet(found(RDP), TODAY - 30)
    assert is_usual(habit, found(SSH))
    habit.meet(found(SSH), TODAY + 365 * 1000)
    assert habit.traits == {SSH: 1}


def test_traits_are_bounded_and_forgotten_after_four_weeks() -> None:
    habit = after(found(*map(str, range(1000))))
    assert len(habit.traits) == MOST_TRAITS
    habit.meet(found(SSH), TODAY + REMEMBERED_DAYS)
    assert habit.traits == {SSH: 1}


@pytest.mark.parametrize(
    "one",
    [
        *(replace(found(SSH), kind=kind) for kind in IncidentKind if kind not in {"port_scan", "host_sweep"}),
        found(SSH, count=100),  # of which the severity is high
        found(),
        found(TOO_MUCH),
        replace(found(SSH), senders={MAC: 20, "02:00:00:00:00:06": 10}),
        replace(found(SSH), senders={}),
    ],
    ids=lambda one: f"{one.kind} {one.count} {len(one.senders)} {len(one.traits)}",
)
def test_what_may_hide_too_much_has_no_habit(one: Evidence) -> None:
    assert sender_of(one) is None


@pytest.mark.parametrize(
    ("key", "failed", "traits"),
    [
        (Key(IncidentKind.HOST_SWEEP, SOURCE, 22), ["10.0.0.7", "10.0.0.9"], {"22 in 10.0.0.0/24"}),
        (
            Key(IncidentKind.HOST_SWEEP, SOURCE, "161/udp"),
            ["2001:db8::1", "2001:db8:0:1::1"],
            {"161/udp in 2001:db8::/64", "161/udp in 2001:db8:0:1::/64"},
        ),
        (
            Key(IncidentKind.PORT_SCAN, SOURCE, "10.0.0.7"),
            [80, "161/udp"],
            {"80 in 10.0.0.0/24", "161/udp in 10.0.0.0/24"},
        ),
        (Key(IncidentKind.PORT_SCAN, SOURCE, "10.0.0.7"), range(1, 50), {"many in 10.0.0.0/24"}),
        (Key(IncidentKind.HOST_SWEEP, SOURCE, ANY_PORT), [f"10.0.{one}.1" for one in range(17)], {TOO_MUCH}),
    ],
)
def test_a_scan_is_compared_by_ports_and_networks(key: Key, failed: list[str | int], traits: set[str]) -> None:
    suspicion = Suspicion(key, {one: Failure(float(at), MAC) for at, one in enumerate(failed)})
    assert scan_evidence(suspicion).traits == traits
