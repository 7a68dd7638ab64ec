from datetime import UTC, datetime

from appliance.core.moment import Moment
from appliance.monitor.blocking.reconciliation import Reconciliation

RETRY_S = 5.0


def at(second: float) -> Moment:
    return Moment(datetime(2026, 11, 23, tzinfo=UTC), second, is_trusted=True)


def test_the_first_attempt_is_due_at_once_and_none_after_success() -> None:
    state = Reconciliation(RETRY_S)
    assert state.is_due(at(0))
    state.note_attempt(None, at(0))
    assert state.is_whole
    assert not state.is_due(at(100))


def test_a_refused_attempt_is_due_again_after_the_retry_time() -> None:
    state = Reconciliation(RETRY_S)
    state.note_attempt("no memory", at(0))
    assert not state.is_due(at(4.9))
    assert state.is_due(at(5))


def test_only_a_new_reason_is_worth_a_log_line() -> None:
    state = Reconciliation(RETRY_S)
    assert [state.note_attempt(one, at(0)) for one in ("no memory", "no memory", "busy", None)] == [
        True,
        False,
        True,
        False,
    ]
    assert state.refusal is None
