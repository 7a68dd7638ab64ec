"""What a run that failed leaves, and what the next one makes of it."""

import logging
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from appliance.core.moment import Moment
from appliance.service.supervision.crash_reports import LARGEST_BYTES, MOST_REPORTS, CrashFolder, CrashReports
from appliance.service.supervision.known_secrets import known_secrets

NOON = datetime(2026, 11, 29, 12, tzinfo=UTC)
SECRET = "hunter2hunter2"

# A run that is ended by a signal in the middle of its work: a child, because it cannot go on afterwards.
ENDED = """
import os, sys
from pathlib import Path
from appliance.service.supervision.crash_reports import CrashReports
def the_step_that_hangs():
    os.kill(os.getpid(), int(sys.argv[2]))
with CrashReports(Path(sys.argv[1]), sys.argv[3], (), list):
    the_step_that_hangs()
"""


class Refusal(Exception):
    """It is expected."""


@pytest.fixture
def state(tmp_path: Path) -> Path:
    folder = tmp_path / "state"
    folder.mkdir()
    return folder


@pytest.fixture(params=["memory", "state"])
def runtime(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The unit's folder in memory, or none."""
    folder = tmp_path / "run"
    folder.mkdir()
    return str(folder) if request.param == "memory" else ""


def reports(state: Path, runtime: str) -> CrashReports:
    return CrashReports(state, runtime, (Refusal,), lambda: known_secrets(state))


def kept(state: Path, runtime: str) -> list[str]:
    """The reports after another start."""
    with reports(state, runtime):
        return [one.read_text() for one in CrashFolder(state).reports()]


def fail() -> None:
    logging.getLogger("appliance").warning("anna@example.org logs in with %s", SECRET)
    raise ValueError("no number: eyJhbGciOiJI.eyJzdWIiOiJh.c2lnbmF0dXJl")


def test_a_failure_is_reported_with_the_latest_lines_of_the_log_and_without_secrets(state: Path, runtime: str) -> None:
    (state / "secrets").mkdir()
    (state / "secrets" / "mail").write_text(f"{SECRET}\n")
    with pytest.raises(ValueError, match="no number"), reports(state, runtime):
        fail()
    [report] = kept(state, runtime)
    assert "ValueError: no number: [token]" in report
    assert "[address] logs in with [secret]" in report
    assert SECRET not in report


@pytest.mark.parametrize("number", [signal.SIGABRT, signal.SIGSEGV])
def test_a_run_that_a_signal_ends_leaves_where_it_was(number: int, state: Path, runtime: str) -> None:
    program = [sys.executable, "-c", ENDED, str(state), str(int(number)), runtime]
    assert subprocess.run(program, check=False).returncode == -number
    [report] = kept(state, runtime)
    assert "the_step_that_hangs" in report
    assert kept(state, runtime) == [report]  # it is told once


def test_a_clean_end_an_expected_refusal_and_a_kill_leave_nothing(state: Path, runtime: str) -> None:
    with reports(state, runtime):
        pass
    with pytest.raises(Refusal), reports(state, runtime):
        raise Refusal
    subprocess.run([sys.executable, "-c", ENDED, str(state), "9", runtime], check=False)
    assert kept(state, runtime) == []


def test_few_reports_are_kept_and_no_more_than_that_in_an_hour(state: Path) -> None:
    folder = CrashFolder(state)
    for number in range(2 * MOST_REPORTS):
        folder.add(f"failure {number}", NOON + timedelta(minutes=number), [])
    assert ["failure 0" in one.read_text() for one in folder.reports()] == [True, *[False] * (MOST_REPORTS - 1)]
    folder.add("x" * 2 * LARGEST_BYTES, NOON + timedelta(hours=2), [])
    assert len(folder.reports()) == MOST_REPORTS
    latest = folder.reports()[-1]
    assert latest.stat().st_size < LARGEST_BYTES + 200
    assert latest.stat().st_mode & 0o777 == 0o600


def test_a_report_is_an_issue_for_a_week_or_until_it_is_taken_away(state: Path) -> None:
    assert CrashFolder(state).troubles(Moment(NOON, 0.0, is_trusted=True)) == []
    path = CrashFolder(state).add("a failure", NOON, [])
    assert path is not None
    folder = CrashFolder(state)  # of the next start
    [told] = folder.troubles(Moment(NOON + timedelta(days=6), 0.0, is_trusted=True))
    assert "failed at 2026-11-29T12:00:00.000Z" in told
    assert str(path) in told
    assert folder.troubles(Moment(NOON + timedelta(days=8), 0.0, is_trusted=True)) == []
    path.unlink()
    assert folder.troubles(Moment(NOON, 0.0, is_trusted=True)) == []


def test_a_state_that_takes_no_report_stops_nothing(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("no folder")
    with reports(blocked, ""):
        pass
    assert list(tmp_path.iterdir()) == [blocked]
