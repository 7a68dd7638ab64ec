from datetime import UTC, datetime, timedelta

import pytest

from appliance.core.moment import Moment
from appliance.core.operations.trial import TRIAL_S, begin_trial
from appliance.core.refusal import Refused
from appliance.monitor.operations.config_trial import ConfigTrial, Successor

NEW = '[appliance]\nposition = "host"\n[[departments]]\nid = "new"\ninterface = "eth1"\n'


def at(second: float) -> Moment:
    return Moment(datetime(2026, 11, 23, 12, tzinfo=UTC) + timedelta(seconds=second), 1000.0 + second, is_trusted=True)


class Drafts:
    """The files in memory; `refusal`: why nothing can be written."""

    def __init__(self) -> None:
        self.draft: bytes | None = None
        self.file = b"old"
        self.refusal: str | None = None

    def obstacle(self) -> str | None:
        return self.refusal

    def save(self, content: bytes) -> str | None:
        self.draft = content
        return None

    def commit(self, content: bytes) -> str | None:
        if self.refusal is None:
            self.file = content
        return self.refusal


def on_trial(drafts: Drafts) -> ConfigTrial:
    return ConfigTrial(drafts, begin_trial(NEW.encode(), "anna", at(0).monotonic_s), NEW.encode())


def test_a_good_configuration_is_kept_as_a_draft_and_given_to_a_successor() -> None:
    drafts = Drafts()
    trial = ConfigTrial(drafts, None, None)
    begun_trial = trial.apply(NEW, "anna", at(0))
    assert trial.successor == Successor(begun_trial)
    assert (drafts.draft, drafts.file) == (NEW.encode(), b"old")
    assert trial.troubles(at(0)) == []
    with pytest.raises(Refused, match="on trial already"):
        trial.apply(NEW, "anna", at(0))


def test_a_bad_configuration_is_refused_with_its_faults_and_nothing_happens() -> None:
    drafts = Drafts()
    trial = ConfigTrial(drafts, None, None)
    with pytest.raises(Refused) as refused:
        trial.apply(NEW.replace('"host"', '"hots"').replace("interface", "inteface"), "anna", at(0))
    assert "appliance.position" in refused.value.message
    assert "interface: missing" in refused.value.message
    assert (trial.successor, drafts.draft) == (None, None)


def test_where_the_file_cannot_be_replaced_no_trial_begins() -> None:
    drafts = Drafts()
    drafts.refusal = "the service may not write there"
    with pytest.raises(Refused, match="may not write"):
        ConfigTrial(drafts, None, None).apply(NEW, "anna", at(0))


def test_without_a_confirmation_the_former_comes_back_after_two_minutes() -> None:
    drafts = Drafts()
    trial = on_trial(drafts)
    trial.step(at(TRIAL_S - 1))
    assert trial.successor is None
    [trouble] = trial.troubles(at(TRIAL_S - 1))
    assert "on trial for 1 s more" in trouble
    with pytest.raises(Refused, match="is over"):
        trial.confirm("anna", at(TRIAL_S))
    trial.step(at(TRIAL_S))
    assert trial.successor == Successor(None)
    assert drafts.file == b"old"


def test_a_confirmed_configuration_stays_in_force() -> None:
    drafts = Drafts()
    trial = on_trial(drafts)
    trial.confirm("anna", at(TRIAL_S - 1))
    assert drafts.file == NEW.encode()
    trial.step(at(TRIAL_S))
    assert (trial.successor, trial.troubles(at(TRIAL_S))) == (None, [])
    with pytest.raises(Refused, match="nothing to confirm"):
        trial.confirm("anna", at(TRIAL_S))


def test_a_short_press_confirms_a_trial_and_does_nothing_without_one() -> None:
    drafts = Drafts()
    assert not ConfigTrial(drafts, None, None).confirm_by_hand(at(0))
    assert drafts.file == b"old"
    assert on_trial(drafts).confirm_by_hand(at(1))
    assert drafts.file == NEW.encode()


def test_a_configuration_that_cannot_be_saved_stays_on_trial() -> None:
    drafts = Drafts()
    trial = on_trial(drafts)
    drafts.refusal = "disk full"
    with pytest.raises(Refused, match="disk full"):
        trial.confirm("anna", at(1))
    trial.confirm_by_hand(at(2))
    assert trial.troubles(at(2)) != []
