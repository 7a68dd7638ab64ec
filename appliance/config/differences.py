"""Differences between two configurations, in sentences for the person who is about to try the second.

A sentence names the department or the part, what will be and what was. What people change often has words of its own in
the tables here; every other key is named as the file has it. What a file means is compared, not how it is written.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from ipaddress import IPv4Network, IPv6Network
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from appliance.config.notifications import NotificationsSection
from appliance.config.section import Section
from appliance.config.sections import BlockListSection, Config, DepartmentSection, IssuerSection, QuotaSection
from appliance.config.values import BitRate, Bytes, Station, Subnet, is_duration, quantity_text
from appliance.core.duration import duration_text
from appliance.core.metering.quota import Action, QuotaKind

MOST_NAMED = 8  # entries of one list; a sentence with more is not read
MOST_CHANGES = 50  # sentences; a person who changes more has written another file

# Keys outside departments, as people call them, and what a change of one has as its consequence.
NAMES = {
    "appliance.position": "The position",
    "appliance.timezone": "The time zone, whose midnight begins a quota day,",
    "server.host": "The address where dashboards connect",
    "server.port": "The port where dashboards connect",
    "server.tls": "HTTPS",
    "periods.metering": "The time between two readings of the meters",
    "periods.analytics": "The time between two analytics",
    "periods.health": "The time between two looks at the computer",
    "protection.addresses": "What is never blocked",
    "detection.block_from": "The severity from which sources of incidents are blocked",
    "detection.block_kinds": "The kinds of incidents whose sources are blocked",
    "detection.block_duration": "The time for which sources of incidents are blocked",
    "websites.record": "What is kept of visited websites",
    "maintenance.enforcement": "In maintenance the enforcement of blocks and quotas",
    "notice.contact": "The contact on the page for people who are cut off",
}
CONSEQUENCES = {
    "appliance.position": "what can be metered and blocked depends on it",
    "server.host": "open the page there to confirm",
    "server.port": "open the page there to confirm",
    "server.tls": "open the page again with the other scheme to confirm",
}
ACTIONS = {Action.ALERT: "only reported", Action.THROTTLE: "slowed down", Action.BLOCK: "cut off"}


ByHand = Collection[tuple[str, QuotaKind, bool]]  # a department's id, a kind, and whether it is each host's


def changes(before: Config, after: Config, by_hand: ByHand = ()) -> Sequence[str]:
    """A sentence for each change, those of one subject together; at most `MOST_CHANGES`, the last counts the rest.

    `by_hand`: the limits that people have set over the configured ones.
    """
    found = [
        *_in_section(before.appliance, after.appliance, "appliance"),
        *_in_departments(before.departments, after.departments, by_hand),
        *_in_lists(before.block_lists, after.block_lists),
        *_in_issuers(before.issuers, after.issuers),
        *_in_notifications(before.notifications, after.notifications),
    ]
    for field in msgspec.structs.fields(Config):
        old, new = getattr(before, field.name), getattr(after, field.name)
        if isinstance(new, Section) and field.name not in {"appliance", "notifications"}:
            found += _in_section(old, new, field.name)
    if len(found) <= MOST_CHANGES:
        return found
    return [*found[: MOST_CHANGES - 1], f"And {len(found) - MOST_CHANGES + 1} more changes."]


# --- departments ------------------------------------------------------------------------------------------------------


def _in_departments(
    before: Sequence[DepartmentSection], after: Sequence[DepartmentSection], by_hand: ByHand
) -> Iterator[str]:
    old, new = {one.id: one for one in before}, {one.id: one for one in after}
    gone = {one.id: one for one in before if one.id not in new}
    gone_from = {_place(one): one for one in reversed(gone.values())}
    for one in after:
        if one.id in old:
            yield from _in_department(old[one.id], one, by_hand)
            continue
        same = gone_from.pop(_place(one), None)
        if same is None:
            yield f"{_name(one)} ({one.id}) is a new department at {_place(one)}, {_limits(one.quota)}."
        else:
            del gone[same.id]
            yield f"{_name(same)} has the id {one.id}, was {same.id}: its books and its history begin empty."
            yield from _in_department(same, one, by_hand)
    for other in gone.values():
        yield f"{_name(other)} ({other.id}) is removed: it is not metered any more, and no quota or block holds for it."


def _in_department(before: DepartmentSection, after: DepartmentSection, by_hand: ByHand) -> Iterator[str]:
    name = _name(after)
    if after.name != before.name:
        yield f"{_name(before)} is called {name}."
    if before.interface != after.interface:
        yield f"{name} is at the interface {after.interface} instead of {before.interface}."
    for key in ("subnets", "exempt", "routers"):
        yield from _in_entries(getattr(before, key), getattr(after, key), f"{name}: the list {key}")
    if before.line_rate != after.line_rate:
        words = [_text(rate) if rate else "what the link negotiates" for rate in (after.line_rate, before.line_rate)]
        yield f"{name}: the line rate is {words[0]}, was {words[1]}."
    for kind in QuotaKind:
        for old, new, is_each_host in (
            (before.quota, after.quota, False),
            (before.quota.hosts, after.quota.hosts, True),
        ):
            what = f"{name}: the {kind} quota{' of each host' if is_each_host else ''}"
            is_by_hand = (after.id, kind, is_each_host) in by_hand
            yield from _in_limit(getattr(old, kind), getattr(new, kind), what, is_by_hand=is_by_hand)
    yield from _in_quota(before.quota, after.quota, name)


def _in_quota(before: QuotaSection, after: QuotaSection, name: str) -> Iterator[str]:
    if before.on_exceeded is not after.on_exceeded:
        will, was = ACTIONS[after.on_exceeded], ACTIONS[before.on_exceeded]
        yield f"{name} is {will} when a quota is used up; it was {was}."
    if before.throttle_rate != after.throttle_rate:
        will, was = _text(after.throttle_rate), _text(before.throttle_rate)
        yield f"{name}: the rate to which it is slowed down is {will}, was {was}."
    if set(before.thresholds) != set(after.thresholds):
        yield f"{name}: alerts come at {_percents(after.thresholds)}, came at {_percents(before.thresholds)}."
    if before.billing_day != after.billing_day:
        yield f"{name}: the month of its quota begins on day {after.billing_day}, began on day {before.billing_day}."


def _in_limit(before: Bytes | None, after: Bytes | None, what: str, *, is_by_hand: bool) -> Iterator[str]:
    if before == after:
        return
    if after is None:
        sentence = f"{what} ends; it was {_text(before)}."
    elif before is None:
        sentence = f"{what} is {_text(after)}; there was none."
    else:
        sentence = f"{what} is {_text(after)}, was {_text(before)}. The books stay."
    yield f"{sentence} But a limit that was set by hand holds over it." if is_by_hand else sentence


def _name(department: DepartmentSection) -> str:
    return department.name or department.id


def _place(department: DepartmentSection) -> str:
    subnets = ", ".join(str(one.network) for one in department.subnets)
    return f"{department.interface} ({subnets})" if subnets else department.interface


def _limits(quota: QuotaSection) -> str:
    found = [f"{_text(limit)} {kind}" for kind in QuotaKind if (limit := getattr(quota, kind)) is not None]
    return f"with a quota of {' and '.join(found)}" if found else "without a quota"


def _percents(thresholds: Sequence[int]) -> str:
    return " and ".join(f"{one} %" for one in sorted({*thresholds, 100}))


# --- lists, issuers and the rest --------------------------------------------------------------------------------------


def _in_lists(before: Sequence[BlockListSection], after: Sequence[BlockListSection]) -> Iterator[str]:
    old, new = {one.name: one for one in before}, {one.name: one for one in after}
    for name, one in new.items():
        if name in old:
            yield from _in_keys(old[name], one, f"The block list {name}")
        else:
            where = one.department or "all departments"
            yield f"The block list {name} is new: {one.source}, read each {duration_text(one.refresh)}, for {where}."
    for name in sorted(old.keys() - new.keys()):
        yield f"The block list {name} is removed: what only it blocks is let through."


def _in_issuers(before: Sequence[IssuerSection], after: Sequence[IssuerSection]) -> Iterator[str]:
    old, new = {one.iss: one for one in before}, {one.iss: one for one in after}
    for name, one in new.items():
        if name in old:
            yield from _in_keys(old[name], one, f"The issuer {name}")
        else:
            yield f"Tokens of the issuer {name} are accepted, up to the role {one.maximum_role}."
    for name in sorted(old.keys() - new.keys()):
        yield f"Tokens of the issuer {name} are not accepted any more."


def _in_notifications(before: NotificationsSection, after: NotificationsSection) -> Iterator[str]:
    old, new = {one.name: one for one in before.channels}, {one.name: one for one in after.channels}
    for name, one in new.items():
        former = old.get(name)
        if former is None or type(former) is not type(one):
            yield f"The channel {name} is new: notifications leave by it."
        else:
            yield from _in_keys(former, one, f"The channel {name}")
    for name in sorted(old.keys() - new.keys()):
        yield f"The channel {name} is removed, with what waits for it."
    if before.rules != after.rules:
        yield f"The rules of notifications change: there are {len(after.rules)}, there were {len(before.rules)}."
    if before.reports != after.reports:
        yield f"The reports by mail change: there are {len(after.reports)}, there were {len(before.reports)}."


def _in_section(before: Section, after: Section, section: str) -> Iterator[str]:
    for key, old, new in _different(before, after):
        path = f"{section}.{key}"
        name = NAMES.get(path, f"In [{section}], {key}")
        if isinstance(new, tuple) and isinstance(old, tuple):
            yield from _in_entries(old, new, name)
        else:
            consequence = f"; {CONSEQUENCES[path]}" if path in CONSEQUENCES else ""
            yield f"{name} is {_of_key(after, key)}, was {_of_key(before, key)}{consequence}."


def _in_keys(before: Section, after: Section, subject: str) -> Iterator[str]:
    for key, _, _ in _different(before, after):
        yield f"{subject}: {key} is {_of_key(after, key)}, was {_of_key(before, key)}."


def _in_entries(before: Sequence[object], after: Sequence[object], name: str) -> Iterator[str]:
    """What a list of values gains and loses."""
    old, new = [_text(one) for one in before], [_text(one) for one in after]
    gained, lost = [one for one in new if one not in {*old}], [one for one in old if one not in {*new}]
    parts = [f"{verb} {_listed(words)}" for verb, words in (("gains", gained), ("loses", lost)) if words]
    if parts:
        yield f"{name} {' and '.join(parts)}."


def _listed(words: Sequence[str]) -> str:
    more = f" and {len(words) - MOST_NAMED} more" if len(words) > MOST_NAMED else ""
    return ", ".join(words[:MOST_NAMED]) + more


def _different(before: Section, after: Section) -> Iterator[tuple[str, object, object]]:
    """The keys of a table whose values differ, with both."""
    for field in msgspec.structs.fields(type(after)):
        old, new = getattr(before, field.name), getattr(after, field.name)
        if _comparable(old) != _comparable(new):
            yield field.encode_name, old, new


def _comparable(value: object) -> object:
    """The whole value; networks and stations are compared as they are written."""
    return tuple(map(_text, value)) if isinstance(value, tuple) else value if isinstance(value, dict) else _text(value)


def _of_key(section: Section, key: str) -> str:
    """The value of a key, a duration with its units."""
    value = getattr(section, key)
    kind = next(field.type for field in msgspec.structs.fields(type(section)) if field.name == key)
    if is_duration(kind) and value >= 1 and float(value).is_integer():
        return duration_text(value)
    return f"{value:g}s" if is_duration(kind) else _text(value)


def _text(value: Any) -> str:
    """A value as people write it in the file, without quotation marks."""
    return _TEXTS.get(type(value), str)(value) or "none"


def _network(network: IPv4Network | IPv6Network) -> str:
    return str(network.network_address) if network.num_addresses == 1 else str(network)


_TEXTS: Mapping[type, Callable[[Any], str]] = {
    type(None): lambda _: "",
    bool: lambda value: "on" if value else "off",
    float: "{:g}".format,
    Bytes: lambda value: quantity_text(value, "B"),
    BitRate: lambda value: quantity_text(value, "bit"),
    Subnet: lambda value: _network(value.network),
    Station: lambda value: str(value.name),
    ZoneInfo: lambda value: str(value.key),
    tuple: lambda value: _listed([_text(one) for one in value]),
    dict: lambda value: _listed([f"{word} = {_text(meaning)}" for word, meaning in sorted(value.items())]),
}
