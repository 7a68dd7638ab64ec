from datetime import UTC, datetime, timedelta

from appliance.core.alerting.journal import MOST_KEPT, AlertJournal, SentAlert

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def _sent(journal: AlertJournal, wall: datetime, room: str = "a") -> int:
    alert = SentAlert(journal.next_number(wall), "quota:alert", room, b"{}")
    journal.append(alert)
    return alert.number


def test_numbers_grow_even_within_one_instant_and_when_the_clock_goes_back() -> None:
    journal = AlertJournal()
    numbers = [_sent(journal, wall) for wall in (NOON, NOON, NOON - timedelta(days=400), NOON + timedelta(seconds=1))]
    assert numbers == sorted(set(numbers))


def test_numbers_go_on_after_those_that_were_kept() -> None:
    late = SentAlert(AlertJournal().next_number(NOON + timedelta(days=30)), "quota:alert", "a", b"{}")
    assert AlertJournal([late]).next_number(NOON) == late.number + 1


def test_a_journal_that_was_lost_still_gives_larger_numbers() -> None:
    assert AlertJournal().next_number(NOON + timedelta(seconds=1)) > _sent(AlertJournal(), NOON)


def test_alerts_after_a_number_are_returned_in_order_for_the_given_rooms_only() -> None:
    journal = AlertJournal()
    numbers = [_sent(journal, NOON, room) for room in "abca"]
    assert [alert.number for alert in journal.since(numbers[0], ["a", "c"])] == numbers[2:]
    assert [alert.number for alert in journal.since(0, ["b"])] == [numbers[1]]
    assert journal.since(numbers[-1], "abc") == []


def test_only_the_latest_are_kept() -> None:
    journal = AlertJournal()
    numbers = [_sent(journal, NOON) for _ in range(MOST_KEPT + 10)]
    assert [alert.number for alert in journal.since(0, ["a"])] == numbers[10:]
