"""Rogue servers: who gives out addresses, or advertises itself as a router, and is none of the department's.

Devices believe the first who answers, so that one message is enough. `core.traffic.devices.server_sign` says who is a
stranger. Nothing is blocked for it: what it sends passes from device to device, and not through the appliance.
"""

from collections import OrderedDict

from msgspec import Struct, field

from appliance.core.detection.evidence import MOST_EXAMPLES, Evidence
from appliance.core.detection.incident_kind import IncidentKind
from appliance.core.traffic.devices.server_sign import ServerKey, ServerKind, ServerSign

KINDS = {ServerKind.DHCP: IncidentKind.ROGUE_DHCP, ServerKind.ROUTER: IncidentKind.ROGUE_ROUTER}
MOST_STRANGERS = 64  # that are remembered; whoever makes more up is told of all the same
FORGOTTEN_S = 3600.0


class _Stranger(Struct):
    """`clients`: examples of whom it answered, an ordered set."""

    first_s: float
    latest_s: float
    latest: ServerSign
    count: int = 0
    clients: dict[str, None] = field(default_factory=dict)


class RogueServers:
    """The strangers at one department; `now_s` is monotonic."""

    def __init__(self) -> None:
        self._strangers: OrderedDict[ServerKey, _Stranger] = OrderedDict()  # the latest heard last
        self._touched: dict[ServerKey, None] = {}  # since the previous `found`; an ordered set

    def follow(self, sign: ServerSign, now_s: float) -> None:
        """Notes that a stranger has shown itself."""
        known = self._strangers.get(sign.key)
        if known is None or now_s - known.latest_s >= FORGOTTEN_S:
            known = self._strangers[sign.key] = _Stranger(now_s, now_s, sign)
        self._strangers.move_to_end(sign.key)
        known.latest_s, known.latest, known.count = now_s, sign, known.count + 1
        if sign.client and len(known.clients) < MOST_EXAMPLES:
            known.clients[sign.client] = None
        self._touched[sign.key] = None
        if len(self._strangers) > MOST_STRANGERS:
            gone, _ = self._strangers.popitem(last=False)
            self._touched.pop(gone, None)

    def found(self) -> list[Evidence]:
        """What strangers have done, of those that showed themselves since the previous call."""
        touched, self._touched = self._touched, {}
        return [_evidence(self._strangers[key]) for key in touched]


def _evidence(stranger: _Stranger) -> Evidence:
    sign = stranger.latest
    who = sign.mac or f"the device with the address {sign.address}"
    if sign.kind is ServerKind.DHCP:
        did = f"gives out addresses, {sign.offers or 'one'} to {sign.client}"
        expected = "only the DHCP servers that were there before"
    else:
        did = f"advertises itself as a router, and offers {sign.offers}"
        expected = "only the routers that were there before"
    return Evidence(
        kind=KINDS[sign.kind],
        source=sign.address,
        count=stranger.count,
        details=(
            f"{sign.address} ({sign.mac or 'hardware address not seen'}) {did}; unplug it: look for {who} in the "
            f"switch's table of addresses, or name it in the configuration if it is yours"
        ),
        expected=expected,
        first_s=stranger.first_s,
        latest_s=stranger.latest_s,
        peers=tuple(stranger.clients) or (sign.mac,),
        values={
            "form": "known" if sign.mac else "unknown",
            "mac": sign.mac,
            "offers": sign.offers,
            "client": sign.client,
        },
    )
