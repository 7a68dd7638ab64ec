"""A computer to install on: this one's files under an overlay, which keeps all changes apart and is thrown away.

No systemd runs there, as in a container. The real `systemctl` enables and disables units as on a disk image; starts and
stops are recorded, and the tests carry them out.
"""

import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.lab.host import Host, Program

PROJECT = Path(__file__).parents[2]
COPIED = ("appliance", "deploy", "pyproject.toml", "README.md", "LICENSE")
PATH = "/noting:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
NOTING = """\
#!/bin/sh
echo "$*" >>/noting/calls
[ "$FAILING" != "$*" ] || exit 1
export SYSTEMD_OFFLINE=1
unit=/run/systemd/system.control/appliance.service
[ -e $unit ] || unit=/etc/systemd/system/appliance.service
case "$*" in
    stop*) [ ! -e /noting/pid ] || { kill "$(cat /noting/pid)"; rm /noting/pid; } ;;
    start*)
        [ -d /run/systemd/system ] || exit 0
        export STATE_DIRECTORY=/var/lib/appliance
        rm -f /noting/log
        $(sed -n 's/^ExecStart=//p' $unit) --simulate >/noting/log 2>&1 9>&- &
        echo $! >/noting/pid
        until grep -q ^Page: /noting/log; do kill -0 $! && sleep 0.1 || exit 1; done
        ;;
    *enable*) exec /usr/bin/systemctl "$@" ;;
    *disable*) exec /usr/bin/systemctl --quiet disable appliance.service appliance-restore.service ;; # none runs
esac
"""
# Python and pip, which make an environment without an index: it runs the project that pip is to install, with the
# packages of the tests. $NO_INDEX: pip fails, as it does without its index.
PYTHON = f"""\
#!/bin/sh
[ "$1" = -c ] && exit # it is good enough
[ "$1 $2 $3" = "-m venv --clear" ] || exec {sys.executable} "$@"
rm -rf "$4" && mkdir -p "$4/bin" && cp /noting/pip "$4/bin"
"""
PIP = f"""\
#!/bin/sh
[ -z "$NO_INDEX" ] || {{ echo "ERROR: No matching distribution found" >&2; exit 1; }}
for project; do :; done
case "$*" in *--editable*) ;; *) exit 0 ;; esac
for name in python appliance; do
    printf '#!/bin/sh\\nPYTHONPATH=%s exec %s "$@"\\n' "$project" "{sys.prefix}/bin/$name" >"${{0%/*}}/$name" || exit 1
    chmod +x "${{0%/*}}/$name"
done
"""
HOME = "opt/appliance"
RELEASE = f"{HOME}/releases/0.1.0-1"  # the first one
CURRENT = f"{HOME}/current"
RELEASE = f"{HOME}/releases/0.1.0-1"  # the first one
STATE = "var/lib/appliance"
CONFIG = "etc/appliance/appliance.toml"
UNITS = "etc/systemd/system"
# The environment of a unit's command: systemd's for a StateDirectory, and the path of fence.py.
GIVEN = {"STATE_DIRECTORY": f"/{STATE}", "PYTHONPATH": str(PROJECT)}


class Computer:
    """`root`: its file system; `written`: the overlay's changes; `network`: the host whose network it uses."""

    def __init__(self, root: Path, written: Path, network: Host) -> None:
        self.root = root
        self._written = written
        self._network = network

    def run(
        self, *command: str, environment: Mapping[str, str] | None = None, before: Sequence[str] = ()
    ) -> subprocess.CompletedProcess[str]:
        """Run a program there to its end. `before`: a command prefix outside of the computer."""
        return self._network.run([*before, *self._inside(command, environment)], check=False, timeout_s=600)

    def spawn(self, *command: str, environment: Mapping[str, str] | None = None) -> Program:
        """Start a program there that ends with the lab."""
        return self._network.spawn(self._inside(command, environment))

    def pretend_installation(self) -> None:
        """Put the tests' environment in place of the installed one."""
        show_environment(self.root / RELEASE / "environment")
        (self.root / CURRENT).symlink_to(f"/{RELEASE}")

    def pretend_index(self) -> None:
        """Make environments without an index from now on."""
        for name, text in {"python3.13": PYTHON, "pip": PIP}.items():
            (self.root / "noting" / name).write_text(text)
            (self.root / "noting" / name).chmod(0o755)

    def pretend_systemd(self) -> None:
        """Start the service from now on, on a simulated machine."""
        (self.root / "run/systemd/system").mkdir(parents=True)

    def written(self) -> set[str]:
        """The files that changed since the start, removed ones included."""
        return {str(one.relative_to(self._written)) for one in self._written.rglob("*") if not one.is_dir()}

    def calls(self) -> list[str]:
        """The recorded calls of `systemctl`, which are then cleared."""
        noted = self.root / "noting/calls"
        told = noted.read_text().splitlines() if noted.exists() else []
        noted.unlink(missing_ok=True)
        return told

    def _inside(self, command: Sequence[str], environment: Mapping[str, str] | None) -> list[str]:
        set_ = [f"{name}={value}" for name, value in {"PATH": PATH, **(environment or {})}.items()]
        return ["env", "-i", *set_, "chroot", str(self.root), *command]


def copy_project(folder: Path) -> None:
    """Copy into this folder what an installation copies."""
    for one in COPIED:
        if (PROJECT / one).is_dir():
            ignored = shutil.ignore_patterns("node_modules", "__pycache__")
            shutil.copytree(PROJECT / one, folder / one, ignore=ignored)
        else:
            shutil.copy(PROJECT / one, folder)


def show_environment(folder: Path) -> None:
    """Link the tests' environment into this folder."""
    folder.mkdir(parents=True)
    for one in Path(sys.prefix).iterdir():
        if not one.name.startswith("."):
            (folder / one.name).symlink_to(one)


@contextmanager
def computer(network: Host) -> Iterator[Computer]:
    """A computer on which nothing is installed."""
    base = Path(tempfile.mkdtemp(prefix="lab"))  # short, because a socket's name has at most 108 bytes
    try:
        _mount("-t", "tmpfs", "tmpfs", str(base))
        root, written, checkout = base / "root", base / "written", base / "checkout"
        root.mkdir()
        _cover(Path("/"), written, root)
        # The checkout may be on another disk. A character device 0/0 hides what deploy/run made, as overlayfs does.
        (checkout / ".venv").mkdir(parents=True)
        for one in {"run", *(one.name for one in (PROJECT / ".venv").glob("run-*"))}:
            os.mknod(checkout / ".venv" / one, stat.S_IFCHR, os.makedev(0, 0))
        _cover(PROJECT, checkout, root / PROJECT.relative_to("/"))
        _mount("-t", "proc", "proc", str(root / "proc"))
        _mount("--rbind", "--make-rslave", "/dev", str(root / "dev"))
        (root / "noting").mkdir()
        (root / "noting/systemctl").write_text(NOTING)
        (root / "noting/systemctl").chmod(0o755)
        yield Computer(root, written, network)
        if (root / "noting/pid").exists():
            os.kill(int((root / "noting/pid").read_text()), signal.SIGTERM)
    finally:
        subprocess.run(["umount", "--recursive", "--lazy", str(base)], check=False)
        base.rmdir()


def _cover(below: Path, written: Path, here: Path) -> None:
    """Mount `below` at `here`; changes go to `written`."""
    work = written.with_name(f"{written.name}-work")
    for folder in (written, work):
        folder.mkdir(exist_ok=True)
    _mount("-t", "overlay", "overlay", "-o", f"lowerdir={below},upperdir={written},workdir={work}", str(here))


def _mount(*words: str) -> None:
    subprocess.run(["mount", *words], check=True)
