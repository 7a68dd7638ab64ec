"""The log of habits: what devices of departments do each day, kept over a restart, and what people say to it.

A habit shows among what is muted, as by the appliance; whoever unmutes it is told of it again, for good.
"""

import hashlib
import logging
from collections import OrderedDict
from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta

from appliance.core.detection.evidence import Evidence
from appliance.core.detection.habits.habit import REMEMBERED_DAYS, Habit, sender_of
from appliance.core.detection.incident_record import Mute
from appliance.core.moment import Moment
from appliance.core.refusal import Refused
from appliance.ports import Store

log = logging.getLogger(__name__)

MOST_HABITS = 256  # of all departments, those longest unseen go first; 2 MB if each has all its traits
SAVE_S = 60.0  # a power cut loses a minute of a day
DAY_S = 86400.0
BY = "the appliance"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class HabitLog:
    """The habits of all departments, the one seen last at the end."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._habits = OrderedDict((one.id, one) for one in sorted(store.habits(), key=lambda one: one.day))
        self._unsaved: set[str] = set()
        self._gone: set[str] = set()
        self._saved_s = 0.0

    def consider(self, department: str, found: Evidence, now: Moment) -> Evidence | None:
        """Learn what was found of a device of the department; returns it, compared. `None`: it is usual.

        Nothing is learned while the clock may be wrong.
        """
        mac = sender_of(found)
        if mac is None or not now.is_trusted:
            return found
        day = int(now.wall.timestamp() // DAY_S)
        habit = self._habit_of(department, found, mac, day)
        if habit.meet(found, day):
            self._unsaved.add(habit.id)
        if not habit.is_usual(found):
            return habit.compared(found)
        if habit.usual_since is None:
            habit.usual_since = day
            log.info("%s by %s is told no more: it is %s", habit.kind, habit.source, habit.sentence())
        return None

    def save(self, now: Moment) -> None:
        """Save what was learned, every minute; where the disk takes nothing it is tried again."""
        if not (self._unsaved or self._gone) or not now.is_due(self._saved_s, SAVE_S):
            return
        self._saved_s = now.monotonic_s
        self._age(now)
        try:
            self._store.save_habits([self._habits[one] for one in sorted(self._unsaved)], sorted(self._gone))
        except Refused as refused:
            log.warning("what is usual is kept in memory: %s", refused.message)
            return
        self._unsaved, self._gone = set(), set()

    def mutes(self, departments: Collection[str]) -> Sequence[Mute]:
        """What is usual in these departments, as what is muted; the latest seen first."""
        return [_mute(one) for one in reversed(self._habits.values()) if one.department in departments and _shows(one)]

    def find(self, mute_id: str) -> Mute | None:
        """The habit of this id, as what is muted; `None`: there is none."""
        found = self._habits.get(mute_id)
        return _mute(found) if found is not None and _shows(found) else None

    def refuse(self, mute_id: str) -> None:
        """A person wants to be told of it, as long as it goes on. Raises `Refused` where the disk takes nothing."""
        habit = self._habits[mute_id]
        habit.is_refused = True
        try:
            self._store.save_habits([habit], [])
        except Refused:
            habit.is_refused = False
            raise

    def _habit_of(self, department: str, found: Evidence, mac: str, day: int) -> Habit:
        text = repr((department, found.kind, found.source, mac))
        habit_id = hashlib.sha256(text.encode()).hexdigest()[:16]
        habit = self._habits.pop(habit_id, None)
        if habit is None:
            habit = Habit(id=habit_id, department=department, kind=found.kind, source=found.source, mac=mac, day=day)
        self._habits[habit_id] = habit
        self._gone.discard(habit_id)
        if len(self._habits) > MOST_HABITS:
            self._forget(next(iter(self._habits)))
        return habit

    def _age(self, now: Moment) -> None:
        oldest = int(now.wall.timestamp() // DAY_S) - REMEMBERED_DAYS
        for one in [one.id for one in self._habits.values() if one.day < oldest]:
            self._forget(one)

    def _forget(self, habit_id: str) -> None:
        del self._habits[habit_id]
        self._unsaved.discard(habit_id)
        self._gone.add(habit_id)


def _shows(one: Habit) -> bool:
    return one.usual_since is not None and not one.is_refused


def _mute(one: Habit) -> Mute:
    return Mute(
        id=one.id,
        department=one.department,
        by=BY,
        at=EPOCH + timedelta(days=one.usual_since or 0),
        kind=one.kind,
        source=one.source,
        reason=one.sentence(),
    )
