"""What the card is like, the appliance comes up: the program that mounts the data partition, on a loop device."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from image.card import data_tree
from image.filesystems import DATA_FEATURES, MIB, SECTOR, make_ext4, partition_table
from image.manifest import HERE, read_manifest
from tests.image.virtual import partition

PROGRAM = HERE / "root/usr/lib/appliance/storage"
pytestmark = pytest.mark.skipif(not Path("/dev/loop-control").exists(), reason="this kernel has no loop devices")

CARD_MIB = 1600  # the data partition has a second superblock at 128 MiB


@dataclass
class Card:
    """A card with a data partition alone, in which people have a file."""

    image: Path

    def damage(self, start: int, length: int) -> None:
        """Write nonsense into the partition."""
        with self.image.open("r+b") as file:
            file.seek(partition(4)[0] + start)
            file.write(b"\xa5" * length)


@pytest.fixture
def card(tmp_path: Path) -> Card:
    """As it is after its first start: with all that the card has."""
    manifest = read_manifest()
    tree, part, image = data_tree(tmp_path), tmp_path / "part", tmp_path / "card"
    (tree / "state/kept").write_text("kept")
    data_mib = CARD_MIB - partition(4)[0] // MIB
    make_ext4(part, tree, data_mib, label="appliance-data", features=DATA_FEATURES, epoch=manifest.epoch)
    with image.open("wb") as file:
        file.truncate(CARD_MIB * MIB)
    table = partition_table(replace(manifest, data_mib=data_mib))
    subprocess.run(["sfdisk", "--quiet", image], input=table.encode(), check=True)
    seek = f"seek={partition(4)[0] // MIB}"
    command = ["dd", f"if={part}", f"of={image}", "bs=1M", seek, "conv=notrunc,sparse", "status=none"]
    subprocess.run(command, check=True)
    return Card(image)


@contextmanager
def inserted(card: Card, *options: str) -> Iterator[Path]:
    """The card's data partition as a device, made by hand: not every kernel reads tables of partitions."""
    command = ["losetup", "--find", "--show", *options, card.image]
    device = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    try:
        start = partition(4)[0] // SECTOR
        size = card.image.stat().st_size // SECTOR - start
        subprocess.run(["addpart", device, "4", str(start), str(size)], check=True)
        try:
            yield Path(f"{device}p4")
        finally:
            subprocess.run(["delpart", device, "4"], check=True)
    finally:
        share_of(device).write_text("0")  # the shares of all disks together are less than the whole
        subprocess.run(["losetup", "--detach", device], check=True)


def share_of(device: str) -> Path:
    """Where the kernel shows how much, in percent, of what may wait to be written is kept for this disk."""
    return Path("/sys/class/block", Path(device).name, "bdi/min_ratio")


def start(device: Path, folder: Path, look: str) -> tuple[str, str]:
    """What the program says at a start, and what a look at the mounted partition shows.

    Programs in `folder`/programs stand in for the computer's.
    """
    data, said = folder / "data", folder / "said"
    data.mkdir(exist_ok=True)
    path = f"{folder}/programs:{os.environ['PATH']}"
    environment = os.environ | {"APPLIANCE_PARTITION": str(device), "APPLIANCE_DATA": str(data), "PATH": path}
    command = ["unshare", "--mount", "sh", "-c", f"{PROGRAM} >{said} 2>&1 && cd {data} && {look}"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return said.read_text(), done.stdout


FOLDERS = ("configuration", "network", "ssh", "state", "systemd")
WRITE = "cat state/kept && touch state/new"


def test_a_whole_one_is_mounted_without_a_word_to_people(card: Card, tmp_path: Path) -> None:
    with inserted(card) as device:
        said, seen = start(device, tmp_path, f"{WRITE} && ls -A")
        assert seen.removeprefix("kept").split() == sorted([*FOLDERS, "lost+found"])
        assert "APPLIANCE" not in said
        assert share_of(str(device).removesuffix("p4")).read_text().strip() == "20"
        assert start(device, tmp_path, "ls state")[1].split() == ["kept", "new"]


def test_what_is_bound_from_it_waits_until_udev_has_seen_all_changes(card: Card, tmp_path: Path) -> None:
    """The last that the program does, when the partition is mounted."""
    waits = tmp_path / "programs/udevadm"
    waits.parent.mkdir()
    waits.write_text(f'#!/bin/sh\necho "$1" >>{tmp_path}/data/asked\nls {tmp_path}/data >>{tmp_path}/data/asked\n')
    waits.chmod(0o755)
    with inserted(card) as device:
        seen = start(device, tmp_path, "cat asked")[1]
    assert seen.split()[0] == "settle"
    assert set(FOLDERS) < set(seen.split())


def test_a_damaged_one_is_mended_without_a_question(card: Card, tmp_path: Path) -> None:
    card.damage(0, 4096)  # the first superblock
    with inserted(card) as device:
        said, seen = start(device, tmp_path, WRITE)
    assert "kept" in seen
    assert "APPLIANCE" not in said


def test_a_journal_of_garbage_is_mended_too(card: Card, tmp_path: Path) -> None:
    done = subprocess.run(
        ["debugfs", "-R", "blocks <8>", f"{card.image}?offset={partition(4)[0]}"],
        capture_output=True,
        text=True,
        check=True,
    )
    card.damage(int(done.stdout.split()[0]) * 4096, 8192)
    with inserted(card) as device:
        said, seen = start(device, tmp_path, WRITE)
    assert "kept" in seen
    assert "APPLIANCE" not in said


def test_one_that_cannot_be_written_is_read(card: Card, tmp_path: Path) -> None:
    with inserted(card, "--read-only") as device:
        said, seen = start(device, tmp_path, "cat state/kept; touch state/new || echo refused")
    assert seen == "keptrefused\n"
    assert "<1>APPLIANCE: THE DATA PARTITION CAN ONLY BE READ" in said


def test_in_place_of_one_that_is_gone_there_is_memory(card: Card, tmp_path: Path) -> None:
    os.truncate(card.image, partition(4)[0])
    os.truncate(card.image, CARD_MIB * MIB)
    with inserted(card) as device:
        said, seen = start(device, tmp_path, "stat -f -c %T . && touch state/new && ls -A")
    assert seen.split() == ["tmpfs", *FOLDERS]
    assert "<1>APPLIANCE: THE DATA PARTITION CANNOT BE USED" in said


def test_a_card_smaller_than_the_image_is_told_to_be_another(card: Card, tmp_path: Path) -> None:
    os.truncate(card.image, partition(4)[0] + 16 * MIB)
    with inserted(card) as device:
        said, seen = start(device, tmp_path, "stat -f -c %T .")
    assert seen == "tmpfs\n"
    assert "flash another card" in said


def test_a_full_one_is_mounted_as_it_is(card: Card, tmp_path: Path) -> None:
    fill = "head -c 2G /dev/zero >state/much"
    with inserted(card) as device:
        start(device, tmp_path, f"({fill}) 2>/dev/null || true")
        said, seen = start(device, tmp_path, "cat state/kept; echo more >state/more || echo refused")
    assert seen == "keptrefused\n"
    assert "APPLIANCE" not in said
