"""A new configuration on trial: checked, run by a successor of this process, then confirmed or dropped.

Each process runs one configuration from its start to its end. To try another one, or to go back, it shuts down and
becomes the process that runs it (`successor`).
"""

import logging
from collections.abc import Callable, Sequence
from typing import Any

from msgspec import Struct

from appliance.config import Config, ConfigError, Fault, judge, parse, text_of
from appliance.config.differences import ByHand, changes
from appliance.core.moment import Moment, timestamp
from appliance.core.operations.trial import Trial, begin_trial, digest_of
from appliance.core.refusal import Code, Refused
from appliance.ports import ConfigFiles

log = logging.getLogger(__name__)

MOST_FAULTS = 20  # of a new configuration, listed in one answer


StartObstacle = Callable[[Config], str | None]
Aside = Callable[..., Any]  # (function, *arguments) -> its result, computed beside the event loop


class Successor(Struct, frozen=True):
    """The process that this one becomes. `trial`: it runs the draft; `None`: it runs the configuration file."""

    trial: Trial | None


class ConfigText(Struct, frozen=True):
    """The text of the configuration file. `digest`: of the file; `path`: empty where the service runs without one.

    `obstacle`: why it cannot be replaced from here; `None`: it can.
    """

    text: str
    digest: str
    path: str
    obstacle: str | None


class Review(Struct, frozen=True):
    """What would come of a new configuration: its faults, or a sentence for each change of what runs."""

    faults: Sequence[Fault]
    changes: Sequence[str]


class ConfigTrial:
    """Starts the trial of another configuration, and watches over the current one if it is on trial."""

    def __init__(self, drafts: ConfigFiles, current: Trial | None, content: bytes | None, aside: Aside) -> None:
        """`current`, `content`: the trial of the running configuration, and its text; `None`: it is not on trial.

        `aside`: judges texts beside the event loop, one after the other, so that they take one thread at most.
        """
        self._aside = aside
        self._running: Config | None = None
        self._start_obstacle: StartObstacle = lambda _: None
        self._confirmed = ("", "")  # the digest of what was confirmed here, and by whom and when
        self._text_without_file = ""
        self._drafts = drafts
        self.current = current
        self._content = content
        self.successor: Successor | None = None

    @property
    def upcoming(self) -> Trial | None:
        """The trial that runs, or that begins or ends as soon as this process is replaced; `None`: there is none."""
        return self.current if self.successor is None else self.successor.trial

    def run(self, config: Config, text_without_file: str, start_obstacle: StartObstacle = lambda _: None) -> None:
        """Know what runs. `text_without_file`: its text, where it comes from no file.

        `start_obstacle`: why the service could not start with another configuration; `None`: it could.
        """
        self._running, self._text_without_file = config, text_without_file
        self._start_obstacle = start_obstacle

    def reset(self, actor: str) -> None:
        """Have the next process erase everything, and become it. Raises `Refused` where the medium takes nothing."""
        fault = self._drafts.order_reset()
        if fault is not None:
            raise Refused(Code.MAINTENANCE, f"the disk takes no changes ({fault}): nothing is reset; make room")
        log.warning("%s resets the appliance: it forgets everything, and opens all that it blocks", actor)
        self.successor = Successor(None)

    def restore(self, actor: str, order: Callable[[], str | None]) -> None:
        """Have the next process put a backup in place, and become it. Raises `Refused`.

        `order`: orders it, at once; returns why that cannot be done.
        """
        self._require_no_trial()
        fault = order()
        if fault is not None:
            raise Refused(Code.MAINTENANCE, f"the disk takes no changes ({fault}): nothing is restored; make room")
        log.warning("%s restores a backup in the place of all that is here", actor)
        self.successor = Successor(None)

    def review(self, text: str, by_hand: ByHand = ()) -> Review:
        """Judge a new configuration without trying it. `by_hand`: limits that people have set over the configured."""
        judged: Review = self._aside(self._judged, text, by_hand)
        return judged

    def _judged(self, text: str, by_hand: ByHand) -> Review:
        config, faults = judge(text)
        if config is None:
            more = [Fault(None, f"and {len(faults) - MOST_FAULTS} more faults")] if len(faults) > MOST_FAULTS else []
            return Review([*faults[:MOST_FAULTS], *more], [])
        return Review([], changes(self._running, config, by_hand) if self._running else [])

    def read(self) -> ConfigText:
        """The configuration file, which a trial leaves as it is. Raises `Refused` where it cannot be read."""
        stored = self._drafts.stored()
        path, content = (stored.path, stored.content) if stored else ("", self._text_without_file.encode())
        try:
            return ConfigText(text_of(content), digest_of(content), path, self._drafts.obstacle())
        except UnicodeDecodeError:
            text = f"{path}: has characters that are neither UTF-8 nor UTF-16; save it as UTF-8 on the appliance"
            raise Refused(Code.BAD_REQUEST, text) from None

    def apply(self, text: str, actor: str, now: Moment, seen_digest: str | None = None) -> Trial:
        """Try this configuration. Raises `Refused` with all its faults.

        `seen_digest`: of the file that was changed into this; `E_CONFLICT` where the file is another by now.
        """
        self._require_no_trial()
        content, obstacle = text.encode(), self._drafts.obstacle()
        if obstacle is None and seen_digest is not None:
            self._require_unchanged(seen_digest)
        obstacle = obstacle or self._aside(_faults, content)
        self._require_no_trial()  # another client's may have begun meanwhile
        obstacle = obstacle or self._drafts.save(content)
        if obstacle is not None:
            raise Refused(Code.BAD_REQUEST, obstacle)
        trial = begin_trial(content, actor, now.monotonic_s)
        log.warning("%s tries a new configuration", actor)
        self.successor = Successor(trial)
        return trial

    def reload(self, actor: str) -> Sequence[str]:
        """Take what the configuration file has now, for good; returns a sentence for each change, empty without any.

        Raises `Refused` with all its faults, or with why the service could not start with it; then nothing changes.
        """
        self._require_no_trial()
        stored = self._drafts.stored()
        if stored is None:
            raise Refused(Code.BAD_REQUEST, "the service was started without a configuration file; give it --config")
        obstacle = self._aside(_faults, stored.content)
        if obstacle is not None:
            raise Refused(Code.BAD_REQUEST, obstacle)
        config = parse(stored.content, stored.path)
        found = changes(self._running, config) if self._running else []
        if not found:
            return []
        obstacle = self._start_obstacle(config)
        self._require_no_trial()  # another client's may have begun meanwhile
        if obstacle is not None:
            raise Refused(Code.BAD_REQUEST, obstacle)
        log.warning("%s has the configuration file read again: %s", actor, "; ".join(found))
        self.successor = Successor(None)
        return found

    def _require_no_trial(self) -> None:
        if self.current is not None or self.successor is not None:
            raise Refused(Code.BAD_REQUEST, "a configuration is on trial already: confirm it, or wait until it is over")

    def confirm(self, actor: str, now: Moment) -> None:
        """Keep the configuration that is on trial. Raises `Refused`."""
        if self.current is None or self._content is None or self.successor is not None:
            raise Refused(Code.BAD_REQUEST, "no configuration is on trial; there is nothing to confirm")
        if not self.current.remaining_s(now.monotonic_s):
            raise Refused(Code.BAD_REQUEST, "the trial is over: the former configuration comes back; apply it again")
        obstacle = self._drafts.commit(self._content)
        if obstacle is not None:
            raise Refused(Code.BAD_REQUEST, f"it cannot be kept, and the former comes back: {obstacle}")
        log.warning("%s confirms the new configuration", actor)
        self._confirmed = (digest_of(self._content), f" by {actor} at {timestamp(now.wall)}")
        self.current = None

    def _require_unchanged(self, seen_digest: str) -> None:
        digest = self.read().digest
        if digest != seen_digest:
            confirmed, how = self._confirmed
            changed = f"has changed since you read it{how if digest == confirmed else ''}"
            raise Refused(Code.CONFLICT, f"the configuration file {changed}; read it again, and change what it has now")

    def revert(self, actor: str) -> None:
        """End the trial at once, so that the former configuration comes back. Raises `Refused`."""
        if self.current is None or self.successor is not None:
            raise Refused(Code.BAD_REQUEST, "no configuration is on trial; there is nothing to take back")
        log.warning("%s takes the new configuration back: the former comes back", actor)
        self.current, self.successor = None, Successor(None)

    def confirm_by_hand(self, now: Moment) -> bool:
        """Keep the configuration on trial, after a short press of the button. False: none is on trial."""
        if self.current is None:
            return False
        try:
            self.confirm("button", now)
        except Refused as refused:
            log.error("the button could not confirm: %s", refused.message)
        return True

    def step(self, now: Moment) -> None:
        """Go back to the former configuration when the trial has run out."""
        if self.current is not None and self.successor is None and not self.current.remaining_s(now.monotonic_s):
            log.warning("the new configuration of %s was not confirmed: the former comes back", self.current.actor)
            self.successor = Successor(None)

    def troubles(self, now: Moment) -> Sequence[str]:
        """A sentence while a configuration is on trial."""
        if self.current is None:
            return []
        return [
            f"a new configuration is on trial for {self.current.remaining_s(now.monotonic_s):.0f} s more; confirm it"
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
