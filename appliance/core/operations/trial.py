"""Trials: a new configuration is in force for two minutes; without a confirmation the former one comes back.

So administrators cannot lock themselves out: if they cut their own connection, they cannot confirm. The configuration
file stays unchanged until the confirmation. A process runs another text than the file's only because its predecessor
passed the trial on (`as_text`); so a crash, a power cut or a restart by a supervisor within the two minutes brings the
former configuration back without further action. Other products call this "commit confirmed".
"""

import hashlib
import json

from msgspec import Struct
from msgspec.structs import asdict

LARGEST_CONFIG_BYTES = 1 << 20  # 64 departments with all their keys are 20 kB
TRIAL_S = 120  # long enough to look at a dashboard or walk to the button, short enough to wait for when locked out


class Trial(Struct, frozen=True):
    """An unconfirmed configuration. `ends_s`: on the monotonic clock; `digest`: of its text."""

    ends_s: float
    digest: str
    actor: str

    def remaining_s(self, now_s: float) -> float:
        """Seconds left to confirm it; 0 when it is over."""
        return max(0.0, self.ends_s - now_s)

    def as_text(self) -> str:
        """The trial as text, for the process that runs it."""
        return json.dumps(asdict(self))


class StoredConfig(Struct, frozen=True):
    """The configuration file as it is on the disk now."""

    path: str
    content: bytes


def begin_trial(content: bytes, actor: str, now_s: float) -> Trial:
    """Begin the trial of this text."""
    return Trial(now_s + TRIAL_S, digest_of(content), actor)


def inherited_trial(text: str, content: bytes | None, now_s: float) -> Trial | None:
    """The trial that the predecessor passed on as `text`; `None` if it is over, invalid, or of another content."""
    try:
        trial = Trial(**json.loads(text))
        is_current = 0 < trial.remaining_s(now_s) <= TRIAL_S
    except (ValueError, TypeError):
        return None
    return trial if is_current and content is not None and digest_of(content) == trial.digest else None


def digest_of(content: bytes) -> str:
    """The SHA-256 of a configuration's text."""
    return hashlib.sha256(content).hexdigest()
