"""The file systems of the card, and the card: no loop device, no mount, nothing that differs between two builds."""

import os
import re
import struct
import uuid
import zlib
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path

from image.manifest import Manifest, run

MIB = 1 << 20
SECTOR = 512
ENVIRONMENT_BYTES = 512  # one sector: a card writes it whole or not at all

# U-Boot reads the roots; it knows these and not what newer programs would add. A root is never written, so it needs no
# journal; and without sums over its metadata the times in it can be set afterwards.
ROOT_FEATURES = "^has_journal,^metadata_csum,^64bit,^resize_inode"
DATA_FEATURES = "has_journal,metadata_csum,64bit,resize_inode"


def environment_block(values: Mapping[str, str]) -> bytes:
    """Return a block in the format of fw_setenv: the CRC-32 of what follows, then `name=value` with a NUL after each.

    Raises `ValueError` if it does not fit.
    """
    content = b"".join(f"{name}={value}\0".encode() for name, value in values.items())
    room = ENVIRONMENT_BYTES - 4
    if len(content) >= room:
        raise ValueError(f"{len(content)} bytes of values do not fit into {room - 1}.")
    content = content.ljust(room, b"\0")
    return struct.pack("<I", zlib.crc32(content)) + content


def read_environment(block: bytes) -> dict[str, str]:
    """Return the values of such a block. Raises `ValueError` where its sum is wrong."""
    [crc], content = struct.unpack("<I", block[:4]), block[4:ENVIRONMENT_BYTES]
    if len(block) < ENVIRONMENT_BYTES or zlib.crc32(content) != crc:
        raise ValueError("The block is damaged.")
    entries = content.partition(b"\0\0")[0].decode().split("\0")
    return {name: value for name, _, value in (entry.partition("=") for entry in entries if entry)}


def set_times(tree: Path, epoch: int) -> None:
    """Give all files of a tree the same time."""
    for path in [*tree.rglob("*"), tree]:
        os.utime(path, (epoch, epoch), follow_symlinks=False)


def make_ext4(image: Path, tree: Path, mib: int, *, label: str, features: str, epoch: int) -> None:
    """Make a file system of a tree. Its id follows from its label, so that two builds have the same."""
    identity = uuid.uuid5(uuid.NAMESPACE_URL, label)
    environment = os.environ | {"E2FSPROGS_FAKE_TIME": str(epoch)}
    options = f"hash_seed={identity},root_owner=0:0,lazy_itable_init=0,lazy_journal_init=0"
    run(
        [
            *("mke2fs", "-q", "-t", "ext4", "-b", "4096", "-m", "0", "-L", label, "-U", str(identity)),
            *("-O", features, "-E", options, "-d", tree, image, f"{mib}M"),
        ],
        env=environment,
    )
    _set_inode_times(image, epoch, environment)


def _set_inode_times(image: Path, epoch: int, environment: Mapping[str, str]) -> None:
    """Set the times that mke2fs takes from the building computer, and that nobody can set on a file."""
    fields = ("atime", "ctime", "mtime", "crtime")
    commands = "".join(f"sif <{inode}> {field} @{epoch}\n" for inode in _used_inodes(image) for field in fields)
    script = image.with_suffix(".debugfs")
    script.write_text(commands)
    run(["debugfs", "-w", "-f", script, image], env=environment)
    script.unlink()


def _used_inodes(image: Path) -> Iterator[int]:
    told = run(["dumpe2fs", image])
    [count] = re.findall(r"^Inode count: +(\d+)", told, re.MULTILINE)
    free = [one for line in re.findall(r"^  Free inodes: (.*)$", told, re.MULTILINE) for one in _ranges(line)]
    edges = [(0, 0), *sorted(free), (int(count) + 1, 0)]
    for (_, before), (after, _) in pairwise(edges):
        yield from (inode for inode in range(before + 1, after) if inode == 2 or inode > 10)  # the others have no times


def _ranges(line: str) -> Iterator[tuple[int, int]]:
    for one in filter(None, line.replace(",", " ").split()):
        first, _, last = one.partition("-")
        yield int(first), int(last or first)


def make_fat(image: Path, tree: Path, mib: int, *, label: str, disk_id: str, epoch: int) -> None:
    """Make the boot partition of a tree."""
    image.unlink(missing_ok=True)
    environment = os.environ | {"SOURCE_DATE_EPOCH": str(epoch), "TZ": "UTC", "MTOOLS_SKIP_CHECK": "1"}
    run(["mkfs.vfat", "--invariant", "-F", "32", "-s", "1", "-n", label, "-i", disk_id, "-C", image, str(mib * 1024)])
    run(["mcopy", "-i", image, "-s", "-m", "-Q", *sorted(tree.iterdir()), "::"], env=environment)


def partition_table(manifest: Manifest) -> str:
    """Return the table as sfdisk reads it: boot, root A, root B, data. A Pi 3 starts from such a table alone."""
    sizes = (manifest.boot_mib, manifest.root_mib, manifest.root_mib, manifest.data_mib)
    kinds = ("c, bootable", "83", "83", "83")
    lines = [f"label: dos\nlabel-id: 0x{manifest.disk_id}\nunit: sectors"]
    starts = partition_starts(sizes)
    for start, size, kind in zip(starts, sizes, kinds, strict=True):
        lines.append(f"start={start * MIB // SECTOR}, size={size * MIB // SECTOR}, type={kind}")
    return "\n".join(lines) + "\n"


def partition_starts(sizes: Sequence[int]) -> list[int]:
    """Return where partitions of these sizes begin, in MiB: after the first MiB, aligned for each card's blocks."""
    return [1 + sum(sizes[:number]) for number in range(len(sizes))]


def make_card(card: Path, manifest: Manifest, boot: Path, root: Path, data: Path) -> None:
    """Put the file systems together; root B stays empty, until an update comes."""
    sizes = (manifest.boot_mib, manifest.root_mib, manifest.root_mib, manifest.data_mib)
    card.unlink(missing_ok=True)
    with card.open("wb") as file:
        file.truncate((1 + sum(sizes)) * MIB)
    run(["sfdisk", "--quiet", card], input=partition_table(manifest))
    starts = partition_starts(sizes)
    for start, image in ((starts[0], boot), (starts[1], root), (starts[3], data)):
        run(["dd", f"if={image}", f"of={card}", "bs=1M", f"seek={start}", "conv=notrunc,sparse", "status=none"])
