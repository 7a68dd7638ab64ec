"""The card's layout, made by the real tools at a small size, and read back by others."""

import json
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from image.filesystems import (
    DATA_FEATURES,
    MIB,
    ROOT_FEATURES,
    SECTOR,
    make_card,
    make_ext4,
    make_fat,
    partition_starts,
    set_times,
)
from image.manifest import HERE, read_manifest

EPOCH = 1_700_000_000
SMALL = replace(read_manifest(), boot_mib=40, root_mib=16, data_mib=16)


def run(*command: str | Path) -> str:
    return subprocess.run([str(word) for word in command], capture_output=True, text=True, check=True).stdout


def make(folder: Path) -> Path:
    """A card with small file systems, as the build makes it."""
    folder.mkdir()
    trees = {name: folder / name for name in ("boot", "root", "data")}
    for tree in trees.values():
        (tree / "inside").mkdir(parents=True)
        for number in range(40):
            (tree / f"inside/file{number}").write_text(f"{number}\n" * 500)
        set_times(tree, EPOCH)
    images = {name: folder / f"{name}.img" for name in trees}
    for name, features in (("root", ROOT_FEATURES), ("data", DATA_FEATURES)):
        make_ext4(images[name], trees[name], 16, label=f"appliance-{name}", features=features, epoch=EPOCH)
    make_fat(images["boot"], trees["boot"], 40, label="APPLIANCE", disk_id=SMALL.disk_id, epoch=EPOCH)
    card = folder / "card.img"
    make_card(card, SMALL, images["boot"], images["root"], images["data"])
    return card


@pytest.fixture(scope="module")
def card(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("card") / "first")


def test_the_partitions_are_where_script_units_and_kernel_look_for_them(card: Path) -> None:
    table = json.loads(run("sfdisk", "--json", card))["partitiontable"]
    assert (table["label"], table["id"]) == ("dos", f"0x{SMALL.disk_id}")
    parts = table["partitions"]
    assert [part["type"] for part in parts] == ["c", "83", "83", "83"]
    assert [part.get("bootable", False) for part in parts] == [True, False, False, False], "U-Boot looks there alone"
    starts = partition_starts((SMALL.boot_mib, SMALL.root_mib, SMALL.root_mib, SMALL.data_mib))
    assert [part["start"] * SECTOR // MIB for part in parts] == starts
    assert all(part["start"] % 2048 == 0 for part in parts), "aligned to a card's blocks"


def test_the_file_systems_are_whole_and_have_their_files(card: Path) -> None:
    for name in ("root", "data"):
        run("e2fsck", "-f", "-n", card.with_name(f"{name}.img"))
    assert "file39" in run("debugfs", "-R", "ls /inside", card.with_name("root.img"))
    assert "file39" in run("mdir", "-b", "-i", f"{card}@@1M", "::inside")


def test_two_builds_are_the_same_to_the_byte(card: Path, tmp_path: Path) -> None:
    again = make(tmp_path / "second")
    names = ("boot.img", "root.img", "data.img", "card.img")
    differing = [name for name in names if card.with_name(name).read_bytes() != again.with_name(name).read_bytes()]
    assert differing == []


def test_what_names_the_disk_names_the_one_of_the_manifest() -> None:
    disk_id = read_manifest().disk_id
    naming = [path for path in (HERE / "root").rglob("*") if path.is_file() and "partuuid" in path.read_text().lower()]
    assert {path.name for path in naming} == {"fstab", "storage", "system.conf"}
    assert [path.name for path in naming if disk_id not in path.read_text()] == []
