"""U-Boot's script of the image, run in a shell whose functions are U-Boot's commands.

The script is written in what U-Boot's shell and this one have in common. Files are real ones: `ab.env` in a folder, and
a kernel for each root that has one.
"""

import os
import subprocess
import sys
from pathlib import Path

from image.card import boot_script
from image.filesystems import environment_block, read_environment
from image.manifest import PROJECT, read_manifest

PARTITIONS = {"A": "2", "B": "3"}

COMMANDS = """
devtype=virtio devnum=0 distro_bootpart=1 board=qemu-arm
kernel_addr_r=1 ramdisk_addr_r=2 fdt_addr=3
setenv() { local name=$1; shift; if [ $# = 0 ]; then unset "$name"; else printf -v "$name" %s "$*"; fi; }
setexpr() { printf -v "$1" %x $((0x$2 $3 0x$4)); }
load() {
    [ -e "$CARD/${2#*:}/$4" ] || return 1
    filesize=10
    [ "$4" != ab.env ] || cp "$CARD/1/ab.env" "$CARD/memory"
}
fatwrite() { cp "$CARD/memory" "$CARD/1/$4"; }
env() {
    local name text
    if [ "$1" = export ]; then
        shift 5
        "$PYTHON" -m tests.image.boot_script "$CARD/memory" $(for name; do echo "$name=${!name// /,}"; done)
    else
        text=$("$PYTHON" -m tests.image.boot_script "$CARD/memory") || return 1
        while read -r name; do printf -v "${name%%=*}" %s "${name#*=}"; done <<<"$text"
    fi
}
booti() { echo "STARTED ${bootargs}"; [ -e "$CARD/returns" ] || exit 0; }
reset() { echo RESET; exit 0; }
sleep() { :; }
"""


class Card:
    """A card with these roots, as U-Boot sees it."""

    def __init__(self, folder: Path, counters: bytes | None, roots: str = "AB") -> None:
        self.folder = folder
        for number in ("1", "2", "3"):
            (folder / number / "boot").mkdir(parents=True)
        if counters is not None:
            (folder / "1/ab.env").write_bytes(counters)
        for root in roots:
            for name in ("vmlinuz", "initrd"):
                (folder / PARTITIONS[root] / "boot" / name).touch()

    @property
    def counters(self) -> dict[str, str]:
        """What ab.env holds."""
        return read_environment((self.folder / "1/ab.env").read_bytes())

    def start(self) -> str:
        """Run the script once. Returns the root that it starts, or `RESET`."""
        script = COMMANDS + boot_script(read_manifest())
        environment = os.environ | {"CARD": str(self.folder), "PYTHON": sys.executable}
        done = subprocess.run(
            ["bash", "-c", script], env=environment, cwd=PROJECT, capture_output=True, text=True, check=True
        )
        last = done.stdout.splitlines()[-1]
        if not last.startswith("STARTED "):
            return last
        words = dict(word.partition("=")[::2] for word in last.split())
        root = words["rauc.slot"]
        assert words["root"] == f"PARTUUID={read_manifest().disk_id}-0{PARTITIONS[root]}"
        return root


def main(path: Path, values: list[str]) -> None:
    """Write a block of these values, or print those of the block that is there."""
    if values:
        path.write_bytes(environment_block(dict(one.replace(",", " ").split("=", 1) for one in values)))  # type: ignore[arg-type]
        return
    for name, value in read_environment(path.read_bytes()).items():
        print(f"{name}={value}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
