"""Websites: the names in captured packets become the visits of each department's devices.

DNS questions and answers of a department's hosts teach what addresses stand for, and the blocks of names; connections
become visits once a server has answered. `Websites` follows the connections of all departments, `SiteWatch` counts for
one. What is kept is in memory, and of the last hour.
"""

from collections.abc import Callable, Collection, Iterator, Sequence

from msgspec import Struct

from appliance.core.machine import Network
from appliance.core.metering.department import holds
from appliance.core.traffic.dns import DnsAnswer, look_ups_in
from appliance.core.traffic.flows.contact import Contact, Happening, What
from appliance.core.traffic.flows.quic_flows import QuicFlows
from appliance.core.traffic.flows.tcp_flows import TcpFlows
from appliance.core.traffic.naming import NameRules, Naming, Purpose, Record
from appliance.core.traffic.packet import TCP, UDP, Packet
from appliance.core.traffic.presence import Presence
from appliance.core.traffic.questions import OpenQuestions
from appliance.core.traffic.sites import Analytics, Contacts, Site


class SiteReport(Struct, frozen=True):
    """A department's sites in the last hour. `unread`: packets of QUIC, of all departments, that came too fast."""

    record: Record
    sites: Sequence[Site]
    background: Sequence[Site]
    contacts: Contacts
    unread: int


class Websites:
    """The connections of all departments."""

    def __init__(self) -> None:
        self._tcp, self._quic = TcpFlows(), QuicFlows()

    @property
    def unread(self) -> int:
        """Packets of QUIC that were too many to be decrypted, since the start."""
        return self._quic.unread

    def read(self, interface: str, packet: Packet, now_s: float) -> Sequence[Happening]:
        """What this packet makes happen to connections."""
        if packet.protocol == TCP:
            return [*self._tcp.read(interface, packet, now_s)]
        return [*self._quic.read(interface, packet, now_s)] if packet.protocol == UDP else []

    def due(self, now_s: float) -> Sequence[Happening]:
        """The contacts whose hello does not come."""
        return [*self._tcp.due(now_s)]


class SiteWatch:
    """The websites and the active devices of one department."""

    def __init__(self, rules: NameRules, refuses: Callable[[str], bool]) -> None:
        """`refuses`: whether the kernel refuses look-ups of a name, so that nobody is asked."""
        self._rules, self._refuses = rules, refuses
        self._questions = OpenQuestions()
        self._naming = Naming(rules)
        self._analytics = Analytics()
        self.devices = Presence()
        self.networks: tuple[Network, ...] | None = None
        self.routers: Collection[str] = ()

    def follow(self, packet: Packet, now_s: float) -> Iterator[DnsAnswer]:
        """Evaluate one packet; the DNS answers in it that a host of the department had asked for."""
        # A host that opens connections is a user; one that only answers them may be a server.
        if packet.protocol == TCP and packet.opens and holds(self.networks, packet.source):
            self._mark_active(packet.source_mac, packet.source, now_s)
        for asked, message in look_ups_in(packet):
            if not message.is_answer:
                if holds(self.networks, asked.client) and not self._refuses(asked.name):
                    self._questions.note(asked, now_s)
                continue
            answer = message.answer(asked.client, asked.server) if self._questions.take(asked, now_s) else None
            if answer is None:
                continue
            if message.is_visit:
                self._mark_active(packet.destination_mac, asked.client, now_s)
                if self._rules.record is not Record.OFF:
                    self._naming.learn(packet.destination_mac, answer, now_s)
            yield answer

    def take(self, happening: Happening, now_s: float) -> None:
        """Count what has happened to a connection of a host of the department."""
        if self._rules.record is Record.OFF or not holds(self.networks, happening.contact.ends.client):
            return
        if happening.what is What.MET:
            self._count(happening.contact, now_s)
        elif happening.what is What.END and happening.contact.is_met:
            self._analytics.add_bytes(happening.contact.site, happening.bytes, now_s)

    def active_users(self, now_s: float) -> int:
        """The number of devices that were active in the last 5 minutes."""
        return self._analytics.active_users(now_s)

    def top_sites(self, now_s: float) -> Sequence[Site]:
        """The most visited sites of the last hour."""
        return self._analytics.top_sites(now_s)

    def contacts(self, now_s: float) -> Contacts:
        """The connections of the last hour."""
        return self._analytics.contacts(now_s)

    def report(self, now_s: float, most: int, unread: int) -> SiteReport:
        """The sites of the last hour, at most so many."""
        sites, background = self._analytics.top_sites(now_s, most), self._analytics.background(now_s, most)
        return SiteReport(self._rules.record, sites, background, self._analytics.contacts(now_s), unread)

    def _count(self, contact: Contact, now_s: float) -> None:
        judgement = self._naming.judge(contact.client_mac, contact, now_s)
        if judgement is None:
            return
        if judgement.purpose in {Purpose.SITE, Purpose.BACKGROUND}:
            contact.site = judgement.label
        device = self._device(contact.client_mac, contact.ends.client)
        # One without a hello is judged a while after it began.
        self._analytics.count_contact(device, judgement, now_s if contact.hello is not None else contact.began_s)

    def _mark_active(self, mac: str, address: str, now_s: float) -> None:
        self.devices.mark_seen(mac, now_s)
        self._analytics.mark_active(self._device(mac, address), now_s)

    def _device(self, mac: str, address: str) -> str:
        """What stands for a device: its MAC address, or its address behind a router, which has replaced that."""
        return address if mac in self.routers else mac
