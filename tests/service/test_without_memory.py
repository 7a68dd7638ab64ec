"""Where there is no memory left, the process ends: eventlet alone would go on, with loops that never wake again."""

import subprocess
import sys

# Nothing else fails as surely for want of memory: a limit leaves what the process has free already.
PROGRAM = """
import eventlet
from eventlet.hubs import get_hub
from appliance.service.running import end_without_memory

def starve():
    raise MemoryError

end_without_memory()
get_hub().schedule_call_global(0, starve)
eventlet.sleep(3600)
"""


def test_a_want_of_memory_that_a_loop_meets_ends_the_process() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr.splitlines()[-1]) == (1, "MemoryError")
