import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.core.operations.health import Condition, HealthFacts, judge

FINE = {"interface": "eth1", "is_present": True, "is_up": True}

# What is wrong -> whether the department is still active, its score, and a word of the reason.
FAULTS = [
    ({"is_present": False, "is_up": False}, False, 0.0, "does not exist"),
    ({"is_up": False}, False, 0.0, "down"),
    ({"can_enforce": False, "wanted": 2}, False, 0.5, "2 blocks to be done elsewhere"),
    ({"wanted": 3, "enforced": 1}, True, 0.5, "1 of 3 blocks enforced"),
    ({"wanted": 1, "enforced": 0}, True, 0.5, "0 of 1 block enforced"),
    ({"quotas_exceeded": ("daily", "monthly")}, True, 0.8, "daily and the monthly quota"),
    ({"open_incidents": 1}, True, 0.8, "1 incident open"),
    ({"frames_lost": 7}, True, 0.9, "missed 7 frames"),
    ({"utilization": 0.95}, True, 0.9, "95% full"),
    (
        {"wanted": 3, "enforced": 0, "is_open": True},
        True,
        1.0,
        "in this maintenance blocks and quotas are not enforced",
    ),
    ({"notes": ("one", "two")}, True, 1.0, "one; two"),
]


def test_a_department_without_fault_is_active_and_in_full_health() -> None:
    assert judge(HealthFacts(**FINE, wanted=3, enforced=3, utilization=0.5)) == Condition(True, 1.0, ())


def test_a_position_that_cannot_enforce_is_active_while_nothing_is_to_be_enforced() -> None:
    assert judge(HealthFacts(**FINE, can_enforce=False, enforced=0)) == Condition(True, 1.0, ())


@pytest.mark.parametrize(("fault", "active", "score", "word"), FAULTS)
def test_each_fault_lowers_the_score_by_its_weight_and_is_given_as_its_reason(
    fault: dict[str, object], active: bool, score: float, word: str
) -> None:
    condition = judge(HealthFacts(**{**FINE, **fault}))
    assert (condition.active, condition.score) == (active, score)
    assert [word in reason for reason in condition.reasons] == [True]
    assert [loss.points for loss in condition.losses] == ([round(1 - score, 2)] if score < 1 else [])


def test_faults_add_up_and_the_score_stays_within_0_and_1() -> None:
    condition = judge(
        HealthFacts(**FINE, wanted=1, frames_lost=1, utilization=1.0, open_incidents=2, quotas_exceeded=("daily",))
    )
    assert condition.active
    assert condition.score == round(0.5 * 0.8 * 0.8 * 0.9 * 0.9, 2)
    assert len(condition.reasons) == 5
    assert [loss.points for loss in condition.losses] == [0.5, 0.1, 0.08, 0.03, 0.03]
    assert [loss.reason for loss in condition.losses] == list(condition.reasons)


@given(st.lists(st.booleans(), min_size=7, max_size=7), st.integers(0, 3))
def test_what_lowers_the_score_adds_up_with_it_to_1(present: list[bool], wanted: int) -> None:
    up, works, exceeded, troubled, strange, lossy, noted = present
    condition = judge(
        HealthFacts(
            interface="eth1",
            is_present=True,
            is_up=up,
            wanted=wanted,
            setup_faults=() if works else ("a fault",),
            can_work=works,
            quotas_exceeded=("daily",) if exceeded else (),
            troubles=("a trouble",) if troubled else (),
            strangers=("a stranger",) if strange else (),
            frames_lost=int(lossy),
            notes=("a note",) if noted else (),
        )
    )
    assert round(condition.score + sum(loss.points for loss in condition.losses), 2) == 1
    assert "a note" not in [loss.reason for loss in condition.losses]
