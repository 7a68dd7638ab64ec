"""Which root U-Boot starts: its script is run in a shell, with real blocks of counters."""

import subprocess
from pathlib import Path

import pytest

from image.card import FIRST_COUNTERS, boot_script
from image.filesystems import ENVIRONMENT_BYTES, environment_block, read_environment
from image.manifest import HERE, read_manifest
from tests.image.boot_script import Card


def counters(order: str, a: int, b: int) -> dict[str, str]:
    return {"BOOT_ORDER": order, "BOOT_A_LEFT": str(a), "BOOT_B_LEFT": str(b)}


@pytest.mark.parametrize(
    ("before", "started", "after"),
    [
        (counters("A B", 3, 3), "A", counters("A B", 2, 3)),
        (counters("B A", 3, 3), "B", counters("B A", 3, 2)),
        (counters("B A", 3, 1), "B", counters("B A", 3, 0)),
        (counters("B A", 3, 0), "A", counters("B A", 2, 0)),
        (counters("A B", 0, 0), "RESET", counters("A B", 3, 3)),
        (FIRST_COUNTERS, "A", counters("A B", 2, 0)),
    ],
    ids=["first of the order", "other order", "last try", "no tries left", "none has any", "as it is flashed"],
)
def test_a_start_takes_a_try_of_the_first_root_that_has_one(
    tmp_path: Path, before: dict[str, str], started: str, after: dict[str, str]
) -> None:
    card = Card(tmp_path, environment_block(before))
    assert card.start() == started
    assert card.counters == after


def test_an_update_that_never_proves_itself_has_three_tries_and_the_former_root_is_back(tmp_path: Path) -> None:
    card = Card(tmp_path, environment_block(counters("B A", 3, 3)))
    assert [card.start() for _ in range(4)] == ["B", "B", "B", "A"]
    assert card.counters == counters("B A", 2, 0)


def test_a_root_without_a_kernel_is_passed_over_at_once(tmp_path: Path) -> None:
    card = Card(tmp_path, environment_block(counters("B A", 3, 3)), roots="A")
    assert card.start() == "A"
    assert card.counters == counters("B A", 2, 2)


def test_a_kernel_that_cannot_be_started_leaves_the_turn_to_the_other_root(tmp_path: Path) -> None:
    card = Card(tmp_path, environment_block(counters("B A", 3, 3)))
    (tmp_path / "returns").touch()
    card.start()
    assert card.counters == counters("B A", 3, 3), "both failed, so each gets its tries again"


@pytest.mark.parametrize(
    "block", [None, b"", b"\xff" * ENVIRONMENT_BYTES, environment_block(FIRST_COUNTERS)[:-1] + b"x"]
)
def test_counters_that_are_missing_or_damaged_do_not_keep_it_from_starting(tmp_path: Path, block: bytes | None) -> None:
    card = Card(tmp_path, block)
    assert card.start() == "A"
    assert card.counters == counters("A B", 2, 3)


def test_other_values_in_the_block_do_no_harm(tmp_path: Path) -> None:
    card = Card(tmp_path, environment_block(counters("A B", 3, 3) | {"other": "1"}))
    assert card.start() == "A"


def test_fw_printenv_and_fw_setenv_read_and_write_the_same_block(tmp_path: Path) -> None:
    block = tmp_path / "ab.env"
    block.write_bytes(environment_block(FIRST_COUNTERS))
    config = tmp_path / "fw_env.config"
    config.write_text((HERE / "root/etc/fw_env.config").read_text().replace("/boot/firmware/ab.env", str(block)))
    shown = subprocess.run(["fw_printenv", "-c", config], capture_output=True, text=True, check=True).stdout
    assert dict(line.split("=", 1) for line in shown.splitlines()) == FIRST_COUNTERS
    subprocess.run(["fw_setenv", "-c", config, "BOOT_A_LEFT", "2"], check=True, capture_output=True)
    assert read_environment(block.read_bytes()) == FIRST_COUNTERS | {"BOOT_A_LEFT": "2"}
    assert block.stat().st_size == ENVIRONMENT_BYTES


def test_a_block_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="do not fit"):
        environment_block({"BOOT_ORDER": "A" * ENVIRONMENT_BYTES})


def test_every_value_is_put_into_the_script() -> None:
    script = boot_script(read_manifest())
    code = [line for line in script.splitlines() if not line.startswith("#")]
    assert "@" not in "".join(code)
    assert f"PARTUUID={read_manifest().disk_id}-0" in script
