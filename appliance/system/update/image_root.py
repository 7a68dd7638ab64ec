"""The image, as far as it says which root runs: by its files, and by the kernel's command line, which U-Boot wrote."""

from contextlib import suppress
from pathlib import Path

from appliance.core.operations.update import RunningRoot

VERSION = "usr/lib/appliance/build"
SETTINGS = "etc/rauc/system.conf"
COMMAND_LINE = "proc/cmdline"
SLOT = "rauc.slot="
NO_IMAGE = "this computer does not run from the image, so it is updated by its installer: sudo deploy/install"
OTHER = {"A": "B", "B": "A"}


def running_root(top: Path = Path("/")) -> RunningRoot | None:
    """The root that runs; `None`: this is not the image. `top`: another root folder, for tests."""
    try:
        words = (top / COMMAND_LINE).read_text().split()
        slot = next((word.removeprefix(SLOT) for word in words if word.startswith(SLOT)), "")
        return RunningRoot(slot, (top / VERSION).read_text().strip()) if slot in OTHER else None
    except OSError:
        return None


def compatible(settings: Path) -> str:
    """The kind of this computer, as RAUC's settings name it; empty where they do not."""
    from configparser import ConfigParser
    from configparser import Error as BadConfig

    parser = ConfigParser(interpolation=None)
    with suppress(BadConfig, UnicodeDecodeError):
        parser.read(settings)
    return parser.get("system", "compatible", fallback="")


def ports(top: Path = Path("/")) -> tuple[str, ...]:
    """The network ports that the kernel has drivers for."""
    try:
        return tuple(sorted(one.name for one in (top / "sys/class/net").iterdir() if (one / "device").exists()))
    except OSError:
        return ()
