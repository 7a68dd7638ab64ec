"""Blocks: a target that must not pass, the time for which, and the person, detection or list that ordered it."""

from datetime import datetime, timedelta
from enum import StrEnum
from math import inf

from msgspec import Struct
from msgspec.structs import replace

from appliance.core.blocking.targets import TargetKind, kind_of


class BlockOrigin(StrEnum):
    """What ordered a block. A list adds its name: `list:bogons`. Quotas make no blocks, see `nftables.meter_rules`."""

    MANUAL = "manual"
    DETECTION = "detection"
    LIST = "list"
    SCHEDULE = "schedule"  # these are in no file: they follow from the schedules and the time


BlockKey = tuple[str, str | None, str]  # target, department, origin


class Block(Struct, frozen=True):
    """A target that must not pass. `department`: `None` for all; `expires_at`: `None` until lifted.

    `origin`: a `BlockOrigin`, with the list's name for a list. `announced`: `ip:blocked` has been published, so that a
    crash in between repeats and never omits it. `number`: its number in the kernel; 0: none yet. `is_provisional`: its
    times are by an untrusted clock, and are corrected when the true time is known.
    """

    target: str
    reason: str
    actor: str
    origin: str
    started_at: datetime
    department: str | None = None
    expires_at: datetime | None = None
    announced: bool = False
    number: int = 0
    is_provisional: bool = False

    @property
    def key(self) -> BlockKey:
        """Identifies the block: an origin blocks a target at most once for each department."""
        return self.target, self.department, self.origin

    @property
    def kind(self) -> TargetKind:
        """The kind of its target."""
        return kind_of(self.target)

    @property
    def ends_s(self) -> float:
        """Its end, in seconds since the epoch; infinity for a block until lifted."""
        return inf if self.expires_at is None else self.expires_at.timestamp()

    def is_live(self, wall: datetime) -> bool:
        """Whether the block should be in force at this instant."""
        return self.expires_at is None or self.expires_at > wall

    def moved_by(self, jump: timedelta) -> "Block":
        """A provisional block with its times corrected by this much."""
        ends = None if self.expires_at is None else self.expires_at + jump
        return replace(self, started_at=self.started_at + jump, expires_at=ends, is_provisional=False)

    def remaining_s(self, wall: datetime) -> float | None:
        """Seconds until it ends; `None` for a block until lifted."""
        return None if self.expires_at is None else (self.expires_at - wall).total_seconds()


class BlockRequest(Struct, frozen=True):
    """An order to block a target, as it was sent. `duration_s`: 0 until lifted; `department`: `None` for all.

    `origin`: as of a `Block`. `caller_address`: the sender's, which must not be blocked; `None`: the appliance itself.
    """

    target: str
    reason: str
    duration_s: int
    department: str | None
    actor: str
    origin: str
    caller_address: str | None = None
