"""The log of incidents: what is known of each, who has acknowledged it, and what is muted; kept over a restart.

Records are in memory as on the disk, and written when something is told, which is at most four times an hour for each.
"""

import hashlib
import logging
from collections.abc import Collection, Sequence
from datetime import datetime

from msgspec.structs import replace

from appliance.core.detection.incident import Incident, IncidentChange, IncidentUpdate
from appliance.core.detection.incident_kind import IncidentKind
from appliance.core.detection.incident_record import IncidentDevice, IncidentRecord, Mute
from appliance.core.detection.open_incidents import RETURN_S, Incidents
from appliance.core.moment import Moment, began_at
from appliance.core.refusal import Code, Refused
from appliance.monitor.traffic.habit_log import HabitLog
from appliance.ports import Store

log = logging.getLogger(__name__)

MOST_RECORDS = 1000  # of all departments; 3 MB in memory, and as much on the disk
MOST_MUTES = 200  # more than a person reads


class IncidentLog:
    """The incidents of all departments, the latest changed last."""

    def __init__(self, store: Store) -> None:
        self._store, self.habits = store, HabitLog(store)
        # What was open when the service ended is over: if it goes on, it comes back as the same one.
        self._records = {
            one.id: one if one.ended_at else replace(one, ended_at=one.latest_at) for one in store.incidents()
        }
        self._mutes = {one.id: one for one in store.mutes()}
        self._latest = {(one.department, one.kind, one.source): one.id for one in self._records.values()}

    def restore(self, department: str, incidents: Incidents, now: Moment) -> None:
        """Tell the department's incidents which there have been within a day."""
        for one in self._records.values():
            ended_s = now.monotonic_s - (now.wall - (one.ended_at or one.latest_at)).total_seconds()
            if one.department == department and 0 <= now.monotonic_s - ended_s < RETURN_S:
                began_s = now.monotonic_s - (now.wall - one.opened_at).total_seconds()
                incidents.restore(
                    one.kind, one.source, began_s=began_s, ended_s=ended_s, times=one.times, series=one.series
                )

    def record(
        self,
        department: str,
        update: IncidentUpdate,
        *,
        is_inside: bool | None,
        is_proven: bool,
        known_devices: tuple[IncidentDevice, ...],
        now: Moment,
    ) -> IncidentRecord:
        """Record what has become of an incident; returns what is known of it now."""
        known = self._known(department, update, now)
        record = replace(
            known.followed(update, now.wall),
            is_inside=is_inside,
            is_proven=is_proven or known.is_proven,
            known_devices=known_devices or known.known_devices,
        )
        self._keep(record)
        gone = [*self._records][:-MOST_RECORDS]
        for one in gone:
            self._forget(one)
        try:
            self._store.save_incidents([record], gone)
        except Refused as refused:  # a full disk; the log has it in memory, and the event is told
            log.warning("an incident is not saved: %s", refused.message)
        return record

    def records(self, departments: Collection[str]) -> Sequence[IncidentRecord]:
        """The incidents of these departments, the latest changed first."""
        return [one for one in reversed(self._records.values()) if one.department in departments]

    def find(self, incident_id: str) -> IncidentRecord | None:
        """The incident of this id; `None`: there is none, or it is too old."""
        return self._records.get(incident_id)

    def acknowledge(self, record: IncidentRecord, actor: str | None, now: Moment) -> IncidentRecord:
        """Note who has seen it; `None`: nobody, any more. Raises `Refused` where the disk takes nothing."""
        seen = replace(record, acknowledged_by=actor, acknowledged_at=now.wall if actor else None)
        self._store.save_incidents([seen], [])
        self._records[seen.id] = seen
        return seen

    def unseen(self, now: Moment) -> Sequence[IncidentRecord]:
        """The incidents that are open, told, and not acknowledged."""
        waiting = (one for one in self._records.values() if one.ended_at is None and one.acknowledged_by is None)
        return [one for one in waiting if self.muting(one.department, one, now) is None]

    def acknowledge_by_hand(self, now: Moment) -> bool:
        """Note that whoever stands before the panel has seen all that is open. False: nothing was unseen."""
        unseen = self.unseen(now)
        try:
            for one in unseen:
                self.acknowledge(one, "button", now)
        except Refused as refused:
            log.error("the button could not acknowledge: %s", refused.message)
        return bool(unseen)

    def mutes(self, departments: Collection[str], now: Moment) -> Sequence[Mute]:
        """The mutes of these departments, the newest first, and then what is usual."""
        self._age(now)
        own = [one for one in reversed(self._mutes.values()) if one.department in departments]
        return [*own, *self.habits.mutes(departments)]

    def find_mute(self, mute_id: str, now: Moment) -> Mute | None:
        """The mute of this id; `None`: there is none, or it is over."""
        self._age(now)
        return self._mutes.get(mute_id) or self.habits.find(mute_id)

    def muting(self, department: str, found: Incident | IncidentRecord, now: Moment) -> Mute | None:
        """A mute that covers the incident; `None`: it is told."""
        own = (one for one in self._mutes.values() if one.department == department and not one.is_over(now.wall))
        return next((one for one in own if one.covers(found)), None)

    def covered(self, mute: Mute) -> Sequence[IncidentRecord]:
        """The incidents that the mute would have kept quiet, the latest changed first."""
        return [one for one in self.records([mute.department]) if mute.covers(one)]

    def mute(self, mute: Mute, now: Moment) -> None:
        """Keep quiet what the mute covers. Raises `Refused` where there are too many, or the disk takes nothing."""
        self._age(now)
        if len(self._mutes) >= MOST_MUTES:
            raise Refused(Code.BAD_REQUEST, f"{MOST_MUTES} mutes are kept; unmute one that is not needed")
        self._store.save_mutes([mute], [])
        self._mutes[mute.id] = mute

    def unmute(self, mute: Mute) -> None:
        """Tell again what the mute covers. Raises `Refused` where the disk takes nothing."""
        if mute.id in self._mutes:
            self._store.save_mutes([], [mute.id])
            del self._mutes[mute.id]
        else:
            self.habits.refuse(mute.id)

    def _known(self, department: str, update: IncidentUpdate, now: Moment) -> IncidentRecord:
        found = update.incident
        known = self._records.get(self._latest.get((department, found.kind, found.source), ""))
        if known is not None and (found.times > 1 or update.change is not IncidentChange.OPENED):
            return known
        return IncidentRecord(
            id=_id(department, found.kind, found.source, now.wall),
            department=department,
            kind=found.kind,
            source=found.source,
            severity=found.severity,
            count=found.count,
            times=found.times,
            details=found.details,
            expected=found.expected,
            opened_at=began_at(found.began_s, now),
            latest_at=now.wall,
        )

    def _keep(self, record: IncidentRecord) -> None:
        self._records.pop(record.id, None)
        self._records[record.id] = record
        self._latest[record.department, record.kind, record.source] = record.id

    def _forget(self, incident_id: str) -> None:
        one = self._records.pop(incident_id)
        key = one.department, one.kind, one.source
        if self._latest.get(key) == incident_id:
            del self._latest[key]

    def _age(self, now: Moment) -> None:
        """Forget the mutes that are over, unless the clock may be wrong."""
        over = [one.id for one in self._mutes.values() if now.is_trusted and one.is_over(now.wall)]
        for mute_id in over:
            self.unmute(self._mutes[mute_id])


def _id(department: str, kind: IncidentKind, source: str, at: datetime) -> str:
    return hashlib.sha256(repr((department, kind, source, at)).encode()).hexdigest()[:16]
