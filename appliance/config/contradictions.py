"""Contradictions: faults that lie not in one value of a configuration but between two."""

from collections.abc import Iterator, Sequence
from itertools import combinations, pairwise, product

from appliance.config.sections import Config, DepartmentSection, HistorySection, IssuerSection, ServerSection
from appliance.core.blocking.targets import overlap
from appliance.core.metering.quota import Action, QuotaKind

OWN_ISS = "appliance"  # of the appliance's own tokens


def contradictions(config: Config) -> Iterator[str]:
    """A line for each contradiction, beginning with the section."""
    yield from _in_departments(config.departments)
    yield from _in_quotas(config.departments)
    yield from _in_history(config.history)
    yield from _in_lists(config)
    if config.limits.connections_per_address > config.limits.connections:
        yield "limits: connections_per_address is more than connections, so that one address could have them all"
    yield from _in_server(config.server)
    yield from _in_proxies(config)
    yield from _in_issuers(config.issuers)
    pins = [config.panel.button, config.panel.led_status, config.panel.led_alert, config.panel.led_activity]
    if len(set(pins)) < len(pins):
        yield "panel: a pin is given twice; the button and each LED need their own"


def _in_departments(departments: Sequence[DepartmentSection]) -> Iterator[str]:
    if not departments:
        yield "departments: none; needed: at least one [[departments]] table"
    for one, other in combinations(departments, 2):
        if one.id == other.id:
            yield f'departments: the id "{one.id}" is given twice; each department needs its own'
        elif one.interface == other.interface and not (one.subnets and other.subnets):
            yield (
                f'departments: "{one.id}" and "{other.id}" share the interface {one.interface}; '
                "then each needs its subnets, to tell them apart"
            )
        for a, b in product(one.subnets, other.subnets):
            if overlap(a.network, b.network):
                claimed = max(a.network, b.network, key=lambda network: network.prefixlen)
                yield f'departments: "{one.id}" and "{other.id}" both claim {claimed}'


def _in_quotas(departments: Sequence[DepartmentSection]) -> Iterator[str]:
    for one in departments:
        quota = one.quota
        if quota.on_exceeded is Action.THROTTLE and quota.throttle_rate is None:
            yield f'departments: "{one.id}" has on_exceeded = "throttle"; its quota needs a throttle_rate'
        limits = [getattr(limited, kind.value) for limited in (quota, quota.hosts) for kind in QuotaKind]
        if quota.on_exceeded is not Action.ALERT and all(limit is None for limit in limits):
            yield f'departments: "{one.id}" has on_exceeded without a daily, weekly or monthly limit'


def _in_history(history: HistorySection) -> Iterator[str]:
    """Wider buckets must be kept as long as narrower ones, which else would lose the name of their host."""
    for widening in (("minute", "five_minutes", "hour", "day"), ("host_five_minutes", "host_hour", "host_day")):
        for narrow, wide in pairwise(widening):
            if getattr(history, narrow) > getattr(history, wide):
                yield f"history: {narrow} is kept longer than {wide}; what is wider must be kept at least as long"


def _in_lists(config: Config) -> Iterator[str]:
    lists, departments = config.block_lists, {one.id for one in config.departments}
    for one, other in combinations(lists, 2):
        if one.name == other.name:
            yield f'block_lists: the name "{one.name}" is given twice; each list needs its own'
    for one in lists:
        if one.department not in (None, *departments):
            yield f'block_lists: "{one.name}" is for the department "{one.department}", which is not configured'
        if 0 < one.duration <= one.refresh:
            yield (
                f'block_lists: the entries of "{one.name}" would run out before it is read again; '
                "make its duration longer than its refresh"
            )


def _in_server(server: ServerSection) -> Iterator[str]:
    if (server.certificate is None) is not (server.key is None):
        yield "server: certificate and key go together; give both, or neither for one of the appliance's own"
    if server.certificate is not None and not server.tls:
        yield "server: a certificate is given, but tls is not true"
    if server.hsts_max_age and server.certificate is None:
        yield (
            "server: hsts_max_age needs a certificate that browsers trust by themselves; with the appliance's own they "
            "would refuse to open the page"
        )


def _in_proxies(config: Config) -> Iterator[str]:
    """Trusted ranges hold proxies and nobody else: whoever is in one may pretend to come from any address."""
    for proxy in config.server.trusted_proxies:
        if proxy.network.prefixlen == 0:
            yield f"server: trusted_proxies has {proxy.network}, which is everybody; give the proxy's own address"
        subnets = [(one.id, subnet.network) for one in config.departments for subnet in one.subnets]
        for department, subnet in subnets:
            if proxy.network.num_addresses > 1 and overlap(proxy.network, subnet):
                yield (
                    f'server: trusted_proxies has {proxy.network}, in which "{department}" has hosts that could then '
                    "pretend to be anyone; give the proxy's own address"
                )


def _in_issuers(issuers: Sequence[IssuerSection]) -> Iterator[str]:
    names = [issuer.iss for issuer in issuers]
    for name in sorted(set(names)):
        if names.count(name) > 1:
            yield f'issuers: "{name}" is given twice; each iss has one key'
    if OWN_ISS in names:
        yield f'issuers: "{OWN_ISS}" is the appliance itself; an issuer needs another iss'
