import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from appliance.core.access.person import Person, Role, TokenOrigin, TokenRecord
from appliance.core.moment import Moment
from appliance.core.refusal import Refused
from appliance.server.access import Authenticator
from appliance.system.storage import people_store as module
from appliance.system.storage.people_store import PeopleStoreUnavailable, SqlitePeopleStore

MOST_MADE = 20
MAKES = f"""
import pathlib, sys
from appliance.system.storage.people_store import SqlitePeopleStore
print(flush=True)
for number in range({MOST_MADE}):
    SqlitePeopleStore(pathlib.Path(sys.argv[1], f"{{number}}.sqlite3"))
"""
WALL = datetime(2026, 11, 23, 12, tzinfo=UTC)
ANNA = Person("anna", Role.ADMIN, None)
HEAD = Person("ben", Role.OPERATOR, frozenset({"dept123", "dept456"}))


def _ticket(number: int | str, **changed: object) -> TokenRecord:
    facts: dict[str, Any] = {
        "subject": "screen",
        "role": Role.VIEWER,
        "departments": frozenset({"dept123"}),
        "origin": TokenOrigin.ISSUED,
        "issued_at": WALL,
        "expires_at": WALL + timedelta(hours=1),
    }
    return TokenRecord(f"id{number}", **(facts | changed))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "people.sqlite3"


@pytest.fixture
def register(path: Path) -> Iterator[SqlitePeopleStore]:
    with closing(SqlitePeopleStore(path)) as register:
        yield register


def test_people_and_tickets_survive_a_restart_as_they_were(register: SqlitePeopleStore, path: Path) -> None:
    assert register.add_person(ANNA, "hash a", WALL)
    assert register.add_person(HEAD, "hash b", WALL)
    register.remember(_ticket(1))
    register.remember(_ticket(2, origin=TokenOrigin.LOGIN, person="anna", departments=None))
    with closing(SqlitePeopleStore(path)) as again:
        assert again.people() == [ANNA, HEAD]
        assert again.person("ben") == (HEAD, "hash b")
        assert again.person("nobody") is None
        assert {one.id: one for one in again.tokens()} == {one.id: one for one in register.tokens()}
        assert again.tokens()[0].departments in (None, frozenset({"dept123"}))


@pytest.mark.parametrize("after_s", [0.001, 0.004, 0.009, 0.015, 0.022])
def test_a_program_that_is_killed_while_it_makes_the_file_leaves_none_or_a_whole_one(
    after_s: float, tmp_path: Path
) -> None:
    with subprocess.Popen([sys.executable, "-c", MAKES, tmp_path], stdout=subprocess.PIPE) as program:
        assert program.stdout is not None
        program.stdout.readline()
        time.sleep(after_s)
        program.kill()
    for number in range(MOST_MADE):
        with closing(SqlitePeopleStore(tmp_path / f"{number}.sqlite3")) as again:
            assert again.people() == []


def test_a_name_is_given_once(register: SqlitePeopleStore) -> None:
    assert register.add_person(ANNA, "first", WALL)
    assert not register.add_person(ANNA, "second", WALL)
    assert register.person("anna") == (ANNA, "first")


def test_only_its_owner_may_read_the_hashes(register: SqlitePeopleStore, path: Path) -> None:
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("end", ["remove", "password"])
def test_who_is_removed_or_changes_the_password_loses_the_logins_and_nobody_else_does(
    register: SqlitePeopleStore, end: str
) -> None:
    register.add_person(ANNA, "hash", WALL)
    register.remember(_ticket(1, origin=TokenOrigin.LOGIN, person="anna"))
    register.remember(_ticket(2, origin=TokenOrigin.LOGIN, person="ben"))
    register.remember(_ticket(3))
    if end == "remove":
        register.remove_person("anna", WALL)
    else:
        register.set_password("anna", "another", WALL)
    assert register.revoked() == {"id1"}


def test_a_token_is_revoked_whether_it_was_known_or_not(register: SqlitePeopleStore) -> None:
    register.remember(_ticket(1))
    register.revoke(_ticket(1), WALL)
    register.revoke(_ticket(2), WALL)
    assert register.revoked() == {"id1", "id2"}
    register.remember(_ticket(1))
    assert register.revoked() == {"id1", "id2"}


def test_another_program_sees_at_once_that_something_changed(register: SqlitePeopleStore, path: Path) -> None:
    with closing(SqlitePeopleStore(path)) as other:
        versions = [other.version()]
        assert other.version() == versions[0]
        register.revoke(_ticket(1), WALL)
        versions.append(other.version())
        other.revoke(_ticket(2), WALL)
        versions.append(other.version())
        assert len(set(versions)) == 3


def test_the_list_is_bounded_and_forgets_no_revocation(register: SqlitePeopleStore, path: Path) -> None:
    register.revoke(_ticket("revoked", expires_at=WALL), WALL)
    with closing(sqlite3.connect(path)) as other, other:
        other.execute(
            f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {module.MOST_TICKETS})"
            " INSERT INTO ticket SELECT 'many' || i, '', 'viewer', '*', 'issuer', '2026-11-23T12:00:00.000Z',"
            " '2026-11-24T12:00:00.000Z', NULL, NULL FROM n"
        ).close()
    register.remember(_ticket(1, expires_at=WALL + timedelta(days=9)))
    ids = {one.id for one in register.tokens()}
    assert len(ids) == module.MOST_TICKETS
    assert {"idrevoked", "id1"} <= ids


def test_what_is_over_is_forgotten(register: SqlitePeopleStore) -> None:
    register.remember(_ticket(1))
    register.remember(_ticket(2, expires_at=WALL + timedelta(days=9)))
    register.forget(WALL + timedelta(days=1))
    assert [one.id for one in register.tokens()] == ["id2"]


def test_the_moment_that_has_certainly_come_is_kept(register: SqlitePeopleStore, path: Path) -> None:
    assert register.floor() is None
    register.save_floor(WALL)
    register.save_floor(WALL + timedelta(hours=1))
    with closing(SqlitePeopleStore(path)) as again:
        assert again.floor() == WALL + timedelta(hours=1)


def test_when_people_and_tokens_were_seen_is_kept_and_damage_there_keeps_nobody_out(
    register: SqlitePeopleStore, path: Path
) -> None:
    later = WALL + timedelta(hours=1)
    register.save_last_seen({"token:id1": WALL, "person:anna": WALL})
    register.save_last_seen({"token:id1": later, "person:anna": None})
    register.save_last_seen({})
    with closing(SqlitePeopleStore(path)) as again:
        assert again.last_seen() == {"token:id1": later}
        again._writer.execute("UPDATE last_seen SET at = 'once'").close()
        with pytest.raises(Refused):
            again.last_seen()
        assert not Authenticator(b"x" * 32, {}, again, None, Moment(WALL, 0.0, is_trusted=True)).closed_because


def test_a_place_that_takes_no_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(PeopleStoreUnavailable, match="cannot be kept here"):
        SqlitePeopleStore(tmp_path / "no" / "people.sqlite3")


def test_a_damaged_register_is_not_begun_anew_because_what_was_revoked_would_come_in_again(path: Path) -> None:
    with closing(SqlitePeopleStore(path)) as register:
        for number in range(200):
            register.revoke(_ticket(number), WALL)
    whole = path.read_bytes()
    for content in (b"", b"no database at all, and long enough " * 100, whole[:8192] + b"\xff" * 8192 + whole[16384:]):
        path.write_bytes(content)
        with pytest.raises(PeopleStoreUnavailable, match="cannot be kept here"):
            SqlitePeopleStore(path)
