"""The factory reset: the appliance forgets everything, and is as it was when it was plugged in for the first time.

The order is a marker in the state directory. The service that has taken it ends and becomes its successor, which finds
the marker before it opens anything: it opens the kernel, erases state and configuration, and starts as a new appliance,
which pairs with the next person. A crash or a power cut in between delays that until the next start, and a boot puts
nothing in force meanwhile.
"""

import logging
from contextlib import ExitStack
from pathlib import Path

from appliance.service.machines import CannotStart
from appliance.service.releasing import release_kernel
from appliance.system.erasure import Erased, erase
from appliance.system.ownership import OwnedElsewhere, own_state
from appliance.system.storage.config_files import ConfigFileWriter

log = logging.getLogger("appliance")


def finish_reset(state_dir: Path) -> Erased:
    """Carry out the reset that is ordered, before anything is opened. Raises `OSError`."""
    _, refusal = release_kernel()
    if refusal is not None:
        log.error("the kernel keeps what was blocked: %s", refusal)
    erased = erase(state_dir)
    log.warning("the appliance is reset: %d files, %d bytes are erased", erased.files, erased.bytes)
    return erased


def reset_now(state_dir: Path, config_file: Path | None) -> Erased:
    """Reset an appliance whose service does not run. Raises `CannotStart` where one does, or the medium refuses."""
    try:
        with ExitStack() as owned:
            own_state(state_dir, owned)
            fault = ConfigFileWriter(config_file, state_dir).order_reset()
            if fault is not None:
                raise CannotStart(f"nothing is reset: {fault}")
            return finish_reset(state_dir)
    except (OwnedElsewhere, OSError) as error:
        raise CannotStart(str(error)) from None
