"""In maintenance not a byte is written to the state directory, and what came meanwhile is filed afterwards."""

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from appliance import simulator
from appliance.config import parse
from appliance.core.access.audit_entry import AuditEntry
from appliance.core.access.person import Person, Role, TokenOrigin, TokenRecord
from appliance.core.metering.quota import QuotaRequest
from appliance.core.moment import Moment
from appliance.core.refusal import Refused
from appliance.monitor.operations.config_trial import ConfigTrial
from appliance.service.composition import Appliance, build_appliance
from appliance.service.machines import simulated_machine
from appliance.service.running import Service
from appliance.system.storage.config_files import ConfigFileWriter
from tests.contract.machines import Clock

LATE = datetime(2026, 11, 23, 23, 30, tzinfo=UTC)  # half an hour before the day of the simulator's departments ends
FIRST = Moment(LATE, 5000.0, is_trusted=True)
STEP_S = 60
# The panel's row would let the simulated person end the maintenance; the other two are about this process alone.
NOT_TAKEN = {"panel", "memory", "watchdog"}
TOKEN = TokenRecord(
    "id1",
    subject="anna",
    role=Role.ADMIN,
    departments=None,
    origin=TokenOrigin.ISSUED,
    issued_at=LATE,
    expires_at=LATE + timedelta(days=1),
)
REQUEST = QuotaRequest("1", "dept123", "192.168.1.9", "eva", "an exam", LATE, LATE + timedelta(hours=11))


class Driven:
    """The whole appliance over a simulated machine, driven by a clock that the test moves."""

    def __init__(self, folder: Path, now: Moment = FIRST) -> None:
        self.clock, self.state_dir = Clock(), folder / "state"
        self.clock.now = now
        self.state_dir.mkdir(exist_ok=True)
        config = parse(simulator.CONFIG.encode(), "the simulator's configuration")
        trial = ConfigTrial(ConfigFileWriter(None, self.state_dir), None, None, lambda work, *rest: work(*rest))
        trial.run(config, simulator.CONFIG)
        machine = simulated_machine(config, self.clock)
        self.appliance: Appliance = build_appliance(
            config=config, machine=machine, state_dir=self.state_dir, trial=trial
        )
        self.service = Service(self.appliance)
        self.appliance.monitors.enforcement.restore(self.clock())
        self.appliance.monitors.maintenance_mode.begin(self.clock())

    def run(self, seconds: int) -> None:
        """Take every step of the timetable, as often as time is moved."""
        rows = [row for row in self.service._timetable() if row.name not in NOT_TAKEN]
        for _ in range(seconds // STEP_S):
            self.appliance.monitors.maintenance_mode.step(self.clock())
            for row in rows:
                row.step(self.clock())
            self.clock.move(STEP_S)

    def files(self) -> dict[str, tuple[int, str]]:
        """Of each file in the state directory, when it was written last, and a digest of its content."""
        paths = sorted(one for one in self.state_dir.rglob("*") if one.is_file())
        return {
            str(one.relative_to(self.state_dir)): (one.stat().st_mtime_ns, hashlib.sha256(one.read_bytes()).hexdigest())
            for one in paths
        }

    def close(self) -> None:
        self.service._close()


@pytest.fixture
def driven(tmp_path: Path) -> Iterator[Driven]:
    driven = Driven(tmp_path)
    yield driven
    driven.close()


def entry(action: str) -> AuditEntry:
    return AuditEntry("2026-11-23T23:30:00.000Z", "anna", "admin", None, action)


def test_an_hour_over_midnight_writes_nothing_and_all_of_it_is_filed_afterwards(driven: Driven) -> None:
    disk, monitors = driven.appliance.disk, driven.appliance.monitors
    trail, people = driven.appliance.authentication.files
    driven.run(120)
    monitors.maintenance_mode.start(None, 8 * 3600, "the card is changed", "me", driven.clock())
    before, saved_at = driven.files(), disk.state.store.saved_at()
    trail.record(entry("token:renew"))
    people.remember(TOKEN)
    people.revoke(TOKEN, LATE)
    disk.state.store.save_quota_requests([REQUEST], [])
    with pytest.raises(Refused, match="end it, and try again"):
        people.add_person(Person("eva", Role.VIEWER, None), "a hash", LATE)
    driven.run(4200)
    used = [one.used_bytes for one in monitors.metering.books("dept123", driven.clock())]
    assert driven.files() == before
    assert "id1" in people.revoked()
    assert monitors.metering.troubles(driven.clock()) == []
    monitors.maintenance_mode.stop("me", driven.clock())
    assert driven.files() != before
    assert [one.entry.action for one in trail.entries(1)] == ["token:renew"]
    assert [one.id for one in people.tokens()] == ["id1"]
    assert "id1" in people.revoked()
    assert "1" in {one.id for one in disk.state.store.quota_requests()}
    assert saved_at is not None
    assert disk.state.store.saved_at() == driven.clock().wall
    again = Driven(driven.state_dir.parent, driven.clock())
    assert [one.used_bytes for one in again.appliance.monitors.metering.books("dept123", driven.clock())] == used
    again.close()


def test_a_stop_of_the_service_files_what_was_held(tmp_path: Path) -> None:
    driven = Driven(tmp_path)
    driven.appliance.monitors.maintenance_mode.start(None, 3600, "the card is changed", "me", driven.clock())
    driven.run(600)
    driven.close()
    again = Driven(tmp_path, driven.clock())
    assert again.appliance.monitors.maintenance_mode.is_read_only
    assert again.appliance.disk.state.store.is_held
    assert again.appliance.disk.state.store.saved_at() == driven.clock().wall
    before = again.files()
    again.run(600)
    assert again.files() == before
    again.close()
