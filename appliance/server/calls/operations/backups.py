"""Calls by which the page makes a backup and fetches it, or gives one and restores it.

The file passes in pieces, each in a call of its own, so that neither side has it in memory and no message is too long.
"""

import binascii
from base64 import b64encode
from typing import Annotated

from msgspec import Meta, convert

from appliance.core.backup_state import BackupStage
from appliance.core.refusal import Code, Refused
from appliance.events import Part
from appliance.ports import PageBackups
from appliance.server.calls.arguments import Argument, Nothing
from appliance.server.calls.context import Context
from appliance.server.calls.reply import Done, Reply

PIECE_BYTES = 64 * 1024  # 87,384 characters, which a message of 128 KiB has room for
SHORTEST_PASSPHRASE, LONGEST_PASSPHRASE = 12, 256  # as `appliance backup create`; what a person types is shorter

NewPassphrase = Annotated[
    str,
    Meta(min_length=SHORTEST_PASSPHRASE, max_length=LONGEST_PASSPHRASE, description="a text of 12 to 256 characters"),
]
Passphrase = Annotated[str, Meta(min_length=1, max_length=LONGEST_PASSPHRASE, description="the backup's passphrase")]
Offset = Annotated[int, Meta(ge=0, description="a whole number of bytes, from 0")]
Piece = Annotated[str, Meta(max_length=(PIECE_BYTES + 2) // 3 * 4, description="up to 64 KiB in Base64")]


class NewBackupArgument(Argument, frozen=True, kw_only=True, rename="camel"):
    """The argument of `backup:create`."""

    passphrase: NewPassphrase


class OffsetArgument(Argument, frozen=True, kw_only=True, rename="camel"):
    """The argument of `backup:read`: from where on."""

    offset: Offset


class PieceArgument(Argument, frozen=True, kw_only=True, rename="camel"):
    """The argument of `backup:upload`: a piece of the file, and where it begins; 0 begins another file."""

    offset: Offset
    data: Piece


class CheckBackupArgument(Argument, frozen=True, kw_only=True, rename="camel"):
    """The argument of `backup:check`."""

    passphrase: Passphrase


class RestoreArgument(Argument, frozen=True, kw_only=True, rename="camel"):
    """The argument of `backup:restore`. `name`: the appliance's, typed by the person as a confirmation."""

    name: Annotated[str, Meta(min_length=1, max_length=255, description="the appliance's name, as in appliance:get")]


class CheckedBackup(Part, frozen=True, kw_only=True, rename="camel"):
    """What a backup says of itself, and a sentence for each change of the configuration that it would bring."""

    host: str
    made_at: str
    version: str
    changes: list[str]


class BackupReply(Reply, frozen=True, kw_only=True, rename="camel"):
    """How far the backup is. `bytes`: that can be read, or were given. `backup`: null before it was checked."""

    stage: BackupStage
    bytes: int
    fault: str | None
    backup: CheckedBackup | None


class PieceReply(Reply, frozen=True, kw_only=True, rename="camel"):
    """A piece of the file in Base64, empty at its end."""

    data: str


class GivenReply(Reply, frozen=True, kw_only=True, rename="camel"):
    """How many bytes there are."""

    bytes: int


def progress(context: Context, _: Nothing) -> BackupReply:
    """How far the backup is that the page makes or restores."""
    state = context.services.backups.state()
    checked = None if state.facts is None else convert(state.facts, CheckedBackup, from_attributes=True)
    return BackupReply(stage=state.stage, bytes=state.bytes, fault=state.fault or None, backup=checked)


def create(context: Context, asked: NewBackupArgument) -> Done:
    """Begin to make a backup."""
    _desk(context).make(asked.passphrase)
    context.services.audit.record_change(context.caller.actor, "backup:create", context.now)
    return Done()


def read(context: Context, asked: OffsetArgument) -> PieceReply:
    """A piece of the one that is made."""
    return PieceReply(data=b64encode(_desk(context).read(asked.offset, PIECE_BYTES)).decode())


def upload(context: Context, asked: PieceArgument) -> GivenReply:
    """Take a piece of one that is to be restored."""
    try:
        piece = binascii.a2b_base64(asked.data, strict_mode=True)
    except ValueError:
        raise Refused(Code.BAD_REQUEST, "data: must be up to 64 KiB in Base64") from None
    return GivenReply(bytes=_desk(context).take(asked.offset, piece))


def check(context: Context, asked: CheckBackupArgument) -> Done:
    """Begin to judge the one that was given; it changes nothing."""
    _desk(context).judge(asked.passphrase)
    return Done()


def restore(context: Context, asked: RestoreArgument) -> Done:
    """Put the one that was judged in place: the service ends at once, and starts with it."""
    services = context.services
    if asked.name != services.profile.name:
        raise Refused(Code.BAD_REQUEST, f"name: this appliance is {services.profile.name}; nothing is restored")
    services.audit.record_change(context.caller.actor, "backup:restore", context.now)
    _desk(context).restore(context.caller.grant.subject)
    return Done()


def discard(context: Context, _: Nothing) -> Done:
    """Forget what was made, given or checked."""
    _desk(context).discard()
    return Done()


def _desk(context: Context) -> PageBackups:
    """Raises `Refused` in a simulation."""
    if context.services.profile.is_simulated:
        raise Refused(Code.BAD_REQUEST, "a simulation has nothing to back up; its state may be a real appliance's")
    return context.services.backups
