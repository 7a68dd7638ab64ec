"""Keeps the alerts that were sent in a file of lines of JSON, so that a restart loses none of them.

A line is written in one piece and synced later: a power cut loses alerts of the last seconds at most, and every client
that was connected has received them. The file is rewritten when it is twice as long as what is kept.
"""

import errno
import logging
import os
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta, Raw, Struct

from appliance.core.alerting.journal import LARGEST_NUMBER, MOST_KEPT, SentAlert
from appliance.system.storage.files import sync, write_whole

log = logging.getLogger(__name__)

LARGEST_FILE_BYTES = 1 << 22  # twice what is kept, each as long as an alert can be, is 2 MB


class _AlertLine(Struct, frozen=True):
    """One line of the file."""

    number: Annotated[int, Meta(ge=0, le=LARGEST_NUMBER)]
    name: str
    room: str
    content: Raw


class AlertFile:
    """`ports.AlertLog` in one file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lines = 0
        self._is_broken = False
        self._held: deque[SentAlert] | None = None  # what waits for `release`; `None`: nothing is held

    def read(self) -> list[SentAlert]:
        """The latest alerts, oldest first; lines that cannot be read are left out."""
        try:
            if self._path.exists() and not self._path.is_file():
                raise OSError(errno.EINVAL, "it is no file")  # a pipe would be waited for without end
            with self._path.open("rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - LARGEST_FILE_BYTES))  # the latest are at the end
                lines = file.read().splitlines()
        except FileNotFoundError:
            return []
        except OSError as error:
            log.error("%s: cannot be read and is begun again: %s", self._path, error.strerror)
            return []
        self._lines = len(lines)
        alerts = [alert for alert in map(_alert, lines) if alert is not None]
        kept = sorted(alerts, key=lambda alert: alert.number)[-MOST_KEPT:]
        self._rewrite(kept)  # which also ends a line that a power cut has torn
        return kept

    def hold(self) -> None:
        """Write nothing from now on: alerts are kept in memory, the latest."""
        self._held = deque(maxlen=MOST_KEPT) if self._held is None else self._held

    def settle(self) -> None:
        """Wait until all lines are on the medium; it may run in another thread."""
        with suppress(OSError):
            sync(self._path)

    def release(self) -> None:
        """Write the alerts that were held."""
        held, self._held = self._held or (), None
        for alert in held:
            self.append(alert)

    def append(self, alert: SentAlert) -> None:
        """Write the alert to the file; the first of several failures is logged."""
        if self._held is not None:
            self._held.append(alert)
            return
        if self._lines >= 2 * MOST_KEPT:
            self.read()
        try:
            with self._path.open("ab") as file:
                file.write(_text(alert))
        except OSError as error:
            if not self._is_broken:
                log.error("%s: alerts are kept in memory only: %s", self._path, error.strerror)
            self._is_broken = True
            return
        self._lines += 1
        self._is_broken = False

    def _rewrite(self, alerts: list[SentAlert]) -> None:
        try:
            write_whole(self._path, b"".join(map(_text, alerts)))
        except OSError as error:
            log.error("%s: cannot be written: %s", self._path, error.strerror)
            return
        self._lines = len(alerts)


def _text(alert: SentAlert) -> bytes:
    return msgspec.json.encode(_AlertLine(alert.number, alert.name, alert.room, Raw(alert.content))) + b"\n"


def _alert(line: bytes) -> SentAlert | None:
    try:
        found = msgspec.json.decode(line, type=_AlertLine)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    return SentAlert(found.number, found.name, found.room, bytes(found.content))
