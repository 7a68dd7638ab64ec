"""Judges what a contact was for: a site, a program's own business, an encrypted look-up, or nothing that can be told.

The name is that of the hello; without one, that which the server's address stood for when the device had looked it up.
The outer name of an encrypted hello (ECH) is that of a front and names no visit. Browsers imitate such hellos, with the
true name outside: it counts where the device had looked it up, or where no look-up speaks against it.
"""

from collections.abc import Callable
from enum import StrEnum

from msgspec import Struct

from appliance.core.traffic.address_names import AddressNames
from appliance.core.traffic.dns import DNS_PORT, DnsAnswer
from appliance.core.traffic.flows.contact import Contact
from appliance.core.traffic.name_lists import BACKGROUND, ENCRYPTED_DNS, FRONTS, NameList

_BACKGROUND, _ENCRYPTED_DNS, _FRONTS = map(NameList, (BACKGROUND, ENCRYPTED_DNS, FRONTS))
ENCRYPTED_DNS_PORT = 853  # DNS over TLS and over QUIC (RFC 7858, RFC 9250)


class Purpose(StrEnum):
    """What a contact was for."""

    SITE = "site"
    BACKGROUND = "background"  # a program's own business
    LOCAL = "local"  # a name, but of no site of the Internet
    ENCRYPTED_DNS = "encrypted_dns"
    HIDDEN = "hidden"  # its name is encrypted
    UNNAMED = "unnamed"


class Judgement(Struct, frozen=True):
    """`label`: the registrable domain of a site, or the name of what else has one; else empty."""

    purpose: Purpose
    label: str = ""


class Record(StrEnum):
    """What is kept of visits: nothing, the site, or the site and the devices that visited it."""

    OFF = "off"
    SITE = "site"
    DEVICE = "device"


class NameRules(Struct, frozen=True):
    """How names become sites. `registrable`: folds a name to its site, or to `None`; the lists: what else names are."""

    registrable: Callable[[str], str | None]
    record: Record = Record.SITE
    background: NameList = _BACKGROUND
    encrypted_dns: NameList = _ENCRYPTED_DNS
    fronts: NameList = _FRONTS


class Naming:
    """Judges the contacts of one department's devices."""

    def __init__(self, rules: NameRules) -> None:
        self._rules = rules
        self._names = AddressNames()

    def learn(self, device: str, answer: DnsAnswer, now_s: float) -> None:
        """Remember the answer to a look-up of this device."""
        self._names.learn(device, answer, now_s)

    def judge(self, device: str, contact: Contact, now_s: float) -> Judgement | None:
        """What the contact was for; `None`: a look-up in the clear, which is no contact of its own."""
        port, server, hello = contact.ends.server_port, contact.ends.server, contact.hello
        if port == DNS_PORT:
            return None
        name = hello.name if hello is not None else ""
        if port == ENCRYPTED_DNS_PORT or (name and name in self._rules.encrypted_dns):
            return Judgement(Purpose.ENCRYPTED_DNS, name)
        known = self._names.name_of(device, server, contact.began_s)
        is_hidden = hello is not None and hello.has_encrypted and self._is_front(device, name, known, now_s)
        if is_hidden or not name:
            name = known
        if not name:
            return Judgement(Purpose.HIDDEN if is_hidden else Purpose.UNNAMED)
        if name in self._rules.background:
            return Judgement(Purpose.BACKGROUND, name)
        domain = self._rules.registrable(name)
        return Judgement(Purpose.LOCAL, name) if domain is None else Judgement(Purpose.SITE, domain)

    def _is_front(self, device: str, name: str, known: str, now_s: float) -> bool:
        if name in self._rules.fronts:
            return True
        return bool(known) and known != name and not self._names.has_asked(device, name, now_s)
