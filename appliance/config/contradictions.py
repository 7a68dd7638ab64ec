"""Contradictions: faults that lie not in one value of a configuration but between two."""

from collections.abc import Sequence
from itertools import combinations, pairwise, product

from appliance.config.sections import (
    Config,
    DepartmentSection,
    HistorySection,
    IssuerSection,
    LimitsSection,
    ServerSection,
)
from appliance.config.values import Subnet
from appliance.core.blocking.targets import overlap
from appliance.core.metering.quota import Action, QuotaKind

OWN_ISS = "appliance"  # of the appliance's own tokens


def _contradictions_of(department: DepartmentSection) -> list[str]:
    quota = department.quota
    found = []
    if quota.on_exceeded is Action.THROTTLE and quota.throttle_rate is None:
        found.append(f'departments: "{department.id}" has on_exceeded = "throttle"; its quota needs a throttle_rate')
    limits = [getattr(one, kind.value) for one in (quota, quota.hosts) for kind in QuotaKind]
    if quota.on_exceeded is not Action.ALERT and all(limit is None for limit in limits):
        found.append(f'departments: "{department.id}" has on_exceeded without a daily, weekly or monthly limit')
    return found


def _contradictions_in_history(history: HistorySection) -> list[str]:
    """Wider buckets must be kept as long as narrower ones, which else would lose the name of their host."""
    names = ("minute", "five_minutes", "hour", "day"), ("host_five_minutes", "host_hour", "host_day")
    return [
        f"history: {narrow} is kept longer than {wide}; what is wider must be kept at least as long"
        for narrow, wide in (pair for widening in names for pair in pairwise(widening))
        if getattr(history, narrow) > getattr(history, wide)
    ]


def _contradictions_in_lists(config: Config) -> list[str]:
    lists, departments = config.block_lists, {one.id for one in config.departments}
    found = [
        f'block_lists: the name "{one.name}" is given twice; each list needs its own'
        for one, other in combinations(lists, 2)
        if one.name == other.name
    ]
    found += [
        f'block_lists: "{one.name}" is for the department "{one.department}", which is not configured'
        for one in lists
        if one.department not in (None, *departments)
    ]
    found += [
        f'block_lists: the entries of "{one.name}" would run out before it is read again; '
        "make its duration longer than its refresh"
        for one in lists
        if 0 < one.duration <= one.refresh
    ]
    return found


def _contradictions_in_limits(limits: LimitsSection) -> list[str]:
    if limits.connections_per_address <= limits.connections:
        return []
    return ["limits: connections_per_address is more than connections, so that one address could have them all"]


def _contradictions_in_server(server: ServerSection) -> list[str]:
    found = []
    if (server.certificate is None) is not (server.key is None):
        found.append("server: certificate and key go together; give both, or neither for one of the appliance's own")
    if server.certificate is not None and not server.tls:
        found.append("server: a certificate is given, but tls is not true")
    if server.hsts_max_age and server.certificate is None:
        found.append(
            "server: hsts_max_age needs a certificate that browsers trust by themselves; with the appliance's own they "
            "would refuse to open the page"
        )
    return found


def _contradictions_in_issuers(issuers: Sequence[IssuerSection]) -> list[str]:
    names = [issuer.iss for issuer in issuers]
    found = [f'issuers: "{name}" is given twice; each iss has one key' for name in set(names) if names.count(name) > 1]
    if OWN_ISS in names:
        found.append(f'issuers: "{OWN_ISS}" is the appliance itself; an issuer needs another iss')
    return found


def _prefix_length(subnet: Subnet) -> int:
    return subnet.network.prefixlen


def contradictions(config: Config) -> list[str]:
    """A line for each contradiction, beginning with the section; empty: there is none."""
    found = []
    if not config.departments:
        found.append("departments: none; needed: at least one [[departments]] table")
    for one, other in combinations(config.departments, 2):
        if one.id == other.id:
            found.append(f'departments: the id "{one.id}" is given twice; each department needs its own')
        elif one.interface == other.interface and not (one.subnets and other.subnets):
            found.append(
                f'departments: "{one.id}" and "{other.id}" share the interface {one.interface}; '
                "then each needs its subnets, to tell them apart"
            )
        found += [
            f'departments: "{one.id}" and "{other.id}" both claim {max(a, b, key=_prefix_length).network}'
            for a, b in product(one.subnets, other.subnets)
            if overlap(a.network, b.network)
        ]
    found += [problem for one in config.departments for problem in _contradictions_of(one)]
    found += _contradictions_in_history(config.history)
    found += _contradictions_in_lists(config)
    found += _contradictions_in_limits(config.limits)
    found += _contradictions_in_server(config.server)
    found += _contradictions_in_issuers(config.issuers)
    pins = [config.panel.button, config.panel.led_status, config.panel.led_alert, config.panel.led_activity]
    if len(set(pins)) < len(pins):
        found.append("panel: a pin is given twice; the button and each LED need their own")
    return found
