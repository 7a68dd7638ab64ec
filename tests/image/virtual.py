"""A built image, running in QEMU's machine "virt", as tests see it from outside: serial line, SSH, the page's port."""

import os
import re
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from image.filesystems import read_environment
from image.manifest import HERE
from tests.ports import reserve_port

# Emulated without a hypervisor's help, beside other tests: from power to a login takes minutes.
PATIENCE_S = 900


class Virtual:
    """One card in one computer, which can be switched off and on. `folder`: with what image/build made."""

    def __init__(self, folder: Path, work: Path) -> None:
        self.folder, self.work = work, work
        for name in ("appliance.img", "u-boot.bin"):
            (work / name).symlink_to(folder / name)
        self.card = work / "running.img"
        self._key = work / "key"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self._key], check=True)
        (work / "authorized_keys").write_text((work / "key.pub").read_text())
        self._ports = reserve_port(), reserve_port()
        self.page, self.ssh_port = (one.getsockname()[1] for one in self._ports)
        self._log = work / "serial.log"
        self._program: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where the page is."""
        return f"http://127.0.0.1:{self.page}"

    @property
    def serial(self) -> str:
        """What the serial line has shown since the latest power-on."""
        return self._log.read_text(errors="replace").replace("\r", "")

    def power_on(self, *files: Path, log: Path | None = None) -> None:
        """Start it, with these files and the test's key laid on the boot partition. `log`: gets what it writes."""
        environment = os.environ | {"APPLIANCE_PAGE_PORT": str(self.page), "APPLIANCE_SSH_PORT": str(self.ssh_port)}
        environment["APPLIANCE_WRITE_LOG"] = str(log or "")
        with self._log.open("wb") as serial:
            self._program = subprocess.Popen(
                [HERE / "run", self.folder, self.work / "authorized_keys", *files],
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

    def wait_for_end(self) -> None:
        """Wait until it has switched itself off."""
        if self._program is not None:
            self._program.wait(PATIENCE_S)
            self._program = None

    def wait_for(self, pattern: str, *, times: int = 1) -> None:
        """Wait until the serial line has shown this."""
        deadline_s = time.monotonic() + PATIENCE_S
        while len(re.findall(pattern, self.serial)) < times:
            assert time.monotonic() < deadline_s, f"no {pattern} in:\n{self.serial[-6000:]}"
            assert self._program is not None
            assert self._program.poll() is None, self.serial[-6000:]
            time.sleep(0.5)

    def run(self, *words: str, check: bool = True) -> str:
        """Run a command on it by SSH, and return what it prints; waits until SSH answers."""
        options = ("StrictHostKeyChecking=no", f"UserKnownHostsFile={self.work}/known", "ConnectTimeout=20")
        command = ["ssh", "-q", "-i", str(self._key), "-p", str(self.ssh_port)]
        command += [word for option in options for word in ("-o", option)]
        deadline_s = time.monotonic() + PATIENCE_S
        while True:
            done = subprocess.run([*command, "root@127.0.0.1", *words], capture_output=True, text=True, check=False)
            if done.returncode != 255:  # of ssh itself
                assert not check or done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
                return done.stdout
            assert time.monotonic() < deadline_s, f"SSH does not answer:\n{self.serial[-6000:]}"
            time.sleep(2)

    def counters(self) -> dict[str, str]:
        """The counters of boots as they are on the card."""
        block = self._from_boot("ab.env")
        return {name: value for name, value in read_environment(block).items() if name.startswith("BOOT_")}

    def _from_boot(self, name: str) -> bytes:
        command: Sequence[str] = ["mtype", "-i", f"{self.card}@@1M", f"::{name}"]
        environment = os.environ | {"MTOOLS_SKIP_CHECK": "1"}
        return subprocess.run(command, env=environment, capture_output=True, check=True).stdout
