"""A computer with a fresh Debian 12 whose first process is systemd: a container in a namespace of the test.

systemd-nspawn gives it this computer's kernel, and else its own: files, processes, and a network that begins anew with
each start, as after a boot.
"""

import os
import signal
import subprocess
import time
import uuid
from pathlib import Path
from typing import Self

from tests.lab.host import Host, Program

PATIENCE_S = 900  # an installation takes a minute on a computer that does nothing else
BRIDGE, CARD, STICK = "br0", "host0", "/media/stick"
REBOOTED = 133  # the exit code of systemd-nspawn
INDEX = "10.30.0.1"  # where make_debian has the computer look for packages
# By an overlay, all that is written stays apart from the fresh files. A kernel may show the former kind of control
# groups to this computer; units see the present one. What a container may not do by itself and a computer may: eBPF,
# and reading the clock's state.
START = f"""
set -e
mount -t overlay overlay -o "lowerdir=$1/root,upperdir=$2/written,workdir=$2/work" "$2/root"
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount -t tmpfs tmpfs /run
exec systemd-nspawn --quiet --boot --register=no --keep-unit --directory "$2/root" --machine fresh --console=pipe \
    --network-bridge={BRIDGE} --bind "$3:{STICK}" --capability=all --link-journal=no --resolv-conf=off --timezone=off \
    --system-call-filter="bpf perf_event_open adjtimex clock_adjtime"
"""
ENVIRONMENT = {"HOME": "/root", "LANG": "C.UTF-8"}


class Guest:
    """One computer. `debian`: the folder of make_debian; `stick`: a folder that it has, too; `line`: its network."""

    def __init__(self, debian: Path, work: Path, stick: Path, line: Host) -> None:
        self._debian = debian
        self._work = work
        self._stick = stick
        self._line = line
        self._program: Program | None = None
        for name in ("written/etc", "work", "root"):
            (work / name).mkdir(parents=True)
        index = f"index-url = http://{INDEX}:8000/simple\ntrusted-host = {INDEX}\n"
        (work / "written/etc/pip.conf").write_text(f"[global]\n{index}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._program is not None:
            self._end()

    def power_on(self) -> None:
        """Start it, and wait until all its services have started."""
        places = [str(one) for one in (self._debian, self._work, self._stick)]
        self._program = self._line.spawn(["bash", "-c", START, "start", *places])
        deadline_s = time.monotonic() + PATIENCE_S
        while not self._has_started():
            assert time.monotonic() < deadline_s, self._program.output
            time.sleep(0.1)

    def power_off(self) -> None:
        """Switch it off, as a person does who has time."""
        self._leave("poweroff", 0)

    def reboot(self) -> None:
        """Start it again, as a person does who has time."""
        self._leave("reboot", REBOOTED)
        self.power_on()

    def cut_power(self) -> None:
        """Take its power away, and give it back."""
        self._end()
        self.power_on()

    def unplug(self) -> None:
        """Leave it without a network: no interface is up."""
        self.run(f"ifdown {CARD}")
        assert " UP " not in self.run("ip -brief link show up | grep -v ^lo || true").stdout

    def plug_in(self) -> None:
        """Put the cable back."""
        self.run(f"ifup {CARD}")

    def run(self, script: str, *, code: int = 0) -> subprocess.CompletedProcess[str]:
        """Run a script of bash to its end, as root, which must have this exit code."""
        done = self._carry_out(script, "--pipe", "--wait")
        assert done.returncode == code, f"{script}: ended with {done.returncode}\n{done.stdout}{done.stderr}"
        return done

    def begin(self, script: str) -> None:
        """Start a script of bash."""
        self._carry_out(script)

    def _carry_out(self, script: str, *how: str) -> subprocess.CompletedProcess[str]:
        # On the stick, because systemd expands the words of a command; by a name of its own, as several may run.
        name = f"{uuid.uuid4()}.sh"
        (self._stick / name).write_text(script)
        given = [f"--setenv={one}={value}" for one, value in ENVIRONMENT.items()]
        words = ["--quiet", "--collect", "--working-directory=/root", *given, "bash", f"{STICK}/{name}"]
        return self._enter("systemd-run", *how, *words)

    def _enter(self, *words: str) -> subprocess.CompletedProcess[str]:
        inside = ["nsenter", "--all", "--target", self._first_process(), "--", *words]
        return subprocess.run(inside, capture_output=True, text=True, check=False, timeout=PATIENCE_S)

    def _first_process(self) -> str:
        """Its process 1, as this computer counts; empty where none is there now."""
        assert self._program is not None
        process = self._program.process
        assert process.poll() is None, self._program.output
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        return children[0] if children else ""

    def _leave(self, how: str, code: int) -> None:
        assert self._program is not None
        self._enter("systemctl", how)
        assert self._program.process.wait(PATIENCE_S) == code, self._program.output
        self._program = None

    def _end(self) -> None:
        assert self._program is not None
        if self._program.process.poll() is None and (first := self._first_process()):
            os.kill(int(first), signal.SIGKILL)  # all others end with it
        self._program.process.wait(PATIENCE_S)
        self._program = None

    def _has_started(self) -> bool:
        if not self._first_process():
            return False
        return self._enter("systemctl", "is-system-running", "--wait").stdout.strip() in {"running", "degraded"}
