"""How the tests are spread over processes that work side by side.

`tests/run` gives the whole suite to several workers of pytest-xdist; as soon as it is given the path of a file or
folder, all runs in one process, and starts at once. The tests mostly wait (for periods, deadlines and the kernel), so
that there are more workers than cores. A worker takes the tests of one file after the other (they may share a service),
or of all files of a group (`TOGETHER`), and then the next.

So each test has to bear any test of another file beside it:

- network: a lab has namespaces whose names contain the process's id; in them, all ports and tables of nftables are its
  own. What listens outside of them has a port that nobody else gets: 0, or one of `tests.ports.reserve_port`.
- files: in `tmp_path`, or in a mount namespace of its own.
- time: a busy machine lets a process wait for seconds. What is awaited has a deadline far beyond (`PATIENCE_S`), and
  what must not be late is judged by clocks that the test sets, or by the kernel's.

`tests/run -n0` runs all of it in one process, in order.
"""

import os

import pytest
from hypothesis import settings
from xdist.scheduler import LoadScopeScheduling

WORKERS_PER_CORE = 2
MOST_WORKERS = 4  # with two cores: 17 minutes became 6; more has not been measured

# Folders whose files run one after the other, in one worker.
TOGETHER = (
    "tests/abuse/",  # one service bears all of it; and two floods at once leave no processor for the honest client
)

settings.register_profile("suite", deadline=None)  # how long an example takes is the machine's business
settings.load_profile("suite")


class ByFile(LoadScopeScheduling):
    """Hands out files, and groups of files, in their order."""

    def _split_scope(self, nodeid: str) -> str:
        return next((folder for folder in TOGETHER if nodeid.startswith(folder)), nodeid.partition("::")[0])


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> ByFile:
    config.option.loadscopereorder = False  # the first folders are those that take longest
    return ByFile(config, log)


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """How many workers `-n auto` means."""
    if config.option.file_or_dir:
        return 0
    return min(WORKERS_PER_CORE * (os.cpu_count() or 1), MOST_WORKERS)
