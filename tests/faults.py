"""What the appliance does when something fails: `python -m tests.faults [WORD...]` shows it, fault by fault.

A row names the fault, the behaviour, and the tests that bring the fault about on the real thing and look at what
happens. The command runs these tests, slow ones too, and prints the table with their results: in some ten minutes, or
with WORDs only the rows that have one.
"""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple
from xml.etree import ElementTree

from tabulate import tabulate

from tests.documents import PROJECT

LONGEST_CELL = 46  # characters, so that a row fits into a terminal


class Fault(NamedTuple):
    """A row. `tests`: as pytest names them, without their parameters."""

    fault: str
    behaviour: str
    tests: tuple[str, ...]


E2E, LAB, SYSTEM, MONITOR = "tests/end_to_end", "tests/lab", "tests/system", "tests/monitor"
FAULTS = (
    Fault(
        "SIGKILL at any moment",
        "blocks hold, the kernel counts on, the next start charges every byte and repeats no alert",
        (
            f"{E2E}/test_crash.py::test_after_each_kill_the_ledger_has_every_byte_and_all_blocks_hold",
            f"{E2E}/test_crash.py::test_alerts_are_raised_once_over_restarts",
            f"{SYSTEM}/storage/test_store.py::test_50_kills_in_the_middle_of_a_commit_leave_ledger_and_mark_in_step",
        ),
    ),
    Fault(
        "SIGSTOP for a minute",
        "blocks hold, and afterwards every byte is charged and clients are served again",
        (f"{E2E}/test_outages.py::test_a_service_that_is_stopped_during_traffic_charges_every_byte_afterwards",),
    ),
    Fault(
        "it hangs, or a library crashes",
        "systemd hears nothing and ends it; the next start has its stack as a report, and says so",
        (
            f"{MONITOR}/operations/test_self_check.py::"
            "test_the_supervisor_hears_only_of_a_service_that_meters_publishes_and_whose_store_answers",
            f"{E2E}/test_supervision.py::test_a_service_that_failed_tells_so_until_its_report_is_taken_away",
        ),
    ),
    Fault(
        "it fails at each start",
        "it is started again for ever, with a pause that grows to half a minute",
        (
            "tests/service/supervision/test_restart_pace.py::"
            "test_the_first_failures_are_mended_at_once_and_the_pause_then_doubles_up_to_half_a_minute",
        ),
    ),
    Fault(
        "out of memory",
        "it ends, by itself or beyond the unit's MemoryMax by SIGKILL; blocks hold, and it starts again",
        (
            "tests/service/test_without_memory.py::test_a_want_of_memory_that_a_loop_meets_ends_the_process",
            f"{E2E}/test_crash.py::test_after_each_kill_the_ledger_has_every_byte_and_all_blocks_hold",
            f"{E2E}/test_quota.py::"
            "test_with_the_service_killed_the_kernel_stops_the_department_and_the_books_say_what_passed",
        ),
    ),
    Fault(
        "disk full",
        "metering goes on in memory, orders are refused, all is filed when there is room",
        (f"{E2E}/test_storage.py::test_on_a_full_disk_metering_goes_on_and_orders_are_refused_until_there_is_room",),
    ),
    Fault(
        "medium read-only, or locked",
        "saved blocks are in force, metering goes on in memory, and that is told",
        (
            f"{E2E}/test_start.py::test_a_medium_that_takes_nothing_stops_no_service_and_is_told",
            "tests/service/test_state_recovery.py::"
            "test_of_a_read_only_medium_the_latest_state_is_in_force_until_it_takes_changes",
            "tests/service/test_state_recovery.py::"
            "test_a_state_that_another_program_has_locked_is_read_and_saved_to_once_it_is_free",
        ),
    ),
    Fault(
        "database damaged",
        "it is moved aside, and what can be read goes on; people are let in only by a whole register",
        (
            f"{E2E}/test_storage.py::"
            "test_a_damaged_state_is_moved_aside_and_the_books_begin_with_what_the_kernel_s_meters_show",
            f"{SYSTEM}/storage/test_people_store.py::"
            "test_a_damaged_register_is_not_begun_anew_because_what_was_revoked_would_come_in_again",
            f"{SYSTEM}/storage/test_audit_store.py::test_a_damaged_trail_is_moved_aside_and_begun_anew",
        ),
    ),
    Fault(
        "clock jumps",
        "no ended period opens again, nothing that waits is given up, no client is disturbed",
        (
            "tests/core/metering/test_quota.py::test_a_clock_set_back_does_not_reopen_an_ended_period",
            f"{MONITOR}/alerting/test_notification_desk.py::test_a_clock_that_jumps_gives_nothing_up",
            "tests/abuse/test_tokens.py::test_a_clock_that_jumps_a_month_and_back_disturbs_no_client",
        ),
    ),
    Fault(
        "all interfaces gone and back",
        "departments are told as down; meters and limits hold again, also at an interface made anew",
        (
            f"{E2E}/test_outages.py::test_all_interfaces_down_and_up_again_are_told_and_metered_on",
            f"{E2E}/test_gaps.py::test_an_interface_made_anew_within_a_period_invents_no_byte_and_loses_none",
            f"{E2E}/test_gaps.py::test_a_limit_holds_on_an_interface_made_anew",
        ),
    ),
    Fault(
        "GPIO chip or pin gone, sensor hangs",
        "the panel is mocked and that is told; the value is unknown; nothing else notices",
        (
            f"{SYSTEM}/device/test_panel.py::test_a_pin_that_cannot_be_had_leaves_a_mocked_panel_and_is_told",
            f"{SYSTEM}/device/test_sensors.py::test_a_sensor_that_hangs_or_fails_costs_its_own_value_only",
        ),
    ),
    Fault(
        "receivers down for an hour, refusing, slow, answering garbage",
        "nothing else waits for them; each notice is kept and delivered in order when they are back",
        (
            f"{MONITOR}/alerting/test_notification_desk.py::"
            "test_a_dead_receiver_delays_no_other_and_gets_all_in_order_once_it_is_back",
            f"{E2E}/test_notifications.py::test_a_dead_receiver_delays_neither_metering_nor_another_channel",
            f"{E2E}/test_notifications.py::test_what_waits_outlives_the_kill_of_service_and_receiver",
            f"{SYSTEM}/outlets/test_mail.py::test_a_server_that_trickles_is_left_when_its_time_is_over",
            f"{SYSTEM}/outlets/test_mail.py::test_garbage_is_an_answer_like_any_other",
            "tests/core/alerting/test_attempts.py::"
            "test_a_receiver_that_fails_is_asked_less_and_less_often_but_always_again",
        ),
    ),
    Fault(
        "it dies in a maintenance",
        "where that opens the enforcement, the kernel closes it within 15 s; what was saved is whole",
        (
            f"{E2E}/test_opening.py::"
            "test_a_service_that_does_not_come_back_leaves_nothing_open_and_one_that_does_opens_again",
            f"{E2E}/test_maintenance.py::test_the_power_may_fail_in_maintenance_and_it_goes_on_afterwards",
        ),
    ),
    Fault(
        "configuration with faults",
        "refused whole, with all its faults, their lines and what was meant; the former one stays",
        (
            "tests/config/test_config.py::test_all_faults_are_reported_at_once_with_key_found_and_allowed_values",
            "tests/config/test_config.py::test_a_wrong_value_is_reported_with_its_key",
            "tests/config/test_config.py::test_a_text_that_is_no_toml_is_reported_in_one_line",
            f"{E2E}/test_reload.py::test_a_file_with_faults_is_refused_whole_by_command_and_by_signal",
            f"{E2E}/test_trial.py::test_a_trial_that_cannot_start_brings_the_former_back_at_once",
        ),
    ),
)


def results(tests: Sequence[str]) -> dict[str, str]:
    """By test, what became of it: passed, FAILED, or skipped; of several parameters, the worst."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "results.xml")
        words = [sys.executable, "-m", "pytest", "-n0", "-q", f"--junitxml={path}", "-o", "junit_family=xunit1"]
        subprocess.run([*words, *tests], cwd=PROJECT, stdout=sys.stderr, check=False)
        cases = [*ElementTree.parse(path).iter("testcase")]
    found: dict[str, str] = {}
    for case in cases:
        name = f"{case.get('file')}::{str(case.get('name')).partition('[')[0]}"
        has_failed = case.find("failure") is not None or case.find("error") is not None
        is_skipped = case.find("skipped") is not None
        result = "FAILED" if has_failed else "skipped" if is_skipped else "passed"
        found[name] = min(found.get(name, result), result)  # capitals come first, and "passed" before "skipped"
    return found


def table(faults: Sequence[Fault], found: dict[str, str]) -> str:
    """The rows as a table for a person, a line for each test."""
    rows = [
        [row.fault, row.behaviour, test.rpartition("::")[2].removeprefix("test_"), found.get(test, "not run")]
        if test is row.tests[0]
        else ["", "", test.rpartition("::")[2].removeprefix("test_"), found.get(test, "not run")]
        for row in faults
        for test in row.tests
    ]
    widths = [24, LONGEST_CELL, LONGEST_CELL, None]
    return tabulate(rows, ["fault", "what happens", "test", "result"], tablefmt="simple_grid", maxcolwidths=widths)


def main(words: Sequence[str]) -> int:
    """Run the tests of the rows that have one of these words, and print the table; 1 where one has failed."""
    wanted = [one.lower() for one in words]
    faults = [row for row in FAULTS if not wanted or any(word in row.fault.lower() for word in wanted)]
    found = results([test for row in faults for test in row.tests])
    print(table(faults, found))
    return int(any(found.get(test) != "passed" for row in faults for test in row.tests))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
