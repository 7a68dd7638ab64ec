"""Keeps notices, what each channel has still to deliver, and how the channels fare, in tables of the state.

Rows that a channel tries to deliver are marked first: after a crash it tries the same ones again, as the same message,
so that a receiver can tell a repetition. Nothing here waits for the medium: a power cut may lose the latest notices, or
repeat a message.
"""

import logging
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from msgspec import convert, to_builtins
from sqlite_utils.db import Database

from appliance.core.alerting.notice import MOST_RECORDED, ChannelState, Notice
from appliance.core.moment import timestamp

log = logging.getLogger(__name__)

COLUMNS = {
    "notice": {"number", "at", "topic", "severity", "department", "text"},
    "delivery": {"channel", "notice", "due", "is_tried"},
    "channel": {"name", "delivered_at", "fault", "fault_at", "given_up", "unreported"},
}
_NOTICE = "number, at, topic, severity, department, text"
_RIPE = "channel = ? AND (due IS NULL OR due <= ? OR at > ?)"  # the last: the clock has gone back

Row = dict[str, Any]


def notice_from(row: Row) -> Notice:
    """The notice of a row. Raises one of `NOT_A_ROW`."""
    return convert(row, Notice)


def delivery_from(row: Row) -> tuple[str, int]:
    """The channel and the notice's number of a row."""
    return convert((row["channel"], row["notice"]), tuple[str, int])


def channel_from(row: Row) -> tuple[str, ChannelState]:
    """The name of a channel, and how it fares."""
    return convert(row["name"], str), convert({**row, "name": None}, ChannelState)


class NoticeTables:
    """`ports.NoticeStore` in the state's database."""

    def __init__(
        self,
        database: Callable[[], Database],
        commit: Callable[[Callable[[], object]], None],
        is_held: Callable[[], bool],
    ) -> None:
        """`commit`: carries out one transaction; raises `sqlite3.OperationalError` where the medium takes nothing.

        `is_held`: whether nothing may be written now, in maintenance; then nothing is recorded and nothing leaves.
        """
        self._database, self._commit, self._is_held = database, commit, is_held

    def add(self, notices: Sequence[tuple[Notice, Mapping[str, datetime | None]]]) -> bool:
        """Record notices, and queue each for its channels."""

        def save() -> None:
            connection = self._database().conn
            for notice, channels in notices:
                values = {**to_builtins(notice), "at": timestamp(notice.at)}
                number = connection.execute(
                    "INSERT INTO notice (at, topic, severity, department, text) VALUES (?, ?, ?, ?, ?)",
                    [values[name] for name in _NOTICE.split(", ")[1:]],
                ).lastrowid
                connection.executemany(
                    "INSERT INTO delivery (channel, notice, due, is_tried) VALUES (?, ?, ?, 0)",
                    [(channel, number, _text(due)) for channel, due in channels.items()],
                )
            self._prune()

        return self._done(save, "notices cannot be saved and are kept in memory")

    def _prune(self) -> None:
        """Forget the oldest notices beyond `MOST_RECORDED`; those that a channel has not delivered are given up."""
        connection = self._database().conn
        [(newest,)] = connection.execute("SELECT coalesce(max(number), 0) FROM notice")
        oldest = (newest - MOST_RECORDED,)
        lost = connection.execute(
            "SELECT channel, count(*) FROM delivery WHERE notice <= ? GROUP BY channel", oldest
        ).fetchall()
        for channel, number in lost:
            self._count_given_up(channel, number)
        connection.execute("DELETE FROM delivery WHERE notice <= ?", oldest)
        connection.execute("DELETE FROM notice WHERE number <= ?", oldest)

    def attempt(self, channel: str, now: datetime, most: int) -> Sequence[Notice]:
        """What the channel is to deliver now, oldest first: what it tried before, else at most so many that are due."""
        if self._is_held():
            return ()
        tried = self._read("channel = ? AND is_tried", [channel], most)
        if tried:
            return tried
        at = timestamp(now)
        found = self._read(_RIPE, [channel, at, at], most)

        def save() -> None:
            self._database().conn.executemany(
                "UPDATE delivery SET is_tried = 1 WHERE channel = ? AND notice = ?",
                [(channel, one.number) for one in found],
            )

        # A medium that takes nothing would let each attempt be another message, and none be forgotten.
        return found if found and self._done(save, f"the channel {channel} waits") else ()

    def _read(self, condition: str, values: Sequence[object], most: int) -> list[Notice]:
        query = (
            f"SELECT {_NOTICE} FROM delivery JOIN notice ON notice = number WHERE {condition}"  # noqa: S608
            f" ORDER BY number LIMIT {most}"
        )
        return [notice_from(row) for row in self._database().query(query, values)]

    def has_waiting(self, channel: str, now: datetime) -> bool:
        """Whether the channel has anything to deliver now."""
        at = timestamp(now)
        found = self._database().execute(
            f"SELECT 1 FROM delivery JOIN notice ON notice = number WHERE {_RIPE} LIMIT 1",  # noqa: S608
            [channel, at, at],
        )
        return found.fetchone() is not None

    def waiting(self) -> Mapping[str, int]:
        """How many notices each channel has still to deliver."""
        return dict(self._database().execute("SELECT channel, count(*) FROM delivery GROUP BY channel"))

    def states(self) -> Mapping[str, ChannelState]:
        """How each channel fares, as far as it has tried."""
        return dict(channel_from(row) for row in self._database().table("channel").rows)

    def settle(self, channel: str, state: ChannelState, numbers: Sequence[int] = ()) -> bool:
        """Save how a channel fares, and forget what it has delivered."""

        def save() -> None:
            times = {"delivered_at": _text(state.delivered_at), "fault_at": _text(state.fault_at)}
            self._database().table("channel").upsert({"name": channel, **to_builtins(state), **times}, pk="name")
            self._forget(channel, numbers)

        return self._done(save, f"the state of the channel {channel} cannot be saved")

    def give_up(self, channel: str, numbers: Sequence[int]) -> bool:
        """Forget what a channel could not deliver."""

        def save() -> None:
            self._count_given_up(channel, len(numbers))
            self._forget(channel, numbers)

        return self._done(save, f"the channel {channel} keeps what is too old")

    def forget_channels(self, known: Sequence[str]) -> None:
        """Forget the channels beside these, and what they had to deliver."""
        gone = [
            name
            for (name,) in self._database().execute("SELECT channel FROM delivery UNION SELECT name FROM channel")
            if name not in known
        ]

        def save() -> None:
            for name in gone:
                self._database().table("delivery").delete_where("channel = ?", [name])
                self._database().table("channel").delete_where("name = ?", [name])

        if gone:
            self._done(save, "channels that are gone stay")

    def recorded(self, before: int | None, most: int) -> Sequence[Notice]:
        """At most so many notices, the newest first. `before`: only those with a smaller number."""
        found = self._database().query(
            f"SELECT {_NOTICE} FROM notice WHERE number < ? ORDER BY number DESC LIMIT ?",  # noqa: S608
            [2**62 if before is None else before, most],
        )
        return [notice_from(row) for row in found]

    def _count_given_up(self, channel: str, number: int) -> None:
        self._database().conn.execute(
            "INSERT INTO channel (name, fault, given_up, unreported) VALUES (?, '', ?, ?) ON CONFLICT (name)"
            " DO UPDATE SET given_up = given_up + excluded.given_up, unreported = unreported + excluded.unreported",
            (channel, number, number),
        )

    def _forget(self, channel: str, numbers: Sequence[int]) -> None:
        self._database().conn.executemany(
            "DELETE FROM delivery WHERE channel = ? AND notice = ?", [(channel, number) for number in numbers]
        )

    def _done(self, save: Callable[[], object], otherwise: str) -> bool:
        if self._is_held():
            return False
        try:
            self._commit(save)
        except sqlite3.OperationalError as error:
            log.error("%s: %s", otherwise, error)
            return False
        return True


def _text(at: datetime | None) -> str | None:
    return None if at is None else timestamp(at)


# Each table, with the function that reads a row.
READERS: Mapping[str, Callable[[Row], object]] = {
    "notice": notice_from,
    "delivery": delivery_from,
    "channel": channel_from,
}
