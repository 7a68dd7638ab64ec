"""The alerts that were sent, in a file of lines of JSON, so that a restart loses none of them.

A line is written in one piece and not synced: what a power cut takes of it was sent half a minute ago at most, to
everybody who was there. The file is written anew when it is twice as long as what is kept.
"""

import logging
import os
from pathlib import Path

import msgspec
from msgspec import Raw, Struct

from appliance.core.alerting.journal import MOST_KEPT, SentAlert

log = logging.getLogger(__name__)

LARGEST_FILE_BYTES = 1 << 22  # twice what is kept, each as long as an alert can be, is 2 MB


class _AlertLine(Struct, frozen=True):
    """An alert as it is written."""

    number: int
    name: str
    room: str
    content: Raw


_decode = msgspec.json.Decoder(_AlertLine).decode


class AlertFile:
    """`ports.AlertLog` in one file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lines = 0
        self._is_broken = False

    def read(self) -> list[SentAlert]:
        """The latest alerts, oldest first; what cannot be read is passed over."""
        try:
            with self._path.open("rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - LARGEST_FILE_BYTES))  # the latest are at the end
                lines = file.read().splitlines()
        except FileNotFoundError:
            return []
        except OSError as error:
            log.error("%s: cannot be read, and is begun anew: %s", self._path, error.strerror)
            return []
        self._lines = len(lines)
        alerts = [alert for alert in map(_alert, lines) if alert is not None]
        kept = sorted(alerts, key=lambda alert: alert.number)[-MOST_KEPT:]
        self._rewrite(kept)  # which also ends a line that a power cut has torn
        return kept

    def append(self, alert: SentAlert) -> None:
        """Write the alert down; where the medium does not take it, say so once."""
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
        draft = self._path.with_suffix(".new")
        try:
            with draft.open("wb") as file:
                file.writelines(map(_text, alerts))
                file.flush()
                os.fsync(file.fileno())
            draft.replace(self._path)
        except OSError as error:
            log.error("%s: cannot be written: %s", self._path, error.strerror)
            return
        self._lines = len(alerts)


def _text(alert: SentAlert) -> bytes:
    return msgspec.json.encode(_AlertLine(alert.number, alert.name, alert.room, Raw(alert.content))) + b"\n"


def _alert(line: bytes) -> SentAlert | None:
    try:
        found = _decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    return SentAlert(found.number, found.name, found.room, bytes(found.content))
