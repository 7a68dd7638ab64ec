from datetime import UTC, datetime, timedelta

from msgspec.structs import replace

from appliance.core.detection.incident import Severity
from appliance.core.machine import NO_SIGNS, Counters, Link, MachineSigns
from appliance.core.moment import Moment
from appliance.core.operations.issues.checks import HOUR_S
from appliance.core.operations.issues.issue import Issue, IssueSource
from appliance.monitor.operations.issues.issue_watch import IssueWatch

NOON = Moment(datetime(2026, 11, 1, 12, tzinfo=UTC), 1000.0, is_trusted=True)
LOW_VOLTAGE = MachineSigns(undervoltage=True)
GOOD_VOLTAGE = MachineSigns(undervoltage=False)


def later(seconds: float) -> Moment:
    return replace(NOON, wall=NOON.wall + timedelta(seconds=seconds), monotonic_s=NOON.monotonic_s + seconds)


def test_an_issue_has_its_cause_what_to_do_and_since_when() -> None:
    watch = IssueWatch({})
    watch.look(LOW_VOLTAGE, [], 0, NOON)
    watch.look(LOW_VOLTAGE, [], 0, later(60))
    cause = "the supply's voltage has dropped below what the computer needs"
    advice = "use the supply and the cable that the maker names"
    assert watch.issues(later(60)) == [Issue("undervoltage", Severity.HIGH, cause, advice, NOON.wall)]
    assert watch.troubles(later(60)) == [f"{cause}; {advice}"]


def test_what_comes_for_a_moment_is_shown_for_an_hour_and_what_does_not_hold_any_more_is_not() -> None:
    watch = IssueWatch({})
    watch.look(replace(LOW_VOLTAGE, state_is_read_only=True), [], 0, NOON)
    watch.look(replace(GOOD_VOLTAGE, state_is_read_only=False), [], 0, later(5))
    assert [one.id for one in watch.issues(later(5))] == ["undervoltage"]
    watch.look(LOW_VOLTAGE, [], 0, later(10))  # the hour begins again, and the issue is the same one
    watch.look(GOOD_VOLTAGE, [], 0, later(HOUR_S + 9))
    assert [one.since for one in watch.issues(later(HOUR_S + 9))] == [NOON.wall]
    watch.look(GOOD_VOLTAGE, [], 0, later(HOUR_S + 10))
    assert watch.issues(later(HOUR_S + 10)) == []


def test_an_issue_of_two_ports_is_two_issues() -> None:
    watch = IssueWatch({})
    for second in range(6):
        ports = [
            Link(name, 1, "02:00:00:00:00:01", "boot", second % 2 == 0, Counters(0, 0)) for name in ("eth1", "eth2")
        ]
        watch.look(NO_SIGNS, ports, 0, later(second))
    assert [one.cause.split()[3] for one in watch.issues(later(6))] == ["eth1", "eth2"]


def test_frames_that_were_lost_before_the_first_look_are_no_issue() -> None:
    watch = IssueWatch({})
    watch.look(NO_SIGNS, [], 40, NOON)
    assert watch.issues(NOON) == []
    watch.look(NO_SIGNS, [], 43, later(5))
    assert [one.cause for one in watch.issues(later(5))] == [
        "the capture missed 3 packets; sites and incidents may be missing"
    ]
    assert watch.troubles(later(5)) == []  # the department's status says it


def test_what_a_part_tells_is_an_issue_from_when_it_was_first_told_whatever_numbers_are_in_it() -> None:
    told = ["3 frames lost"]
    watch = IssueWatch({IssueSource.ENFORCEMENT: lambda _: ["a gap"], IssueSource.METERING: lambda _: told})
    first = watch.issues(NOON)
    assert [(one.id, one.severity, one.cause) for one in first] == [
        ("metering", Severity.HIGH, "3 frames lost"),
        ("enforcement", Severity.CRITICAL, "a gap"),
    ]
    told[:] = ["4 frames lost"]
    assert [one.since for one in watch.issues(later(9))] == [NOON.wall, NOON.wall]
    assert watch.troubles(later(9)) == ["4 frames lost", "a gap"]
    told.clear()
    watch.issues(later(10))
    told[:] = ["5 frames lost"]
    assert [one.since for one in watch.issues(later(11))] == [later(11).wall, NOON.wall]


def test_a_look_that_reads_nothing_says_what_could_not_be_checked() -> None:
    watch = IssueWatch({})
    watch.look(NO_SIGNS, [], 0, NOON)
    assert "undervoltage" in watch.unchecked
    watch.look(GOOD_VOLTAGE, [], 0, later(5))
    assert "undervoltage" not in watch.unchecked
