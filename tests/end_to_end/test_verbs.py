"""The verbs about blocks, lists and the configuration, against a service on a simulated machine."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.client.node import NodeClient
from tests.end_to_end.simulated import PATIENCE_S, Simulated

FILE_LIST = "203.0.113.1\nnonsense here\n127.0.0.1\n"


def published(tmp_path: Path) -> Path:
    """The list that changes."""
    return tmp_path / "state" / "lists" / "other.txt"


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Simulated]:
    folder = tmp_path / "state" / "lists"
    folder.mkdir(parents=True)
    (folder / "bad.txt").write_text(FILE_LIST)
    published(tmp_path).write_text("203.0.113.0/25\n")
    lists = {"file": str(folder / "bad.txt"), "other": str(published(tmp_path))}
    extra = "".join(
        f'[[block_lists]]\nname = "{name}"\nsource = "{source}"\nrefresh = 1\n' for name, source in lists.items()
    )
    one = Simulated(tmp_path, extra)
    one.start()
    yield one
    one.close()


def blocked(service: Simulated, origin: str) -> set[str]:
    return {one["address"] for one in service.ask("ip:list", {"origin": origin})["blocks"]}


def wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_imported_lists_are_blocked_follow_their_source_and_tell_what_is_wrong(
    service: Simulated, tmp_path: Path
) -> None:
    wait_until(lambda: blocked(service, "list:other") == {"203.0.113.0/25"})
    wait_until(lambda: blocked(service, "list:file") == {"203.0.113.1"})
    shown = service.cli("lists").stdout
    assert "file:2: nonsense here: more than one word on the line" in shown
    assert "file: 127.0.0.1 is not blocked" in shown
    published(tmp_path).write_text("203.0.113.128/25\n")
    wait_until(lambda: blocked(service, "list:other") == {"203.0.113.128/25"})
    published(tmp_path).write_text("<html>Service unavailable</html>")
    wait_until(lambda: "it is a page in HTML" in service.cli("lists").stdout)
    assert blocked(service, "list:other") == {"203.0.113.128/25"}
    published(tmp_path).unlink()
    wait_until(lambda: "No such file" in service.cli("lists").stdout)
    assert blocked(service, "list:other") == {"203.0.113.128/25"}
    [troubled] = [one for one in json.loads(service.cli("lists", "--json").stdout) if one["trouble"]]
    assert (troubled["name"], troubled["entries"]) == ("other", 1)
    wait_until(lambda: "the list other is not up to date" in service.cli("status").stdout)


def test_a_list_is_blocked_and_unblocked_by_one_verb_each(service: Simulated, tmp_path: Path) -> None:
    listed = tmp_path / "many.txt"
    listed.write_text("".join(f"100.64.{n >> 8}.{n & 255}\n" for n in range(5500)) + "100.64.0.999\n")
    done = service.cli("block", "--file", str(listed), "--reason", "many", "--duration", "3600")
    assert (done.returncode, done.stdout) == (0, "blocked 5500 targets for all departments\n"), done.stderr
    assert f"{listed}:5501: 100.64.0.999" in done.stderr
    assert "5000 of 5500" in done.stderr
    assert service.ask("ip:list", {"origin": "manual", "contains": "many"})["total"] == 5500
    found = json.loads(service.cli("status", "--json").stdout)
    assert (len(found["blocks"]) == 1000, found["blocksTotal"] >= 5500) == (True, True)
    done = service.cli("unblock", "--file", str(listed), "--origin", "manual", "--json")
    assert json.loads(done.stdout) == {"count": 5500}
    assert [set(json.loads(line)) for line in done.stderr.splitlines()] == [{"note"}] * 3
    assert service.ask("ip:list", {"origin": "manual", "contains": "many"})["total"] == 0


def test_what_cannot_be_blocked_gives_exit_code_1_and_wrong_words_2(service: Simulated, tmp_path: Path) -> None:
    listed = tmp_path / "protected.txt"
    listed.write_text("100.64.0.1\n127.0.0.1\n")
    done = service.cli("block", "--file", str(listed))
    assert (done.returncode, "appliance: 127.0.0.1 is protected" in done.stderr) == (1, True)
    assert blocked(service, "manual") == set()
    listed.write_text("nothing here\n")
    assert service.cli("block", "--file", str(listed)).returncode == 1
    assert service.cli("block").returncode == 2
    assert service.cli("block", "10.0.0.1", "--file", str(listed)).returncode == 2
    assert service.cli("block", "--file", str(tmp_path / "none")).returncode == 2
    assert json.loads(service.cli("block", "100.64.0.1", "--json").stdout) == {"count": 1}
    assert service.cli("unblock", "100.64.0.1").stdout == "unblocked 100.64.0.1\n"
    assert service.cli("unblock", "100.64.0.1").returncode == 1


def test_a_configuration_is_applied_and_confirmed_by_verbs(service: Simulated, tmp_path: Path) -> None:
    new = tmp_path / "new.toml"
    new.write_text(service.text("new").replace("position", "positon"))
    done = service.cli("apply", str(new))
    assert (done.returncode, f'{new}: appliance."positon"' in done.stderr) == (1, True)
    new.write_text(service.text("new"))
    done = service.cli("apply", str(new))
    assert (done.returncode, "run: appliance confirm" in done.stdout) == (0, True), done.stderr
    assert service.runs("new")
    assert service.cli("confirm").returncode == 0
    assert service.file.read_text() == service.text("new")
    assert service.cli("confirm").returncode == 1


def test_a_configuration_on_trial_is_taken_back_by_a_verb(service: Simulated, tmp_path: Path) -> None:
    assert "nothing to take back" in service.cli("revert").stderr
    new = tmp_path / "new.toml"
    new.write_text(service.text("new"))
    assert service.cli("apply", str(new)).returncode == 0
    assert json.loads(service.cli("revert", "--json").stdout) == {"reverted": True}
    service.wait_for("old")
    assert not service.runs("new")
    [recorded, *_] = service.ask("audit:get", {"action": "config:revert"})["entries"]
    assert (recorded["before"]["actor"], recorded["after"]) == (recorded["who"], None)


def test_when_a_token_was_seen_outlives_a_restart(service: Simulated) -> None:
    token = service.cli("token", "--subject", "screen").stdout.strip()

    def seen() -> tuple[int, str | None]:
        [facts] = [one for one in service.ask("token:list")["tokens"] if one["subject"] == "screen"]
        return facts["connected"], facts["seenAt"]

    assert seen() == (0, None)
    with NodeClient(f"http://127.0.0.1:{service.port}", token) as screen:
        screen.wait_for("connect")
        assert seen()[0] == 1
        service.stop()
    service.start()
    connected, seen_at = seen()
    assert connected == 0
    assert seen_at is not None


def test_release_stops_the_service_in_order(service: Simulated) -> None:
    done = service.cli("release")
    assert service.wait_for_end() == 0
    assert "the service has stopped" in done.stdout
