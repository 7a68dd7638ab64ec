"""The service's process: `appliance run` becomes it, so that the command line is not in its memory.

`python -m appliance [COMMAND STATE_DIR CONFIG] [--simulate] [--json]`. COMMAND is what a person has called, and CONFIG
is empty where there is no file. The unit of systemd calls it without these three, and so does not start Python twice.
"""

import gc
import json
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import nullcontext, redirect_stdout, suppress
from io import TextIOWrapper
from pathlib import Path


def main() -> int:
    """Run the service; returns the exit code."""
    # Modules are no garbage, and looking for it takes an eighth of the time to load them. The service turns it on.
    gc.disable()
    os.environ["EVENTLET_NO_GREENDNS"] = "yes"  # saves 7 MB and 0.2 s; must be set before eventlet is imported
    from appliance.config import ConfigError
    from appliance.core.refusal import Refused
    from appliance.server.access import AccessError
    from appliance.service.machines import CannotStart

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal without UTF-8 shows "°C" somehow
    words = sys.argv[1:]
    if not words or words[0].startswith("--"):
        given, at = words_of_unit(os.environ), len(sys.orig_argv) - len(words)
        sys.orig_argv[at:at] = given  # by which the process replaces itself
        words = [*given, *words]
    command, state_dir, config, *flags = words
    sys.argv = [command]
    try:
        return _run(Path(config) if config else None, Path(state_dir), flags)
    except (AccessError, CannotStart, ConfigError, KeyboardInterrupt, OSError, Refused) as failure:
        from appliance.cli.options import ended  # loads the command line

        return ended(failure, as_json="--json" in flags)
    except MemoryError:  # of which a traceback says nothing more
        sys.stderr.write("There is no memory left: the service ends, and its supervisor starts it again.\n")
        return 1


def words_of_unit(environment: Mapping[str, str]) -> list[str]:
    """COMMAND, STATE_DIR and CONFIG in a unit of systemd, which has made the folder; a drop-in may name other paths."""
    from appliance.core.state_files import CONFIG_FILE

    state_dir = environment.get("APPLIANCE_STATE_DIR") or environment["STATE_DIRECTORY"].split(":")[0]
    config = environment.get("APPLIANCE_CONFIG") or (CONFIG_FILE if Path(CONFIG_FILE).exists() else "")
    return [str(Path(sys.executable).with_name("appliance")), state_dir, config]


def _run(config: Path | None, state_dir: Path, flags: Sequence[str]) -> int:
    from appliance.service.access.announcement import print_announcement
    from appliance.service.starting import run

    output = sys.stdout
    as_json = "--json" in flags
    show = (lambda facts: print(json.dumps(facts), file=output, flush=True)) if as_json else print_announcement
    with redirect_stdout(sys.stderr) if as_json else nullcontext():
        return run(config, state_dir, simulate="--simulate" in flags, show=show)


if __name__ == "__main__":
    exit_code = main()
    # All is closed. Threads of the pool may still be in a library, and the end of the interpreter would crash them.
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):  # whoever read it has gone
            stream.flush()
    os._exit(exit_code)
