from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from appliance.config import parse
from appliance.core.moment import Moment
from appliance.core.operations.trial import TRIAL_S, StoredConfig, begin_trial, digest_of
from appliance.core.refusal import Code, Refused
from appliance.events import Event
from appliance.monitor.operations.config_trial import ConfigTrial, Review, Successor
from appliance.monitor.operations.trial_events import REPEAT_S, TrialEvents

NEW = '[appliance]\nposition = "host"\n[[departments]]\nid = "new"\ninterface = "eth1"\n'


def at(second: float) -> Moment:
    return Moment(datetime(2026, 11, 23, 12, tzinfo=UTC) + timedelta(seconds=second), 1000.0 + second, is_trusted=True)


def at_once(work: Callable[..., Any], *arguments: Any) -> Any:
    return work(*arguments)


class Drafts:
    """The files in memory; `refusal`: why nothing can be written."""

    def __init__(self) -> None:
        self.draft: bytes | None = None
        self.file = b"old"
        self.refusal: str | None = None

    def obstacle(self) -> str | None:
        return self.refusal

    def stored(self) -> StoredConfig | None:
        return StoredConfig("/etc/a.toml", self.file)

    def save(self, content: bytes) -> str | None:
        self.draft = content
        return None

    def commit(self, content: bytes) -> str | None:
        if self.refusal is None:
            self.file = content
        return self.refusal


def on_trial(drafts: Drafts) -> ConfigTrial:
    return ConfigTrial(drafts, begin_trial(NEW.encode(), "anna", at(0).monotonic_s), NEW.encode(), at_once)


def test_a_good_configuration_is_kept_as_a_draft_and_given_to_a_successor() -> None:
    drafts = Drafts()
    trial = ConfigTrial(drafts, None, None, at_once)
    begun_trial = trial.apply(NEW, "anna", at(0))
    assert trial.successor == Successor(begun_trial)
    assert (drafts.draft, drafts.file) == (NEW.encode(), b"old")
    assert trial.troubles(at(0)) == []
    with pytest.raises(Refused, match="on trial already"):
        trial.apply(NEW, "anna", at(0))


def test_a_bad_configuration_is_refused_with_its_faults_and_nothing_happens() -> None:
    drafts = Drafts()
    trial = ConfigTrial(drafts, None, None, at_once)
    with pytest.raises(Refused) as refused:
        trial.apply(NEW.replace('"host"', '"hots"').replace("interface", "inteface"), "anna", at(0))
    assert "appliance.position" in refused.value.message
    assert "interface: missing" in refused.value.message
    assert (trial.successor, drafts.draft) == (None, None)


def test_of_two_configurations_that_are_judged_at_once_one_is_tried() -> None:
    """The other client's call comes while the first one's text is judged beside the loop."""
    drafts, others = Drafts(), [NEW.replace("new", "other")]

    def aside(work: Callable[..., Any], *arguments: Any) -> Any:
        if others:
            trial.apply(others.pop(), "berta", at(0))
        return work(*arguments)

    trial = ConfigTrial(drafts, None, None, aside)
    with pytest.raises(Refused, match="on trial already"):
        trial.apply(NEW, "anna", at(0))
    assert drafts.draft == NEW.replace("new", "other").encode()


def test_where_the_file_cannot_be_replaced_no_trial_begins() -> None:
    drafts = Drafts()
    drafts.refusal = "the service may not write there"
    with pytest.raises(Refused, match="may not write"):
        ConfigTrial(drafts, None, None, at_once).apply(NEW, "anna", at(0))


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
    assert not ConfigTrial(drafts, None, None, at_once).confirm_by_hand(at(0))
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


def test_the_file_is_read_whole_with_its_digest_and_why_it_cannot_be_replaced() -> None:
    drafts = Drafts()
    drafts.file = "# für\r\nold".encode("utf-16")
    found = on_trial(drafts).read()
    assert (found.text, found.path, found.obstacle) == ("# für\nold", "/etc/a.toml", None)
    drafts.refusal = "the service may not write there"
    assert on_trial(drafts).read().obstacle == drafts.refusal
    drafts.file = b"# f\xfcr"
    with pytest.raises(Refused, match="neither UTF-8 nor UTF-16"):
        on_trial(drafts).read()


class NoFile(Drafts):
    """The service was started without a configuration file."""

    def stored(self) -> None:
        return None


def test_without_a_file_the_text_of_what_runs_is_read() -> None:
    trial = ConfigTrial(NoFile(), None, None, at_once)
    trial.run(parse(NEW.encode(), "what runs"), NEW)
    found = trial.read()
    assert (found.text, found.path, found.digest) == (NEW, "", digest_of(NEW.encode()))


def test_a_text_is_judged_without_trying_it() -> None:
    trial = ConfigTrial(Drafts(), None, None, at_once)
    trial.run(parse(NEW.encode(), "what runs"), "")
    assert trial.review(f"# the same\r\n{NEW}") == Review([], [])
    assert trial.review(NEW.replace("eth1", "eth2")).changes == ["new is at the interface eth2 instead of eth1."]
    [fault] = trial.review(NEW.replace("eth1", "eth 1")).faults
    assert (fault.line, "departments[1].interface" in fault.message) == (5, True)
    many = trial.review(NEW + "".join(f"key{number} = 1\n" for number in range(50)))
    assert (len(many.faults), many.faults[-1].message) == (21, "and 30 more faults")
    assert trial.successor is None


def test_a_change_of_a_file_that_is_another_by_now_is_refused_and_nothing_happens() -> None:
    drafts = Drafts()
    trial = ConfigTrial(drafts, None, None, at_once)
    seen_digest = trial.read().digest
    drafts.file = b"changed by another person"
    with pytest.raises(Refused, match="changed since you read it") as refused:
        trial.apply(NEW, "anna", at(0), seen_digest)
    assert (refused.value.code, trial.successor, drafts.draft) == (Code.CONFLICT, None, None)
    assert trial.apply(NEW, "anna", at(0), trial.read().digest).actor == "anna"


def test_a_conflict_names_the_author_of_what_was_confirmed_meanwhile() -> None:
    drafts = Drafts()
    trial = on_trial(drafts)
    seen_digest = trial.read().digest
    trial.confirm("ben", at(1))
    with pytest.raises(Refused, match=r"since you read it by ben at 2026-11-23T12:00:01.000Z; read it again"):
        trial.apply(NEW, "anna", at(2), seen_digest)
    drafts.file = b"changed by hand"
    with pytest.raises(Refused, match="since you read it; read it again"):
        trial.apply(NEW, "anna", at(2), seen_digest)


def test_a_trial_that_is_taken_back_ends_at_once() -> None:
    drafts = Drafts()
    trial = on_trial(drafts)
    trial.revert("ben")
    assert (trial.successor, trial.current, drafts.file) == (Successor(None), None, b"old")
    with pytest.raises(Refused, match="nothing to take back"):
        trial.revert("ben")
    with pytest.raises(Refused, match="nothing to confirm"):
        trial.confirm("anna", at(1))


def facts(published: list[Event]) -> list[object]:
    told = [one.payload()["trial"] for one in published]
    published.clear()
    return told


def test_everybody_is_told_of_a_trial_and_of_its_end() -> None:
    published: list[Event] = []
    trial = ConfigTrial(Drafts(), None, None, at_once)
    announced = TrialEvents(trial, published.append)
    announced.step(at(0))
    announced.step(at(60))
    assert facts(published) == [None]
    trial.apply(NEW, "anna", at(60))
    announced.step(at(60))
    assert facts(published) == [{"remaining": 120, "actor": "anna"}]

    trial = on_trial(Drafts())
    announced = TrialEvents(trial, published.append)
    for second in (1, 2, 1 + REPEAT_S):
        announced.step(at(second))
    assert facts(published) == [{"remaining": 119, "actor": "anna"}, {"remaining": 114, "actor": "anna"}]
    trial.confirm("ben", at(10))
    announced.step(at(10))
    assert facts(published) == [None]


@pytest.mark.parametrize("second", [1, TRIAL_S], ids=["taken back", "run out"])
def test_everybody_is_told_that_the_former_comes_back(second: int) -> None:
    published: list[Event] = []
    trial = on_trial(Drafts())
    announced = TrialEvents(trial, published.append)
    announced.step(at(0))
    if second < TRIAL_S:
        trial.revert("ben")
    trial.step(at(second))
    announced.step(at(second))
    assert facts(published) == [{"remaining": 120, "actor": "anna"}, None]


def reading(content: str) -> tuple[ConfigTrial, Drafts]:
    """A service that runs `NEW`, whose file has this content by now."""
    drafts = Drafts()
    drafts.file = content.encode()
    trial = ConfigTrial(drafts, None, None, at_once)
    trial.run(parse(NEW.encode(), "test"), "")
    return trial, drafts


def test_an_edited_file_is_taken_for_good_by_a_successor_and_its_changes_are_told() -> None:
    trial, drafts = reading(NEW.replace('"new"', '"other"'))
    assert any("other" in one for one in trial.reload("anna"))
    assert (trial.successor, drafts.draft) == (Successor(None), None)
    with pytest.raises(Refused, match="on trial already"):
        trial.reload("anna")


def test_a_file_that_means_the_same_restarts_nothing() -> None:
    trial, _ = reading(f"# a comment\n{NEW}")
    assert trial.reload("anna") == []
    assert trial.successor is None


def test_an_edited_file_with_faults_is_refused_whole_with_all_of_them() -> None:
    trial, _ = reading(NEW.replace('"host"', '"hots"').replace("interface", "inteface"))
    with pytest.raises(Refused) as refused:
        trial.reload("anna")
    assert "appliance.position" in refused.value.message
    assert "interface: missing" in refused.value.message
    assert trial.successor is None


def test_an_edited_file_with_which_the_service_could_not_start_is_refused() -> None:
    trial, _ = reading(NEW.replace('"new"', '"other"'))
    trial.run(parse(NEW.encode(), "test"), "", lambda config: f"{config.departments[0].id} cannot start")
    with pytest.raises(Refused, match="other cannot start"):
        trial.reload("anna")
    assert trial.successor is None


def test_while_a_configuration_is_on_trial_the_file_is_not_read_again() -> None:
    with pytest.raises(Refused, match="on trial already"):
        on_trial(Drafts()).reload("anna")
