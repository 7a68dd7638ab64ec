"""Calls about the register of devices."""

from collections.abc import Callable, Sequence
from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType

from appliance.core.traffic.devices.clue import LONGEST_NAME
from appliance.core.traffic.devices.device_register import KnownDevice
from appliance.core.traffic.naming import Record
from appliance.core.traffic.script import shown
from appliance.core.traffic.sites import SITES_PER_PART
from appliance.events import DeviceFacts
from appliance.server.calls.arguments import LINE, Argument, DepartmentId, HostAddress, YesOrNo, host_of
from appliance.server.calls.context import Context, require_department
from appliance.server.calls.reply import Reply

MOST_LISTED = 500  # of one answer; each has about 300 bytes
PageNumber = Annotated[int, Meta(ge=1, le=10_000, description="a page's number from 1 on")]
MostDevices = Annotated[int, Meta(ge=1, le=MOST_LISTED, description=f"a whole number from 1 to {MOST_LISTED}")]
Contained = Annotated[
    str, Meta(max_length=64, description="a part of a name, an address or a vendor, up to 64 characters")
]
SeenWithin = Annotated[int, Meta(ge=1, le=31_536_000, description="seconds, up to a year")]
Label = Annotated[
    str,
    Meta(max_length=LONGEST_NAME, pattern=LINE, description=f"a name of one line of at most {LONGEST_NAME} characters"),
]
Order = Annotated[Literal["seen", "first", "name"], Meta(description="seen, first or name")]


class DevicesArgument(Argument, frozen=True, kw_only=True, rename="camel"):
    """The argument of `device:list`. `department_id`: `None` for all that the caller may see.

    `seen`: only those that were seen within so many seconds; `is_new`: only new ones. `sort`: by when a device was seen
    last, or first, the latest first; or by name.
    """

    department_id: DepartmentId | None = None
    contains: Contained | None = None
    seen: SeenWithin | None = None
    is_new: YesOrNo = False
    sort: Order = "seen"
    page: PageNumber = 1
    limit: MostDevices = MOST_LISTED


class DeviceArgument(Argument, frozen=True, kw_only=True, rename="camel"):
    """The argument of `device:get`. `host`: the device's hardware address, or any address of it."""

    department_id: DepartmentId
    host: HostAddress


class DeviceNameArgument(Argument, frozen=True, kw_only=True, rename="camel"):
    """The argument of `device:name`. `name`: what people call the device; null: nothing, its own name counts."""

    department_id: DepartmentId
    host: HostAddress
    name: Label | None


class DevicesReply(Reply, frozen=True, kw_only=True, rename="camel"):
    """A page of devices. `total`: how many match on all pages; `next`: the next page; null on the last.

    `learning`: the departments whose devices are being learned for the first time, so that none of theirs is new.
    """

    devices: list[DeviceFacts]
    total: int
    next: int | None
    learning: list[str]


class DeviceReply(Reply, frozen=True, kw_only=True, rename="camel"):
    """A device. `sites`: that it visited in the last hour, where visitors are recorded."""

    device: DeviceFacts
    sites: list[str] | UnsetType = UNSET


def devices(context: Context, asked: DevicesArgument) -> DevicesReply:
    """A page of the devices that the caller may see."""
    if asked.department_id is not None:
        require_department(context, asked.department_id)
    watch = context.services.devices
    departments = [one for one in _visible(context) if asked.department_id in {None, one}]
    found = [
        (one, device) for one in departments for device in watch.devices(one) if _is_asked_for(context, asked, device)
    ]
    facts = [watch.facts(*one, context.now) for one in sorted(found, key=lambda one: ORDERS[asked.sort](one[1]))]
    if asked.is_new:
        facts = [one for one in facts if one.is_new]
    end = asked.page * asked.limit
    return DevicesReply(
        devices=facts[end - asked.limit : end],
        total=len(facts),
        next=asked.page + 1 if end < len(facts) else None,
        learning=[one for one in departments if watch.is_learning(one, context.now)],
    )


def device(context: Context, asked: DeviceArgument) -> DeviceReply:
    """One device, with the sites that it visited."""
    require_department(context, asked.department_id)
    watch = context.services.devices
    found = watch.find(asked.department_id, host_of(asked.host))
    visited = context.services.insight.sites(asked.department_id, SITES_PER_PART, context.now)
    return DeviceReply(
        device=watch.facts(asked.department_id, found, context.now),
        sites=[shown(one.domain) for one in visited.sites if found.mac in one.devices]
        if visited.record is Record.DEVICE
        else UNSET,
    )


def name_device(context: Context, asked: DeviceNameArgument) -> DeviceReply:
    """Give a device the name that people have for it."""
    require_department(context, asked.department_id)
    label = " ".join((asked.name or "").split())
    found = context.services.devices.label(asked.department_id, host_of(asked.host), label)
    return DeviceReply(device=context.services.devices.facts(asked.department_id, found, context.now))


def state(context: Context, asked: DeviceNameArgument) -> str | None:
    """The device's label, for the audit trail."""
    require_department(context, asked.department_id)
    return context.services.devices.find(asked.department_id, host_of(asked.host)).label or None


ORDERS: dict[str, Callable[[KnownDevice], tuple[object, ...]]] = {
    "seen": lambda one: (-one.seen_s, one.mac),
    "first": lambda one: (-one.first_s, one.mac),
    "name": lambda one: (not one.name, one.name.casefold(), one.mac),
}


def _visible(context: Context) -> Sequence[str]:
    return [one for one in context.services.metering.ids if context.caller.grant.may_see(one)]


def _is_asked_for(context: Context, asked: DevicesArgument, device: KnownDevice) -> bool:
    if asked.seen is not None and context.now.wall.timestamp() - device.seen_s > asked.seen:
        return False
    if not asked.contains:
        return True
    vendor = context.services.devices.vendor(device.mac) or ""
    words = (device.label, *device.names.values(), device.mac, vendor, *device.addresses)
    return any(asked.contains.casefold() in one.casefold() for one in words)
