"""A new configuration on trial: judged, tried by a successor of this process, confirmed or left.

Each process runs one configuration from its start to its end. To try another one, or to go back, it ends in order and
becomes the process that runs it (`successor`).
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from appliance.config import ConfigError, parse
from appliance.core.moment import Moment
from appliance.core.operations.trial import Trial, begin_trial
from appliance.core.refusal import Code, Refused
from appliance.ports import ConfigFiles

log = logging.getLogger(__name__)

MOST_FAULTS = 20  # of a new configuration, in one answer


@dataclass(frozen=True, slots=True)
class Successor:
    """What this process becomes. `trial`: of the draft, or `None` for the one that runs the configuration file."""

    trial: Trial | None


class ConfigTrial:
    """The way to another configuration, and the watch over this one if it is on trial."""

    def __init__(self, drafts: ConfigFiles, current: Trial | None, content: bytes | None) -> None:
        """`current`, `content`: the trial of the configuration that runs, and its text; `None`: it is no trial."""
        self._drafts = drafts
        self._current = current
        self._content = content
        self.successor: Successor | None = None

    @property
    def current(self) -> Trial | None:
        """The trial of the configuration that runs."""
        return self._current

    def apply(self, text: str, actor: str, now: Moment) -> Trial:
        """Try this configuration from now on. Raises `Refused` with every fault that it has."""
        if self._current is not None or self.successor is not None:
            raise Refused(Code.BAD_REQUEST, "a configuration is on trial already: confirm it, or wait until it is over")
        content = text.encode()
        obstacle = self._drafts.obstacle() or _faults(content) or self._drafts.save(content)
        if obstacle is not None:
            raise Refused(Code.BAD_REQUEST, obstacle)
        trial = begin_trial(content, actor, now.monotonic_s)
        log.warning("%s tries a new configuration", actor)
        self.successor = Successor(trial)
        return trial

    def confirm(self, actor: str, now: Moment) -> None:
        """Keep the configuration that is on trial. Raises `Refused`."""
        if self._current is None or self._content is None or self.successor is not None:
            raise Refused(Code.BAD_REQUEST, "no configuration is on trial; there is nothing to confirm")
        if not self._current.remaining_s(now.monotonic_s):
            raise Refused(Code.BAD_REQUEST, "the trial is over: the former configuration comes back; apply it again")
        obstacle = self._drafts.commit(self._content)
        if obstacle is not None:
            raise Refused(Code.BAD_REQUEST, f"it cannot be kept and will be left: {obstacle}")
        log.warning("%s confirms the new configuration", actor)
        self._current = None

    def confirm_by_hand(self, now: Moment) -> bool:
        """Keep what is on trial, at a short press of the button; false: nothing is."""
        if self._current is None:
            return False
        try:
            self.confirm("button", now)
        except Refused as refused:
            log.error("the button could not confirm: %s", refused.message)
        return True

    def step(self, now: Moment) -> None:
        """Go back when the time is over."""
        if self._current is not None and self.successor is None and not self._current.remaining_s(now.monotonic_s):
            log.warning("nobody has confirmed the new configuration of %s: the former comes back", self._current.actor)
            self.successor = Successor(None)

    def troubles(self, now: Moment) -> Sequence[str]:
        """A sentence while a configuration is on trial."""
        if self._current is None:
            return []
        return [
            f"a new configuration is on trial for {self._current.remaining_s(now.monotonic_s):.0f} s more; confirm it"
            " (appliance confirm, or a short press of the button), or the former comes back"
        ]


def _faults(content: bytes) -> str | None:
    try:
        parse(content, "the new configuration")
    except ConfigError as error:
        lines = str(error).splitlines()
        more = [f"and {len(lines) - MOST_FAULTS} more faults"] if len(lines) > MOST_FAULTS else []
        return "\n".join([*lines[:MOST_FAULTS], *more])
    return None
