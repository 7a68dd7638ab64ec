"""Chains the entries of the audit trail, so that an altered or removed one shows.

Each entry's digest covers the digest before it. The owner of the disk can still rewrite the whole chain from some entry
on; a copy of a later digest, kept elsewhere, shows that.
"""

import hashlib
import json
from collections.abc import Iterable

from msgspec import Struct
from msgspec.structs import astuple

LONGEST_VALUE = 2000  # characters, of `what`, `before` and `after` each: a usual argument is far shorter


class AuditEntry(Struct, frozen=True):
    """One change. `who`: the subject of a token, `button`, or the user of the command line; `role`: "" without a token.

    `address`: of the client, `None` for the appliance itself. `what`, `before` and `after`: JSON; `null`: nothing.
    `outcome`: `done`, or the code of the refusal, or the code of a medium that failed after the change was made.
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


class StoredEntry(Struct, frozen=True):
    """An entry in the trail. `number`: counts from 1; `digest`: of this entry and the digest before it."""

    number: int
    entry: AuditEntry
    digest: str


def value_text(value: object) -> str:
    """A value as JSON of at most `LONGEST_VALUE` characters; longer JSON is cut and becomes a JSON string."""
    text = json.dumps(value, separators=(",", ":"))
    return text if len(text) <= LONGEST_VALUE else json.dumps(text[: LONGEST_VALUE // 2 - len("...")] + "...")


def digest(previous: str, entry: AuditEntry) -> str:
    """The digest of this entry. `previous`: the digest before it, "" for the first entry."""
    content = json.dumps([previous, *astuple(entry)])
    return hashlib.sha256(content.encode()).hexdigest()


def first_break(chain: Iterable[StoredEntry], previous: str = "") -> int | None:
    """The number of the first entry whose digest does not follow from the one before; `None`: the chain is intact.

    `chain`: the oldest first; `previous`: the digest before it. Without that, its first entry is not checked where
    older ones were deleted for their age.
    """
    for position, recorded in enumerate(chain):
        is_believed = position == 0 and recorded.number > 1 and not previous
        if not is_believed and digest(previous, recorded.entry) != recorded.digest:
            return recorded.number
        previous = recorded.digest
    return None


class Actor(Struct, frozen=True):
    """The author of a change: the subject and role of a token, and the address that it comes from."""

    who: str
    role: str = ""
    address: str | None = None
