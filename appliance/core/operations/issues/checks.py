"""The table of checks: what is looked for in the signs of the machine, how grave it is, and what a person can do.

A check answers with what it has found, or with `None` where the signs that it needs cannot be read: what
cannot be read is not good. It is made again at each look, so an issue ends when it does not hold any more.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from msgspec import Struct

from appliance.core.detection.incident import Severity
from appliance.core.machine import NO_SIGNS, MachineSigns
from appliance.core.moment import PATIENCE_S, strays, timestamp
from appliance.core.operations.issues.courses import PortCourse
from appliance.core.operations.update import Update, UpdateState
from appliance.core.size import size_text
from appliance.core.text import Values

WORN_PERCENT, WORN_OUT_PERCENT = 80, 100  # at 80 there are months left to order another; beyond 100 it may end today
FEW_SPARE, HARDLY_ANY_SPARE = 2, 3  # JESD84-B51, 7.4.6: 80 % and 90 % of the spare blocks are used
# A card's cells bear some 1,000 writings, and small writings cost it about ten times their bytes: at a tenth of its
# size a day it lasts for less than three years.
MOST_WRITTEN_SHARE = 0.1
# Of the kernel's table of connections: the last tenth is gone in seconds when somebody scans, and then new ones fail.
FULL_SHARE = 0.9
# A cable in order loses a packet in millions (a bit in 10^10); TCP is slower where one in a thousand is lost.
DAMAGED_SHARE, LEAST_DAMAGED = 0.001, 100
MOST_FALLS = 3  # of a link within an hour: once is somebody at the cable, three times is the cable
HELD_S = 300.0  # of what is told by a status, too
HOUR_S = 3600.0  # what came for a moment is shown for so long: a person looks now and then


class Signs(Struct, frozen=True, kw_only=True):
    """All that is judged. `uptime_s`: since boot. `written_a_day_bytes`: to the medium, as it is today.

    `ports`: the course of each in the latest hour; `frames_lost`: by the capture, since the previous look; `update`:
    the latest one, where there is any. `None`: it is not known, or not yet; of `update`: there was none.
    """

    wall: datetime
    uptime_s: float
    machine: MachineSigns = NO_SIGNS
    written_a_day_bytes: float | None = None
    ports: Mapping[str, PortCourse] | None = None
    frames_lost: int | None = None
    update: Update | None = None


class CheckFinding(NamedTuple):
    """What a check has found, as a sentence. `values`: the numbers and names that it says."""

    cause: str
    values: Values


Found = Sequence[CheckFinding] | None


class Check(NamedTuple):
    """A row of the table. `hold_s`: for so long an issue is shown after it was last found."""

    id: str
    severity: Severity
    find: Callable[[Signs], Found]
    suggestion: str
    hold_s: float = 0.0


def _if(is_so: bool | None, sentence: str, **values: str | int) -> Found:
    return None if is_so is None else [CheckFinding(sentence, values)] * is_so


def _undervoltage(signs: Signs) -> Found:
    return _if(signs.machine.undervoltage, "the supply's voltage has dropped below what the computer needs")


def _throttled(signs: Signs) -> Found:
    return _if(signs.machine.throttled, "the processor is held back, because of heat or too weak a supply")


def _worn_out(signs: Signs) -> Found:
    used, spare = signs.machine.card_used_percent, signs.machine.card_spare
    if used is None and spare is None:
        return None
    is_so = (used or 0) > WORN_OUT_PERCENT or spare == HARDLY_ANY_SPARE
    return _if(is_so, "the medium is at the end of its life, and may take nothing from one day to the next")


def _worn(signs: Signs) -> Found:
    used, spare = signs.machine.card_used_percent, signs.machine.card_spare
    if used is None and spare is None:
        return None
    share = f"{used} % of the medium's life" if used else "most of the medium's spare blocks"
    form = "life" if used else "spare"
    is_worn = WORN_PERCENT <= (used or 0) <= WORN_OUT_PERCENT or spare == FEW_SPARE
    return _if(is_worn and not _worn_out(signs), f"{share} is used, by its own estimate", form=form, percent=used or 0)


def _written(signs: Signs) -> Found:
    size, written = signs.machine.card_bytes, signs.written_a_day_bytes
    if not size or written is None:
        return None
    words = f"{size_text(round(written))} a day are written to a medium of {size_text(size)}, which wears it out"
    return _if(written > MOST_WRITTEN_SHARE * size, words, written=round(written), size=size)


def _read_only(signs: Signs) -> Found:
    return _if(signs.machine.state_is_read_only, "the file system of the state can only be read")


def _clock_wrong(signs: Signs) -> Found:
    time = timestamp(signs.wall)
    return _if(strays(signs.wall), f"the clock says {time}, which cannot be", time=time)


def _clock_alone(signs: Signs) -> Found:
    kept = signs.machine.clock_is_kept
    is_alone = None if kept is None else not kept and signs.uptime_s >= PATIENCE_S and not strays(signs.wall)
    return _if(is_alone, "no time server keeps the clock right")


def _table_full(signs: Signs) -> Found:
    count, most = signs.machine.connections, signs.machine.most_connections
    if count is None or not most:
        return None
    words = f"the kernel tracks {count} of at most {most} connections; beyond that it refuses new ones"
    return _if(count >= FULL_SHARE * most, words, count=count, most=most)


def _damaged(signs: Signs) -> Found:
    return _of_ports(
        signs.ports,
        lambda one: one.damaged >= LEAST_DAMAGED and one.damaged >= DAMAGED_SHARE * one.packets,
        lambda name, one: CheckFinding(
            f"{one.damaged} of {one.packets} packets at {name} were damaged within an hour",
            {"port": name, "count": one.damaged, "packets": one.packets},
        ),
    )


def _flapping(signs: Signs) -> Found:
    return _of_ports(
        signs.ports,
        lambda one: one.falls >= MOST_FALLS,
        lambda name, one: CheckFinding(
            f"the link of {name} went down {one.falls} times within an hour", {"port": name, "count": one.falls}
        ),
    )


def _of_ports(
    ports: Mapping[str, PortCourse] | None,
    is_so: Callable[[PortCourse], bool],
    say: Callable[[str, PortCourse], CheckFinding],
) -> Found:
    return None if ports is None else [say(name, one) for name, one in ports.items() if is_so(one)]


def _frames_lost(signs: Signs) -> Found:
    lost = signs.frames_lost
    is_so = None if lost is None else lost > 0
    return _if(is_so, f"the capture missed {lost} packets; sites and incidents may be missing", count=lost or 0)


def _update_failed(signs: Signs) -> Found:
    update = signs.update
    if update is None or update.state not in {UpdateState.FAILED, UpdateState.RETURNED}:
        return []
    words = f"the update has {update.state}: {update.reason or 'no reason is known'}"
    return [CheckFinding(words, {"form": update.state, "reason": update.reason or "?"})]


def _update_waits(signs: Signs) -> Found:
    update = signs.update
    if update is None or update.state is not UpdateState.INSTALLED:
        return []
    return [
        CheckFinding(f"version {update.version} is installed, and waits for a restart", {"version": update.version})
    ]


CHECKS = (
    Check("clock_wrong", Severity.HIGH, _clock_wrong, "connect a time server"),
    Check("read_only", Severity.HIGH, _read_only, "replace the medium; a backup can still be made of what is on it"),
    Check("card_worn_out", Severity.HIGH, _worn_out, "make a backup, and replace the medium"),
    Check("undervoltage", Severity.HIGH, _undervoltage, "use the supply and the cable that the maker names", HOUR_S),
    Check("connections", Severity.HIGH, _table_full, "find who opens them, or raise net.netfilter.nf_conntrack_max"),
    Check("throttled", Severity.MEDIUM, _throttled, "give it air, or the supply that the maker names", HOUR_S),
    Check("card_worn", Severity.MEDIUM, _worn, "order another medium, and make backups"),
    Check("card_writes", Severity.MEDIUM, _written, "look for what writes so much: iotop -ao"),
    Check("clock_alone", Severity.MEDIUM, _clock_alone, "connect a time server (timedatectl status)"),
    Check("port_errors", Severity.MEDIUM, _damaged, "replace the cable, then look at the switch's port"),
    Check("port_flaps", Severity.MEDIUM, _flapping, "replace the cable, then look at the switch's port"),
    Check("update_failed", Severity.MEDIUM, _update_failed, "see the reason, and begin it again: appliance update"),
    Check("capture_loss", Severity.LOW, _frames_lost, "where it is not rare, watch fewer lines with it", HELD_S),
    Check("update_waits", Severity.LOW, _update_waits, "start it when nobody works: appliance update --restart"),
)


def unread(signs: Signs, checks: Iterable[Check] = CHECKS) -> list[str]:
    """The ids of the checks whose signs cannot be read."""
    return [one.id for one in checks if one.find(signs) is None]
