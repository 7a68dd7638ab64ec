"""The command line: each verb calls the running service, or reads and writes the state directory itself.

The command `appliance` begins here. Under systemd, `appliance restore` does its work before the verbs are loaded, which
takes a sixth of it. Whatever else is called is for them to read.
"""

import gc
import os
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, NoReturn

from appliance.core.state_files import CONFIG_FILE

if TYPE_CHECKING:
    from pathlib import Path

# No module comes from the folder where it is called, and the columns of a traceback take half a megabyte.
SERVICE = ("-P", "-X", "no_debug_ranges", "-m", "appliance")


def begin() -> None:
    """Carry out the command that was called; ends the process."""
    state_dir = unit_state_dir()
    has_own_paths = {"APPLIANCE_CONFIG", "APPLIANCE_STATE_DIR"} & os.environ.keys()
    if state_dir and not has_own_paths and sys.argv[1:] == ["restore"]:
        config = CONFIG_FILE if os.path.exists(CONFIG_FILE) else ""  # noqa: PTH110  no `pathlib`
        sys.exit(_restore(config, state_dir))
    from appliance.cli.main import main as verbs

    verbs()


def unit_state_dir() -> str | None:
    """The state directory that systemd has made for the unit, the first of a list; `None`: this is no unit."""
    return os.environ.get("STATE_DIRECTORY", "").split(":")[0] or None


def restored(config: "Path | None", state_dir: "Path") -> str:
    """Put the saved blocks in force, in this process; returns a sentence. Raises what `restoring.restore` does."""
    gc.disable()  # nothing here becomes garbage, and looking for it doubles the time of 100,000 blocks
    from appliance.service.restoring import restore

    return restore(config, state_dir)


def _restore(config: str, state_dir: str) -> int:
    """Restore at a boot; returns the exit code."""
    from pathlib import Path

    try:
        print(restored(Path(config) if config else None, Path(state_dir)))
    except Exception as failure:  # noqa: BLE001  what is no fault that a person can mend is raised there again
        from appliance.cli.options import ended

        return ended(failure, as_json=False)
    return 0


def become_service(config: str, state_dir: str, flags: Iterable[str]) -> NoReturn:
    """Replace this process with the service: `appliance/__main__.py`, which says why, and what its words are."""
    words = [sys.argv[0], state_dir, config, *flags]
    os.execv(sys.executable, [sys.executable, *SERVICE, *words])  # noqa: S606
