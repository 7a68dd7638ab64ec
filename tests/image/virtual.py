"""A built image, running in QEMU's machine "virt", as tests see it from outside: serial line, SSH, the page's port."""

import os
import re
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from image.filesystems import MIB, environment_block, partition_starts, read_environment
from image.manifest import HERE, Manifest, read_manifest
from tests.ports import reserve_port

# Emulated without a hypervisor's help, beside other tests: from power to a login takes minutes.
PATIENCE_S = 900
# Beside much other work a computer is emulated so slowly that its watchdog takes it for hung.
UNWATCHED = {"APPLIANCE_QEMU": "-action watchdog=none"}
COUNTERS = r"Boot counters: order (.*), A (\d), B (\d)\n"  # what U-Boot says, by boot.cmd
TIMER_HZ = 62_500_000  # of QEMU's processor (its GTIMER_SCALE)
SSH = ("StrictHostKeyChecking=no", "ConnectTimeout=20", "ServerAliveInterval=20", "ServerAliveCountMax=6")


class Virtual:
    """One card in one computer, which can be switched off and on.

    `folder`: with what image/build made. `card`: what a copy is made of in place of the image as it is flashed.
    `environment`: more for image/run.
    """

    def __init__(
        self, folder: Path, work: Path, *, card: Path | None = None, environment: Mapping[str, str] | None = None
    ) -> None:
        self.work = work
        for name in ("appliance.img", "u-boot.bin"):
            (work / name).symlink_to(folder / name)
        self.card = work / "running.img"
        if card is not None:
            copy(card, self.card)
        self._key = work / "key"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self._key], check=True)
        (work / "authorized_keys").write_text((work / "key.pub").read_text())
        self._ports = reserve_port(), reserve_port()
        page, ssh = (str(one.getsockname()[1]) for one in self._ports)
        self.url = f"http://127.0.0.1:{page}"
        self._ssh: Sequence[str] = ("ssh", "-p", ssh, "root@127.0.0.1")
        self._environment = {"APPLIANCE_PAGE_PORT": page, "APPLIANCE_SSH_PORT": ssh, **(environment or {})}
        self._log = work / "serial.log"
        self._program: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.power_off()

    def reach_from(self, namespace: str, address: str) -> None:
        """From now on, people who look at it are in this network namespace, where it has this address."""
        self.url = f"http://{address}:5001"
        self._ssh = ("ip", "netns", "exec", namespace, "ssh", f"root@{address}")

    @property
    def serial(self) -> str:
        """What the serial line has shown since the latest power-on."""
        return self._log.read_text(errors="replace").replace("\r", "")

    @property
    def process(self) -> int:
        """The id of QEMU's process."""
        assert self._program is not None
        return self._program.pid

    def power_on(self, *files: Path, log: Path | None = None) -> None:
        """Start it, with these files and the test's key laid on the boot partition. `log`: gets what it writes."""
        environment = os.environ | self._environment | {"APPLIANCE_WRITE_LOG": str(log or "")}
        with self._log.open("wb") as serial:
            self._program = subprocess.Popen(
                [HERE / "run", self.work, self.work / "authorized_keys", *files],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=serial,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def power_off(self) -> None:
        """Take its power away."""
        if self._program is not None:
            os.killpg(self._program.pid, signal.SIGKILL)
            self._program.wait()
            self._program = None

    def restart(self) -> None:
        """Start it again in order; returns when U-Boot runs again."""
        starts = len(self.counters_at_starts())
        # An answer comes before the connection ends: a call without one would be made again after the restart.
        self.run("(sleep 1; systemctl reboot) </dev/null >/dev/null 2>&1 &")
        self.wait_for(COUNTERS, times=starts + 1)

    def wait_for_end(self) -> None:
        """Wait until it has switched itself off."""
        if self._program is not None:
            self._program.wait(PATIENCE_S)
            self._program = None

    def wait_for(self, pattern: str, *, times: int = 1, patience_s: float = PATIENCE_S) -> None:
        """Wait until the serial line has shown this."""
        deadline_s = time.monotonic() + patience_s
        while len(re.findall(pattern, self.serial)) < times:
            assert time.monotonic() < deadline_s, f"no {pattern} in:\n{self.serial[-6000:]}"
            assert self._program is not None
            assert self._program.poll() is None, self.serial[-6000:]
            time.sleep(0.2)

    def run(self, *words: str, check: bool = True) -> str:
        """Run a command on it by SSH, and return what it prints; waits until SSH answers."""
        options = [*SSH, f"UserKnownHostsFile={self.work}/known", f"IdentityFile={self._key}", "LogLevel=ERROR"]
        command = [*self._ssh, *(word for option in options for word in ("-o", option)), *words]
        deadline_s = time.monotonic() + PATIENCE_S
        while True:
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE_S)
            if done.returncode != 255:  # of ssh itself
                assert not check or done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
                return done.stdout
            if not check and self._program is not None and self._program.poll() is not None:
                return ""
            assert time.monotonic() < deadline_s, f"SSH does not answer: {done.stderr}\n{self.serial[-6000:]}"
            time.sleep(1)

    def tries(self, root: str) -> list[str]:
        """How many tries a root had left at each of its starts since the latest power-on, by U-Boot's words."""
        return re.findall(rf"Root {root}; (\d) more tries", self.serial)

    def counters_at_starts(self) -> list[tuple[str, str, str]]:
        """What U-Boot found at each of its starts since the latest power-on: the order, and the tries of A and B."""
        return re.findall(COUNTERS, self.serial)

    def counters(self) -> dict[str, str]:
        """The counters of boots as they are on the card."""
        return counters(self.card)


def device_tree(path: Path) -> None:
    """Write the device tree of the machine that image/run starts, for a test to change."""
    machine = ["-M", f"virt,acpi=off,dumpdtb={path}", "-cpu", "cortex-a72", "-smp", "2", "-m", "512"]
    subprocess.run(["qemu-system-aarch64", *machine], check=True, capture_output=True)


def hasty(work: Path, times: int) -> dict[str, str]:
    """More for image/run: a computer whose clock runs so many times as fast, and which is that much slower to itself.

    The kernel believes the device tree, which says that the timer ticks that much slower than it does.
    """
    tree = work / "hasty.dtb"
    device_tree(tree)
    subprocess.run(["fdtput", "-t", "i", tree, "/timer", "clock-frequency", str(TIMER_HZ // times)], check=True)
    return {"APPLIANCE_QEMU": f"{UNWATCHED['APPLIANCE_QEMU']} -dtb {tree}"}


def confirmed(root: str) -> str:
    """What the serial line shows when a root has proved itself, as a pattern."""
    return f"[Rr]oot {root} is confirmed"


def copy(source: Path, target: Path) -> None:
    """Copy a card or a partition; its holes stay holes."""
    subprocess.run(["cp", "--sparse=always", source, target], check=True)


def partition(number: int) -> tuple[int, int]:
    """Where a partition of the card begins and how long it is as it is flashed, in bytes; they count from 1."""
    sizes = _sizes(read_manifest())
    return partition_starts(sizes)[number - 1] * MIB, sizes[number - 1] * MIB


def _sizes(manifest: Manifest) -> tuple[int, ...]:
    return manifest.boot_mib, manifest.root_mib, manifest.root_mib, manifest.data_mib


def take_partition(card: Path, number: int, target: Path, *, whole: bool = False) -> None:
    """Copy a partition out of a card. `whole`: with all that follows on the card, as the last one grows."""
    start, size = partition(number)
    command = ["dd", f"if={card}", f"of={target}", "bs=1M", f"skip={start // MIB}", "conv=sparse", "status=none"]
    subprocess.run(command if whole else [*command, f"count={size // MIB}"], check=True)


def put_partition(source: Path, card: Path, number: int) -> None:
    """Write a partition onto a card."""
    start = partition(number)[0] // MIB
    subprocess.run(
        ["dd", f"if={source}", f"of={card}", "bs=1M", f"seek={start}", "conv=notrunc", "status=none"], check=True
    )


def counters(card: Path) -> dict[str, str]:
    """The counters of boots on a card."""
    block = mtools("mtype", card, "::ab.env")
    return {name: value for name, value in read_environment(block).items() if name.startswith("BOOT_")}


def environment_of(boot: Path) -> bytes:
    """The block of counters on a boot partition."""
    return mtools("mtype", boot, "::ab.env", start=0)


def set_counters(card: Path, work: Path, order: str, a: int, b: int) -> None:
    """Set the counters, as RAUC does after an update."""
    block = work / "ab.env"
    block.write_bytes(environment_block({"BOOT_ORDER": order, "BOOT_A_LEFT": str(a), "BOOT_B_LEFT": str(b)}))
    mtools("mcopy", card, "-o", str(block), "::ab.env")


def mtools(program: str, card: Path, *words: str, start: int = MIB) -> bytes:
    """Work on the boot partition, which begins there."""
    return subprocess.run(
        [program, "-i", f"{card}@@{start}", *words],
        env=os.environ | {"MTOOLS_SKIP_CHECK": "1"},
        capture_output=True,
        check=True,
    ).stdout
