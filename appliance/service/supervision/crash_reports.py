"""Crash reports: what the service leaves of a failure, for who looks for its cause afterwards.

While it runs, a file waits open for what Python itself writes of every thread where the process is ended by a signal
(faulthandler: a fault in a library, the supervisor's SIGABRT). A failure of its own is written there too, with the
latest lines of the log. The next start puts it into the state directory, without secrets. Of kill -9, of the kernel's
when memory ran out, and of a power cut there is nothing to write.
"""

import faulthandler
import logging
import os
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from traceback import format_exception
from types import TracebackType
from typing import Self, TextIO

from appliance.core.access.redaction import redacted
from appliance.core.moment import Moment, at_epoch, timestamp
from appliance.system.storage.files import write_private

log = logging.getLogger(__name__)

FOLDER = "crashes"  # in the state directory
RUNNING = "crash"  # the file of the run, in memory where there is a runtime directory
MOST_REPORTS, HOUR = 5, timedelta(hours=1)  # so many an hour: one that always fails must not wear the medium out
LARGEST_BYTES = 65_536  # of a report: the stacks of twenty threads, or a long chain of exceptions
LATEST_LINES = 60  # of the log: about what a start writes
NEWS = timedelta(days=7)  # an older one is no issue any more
_NAME = "crash-%Y%m%dT%H%M%SZ.txt"


class LatestLines(logging.Handler):
    """The latest records of the log, in memory."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        self.lines: deque[str] = deque(maxlen=LATEST_LINES)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the record, with its exception."""
        self.lines.append(self.format(record)[:LARGEST_BYTES])


class CrashFolder:
    """The reports that earlier runs have left in the state directory; a run adds none while it goes on."""

    def __init__(self, state_dir: Path) -> None:
        self.path = state_dir / FOLDER
        self._left = self.reports()

    def reports(self) -> Sequence[Path]:
        """The reports, the oldest first; their names are times."""
        with suppress(OSError):
            return sorted(self.path.glob("crash-*.txt"))
        return ()

    def troubles(self, now: Moment) -> list[str]:
        """A sentence where the service has failed within a week and the report is still there."""
        since = (now.wall - NEWS).strftime(_NAME)
        recent = [one for one in self._left if one.name >= since and one.exists()]
        if not recent:
            return []
        at = datetime.strptime(recent[-1].name, _NAME).replace(tzinfo=UTC)
        return [f"the service failed at {timestamp(at)}; the report is in {recent[-1]}, and goes when you take it away"]

    def add(self, content: str, at: datetime, secrets: Sequence[str]) -> Path | None:
        """Keep a report, without secrets; `None`: there are enough of the latest hour. Raises `OSError`."""
        self.path.mkdir(mode=0o700, exist_ok=True)
        body = redacted(content, secrets)[-LARGEST_BYTES:]
        former = self.reports()
        if len(former) >= MOST_REPORTS and former[-MOST_REPORTS].name > (at - HOUR).strftime(_NAME):
            return None
        for one in former[: -(MOST_REPORTS - 1)]:
            one.unlink(missing_ok=True)
        from importlib import metadata  # which only who fails must load

        path = self.path / at.strftime(_NAME)
        title = f"appliance {metadata.version('appliance')} failed at {timestamp(at)}\n\n"
        write_private(path, f"{title}{body}".encode())
        return path


class CrashReports:
    """Watches one run, for the length of a `with`. `runtime`: a folder in memory; empty: there is none.

    `expected`: exceptions that say in one line why nothing could be started. `secrets`: reads what must not be told.
    """

    def __init__(
        self, state_dir: Path, runtime: str, expected: tuple[type[Exception], ...], secrets: Callable[[], Sequence[str]]
    ) -> None:
        self._folder, self._expected, self._secrets = CrashFolder(state_dir), expected, secrets
        self._path = Path(runtime) / RUNNING if runtime else self._folder.path / RUNNING
        self._latest = LatestLines()
        self._file: TextIO | None = None

    def __enter__(self) -> Self:
        """Keep what the former run has left, and wait for this one's."""
        logging.getLogger().addHandler(self._latest)
        try:
            self._keep_former()
            self._path.parent.mkdir(mode=0o700, exist_ok=True)
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        except OSError as error:
            log.warning("a failure of the service would leave no report: %s", error)
            return self
        self._file = os.fdopen(descriptor, "w")
        faulthandler.enable(self._file)
        return self

    def __exit__(self, _: object, error: BaseException | None, __: TracebackType | None) -> None:
        """Leave nothing, or what is known of this exception."""
        if isinstance(error, Exception) and not isinstance(error, self._expected):
            self.record("".join(format_exception(error)))
        logging.getLogger().removeHandler(self._latest)
        if self._file is None:
            return
        faulthandler.disable()
        with suppress(OSError):
            is_empty = not os.fstat(self._file.fileno()).st_size
            self._file.close()
            if is_empty:
                self._path.unlink(missing_ok=True)

    def record(self, text: str = "") -> None:
        """Write that the service has failed, and the latest lines of the log, where its cause is."""
        if self._file is not None:
            with suppress(OSError):
                self._file.write("\n".join([text, "The latest lines of the log:", *self._latest.lines]))
                self._file.flush()

    def _keep_former(self) -> None:
        if not self._path.exists() or not (facts := self._path.stat()).st_size:
            return
        with self._path.open("rb") as file:
            file.seek(max(0, facts.st_size - 2 * LARGEST_BYTES))
            content = file.read().decode(errors="replace")
        kept = self._folder.add(content, at_epoch(facts.st_mtime), self._secrets())
        log.error(
            "the former run of the service failed; what it left is %s", f"in {kept}" if kept else "not kept again"
        )
