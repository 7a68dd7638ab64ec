"""The Debian part of the image: the root of packages, whose scripts run under emulation, and what is unpacked."""

import hashlib
import os
import platform
import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from image.manifest import HERE, Manifest, Package, run

# Not needed by a computer that nobody logs in to. Copyright notices stay; they go into licences.tar.zst.
EXCLUDED = (
    "/usr/share/man/*", "/usr/share/info/*", "/usr/share/locale/*", "/usr/share/doc/*", "/usr/share/lintian/*",
    "/usr/share/bash-completion/*", "/usr/share/zsh/*", "/usr/lib/*/gconv/*", "/usr/share/bug/*",
)  # fmt: skip
INCLUDED = ("/usr/share/doc/*/copyright", "/usr/lib/*/gconv/gconv-modules*", "/usr/lib/*/gconv/UTF*")

# dpkg starts these for each package. Emulated, unpacking takes most of the time; so this computer's own stand in for
# them meanwhile.
NATIVE_TOOLS = ("/usr/bin/dpkg-deb", "/usr/bin/dpkg-split", "/bin/tar") if platform.machine() == "x86_64" else ()
NATIVE_LOADER = "/lib64/ld-linux-x86-64.so.2"
NATIVE_LIBRARIES = "/usr/lib/x86_64-linux-gnu"


def place_native_tools(root: Path) -> None:
    """Let native tools stand in for emulated ones. A diversion keeps dpkg from overwriting them."""
    if not NATIVE_TOOLS:
        return
    (root / "usr/lib64").mkdir()
    link_loader(root)
    for library in sorted({line for tool in NATIVE_TOOLS for line in _libraries(tool)}):
        target = root / library.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(library, target)
    for tool in NATIVE_TOOLS:
        here = _inside(root, tool)
        here.rename(here.with_name(f"{here.name}.emulated"))
        shutil.copy(tool, here)
    (root / "var/lib/dpkg/diversions").write_text("".join(_diversion(tool) for tool in NATIVE_TOOLS))


def link_loader(root: Path) -> None:
    """Let native programs find their loader. A folder instead of a link is taken for a /usr that is not merged."""
    if NATIVE_TOOLS and not (root / "lib64").exists():
        (root / "lib64").symlink_to("usr/lib64")


def remove_native_tools(root: Path) -> None:
    """Put the root's own tools back."""
    if not NATIVE_TOOLS:
        return
    for tool in NATIVE_TOOLS:
        here = _inside(root, tool)
        here.with_name(f"{here.name}.emulated").rename(here)
    diversions = root / "var/lib/dpkg/diversions"
    entries = diversions.read_text()
    for tool in NATIVE_TOOLS:  # dpkg has put them into an order of its own
        entries = entries.replace(_diversion(tool), "")
    diversions.write_text(entries)
    shutil.rmtree(root / NATIVE_LIBRARIES.lstrip("/"))
    shutil.rmtree(root / "usr/lib64")
    (root / "lib64").unlink()


def _diversion(tool: str) -> str:
    return f"{tool}\n{tool}.emulated\n:\n"  # from, to, by no package


def _libraries(tool: str) -> Iterator[str]:
    for line in run(["ldd", tool]).splitlines():
        words = line.split()
        if "=>" in words and words[2].startswith("/"):
            yield f"{NATIVE_LIBRARIES}/{Path(words[2]).name}"
    yield NATIVE_LOADER


def _inside(root: Path, path: str) -> Path:
    return root / path.lstrip("/")


def make_root(manifest: Manifest, lock: Iterable[Package], work: Path) -> Path:
    """Make the root as a tar file in `work`, beside the files of the packages that are unpacked.

    Without a lock, the latest versions are taken.
    """
    pinned = {how: [f"{one.name}={one.version}" for one in lock if one.how == how] for how in ("installed", "unpacked")}
    (work / "unpacked").mkdir(parents=True)
    (work / "lists").mkdir()
    (work / "preferences").write_text(preferences(lock))
    tar, hook = work / "root.tar", f"cd {HERE.parent} && /usr/bin/python3 -B -m image.debian"
    run(
        [
            "mmdebstrap", "--mode=root", "--variant=essential", f"--architectures={manifest.architecture}",
            f"--components={','.join(manifest.components)}",
            f"--include={','.join(pinned['installed'] or manifest.installed)}",
            "--aptopt=APT::Install-Recommends \"false\"", "--dpkgopt=force-unsafe-io",
            "--aptopt=Acquire::Retries \"3\"", # one of 200 downloads that fails does not end the build
            *(f"--dpkgopt=path-exclude={one}" for one in EXCLUDED),
            *(f"--dpkgopt=path-include={one}" for one in INCLUDED),
            "--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr",
            f'--setup-hook=cp {work}/preferences "$1"/etc/apt/preferences.d/lock',
            f'--extract-hook={hook} place "$1"',
            f'--essential-hook={hook} link "$1"',  # usr-is-merged has taken the link away
            f'--customize-hook={hook} remove "$1"',
            f'--customize-hook=cp "$1"/var/lib/apt/lists/*_Packages {work}/lists/',
            f'--customize-hook={hook} download {work}/unpacked {" ".join(pinned["unpacked"] or manifest.unpacked)}',
            f'--customize-hook=cp "$1"/var/lib/dpkg/status {work}/status',
            manifest.suite, tar,
        ],
        env=os.environ | {"SOURCE_DATE_EPOCH": str(manifest.epoch), "LC_ALL": "C.UTF-8"},
    )  # fmt: skip
    return tar


def preferences(lock: Iterable[Package]) -> str:
    """Return apt's preferences for the versions of the lock (apt_preferences(5)).

    What every Debian has is installed without a word about versions, by the latest ones; the lock's would be older.
    """
    return "".join(f"Package: {one.name}\nPin: version {one.version}\nPin-Priority: 1001\n\n" for one in lock)


def download(folder: Path, names: Iterable[str]) -> None:
    """Fetch packages that are not installed, by the root's own lists. The kernel's name leads to its latest version."""
    environment = os.environ | {"APT_CONFIG": os.environ["MMDEBSTRAP_APT_CONFIG"]}
    found = [_kernel(environment) if name == "linux-image-arm64" else name for name in names]
    run(["apt-get", "-o", "APT::Sandbox::User=root", "download", *found], cwd=folder, env=environment)


def _kernel(environment: Mapping[str, str]) -> str:
    for line in run(["apt-cache", "depends", "linux-image-arm64"], env=environment).splitlines():
        kind, _, name = line.strip().partition(" ")
        if kind == "Depends:":
            return name
    raise SystemExit("linux-image-arm64 depends on no kernel.")


def found_packages(work: Path) -> list[Package]:
    """Return what is installed and unpacked. Raises `SystemExit` where a file is not what Debian's list says."""
    sums = {
        (one["Package"], one["Version"], one["Architecture"]): one["SHA256"]
        for path in sorted((work / "lists").iterdir())
        for one in paragraphs(path.read_text())
    }
    installed = [
        Package("installed", *key, sums[key])
        for one in paragraphs((work / "status").read_text())
        for key in [(one["Package"], one["Version"], one["Architecture"])]
    ]
    return installed + [_unpacked(path, sums) for path in sorted((work / "unpacked").glob("*.deb"))]


def _unpacked(path: Path, sums: Mapping[tuple[str, str, str], str]) -> Package:
    fields = run(["dpkg-deb", "--field", path, "Package", "Version", "Architecture"])
    [one] = paragraphs(fields)
    key = (one["Package"], one["Version"], one["Architecture"])
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if sums.get(key) != found:
        raise SystemExit(f"{path.name} is not the file that Debian's list names.")
    return Package("unpacked", *key, found)


def paragraphs(text: str) -> Iterator[dict[str, str]]:
    """Yield the fields of each paragraph of a file in Debian's control format; lines that go on are left out."""
    for paragraph in text.strip().split("\n\n"):
        lines = (line.partition(": ") for line in paragraph.splitlines() if not line.startswith((" ", "\t")))
        if fields := {name.removesuffix(":"): value for name, _, value in lines}:
            yield fields


if __name__ == "__main__":
    import sys

    match sys.argv[1:]:
        case ["place", root]:
            place_native_tools(Path(root))
        case ["link", root]:
            link_loader(Path(root))
        case ["remove", root]:
            remove_native_tools(Path(root))
        case ["download", folder, *names]:
            download(Path(folder), names)
