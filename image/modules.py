"""The kernel's part of the image: the modules that are kept, and the initramfs, made on the building computer."""

import gzip
import os
import shutil
import stat
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from image.manifest import run

APPLETS = ("sh", "cat", "dd", "find", "mount", "od", "reboot", "sleep", "sort", "switch_root", "tr")


def dependencies(modules_dep: str) -> dict[str, tuple[str, ...]]:
    """Return what each module needs, by `modules.dep` of depmod: paths below the release's folder."""
    lines = (line.partition(":") for line in modules_dep.splitlines())
    return {module: tuple(needed.split()) for module, _, needed in lines}


def closure(wanted: Iterable[str], needs: Mapping[str, tuple[str, ...]]) -> set[str]:
    """Return the wanted modules with all that they need. depmod lists what is needed in the end, in one line."""
    chosen = set(wanted)
    return chosen.union(*(needs[one] for one in chosen))


def kept(names: Iterable[str], needs: Mapping[str, tuple[str, ...]]) -> set[str]:
    """Return the modules in these folders or files below kernel/, with all that they need.

    Raises `SystemExit` for a name that no module has: the kernel has changed.
    """
    found = {
        name: {one for one in needs if one == f"kernel/{name}" or one.startswith(f"kernel/{name}/")} for name in names
    }
    if missing := [name for name, modules in found.items() if not modules]:
        raise SystemExit(f"The kernel has no module {', '.join(missing)}; manifest.toml names it.")
    return closure(set().union(*found.values()), needs)


def prune(folder: Path, names: Iterable[str]) -> None:
    """Remove all modules but these, in the folder of a kernel's release."""
    keep = kept(names, dependencies((folder / "modules.dep").read_text()))
    for path in sorted(folder.rglob("*.ko")):
        if path.relative_to(folder).as_posix() not in keep:
            path.unlink()
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_dir() and not any(path.iterdir()):
            path.rmdir()


def make_initramfs(root: Path, release: str, names: Iterable[str], busybox: Path, init: Path, tree: Path) -> bytes:
    """Return an initramfs that loads these modules, and others of the kernel where a device asks for them by its alias.

    A name that is built into the kernel, or that it does not have, is left out.
    """
    folder = root / "usr/lib/modules" / release
    needs = dependencies((folder / "modules.dep").read_text())
    by_name = {Path(one).stem.replace("-", "_"): one for one in needs}
    inside = tree / "lib/modules" / release
    for module in sorted(closure((by_name[name] for name in names if name in by_name), needs)):
        (inside / module).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(folder / module, inside / module)
    for name in ("modules.order", "modules.builtin", "modules.builtin.modinfo"):
        shutil.copy(folder / name, inside / name)
    run(["depmod", "--basedir", tree, release])
    for name in ("bin", "sbin", "dev", "proc", "sys", "root"):
        (tree / name).mkdir()
    shutil.copy(busybox, tree / "bin/busybox")
    for applet in APPLETS:
        (tree / "bin" / applet).symlink_to("busybox")
    (tree / "sbin/modprobe").symlink_to("/bin/busybox")  # the kernel calls it here
    shutil.copy(init, tree / "init")
    (tree / "init").chmod(0o755)
    (tree / "modules").write_text("".join(f"{name}\n" for name in names if name in by_name))
    return gzip.compress(archive(tree), compresslevel=9, mtime=0)


def archive(tree: Path) -> bytes:
    """Return a tree as a cpio archive of the kernel's kind, "newc", with nothing in it that differs between two builds.

    Source: the kernel's Documentation/driver-api/early-userspace/buffer-format.rst.
    """
    parts = [part for number, path in enumerate(_sorted(tree), start=1) for part in _member(tree, path, number)]
    return b"".join([*parts, *_record("TRAILER!!!", 0, 0, b"")])


def _sorted(tree: Path) -> Iterator[Path]:
    return iter(sorted(tree.rglob("*")))


def _member(tree: Path, path: Path, number: int) -> Iterator[bytes]:
    mode = path.lstat().st_mode
    kind = stat.S_IFMT(mode)
    content = b""
    if kind == stat.S_IFLNK:
        content, bits = os.fsencode(path.readlink()), 0o777
    elif kind == stat.S_IFREG:
        content, bits = path.read_bytes(), 0o755 if mode & 0o100 else 0o644
    else:
        bits = 0o755
    return _record(path.relative_to(tree).as_posix(), number, kind | bits, content)


def _record(name: str, number: int, mode: int, content: bytes) -> Iterator[bytes]:
    encoded = name.encode() + b"\0"
    # magic, then: inode, mode, owner, group, links, time, size, device and special device in two halves each, length of
    # the name, sum
    fields = (number, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(encoded), 0)
    yield _padded(b"070701" + b"".join(b"%08X" % field for field in fields) + encoded)
    yield _padded(content)


def _padded(part: bytes) -> bytes:
    return part + b"\0" * (-len(part) % 4)
