"""The command line: each verb calls the running service, or reads and writes the state directory itself.

The command `appliance` begins here. Under systemd, `appliance run` becomes the service before the verbs are loaded,
which takes a tenth of a start on a small computer. Whatever else is called is for them to read.
"""

import os
import sys
from collections.abc import Iterable
from typing import NoReturn

from appliance.core.state_files import CONFIG_FILE

# No module comes from the folder where it is called, and the columns of a traceback take half a megabyte.
SERVICE = ("-P", "-X", "no_debug_ranges", "-m", "appliance")


def begin() -> None:
    """Carry out the command that was called; ends the process."""
    state_dir = unit_state_dir()
    has_own_paths = {"APPLIANCE_CONFIG", "APPLIANCE_STATE_DIR"} & os.environ.keys()
    if sys.argv[1:] == ["run"] and state_dir and not has_own_paths:
        become_service(CONFIG_FILE if os.path.exists(CONFIG_FILE) else "", state_dir, ())  # noqa: PTH110  no `pathlib`
    from appliance.cli.main import main as verbs

    verbs()


def unit_state_dir() -> str | None:
    """The state directory that systemd has made for the unit, the first of a list; `None`: this is no unit."""
    return os.environ.get("STATE_DIRECTORY", "").split(":")[0] or None


def become_service(config: str, state_dir: str, flags: Iterable[str]) -> NoReturn:
    """Replace this process with the service: `appliance/__main__.py`, which says why, and what its words are."""
    words = [sys.argv[0], state_dir, config, *flags]
    os.execv(sys.executable, [sys.executable, *SERVICE, *words])  # noqa: S606
