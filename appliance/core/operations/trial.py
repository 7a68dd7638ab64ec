"""Trials: a new configuration is in force for two minutes, and the former comes back unless somebody confirms it.

So nobody can lock himself out: who has cut his own way to the appliance cannot confirm. The configuration file is not
touched before the confirmation. All that makes a process run another text than the file's is what its predecessor told
it when it became it (`as_text`); so a crash, a power cut or a restart by a supervisor in these two minutes brings the
former back, by doing nothing.
"""

import hashlib
import json
from dataclasses import asdict, dataclass

TRIAL_S = 120  # long enough to look at a dashboard or walk to the button, short enough to wait for who is locked out


@dataclass(frozen=True, slots=True)
class Trial:
    """A configuration that is not confirmed yet. `ends_s`: on the monotonic clock; `digest`: tells its text."""

    ends_s: float
    digest: str
    actor: str

    def remaining_s(self, now_s: float) -> float:
        """Seconds in which it can still be confirmed; 0 when they are over."""
        return max(0.0, self.ends_s - now_s)

    def as_text(self) -> str:
        """The trial for the process that is to run it."""
        return json.dumps(asdict(self))


def begin_trial(content: bytes, actor: str, now_s: float) -> Trial:
    """The trial of this text, from now on."""
    return Trial(now_s + TRIAL_S, digest_of(content), actor)


def inherited_trial(text: str, content: bytes | None, now_s: float) -> Trial | None:
    """The trial that the predecessor has told of; `None` where it is over, or is not that of this text."""
    try:
        trial = Trial(**json.loads(text))
        is_current = 0 < trial.remaining_s(now_s) <= TRIAL_S
    except (ValueError, TypeError):
        return None
    return trial if is_current and content is not None and digest_of(content) == trial.digest else None


def digest_of(content: bytes) -> str:
    """What tells this text from every other."""
    return hashlib.sha256(content).hexdigest()
