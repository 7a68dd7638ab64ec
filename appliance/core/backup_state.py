"""The backup that the page makes or restores: how far it is, and what it says of itself."""

from enum import StrEnum

from msgspec import Struct


class BackupStage(StrEnum):
    """How far the backup is that the page makes or restores."""

    NONE = "none"
    MAKING = "making"
    MADE = "made"  # it can be fetched
    GIVEN = "given"  # so many bytes of it, so far
    JUDGING = "judging"
    JUDGED = "judged"  # it can be restored
    FAILED = "failed"


class BackupFacts(Struct, frozen=True):
    """What a backup says of itself. `changes`: a sentence for each change of the configuration that it would bring."""

    host: str
    made_at: str
    version: str
    changes: tuple[str, ...]


class BackupState(Struct, frozen=True):
    """The backup that the page makes or restores. `facts`: once it was judged; `fault`: why it failed."""

    stage: BackupStage
    bytes: int = 0
    fault: str = ""
    facts: BackupFacts | None = None
