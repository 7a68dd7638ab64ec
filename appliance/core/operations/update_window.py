"""The window in which the appliance updates itself: a part of each night, when nobody minds a restart."""

from datetime import date, datetime, time, timedelta

from msgspec import Struct

# Of the window. Appliances with the same window do not all ask the server at once, and the update has the rest of the
# window for itself.
LOOK_SHARE = 0.5


class UpdateWindow(Struct, frozen=True):
    """From `begin` to `end` on the appliance's local clock; where the end is earlier, over midnight."""

    begin: time
    end: time

    def night(self, local: datetime) -> date | None:
        """The day on which the window began that this local time is in; `None`: it is in none."""
        at = local.time().replace(tzinfo=None)
        if self.begin <= self.end:
            return local.date() if self.begin <= at < self.end else None
        if at >= self.begin:
            return local.date()
        return local.date() - timedelta(days=1) if at < self.end else None

    def length_s(self) -> float:
        """How long it is by the clock on the wall."""
        return ((_minutes(self.end) - _minutes(self.begin)) % 1440) * 60.0

    def since_begin_s(self, local: datetime) -> float:
        """Seconds since it began, at a local time within it."""
        at = local.time()
        minutes = (_minutes(at) - _minutes(self.begin)) % 1440
        return minutes * 60.0 + at.second


def window_of(text: str) -> UpdateWindow:
    """The window of a text such as `03:00-05:00`. Raises `ValueError`."""
    begin, dash, end = text.partition("-")
    if not dash or len(begin) != 5 or len(end) != 5:
        raise ValueError(text)
    window = UpdateWindow(time.fromisoformat(begin), time.fromisoformat(end))
    if window.begin == window.end:
        raise ValueError(text)
    return window


def is_time_to_look(window: UpdateWindow, local: datetime, looked: datetime | None, jitter: float) -> bool:
    """Whether the server is to be asked now: once in each window, some time after its begin.

    `looked`: the latest look, in local time; `None`: never. `jitter`: 0..1, the appliance's own.
    """
    night = window.night(local)
    if night is None or window.since_begin_s(local) < jitter * LOOK_SHARE * window.length_s():
        return False
    return looked is None or window.night(looked) != night


def _minutes(at: time) -> int:
    return at.hour * 60 + at.minute
