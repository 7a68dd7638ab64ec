"""A backup holds all that the appliance knows, opens only with its passphrase, and is restored whole or not at all."""

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from appliance.service.backup.restoration import finish_restore, order_restore, restore_backup
from appliance.service.backup.state_backup import BackupFailed, back_up
from appliance.system.backup_file import write_backup
from appliance.system.ownership import own_state

PASSPHRASE = "correct horse battery"
CONFIG = """\
[appliance]
position = "gateway"
[[departments]]
id = "dept123"
name = "Radiology"
interface = "eth1"
"""


def _database(path: Path, rows: int = 3) -> sqlite3.Connection:
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("CREATE TABLE _sqlite_migrations (name TEXT)")
    connection.execute("CREATE TABLE books (used INTEGER, noise BLOB)")
    connection.executemany("INSERT INTO books VALUES (?, ?)", [(one, os.urandom(50_000)) for one in range(rows)])
    connection.commit()
    return connection


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A state directory whose books are open, as those of a running service, with all in the log."""
    folder = tmp_path_factory.mktemp("machine") / "state"
    (folder / "lists").mkdir(parents=True)
    (folder / "lists" / "bad ones.txt").write_text("203.0.113.9\n")
    (folder / "secrets").mkdir(mode=0o700)
    (folder / "secrets" / "mail").write_text("geheim\n")
    (folder / "token.secret").write_bytes(bytes(range(32)))
    (folder / "alerts.jsonl").write_text("{}\n")
    for name in ("simulated.sqlite3", "trial.toml", "appliance.sqlite3.ballast", "people.sqlite3.damaged-2026"):
        (folder / name).write_text("not for a backup")
    with closing(_database(folder / "appliance.sqlite3")), closing(_database(folder / "history.sqlite3", 100)):
        yield folder


@pytest.fixture(scope="module")
def made(state: Path) -> Path:
    """A backup of that state; one for all tests, because a passphrase takes a second of computing."""
    config, made = state.parent / "appliance.toml", state.parent / "made.backup"
    config.write_text(CONFIG)
    size = back_up(config, state, made, PASSPHRASE)
    assert size == made.stat().st_size
    assert made.stat().st_mode & 0o777 == 0o600
    assert [one.name for one in state.iterdir() if one.name.startswith("backup")] == []
    return made


def _used(path: Path) -> list[int]:
    with closing(sqlite3.connect(path)) as connection:
        return [used for (used,) in connection.execute("SELECT used FROM books ORDER BY used")]


def test_a_backup_of_open_books_is_restored_on_an_empty_machine(tmp_path: Path, made: Path) -> None:
    config, state = tmp_path / "etc" / "appliance.toml", tmp_path / "state"
    found = restore_backup(config, state, made, PASSPHRASE)
    assert found.former is None
    assert found.files == ["alerts.jsonl", "appliance.sqlite3", "history.sqlite3", "lists", "secrets", "token.secret"]
    assert config.read_text() == CONFIG
    assert sorted(one.name for one in state.iterdir()) == found.files
    assert _used(state / "appliance.sqlite3") == [0, 1, 2]
    assert _used(state / "history.sqlite3") == list(range(100))
    assert (state / "token.secret").read_bytes() == bytes(range(32))
    assert (state / "token.secret").stat().st_mode & 0o777 == 0o600
    assert (state / "lists" / "bad ones.txt").read_text() == "203.0.113.9\n"
    assert (state / "secrets" / "mail").read_text() == "geheim\n"


def test_nothing_of_the_content_can_be_read_without_the_passphrase(made: Path) -> None:
    whole = made.read_bytes()
    assert whole.startswith(b'{"format": "appliance-backup-1", "madeAt": "')
    assert b"203.0.113.9" not in whole
    assert bytes(range(32)) not in whole


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda whole: whole[: len(whole) // 2], "is damaged"),
        (lambda whole: whole[: 10 * 65_553 + whole.index(b"\n") + 41], "its end is missing"),
        (lambda whole: whole[:300], "this is not its passphrase, or the file is damaged"),
        (lambda whole: whole[: whole.index(b"\n") + 9], "its end is missing"),
        (lambda whole: whole[:-20_000] + bytes([whole[-20_000] ^ 1]) + whole[-19_999:], "is damaged"),
        (lambda whole: whole + b"more", "is damaged"),
        (
            lambda whole: whole.replace(b'"host": "', b'"host": "not-', 1),
            "this is not its passphrase, or the file is damaged",
        ),
        (lambda whole: whole.replace(b"backup-1", b"backup-2", 1), "another version"),
        (lambda _: b"", "no backup of an appliance"),
        (lambda _: b"PK\x03\x04" * 1000, "no backup of an appliance"),
        (lambda _: b"[" * 100_000, "no backup of an appliance"),
    ],
    ids=["half", "piece", "start", "salt", "altered", "longer", "facts", "version", "empty", "zip", "nested"],
)
def test_a_backup_that_is_not_whole_changes_nothing(
    tmp_path: Path, made: Path, spoil: Callable[[bytes], bytes], reason: str
) -> None:
    broken = tmp_path / "broken.backup"
    broken.write_bytes(spoil(made.read_bytes()))
    with pytest.raises(BackupFailed, match=reason):
        restore_backup(tmp_path / "appliance.toml", tmp_path / "state", broken, PASSPHRASE)
    assert list((tmp_path / "state").iterdir()) == []
    assert not (tmp_path / "appliance.toml").exists()


def test_another_passphrase_opens_nothing(tmp_path: Path, made: Path) -> None:
    with pytest.raises(BackupFailed, match="not its passphrase"):
        restore_backup(tmp_path / "appliance.toml", tmp_path / "state", made, "another passphrase")


@pytest.mark.parametrize("name", ["../outside", "/etc/cron.d/x", "lists/../../x", "lists/a/b", "link"])
def test_a_member_that_leads_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    crafted, content = tmp_path / "crafted.backup", tmp_path / "content"
    content.symlink_to("/etc/passwd") if name == "link" else content.write_text("")
    write_backup(crafted, PASSPHRASE, {}, [(name, content)])
    with pytest.raises(BackupFailed, match="a member is named"):
        restore_backup(tmp_path / "appliance.toml", tmp_path / "deep" / "state", crafted, PASSPHRASE)
    assert sorted(one.name for one in tmp_path.rglob("*")) == ["content", "crafted.backup", "deep", "state"]


def test_a_backup_without_books_is_refused(tmp_path: Path) -> None:
    crafted = tmp_path / "crafted.backup"
    write_backup(crafted, PASSPHRASE, {}, [])
    with pytest.raises(BackupFailed, match=r"has no appliance\.sqlite3"):
        restore_backup(tmp_path / "appliance.toml", tmp_path / "state", crafted, PASSPHRASE)


def test_what_is_there_is_replaced_only_when_asked_for_and_is_kept(tmp_path: Path, made: Path) -> None:
    other, written = tmp_path / "other", tmp_path / "other.toml"
    other.mkdir()
    _database(other / "appliance.sqlite3", 1).close()
    written.write_text("former")
    with pytest.raises(BackupFailed, match=r"other\.toml is there; --replace"):
        restore_backup(written, other, made, PASSPHRASE)
    found = restore_backup(written, other, made, PASSPHRASE, replaces=True)
    assert found.former is not None
    assert _used(other / "appliance.sqlite3") == [0, 1, 2]
    assert written.read_text() == CONFIG
    assert _used(found.former / "appliance.sqlite3") == [0]
    assert (found.former / "appliance.toml").read_text() == "former"


def test_a_configuration_with_a_fault_is_not_restored(tmp_path: Path, state: Path) -> None:
    config, faulty = tmp_path / "appliance.toml", tmp_path / "faulty.backup"
    config.write_text("[appliance]\nposition = 'nowhere'\n")
    back_up(config, state, faulty, PASSPHRASE)
    with pytest.raises(BackupFailed, match="does not take its configuration"):
        restore_backup(tmp_path / "new.toml", tmp_path / "state", faulty, PASSPHRASE)


def test_damaged_books_are_told_and_the_earlier_backup_stays(tmp_path: Path) -> None:
    target = tmp_path / "made.backup"
    target.write_text("the earlier one")
    state = tmp_path / "state"
    state.mkdir()
    (state / "appliance.sqlite3").write_bytes(b"no database at all" * 400)
    with pytest.raises(BackupFailed, match="could not be copied"):
        back_up(None, state, target, PASSPHRASE)
    assert target.read_text() == "the earlier one"


def test_a_backup_needs_a_passphrase_a_state_and_another_place(tmp_path: Path, state: Path) -> None:
    for folder, target, passphrase, reason in (
        (state, tmp_path / "made", "short", "at least 12 characters"),
        (tmp_path / "none", tmp_path / "made", PASSPHRASE, "no appliance.sqlite3"),
        (state, state / "made", PASSPHRASE, "name another place"),
    ):
        with pytest.raises(BackupFailed, match=reason):
            back_up(None, folder, target, passphrase)
    assert not (tmp_path / "made").exists()


def test_a_running_service_keeps_its_state(tmp_path: Path, made: Path) -> None:
    state = tmp_path / "state"
    state.mkdir()
    with ExitStack() as owned:
        own_state(state, owned)
        with pytest.raises(BackupFailed, match="stop it first"):
            restore_backup(tmp_path / "appliance.toml", state, made, PASSPHRASE)


KILLED = """
import sys
from pathlib import Path
from appliance.service.backup.restoration import finish_restore
finish_restore(Path(sys.argv[1]))
"""
RENAMES = 7  # of the three files that are there, the marker, the configuration, and the two that are restored


@pytest.mark.parametrize("step", range(1, RENAMES + 1))
def test_a_restore_that_a_power_cut_ends_is_finished_by_the_next_start(tmp_path: Path, step: int) -> None:
    state, config, unpacked = tmp_path / "state", tmp_path / "appliance.toml", tmp_path / "state" / "restored"
    unpacked.mkdir(parents=True)
    config.write_text("former")
    (unpacked / "appliance.toml").write_text(CONFIG)
    for name in ("appliance.sqlite3", "people.sqlite3"):
        (state / name).write_text(f"former {name}")
        (unpacked / name).write_text(f"restored {name}")
    (state / "alerts.jsonl").write_text("former alerts")
    order_restore(config, state, {"host": "one"})
    renames = ["strace", "-f", "-o", "/dev/null", "-e", f"inject=rename:signal=KILL:when={step}"]
    program = [sys.executable, "-c", KILLED, str(state)]
    killed = subprocess.run([*renames, *program], check=False, stderr=subprocess.DEVNULL)
    assert killed.returncode == -signal.SIGKILL
    assert finish_restore(state).host == "one"
    [former] = [path for path in state.iterdir() if path.name.startswith("before-restore")]
    assert {path.name: path.read_text() for path in former.iterdir()} == {
        "appliance.toml": "former",
        "appliance.sqlite3": "former appliance.sqlite3",
        "people.sqlite3": "former people.sqlite3",
        "alerts.jsonl": "former alerts",
    }
    left = {path.name: path.read_text() for path in state.iterdir() if path != former}
    assert left == {name: f"restored {name}" for name in ("appliance.sqlite3", "people.sqlite3")}
    assert config.read_text() == CONFIG
