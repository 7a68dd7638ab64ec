"""The appliance's own part of the root: its Python packages, by wheels for the Pi, its units and its commands."""

import os
import shutil
import sys
import tempfile
from pathlib import Path

from image.manifest import HERE, PROJECT, run

# Debian 12 has glibc 2.36. pip takes these names one by one, and not those below a name.
PLATFORMS = ("manylinux2014_aarch64", *(f"manylinux_2_{minor}_aarch64" for minor in range(17, 37)))
PYTHON = "3.11"
PROGRAMS = "/opt/appliance/releases/image"

COMMAND = f"""#!{PROGRAMS}/environment/bin/python
import sys

from appliance.cli import begin

sys.exit(begin())
"""
# Loads what the service loads, and all that it may open of this computer.
ARCHIVE = """
import sys
from importlib import import_module
from pkgutil import walk_packages

import appliance.__main__, appliance.service.starting, appliance.service.restoring, appliance.service.real_machine
import appliance.system
from appliance.code_archive import write_archive

for one in walk_packages(appliance.system.__path__, "appliance.system."):
    import_module(one.name)
write_archive(f"{appliance.__path__[0]}/start.code", sys.modules.values())
"""
ENABLED = (
    "appliance.service", "appliance-restore.service", "appliance-storage.service", "appliance-first-start.service",
    "appliance-network.service", "appliance-network-trial.path", "appliance-confirm.service", "appliance-update.path",
    "ssh.service", "systemd-networkd.service", "systemd-resolved.service", "systemd-timesyncd.service",
)  # fmt: skip
# The first waits for all interfaces, of which one may have no cable; the last confirms each start without a proof; the
# others look after other disks and packages.
MASKED = (
    "systemd-networkd-wait-online.service", "e2scrub_reap.service", "e2scrub_all.timer", "fstrim.timer",
    "dpkg-db-backup.timer", "apt-daily.timer", "apt-daily-upgrade.timer", "rauc-mark-good.service",
    "systemd-binfmt.service", "proc-sys-fs-binfmt_misc.automount",
)  # fmt: skip


def install_programs(root: Path, cache: Path) -> None:
    """Put the appliance into a Debian root."""
    _install_packages(root, cache)
    shutil.copytree(HERE / "root", root, dirs_exist_ok=True, symlinks=True, copy_function=_copy)
    for unit in sorted((PROJECT / "deploy/systemd").iterdir()):
        shutil.copyfile(unit, root / "etc/systemd/system" / unit.name)
    command = root / "usr/local/bin/appliance"
    shutil.copyfile(PROJECT / "deploy/command", command)
    command.chmod(0o755)
    shutil.copyfile(os.environ["APPLIANCE_UPDATE_CERTIFICATE"], root / "etc/rauc/keyring.pem")
    for folder in ("boot/firmware", "data", "etc/appliance", "opt/appliance/root"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    run(["systemctl", f"--root={root}", "enable", *ENABLED])
    run(["systemctl", f"--root={root}", "mask", *MASKED])
    run(["systemctl", f"--root={root}", "set-default", "multi-user.target"])


def _copy(source: str, target: str) -> None:
    shutil.copyfile(source, target)
    Path(target).chmod(0o755 if Path(source).stat().st_mode & 0o100 else 0o644)


def _install_packages(root: Path, cache: Path) -> None:
    environment = root / PROGRAMS.lstrip("/") / "environment"
    packages = environment / f"lib/python{PYTHON}/site-packages"
    packages.mkdir(parents=True)
    [wheel] = (PROJECT / "dist").glob("appliance-*.whl")
    with tempfile.TemporaryDirectory() as folder:
        run([sys.executable, "-m", "venv", folder])
        pip = [f"{folder}/bin/pip", "--disable-pip-version-check", "--cache-dir", cache / "pip", "install", "--quiet"]
        target = ["--target", packages, "--no-deps", "--no-compile", "--no-warn-conflicts"]
        chosen = [f"--platform={one}" for one in PLATFORMS]
        chosen += ["--implementation=cp", f"--python-version={PYTHON}", "--only-binary=:all:"]
        lock = ["--require-hashes", "--requirement", PROJECT / "deploy/requirements.lock"]
        run([*pip, *target, *chosen, *lock])
        run([*pip, *target, wheel])
    shutil.rmtree(packages / "bin", ignore_errors=True)
    for name in ("direct_url.json", "RECORD"):  # the folder of the build is in them, or in what they sum up
        for record in packages.glob(f"*.dist-info/{name}"):
            record.unlink()
    scripts = environment / "bin"
    scripts.mkdir()
    (scripts / "python").symlink_to(f"/usr/bin/python{PYTHON}")
    (scripts / "appliance").write_text(COMMAND)
    (scripts / "appliance").chmod(0o755)
    (environment / "pyvenv.cfg").write_text("home = /usr/bin\ninclude-system-site-packages = false\n")
    (root / "opt/appliance/current").symlink_to("releases/image")
    compile_programs(root, packages, root / f"usr/lib/python{PYTHON}")
    archive_programs(root)
    # Debian's package of time zones has the same ones again, and Python looks for them there first.
    (root / "usr/share/zoneinfo").symlink_to(f"{PROGRAMS}/environment/lib/python{PYTHON}/site-packages/tzdata/zoneinfo")


def archive_programs(root: Path) -> None:
    """Put the code of all that a start loads into one file, in that order; the root's own Python finds out which."""
    python = ["chroot", root, f"{PROGRAMS}/environment/bin/python", "-P", "-B", "-W", "ignore"]
    # As the service is started, and in the same order in each build.
    run([*python, "-c", ARCHIVE], env=os.environ | {"EVENTLET_NO_GREENDNS": "yes", "PYTHONHASHSEED": "0"})


def compile_programs(root: Path, *folders: Path) -> None:
    """Compile all Python programs of these folders, Debian's own again: a start does not read their sources.

    The root cannot be written, so nothing has to be compared with its source. Debian's package compiles the standard
    library so that each import reads and sums the source.
    """
    placed = ["-s", root, "-p", "/"]  # the paths that are in tracebacks
    mode = "--invalidation-mode=unchecked-hash"
    run(["/usr/bin/python3", "-X", "no_debug_ranges", "-m", "compileall", "-q", "-f", "-j0", mode, *placed, *folders])
