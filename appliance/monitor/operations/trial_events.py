"""Tells everybody that a configuration is on trial, so that no trial ends or is confirmed unseen."""

from appliance.core.moment import Moment, timestamp
from appliance.core.operations.trial import Trial
from appliance.events import ConfigOnTrial, TrialFacts
from appliance.monitor.operations.config_trial import ConfigTrial
from appliance.ports import Publisher

REPEAT_S = 5.0  # a new client's countdown is late by so much at most; its event's timestamp tells by how much


class TrialEvents:
    """Publishes each change of the trial, and its remaining time now and then."""

    def __init__(self, trial: ConfigTrial, publish: Publisher) -> None:
        self._trial = trial
        self._publish = publish
        self._told: Trial | None = None
        self._due_s = 0.0  # of the monotonic clock: the first step tells that there is none, too

    def step(self, now: Moment) -> None:
        """Publish the trial where it has changed, or is due again."""
        trial = self._trial.upcoming
        if trial == self._told and now.monotonic_s < self._due_s:
            return
        self._told, self._due_s = trial, now.monotonic_s + REPEAT_S if trial else float("inf")
        self._publish(
            ConfigOnTrial(timestamp=timestamp(now.wall), trial=None if trial is None else trial_facts(trial, now))
        )


def trial_facts(trial: Trial, now: Moment) -> TrialFacts:
    """A trial as people see it."""
    return TrialFacts(remaining=round(trial.remaining_s(now.monotonic_s)), actor=trial.actor)
