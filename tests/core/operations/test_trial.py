import pytest

from appliance.core.operations.trial import TRIAL_S, begin_trial, inherited_trial

TEXT = b"[appliance]"
TRIAL = begin_trial(TEXT, "anna", 1000.0)


def test_a_trial_lasts_two_minutes_and_never_less_than_none():
    assert [TRIAL.remaining_s(now_s) for now_s in (1000, 1119, 1120, 2000)] == [TRIAL_S, 1, 0, 0]


def test_the_successor_knows_the_trial_it_was_told_of():
    assert inherited_trial(TRIAL.as_text(), TEXT, 1010.0) == TRIAL


@pytest.mark.parametrize(
    ("text", "content", "now_s"),
    [
        ("", TEXT, 1010.0),
        (TRIAL.as_text(), b"[other]", 1010.0),
        (TRIAL.as_text(), None, 1010.0),
        (TRIAL.as_text(), TEXT, 1120.0),
        (TRIAL.as_text(), TEXT, 10.0),
        ("[]", TEXT, 1010.0),
        ('{"ends_s": "x", "digest": "", "actor": ""}', TEXT, 1010.0),
        ('{"ends_s": 1e3}', TEXT, 1010.0),
    ],
    ids=["nobody told", "another text", "no text", "over", "another boot", "no object", "no number", "not whole"],
)
def test_what_is_not_told_or_over_is_no_trial(text, content, now_s):
    assert inherited_trial(text, content, now_s) is None
