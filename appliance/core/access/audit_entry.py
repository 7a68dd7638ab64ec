"""Audit: what people have changed, as entries that are chained so that one that was altered or taken out shows.

Each entry's digest covers the digest before it. Whoever owns the disk can still rewrite the whole chain from some entry
on; who has noted a later digest elsewhere, sees that.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import astuple, dataclass

LONGEST_VALUE = 2000  # characters of `what`, `before` and `after` each: a call's whole argument is far shorter


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One change. `who`: the subject of a token, `button`, or the user of the command line; `role`: "" without a token.

    `address`: where the request came from, `None` for the appliance itself. `what`, `before` and `after`: JSON; `null`
    where there was nothing. `outcome`: `done`, or the code with which it was refused, or with which the medium failed
    when it was done already.
    """

    at: str
    who: str
    role: str
    address: str | None
    action: str
    what: str = "null"
    before: str = "null"
    after: str = "null"
    outcome: str = "done"


@dataclass(frozen=True, slots=True)
class StoredEntry:
    """An entry in its place. `number`: counts from 1; `digest`: of this entry and of the one before."""

    number: int
    entry: AuditEntry
    digest: str


def value_text(value: object) -> str:
    """A value as an entry holds it; one that is too long is cut, and then no JSON any more but a JSON text."""
    text = json.dumps(value, separators=(",", ":"))
    return text if len(text) <= LONGEST_VALUE else json.dumps(text[: LONGEST_VALUE // 2 - len("...")] + "...")


def digest(previous: str, entry: AuditEntry) -> str:
    """The digest of this entry after the one with the previous digest; "" before the first."""
    content = json.dumps([previous, *astuple(entry)])
    return hashlib.sha256(content.encode()).hexdigest()


def first_break(chain: Iterable[StoredEntry]) -> int | None:
    """The number of the first entry that does not follow from the one before; `None`: the chain holds.

    `chain`: the oldest first. One that is the oldest only because those before it are too old to be kept is believed.
    """
    previous = ""
    for position, recorded in enumerate(chain):
        is_believed = position == 0 and recorded.number > 1
        if not is_believed and digest(previous, recorded.entry) != recorded.digest:
            return recorded.number
        previous = recorded.digest
    return None


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does something: the subject of a token with its role, and the address it comes from."""

    who: str
    role: str = ""
    address: str | None = None
