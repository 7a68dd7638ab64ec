"""Words for what scans, claims of addresses and refusals have shown."""

from functools import lru_cache
from ipaddress import ip_address, ip_network
from itertools import islice

from appliance.core.blocking.block import Block
from appliance.core.blocking.place import Hit
from appliance.core.detection.abuse.arp import Dispute
from appliance.core.detection.evidence import MOST_EXAMPLES, TOO_MUCH, Evidence
from appliance.core.detection.incident_kind import IncidentKind
from appliance.core.detection.scans import ANY_PORT, NEIGHBOURS, Suspicion

MOST_PORTS, MOST_NETWORKS = 32, 16  # that are compared one by one
PREFIX_BITS = {4: 24, 6: 64}  # of a network in which servers look for hosts


def scan_evidence(suspicion: Suspicion) -> Evidence:
    """The evidence that a suspicion is."""
    kind, source, common = suspicion.key
    count = len(suspicion.failed)
    took_s = max(1, round(suspicion.latest_s - suspicion.first_s))
    examples = tuple(str(one) for one in islice(suspicion.failed, MOST_EXAMPLES))
    is_port_scan = kind is IncidentKind.PORT_SCAN
    rule = min(suspicion.rules, key=lambda one: one.count)
    return Evidence(
        kind=kind,
        source=source,
        count=count,
        details=f"{source} {_what(suspicion, count)} within {took_s} s, among them {', '.join(examples)}",
        expected=f"fewer than {rule.count} in {_span(rule.within_s)}, or as many that succeed",
        first_s=suspicion.first_s,
        latest_s=suspicion.latest_s,
        peers=(str(common),) if is_port_scan else examples,
        ports=examples if is_port_scan else (str(common),),
        senders=suspicion.senders(),
        proven=suspicion.proven,
        addressed=suspicion.addressed,
        traits=_traits(suspicion),
        values={
            "form": _form(suspicion),
            "count": count,
            "where": str(common),
            "seconds": took_s,
            "examples": ", ".join(examples),
            "least": rule.count,
            "within": round(rule.within_s),
        },
    )


def dispute_evidence(dispute: Dispute) -> Evidence:
    """The evidence that an address with two holders is."""
    is_taken = dispute.is_own or dispute.also or dispute.is_unasked
    took_s = max(1, round(dispute.latest_s - dispute.first_s))
    whose = "the appliance's own address" if dispute.is_own else f"an address that {dispute.holder} has too"
    also = f", and also {', '.join(dispute.also)}" if dispute.also else ""
    also += ", and answers where nobody has asked" if dispute.is_unasked else ""
    return Evidence(
        kind=IncidentKind.ARP_SPOOFING if is_taken else IncidentKind.ADDRESS_CONFLICT,
        source=dispute.address,
        count=dispute.count,
        details=(
            f"{dispute.rival} claims {dispute.address}, {whose}, {dispute.count} times in turns within {took_s} s"
            f"{also}; look for {dispute.rival} in the switch's table of addresses"
        ),
        expected="one device for each address",
        first_s=dispute.first_s,
        latest_s=dispute.latest_s,
        peers=(dispute.rival, dispute.holder),
        values={
            "form": "own" if dispute.is_own else "other",
            "rival": dispute.rival,
            "holder": dispute.holder,
            "count": dispute.count,
            "seconds": took_s,
            **({"also": ", ".join(dispute.also)} if dispute.also else {}),
            **({"unasked": 1} if dispute.is_unasked else {}),
        },
    )


def listed_evidence(block: Block, hit: Hit, address: str, now_s: float) -> Evidence:
    """The evidence of a host that has tried to connect to an address of an imported list, and was refused."""
    return Evidence(
        kind=IncidentKind.LISTED_CONTACT,
        source=hit.host,
        count=hit.packets,
        details=(
            f"{hit.host} tried to connect to {address}, which is on {block.origin} as {block.target}, and was refused: "
            f"{hit.packets} packets in the last minute"
        ),
        expected="none",
        first_s=now_s,
        latest_s=now_s,
        peers=(address,),
        values={"address": address, "list": block.origin, "target": block.target, "count": hit.packets},
    )


def _traits(suspicion: Suspicion) -> frozenset[str]:
    """Where a source looks: a port in a network."""
    kind, _, common = suspicion.key
    if kind is IncidentKind.PORT_SCAN:
        network = _network(str(common))
        ports = suspicion.failed if len(suspicion.failed) <= MOST_PORTS else ("many",)
        return frozenset(f"{port} in {network}" for port in ports)
    networks = {_network(str(host)) for host in suspicion.failed}
    return (
        frozenset(f"{common} in {one}" for one in networks) if len(networks) <= MOST_NETWORKS else frozenset([TOO_MUCH])
    )


@lru_cache(maxsize=4096)  # of as many hosts as a scan tries in an hour; 0.5 MB
def _network(host: str) -> str:
    return str(ip_network((host, PREFIX_BITS[ip_address(host).version]), strict=False))


def _what(suspicion: Suspicion, count: int) -> str:
    kind, _, common = suspicion.key
    if kind is IncidentKind.PORT_SCAN:
        return f"failed to connect to {count} different ports of {common}"
    if common == NEIGHBOURS:
        return f"asked for {count} different neighbours that are not there"
    port = common if common == ANY_PORT else f"port {common}"
    return f"failed to connect to {port} of {count} different hosts"


def _form(suspicion: Suspicion) -> str:
    kind, _, common = suspicion.key
    if kind is IncidentKind.PORT_SCAN:
        return "ports"
    return {NEIGHBOURS: "neighbours", ANY_PORT: "any"}.get(str(common), "port")


def _span(seconds: float) -> str:
    for unit, length in (("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"
