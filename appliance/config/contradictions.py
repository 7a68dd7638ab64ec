"""Contradictions: faults that lie not in one value of a configuration but between two."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, pairwise

from appliance.config.notifications import (
    MOST_CHANNELS,
    MOST_READERS,
    BrokerSection,
    MailSection,
    NotificationsSection,
    RuleSection,
    WebhookSection,
)
from appliance.config.sections import (
    BackupSection,
    Config,
    DepartmentSection,
    HistorySection,
    IssuerSection,
    ServerSection,
)
from appliance.core.alerting.channels import SECRET, Form, Seal
from appliance.core.blocking.targets import overlap
from appliance.core.machine import Network
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
    yield from _in_notifications(config)
    begin, _, end = config.update.window.partition("-")
    if begin == end:
        yield "update: the window ends when it begins; give it an hour at least, such as 03:00-05:00"
    yield from _in_backup(config.backup)
    pins = [config.panel.button, config.panel.led_status, config.panel.led_alert, config.panel.led_activity]
    if len(set(pins)) < len(pins):
        yield "panel: a pin is given twice; the button and each LED need their own"


def _in_departments(departments: Sequence[DepartmentSection]) -> Iterator[str]:
    if not departments:
        yield "departments: none; needed: at least one [[departments]] table"
    for name in _repeated(one.id for one in departments):
        yield f'departments: the id "{name}" is given twice; each department needs its own'
    at_interface: dict[str, list[DepartmentSection]] = {}
    for one in departments:
        at_interface.setdefault(one.interface, []).append(one)
    for interface, sharing in at_interface.items():
        for one, other in pairwise(sharing):
            if one.id != other.id and not (one.subnets and other.subnets):
                yield (
                    f'departments: "{one.id}" and "{other.id}" share the interface {interface}; '
                    "then each needs its subnets, to tell them apart"
                )
    yield from _in_subnets(departments)


def _in_subnets(departments: Sequence[DepartmentSection]) -> Iterator[str]:
    """A line for each subnet that another department claims too, with the nearest claim around it.

    In the order of their addresses a prefix comes after those that it is in. So the few prefixes around the current one
    are enough to look at: a pair of each with each of 1,500 departments takes ten seconds.
    """
    claims = [
        (network, at) for at, one in enumerate(departments) for network in {subnet.network for subnet in one.subnets}
    ]
    around: list[tuple[Network, int]] = []
    found: list[tuple[int, int, str]] = []
    for claim in sorted(claims, key=_in_order):
        network, at = claim
        while around and not overlap(around[-1][0], network):
            around.pop()
        other = next((index for _, index in reversed(around) if index != at), None)
        around.append(claim)
        if other is not None:
            one, two = sorted((at, other))
            pair = f'"{departments[one].id}" and "{departments[two].id}"'
            found.append((one, two, f"departments: {pair} both claim {network}"))
    yield from (line for _, _, line in sorted(found))


def _in_order(claim: tuple[Network, int]) -> tuple[int, int, int, int]:
    network, at = claim
    return network.version, int(network.network_address), network.prefixlen, at


def _repeated(names: Iterable[str]) -> list[str]:
    return [name for name, number in Counter(names).items() if number > 1]


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
    for name in _repeated(one.name for one in lists):
        yield f'block_lists: the name "{name}" is given twice; each list needs its own'
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
    subnets = [(one.id, subnet.network) for one in config.departments for subnet in one.subnets]
    for proxy in config.server.trusted_proxies:
        if proxy.network.prefixlen == 0:
            yield f"server: trusted_proxies has {proxy.network}, which is everybody; give the proxy's own address"
        for department, subnet in subnets:
            if proxy.network.num_addresses > 1 and overlap(proxy.network, subnet):
                yield (
                    f'server: trusted_proxies has {proxy.network}, in which "{department}" has hosts that could then '
                    "pretend to be anyone; give the proxy's own address"
                )


def _in_issuers(issuers: Sequence[IssuerSection]) -> Iterator[str]:
    names = [issuer.iss for issuer in issuers]
    for name in sorted(_repeated(names)):
        yield f'issuers: "{name}" is given twice; each iss has one key'
    if OWN_ISS in names:
        yield f'issuers: "{OWN_ISS}" is the appliance itself; an issuer needs another iss'


def _in_notifications(config: Config) -> Iterator[str]:
    section = config.notifications
    names = [one.name for one in section.channels]
    for name in sorted(_repeated(names)):
        yield f'notifications: the name "{name}" is given twice; each channel needs its own'
    if len(names) > MOST_CHANNELS:
        yield f"notifications: {len(names)} channels; at most {MOST_CHANNELS} are possible"
    in_channels = (*map(_in_mail, section.mail), *map(_in_webhook, section.webhooks), *map(_in_login, section.mqtt))
    for fault in chain(*in_channels):
        yield f"notifications: {fault}"
    for number, rule in enumerate(section.rules, 1):
        for fault in _in_rule(rule, names, [one.id for one in config.departments]):
            yield f"notifications.rules[{number}]: {fault}"
    yield from _in_reports(section, [one.id for one in config.departments])
    led_to = {*chain(*(rule.channels for rule in section.rules), *(report.channels for report in section.reports))}
    for name in [one for one in names if one not in led_to]:
        yield f'notifications: no rule sends anything to "{name}"; name it in the channels of a rule'


def _in_backup(backup: BackupSection) -> Iterator[str]:
    if backup.folder is not None and backup.url is not None:
        yield "backup: it goes to a folder or to a url; leave one of them out"
    if ((backup.folder or backup.url) is None) is not (backup.secret is None):
        yield "backup: it needs a secret together with a folder or a url, or none of them"
    if (backup.user is None) is not (backup.password is None):
        yield "backup: it needs user and password together, or neither"
    if backup.user is not None and not (backup.url or "").startswith("https://"):
        yield "backup: the password would be sent unsealed; its url must begin with https"


def _in_mail(mail: MailSection) -> Iterator[str]:
    if not 1 <= len(mail.recipients) <= MOST_READERS:
        yield f'"{mail.name}" has {len(mail.recipients)} recipients; give 1 to {MOST_READERS}'
    yield from _in_login(mail)


def _in_login(one: MailSection | BrokerSection) -> Iterator[str]:
    if (one.user is None) is not (one.secret is None):
        yield f'"{one.name}" needs user and secret together, or neither'
    if one.user is not None and one.seal == Seal.NONE:
        better = "tls or starttls" if isinstance(one, MailSection) else "tls"
        yield f'"{one.name}" would send its password unsealed; its seal must be {better}'


def _in_webhook(webhook: WebhookSection) -> Iterator[str]:
    if webhook.form is Form.JSON and webhook.secret is None:
        yield f'"{webhook.name}" needs a secret, with which its messages are signed'
    if SECRET in webhook.url and webhook.secret is None:
        yield f'"{webhook.name}" has {SECRET} in its url, and needs the secret'
    is_sent = webhook.form is not Form.JSON or SECRET in webhook.url  # a signature may be read by anyone
    if webhook.secret is not None and is_sent and webhook.url.startswith("http://"):
        yield f'"{webhook.name}" would send its secret unsealed; its url must begin with https'


def _in_rule(rule: RuleSection, channels: Sequence[str], departments: Sequence[str]) -> Iterator[str]:
    if not rule.channels:
        yield "it has no channels; name those that it sends to"
    for name in rule.channels:
        if name not in channels:
            yield f'the channel "{name}" is not configured; there are {", ".join(channels) or "none"}'
    yield from _unknown(rule.departments, departments)
    begin, _, end = (rule.quiet or "00:00-00:01").partition("-")
    if begin == end:
        yield "its quiet hours end when they begin; leave them out, or give two times"


def _in_reports(section: NotificationsSection, departments: Sequence[str]) -> Iterator[str]:
    mails = [one.name for one in section.mail]
    for number, report in enumerate(section.reports, 1):
        place = f"notifications.reports[{number}]"
        if not report.channels:
            yield f"{place}: it has no channels; name those that it is sent by"
        for name in [one for one in report.channels if one not in mails]:
            there_are = ", ".join(mails) or "none"
            yield f'{place}: "{name}" is no channel of mail, by which alone reports are sent; there are {there_are}'
        yield from (f"{place}: {fault}" for fault in _unknown(report.departments, departments))


def _unknown(named: Sequence[str], departments: Sequence[str]) -> Iterator[str]:
    return (f'the department "{one}" is not configured' for one in named if one not in departments)
