import pytest

from appliance.core.operations.trial import TRIAL_S, begin_trial, inherited_trial

TEXT = b"[appliance]"
TRIAL = begin_trial(TEXT, "anna", 1000.0)


def test_a_trial_lasts_two_minutes_and_its_remainder_is_never_negative() -> None:
    assert [TRIAL.remaining_s(now_s) for now_s in (1000, 1119, 1120, 2000)] == [TRIAL_S, 1, 0, 0]


def test_a_successor_inherits_its_trial() -> None:
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
    ids=["none inherited", "another text", "no text", "over", "another boot", "no object", "no number", "not whole"],
)
def test_an_invalid_or_expired_text_is_no_trial(text: str, content: bytes | None, now_s: float) -> None:
    assert inherited_trial(text, content, now_s) is None
