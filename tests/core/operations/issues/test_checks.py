from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec.structs import replace

from appliance.core.machine import MachineSigns
from appliance.core.operations.issues.checks import CHECKS, Signs, unread
from appliance.core.operations.issues.courses import PortCourse
from appliance.core.operations.issues.issue import SOURCES, IssueSource, kind_of
from appliance.core.operations.update import Update, UpdateState

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
CARD_BYTES = 32 * 1000**3
FINE = Signs(
    wall=NOON,
    uptime_s=1000.0,
    machine=MachineSigns(
        undervoltage=False,
        throttled=False,
        card_used_percent=10,
        card_spare=1,
        card_bytes=CARD_BYTES,
        card_written_bytes=0,
        state_is_read_only=False,
        connections=100,
        most_connections=1000,
        clock_is_kept=True,
    ),
    written_a_day_bytes=0.0,
    ports={"eth1": PortCourse(packets=10_000, damaged=0, falls=0)},
    frames_lost=0,
)


def found(signs: Signs) -> dict[str, str]:
    return {check.id: "; ".join(one.cause for one in told) for check in CHECKS if (told := check.find(signs))}


def of_machine(**signs: Any) -> Signs:
    return replace(FINE, machine=replace(FINE.machine, **signs))


def of_port(**course: int) -> Signs:
    return replace(FINE, ports={"eth1": replace(PortCourse(10_000, 0, 0), **course)})


def of_update(state: UpdateState, reason: str = "") -> Signs:
    return replace(FINE, update=Update(state, "anna", "2026-11-01", version="7", reason=reason))


# What is so -> the only check that finds something, and a word of it.
FAULTS = [
    (of_machine(undervoltage=True), "undervoltage", "voltage has dropped"),
    (of_machine(throttled=True), "throttled", "held back"),
    (of_machine(card_used_percent=80), "card_worn", "80 % of the medium's life"),
    (of_machine(card_used_percent=100), "card_worn", "100 %"),
    (of_machine(card_used_percent=None, card_spare=2), "card_worn", "spare blocks"),
    (of_machine(card_used_percent=110), "card_worn_out", "end of its life"),
    (of_machine(card_used_percent=90, card_spare=3), "card_worn_out", "end of its life"),
    (replace(FINE, written_a_day_bytes=CARD_BYTES / 9), "card_writes", "3.3 GiB a day"),
    (of_machine(state_is_read_only=True), "read_only", "only be read"),
    (replace(FINE, wall=datetime(1970, 1, 2, tzinfo=UTC)), "clock_wrong", "1970-01-02"),
    (of_machine(clock_is_kept=False), "clock_alone", "no time server"),
    (of_machine(connections=900), "connections", "900 of at most 1000"),
    (of_port(damaged=100), "port_errors", "100 of 10000 packets at eth1"),
    (of_port(falls=3), "port_flaps", "eth1 went down 3 times"),
    (replace(FINE, frames_lost=7), "capture_loss", "missed 7 packets"),
    (of_update(UpdateState.FAILED, "no signature"), "update_failed", "no signature"),
    (of_update(UpdateState.RETURNED), "update_failed", "has returned"),
    (of_update(UpdateState.INSTALLED), "update_waits", "version 7"),
]
# What is still in order, if only just.
BOUNDS = [
    of_machine(card_used_percent=79),
    of_machine(connections=899),
    replace(FINE, written_a_day_bytes=CARD_BYTES / 11),
    of_port(damaged=99),
    of_port(packets=1_000_000, damaged=999),
    of_port(falls=2),
    of_update(UpdateState.CONFIRMED),
    replace(of_machine(clock_is_kept=False), uptime_s=60.0),  # a time server takes a minute or two
]


def test_a_machine_in_order_has_no_issue_and_every_check_was_made() -> None:
    assert found(FINE) == {}
    assert unread(FINE) == []


@pytest.mark.parametrize(("signs", "check", "word"), FAULTS)
def test_each_fault_is_found_by_its_check_alone(signs: Signs, check: str, word: str) -> None:
    told = found(signs)
    assert [*told] == [check]
    assert word in told[check]


@pytest.mark.parametrize("signs", BOUNDS)
def test_what_is_still_in_order_is_no_issue(signs: Signs) -> None:
    assert found(signs) == {}


def test_every_check_is_shown_to_find_something() -> None:
    assert {check for _, check, _ in FAULTS} == {one.id for one in CHECKS}


def test_what_cannot_be_read_is_named_and_not_good() -> None:
    bare = Signs(wall=NOON, uptime_s=1000.0)
    assert found(bare) == {}
    judged_without = {"clock_wrong", "update_failed", "update_waits"}  # of what is always known
    assert set(unread(bare)) == {one.id for one in CHECKS} - judged_without


def test_every_source_has_the_rest_of_its_record() -> None:
    assert set(SOURCES) == set(IssueSource)
    assert len({one.id for one in CHECKS} | {one.value for one in IssueSource}) == len(CHECKS) + len(IssueSource)


def test_sentences_differ_by_names_and_not_by_numbers() -> None:
    assert kind_of("3 frames lost") == kind_of("14,000 frames lost")
    assert kind_of("eth1 is down") != kind_of("eth2 is down")
