"""Updates: which bundle may be installed, and what has become of the one that was.

A bundle is written to the root that does not run, and started on trial. A root that does not prove itself is left, and
the former one runs again. The record of all this lies on the disk beside both roots, because each of them goes on with
what the other has begun.

    fetching ─> checking ─> installing ─> installed ─> trial ─> confirmed
        └──────────┴────────────┴> failed                 └───> returned
"""

import json
import re
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import asdict, replace

LONGEST_RECORD = 65_536  # bytes; a record has some hundred
MOST_REASON = 500  # characters; one is a sentence or two

# The time of the source, then a digest of the root: versions are compared by the former.
_VERSION = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{16}")
_TIME = slice(0, 16)


class UpdateState(StrEnum):
    """How far an update has come."""

    FETCHING = "fetching"
    CHECKING = "checking"
    INSTALLING = "installing"
    FAILED = "failed"  # or refused; nothing has changed
    INSTALLED = "installed"  # the next start is its first
    TRIAL = "trial"
    CONFIRMED = "confirmed"
    RETURNED = "returned"


UNDER_WAY = frozenset({UpdateState.FETCHING, UpdateState.CHECKING, UpdateState.INSTALLING})


class UpdateAction(StrEnum):
    """What may be ordered."""

    INSTALL = "install"
    RESTART = "restart"


class UpdateOrder(Struct, frozen=True):
    """What somebody has ordered. `url`: empty for the bundle that lies in the folder of updates.

    `is_unattended`: by the appliance itself, in its window; then only a newer version that has not returned counts.
    """

    action: UpdateAction
    actor: str
    at: str
    url: str = ""
    is_unattended: bool = False


class RunningRoot(Struct, frozen=True):
    """The root that runs. `root`: A or B; `version`: when its source was made, and a digest of it."""

    root: str
    version: str


class BundleFacts(Struct, frozen=True):
    """What a bundle says of itself. `compatible`: the kind of computers it is for."""

    compatible: str
    version: str


class Update(Struct, frozen=True):
    """The latest update. `percent`: of the present state, where it is known; `root`: that it is written to.

    `boot`: the run of the kernel in which it was last written; `ports`: the network ports that the computer had before;
    `starts`: of the new root, so far; `reason`: why it failed or returned.
    """

    state: UpdateState
    actor: str
    at: str
    url: str = ""
    is_unattended: bool = False
    version: str = ""
    root: str = ""
    boot: str = ""
    percent: int | None = None
    reason: str = ""
    ports: tuple[str, ...] = ()
    starts: int = 0

    def as_text(self) -> str:
        """The record as it lies on the disk."""
        return json.dumps(asdict(self))


def read_update(text: str) -> Update | None:
    """The record of this text; `None` where it is none, as after damage or of another release."""
    try:
        found = json.loads(text)
        return replace(Update(**found), state=UpdateState(found["state"]), ports=tuple(found.get("ports", ())))
    except (ValueError, TypeError, KeyError):
        return None


def read_order(text: str) -> UpdateOrder | None:
    """The order of this text; `None` where it is none."""
    try:
        found = json.loads(text)
        return replace(UpdateOrder(**found), action=UpdateAction(found["action"]))
    except (ValueError, TypeError, KeyError):
        return None


def begin_fault(latest: Update | None, *, is_ordered: bool) -> str | None:
    """Why no update can be begun now; `None`: one can."""
    state = None if latest is None else latest.state
    if latest is not None and state is UpdateState.INSTALLED:
        return f"version {latest.version} is installed already, and waits for a restart; start it first"
    if state is UpdateState.TRIAL:
        return "the root that runs is on trial itself; wait until it is confirmed or the former one is back"
    if is_ordered or state in UNDER_WAY:
        return "an update is under way already; wait until it is installed or has failed"
    return None


def bundle_fault(bundle: BundleFacts, compatible: str, running: RunningRoot) -> str | None:
    """Why this bundle must not be installed; `None`: it may. `compatible`: the kind of this computer."""
    if bundle.compatible != compatible:
        return f'it is for "{bundle.compatible}", and this is "{compatible}"; take the bundle for this one'
    for version, what in ((bundle.version, "the bundle"), (running.version, "the root that runs")):
        if not _VERSION.fullmatch(version):
            return f'the version of {what}, "{version[:64]}", has no time of its source; make it with image/bundle'
    if _is_older(bundle.version, running.version):
        return (
            f"it is older ({bundle.version}) than what runs ({running.version}), and may have faults that are mended;"
            " to go back, start the other root, or flash the card"
        )
    return None


def is_news(bundle: BundleFacts, running: RunningRoot, latest: Update | None) -> bool:
    """Whether nobody needs to be asked about this bundle: it is newer, and it has not been tried in vain."""
    is_tried = latest is not None and latest.version == bundle.version and latest.state is UpdateState.RETURNED
    return _is_older(running.version, bundle.version) and not is_tried


def _is_older(version: str, than: str) -> bool:
    return version[_TIME] < than[_TIME]


def failed(update: Update, reason: str) -> Update:
    """The update, which is over without effect."""
    return replace(update, state=UpdateState.FAILED, percent=None, reason=reason[:MOST_REASON])


def after_start(update: Update, running: RunningRoot, boot: str, why: str) -> Update:
    """What has become of an update now that the computer has started. `why`: what the new root has left for a reason.

    Within one boot it stays as it is.
    """
    if update.boot == boot:
        return update
    update = replace(update, boot=boot)
    if update.state in UNDER_WAY:
        return failed(update, "the computer started again before it was installed; order it again")
    is_former = _is_older(running.version, update.version)  # a root that somebody has written by hand is no return
    if update.state is UpdateState.CONFIRMED and update.root != running.root and is_former:
        return _returned(
            update,
            f"root {update.root} was confirmed, and then started three times in a row without proving itself again:"
            " it hung, had no power, or was left by hand",
        )
    if update.state not in {UpdateState.INSTALLED, UpdateState.TRIAL}:
        return update
    if update.root == running.root:
        return replace(update, state=UpdateState.TRIAL, starts=update.starts + 1)
    reason = why or (
        f"root {update.root} was started {update.starts} times and did not prove itself: it hung, or had no power"
        if update.starts
        else f"root {update.root} did not come as far as its service: it did not start, or hung"
    )
    return _returned(update, reason)


def _returned(update: Update, reason: str) -> Update:
    return replace(update, state=UpdateState.RETURNED, reason=reason[:MOST_REASON])


def confirmed(update: Update) -> Update:
    """The update, whose root has proved itself."""
    return replace(update, state=UpdateState.CONFIRMED, reason="")
