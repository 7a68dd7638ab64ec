"""Blocks: what somebody wants not to pass, from when to when, and who wanted it."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from math import inf

from appliance.core.blocking.targets import TargetKind, kind_of


class BlockOrigin(StrEnum):
    """Who wanted a block. A list adds its name to it: `list:bogons`. Of quotas, see `nftables.meter_rules`."""

    MANUAL = "manual"
    DETECTION = "detection"
    LIST = "list"


BlockKey = tuple[str, str | None, str]  # target, department, origin


@dataclass(frozen=True, slots=True)
class Block:
    """What must not pass. `department`: `None` for all; `expires_at`: `None` until lifted.

    `origin`: a `BlockOrigin`, that of a list with the list's name. `announced`: whether `ip:blocked` has been published
    for it, so that a crash in between repeats and never omits it. `number`: by which the kernel knows it; 0: not yet.
    `is_provisional`: its times are by a clock that nobody trusted, and are put right when the true time is known.
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
        """A target is blocked at most once for each department by each origin."""
        return self.target, self.department, self.origin

    @property
    def kind(self) -> TargetKind:
        """What its target is."""
        return kind_of(self.target)

    @property
    def ends_s(self) -> float:
        """When it ends, in seconds; infinity for one until lifted."""
        return inf if self.expires_at is None else self.expires_at.timestamp()

    def is_live(self, wall: datetime) -> bool:
        """Whether the block should be in force at this instant."""
        return self.expires_at is None or self.expires_at > wall

    def moved_by(self, jump: timedelta) -> "Block":
        """A provisional block by the true time, which is this far from the time that it was ordered by."""
        ends = None if self.expires_at is None else self.expires_at + jump
        return replace(self, started_at=self.started_at + jump, expires_at=ends, is_provisional=False)

    def remaining_s(self, wall: datetime) -> float | None:
        """Seconds until it ends; `None` for a block until lifted."""
        return None if self.expires_at is None else (self.expires_at - wall).total_seconds()


@dataclass(frozen=True, slots=True)
class BlockRequest:
    """What somebody asks to be blocked, as it was sent. `duration_s`: 0 until lifted; `department`: `None` for all.

    `origin`: as of a `Block`. `caller_address`: where the request came from, which it must not block; `None` for the
    appliance itself.
    """

    target: str
    reason: str
    duration_s: int
    department: str | None
    actor: str
    origin: str
    caller_address: str | None = None
