"""Builds the card's image, step by step: `python3 -m image.card [--renew] [--fresh] [FOLDER]`, as image/build does."""

import hashlib
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from image import debian
from image.filesystems import (
    DATA_FEATURES,
    ROOT_FEATURES,
    environment_block,
    make_card,
    make_ext4,
    make_fat,
    set_times,
)
from image.manifest import HERE, LOCK, PROJECT, Manifest, Package, differences, lock_text, read_lock, read_manifest, run
from image.modules import make_initramfs, prune
from image.papers import bill
from image.programs import PROGRAMS, PYTHON, install_programs

# panic: a kernel that cannot go on starts again, and U-Boot counts. fsck.repair: nobody is there to be asked.
ARGUMENTS = "panic=10 fsck.repair=yes loglevel=4"
FIRST_COUNTERS = {"BOOT_ORDER": "A B", "BOOT_A_LEFT": "3", "BOOT_B_LEFT": "0"}  # root B is empty
FIRMWARE = ("bootcode.bin", "start.elf", "start4.elf", "fixup.dat", "fixup4.dat")
DEVICE_TREES = ("bcm2837-rpi-*.dtb", "bcm2711-rpi-*.dtb")  # 3, Zero 2 W; 4, 400, CM4

# What the root has and the appliance does not need, or what must differ from one appliance to another.
REMOVED = (
    *("var/*", "dev/*", "run/*", "tmp/*", "boot/*", "root/.*", "etc/ssh/ssh_host_*", "etc/apt", "etc/.pwd.lock"),
    *("etc/hostname", "etc/machine-id", "etc/*-", "usr/share/doc", "usr/share/common-licenses"),
    *("usr/share/i18n", "usr/share/locale", "usr/share/pixmaps", "usr/share/lintian", "usr/share/man"),
    *("usr/share/info", "usr/lib/python3.11/test", "usr/lib/python3.11/idlelib", "usr/lib/python3.11/lib2to3"),
)
LICENCES = ("usr/share/doc", "usr/share/common-licenses")


def step(words: str) -> None:
    """Say what is done now, and after how many seconds."""
    print(f"{time.monotonic() - STARTED_S:5.0f} s  {words}", file=sys.stderr, flush=True)


STARTED_S = time.monotonic()


def debian_parts(manifest: Manifest, cache: Path, *, renew: bool, fresh: bool) -> tuple[Path, list[Package]]:
    """Return the folder with the Debian root and packages, as the lock pins them, and what they are."""
    lock = [] if renew else read_lock()
    if not lock and not renew:
        raise SystemExit("There is no image/packages.lock; image/build --renew writes it.")
    here = cache / f"debian-{_key(manifest, lock)}"
    if renew or fresh or not here.exists():
        step("installing Debian packages under emulation")
        with tempfile.TemporaryDirectory(dir=cache) as folder:
            work = Path(folder) / "work"
            debian.make_root(manifest, lock, work)
            found = debian.found_packages(work)
            if renew:
                LOCK.write_text(lock_text(found))
                here = cache / f"debian-{_key(manifest, found)}"
            elif faults := differences(lock, found):
                raise SystemExit("\n".join(["The root is not what the lock pins:", *faults]))
            shutil.rmtree(here, ignore_errors=True)
            work.rename(here)
    return here, read_lock()


def _key(manifest: Manifest, packages: list[Package]) -> str:
    made_from = f"{manifest.epoch}\n{lock_text(packages)}\n{(HERE / 'debian.py').read_text()}"
    return hashlib.sha256(made_from.encode()).hexdigest()[:16]


def unpack(parts: Path, work: Path) -> Path:
    """Unpack the root, and each other package into a folder beside it; return the root."""
    root = work / "root"
    root.mkdir()
    run(["tar", "--extract", "--numeric-owner", "--file", parts / "root.tar", "--directory", root])
    (work / "unpacked").mkdir()
    for package in sorted((parts / "unpacked").glob("*.deb")):
        run(["dpkg-deb", "--extract", package, work / "unpacked" / package.name.partition("_")[0]])
    return root


def install_kernel(root: Path, manifest: Manifest, work: Path) -> None:
    """Put the kernel, its modules and the initramfs into the root, where U-Boot reads them."""
    [kernel] = (work / "unpacked").glob("linux-image-*")
    [release] = [path.name for path in (kernel / "lib/modules").iterdir()]
    modules = root / "usr/lib/modules" / release
    shutil.copytree(kernel / "lib/modules" / release, modules)
    run(["depmod", "--basedir", root, release])
    prune(modules, manifest.kept_modules)
    run(["depmod", "--basedir", root, release])
    shutil.copy(kernel / f"boot/vmlinuz-{release}", root / "boot/vmlinuz")
    busybox = work / "unpacked/busybox-static/bin/busybox"
    initramfs = make_initramfs(
        root, release, manifest.initramfs_modules, busybox, HERE / "boot/init", work / "initramfs"
    )
    (root / "boot/initrd").write_bytes(initramfs)


def clean(root: Path, work: Path) -> None:
    """Take out of the root what it does not need; the licences go beside the image."""
    licences = work / "licences"
    for name in LICENCES:
        if (root / name).exists():
            shutil.copytree(root / name, licences / name, symlinks=True, ignore_dangling_symlinks=True)
    for unpacked in (work / "unpacked").iterdir():
        for notice in unpacked.glob("usr/share/doc/*/copyright"):
            target = licences / notice.relative_to(unpacked)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(notice, target)
    for pattern in REMOVED:
        for path in sorted(root.glob(pattern)):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
    (root / "etc/resolv.conf").unlink(missing_ok=True)  # a link to what is only there at run time: no pattern finds it
    (root / "etc/resolv.conf").symlink_to("../run/systemd/resolve/stub-resolv.conf")
    (root / "etc/machine-id").touch()  # systemd fills it in memory


def source_epoch(manifest: Manifest) -> int:
    """When the source was last changed, in seconds: an appliance takes no bundle of an older one.

    That is SOURCE_DATE_EPOCH where it is set, else the time of the latest commit, else that of the manifest.
    """
    if given := os.environ.get("SOURCE_DATE_EPOCH"):
        return int(given)
    trusted = f"safe.directory={PROJECT}"  # root asks about an ordinary user's checkout
    words = ["git", "-c", trusted, "-C", str(PROJECT), "log", "-1", "--format=%ct"]
    if shutil.which("git") is None:
        return manifest.epoch
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    return int(done.stdout) if done.returncode == 0 else manifest.epoch


def write_version(root: Path, epoch: int) -> str:
    """Write the version of this root into it, and return it: when its source was made, and a digest of its content."""
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*")):
        mode = path.lstat().st_mode
        digest.update(f"{path.relative_to(root)} {mode:o}\0".encode())
        if stat.S_ISLNK(mode):
            digest.update(os.fsencode(path.readlink()))
        elif stat.S_ISREG(mode):
            digest.update(path.read_bytes())
    version = f"{datetime.fromtimestamp(epoch, UTC):%Y%m%dT%H%M%SZ}-{digest.hexdigest()[:16]}"
    (root / "usr/lib/appliance/build").write_text(f"{version}\n")
    return version


def boot_tree(manifest: Manifest, work: Path) -> Path:
    """Gather the boot partition: the Pi's firmware, U-Boot, its script, the counters, and words for people."""
    tree = work / "boot"
    shutil.copytree(HERE / "boot", tree, ignore=shutil.ignore_patterns("boot.cmd", "init"))
    unpacked = work / "unpacked"
    for name in FIRMWARE:
        shutil.copy(unpacked / "raspi-firmware/usr/lib/raspi-firmware" / name, tree)
    shutil.copy(unpacked / "u-boot-rpi/usr/lib/u-boot/rpi_arm64/u-boot.bin", tree)
    [kernel] = unpacked.glob("linux-image-*")
    for pattern in DEVICE_TREES:
        for path in kernel.glob(f"usr/lib/linux-image-*/broadcom/{pattern}"):
            shutil.copy(path, tree)
    (tree / "ab.env").write_bytes(environment_block(FIRST_COUNTERS))
    script = work / "boot.cmd"
    script.write_text(boot_script(manifest))
    run(
        ["mkimage", "-A", "arm64", "-T", "script", "-C", "none", "-n", "appliance", "-d", script, tree / "boot.scr"],
        env=os.environ | {"SOURCE_DATE_EPOCH": str(manifest.epoch)},
    )
    return tree


def boot_script(manifest: Manifest) -> str:
    """Return the script of U-Boot with its values."""
    text = (HERE / "boot/boot.cmd").read_text()
    return text.replace("@DISK_ID@", manifest.disk_id).replace("@ARGUMENTS@", ARGUMENTS)


def data_tree(work: Path) -> Path:
    """Gather the data partition: empty folders, as the first start would make them."""
    tree = work / "data"
    for name in ("state", "systemd", "configuration", "ssh", "network"):
        (tree / name).mkdir(parents=True)
    for name in ("state", "ssh"):
        (tree / name).chmod(0o700)
    return tree


def make_image(manifest: Manifest, parts: Path, packages: list[Package], work: Path, folder: Path) -> None:
    """Make the image and its papers in `folder`."""
    step("unpacking")
    root = unpack(parts, work)
    step("kernel and initramfs")
    clean(root, work)
    install_kernel(root, manifest, work)
    step("programs")
    install_programs(root, parts.parent)
    version = write_version(root, source_epoch(manifest))
    step(f"file systems of root {version}")
    trees = {"boot": boot_tree(manifest, work), "root": root, "data": data_tree(work)}
    for tree in trees.values():
        set_times(tree, manifest.epoch)
    images = {name: work / f"{name}.img" for name in trees}
    mib, epoch = {"root": manifest.root_mib, "data": manifest.data_mib}, manifest.epoch
    for name, features in (("root", ROOT_FEATURES), ("data", DATA_FEATURES)):
        label = f"appliance-{name}"
        make_ext4(images[name], trees[name], mib[name], label=label, features=features, epoch=epoch)
    label = "APPLIANCE"
    make_fat(images["boot"], trees["boot"], manifest.boot_mib, label=label, disk_id=manifest.disk_id, epoch=epoch)
    card = folder / "appliance.img"
    make_card(card, manifest, images["boot"], images["root"], images["data"])
    step("papers, and compressing")
    write_papers(packages, root, work, folder, epoch)
    run(["zstd", "-q", "-f", "-12", "-T0", card, "-o", folder / "appliance.img.zst"])
    shutil.copy(work / "unpacked/u-boot-qemu/usr/lib/u-boot/qemu_arm64/u-boot.bin", folder)
    write_sums(folder)


def write_papers(packages: list[Package], root: Path, work: Path, folder: Path, epoch: int) -> None:
    """Write the bill of materials and the licences."""
    site = root / PROGRAMS.lstrip("/") / f"environment/lib/python{PYTHON}/site-packages"
    timestamp = datetime.fromtimestamp(epoch, UTC).isoformat()
    page_lock = PROJECT / "appliance/dashboard/package-lock.json"
    (folder / "sbom.cdx.json").write_bytes(bill(packages, site, page_lock, timestamp=timestamp))
    run(
        [
            *("tar", "--create", "--zstd", "--sort=name", f"--mtime=@{epoch}", "--owner=0", "--group=0"),
            *("--numeric-owner", "--file", folder / "licences.tar.zst", "--directory", work, "licences"),
        ]
    )


def write_sums(folder: Path) -> None:
    """Write the sums of all files of the image."""
    lines = []
    for name in ("appliance.img", "appliance.img.zst", "licences.tar.zst", "sbom.cdx.json", "u-boot.bin"):
        with (folder / name).open("rb") as file:
            lines.append(f"{hashlib.file_digest(file, 'sha256').hexdigest()}  {name}\n")
    (folder / "SHA256SUMS").write_text("".join(lines))


def main(words: list[str]) -> None:
    """Build the image into the named folder."""
    os.umask(0o022)
    options = {word for word in words if word.startswith("--")}
    folder = Path(next((word for word in words if word not in options), PROJECT / "dist/image"))
    cache = Path(os.environ.get("APPLIANCE_IMAGE_CACHE", Path.home() / ".cache/appliance-image"))
    cache.mkdir(parents=True, exist_ok=True)
    folder.mkdir(parents=True, exist_ok=True)
    manifest = read_manifest()
    parts, packages = debian_parts(manifest, cache, renew="--renew" in options, fresh="--fresh" in options)
    with tempfile.TemporaryDirectory(dir=cache) as work:
        make_image(manifest, parts, packages, Path(work), folder)
    step(f"made in {folder}")
    for name in ("appliance.img.zst", "SHA256SUMS"):
        print(f"{(folder / name).stat().st_size / 1e6:8.1f} MB  {folder / name}", file=sys.stderr)


if __name__ == "__main__":
    main(sys.argv[1:])
