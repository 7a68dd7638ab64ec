"""What is remembered of tokens and people that were here."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from msgspec.structs import replace

from appliance.core.access.person import Role, TokenOrigin
from appliance.core.access.token_lifetime import Lifetime
from appliance.server.access.last_seen import MOST_SEEN, LastSeen, Use
from appliance.server.access.tokens import Grant

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
LATER = NOON + timedelta(hours=1)
SCREEN = Grant("screen", Role.VIEWER, None, Lifetime(NOON, LATER, None), "t1")
LOGIN = replace(SCREEN, subject="anna", id="t2", origin=TokenOrigin.LOGIN)


@dataclass(eq=False)
class Client:
    grant: Grant


def test_a_login_counts_for_its_person_and_a_token_of_the_same_subject_does_not() -> None:
    last_seen = LastSeen({})
    last_seen.enter(Client(LOGIN))
    last_seen.enter(Client(replace(SCREEN, subject="anna")))
    assert last_seen.of_people(["anna"], LATER) == [Use(1, LATER)]
    assert last_seen.of_tokens(["t1", "t2", "t3"], LATER) == [Use(1, LATER), Use(1, LATER), Use(0, None)]


def test_a_client_that_goes_on_with_another_token_counts_for_that() -> None:
    last_seen, client = LastSeen({}), Client(SCREEN)
    last_seen.enter(client)
    client.grant = replace(SCREEN, id="next")
    assert last_seen.of_tokens(["t1", "next"], LATER) == [Use(0, None), Use(1, LATER)]
    last_seen.leave(client, NOON)
    assert last_seen.of_tokens(["t1", "next"], LATER) == [Use(0, None), Use(0, NOON)]


def test_its_memory_is_bounded_and_keeps_the_latest() -> None:
    last_seen = LastSeen({})
    for number in range(MOST_SEEN + 1):
        last_seen.note(replace(SCREEN, id=f"t{number}"), NOON)
    assert last_seen.of_tokens(["t0", "t1", f"t{MOST_SEEN}"], LATER) == [Use(0, None), Use(0, NOON), Use(0, NOON)]


def test_who_came_and_was_forgotten_within_the_hour_leaves_nothing_to_save() -> None:
    last_seen = LastSeen({"token:old": NOON})
    for number in range(3 * MOST_SEEN):
        last_seen.note(replace(SCREEN, id=f"t{number}"), NOON)
    unsaved = last_seen.take_unsaved(LATER)
    assert len(unsaved) == MOST_SEEN + 1
    assert [key for key, at in unsaved.items() if at is None] == ["token:old"]
    for number in range(MOST_SEEN):
        last_seen.note(replace(SCREEN, id=f"u{number}"), LATER)
    unsaved = last_seen.take_unsaved(LATER)
    assert sum(at is None for at in unsaved.values()) == MOST_SEEN, "those that were saved are forgotten there too"
    assert last_seen.take_unsaved(LATER) == {}


def test_what_was_seen_outlives_a_restart_and_is_given_to_save_once() -> None:
    before = LastSeen({"token:old": NOON})
    before.enter(Client(LOGIN))
    before.note(SCREEN, NOON)
    unsaved = before.take_unsaved(LATER)
    assert unsaved == {"token:t1": NOON, "token:t2": LATER, "person:anna": LATER}
    before.forget_person("anna")
    after = LastSeen({key: at for key, at in unsaved.items() if at is not None})
    assert after.of_tokens(["t1", "t2", "old"], LATER) == [Use(0, NOON), Use(0, LATER), Use(0, None)]
    assert after.take_unsaved(LATER) == {}


def test_a_person_who_is_another_is_forgotten_on_the_medium_too() -> None:
    last_seen = LastSeen({"person:anna": NOON})
    last_seen.forget_person("anna")
    last_seen.forget_person("nobody")
    assert last_seen.take_unsaved(LATER) == {"person:anna": None}
